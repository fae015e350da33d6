/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loss recovery: when to send again, and what. Duplicate acknowledgements start fast recovery, by
 * NewReno (RFC 5681 3.2, RFC 6582) or, with SACK, by pipe and NextSeg (RFC 6675 5); the time-out
 * starts over at snd_una in slow start. Called by ack.c and timer.c after snd_una has moved.
 */
#include "modules/tcp/tcp.h"

enum { DUP_THRESH = 3 };

static uint32_t flight(const struct tcb *c)
{
    return c->snd_max - c->snd_una;
}

/* A peer may have taken its window back since: then a byte, as a probe (RFC 9293 3.8.6). */
static uint32_t within_window(const struct tcb *c, uint32_t seq, uint32_t len)
{
    int32_t room = (int32_t)(c->snd_una + c->snd_wnd - seq);
    return room <= 0 ? 1 : len < (uint32_t)room ? len : (uint32_t)room;
}

/* Send the first unacknowledged segment, or what of it is not SACKed, again. */
static void resend_at(struct tcb *c, uint32_t seq, uint32_t len)
{
    uint32_t end = tcb_queue_end(c), most = within_window(c, seq, tcp_full_segment(c));
    uint32_t bytes = seq_lt(seq, end) ? seq_min(end, seq + seq_min(len, most)) - seq : 0;
    uint8_t fin = c->fin_sent && seq + bytes == end && bytes < len ? TCP_FIN : 0;
    if (!bytes && !fin)
        return;
    uint8_t psh = bytes && seq + bytes == end ? TCP_PSH : 0; /* RFC 9293 MUST-61 */
    if (c->timing && seq_le(seq, c->rtt_seq))
        c->timing = false; /* Karn: a segment sent twice is not timed */
    if (!tcp_transmit(c, seq, bytes, (uint8_t)(TCP_ACK | psh | fin)))
        return;
    c->high_rxt = seq_max(c->high_rxt, seq + bytes + !!fin);
    c->retransmits++;
    tcb_count(c, STAT_RETRANSMIT);
}

static void resend_first(struct tcb *c)
{
    uint32_t gap;
    uint32_t seq = sack_skip(c, c->snd_una, &gap);
    if (seq_lt(seq, c->snd_max))
        resend_at(c, seq, seq_min(gap, c->snd_max - seq));
}

static void enter(struct tcb *c)
{
    tcb_count(c, STAT_FAST);
    c->recover = c->snd_max;
    /* What is beyond cwnd was sent by limited transmit and does not count: RFC 5681 3.2, step 2. */
    c->cc->loss(&c->cw, flight(c) < c->cw.cwnd ? flight(c) : c->cw.cwnd);
    c->high_rxt = c->snd_una;
    c->rescued = false;
    if (c->sack_ok) {
        c->recovery = RECOVER_SACK;
    } else {
        c->recovery = RECOVER_FAST; /* RFC 6582 3.2 step 2 and 3 */
        c->cw.cwnd = c->cw.ssthresh + DUP_THRESH * c->cw.smss;
    }
    resend_first(c);
    tcp_rexmt_arm(c, TIMER_RTO);
}

void recover_dupack(struct tcb *c, bool sacked_more)
{
    /* RFC 6675 2: with SACK a duplicate says something new. */
    if (c->sack_ok && !sacked_more)
        return;
    tcb_count(c, STAT_DUPACK);
    c->dupacks++;
    switch (c->recovery) {
    case RECOVER_FAST: /* each says that a segment has left; no more than were sent (R-BAD-57) */
        if (c->dupacks <= flight(c) / c->cw.smss + 1)
            c->cw.cwnd += c->cw.smss;
        break;
    case RECOVER_NONE:
        /* RFC 6582 3.2 step 1: not for the echoes of an earlier recovery. */
        if (!c->sack_ok && seq_lt(c->snd_una, c->recover))
            break;
        if (c->dupacks >= DUP_THRESH || sack_is_lost(c, c->snd_una))
            enter(c);
        break;
    default:
        break;
    }
}

/* RFC 6582 3.2 step 3: partial acknowledgement, or the end of it. */
static void newreno_ack(struct tcb *c, uint32_t acked)
{
    uint32_t smss = c->cw.smss;
    if (seq_ge(c->snd_una, c->recover)) {
        uint32_t left = flight(c) > smss ? flight(c) : smss;
        c->cw.cwnd = c->cw.ssthresh < left + smss ? c->cw.ssthresh : left + smss;
        c->recovery = RECOVER_NONE;
        c->dupacks = 0;
        return;
    }
    resend_first(c);
    c->cw.cwnd -= acked < c->cw.cwnd - smss ? acked : c->cw.cwnd - smss;
    if (acked >= smss)
        c->cw.cwnd += smss;
}

/* Growth only when cwnd is what holds us back (RFC 7661): else it means nothing. */
static void grow(struct tcb *c, uint32_t acked)
{
    uint32_t was = flight(c) + acked;
    if (was + c->cw.smss > c->cw.cwnd || (c->cw.cwnd < c->cw.ssthresh && was > c->cw.cwnd / 2))
        c->cc->acked(&c->cw, acked, tcb_kernel(c)->now, c->srtt);
}

void recover_ack(struct tcb *c, uint32_t acked)
{
    switch (c->recovery) {
    case RECOVER_FAST:
        newreno_ack(c, acked);
        return;
    case RECOVER_SACK:
        if (seq_lt(c->snd_una, c->recover))
            return;
        c->recovery = RECOVER_NONE;
        break;
    case RECOVER_RTO:
        grow(c, acked);
        if (seq_ge(c->snd_una, c->recover))
            c->recovery = RECOVER_NONE;
        break;
    default:
        grow(c, acked);
        break;
    }
    c->dupacks = 0;
}

/* The timer has run out (RFC 6298 5.4 to 5.6, RFC 6582 4, RFC 6675 5.1): from snd_una, in slow
 * start. What is SACKed is believed and skipped, unless the peer has reneged. */
void recover_timeout(struct tcb *c)
{
    c->cc->timeout(&c->cw, flight(c), c->backoff > 1);
    c->recovery = RECOVER_RTO;
    c->recover = c->snd_max;
    c->dupacks = 0;
    c->timing = false;
    c->high_rxt = c->snd_una;
    uint32_t gap;
    if (sack_skip(c, c->snd_una, &gap) != c->snd_una)
        sack_forget(c); /* it SACKed what it does not acknowledge: reneged (RFC 2018 8) */
    c->snd_nxt = c->snd_una;
    (void)sack_skip(c, c->snd_una, &gap);
    uint32_t outstanding = c->snd_max - c->snd_una;
    resend_at(c, c->snd_una, gap < outstanding ? gap : outstanding);
    if (seq_gt(c->high_rxt, c->snd_nxt))
        c->snd_nxt = c->high_rxt;
}

/* RFC 6675 5 step C: while the pipe has room for a segment, the next by NextSeg. */
void recover_send(struct tcb *c)
{
    while (c->recovery == RECOVER_SACK && sack_pipe(c) + c->cw.smss <= c->cw.cwnd) {
        uint32_t seq, len, before = c->high_rxt, nxt = c->snd_nxt;
        if (sack_next_lost(c, &seq, &len, false)) { /* rule 1 */
            resend_at(c, seq, len);
        } else if (output_segment(c)) { /* rule 2 */
            continue;
        } else if (sack_next_lost(c, &seq, &len, true)) { /* rule 3 */
            resend_at(c, seq, len);
        } else if (!c->rescued && seq_lt(c->high_rxt, c->recover)) { /* rule 4, once */
            uint32_t last = c->recover - seq_min(c->cw.smss, c->recover - c->snd_una);
            c->rescued = true;
            resend_at(c, seq_max(last, c->snd_una), c->recover - seq_max(last, c->snd_una));
            c->high_rxt = before;
            return;
        }
        if (c->high_rxt == before && c->snd_nxt == nxt)
            return; /* nothing left, or no memory: the timer is running */
    }
}
