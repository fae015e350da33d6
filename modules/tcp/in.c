/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A segment arrives for a connection: the steps of RFC 9293 3.10.7.3 (SYN-SENT) and 3.10.7.4 (all
 * others) in their order, with PAWS (RFC 7323 5.3) before the first and the checks of RFC 5961 in
 * the second, fourth and fifth. Whatever the segment holds, it is consumed and at most one
 * segment answers it; answers to unacceptable ones are limited per connection.
 */
#include "modules/tcp/tcp.h"

static const uint64_t challenge_gap = 500ULL * MS;
static const uint64_t stamp_old = 24 * 86400 * SECOND; /* RFC 7323 5.5 */

/* An ACK for a segment that is not acceptable. The gap differs from connection to connection and
 * is counted by each for itself (CVE-2016-5696). */
void tcp_challenge(struct tcb *c)
{
    uint64_t now = tcb_kernel(c)->now, jitter = (c->ts_offset & 63) * (uint64_t)MS;
    if (c->challenge_ns && now - c->challenge_ns < challenge_gap + jitter)
        return;
    c->challenge_ns = now ? now : 1;
    tcb_count(c, STAT_CHALLENGE);
    tcp_send_ack(c);
}

static void drop(struct tcb *c, struct msg *m, enum drop why)
{
    msg_drop(tcb_kernel(c), m, why);
}

/* RFC 9293 3.10.7.4, first: table 6. A segment that begins before the window and ends behind it
 * is trimmed at both ends. */
static bool acceptable(const struct tcb *c, const struct segment *g)
{
    if (splice_forwards(c))
        return splice_acceptable(c, g);
    uint32_t edge = c->rcv_adv, space = segment_space(g);
    if (edge == c->rcv_nxt)
        return space == 0 && g->seq == c->rcv_nxt;
    if (space == 0)
        return seq_ge(g->seq, c->rcv_nxt) && seq_lt(g->seq, edge);
    return seq_lt(g->seq, edge) && seq_gt(g->seq + space, c->rcv_nxt);
}

static void unacceptable(struct tcb *c, struct msg *m, const struct segment *g)
{
    bool again =
        segment_space(g) && !(g->flags & TCP_SYN) && seq_le(g->seq + segment_space(g), c->rcv_nxt);
    if (g->flags & TCP_RST) { /* RFC 5961 3.2: silently */
    } else if (again) {       /* a retransmission: our acknowledgement was lost */
        c->ack_now = true;
    } else {
        tcp_challenge(c);
    }
    drop(c, m, DROP_TCP_SEQ);
}

/* RFC 7323 5.3 R1. True: the segment is to be dropped. */
static bool old_stamp(struct tcb *c, const struct segment *g)
{
    if (!c->ts_ok || g->flags & TCP_RST)
        return false;
    if (!g->o.has_ts) /* 3.2: silently, where both agreed to stamp each segment */
        return true;
    if (c->ts_new || seq_ge(g->o.tsval, c->ts_recent))
        return false;
    if (tcb_kernel(c)->now - c->ts_recent_ns > stamp_old)
        return false;
    tcb_count(c, STAT_PAWS);
    tcp_challenge(c);
    return true;
}

/* A connection that was made from records: the far host has heard stamps that passed while nobody
 * looked, and later ones than the first that came here. */
static bool echo_is_news(const struct tcb *c, uint32_t echo)
{
    return c->ts_lost || (c->sp_out && c->ts_stamped && seq_gt(echo, c->ts_sent));
}

/* RFC 7323 4.3 (2): what to echo. */
static void note_stamp(struct tcb *c, const struct segment *g)
{
    if (g->o.has_ts && g->o.tsecr && echo_is_news(c, g->o.tsecr)) {
        tcp_stamp_learn(c, g->o.tsecr);
        c->ts_echoed = true;
    }
    if (!c->ts_ok || !g->o.has_ts || (seq_gt(g->seq, c->last_ack_sent) && !c->ts_new))
        return;
    if (c->ts_new || seq_ge(g->o.tsval, c->ts_recent) ||
        tcb_kernel(c)->now - c->ts_recent_ns > stamp_old) {
        if (c->ts_new)
            path_note(c->p, NOTE_DRAINED); /* it may be that only this was missing */
        c->ts_new = false;
        c->ts_recent = g->o.tsval;
        c->ts_recent_ns = tcb_kernel(c)->now;
    }
}

static void reset_received(struct tcb *c, struct msg *m, const struct segment *g)
{
    if (splice_forwards(c)) {
        splice_reset(c, m, g);
        return;
    }
    if (g->seq != c->rcv_nxt) { /* RFC 5961 3.2: in the window, but not exact */
        tcp_challenge(c);
        drop(c, m, DROP_TCP_SEQ);
        return;
    }
    tcb_count(c, STAT_RST_IN);
    msg_free(m); /* payload of a RST is not ours to read (spec R-BAD-46) */
    /* Both streams are complete: only the ceremony was cut short. */
    bool acked = !c->sndq.head && c->snd_una + 1 == c->snd_max; /* all but the FIN */
    bool over = (c->state == TCP_CLOSING || c->state == TCP_LAST_ACK) && acked;
    tcb_dead(c, !over);
}

/* Cut what lies outside the window. */
static void trim(struct tcb *c, struct msg *m, struct segment *g)
{
    uint32_t wnd = c->rcv_adv - c->rcv_nxt;
    if (seq_lt(g->seq, c->rcv_nxt)) {
        uint32_t old = c->rcv_nxt - g->seq;
        if (old > m->total)
            old = m->total; /* the FIN is what is new */
        msg_skip(m, old);
        g->seq += old;
    }
    uint32_t ahead = g->seq - c->rcv_nxt;
    uint32_t fits = ahead < wnd ? wnd - ahead : 0;
    if (m->total > fits) {
        msg_trim(m, fits);
        g->flags &= (uint8_t)~TCP_FIN;
        c->ack_now = true;
    } else if (m->total == fits && g->flags & TCP_FIN) {
        g->flags &= (uint8_t)~TCP_FIN; /* the FIN itself is beyond */
        c->ack_now = true;
    }
    g->len = m->total;
}

/* SYN-RECEIVED, fifth step. */
static void handshake_ack(struct tcb *c, const struct segment *g)
{
    c->snd_una = c->iss + 1;
    c->snd_wnd = (uint32_t)g->wnd << c->snd_scale;
    c->max_wnd = c->snd_wnd;
    c->snd_wl1 = g->seq;
    c->snd_wl2 = g->ack;
    if (c->timing && !c->syn_resent)
        tcp_rtt_sample(c, tcb_kernel(c)->now - c->rtt_start);
    c->timing = false;
    tcp_rexmt_stop(c);
    tcb_established(c);
}

/* Fifth step: of a segment with a wrong acknowledgement nothing else is believed (RFC 5961 5.2). */
static bool ack_acceptable(struct tcb *c, struct msg *m, const struct segment *g)
{
    bool opening = c->state == TCP_SYN_RECEIVED;
    bool good = opening     ? seq_gt(g->ack, c->snd_una) && seq_le(g->ack, c->snd_max)
                : c->sp_out ? splice_ack_acceptable(c, g)
                            : tcp_ack_acceptable(c, g);
    if (good)
        return true;
    if (opening)
        tcp_reply_reset(c->n, g);
    else
        tcp_challenge(c);
    drop(c, m, DROP_TCP_ACK);
    return false;
}

/* From the fifth step on: it has an acceptable ACK. */
static void rest_of_segment(struct tcb *c, struct msg *m, struct segment *g)
{
    if (c->state == TCP_SYN_RECEIVED)
        handshake_ack(c, g);
    c->active_ns = tcb_kernel(c)->now;
    c->probes = 0;
    if (c->sp_out)
        splice_ack(c, g);
    else
        tcp_ack(c, g);
    if (!tcb_alive(c)) {
        msg_free(m);
        return;
    }
    if (splice_forwards(c))
        splice_data(c, m, g);
    else if (m->total || g->flags & TCP_FIN)
        tcp_data(c, m, g); /* URG is read as it stands in line: RFC 6093, spec R-BAD-34 */
    else
        msg_free(m);
}

/* RFC 9293: RCV.WND of zero takes no bytes, but valid acknowledgements. */
static bool zero_window_probe(const struct tcb *c, const struct segment *g)
{
    return c->rcv_adv == c->rcv_nxt && g->seq == c->rcv_nxt && segment_space(g) &&
           (g->flags & (TCP_RST | TCP_SYN | TCP_ACK)) == TCP_ACK;
}

/* In SYN-RECEIVED the peer's SYN again, alone (our answer was lost) or with ACK (simultaneous open,
 * RFC 9293 figure 8). True: dealt with. */
static bool same_syn(struct tcb *c, struct msg *m, struct segment *g)
{
    if (c->state != TCP_SYN_RECEIVED || !(g->flags & TCP_SYN) || g->seq != c->irs)
        return false;
    if (g->flags & TCP_RST)
        return false;
    if (g->flags & TCP_ACK && c->listener) /* it was us who said SYN+ACK: spec R-ATK-12 */
        return false;
    if (g->flags & TCP_ACK) {
        g->flags &= (uint8_t)~TCP_SYN;
        g->seq++;
        if (ack_acceptable(c, m, g))
            rest_of_segment(c, m, g);
        return true;
    }
    if (!c->cookie)
        (void)tcp_send_syn(c);
    msg_free(m);
    return true;
}

static void synchronised(struct tcb *c, struct msg *m, struct segment *g)
{
    if (same_syn(c, m, g))
        return;
    if (old_stamp(c, g)) {
        drop(c, m, DROP_TCP_PAWS);
        return;
    }
    if (!splice_forwards(c) && zero_window_probe(c, g)) {
        msg_trim(m, 0);
        g->flags &= (uint8_t)~TCP_FIN;
        g->len = 0;
        c->ack_now = true;
    }
    if (!acceptable(c, g)) {
        unacceptable(c, m, g);
        return;
    }
    if (g->flags & TCP_RST) {
        reset_received(c, m, g);
        return;
    }
    if (g->flags & TCP_SYN) { /* RFC 5961 4.2 */
        tcp_challenge(c);
        drop(c, m, DROP_TCP_SEQ);
        return;
    }
    if (!(g->flags & TCP_ACK)) {
        drop(c, m, DROP_TCP_FLAGS);
        return;
    }
    if (!ack_acceptable(c, m, g))
        return;
    note_stamp(c, g);
    if (!splice_forwards(c))
        trim(c, m, g);
    rest_of_segment(c, m, g);
}

/* The proxy has not answered yet: we are silent, but the client may change its mind. */
static void holding(struct tcb *c, struct msg *m, const struct segment *g)
{
    if (g->flags & TCP_RST && g->seq == c->rcv_nxt)
        reset_received(c, m, g);
    else
        drop(c, m, g->flags & TCP_SYN ? DROP_TCP_FLAGS : DROP_TCP_ACK);
}

/* RFC 9293 3.10.7.3 */
static void syn_sent(struct tcb *c, struct msg *m, struct segment *g)
{
    bool ack = g->flags & TCP_ACK;
    if (ack && (seq_le(g->ack, c->iss) || seq_gt(g->ack, c->snd_max))) {
        tcp_reply_reset(c->n, g); /* says nothing to a RST */
        drop(c, m, DROP_TCP_ACK);
        return;
    }
    if (g->flags & TCP_RST) {
        if (!ack) {
            drop(c, m, DROP_TCP_ACK);
            return;
        }
        tcb_count(c, STAT_REFUSED);
        msg_free(m);
        tcb_dead(c, true);
        return;
    }
    if (!(g->flags & TCP_SYN)) {
        drop(c, m, DROP_TCP_FLAGS);
        return;
    }
    c->irs = g->seq;
    c->rcv_nxt = c->rcv_adv = g->seq + 1;
    c->last_ack_sent = c->rcv_nxt;
    tcb_negotiate(c, &g->o);
    c->snd_wnd = c->max_wnd = g->wnd; /* never scaled in a SYN: RFC 7323 2.2 */
    c->snd_wl1 = g->seq;
    c->snd_wl2 = g->ack;
    if (!ack) { /* simultaneous open: MUST-10 */
        tcb_state(c, TCP_SYN_RECEIVED);
        (void)tcp_send_syn(c);
        msg_free(m); /* its bytes, if any, come again */
        return;
    }
    c->snd_una = g->ack;
    if (c->timing && !c->syn_resent)
        tcp_rtt_sample(c, tcb_kernel(c)->now - c->rtt_start);
    c->timing = false;
    tcp_rexmt_stop(c);
    c->ack_now = true;
    tcp_send_ack(c); /* the window is promised here: bytes behind a SYN come again */
    msg_free(m);
    tcb_established(c);
}

/* Room that the proxy waits for: told when a segment or half of the buffer fits. */
static void tell_room(struct tcb *c)
{
    if (!c->want_room || !tcb_alive(c) || c->shut)
        return;
    uint32_t room = tcb_room(c);
    if (room < c->mss && room < c->sndbuf / 2)
        return;
    c->want_room = false;
    tcb_tell(c, EVENT_READY);
}

void tcp_segment(struct tcb *c, struct msg *m, struct segment *g)
{
    c->segs_in++;
    c->in_input = true;
    if (c->state == TCP_CLOSED)
        drop(c, m, DROP_TCP_CLOSED); /* waits for the proxy to take the rest */
    else if (c->state == TCP_SYN_SENT)
        syn_sent(c, m, g);
    else if (c->state == TCP_SYN_RECEIVED && !c->answered && !c->cookie)
        holding(c, m, g);
    else
        synchronised(c, m, g);
    c->in_input = false;
    tcp_output(c);
    splice_check(c);
    tell_room(c);
    tcb_end_check(c);
}
