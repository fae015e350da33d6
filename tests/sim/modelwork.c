/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model host's TCP: its timers, and the application behind it. A retransmission time-out
 * doubles from 300 ms to 8 s, and it gives up as late as the scene says. No congestion control:
 * `flight` segments at most.
 */
#include <string.h>

#include "tests/sim/bytes.h"
#include "tests/sim/modelout.h"

enum { RTO_FIRST_MS = 300, RTO_MAX_MS = 8000 };

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
    uint64_t now = mconn_now(c), n;
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
    if (!c->fin_got && mconn_edge(c) - c->rcv_edge >= mconn_worth(c) &&
        (c->rcv_edge - c->rcv_nxt) * 2 <= c->host->conf.buffer)
        c->owed = AT_ONCE;
}

static void write_some(struct mconn *c)
{
    uint64_t n, now = mconn_now(c);
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
        mconn_transmit(c, c->snd_nxt, ACK | (c->snd_nxt + n == last ? (unsigned)PSH : 0U), n);
        c->snd_nxt += n;
    }
    if (c->end->shut && c->snd_nxt == last && seq_upto(last, edge)) {
        mconn_transmit(c, last, FIN | ACK, 0);
        c->snd_nxt = last + 1;
    }
    if (seq_before(c->snd_max, c->snd_nxt))
        c->snd_max = c->snd_nxt;
}

/* Of a silent peer (RFC 9293 3.8.4): the last byte again, or nothing, with its number. */
static void keep_alive(struct mconn *c)
{
    if (++c->kept > KEEP_PROBES) {
        mconn_end(c, true);
        return;
    }
    bool byte = c->end->sent && !c->end->shut && rng_below(&c->host->random, 2);
    mconn_transmit(c, c->snd_una - 1, ACK, byte);
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
        mconn_transmit(c, c->snd_una, byte ? ACK : FIN | ACK, byte ? 1 : 0);
        c->snd_nxt = c->snd_una + 1;
        if (seq_before(c->snd_max, c->snd_nxt))
            c->snd_max = c->snd_nxt;
    }
}

static void event(void *arg)
{
    struct mconn *c = arg;
    uint64_t now = mconn_now(c);
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
    if (c->keep_at && c->keep_at <= now) {
        c->keep_at = 0;
        keep_alive(c);
        if (c->state == M_CLOSED)
            return;
    }
    if (c->ack_at && c->ack_at <= now)
        c->owed = AT_ONCE;
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
    uint64_t now = mconn_now(c), next = end_next(c->end, now);
    uint64_t rto = (uint64_t)RTO_FIRST_MS << (c->tries < 6 ? c->tries : 6);
    if (!waiting(c))
        c->rto_at = 0;
    else if (!c->rto_at)
        c->rto_at = now + (rto < RTO_MAX_MS ? rto : RTO_MAX_MS) * MS;
    bool silent = c->state >= M_ESTABLISHED && c->state < M_TIME_WAIT && !c->rto_at;
    if (!silent || !c->host->conf.quirks.keep_ns)
        c->keep_at = 0;
    else if (!c->keep_at)
        c->keep_at = now + c->host->conf.quirks.keep_ns;
    earlier(&next, c->rto_at);
    earlier(&next, c->keep_at);
    earlier(&next, c->ack_at);
    earlier(&next, c->wait_at);
    if (next == UINT64_MAX || (c->event_at && c->event_at <= next))
        return;
    c->event_at = next;
    simworld_at(c->host->world, next, event, c);
}

/* Segments that wait for one acknowledgement (RFC 1122 4.2.3.2: two). */
static unsigned owed_most(const struct mconn *c)
{
    const struct quirks *q = &c->host->conf.quirks;
    return q->stretch && mconn_quirky(c) ? q->stretch : 2;
}

/* In several pieces, if that is its way; the edge that they tell is the same. */
static void pay(struct mconn *c)
{
    uint32_t n = mconn_quirky(c) ? c->host->conf.quirks.divide : 0;
    uint32_t all = c->rcv_nxt - c->told, step = n ? all / n : 0;
    for (uint32_t done = step; step && done < all; done += step) {
        c->ack_back = all - done;
        mconn_transmit(c, c->snd_nxt, ACK, 0);
    }
    c->ack_back = 0;
    mconn_ack(c);
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
            mconn_transmit(c, c->snd_nxt, RST | ACK, 0);
            c->state = M_CLOSED;
            return;
        }
        send_some(c);
        if (c->owed >= owed_most(c) || (c->owed && !c->host->conf.delack_ns))
            pay(c);
        else if (c->owed && !c->ack_at)
            c->ack_at = mconn_now(c) + c->host->conf.delack_ns;
    }
    timers_set(c);
}

void model_work(struct model *m)
{
    for (int i = 0; i < m->nconn; i++)
        if (m->conn[i].state != M_CLOSED)
            mconn_work(&m->conn[i]);
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
