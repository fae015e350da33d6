/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model host's TCP: what goes out, its timers, and the application behind it. A retransmission
 * time-out doubles from 300 ms to 8 s, and it gives up as late as the scene says. No congestion
 * control: `flight` segments at most.
 */
#include "tests/sim/modelout.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bytes.h"

enum { RTO_FIRST_MS = 300, RTO_MAX_MS = 8000, HEADER_MAX = 60, DATA_MAX = 1460, ISS_STEP = 20011 };

static uint64_t now_of(const struct mconn *c)
{
    return simworld_now(c->host->world);
}

struct mconn *mconn_make(struct model *m, struct end *e, uint32_t peer, uint16_t peer_port,
                         uint16_t port)
{
    if (m->nconn == MODEL_CONNS)
        return NULL;
    struct mconn *c = &m->conn[m->nconn++];
    c->host = m;
    c->end = e;
    c->peer = peer;
    c->peer_port = peer_port;
    c->port = port;
    c->mss = 536;
    c->iss = m->iss += ISS_STEP;
    c->snd_una = c->snd_nxt = c->snd_max = c->iss;
    c->buffer = calloc(1, m->conf.buffer + 1);
    c->rcv_scale = m->conf.wscale ? m->conf.scale : 0;
    while (m->conf.wscale && m->conf.buffer >> c->rcv_scale > 65535)
        c->rcv_scale++;
    c->first_stamp = mconn_stamp(c);
    return c;
}

uint32_t mconn_stamp(const struct mconn *c)
{
    return c->host->conf.clock + (uint32_t)(now_of(c) / c->host->conf.tick_ns);
}

uint32_t mconn_edge(const struct mconn *c)
{
    return c->rcv_nxt + (c->host->conf.buffer - c->unread);
}

/* By how much an edge has to move to be told (RFC 9293 3.8.6.2.2). */
static uint32_t worth_telling(const struct mconn *c)
{
    uint32_t worth = c->host->conf.buffer / 2;
    worth = worth < c->mss ? worth : c->mss;
    return worth > 1U << c->rcv_scale ? worth : 1U << c->rcv_scale;
}

static uint32_t window(struct mconn *c)
{
    uint32_t edge = mconn_edge(c), worth = worth_telling(c);
    uint32_t wnd = edge - c->rcv_edge >= worth || seq_before(c->rcv_edge, c->rcv_nxt)
                       ? edge - c->rcv_nxt
                       : c->rcv_edge - c->rcv_nxt;
    wnd = wnd >> c->rcv_scale;
    wnd = wnd > 65535 ? 65535 : wnd;
    if (seq_before(c->rcv_edge, c->rcv_nxt + (wnd << c->rcv_scale)))
        c->rcv_edge = c->rcv_nxt + (wnd << c->rcv_scale);
    return wnd;
}

static size_t stamps_put(const struct mconn *c, uint8_t *option)
{
    option[0] = 8;
    option[1] = 10;
    put4(option + 2, mconn_stamp(c));
    put4(option + 6, c->ts_recent);
    return 10;
}

/* Without SYN. As everybody does, NOP NOP first; or crooked: SACK before the stamps, padded behind
 * (RFC 9293 3.1 knows no order). room: bytes that options may take. */
static size_t options_put(struct mconn *c, uint8_t *t, size_t room)
{
    bool crooked = c->host->conf.crooked;
    size_t n = 0, stamps = c->stamps ? 12 : 0;
    room = room < 40 ? room : 40;
    if (!crooked && c->stamps) {
        t[n] = t[n + 1] = 1;
        n += 2 + stamps_put(c, t + n + 2);
    }
    size_t blocks =
        room < stamps + 12 ? 0 : mconn_blocks_put(c, t + n + (crooked ? 0 : 2), room - stamps - 2);
    if (blocks && !crooked)
        t[n] = t[n + 1] = 1;
    n += blocks && !crooked ? blocks + 2 : blocks;
    if (crooked && c->stamps)
        n += stamps_put(c, t + n);
    while (n % 4)
        t[n++] = 1;
    return n;
}

static size_t options_syn_put(const struct mconn *c, uint8_t *t)
{
    const struct model_conf *conf = &c->host->conf;
    size_t n = 20;
    bool first = c->state != M_SYN_RECEIVED; /* else: what was agreed */
    t[n] = 2;
    t[n + 1] = 4;
    put2(t + n + 2, conf->mss);
    n += 4;
    if (first ? conf->wscale : c->scaled) {
        t[n] = 1;
        t[n + 1] = 3;
        t[n + 2] = 3;
        t[n + 3] = c->rcv_scale;
        n += 4;
    }
    if (first ? conf->sackok : c->sack) {
        t[n] = t[n + 1] = 1;
        t[n + 2] = 4;
        t[n + 3] = 2;
        n += 4;
    }
    if (first ? conf->stamps : c->stamps) {
        t[n] = t[n + 1] = 1;
        n += 2 + stamps_put(c, t + n + 2);
    }
    return n;
}

static void transmit(struct mconn *c, uint32_t seq, unsigned flags, uint32_t len)
{
    uint8_t t[HEADER_MAX + DATA_MAX] = {0};
    /* A full segment has no room for blocks; they go with those that are smaller (RFC 6691). */
    size_t header = flags & SYN ? options_syn_put(c, t) : 20 + options_put(c, t + 20, c->mss - len);
    uint32_t wnd;
    put2(t, c->port);
    put2(t + 2, c->peer_port);
    put4(t + 4, seq);
    if (flags & ACK)
        put4(t + 8, c->rcv_nxt);
    t[12] = (uint8_t)(header / 4 << 4);
    t[13] = (uint8_t)flags;
    if (flags & SYN) { /* never scaled (RFC 7323 2.2) */
        wnd = c->host->conf.buffer > 65535 ? 65535 : c->host->conf.buffer;
        if (flags & ACK)
            c->rcv_edge = c->rcv_nxt + wnd;
    } else {
        wnd = window(c);
    }
    put2(t + 14, wnd);
    if (len)
        end_peek(c->end, seq - c->iss - 1, t + header, len);
    if (flags & ACK) {
        c->owed = 0;
        c->ack_at = 0;
    }
    model_send(c->host, c->peer, t, header + len);
}

void mconn_ack(struct mconn *c)
{
    transmit(c, c->snd_nxt, ACK, 0);
}

/* Of a connection that is there: what its state and SND.UNA ask for. */
void mconn_resend(struct mconn *c)
{
    c->snd_nxt = c->snd_una;
    if (c->state == M_SYN_SENT || c->state == M_SYN_RECEIVED) {
        transmit(c, c->iss, c->state == M_SYN_SENT ? SYN : SYN | ACK, 0);
        c->snd_nxt = c->snd_max = c->iss + 1;
    }
}

void mconn_time_wait(struct mconn *c)
{
    c->state = M_TIME_WAIT;
    c->rto_at = 0;
    c->wait_at = now_of(c) + 2 * c->host->conf.msl_ns;
}

/* A connection that ended well is forgotten, but its application may still have to read. */
void mconn_end(struct mconn *c, bool reset)
{
    c->state = reset || c->fin_told ? M_CLOSED : M_UNREAD;
    c->rto_at = c->ack_at = c->wait_at = 0;
    c->owed = 0;
    if (reset)
        end_reset(c->end);
    else if (c->fin_told)
        end_closed(c->end);
    else
        mconn_work(c);
}

void mconn_answer_reset(struct model *m, uint32_t to, uint16_t to_port, uint16_t port, uint32_t seq,
                        uint32_t ack, bool with_ack)
{
    uint8_t t[20] = {0};
    put2(t, port);
    put2(t + 2, to_port);
    if (with_ack)
        put4(t + 8, ack);
    else
        put4(t + 4, seq);
    t[12] = 5 << 4;
    t[13] = (uint8_t)(with_ack ? RST | ACK : RST);
    model_send(m, to, t, sizeof t);
}

/* Bytes of the buffer in use: unread ones, holes, and what came out of order. */
static size_t filled(const struct mconn *c)
{
    uint32_t right = c->rcv_nxt;
    for (int i = 0; i < c->nheld; i++)
        if (seq_before(right, c->held[i].right))
            right = c->held[i].right;
    return c->unread + (right - c->rcv_nxt);
}

static void read_some(struct mconn *c)
{
    uint64_t now = now_of(c), n;
    while ((n = end_takes(c->end, now, c->unread)) > 0) {
        end_push(c->end, now, c->buffer, n);
        memmove(c->buffer, c->buffer + n, filled(c) - n);
        c->unread -= (uint32_t)n;
    }
    if (c->fin_got && !c->fin_told && !c->unread) {
        c->fin_told = true;
        end_finished(c->end);
    }
    if (c->state == M_UNREAD) {
        if (c->fin_told)
            mconn_end(c, false);
        return;
    }
    /* The window has opened by half the buffer or a segment: tell. */
    if (!c->fin_got && mconn_edge(c) - c->rcv_edge >= worth_telling(c) &&
        (c->rcv_edge - c->rcv_nxt) * 2 <= c->host->conf.buffer)
        c->owed = 2;
}

static void write_some(struct mconn *c)
{
    uint64_t n, now = now_of(c);
    uint8_t bytes[2048];
    if (c->state != M_ESTABLISHED && c->state != M_CLOSE_WAIT)
        return;
    /* The application's bytes can be had again by their place, so a send buffer is not needed; but
     * no more than 64 KiB are taken ahead of what was acknowledged. */
    while (c->iss + 1 + (uint32_t)c->end->sent - c->snd_una < 65536 &&
           (n = end_ready(c->end, now)) > 0)
        end_pull(c->end, bytes, n < sizeof bytes ? n : sizeof bytes);
    if (!end_wants_shut(c->end))
        return;
    c->end->shut = true;
    c->state = c->state == M_ESTABLISHED ? M_FIN_WAIT_1 : M_LAST_ACK;
}

static void send_some(struct mconn *c)
{
    if (c->state < M_ESTABLISHED || c->state >= M_TIME_WAIT)
        return;
    uint32_t gap, last = c->iss + 1 + (uint32_t)c->end->sent; /* behind the last byte */
    uint32_t most = (uint32_t)c->host->conf.flight * c->mss, mss = c->mss - (c->stamps ? 12U : 0U);
    uint32_t edge = c->snd_una + (c->snd_wnd < most ? c->snd_wnd : most);
    while ((gap = mconn_gap(c, &c->snd_nxt)) && seq_before(c->snd_nxt, last) &&
           seq_before(c->snd_nxt, edge)) {
        uint32_t n = last - c->snd_nxt;
        n = n < edge - c->snd_nxt ? n : edge - c->snd_nxt;
        n = n < mss ? n : mss;
        n = n < gap ? n : gap;
        transmit(c, c->snd_nxt, ACK | (c->snd_nxt + n == last ? (unsigned)PSH : 0U), n);
        c->snd_nxt += n;
    }
    if (c->end->shut && c->snd_nxt == last && seq_upto(last, edge)) {
        transmit(c, last, FIN | ACK, 0);
        c->snd_nxt = last + 1;
    }
    if (seq_before(c->snd_max, c->snd_nxt))
        c->snd_max = c->snd_nxt;
}

/* Something of ours is waiting: for an acknowledgement, or for a window. */
static bool waiting(const struct mconn *c)
{
    if (c->state == M_CLOSED || c->state >= M_TIME_WAIT || c->state == M_FIN_WAIT_2)
        return false;
    return c->snd_una != c->iss + 1 + (uint32_t)c->end->sent + (c->end->shut ? 1 : 0);
}

static void time_out(struct mconn *c)
{
    c->tries += c->tries < 10;
    if (++c->again > c->host->conf.patience && c->host->conf.patience) {
        mconn_end(c, true); /* RFC 9293 3.8.3, R2 */
        return;
    }
    c->dups = 0;
    c->nhad = 0; /* RFC 2018 8 */
    mconn_resend(c);
    if (c->state >= M_ESTABLISHED && c->snd_wnd == 0) { /* 3.8.6.1: probe with one byte */
        uint32_t last = c->iss + 1 + (uint32_t)c->end->sent;
        bool byte = seq_before(c->snd_una, last);
        transmit(c, c->snd_una, byte ? ACK : FIN | ACK, byte ? 1 : 0);
        c->snd_nxt = c->snd_una + 1;
        if (seq_before(c->snd_max, c->snd_nxt))
            c->snd_max = c->snd_nxt;
    }
}

static void event(void *arg)
{
    struct mconn *c = arg;
    uint64_t now = now_of(c);
    if (c->event_at > now)
        return; /* a later one has been asked for since */
    c->event_at = 0;
    if (c->host->gone || c->state == M_CLOSED)
        return;
    if (c->rto_at && c->rto_at <= now) {
        c->rto_at = 0;
        time_out(c);
        if (c->state == M_CLOSED)
            return;
    }
    if (c->ack_at && c->ack_at <= now)
        c->owed = 2;
    if (c->wait_at && c->wait_at <= now) {
        mconn_end(c, false);
        return;
    }
    mconn_work(c);
}

static void earlier(uint64_t *at, uint64_t other)
{
    if (other && other < *at)
        *at = other;
}

static void timers_set(struct mconn *c)
{
    uint64_t now = now_of(c), next = end_next(c->end, now);
    uint64_t rto = (uint64_t)RTO_FIRST_MS << (c->tries < 6 ? c->tries : 6);
    if (!waiting(c))
        c->rto_at = 0;
    else if (!c->rto_at)
        c->rto_at = now + (rto < RTO_MAX_MS ? rto : RTO_MAX_MS) * MS;
    earlier(&next, c->rto_at);
    earlier(&next, c->ack_at);
    earlier(&next, c->wait_at);
    if (next == UINT64_MAX || (c->event_at && c->event_at <= next))
        return;
    c->event_at = next;
    simworld_at(c->host->world, next, event, c);
}

void mconn_work(struct mconn *c)
{
    if (c->state >= M_ESTABLISHED) {
        read_some(c);
        if (c->state == M_CLOSED)
            return;
        write_some(c);
        if (end_wants_abort(c->end)) {
            c->end->state = END_ABORTED;
            transmit(c, c->snd_nxt, RST | ACK, 0);
            c->state = M_CLOSED;
            return;
        }
        send_some(c);
        if (c->owed >= 2 || (c->owed && !c->host->conf.delack_ns))
            mconn_ack(c);
        else if (c->owed && !c->ack_at)
            c->ack_at = now_of(c) + c->host->conf.delack_ns;
    }
    timers_set(c);
}

uint16_t model_connect(struct model *m, struct end *e, uint32_t to, uint16_t port)
{
    struct mconn *c = mconn_make(m, e, to, port, m->next_port++);
    if (!c) {
        e->wrong = "the model host has no more connections";
        return 0;
    }
    c->state = M_SYN_SENT;
    mconn_resend(c);
    timers_set(c);
    return c->port;
}
