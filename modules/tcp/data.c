/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that have arrived: put in order, kept while the proxy has no room, handed on, and the
 * window that follows from it. Called by in.c with what lies inside the window, and when the proxy
 * has room again. The kernel pays for a message in transit; the path for one that waits.
 */
#include <assert.h>

#include "modules/tcp/small.h"
#include "modules/tcp/spliced.h"

void queue_add(struct msgq *q, struct msg *m, struct pool *payer, uint32_t *cost)
{
    uint32_t n = m->total;
    if (small_squeeze(q->tail, m)) {
        q->bytes += n;
        return;
    }
    m = small_copy(payer, m);
    if (msg_charge(m, payer) != OK && msg_charge(m, &payer->k->pool) != OK)
        payer->k->drops[DROP_TCP_MEM]++; /* whoever paid until now still does */
    *cost += msg_cost(m);
    msgq_push(q, m);
}

struct msg *queue_take(struct msgq *q, uint32_t *cost)
{
    struct msg *m = msgq_pop(q);
    if (m)
        *cost -= msg_cost(m);
    return m;
}

bool data_pressure(const struct kernel *k)
{
    return k->msgs.live[MSG_FULL] > k->msgs.limit[MSG_FULL] / 4 * 3;
}

bool data_critical(const struct kernel *k)
{
    return k->msgs.live[MSG_FULL] > k->msgs.limit[MSG_FULL] / 16 * 15;
}

/* Bytes beyond rcv_nxt that the peer may send. The right edge never moves left, and moves right
 * only by a good piece (RFC 9293 3.8.6.2.2). Storage may be twice the bytes it holds. */
static uint32_t own_window(const struct tcb *c)
{
    uint32_t promised = c->rcv_adv - c->rcv_nxt;
    uint64_t storage = c->rcv_cost + (c->reass ? c->reass->cost : 0);
    uint64_t limit = 2ULL * c->rcvbuf;
    uint32_t by_bytes = c->rcvbuf > c->rcvq.bytes ? c->rcvbuf - c->rcvq.bytes : 0;
    uint32_t by_storage = limit > storage ? (uint32_t)((limit - storage) / 2) : 0;
    uint32_t room = by_bytes < by_storage ? by_bytes : by_storage;
    uint32_t piece = c->rcvbuf / 2 < c->mss ? c->rcvbuf / 2 : c->mss;
    if (room < promised + piece || (data_pressure(tcb_kernel(c)) && c->rcvq.head))
        return promised;
    return room;
}

uint32_t data_window(const struct tcb *c)
{
    return splice_window(c, own_window(c));
}

/* Who takes the bytes: the proxy, or a splice that is PENDING, whose window is its limit. In a
 * preliminary FWD stage there is no proxy. */
static uint32_t room_above(const struct tcb *c)
{
    if (c->sp_in)
        return splice_takes(c) ? UINT32_MAX : 0;
    return tcb_is_paired(c) ? 0 : path_room(c->p, c->at, (enum dir)c->up);
}

static void hand_up(struct tcb *c, struct msg *m)
{
    if (c->sp_in)
        splice_take(c, m);
    else
        pass(c->p, c->at, (enum dir)c->up, m);
}

/* The proxy takes what it has room for; the last message may overshoot. It may answer on this very
 * connection or end it meanwhile. */
void data_deliver(struct tcb *c)
{
    if (c->delivering || !c->told_open || c->told_closed)
        return;
    c->delivering = true;
    while (c->rcvq.head && !(c->p->flags & PATH_DYING) && room_above(c) > 0) {
        struct msg *m = queue_take(&c->rcvq, &c->rcv_cost);
        assert(m);
        if (m->payer != &tcb_kernel(c)->pool && msg_charge(m, &tcb_kernel(c)->pool) != OK)
            tcb_kernel(c)->drops[DROP_TCP_MEM]++; /* cannot be: the kernel has no limit */
        hand_up(c, m);
    }
    c->delivering = false;
    bool all = c->fin_seen && c->rcv_nxt == c->fin_seq + 1 && !c->rcvq.head;
    if (all && !c->told_eof && !c->told_closed && !(c->p->flags & PATH_DYING)) {
        c->told_eof = true;
        tcb_tell(c, EVENT_EOF);
    }
}

/* The next bytes in order. What can go on at once is not queued. */
static void accept(struct tcb *c, struct msg *m)
{
    c->rcv_nxt += m->total;
    c->bytes_in += m->total;
    m->flags = 0;
    m->seg_size = 0;
    m->net = NULL;
    if (!c->rcvq.head && c->told_open && !c->delivering && room_above(c) > 0) {
        c->delivering = true;
        hand_up(c, m);
        c->delivering = false;
        return;
    }
    queue_add(&c->rcvq, m, &c->p->pool, &c->rcv_cost);
}

static void gap_filled(struct tcb *c)
{
    struct msg *m;
    while (tcb_alive(c) && c->reass && (m = reass_take(c->reass, c->rcv_nxt)))
        accept(c, m);
}

static bool storage_full(const struct tcb *c, const struct msg *m)
{
    uint64_t used = (uint64_t)c->rcv_cost + (c->reass ? c->reass->cost : 0) + msg_cost(m);
    return used > 2ULL * c->rcvbuf + 4096;
}

/* Bytes that would have to wait and cannot: they come again. What the cards need to receive the
 * acknowledgements that set buffers free must never be taken by data. */
static bool no_place(const struct tcb *c, const struct msg *m)
{
    struct kernel *k = tcb_kernel(c);
    if (data_pressure(k))
        evict_starved(k);
    if (c->rcvq.head)
        return storage_full(c, m) || data_pressure(k);
    bool at_once = c->told_open && room_above(c) > 0;
    return data_critical(k) && !at_once;
}

/* In order, but other bytes wait already: those that overlap came first and stay. */
static void before_gap(struct tcb *c, struct msg *m)
{
    uint32_t until = c->reass->run[0].seq - c->rcv_nxt;
    struct msg *rest = NULL;
    c->ack_now = true; /* RFC 5681 4.2: at once when a gap is filled */
    if (m->total > until) {
        rest = msg_split(m, until);
        if (!rest)
            msg_trim(m, until);
    }
    uint32_t after = c->rcv_nxt + m->total;
    accept(c, m);
    if (rest && tcb_alive(c))
        reass_insert(tcb_kernel(c), c->reass, &c->p->pool, after, rest);
    else
        msg_free(rest);
    gap_filled(c);
}

static void out_of_order(struct tcb *c, struct msg *m, uint32_t seq)
{
    struct kernel *k = tcb_kernel(c);
    tcb_count(c, STAT_OOO);
    c->ack_now = true; /* RFC 5681 4.2: a duplicate ACK at once */
    if (!c->reass)
        c->reass = pool_alloc(&c->p->pool, sizeof *c->reass);
    if (!c->reass || storage_full(c, m) || data_pressure(k))
        msg_drop(k, m, DROP_TCP_OOO);
    else
        reass_insert(k, c->reass, &c->p->pool, seq, m);
}

/* RFC 9293 4.2, MUST-58, -59: every second full segment at once, others within the delay. */
static void acknowledge(struct tcb *c, uint32_t len)
{
    if (len > c->max_seg)
        c->max_seg = len;
    if (c->rcv_nxt - c->last_ack_sent >= 2 * c->max_seg)
        c->ack_now = true;
    else if (!c->ack_now)
        tcp_delack_arm(c);
}

static void take_bytes(struct tcb *c, struct msg *m, const struct segment *g)
{
    struct kernel *k = tcb_kernel(c);
    uint32_t len = m->total;
    if (c->fin_seen && seq_ge(g->seq, c->fin_seq)) { /* RFC 9293 3.10.7.4, seventh */
        msg_drop(k, m, DROP_TCP_LATE);
    } else if (g->seq != c->rcv_nxt) {
        out_of_order(c, m, g->seq);
    } else if (no_place(c, m)) {
        c->ack_now = true;
        msg_drop(k, m, DROP_TCP_MEM);
    } else if (c->reass && c->reass->n) {
        before_gap(c, m);
    } else {
        accept(c, m);
        acknowledge(c, len);
    }
}

static void fin_in_order(struct tcb *c)
{
    if (!tcb_alive(c) || !c->fin_seen || c->rcv_nxt != c->fin_seq)
        return;
    c->rcv_nxt++;
    c->ack_now = true;
    tcb_fin_received(c);
}

/* m is what of the segment lies in the window; g says where. */
void tcp_data(struct tcb *c, struct msg *m, const struct segment *g)
{
    if (g->flags & TCP_FIN && !c->fin_seen) {
        c->fin_seen = true;
        c->fin_seq = g->seq + m->total;
        if (c->reass)
            reass_cut(tcb_kernel(c), c->reass, c->fin_seq);
    }
    if (c->fin_seen && seq_lt(g->seq, c->fin_seq) && seq_gt(g->seq + m->total, c->fin_seq))
        msg_trim(m, c->fin_seq - g->seq);
    if (m->total)
        take_bytes(c, m, g);
    else
        msg_free(m);
    if (g->flags & TCP_FIN)
        c->ack_now = true;
    fin_in_order(c);
    data_deliver(c);
}

void data_resume(struct tcb *c)
{
    uint32_t known = c->rcv_nxt;
    gap_filled(c);
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt); /* a splice keeps a window probe as well */
    if (c->rcv_nxt != known)
        acknowledge(c, 0);
    fin_in_order(c);
    data_deliver(c);
}
