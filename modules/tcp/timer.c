/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three timers of a connection. rexmt: retransmission (RFC 6298 5) or, when the window is
 * closed and nothing is in flight, persist (RFC 9293 3.8.6.1). delack: the acknowledgement that
 * waits for company. life: handshake, idle and keep-alive limits; it is armed rarely and looks at
 * the clock when it fires. They fire between runs of paths and may send.
 */
#include "modules/tcp/tcp.h"

static const uint64_t backoff_max = 60 * SECOND;

static uint64_t setting(const struct tcb *c, const char *name)
{
    return conf_number(&c->n->conf, name);
}

static uint64_t backed_off(const struct tcb *c)
{
    uint64_t t = c->backoff > 16 ? backoff_max : c->rto << c->backoff;
    return t < backoff_max ? t : backoff_max;
}

void tcp_rexmt_arm(struct tcb *c, enum timer_use use)
{
    if (use == TIMER_PERSIST && c->rexmt_use != TIMER_PERSIST) {
        c->backoff = 0;
        c->unacked_since = tcb_kernel(c)->now;
    }
    c->rexmt_use = (uint8_t)use;
    uint64_t wait = use == TIMER_START ? 0 : backed_off(c);
    timer_arm(tcb_kernel(c), &c->rexmt, tcb_kernel(c)->now + wait);
}

void tcp_rexmt_stop(struct tcb *c)
{
    c->rexmt_use = TIMER_NONE;
    timer_cancel(tcb_kernel(c), &c->rexmt);
}

void tcp_delack_arm(struct tcb *c)
{
    uint64_t delay = tcb_node(c)->delack_ns;
    if (delay == 0)
        c->ack_now = true;
    else if (!timer_armed(&c->delack))
        timer_arm(tcb_kernel(c), &c->delack, tcb_kernel(c)->now + delay);
}

/* R2 of RFC 9293 3.8.3: too long without an answer. */
static bool given_up(struct tcb *c)
{
    if (tcb_kernel(c)->now - c->unacked_since < setting(c, "giveup"))
        return false;
    tcb_count(c, STAT_GIVEUP);
    tcb_give_up(c);
    return true;
}

static void fire_rto(struct tcb *c)
{
    tcb_count(c, STAT_RTO);
    c->backoff++;               /* RFC 6298 5.5 */
    if (!tcb_synchronised(c)) { /* how long this may go on is the life timer's business */
        c->syn_resent = true;
        c->retransmits++;
        (void)tcp_send_syn(c);
        return;
    }
    if (given_up(c))
        return;
    recover_timeout(c);
    tcp_rexmt_arm(c, TIMER_RTO);
    tcp_output(c);
}

/* One octet into the closed window, or what there is of a window too small to be worth it. It is
 * sent again and again: snd_nxt does not move. */
static void probe(struct tcb *c)
{
    uint32_t seq = c->snd_una, end = tcb_queue_end(c);
    uint32_t unsent = seq_lt(seq, end) ? end - seq : 0;
    uint32_t len = c->snd_wnd > 1 ? c->snd_wnd : 1;
    if (len > unsent)
        len = unsent;
    if (len > tcp_full_segment(c))
        len = tcp_full_segment(c);
    bool fin = len == 0 && c->shut;
    if (len == 0 && !fin)
        return;
    tcb_count(c, STAT_PROBE);
    c->timing = false;
    if (!tcp_transmit(c, seq, len, (uint8_t)(TCP_ACK | (fin ? TCP_FIN : TCP_PSH))))
        return;
    if (fin)
        tcp_fin_goes(c);
    c->snd_max = seq_max(c->snd_max, seq + len + fin);
}

static void fire_persist(struct tcb *c)
{
    c->backoff++;
    if (given_up(c))
        return;
    probe(c);
    tcp_rexmt_arm(c, TIMER_PERSIST);
}

static void rexmt_fire(struct kernel *k, struct timer *t)
{
    struct tcb *c = CONTAINER(t, struct tcb, rexmt);
    (void)k;
    if (!tcb_alive(c))
        return;
    if (c->rexmt_use == TIMER_RTO)
        fire_rto(c);
    else if (c->rexmt_use == TIMER_PERSIST)
        fire_persist(c);
    else
        (void)tcp_send_syn(c);
    tcb_end_check(c);
}

static void delack_fire(struct kernel *k, struct timer *t)
{
    struct tcb *c = CONTAINER(t, struct tcb, delack);
    (void)k;
    if (tcb_alive(c) && tcb_synchronised(c))
        tcp_send_ack(c);
}

uint64_t tcp_silence(const struct tcb *c)
{
    bool half = c->state == TCP_FIN_WAIT_2 || c->state == TCP_CLOSE_WAIT;
    return setting(c, half ? "halfidle" : "idle");
}

static void keepalive(struct tcb *c)
{
    tcb_count(c, STAT_KEEPALIVE);
    c->probes++;
    /* RFC 9293 3.8.4: the number before the last, so that the peer must answer. */
    (void)tcp_transmit(c, c->snd_una - 1, 0, TCP_ACK);
}

static void life_fire(struct kernel *k, struct timer *t)
{
    struct tcb *c = CONTAINER(t, struct tcb, life);
    uint64_t quiet = k->now - c->active_ns, keep = setting(c, "keepalive");
    if (!tcb_alive(c))
        return;
    bool waits = c->rexmt_use != TIMER_NONE; /* for an answer: giveup is the limit then */
    bool old = tcb_synchronised(c) ? quiet >= tcp_silence(c) && !waits
                                   : k->now - c->began_ns >= setting(c, "connect");
    bool mute = keep && tcb_synchronised(c) && c->probes >= setting(c, "keepcount") &&
                quiet >= keep + c->probes * setting(c, "keepintvl");
    if (old || mute) {
        tcb_count(c, STAT_IDLE);
        tcb_give_up(c);
        tcb_end_check(c);
        return;
    }
    bool ask = keep && quiet >= keep + c->probes * setting(c, "keepintvl");
    if (ask && tcb_synchronised(c) && !c->sp_in && !c->sp_out) /* spliced: the hosts ask */
        keepalive(c);
    tcp_life_arm(c);
}

void tcp_life_arm(struct tcb *c)
{
    uint64_t at;
    if (!tcb_synchronised(c)) {
        at = c->began_ns + setting(c, "connect");
    } else {
        uint64_t keep = setting(c, "keepalive");
        at = c->active_ns + tcp_silence(c);
        uint64_t next = c->active_ns + keep + c->probes * setting(c, "keepintvl");
        if (keep && next < at)
            at = next;
    }
    if (at <= tcb_kernel(c)->now) /* overdue, but something is in flight */
        at = tcb_kernel(c)->now + SECOND;
    timer_arm(tcb_kernel(c), &c->life, at);
}

void tcp_timers_init(struct tcb *c)
{
    c->rexmt.fire = rexmt_fire;
    c->delack.fire = delack_fire;
    c->life.fire = life_fire;
}

void tcp_timers_stop(struct tcb *c)
{
    tcp_rexmt_stop(c);
    timer_cancel(tcb_kernel(c), &c->delack);
    timer_cancel(tcb_kernel(c), &c->life);
}
