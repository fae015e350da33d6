/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model host's TCP: what comes in (RFC 9293 3.10.7). modelout.c has the other half. RFC 5961
 * against blind resets.
 */
#include "tests/sim/modelout.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bytes.h"

static void blocks_parse(const uint8_t *at, size_t len, struct segment *s)
{
    for (size_t i = 2; i + 8 <= len && s->nblocks < SACK_BLOCKS; i += 8)
        s->block[s->nblocks++] = (struct range){get4(at + i), get4(at + i + 4)};
}

static bool segment_parse(const uint8_t *t, size_t n, struct segment *s)
{
    size_t header = (size_t)(t[12] >> 4) * 4;
    if (header < 20 || header > n)
        return false;
    *s = (struct segment){.seq = get4(t + 4), .ack = get4(t + 8), .wnd = get2(t + 14), .scale = -1};
    s->flags = t[13] & 0x3fU;
    s->data = t + header;
    s->len = (uint32_t)(n - header);
    s->mss = 536;
    for (size_t at = 20; at < header && t[at] != 0;) {
        size_t len = t[at] == 1 ? 1 : at + 1 < header ? t[at + 1] : 0;
        if (len == 0 || at + len > header || (t[at] != 1 && len < 2))
            break;
        if (t[at] == 2 && len == 4)
            s->mss = (uint16_t)get2(t + at + 2);
        if (t[at] == 3 && len == 3)
            s->scale = t[at + 2] < 14 ? t[at + 2] : 14;
        if (t[at] == 4 && len == 2)
            s->sackok = true;
        if (t[at] == 5)
            blocks_parse(t + at, len, s);
        if (t[at] == 8 && len == 10) {
            s->stamped = true;
            s->tsval = get4(t + at + 2);
            s->tsecr = get4(t + at + 6);
        }
        at += len;
    }
    return true;
}

static void options_agree(struct mconn *c, const struct segment *s)
{
    const struct model_conf *conf = &c->host->conf;
    c->mss = s->mss < conf->mss ? s->mss : conf->mss;
    c->scaled = conf->wscale && s->scale >= 0;
    c->snd_scale = c->scaled ? (uint8_t)s->scale : 0;
    if (!c->scaled)
        c->rcv_scale = 0;
    c->stamps = conf->stamps && s->stamped;
    c->sack = conf->sackok && s->sackok;
    if (c->stamps)
        c->ts_recent = s->tsval;
}

/* fresh: it acknowledges something new, so its window is the youngest, though its number may be an
 * old one. By the rule of RFC 9293 alone the old window would go on with the acknowledgement, to an
 * edge that was never offered. */
static void window_update(struct mconn *c, const struct segment *s, bool fresh)
{
    if (fresh || seq_before(c->snd_wl1, s->seq) ||
        (c->snd_wl1 == s->seq && seq_upto(c->snd_wl2, s->ack))) {
        c->snd_wnd = s->wnd << (s->flags & SYN ? 0 : c->snd_scale);
        c->snd_wl1 = s->seq;
        c->snd_wl2 = s->ack;
    }
}

static void opened(struct mconn *c)
{
    c->state = M_ESTABLISHED;
    c->tries = c->again = 0;
    end_opened(c->end);
}

/* 3.10.7.3 */
static void syn_sent(struct mconn *c, const struct segment *s)
{
    bool good = s->flags & ACK && seq_before(c->iss, s->ack) && seq_upto(s->ack, c->snd_max);
    if (s->flags & ACK && !good) {
        if (!(s->flags & RST))
            mconn_answer_reset(c->host, c->peer, c->peer_port, c->port, s->ack, 0, false);
        return;
    }
    if (s->flags & RST) {
        if (good)
            mconn_end(c, true);
        return;
    }
    if (!(s->flags & SYN))
        return;
    options_agree(c, s);
    c->irs = s->seq;
    c->rcv_nxt = c->rcv_edge = s->seq + 1;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    c->snd_wnd = s->wnd;
    if (good) {
        c->snd_una = s->ack;
        c->rto_at = 0;
        opened(c);
        mconn_ack(c);
    } else { /* both opened at once */
        c->state = M_SYN_RECEIVED;
        mconn_resend(c);
    }
}

/* 3.10.7.4, first: is any of it inside the window? */
static bool acceptable(const struct mconn *c, const struct segment *s)
{
    uint32_t len = s->len + (s->flags & FIN ? 1 : 0) + (s->flags & SYN ? 1 : 0);
    uint32_t end = s->seq + len, edge = mconn_edge(c);
    if (s->stamped && c->stamps && !(s->flags & RST) && seq_before(s->tsval, c->ts_recent))
        return false; /* RFC 7323 5.3 */
    if (len == 0)
        return s->seq == c->rcv_nxt ||
               (!seq_before(s->seq, c->rcv_nxt) && seq_before(s->seq, edge));
    return seq_before(c->rcv_nxt, end) && seq_before(s->seq, edge);
}

/* 3.10.7.4, fifth; false: the segment is not to be looked at any more */
static bool ack_input(struct mconn *c, const struct segment *s)
{
    if (!(s->flags & ACK))
        return false;
    if (c->state == M_SYN_RECEIVED) {
        if (!seq_before(c->snd_una, s->ack) || !seq_upto(s->ack, c->snd_max)) {
            mconn_answer_reset(c->host, c->peer, c->peer_port, c->port, s->ack, 0, false);
            return false;
        }
        c->snd_wl1 = s->seq - 1;
        opened(c);
    }
    bool fresh = seq_before(c->snd_una, s->ack);
    if (fresh && seq_upto(s->ack, c->snd_max)) {
        c->snd_una = s->ack;
        if (seq_before(c->snd_nxt, s->ack))
            c->snd_nxt = s->ack;
        c->tries = c->again = c->dups = 0;
        c->rto_at = 0;
    } else if (s->ack == c->snd_una && c->snd_una != c->snd_max && !s->len && ++c->dups == 3 &&
               c->went_back != c->snd_una) {
        c->went_back = c->snd_una;
        c->snd_nxt = c->snd_una; /* once for each loss, and from there on */
    }
    if (seq_upto(c->snd_una, s->ack) && seq_upto(s->ack, c->snd_max)) {
        window_update(c, s, fresh);
        mconn_sacked(c, s);
    }
    bool fin_acked = c->end->shut && c->snd_una == c->iss + 2 + (uint32_t)c->end->sent;
    if (c->state == M_FIN_WAIT_1 && fin_acked)
        c->state = M_FIN_WAIT_2;
    else if (c->state == M_CLOSING && fin_acked)
        mconn_time_wait(c);
    else if (c->state == M_LAST_ACK && fin_acked)
        mconn_end(c, false);
    return c->state != M_CLOSED && c->state != M_UNREAD;
}

/* 3.10.7.4, seventh and eighth: text in order, then FIN */
static void text_input(struct mconn *c, const struct segment *s)
{
    uint32_t skip = c->rcv_nxt - s->seq; /* bytes that are old, when positive */
    if (s->len == 0 && !(s->flags & FIN))
        return;
    c->owed++;
    if (seq_before(c->rcv_nxt, s->seq) || c->fin_got) {
        c->owed = AT_ONCE; /* out of order, or again: say at once what is missing */
        if (!c->fin_got && (c->sack || c->host->conf.keeps))
            mconn_hold(c, s->seq, s->data, s->len);
        return;
    }
    uint32_t n = s->len > skip ? s->len - skip : 0, room = mconn_edge(c) - c->rcv_nxt;
    bool whole = n <= room;
    n = whole ? n : room;
    if (skip) {
        c->owed = AT_ONCE;
        c->twice = (struct range){s->seq, s->len > skip ? c->rcv_nxt : s->seq + s->len};
    }
    if (n) {
        memcpy(c->buffer + c->unread, s->data + skip, n);
        c->unread += n;
        c->rcv_nxt += n;
        c->owed = c->nheld ? AT_ONCE : c->owed; /* RFC 5681 4.2 */
        mconn_held_due(c);
    }
    if (s->flags & FIN && whole && s->seq + s->len == c->rcv_nxt) {
        c->rcv_nxt++;
        c->fin_got = true;
        c->owed = AT_ONCE;
        if (c->state == M_ESTABLISHED)
            c->state = M_CLOSE_WAIT;
        else if (c->state == M_FIN_WAIT_1)
            c->state = M_CLOSING;
        else if (c->state == M_FIN_WAIT_2)
            mconn_time_wait(c);
    }
}

static void other_states(struct mconn *c, const struct segment *s)
{
    mconn_watch(c, s);
    if (!acceptable(c, s)) {
        if (s->len && seq_upto(s->seq + s->len, c->rcv_nxt))
            c->twice = (struct range){s->seq, s->seq + s->len};
        if (!(s->flags & RST))
            mconn_ack(c);
        if (c->state == M_TIME_WAIT && s->flags & FIN)
            mconn_time_wait(c);
        return;
    }
    if (s->flags & RST) {         /* RFC 5961 3.2 */
        if (s->seq == c->rcv_nxt) /* 3.10.7.4: after both FINs the user is told nothing bad */
            mconn_end(c, c->state < M_CLOSING);
        else
            mconn_ack(c);
        return;
    }
    if (s->flags & SYN) { /* RFC 5961 4.2 */
        mconn_ack(c);
        return;
    }
    if (c->stamps && s->stamped && seq_upto(s->seq, c->rcv_nxt))
        c->ts_recent = s->tsval;
    if (!ack_input(c, s))
        return;
    /* After close, what the other side still sends finds no reader: here the buffer takes it. */
    text_input(c, s);
}

static void listening(struct model *m, uint32_t from, const uint8_t *t, const struct segment *s)
{
    uint16_t port = (uint16_t)get2(t + 2), peer_port = (uint16_t)get2(t);
    bool syn = (s->flags & (SYN | ACK | RST | FIN)) == SYN;
    struct end *e = syn && m->accept ? m->accept(m->arg, peer_port) : NULL;
    struct mconn *c = e ? mconn_make(m, e, from, peer_port, port) : NULL;
    if (!c) {
        if (!(s->flags & RST)) /* 3.10.7.1 */
            mconn_answer_reset(m, from, peer_port, port, s->ack,
                               s->seq + s->len + (s->flags & SYN ? 1 : 0) +
                                   (s->flags & FIN ? 1 : 0),
                               !(s->flags & ACK));
        return;
    }
    options_agree(c, s);
    c->irs = s->seq;
    c->rcv_nxt = c->rcv_edge = s->seq + 1;
    c->snd_wnd = s->wnd;
    c->snd_wl1 = s->seq;
    c->state = M_SYN_RECEIVED;
    mconn_resend(c);
    mconn_work(c);
}

void mconn_input(struct model *m, uint32_t from, const uint8_t *t, size_t n)
{
    struct segment s;
    if (!segment_parse(t, n, &s))
        return;
    for (int i = 0; i < m->nconn; i++) {
        struct mconn *c = &m->conn[i];
        if (c->state == M_CLOSED || c->state == M_UNREAD || c->peer != from ||
            c->peer_port != get2(t) || c->port != get2(t + 2))
            continue;
        c->kept = 0;
        c->keep_at = 0;
        if (m->conf.quirks.keep_ns)
            c->again = 0; /* it is there, though its window may be closed (RFC 9293 3.8.6.1) */
        if (c->state == M_SYN_SENT)
            syn_sent(c, &s);
        else
            other_states(c, &s);
        if (c->state != M_CLOSED)
            mconn_work(c);
        return;
    }
    listening(m, from, t, &s);
}

void mconn_too_long(struct model *m, uint32_t to, const uint8_t *quoted, unsigned mtu)
{
    for (int i = 0; i < m->nconn; i++) {
        struct mconn *c = &m->conn[i];
        uint32_t seq = get4(quoted + 4);
        if (c->state == M_CLOSED || c->peer != to || c->port != get2(quoted) ||
            c->peer_port != get2(quoted + 2))
            continue;
        bool ours = !seq_before(seq, c->iss) && seq_before(seq, c->snd_max);
        if (!ours && !m->conf.late) /* RFC 5927 4.1 */
            m->wrong = "sends an ICMP error about what was never sent";
        if (!ours || seq_before(seq, c->snd_una) || c->state < M_ESTABLISHED || mtu < 68 + 40 ||
            c->mss <= mtu - 40)
            continue;
        c->mss = (uint16_t)(mtu - 40);
        c->snd_nxt = c->snd_una;
        mconn_work(c);
        return;
    }
}
