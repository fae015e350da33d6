/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The beginning of a splice: bytes that we have acknowledged lie in src's receive queue, in the
 * proxy and in dst's send queue, and nobody but us can deliver them. All of them go into the send
 * queue, in this order behind it, so the offset between both spaces is known at once (spec
 * flow-splicing 5, closed form). What arrives meanwhile is treated as the setting `drain` says:
 *
 *   absorb      ordinary TCP, and the bytes go behind the others. What src's host may send is
 *               limited to what can be passed on at once, so that the queue empties.
 *   hold        it waits unacknowledged, and is forwarded behind the last buffered byte.
 *   concurrent  it is forwarded at once, as far as dst's host has room; it may overtake.
 *
 * PENDING ends when the last buffered byte was sent and what src's host was promised is within what
 * dst's host offers (the window gap, 6.2). From then on we acknowledge nothing.
 */
#include <assert.h>

#include "modules/tcp/spliced.h"

/* A segment that waits: its payload, and in cb the number, flags, stamp, urgent pointer, window. */
enum { HELD_SEQ = 1, HELD_FLAGS, HELD_STAMP, HELD_URGENT };

static bool gap_closed(const struct splice *s)
{
    return seq_le(s->src->rcv_adv + s->delta, splice_edge(s->dst));
}

static void queue_one(struct splice *s, struct msg *m)
{
    m->cb[0] = tcb_queue_end(s->dst);
    m->flags = 0;
    queue_add(&s->dst->sndq, m, &s->dst->p->pool, &s->dst->snd_cost);
}

static void queue_all(struct splice *s, struct msgq *q)
{
    struct msg *m;
    while ((m = msgq_pop(q)))
        queue_one(s, m);
}

/* What came out of order is not acknowledged, but its sender may have been told that it is here
 * (SACK) and not send it again soon: R-FLOW-20. */
static void forward_out_of_order(struct splice *s)
{
    struct tcb *src = s->src;
    struct reass *r = src->reass;
    while (r && r->n) {
        uint32_t seq = r->run[0].seq;
        if (s->stopping == STOPPING_KEEP && seq_ge(seq + s->delta, s->stop)) {
            s->due = true; /* it is where it belongs */
            return;
        }
        struct msg *m = reass_take(r, seq);
        struct segment g = {.seq = seq, .flags = TCP_ACK, .o.tsval = src->ts_recent};
        splice_forward(s, m, &g);
    }
}

void drain_release(struct splice *s)
{
    struct msg *m;
    for (uint32_t n = s->held.count; n && (m = queue_take(&s->held, &s->held_cost)); n--) {
        struct segment g = {.seq = m->cb[HELD_SEQ],
                            .flags = (uint8_t)m->cb[HELD_FLAGS],
                            .urgent = (uint16_t)m->cb[HELD_URGENT],
                            .o.tsval = m->cb[HELD_STAMP]};
        splice_forward(s, m, &g);
    }
}

/* Stamps of the source go on where ours towards the destination were, and ours stay ahead of them
 * for as long as its clock is no faster than RFC 7323 5.4 allows: they are needed when the splice
 * ends. */
static void stamps_map(struct splice *s)
{
    struct tcb *src = s->src, *dst = s->dst;
    uint64_t age = (tcb_kernel(src)->now - src->ts_recent_ns) / MS;
    s->ts_first = src->ts_recent;
    s->has_first = true;
    s->ts_off = dst->ts_sent - src->ts_recent;
    dst->ts_offset += (uint32_t)age;
}

/* From here on segments are forwarded. */
static void enter_forwarding(struct splice *s, enum splice_event ev)
{
    struct tcb *src = s->src;
    s->cut = s->max = s->sacked = tcb_queue_end(s->dst);
    assert(s->cut - s->delta == src->rcv_nxt);
    src->ack_now = false;
    if (src->rcv_nxt != src->last_ack_sent) /* R-FLOW-21: for bytes that are ours now */
        tcp_send_ack(src);
    stamps_map(s);
    splice_event(s, ev);
    timer_cancel(tcb_kernel(src), &src->delack);
    if (s->state == SPLICE_ESTABLISHED)
        splice_established(s);
    forward_out_of_order(s);
    if (s->held.head)
        drain_release(s);
    if (src->sp_in == s)
        splice_window_moved(s);
}

void drain_check(struct splice *s)
{
    const struct tcb *dst = s->dst;
    bool waits = s->drain == DRAIN_ABSORB && !gap_closed(s); /* held segments wait for the window */
    if (s->state != SPLICE_PENDING || dst->snd_max != tcb_queue_end(dst) || waits)
        return;
    if (s->due) /* it ends as soon as it may, and what is behind the stop is the proxy's */
        return;
    enter_forwarding(s, dst->snd_una == dst->snd_max ? SPLICE_SENT_ACKED : SPLICE_SENT);
    if (dst->sp_out == s)
        stop_check(s);
}

void splice_begin(struct splice *s, const struct splice_conf *conf)
{
    struct tcb *src = s->src, *dst = s->dst;
    uint32_t begun = src->rcv_nxt - src->rcvq.bytes;
    s->had[0] = src->rcvq.head != NULL;
    s->had[1] = conf->held && conf->held->head;
    s->had[2] = dst->sndq.head != NULL;
    if (s->had[1])
        queue_all(s, conf->held);
    if (s->had[0])
        queue_all(s, &src->rcvq);
    src->rcv_cost = 0;
    s->delta = tcb_queue_end(dst) - src->rcv_nxt;
    s->begun = begun;
    if (conf->limit != UINT64_MAX) {
        s->stopping = STOPPING_KEEP;
        s->stop =
            begun + s->delta + (uint32_t)(conf->limit < LIMIT_MOST ? conf->limit : LIMIT_MOST);
    }
    bool unsent = dst->snd_max != tcb_queue_end(dst), unacked = dst->snd_una != tcb_queue_end(dst);
    if (s->drain == DRAIN_CONCURRENT && unacked)
        enter_forwarding(s, SPLICE_START_UNACKED);
    else if (unsent || !gap_closed(s))
        splice_event(s, SPLICE_START_BUFFERED);
    else
        enter_forwarding(s, unacked ? SPLICE_START_UNACKED : SPLICE_START_CLEAN);
    if (dst->sndq.head || dst->ack_now)
        tcp_output(dst);
    if (dst->sp_out == s)
        drain_check(s);
}

/* Behind a limit control returns: the rest is the proxy's. Without memory for the cut all of it is,
 * which then knows that the limit has not been reached. */
static void take_last(struct splice *s, struct msg *m, uint32_t n)
{
    struct tcb *src = s->src;
    struct msg *rest = n ? msg_split(m, n) : NULL;
    if (rest)
        queue_one(s, m);
    else
        rest = m;
    queue_add(&src->rcvq, rest, &src->p->pool, &src->rcv_cost);
    s->due = true;
}

bool splice_takes(const struct tcb *c)
{
    return c->sp_in->state == SPLICE_PENDING && !c->sp_in->due;
}

void splice_take(struct tcb *c, struct msg *m)
{
    struct splice *s = c->sp_in;
    struct tcb *dst = s->dst;
    uint32_t at = tcb_queue_end(dst);
    if (s->stopping && seq_gt(at + m->total, s->stop))
        take_last(s, m, s->stop - at);
    else
        queue_one(s, m);
    if (!dst->in_input)
        tcp_output(dst);
}

static bool held_full(const struct splice *s, const struct msg *m)
{
    const struct tcb *src = s->src;
    return s->held_cost + msg_cost(m) > 2ULL * src->rcvbuf + 4096 || data_pressure(tcb_kernel(src));
}

void drain_hold(struct splice *s, struct msg *m, const struct segment *g)
{
    struct kernel *k = tcb_kernel(s->src);
    bool inside = seq_ge(g->seq, s->src->rcv_nxt) && seq_lt(g->seq, s->src->rcv_adv);
    if (!m->total && !(g->flags & TCP_FIN)) {
        msg_free(m);
    } else if (!inside || held_full(s, m) || msg_charge(m, &s->src->p->pool) != OK) {
        msg_drop(k, m, DROP_FWD_HOLD);
    } else {
        m->cb[HELD_SEQ] = g->seq;
        m->cb[HELD_FLAGS] = g->flags;
        m->cb[HELD_STAMP] = g->o.tsval;
        m->cb[HELD_URGENT] = g->urgent;
        s->held_cost += msg_cost(m);
        msgq_push(&s->held, m);
        tcb_node(s->dst)->splices.held++;
    }
}

void drain_held_drop(struct splice *s)
{
    msgq_drop(tcb_kernel(s->src), &s->held, DROP_FWD_STOP);
    s->held_cost = 0;
}

/* FIN while PENDING: all bytes are ours, so the close is ordinary from here on (3.2). */
void splice_eof(struct tcb *c)
{
    struct tcb *dst = c->sp_in->dst;
    bool absorb = c->sp_in->absorb;
    stop_finish(c->sp_in, SPLICE_FIN_TAKEN);
    if (absorb)
        return;
    dst->shut = true;
    if (!dst->in_input)
        tcp_output(dst);
}
