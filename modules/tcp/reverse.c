/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reverse information (spec flow-splicing 4.3): what dst's host says about the flow that is spliced
 * to it: acknowledgement, window, echo, blocks. Up to the cut it is about bytes that we sent and is
 * ours alone (R-FLOW-17). Beyond, it is about bytes of src's host, and goes there: with the next
 * segment that is forwarded to it, or in a segment of its own.
 */
#include "modules/tcp/spliced.h"

/* How far src's host may go for its bytes to fit where they go to; own: what we could keep. */
static uint32_t fitting(const struct tcb *c, uint32_t own)
{
    const struct splice *s = c->sp_in;
    const struct tcb *dst = s ? s->dst : c->bound;
    if (!dst || dst->state < TCP_SYN_RECEIVED)
        return c->capped && own > CAP_WINDOW ? CAP_WINDOW : own;
    uint32_t wnd = dst->snd_wnd;
    if (s && s->state == SPLICE_PENDING && s->drain == DRAIN_ABSORB && dst->cw.cwnd < wnd)
        wnd = dst->cw.cwnd; /* what cannot be sent at once would keep us PENDING */
    if (s && s->state == SPLICE_PENDING && s->drain == DRAIN_HOLD)
        wnd = 0;
    uint32_t una = tcb_synchronised(dst) ? dst->snd_una : dst->iss + 1;
    uint32_t delta = s ? s->delta : tcb_queue_end(dst) + c->rcvq.bytes - c->rcv_nxt;
    int32_t room = (int32_t)(una + wnd - delta - c->rcv_nxt);
    uint32_t most = room > 0 ? (uint32_t)room : 0;
    if (!s && !most && !dst->sndq.head) /* bytes to probe a closed window with */
        most = c->mss;
    return splice_forwards(c) || most < own ? most : own;
}

uint32_t splice_window(const struct tcb *c, uint32_t own)
{
    uint32_t promised = c->rcv_adv - c->rcv_nxt, fits = fitting(c, own);
    return fits > promised ? fits : promised;
}

/* RFC 7323 2.3. Rounded up, ordinarily: rounding down would take back what was promised (2.4). But
 * what a far host has promised is not ours to round up, time and again, so its edge is told as far
 * as units go, and what was promised before stands but for less than a unit. */
uint32_t splice_field(const struct tcb *c, uint32_t wnd, uint8_t scale)
{
    uint32_t unit = 1U << scale;
    if (!c->sp_in && !c->bound)
        return (wnd + unit - 1) >> scale;
    if (!c->sp_in) /* it fits, or stands */
        return wnd && !(wnd >> scale) ? 1 : wnd >> scale;
    uint32_t promised = c->rcv_adv - c->rcv_nxt, fits = fitting(c, wnd);
    if (fits + unit <= promised) /* stands, but is not rounded up again and again */
        return promised >> scale;
    uint32_t down = fits >> scale;
    if ((down << scale) + unit <= promised) /* no more than a unit is taken back */
        return down + 1;
    return fits && !down ? 1 : down; /* spec decisions 3: something is never zero */
}

/* src's host may stand at its edge: it hears that it has moved (6.3). */
void splice_window_moved(struct splice *s)
{
    struct tcb *src = s->src;
    if (seq_ge(src->rcv_adv + s->delta, splice_edge(s->dst))) /* it has not */
        return;
    uint32_t promised = src->rcv_adv - src->rcv_nxt, now = data_window(src);
    uint32_t most = 65535U << src->rcv_scale;
    if (now > most)
        now = most;
    uint32_t grown = now > promised ? now - promised : 0, piece = src->mss;
    if (grown >> src->rcv_scale && (grown >= piece || promised < piece) && !s->fin &&
        tcb_alive(src))
        tcp_send_ack(src);
}

bool splice_sacked(struct tcb *c, const struct tcp_range *x)
{
    struct splice *s = c->sp_out;
    if (s->state != SPLICE_FORWARDING || seq_gt(x->right, s->max) || seq_le(x->right, s->sacked))
        return false;
    s->sacked = x->right;
    return true;
}

void splice_expire(struct kernel *k, struct timer *t)
{
    struct splice *s = CONTAINER(t, struct splice, waiting);
    (void)k;
    splice_event(s, SPLICE_EXPIRED);
    splice_free(s);
}

/* The FIN that was passed on is acknowledged: both connections have seen it. Each may be over by
 * that, and the splice with it. */
static void fin_acked(struct splice *s)
{
    struct tcb *src = s->src, *dst = s->dst;
    struct kernel *k = tcb_kernel(src);
    splice_event(s, SPLICE_FIN_ACKED);
    timer_arm(k, &s->waiting, k->now + 2 * conf_number(&src->n->conf, "msl"));
    src->fin_seen = true;
    src->fin_seq = s->fin_src;
    src->rcv_nxt = s->fin_src + 1; /* whatever else the acknowledgement claims */
    src->ack_now = true;           /* src's host waits for it */
    tcb_fin_received(src);
    tcb_fin_acked(dst);
    data_deliver(src);
    tcp_output(src);
    tcb_end_check(src);
}

/* All bytes before the FIN are where they belong; only the inbound flow ends (7.2). */
static void fin_absorbed(struct splice *s)
{
    struct tcb *src = s->src;
    uint32_t fin = s->fin_src;
    stop_finish(s, SPLICE_FIN_ABSORBED);
    src->fin_seen = true;
    src->fin_seq = fin;
    src->rcv_nxt = fin + 1;
    src->ack_now = true;
    tcb_fin_received(src);
    data_deliver(src);
    tcp_output(src);
    tcb_end_check(src);
}

/* Behind the first, which may be a duplicate's (RFC 2883 4), only what is not acknowledged. */
static void blocks_map(struct splice *s, const struct segment *g)
{
    s->nsack = 0;
    for (uint8_t i = 0; i < g->o.nsack; i++) {
        struct tcp_range r = {g->o.sack[i].left - s->delta, g->o.sack[i].right - s->delta};
        if (i == 0 || seq_gt(r.left, s->src->rcv_nxt))
            s->sack[s->nsack++] = r;
    }
}

/* Will a segment to src's host leave anyway, made of this one's data? Not of data that it has seen:
 * a host may refuse to learn a window from an old number (RFC 9293 3.10.7.4, SND.WL1). */
static bool rides(const struct splice *s, const struct segment *g)
{
    const struct splice *back = s->dst->sp_in;
    if (!(g->len || g->flags & TCP_FIN) || !back || back->dst != s->src ||
        back->state < SPLICE_FORWARDING)
        return false;
    uint32_t seq = g->seq + back->delta;
    bool ends = back->stopping && back->stopping != STOPPING_COPY && seq_ge(seq, back->stop);
    return seq_ge(seq, back->max) && !ends;
}

/* What dst's host has echoed is a stamp of src's. Of a connection made from a record it is all that
 * is known, though there may be later ones, and only dst's host says so. */
static void note_echo(struct splice *s, uint32_t echo)
{
    struct tcb *src = s->src;
    if (src->ts_new) {
        src->ts_heard = true;
        src->ts_recent = echo;
        src->ts_recent_ns = tcb_kernel(src)->now;
    }
    if (s->has_first && seq_lt(echo, s->ts_first)) /* of ours, from before */
        echo = s->ts_first;
    s->echo = seq_min(echo, src->ts_recent); /* an echo of ours may run ahead */
    s->has_echo = true;
}

/* The first word of dst's host since the connection was made from a record, in which its newest
 * acknowledgements may be missing: its edge is what src's host was promised. */
static void heard(struct splice *s, const struct segment *g)
{
    struct tcb *src = s->src;
    uint32_t wnd = (uint32_t)g->wnd << s->dst->snd_scale;
    uint32_t edge = g->ack - s->delta + (wnd >> src->rcv_scale << src->rcv_scale);
    s->unheard = false;
    src->rcv_adv = seq_max(src->rcv_adv, edge);
}

/* An acknowledgement of forwarded bytes, or of nothing new. */
static void pass_back(struct splice *s, const struct segment *g)
{
    struct tcb *src = s->src, *dst = s->dst;
    if (s->unheard)
        heard(s, g);
    uint32_t m = g->ack - s->delta, edge = src->rcv_adv;
    bool advanced = seq_gt(m, src->rcv_nxt), pure = !g->len && !(g->flags & TCP_FIN);
    if (seq_ge(g->ack, dst->snd_una) &&
        (advanced || seq_lt(dst->snd_wl1, g->seq) ||
         (dst->snd_wl1 == g->seq && seq_le(dst->snd_wl2, g->ack)))) {
        dst->snd_wnd = (uint32_t)g->wnd << dst->snd_scale;
        dst->snd_wl1 = g->seq;
        dst->snd_wl2 = g->ack;
        dst->max_wnd = dst->snd_wnd > dst->max_wnd ? dst->snd_wnd : dst->max_wnd;
    }
    dst->snd_una = seq_max(dst->snd_una, g->ack);
    dst->snd_nxt = dst->snd_max = seq_max(dst->snd_max, dst->snd_una);
    if (advanced) {
        src->rcv_nxt = m;
        src->rcv_adv = seq_max(src->rcv_adv, m);
    }
    if (g->o.has_ts && g->o.tsecr)
        note_echo(s, g->o.tsecr - s->ts_off);
    const struct splice *back = dst->sp_in;
    if (g->o.has_ts && back && back->dst == src && back->state >= SPLICE_FORWARDING)
        tcp_stamp_learn(src, g->o.tsval + back->ts_off); /* its own clock: spec 8.1 */
    s->acks++;
    tcb_node(dst)->splices.acks++;
    if (s->state == SPLICE_ESTABLISHED && s->fin && !s->absorb && seq_gt(m, s->fin_src)) {
        fin_acked(s);
        return;
    }
    if (s->fin && s->absorb && seq_ge(m, s->fin_src)) {
        fin_absorbed(s);
        return;
    }
    bool moved = seq_gt(src->rcv_nxt + data_window(src), edge);
    blocks_map(s, g);
    if ((advanced || moved || pure) && !rides(s, g))
        tcp_send_ack(src);
    s->nsack = 0;
}

/* Duplicates that B sends for bytes beyond the cut say that one of ours is lost: ordinary TCP. */
static void ack_buffered(struct splice *s, const struct segment *g)
{
    struct tcb *dst = s->dst;
    struct segment ours = *g;
    bool beyond = seq_gt(g->ack, s->cut);
    if (beyond)
        ours.ack = s->cut;
    tcp_ack(dst, &ours);
    if (dst->sp_out != s || !tcb_alive(dst) || dst->snd_una != s->cut)
        goto consumed;
    splice_event(s, SPLICE_ACKED);
    splice_established(s);
    if (beyond || (s->fin && s->absorb))
        pass_back(s, g); /* R-FLOW-18 */
consumed:
    if (dst->sp_out == s && !beyond)
        splice_window_moved(s);
}

bool splice_ack_acceptable(const struct tcb *c, const struct segment *g)
{
    const struct splice *s = c->sp_out;
    uint32_t most = c->max_wnd > RECORD_REACH ? c->max_wnd : RECORD_REACH;
    if (s->state == SPLICE_PENDING)
        return tcp_ack_acceptable(c, g);
    return seq_le(g->ack, s->max + RECORD_REACH) && seq_ge(g->ack, c->snd_una - most);
}

void splice_ack(struct tcb *c, const struct segment *g)
{
    struct splice *s = c->sp_out;
    if (s->state == SPLICE_PENDING) {
        tcp_ack(c, g);
        return;
    }
    if (s->state == SPLICE_FORWARDING)
        ack_buffered(s, g);
    else
        pass_back(s, g);
    if (c->sp_out == s && s->held.head)
        drain_release(s);
    if (c->sp_out == s)
        stop_check(s);
}

/* RST of src's host (7.3; R-ATK-1): sure when it has the number that the far host expects. */
void splice_reset(struct tcb *c, struct msg *m, const struct segment *g)
{
    struct splice *s = c->sp_in;
    struct kernel *k = tcb_kernel(c);
    uint32_t sent = s->state >= SPLICE_FORWARDING ? s->max - s->delta : c->rcv_nxt;
    if (g->seq != c->rcv_nxt && g->seq != sent) {
        if (seq_gt(g->seq, c->rcv_nxt) && seq_lt(g->seq, c->rcv_adv))
            tcp_challenge(c);
        msg_drop(k, m, DROP_TCP_SEQ);
        return;
    }
    tcb_count(c, STAT_RST_IN);
    msg_free(m);
    tcb_dead(c, true);
}

void splice_check(struct tcb *c)
{
    if (c->sp_in)
        drain_check(c->sp_in);
    if (c->sp_in)
        stop_check(c->sp_in);
    if (c->sp_out)
        drain_check(c->sp_out);
    if (c->sp_out)
        stop_check(c->sp_out);
    struct tcb *other = c->sp_out ? c->sp_out->src : c->bound;
    bool ordinary = other && (!c->sp_out || c->sp_out->state == SPLICE_PENDING);
    if (ordinary && !other->in_input)
        tcp_window_update(other);
}

void tcp_bind(struct path *p, int at, struct path *q, int to)
{
    struct tcb *a = tcb_at(p, at), *b = q ? tcb_at(q, to) : NULL;
    if (a && !b)
        a->capped = true;
    if (!a || !b || a->bound || b->bound)
        return;
    a->bound = b;
    b->bound = a;
}
