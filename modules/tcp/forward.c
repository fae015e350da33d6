/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forward information (spec flow-splicing 4.4): data and FIN of src's host become a segment of
 * dst's connection. Number and stamp are mapped; acknowledgement, window and blocks are dst's own,
 * which reverse.c keeps right, so they never come from the segment. The checksum was verified when
 * the segment came in and is made anew; what dst's host cannot take at once is cut in two.
 */
#include "modules/tcp/spliced.h"
#include "modules/wire/ip4.h"

bool splice_forwards(const struct tcb *c)
{
    const struct splice *s = c->sp_in;
    return s && (s->state >= SPLICE_FORWARDING ||
                 (s->state == SPLICE_PENDING && s->drain == DRAIN_HOLD));
}

/* Near enough to what was exchanged: dst's host judges the rest (spec decisions 4). */
bool splice_acceptable(const struct tcb *c, const struct segment *g)
{
    const struct splice *s = c->sp_in;
    uint32_t end = g->seq + segment_space(g);
    if (s->state == SPLICE_PENDING)
        return seq_le(g->seq, c->rcv_adv) && seq_ge(end, c->rcv_nxt);
    return seq_lt(g->seq, c->rcv_nxt + RECORD_REACH) && seq_ge(end, c->rcv_nxt - RECORD_REACH);
}

/* For as long as the message may still be changed: it has one owner, and room for a header. */
static struct msg *headed(struct splice *s, struct msg *m)
{
    if (m->store == m && m->refs == 1 && (size_t)(m->data - m->room) >= MSG_HEADROOM / 2)
        return m;
    struct msg *fresh = msg_clone(&tcb_kernel(s->src)->pool, m, 0, m->total);
    msg_free(m);
    return fresh;
}

static void emit(struct splice *s, struct msg *m, uint32_t seq, uint8_t flags,
                 const struct segment *g)
{
    struct tcb *dst = s->dst;
    uint32_t end = seq + m->total + !!(flags & TCP_FIN) + s->delta, len = m->total;
    m = headed(s, m);
    if (!m) { /* as if it were lost */
        tcb_kernel(dst)->drops[DROP_NO_BUFFER]++;
        return;
    }
    if (s->stopping == STOPPING_COPY)
        stop_copy(s, m, seq);
    s->segments++;
    s->bytes += len;
    tcb_node(dst)->splices.forwarded++;
    s->max = seq_max(s->max, end);
    if (s->state >= SPLICE_ESTABLISHED)
        dst->snd_nxt = dst->snd_max = seq_max(dst->snd_max, s->max);
    status_t status = msg_charge(m, &tcb_kernel(dst)->pool); /* the path may go first */
    (void)status;                                            /* the kernel has no limit */
    (void)tcp_emit(dst, m, seq + s->delta, flags, g);
}

/* Segments that dst's host would not take are cut: FIN and PSH belong to the last piece. */
static void emit_pieces(struct splice *s, struct msg *m, uint32_t seq, uint8_t flags,
                        const struct segment *g)
{
    uint32_t most = tcp_full_segment(s->dst);
    while (m->total > most) {
        struct msg *rest = msg_split(m, most);
        if (!rest) { /* no memory: src's host sends the rest again */
            msg_trim(m, most);
            flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
            break;
        }
        emit(s, m, seq, flags & (uint8_t) ~(TCP_FIN | TCP_PSH), g);
        seq += most;
        m = rest;
    }
    emit(s, m, seq, flags, g);
}

/* The state of both connections follows the FIN as if one had received and the other sent it, as
 * soon as nothing of ours is in front of it. */
static void fin_goes(struct splice *s)
{
    if (s->fin && !s->absorb && s->state >= SPLICE_ESTABLISHED) {
        s->dst->shut = true;
        tcp_fin_goes(s->dst);
    }
}

void splice_established(struct splice *s)
{
    struct tcb *dst = s->dst;
    dst->snd_nxt = dst->snd_max = seq_max(dst->snd_max, s->max);
    dst->timing = false;
    dst->recovery = RECOVER_NONE;
    dst->dupacks = 0;
    sack_forget(dst);
    tcp_rexmt_stop(dst);
    s->has_echo = false;
    fin_goes(s);
}

/* Only as far as dst's host has room (spec decisions 1): with `absorb` that is so from the start,
 * with the others what src's host was promised may be more. The rest waits (hold), or comes again.
 * A closed window is probed with one byte, or nobody would learn that it has opened. */
static struct msg *fitting(struct splice *s, struct msg *m, const struct segment *g, uint32_t seq,
                           uint8_t flags)
{
    int32_t fits = (int32_t)(splice_edge(s->dst) - s->delta - seq);
    if (s->drain == DRAIN_ABSORB || fits >= (int32_t)m->total)
        return m;
    if (fits == 0 && s->state >= SPLICE_ESTABLISHED)
        fits = 1;
    struct msg *rest = m;
    struct segment later = *g;
    later.flags = flags;
    if (fits > 0 && fits < (int32_t)m->total) {
        rest = msg_split(m, (uint32_t)fits);
        later.seq = seq + (uint32_t)fits;
        if (!rest) {
            msg_trim(m, (uint32_t)fits);
            return m;
        }
    } else if (fits > 0) {
        return m;
    } else {
        later.seq = seq;
    }
    if (s->drain == DRAIN_HOLD)
        drain_hold(s, rest, &later);
    else
        msg_drop(tcb_kernel(s->src), rest, DROP_FWD_WINDOW);
    return rest == m ? NULL : m;
}

/* A FIN behind all that was sent, or in the window of dst's host. Any other is not one: else a
 * single forged number would close the connection. */
static bool fin_fits(const struct splice *s, uint32_t number)
{
    const struct tcb *dst = s->dst;
    uint32_t at = number + s->delta;
    return s->fin || at == s->max ||
           (seq_ge(at, dst->snd_una) && seq_lt(at, s->max + dst->snd_wnd));
}

static void note_fin(struct splice *s, uint32_t end)
{
    if (s->fin)
        return;
    s->fin = true;
    s->fin_src = end;
}

void splice_forward(struct splice *s, struct msg *m, const struct segment *g)
{
    struct tcb *src = s->src;
    struct kernel *k = tcb_kernel(src);
    uint32_t seq = g->seq, first = s->cut - s->delta;
    uint8_t flags = g->flags & (TCP_FIN | TCP_PSH | TCP_URG | TCP_ACK);
    if (seq_lt(seq, first)) { /* R-ATK-9: what we have taken over is never mapped */
        uint32_t old = first - seq < m->total ? first - seq : m->total;
        msg_skip(m, old);
        seq += old;
        if (seq_lt(seq, first) || (!m->total && !(flags & TCP_FIN))) {
            src->ack_now = true;
            msg_drop(k, m, DROP_TCP_SEQ);
            return;
        }
    }
    if (flags & TCP_FIN && !fin_fits(s, seq + m->total)) {
        flags &= (uint8_t)~TCP_FIN;
        if (!m->total) {
            msg_drop(k, m, DROP_FWD_WINDOW);
            return;
        }
    }
    if (s->stopping == STOPPING_KEEP && flags & TCP_FIN)
        stop_at_fin(s, seq + m->total);
    if (s->stopping && !(m = stop_cut(s, m, seq)))
        return;
    if (s->stopping && seq_ge(seq + m->total + s->delta, s->stop))
        flags &= (uint8_t)~TCP_FIN; /* it comes again when we are in control */
    uint32_t len = m->total;
    if (!(m = fitting(s, m, g, seq, flags)))
        return;
    if (m->total < len)
        flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (flags & TCP_FIN)
        note_fin(s, seq + m->total);
    if (s->absorb)
        flags &= (uint8_t)~TCP_FIN;
    if (m->total || flags & TCP_FIN)
        emit_pieces(s, m, seq, flags, g);
    else
        msg_free(m);
    fin_goes(s);
}

/* A keep-alive or a probe without a byte: below what its host has sent already. */
static bool asks(const struct splice *s, const struct segment *g)
{
    return s->state >= SPLICE_ESTABLISHED && seq_lt(g->seq + s->delta, s->max);
}

void splice_data(struct tcb *c, struct msg *m, const struct segment *g)
{
    struct splice *s = c->sp_in;
    struct kernel *k = tcb_kernel(c);
    if (m->net && m->net[IP4_TTL] <= 1) { /* R-FLOW-57: a loop of splices dies out */
        msg_drop(k, m, DROP_IP_TTL);
        return;
    }
    m->ttl = m->net ? (uint8_t)(m->net[IP4_TTL] - 1) : 0;
    m->flags = 0;
    m->net = NULL;
    if (s->state == SPLICE_WAITING)
        timer_arm(k, &s->waiting, k->now + 2 * conf_number(&c->n->conf, "msl"));
    if (s->state == SPLICE_PENDING)
        drain_hold(s, m, g);
    else if (m->total || g->flags & TCP_FIN)
        splice_forward(s, m, g);
    else if (asks(s, g))
        emit(s, m, g->seq, TCP_ACK, g);
    else
        msg_free(m);
    if (c->sp_in == s)
        stop_check(s);
}
