/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a splice: control goes back to the proxy (spec flow-splicing 7.4, splicing 5). Bytes
 * of src's host that were forwarded and are not acknowledged are held by nobody but that host, so
 * its bytes from some point on, the stop, are ours only when all before it are acknowledged, or
 * when we hold what is not:
 *
 *   WAIT  what comes behind the stop is dropped, and comes again
 *   KEEP  it waits in the out-of-order queue: the stop was set beforehand, for a limit or a trigger
 *   COPY  it is forwarded, and copied, until the copies hold all that is unacknowledged
 *
 * Then both connections are ordinary ones again. Nothing is known about the network: slow start.
 */
#include "modules/tcp/spliced.h"

static const uint64_t ask_ns = 200 * MS;

static struct reass *queue_of(struct splice *s, struct reass **q)
{
    if (!*q)
        *q = pool_alloc(&s->src->p->pool, sizeof **q);
    return *q;
}

/* Neither too much nor too many: what finds no place comes again. */
static bool full(const struct splice *s, const struct reass *r, const struct msg *m)
{
    const struct tcb *src = s->src;
    uint64_t limit = 4ULL * src->rcvbuf + 2ULL * s->dst->snd_wnd; /* two windows, as storage */
    return r->cost + msg_cost(m) > limit || data_pressure(tcb_kernel(src));
}

static void keep(struct splice *s, struct msg *m, uint32_t seq)
{
    struct tcb *src = s->src;
    struct reass *r = queue_of(s, &src->reass);
    if (!r || full(s, r, m))
        msg_drop(tcb_kernel(src), m, DROP_FWD_STOP);
    else
        reass_insert(tcb_kernel(src), r, &src->p->pool, seq, m);
}

void stop_copy(struct splice *s, const struct msg *m, uint32_t seq)
{
    struct tcb *src = s->src;
    struct reass *r = queue_of(s, &s->copy);
    uint32_t stop = s->stop - s->delta, old = seq_lt(seq, stop) ? stop - seq : 0;
    if (old >= m->total)
        return;
    struct msg *c = r && !full(s, r, m) ? msg_copy(&src->p->pool, m, old, m->total - old) : NULL;
    if (c) {
        reass_insert(tcb_kernel(src), r, &src->p->pool, seq + old, c);
        return;
    }
    if (r) /* too much: then by waiting, from what is the end now */
        reass_drop(tcb_kernel(src), r, DROP_FWD_STOP);
    s->stopping = STOPPING_WAIT;
}

/* Behind the stop it is ours, like the bytes in front of it. */
void stop_at_fin(struct splice *s, uint32_t number)
{
    if (seq_lt(number + s->delta, s->stop) || s->src->fin_seen)
        return;
    s->src->fin_seen = true;
    s->src->fin_seq = number;
    s->due = true;
}

struct msg *stop_cut(struct splice *s, struct msg *m, uint32_t seq)
{
    struct kernel *k = tcb_kernel(s->src);
    uint32_t stop = s->stop - s->delta;
    struct msg *rest = m;
    if (s->stopping == STOPPING_COPY || s->dst->ts_lost || seq_lt(seq + m->total, stop) ||
        (m->total && seq + m->total == stop))
        return m;
    uint32_t from = seq;
    if (seq_lt(seq, stop)) {
        rest = msg_split(m, stop - seq);
        if (!rest) {
            msg_trim(m, stop - seq);
            return m;
        }
        from = stop;
    }
    tcb_node(s->dst)->splices.dropped++;
    s->due = true;
    if (s->stopping == STOPPING_KEEP && rest->total)
        keep(s, rest, from);
    else
        msg_drop(k, rest, DROP_FWD_STOP);
    return rest == m ? NULL : m;
}

/* Nothing is known but the numbers (spec splicing 5): initial timers, slow start. */
static void sender_restart(struct tcb *c)
{
    struct kernel *k = tcb_kernel(c);
    if (c->ts_lost && c->ts_bound)
        tcp_stamp_learn(c, tcp_ts_clock(k) + c->ts_offset);
    uint32_t ahead = c->ts_sent - (tcp_ts_clock(k) + c->ts_offset);
    if (c->ts_ok && c->ts_stamped && !(ahead >> 31)) /* our clock goes on where the other was */
        c->ts_offset += ahead;
    if (c->ts_echoed)
        c->ts_offset += STAMPS_UNDER_WAY;
    c->ts_echoed = false;
    c->recovery = RECOVER_NONE;
    c->dupacks = 0;
    c->timing = false;
    c->backoff = 0;
    c->cursor = NULL;
    c->recover = c->high_rxt = c->snd_una;
    c->unacked_since = c->sent_at = k->now;
    sack_forget(c);
    tcp_rtt_init(c);
    c->cw.smss = c->mss;
    c->cc->init(&c->cw, tcb_node(c)->initial_window);
    tcp_rexmt_stop(c);
    if (c->snd_una != c->snd_max)
        tcp_rexmt_arm(c, TIMER_RTO);
}

/* The copies become dst's send queue, from its first unacknowledged byte on. */
static void take_over(struct splice *s)
{
    struct tcb *dst = s->dst;
    struct msg *m;
    uint32_t seq;
    while (s->copy && s->copy->n && (m = reass_take(s->copy, seq = s->copy->run[0].seq))) {
        uint32_t at = seq + s->delta, end = at + m->total;
        if (seq_le(end, dst->snd_una)) {
            msg_free(m);
            continue;
        }
        if (seq_lt(at, dst->snd_una)) {
            msg_skip(m, dst->snd_una - at);
            at = dst->snd_una;
        }
        m->cb[0] = at;
        queue_add(&dst->sndq, m, &dst->p->pool, &dst->snd_cost);
    }
}

void stop_finish(struct splice *s, enum splice_event ev)
{
    struct tcb *src = s->src, *dst = s->dst;
    bool forwarded = s->state >= SPLICE_FORWARDING;
    struct msgq held = s->held;
    uint32_t end = s->max;
    s->held = (struct msgq){0};
    bool fin = src->fin_seen && src->rcv_nxt == src->fin_seq + 1; /* it is no byte */
    src->passed += src->rcv_nxt - fin - src->rcvq.bytes - s->begun;
    if (forwarded) {
        src->passed += end - s->delta - src->rcv_nxt;
        src->rcv_nxt = end - s->delta;
        src->rcv_adv = seq_max(src->rcv_adv, src->rcv_nxt);
        dst->snd_nxt = dst->snd_max = end;
        take_over(s);
    }
    splice_event(s, ev);
    splice_free(s);
    if (forwarded)
        sender_restart(dst);
    src->ack_now = src->ack_now || src->last_ack_sent != src->rcv_nxt;
    for (struct msg *m; (m = msgq_pop(&held));) /* it was not acknowledged: it comes again */
        msg_drop(tcb_kernel(src), m, DROP_FWD_STOP);
    if (ev == SPLICE_STOPPED || ev == SPLICE_BROKEN) {
        tcb_tell(src, EVENT_BACK);
        data_resume(src);
        if (!src->in_input)
            tcp_output(src);
        tcb_tell(dst, EVENT_READY);
    }
}

/* Bytes of src's host that are under way and that it can never send again are lost to dst's. */
static bool survives(const struct splice *s, const struct tcb *dead)
{
    bool out = s->state >= SPLICE_FORWARDING && s->dst->snd_una != s->max;
    return s->absorb && (dead == s->dst || !out);
}

static struct tcb *part(struct splice *s, const struct tcb *dead)
{
    struct tcb *other = dead == s->src ? s->dst : s->src;
    if (!survives(s, dead)) {
        splice_free(s);
        return other;
    }
    if (s->state >= SPLICE_FORWARDING) /* what was not acknowledged is still its host's */
        s->max = s->dst->snd_una;
    stop_finish(s, SPLICE_BROKEN);
    return NULL;
}

/* One connection has died by a RST, or because we gave it up (spec flow-splicing 7.3). */
void splice_broken(struct tcb *c)
{
    struct tcb *in = c->sp_in ? part(c->sp_in, c) : NULL;
    struct tcb *out = c->sp_out ? part(c->sp_out, c) : NULL;
    for (int i = 0; i < 2; i++) {
        struct tcb *other = i ? out : in;
        if (!other || other->state == TCP_CLOSED || other->reset) /* it was the one that broke */
            continue;
        tcb_give_up(other);
        tcb_end_check(other);
    }
}

/* Of connections made from records it must be known first what the hosts heard last of each other:
 * a stamp of ours that is too old would be dropped, one that was never sent must not be echoed. */
static bool stamps_lost(const struct splice *s)
{
    return !tcb_can_stamp(s->dst) || !tcb_can_echo(s->src);
}

/* All that was forwarded is acknowledged or held. */
static bool may_finish(const struct splice *s)
{
    uint32_t una = s->dst->snd_una;
    if (s->state == SPLICE_PENDING)
        return true;
    if (s->state == SPLICE_FORWARDING || s->fin || stamps_lost(s))
        return false;
    if (s->stopping != STOPPING_COPY)
        return una == s->stop && una == s->max;
    if (una == s->max)
        return seq_ge(una, s->stop);
    const struct reass *r = s->copy;
    return r && r->n == 1 && seq_le(r->run[0].seq + s->delta, una) &&
           r->run[0].end + s->delta == s->max;
}

/* dst's host may have nothing to say, and only it knows what has arrived: a number from before
 * makes it acknowledge (RFC 9293 3.8.4). What is said to it must be known, so src's host has
 * spoken, and asks again with what it sends again. */
static void ask(struct splice *s)
{
    struct tcb *dst = s->dst;
    uint64_t now = tcb_kernel(dst)->now;
    bool known = tcb_can_stamp(dst) && !(dst->sp_in && dst->sp_in->unheard);
    if (!s->unheard || !known || s->state != SPLICE_ESTABLISHED || now - s->asked_ns < ask_ns)
        return;
    s->asked_ns = now;
    (void)tcp_transmit(dst, s->max - 1, 0, TCP_ACK);
}

/* A path that has no place for the proxy gets one first (rule `unsplice`). */
void stop_check(struct splice *s)
{
    struct tcb *src = s->src;
    if (s->stopping == STOPPING_WAIT) /* copies were too many: from here on */
        s->stop = s->max;
    if (!s->due || src->delivering)
        return;
    if (!may_finish(s))
        ask(s);
    else if (tcb_is_paired(src))
        path_note(src->p, NOTE_MODE);
    else
        stop_finish(s, SPLICE_STOPPED);
}

void splice_stop(struct path *p, int at, enum dir d, enum splice_stop how)
{
    struct tcb *c = tcb_from(p, at, d);
    struct splice *s = c ? c->sp_in : NULL;
    if (!s || s->fin) /* it ends by itself */
        return;
    if (s->stopping == STOPPING_KEEP) { /* its limit holds */
        if (s->state >= SPLICE_FORWARDING && seq_gt(s->stop, s->max))
            s->stop = s->max;
    } else if (!s->due && s->state >= SPLICE_FORWARDING) {
        s->stopping = how == STOP_COPY ? STOPPING_COPY : STOPPING_WAIT;
        s->stop = s->max;
    }
    s->due = true;
    stop_check(s);
}

bool splice_is_stopped(const struct path *p, int at, enum dir d)
{
    const struct tcb *c = tcb_from(p, at, d);
    const struct splice *s = c ? c->sp_in : NULL;
    return s && (s->stopping == STOPPING_WAIT || s->stopping == STOPPING_COPY);
}

bool splice_resume(struct path *p, int at, enum dir d)
{
    struct tcb *c = tcb_from(p, at, d);
    struct splice *s = c ? c->sp_in : NULL;
    if (!splice_is_stopped(p, at, d))
        return false;
    if (s->copy)
        reass_drop(tcb_kernel(c), s->copy, DROP_FWD_STOP);
    s->stopping = STOPPING_NOT;
    s->due = false;
    return true;
}

void splice_return(struct path *p, int at, enum dir d)
{
    struct tcb *c = tcb_from(p, at, d);
    struct splice *s = c ? c->sp_in : NULL;
    if (!s || s->stopping != STOPPING_KEEP)
        return;
    s->due = s->due || (s->state >= SPLICE_FORWARDING && seq_ge(s->max, s->stop));
    stop_check(s);
}

uint64_t tcp_passed(struct path *p, int at)
{
    struct tcb *c = tcb_at(p, at);
    uint64_t n = c ? c->passed : 0;
    if (c)
        c->passed = 0;
    return n;
}
