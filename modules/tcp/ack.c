/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an acknowledgement does (RFC 9293 3.10.7.4, fifth): frees what the peer has, measures the
 * round trip, moves the send window, and tells recover.c whether something new was acknowledged or
 * the same again. Called by in.c for every segment with ACK in a synchronised state.
 */
#include "modules/tcp/tcp.h"

static void queue_acked(struct tcb *c)
{
    struct msg *m;
    while ((m = c->sndq.head) && seq_le(m->cb[0] + m->total, c->snd_una)) {
        if (c->cursor == m)
            c->cursor = NULL;
        msg_free(queue_take(&c->sndq, &c->snd_cost));
    }
    if (m && seq_lt(m->cb[0], c->snd_una)) {
        uint32_t n = c->snd_una - m->cb[0], cost = msg_cost(m);
        msg_skip(m, n);
        m->cb[0] += n;
        c->sndq.bytes -= n;
        c->snd_cost -= cost - msg_cost(m);
    }
}

/* The echo of a stamp that this connection cannot have sent tells nothing (spec R-BAD-32). */
static bool echo_time(const struct tcb *c, const struct segment *g, uint64_t *rtt)
{
    const struct kernel *k = tcb_kernel(c);
    if (!c->ts_ok || !g->o.has_ts || !g->o.tsecr)
        return false;
    uint32_t ago = tcp_ts_clock(k) + c->ts_offset - g->o.tsecr;
    if (ago > (k->now - c->began_ns) / MS + 1)
        return false;
    *rtt = (uint64_t)ago * MS;
    return true;
}

/* Karn's algorithm: a segment that was sent twice is measured only by its time stamp. */
static void measure(struct tcb *c, const struct segment *g)
{
    uint64_t rtt;
    if (c->timing && seq_gt(g->ack, c->rtt_seq)) {
        c->timing = false;
        tcp_rtt_sample(c, tcb_kernel(c)->now - c->rtt_start);
    } else if (!c->timing && echo_time(c, g, &rtt)) {
        tcp_rtt_sample(c, rtt);
    }
}

static void newly_acked(struct tcb *c, const struct segment *g)
{
    uint32_t acked = g->ack - c->snd_una;
    bool fin = c->fin_sent && g->ack == c->snd_max;
    measure(c, g);
    c->snd_una = g->ack;
    c->snd_nxt = seq_max(c->snd_nxt, c->snd_una);
    c->backoff = 0;
    c->unacked_since = tcb_kernel(c)->now;
    queue_acked(c);
    sack_trim(c);
    recover_ack(c, acked - fin);
    if (c->snd_una == c->snd_max)
        tcp_rexmt_stop(c); /* RFC 6298 5.2 */
    else
        tcp_rexmt_arm(c, TIMER_RTO); /* 5.3 */
    if (fin)
        tcb_fin_acked(c);
}

/* RFC 5681 2: what makes an acknowledgement a duplicate. The answer to a window probe is none. */
static bool duplicate(const struct tcb *c, const struct segment *g, uint32_t wnd)
{
    return g->len == 0 && !(g->flags & TCP_FIN) && c->snd_max != c->snd_una &&
           g->ack == c->snd_una && wnd == c->snd_wnd && c->rexmt_use != TIMER_PERSIST;
}

/* An acknowledgement of something new is the youngest there is, though its sequence number may be
 * that of a FIN sent again: without its window, snd_una would move the old one's edge. */
static void window_update(struct tcb *c, const struct segment *g, uint32_t wnd)
{
    if (!seq_lt(c->snd_wl1, g->seq) && !(c->snd_wl1 == g->seq && seq_le(c->snd_wl2, g->ack)) &&
        !seq_gt(g->ack, c->snd_una))
        return;
    c->snd_wnd = wnd;
    c->snd_wl1 = g->seq;
    c->snd_wl2 = g->ack;
    if (wnd > c->max_wnd)
        c->max_wnd = wnd;
    if (wnd && c->rexmt_use == TIMER_PERSIST) { /* open again: ordinary sending goes on */
        tcp_rexmt_stop(c);
        c->backoff = 0;
        if (c->snd_max != c->snd_una) /* the probe's byte was sent and may be lost */
            tcp_rexmt_arm(c, TIMER_RTO);
    }
}

/* RFC 5961 5.2 */
bool tcp_ack_acceptable(const struct tcb *c, const struct segment *g)
{
    return seq_le(g->ack, c->snd_max) && seq_ge(g->ack, c->snd_una - c->max_wnd);
}

void tcp_ack(struct tcb *c, const struct segment *g)
{
    uint32_t wnd = (uint32_t)g->wnd << c->snd_scale;
    bool more = sack_update(c, &g->o);
    if (c->rexmt_use == TIMER_PERSIST || wnd == 0)
        c->unacked_since = tcb_kernel(c)->now; /* the peer lives: probing goes on for ever */
    if (c->rexmt_use == TIMER_PERSIST && g->ack == c->snd_una)
        c->snd_nxt = c->snd_una;
    if (seq_gt(g->ack, c->snd_una)) {
        window_update(c, g, wnd); /* loss recovery sends at once, and not beyond the edge */
        newly_acked(c, g);
        return;
    }
    if (more || duplicate(c, g, wnd))
        recover_dupack(c, more);
    if (c->state != TCP_CLOSED && seq_ge(g->ack, c->snd_una))
        window_update(c, g, wnd);
}
