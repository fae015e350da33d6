/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deciding what to send (RFC 9293 3.8.6, 3.10.2): how far both windows reach, silly windows, the
 * FIN after the last byte, when the persist timer is wanted. tcp_output is called after everything
 * that may have changed one of these. It is a proxy's TCP: bytes go on at once (no Nagle); those
 * that wait anyway are packed into full segments.
 */
#include "modules/tcp/tcp.h"

static int64_t less(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What congestion control leaves from snd_nxt on. The first duplicates let one segment each out
 * (limited transmit, RFC 3042); with SACK because each says what is no longer in flight (RFC 6675
 * 5, step 3). */
static int64_t congestion_room(const struct tcb *c)
{
    if (c->recovery == RECOVER_SACK) /* recover_send has looked at the pipe */
        return c->cw.smss;
    uint32_t flying = c->snd_nxt - c->snd_una - sack_below(c, c->snd_nxt);
    int64_t room = (int64_t)c->cw.cwnd - flying;
    if (c->recovery == RECOVER_NONE && !c->sack_ok && c->dupacks && c->dupacks < 3)
        room += (int64_t)c->dupacks * c->cw.smss;
    return room;
}

/* Payload of a full segment: SACK blocks take from it (RFC 6691). */
uint32_t tcp_full_segment(const struct tcb *c)
{
    uint32_t blocks = c->sack_ok && c->reass ? c->reass->n : 0;
    if (!blocks)
        return c->mss;
    uint32_t most = c->ts_ok ? 3 : 4;
    return c->mss - 4 - 8 * (blocks < most ? blocks : most);
}

/* Nothing is in flight and the window forbids what waits: only a probe can find out that it has
 * opened (RFC 9293 3.8.6.1), or it is too small to be worth using yet. */
static void wait_for_window(struct tcb *c)
{
    if (c->snd_max == c->snd_una && c->rexmt_use == TIMER_NONE)
        tcp_rexmt_arm(c, TIMER_PERSIST);
}

static void sent(struct tcb *c, uint32_t seq, uint32_t space)
{
    struct kernel *k = tcb_kernel(c);
    c->snd_nxt = seq + space;
    if (seq_gt(c->snd_nxt, c->snd_max)) {
        bool fresh = seq == c->snd_max;
        if (c->snd_max == c->snd_una)
            c->unacked_since = k->now;
        c->snd_max = c->snd_nxt;
        if (!c->timing && fresh) { /* Karn: never one that was sent before */
            c->timing = true;
            c->rtt_seq = seq;
            c->rtt_start = k->now;
        }
    } else {
        c->retransmits++;
        tcb_count(c, STAT_RETRANSMIT);
    }
    c->sent_at = k->now;
    if (c->rexmt_use != TIMER_RTO)
        tcp_rexmt_arm(c, TIMER_RTO); /* RFC 6298 5.1 */
}

void tcp_fin_goes(struct tcb *c)
{
    if (c->fin_sent)
        return;
    c->fin_sent = true;
    tcb_state(c, c->state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT_1);
}

bool output_segment(struct tcb *c)
{
    uint32_t end = tcb_queue_end(c), gap = UINT32_MAX;
    if (seq_lt(c->snd_nxt, c->snd_max))
        c->snd_nxt = seq_min(sack_skip(c, c->snd_nxt, &gap), c->snd_max);
    int32_t unsent = (int32_t)(end - c->snd_nxt); /* -1: the FIN is out as well */
    bool fin = c->shut && unsent >= 0;
    if (unsent < 0 || (unsent == 0 && !fin))
        return false;
    int64_t window = (int32_t)(c->snd_una + c->snd_wnd - c->snd_nxt);
    int64_t room = congestion_room(c), full = tcp_full_segment(c);
    int64_t len = less(less(unsent, full), less(less(window, room), gap));
    if (window <= 0) {
        wait_for_window(c);
        return false;
    }
    if (len < 0 || (len == 0 && unsent > 0))
        return false;
    fin = fin && len == unsent && len < window;
    bool last = len == unsent;
    if (unsent == 0 && !fin)
        return false;
    if (!last && len < full && len < gap) {
        /* Sender's silly window avoidance, RFC 9293 3.8.6.2.1 (3), and the same towards cwnd, which
         * is never below a segment: so what is in flight will make room. */
        if (len < window || (uint64_t)len < c->max_wnd / 2) {
            wait_for_window(c);
            return false;
        }
    }
    uint32_t seq = c->snd_nxt, n = (uint32_t)len;
    uint8_t flags = (uint8_t)(TCP_ACK | (last && n ? TCP_PSH : 0) | (fin ? TCP_FIN : 0));
    if (!tcp_transmit(c, seq, n, flags)) {
        if (c->rexmt_use == TIMER_NONE)
            tcp_rexmt_arm(c, TIMER_PERSIST); /* no memory now: try again */
        return false;
    }
    if (fin)
        tcp_fin_goes(c);
    sent(c, seq, n + fin);
    return true;
}

/* RFC 5681 4.1: what was learnt before a silence of an RTO is old. */
static void restart_idle(struct tcb *c)
{
    if (c->snd_max == c->snd_una && c->sent_at && tcb_kernel(c)->now - c->sent_at > c->rto)
        c->cc->idle(&c->cw, tcb_node(c)->initial_window);
}

void tcp_output(struct tcb *c)
{
    if (!tcb_alive(c) || c->state == TCP_SYN_SENT)
        return;
    if (tcb_synchronised(c)) {
        if (c->sndq.head)
            restart_idle(c);
        if (c->recovery == RECOVER_SACK)
            recover_send(c);
        else
            while (output_segment(c))
                ;
    }
    if (c->ack_now)
        tcp_send_ack(c);
}
