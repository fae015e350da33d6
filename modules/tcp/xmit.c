/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a segment: payload from the send queue without a copy, options, header, checksum, and off
 * towards ip. Every transmission has header storage of its own. It fails only for lack of memory,
 * which is like a loss on the wire: nothing changes and a timer tries again.
 */
#include "kernel/services.h"
#include "modules/tcp/spliced.h"
#include "modules/wire/cksum.h"
#include "modules/wire/ip4.h"

enum { COPY_MAX = MSG_SMALL_ROOM - MSG_HEADROOM }; /* up to here a copy is cheaper than a slice */

/* The queued message that holds seq. */
static struct msg *queue_find(struct tcb *c, uint32_t seq)
{
    struct msg *m = c->cursor && seq_ge(seq, c->cursor->cb[0]) ? c->cursor : c->sndq.head;
    while (m && seq_ge(seq, m->cb[0] + m->total))
        m = m->next;
    c->cursor = m;
    return m;
}

/* len bytes from offset `off` of m and of those queued behind it, in one buffer. */
static struct msg *gather(struct pool *payer, struct msg *m, uint32_t off, uint32_t len)
{
    struct msg *out = msg_alloc(payer, MSG_HEADROOM, len);
    if (!out)
        return NULL;
    for (; len && m; m = m->next, off = 0) {
        uint32_t n = m->total - off < len ? m->total - off : len;
        (void)msg_peek(m, off, msg_put(out, n), n);
        len -= n;
    }
    return out;
}

static struct msg *payload(struct tcb *c, struct pool *payer, uint32_t seq, uint32_t len)
{
    if (!len)
        return msg_alloc(payer, MSG_HEADROOM, 0);
    struct msg *m = queue_find(c, seq);
    if (!m)
        return NULL;
    uint32_t off = seq - m->cb[0];
    if (len <= COPY_MAX || off + len > m->total)
        return gather(payer, m, off, len);
    return msg_clone(payer, m, off, len);
}

static uint16_t window_field(struct tcb *c, bool syn)
{
    uint32_t wnd = data_window(c);
    uint8_t scale = syn ? 0 : c->rcv_scale;
    uint32_t most = 65535U << scale;
    uint32_t promised = c->rcv_adv - c->rcv_nxt;
    if (wnd > most)
        wnd = most > promised ? most : promised;
    uint32_t field = splice_field(c, wnd, scale);
    if (field > 65535)
        field = 65535;
    if (seq_gt(c->rcv_nxt + (field << scale), c->rcv_adv))
        c->rcv_adv = c->rcv_nxt + (field << scale);
    return (uint16_t)field;
}

void tcp_stamp_learn(struct tcb *c, uint32_t value)
{
    if (!tcb_can_stamp(c))
        c->ts_offset = value - tcp_ts_clock(tcb_kernel(c));
    if (c->ts_lost || !c->ts_stamped || seq_gt(value, c->ts_sent))
        c->ts_sent = value;
    c->ts_lost = false;
    c->ts_stamped = true;
}

/* Time stamps of one connection come from two clocks while it is the outbound side of a splice:
 * ours stands still then (spec flow-splicing 8.1). */
static uint32_t stamp(struct tcb *c, const struct segment *as)
{
    uint32_t now = tcp_ts_clock(tcb_kernel(c)) + c->ts_offset;
    if (as)
        now = as->o.tsval + c->sp_out->ts_off;
    else if (c->sp_out && c->sp_out->state >= SPLICE_FORWARDING && !c->ts_lost)
        now = c->ts_sent;
    if (as && c->ts_stamped && seq_lt(now, c->ts_sent)) /* it has waited, or was overtaken */
        now = c->ts_sent;
    tcp_stamp_learn(c, now);
    return now;
}

/* RFC 7323 4.3, or what the far host of a splice has echoed. */
static uint32_t echo(const struct tcb *c)
{
    if (c->sp_in && c->sp_in->has_echo)
        return c->sp_in->echo;
    return tcb_can_echo(c) ? c->ts_recent : 0;
}

static uint32_t options(struct tcb *c, bool syn, const struct segment *as, uint8_t *out)
{
    struct tcp_opts o = {.has_ts = c->ts_ok, .tsecr = echo(c)};
    if (c->ts_ok)
        o.tsval = stamp(c, as);
    if (syn) {
        uint32_t most = c->mtu - 40U;
        uint64_t set = conf_number(&c->n->conf, "mss");
        if (c->bound && c->bound->state >= TCP_SYN_RECEIVED && c->bound->peer_mss < most)
            most = c->bound->peer_mss; /* what the other host takes: spec decisions 3 */
        o.mss = (uint16_t)(set && set < most ? set : most);
        o.sack_ok = c->sack_ok;
        o.wscale = c->ws_ok ? c->rcv_scale : TCP_WSCALE_NONE;
        return options_build_syn(out, &o);
    }
    if (c->sack_ok && c->sp_in && c->sp_in->nsack) {
        o.nsack = c->sp_in->nsack;
        for (uint8_t i = 0; i < o.nsack; i++)
            o.sack[i] = c->sp_in->sack[i];
    } else if (c->sack_ok && c->reass && !splice_forwards(c)) {
        o.nsack = reass_blocks(c->reass, c->rcv_nxt, o.sack, TCP_SACK_BLOCKS);
    }
    return options_build(out, &o);
}

bool tcp_emit(struct tcb *c, struct msg *m, uint32_t seq, uint8_t flags, const struct segment *as)
{
    uint32_t len = m->total;
    bool syn = flags & TCP_SYN;
    uint8_t opt[TCP_OPTIONS_MAX];
    struct segment g = {.sport = c->local.port,
                        .dport = c->remote.port,
                        .seq = seq,
                        .ack = c->rcv_nxt,
                        .flags = flags,
                        .urgent = as ? as->urgent : 0};
    uint32_t nopt = flags & TCP_RST ? 0 : options(c, syn, as, opt);
    g.wnd = flags & TCP_RST ? 0 : window_field(c, syn);
    if (!segment_build(m, &g, opt, nopt, c->pseudo)) {
        msg_free(m);
        return false;
    }
    if (flags & TCP_ACK) {
        c->ack_now = false;
        c->last_ack_sent = c->rcv_nxt;
        if (timer_armed(&c->delack))
            timer_cancel(tcb_kernel(c), &c->delack);
    }
    c->segs_out++;
    c->bytes_out += len;
    tcb_node(c)->segs_out++;
    pass(c->p, c->at, dir_reverse((enum dir)c->up), m);
    return true;
}

bool tcp_transmit(struct tcb *c, uint32_t seq, uint32_t len, uint8_t flags)
{
    /* The kernel pays: the segment may lie on a ring, or wait for a neighbour, longer than we live.
     */
    struct msg *m = payload(c, &tcb_kernel(c)->pool, seq, len);
    return m && tcp_emit(c, m, seq, flags, NULL);
}

uint32_t tcb_seq_now(const struct tcb *c)
{
    bool spliced = c->sp_out && c->sp_out->state >= SPLICE_FORWARDING;
    return spliced ? seq_max(c->snd_max, c->sp_out->max) : c->snd_max;
}

void tcp_send_ack(struct tcb *c)
{
    if (!tcb_can_stamp(c)) /* no stamp would be right; the next segment brings one */
        return;
    c->ack_now = false;
    if (!tcp_transmit(c, tcb_seq_now(c), 0, TCP_ACK))
        tcp_delack_arm(c); /* no memory: a little later */
}

void tcp_send_reset(struct tcb *c)
{
    tcb_count(c, STAT_RST_OUT);
    uint32_t seq = tcb_seq_now(c);
    if (seq_ge(seq, c->snd_una + c->snd_wnd)) /* it would not be believed: RFC 9293 3.10.7.4 */
        seq = c->snd_una;
    (void)tcp_transmit(c, seq, 0, TCP_RST | TCP_ACK);
}

/* By a good piece, at most as far as the other host has offered. */
static bool may_grow(const struct tcb *c, uint32_t promised)
{
    const struct tcb *b = c->bound;
    bool limited = !c->sp_in && b && b->state >= TCP_SYN_RECEIVED && b->snd_wnd >= c->mss;
    uint32_t most = limited && b->snd_wnd < c->rcvbuf ? b->snd_wnd : c->rcvbuf;
    return c->sp_in || promised < c->rcvbuf / 4 || most >= promised + c->rcvbuf / 2;
}

/* The proxy has taken bytes: say so when the right edge moves by a good piece (RFC 9293
 * 3.8.6.2.2), at once when the peer may be standing at it. */
void tcp_window_update(struct tcb *c)
{
    uint32_t promised = c->rcv_adv - c->rcv_nxt;
    if (!may_grow(c, promised) || !tcb_alive(c) || !tcb_synchronised(c) || c->fin_seen)
        return;
    uint32_t now = data_window(c);
    uint32_t most = 65535U << c->rcv_scale; /* more cannot be said: it would be a duplicate ACK */
    if (now > most)
        now = most;
    if (now <= promised)
        return;
    uint32_t grown = now - promised;
    if (grown >= c->rcvbuf / 2 || (grown >= 2U * c->max_seg && promised < c->rcvbuf / 4))
        tcp_send_ack(c);
}

void tcp_reply(struct node *n, const struct segment *to, struct segment *g, const uint8_t *opt,
               uint32_t nopt)
{
    struct tcp_node *tn = n->state;
    struct node *ip = tcp_network(n);
    const struct network_ops *ops = ip->module->ops;
    struct msg *m = msg_alloc(&n->k->pool, MSG_HEADROOM, 0);
    g->sport = to->dport;
    g->dport = to->sport;
    struct netaddr from = netaddr_ip4(to->dst), dst = netaddr_ip4(to->src);
    if (!m || !segment_build(m, g, opt, nopt, cksum_pseudo(to->src, to->dst, PROTO_TCP, 0))) {
        msg_free(m);
        n->k->drops[DROP_NO_BUFFER]++;
        return;
    }
    tn->segs_out++;
    ops->send(ip, &from, &dst, 6, 0, m);
}

void tcp_reply_reset(struct node *n, const struct segment *g)
{
    struct tcp_node *tn = n->state;
    struct segment out = {.flags = TCP_RST};
    if (g->flags & TCP_RST)
        return;
    if (g->flags & TCP_ACK) {
        out.seq = g->ack;
    } else {
        out.flags = TCP_RST | TCP_ACK;
        out.ack = g->seq + segment_space(g);
    }
    tn->stat[STAT_RST_OUT]++;
    tcp_reply(n, g, &out, NULL, 0);
}
