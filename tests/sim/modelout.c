/* SPDX-License-Identifier: BSD-2-Clause */
/* The model host's TCP: connections, and the segments that they send. When they do is
 * modelwork.c's.
 */
#include "tests/sim/modelout.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bytes.h"

enum { HEADER_MAX = 60, DATA_MAX = 1460, ISS_STEP = 20011, OLD_TICKS = 5000 };

uint64_t mconn_now(const struct mconn *c)
{
    return simworld_now(c->host->world);
}

struct mconn *mconn_make(struct model *m, struct end *e, uint32_t peer, uint16_t peer_port,
                         uint16_t port)
{
    struct mconn *c = m->nconn < MODEL_CONNS ? &m->conn[m->nconn++] : NULL;
    for (int i = 0; !c && i < MODEL_CONNS; i++)
        if (m->conn[i].state == M_CLOSED)
            c = &m->conn[i];
    if (!c)
        return NULL;
    free(c->buffer);
    *c = (struct mconn){.host = m, .event_at = c->event_at};
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
    return c->host->conf.clock + (uint32_t)(mconn_now(c) / c->host->conf.tick_ns);
}

uint32_t mconn_edge(const struct mconn *c)
{
    return c->rcv_nxt + (c->host->conf.buffer - c->unread);
}

/* By how much an edge has to move to be told (RFC 9293 3.8.6.2.2). */
uint32_t mconn_worth(const struct mconn *c)
{
    uint32_t worth = c->host->conf.quirks.silly ? 1 : c->host->conf.buffer / 2;
    worth = worth < c->mss ? worth : c->mss;
    return worth > 1U << c->rcv_scale ? worth : 1U << c->rcv_scale;
}

bool mconn_quirky(const struct mconn *c)
{
    return mconn_now(c) < c->host->conf.quirks.calm_ns;
}

bool mconn_quirk(const struct mconn *c, uint32_t ppm)
{
    return ppm && mconn_quirky(c) && rng_chance(&c->host->random, ppm);
}

static uint32_t window(struct mconn *c)
{
    uint32_t edge = mconn_edge(c), worth = mconn_worth(c);
    uint32_t wnd = edge - c->rcv_edge >= worth || seq_before(c->rcv_edge, c->rcv_nxt)
                       ? edge - c->rcv_nxt
                       : c->rcv_edge - c->rcv_nxt;
    wnd = wnd >> c->rcv_scale;
    wnd = wnd > 65535 ? 65535 : wnd;
    if (seq_before(c->rcv_edge, c->rcv_nxt + (wnd << c->rcv_scale)))
        c->rcv_edge = c->rcv_nxt + (wnd << c->rcv_scale);
    if (mconn_quirk(c, c->host->conf.quirks.shrink_ppm)) /* RFC 9293 3.8.6: "shrinking" */
        return (uint32_t)rng_below(&c->host->random, wnd + 1);
    return wnd;
}

/* To the same edge, when less is acknowledged than could be. */
static uint32_t window_before(const struct mconn *c)
{
    uint32_t wnd = (c->rcv_edge - c->told) >> c->rcv_scale;
    return wnd > 65535 ? 65535 : wnd;
}

static size_t stamps_put(const struct mconn *c, uint8_t *option)
{
    option[0] = 8;
    option[1] = 10;
    uint32_t old = mconn_quirk(c, c->host->conf.quirks.old_ppm) && c->state >= M_ESTABLISHED
                       ? (uint32_t)rng_below(&c->host->random, OLD_TICKS)
                       : 0;
    put4(option + 2, mconn_stamp(c) - old);
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
    if (conf->quirks.bare)
        return n;
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

void mconn_transmit(struct mconn *c, uint32_t seq, unsigned flags, uint32_t len)
{
    uint8_t t[HEADER_MAX + DATA_MAX] = {0};
    /* A full segment has no room for blocks; they go with those that are smaller (RFC 6691). */
    size_t header = flags & SYN ? options_syn_put(c, t) : 20 + options_put(c, t + 20, c->mss - len);
    uint32_t wnd;
    put2(t, c->port);
    put2(t + 2, c->peer_port);
    put4(t + 4, seq);
    if (flags & ACK)
        put4(t + 8, c->told = c->rcv_nxt - c->ack_back);
    t[12] = (uint8_t)(header / 4 << 4);
    t[13] = (uint8_t)flags;
    if (flags & SYN) { /* never scaled (RFC 7323 2.2) */
        wnd = c->host->conf.buffer > 65535 ? 65535 : c->host->conf.buffer;
        if (flags & ACK)
            c->rcv_edge = c->rcv_nxt + wnd;
    } else {
        wnd = c->ack_back ? window_before(c) : window(c);
    }
    put2(t + 14, wnd);
    uint32_t behind = c->iss + 1 + (uint32_t)c->end->sent - seq; /* the numbers may have wrapped */
    if (len)
        end_peek(c->end, c->end->sent - behind, t + header, len);
    if (flags & ACK) {
        c->owed = 0;
        c->ack_at = 0;
    }
    model_send(c->host, c->peer, t, header + len);
}

void mconn_ack(struct mconn *c)
{
    mconn_transmit(c, c->snd_nxt, ACK, 0);
}

/* Of a connection that is there: what its state and SND.UNA ask for. */
void mconn_resend(struct mconn *c)
{
    c->snd_nxt = c->snd_una;
    if (c->state == M_SYN_SENT || c->state == M_SYN_RECEIVED) {
        mconn_transmit(c, c->iss, c->state == M_SYN_SENT ? SYN : SYN | ACK, 0);
        c->snd_nxt = c->snd_max = c->iss + 1;
    }
}

void mconn_time_wait(struct mconn *c)
{
    c->state = M_TIME_WAIT;
    c->rto_at = 0;
    c->wait_at = mconn_now(c) + 2 * c->host->conf.msl_ns;
}

/* A connection that ended well is forgotten, but its application may still have to read. */
void mconn_end(struct mconn *c, bool reset)
{
    c->state = reset || c->fin_told ? M_CLOSED : M_UNREAD;
    c->rto_at = c->ack_at = c->wait_at = c->keep_at = 0;
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
