/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connections of the crowd, see crowd.h: what is begun, what is said, what comes. What is to be
 * sent waits as a few numbers in a ring per side and becomes a frame when it is asked for.
 */
#include "tests/million/crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/million/crowdparts.h"

static void *get(size_t n, size_t size)
{
    void *mem = calloc(n, size);
    if (!mem) {
        fprintf(stderr, "crowd: no memory\n");
        exit(1);
    }
    return mem;
}

struct crowd *crowd_make(const struct crowd_conf *conf)
{
    struct crowd *c = get(1, sizeof *c);
    c->conf = *conf;
    c->nserver = conf->classical ? UINT16_MAX + 1 : conf->conns;
    c->client = get(conf->conns, sizeof *c->client);
    c->server = get(c->nserver, sizeof *c->server);
    for (int side = 0; side < 2; side++) {
        c->out[side].size = 1024;
        c->out[side].at = get(c->out[side].size, sizeof *c->out[side].at);
    }
    return c;
}

void crowd_free(struct crowd *c)
{
    free(c->client);
    free(c->server);
    free(c->out[0].at);
    free(c->out[1].at);
    free(c);
}

const struct crowd_stats *crowd_stats(const struct crowd *c)
{
    return &c->stats;
}

static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* Different for each connection and side, so that numbers wrap here and there. */
static uint32_t first_number(uint32_t end, enum crowd_side side)
{
    uint64_t x = ((uint64_t)end << 1 | side) * 0x9e3779b97f4a7c15U;
    return (uint32_t)(x >> 32);
}

static void say(struct crowd *c, enum crowd_side side, uint32_t i, uint8_t flags, uint32_t seq,
                uint16_t len)
{
    struct ring *r = &c->out[side];
    const struct end *e = side == CROWD_CLIENT ? &c->client[i] : &c->server[i];
    if (r->tail - r->head == r->size) {
        struct said *wider = get(2 * (size_t)r->size, sizeof *wider);
        for (uint32_t j = 0; j < r->size; j++)
            wider[j] = r->at[(r->head + j) & (r->size - 1)];
        free(r->at);
        *r = (struct ring){wider, 0, r->size, 2 * r->size};
    }
    r->at[r->tail++ & (r->size - 1)] =
        (struct said){i, seq, e->rcv, len, flags, (uint8_t)(e->tx - (e->nxt - seq))};
}

static void send_data(struct crowd *c, enum crowd_side side, uint32_t i, uint16_t len)
{
    struct end *e = side == CROWD_CLIENT ? &c->client[i] : &c->server[i];
    e->nxt += len;
    e->tx = (uint8_t)(e->tx + len);
    say(c, side, i, ACK | PSH, e->nxt - len, len);
}

static void send_fin(struct crowd *c, enum crowd_side side, uint32_t i)
{
    struct end *e = side == CROWD_CLIENT ? &c->client[i] : &c->server[i];
    e->state = FIN_SENT;
    say(c, side, i, ACK | FIN, e->nxt, 0);
    e->nxt++;
}

static void send_ack(struct crowd *c, enum crowd_side side, uint32_t i)
{
    const struct end *e = side == CROWD_CLIENT ? &c->client[i] : &c->server[i];
    say(c, side, i, ACK, e->nxt, 0);
}

/* What is not acknowledged, again, as one segment. */
static void resend(struct crowd *c, enum crowd_side side, uint32_t i)
{
    const struct end *e = side == CROWD_CLIENT ? &c->client[i] : &c->server[i];
    uint32_t n = e->nxt - e->una, fin = e->state == FIN_SENT && n ? 1 : 0;
    c->stats.resent++;
    if (e->state == SYN_SENT || e->state == SYN_RECEIVED) {
        say(c, side, i, e->state == SYN_SENT ? SYN : SYN | ACK, e->una, 0);
    } else if (n - fin > CROWD_SIZE) {
        say(c, side, i, ACK, e->una, CROWD_SIZE);
    } else {
        say(c, side, i, fin ? ACK | FIN : ACK, e->una, (uint16_t)(n - fin));
        /* The FIN's number has no byte. */
        struct ring *r = &c->out[side];
        r->at[(r->tail - 1) & (r->size - 1)].first = (uint8_t)(e->tx - (n - fin));
    }
}

/* --- work --- */

static void exchange(struct crowd *c, uint32_t i)
{
    c->client[i].want += c->work.size;
    send_data(c, CROWD_CLIENT, i, c->work.size);
}

static void begin(struct crowd *c, uint32_t i)
{
    struct end *e = &c->client[i];
    c->begun++;
    if (c->work.phase == CROWD_DATA) {
        exchange(c, i);
    } else if (c->work.phase == CROWD_CLOSE) {
        send_fin(c, CROWD_CLIENT, i);
    } else {
        uint32_t iss = first_number(i, CROWD_CLIENT);
        *e = (struct end){.una = iss,
                          .nxt = iss + 1,
                          .state = SYN_SENT,
                          .tx = (uint8_t)i,
                          .rx = (uint8_t)(i ^ 0x80)};
        say(c, CROWD_CLIENT, i, SYN, iss, 0);
    }
}

static uint64_t planned(const struct crowd *c)
{
    return c->work.phase == CROWD_DATA ? c->work.count : c->work.n;
}

static void fill(struct crowd *c)
{
    while (c->begun < planned(c) && c->begun - c->stats.finished < c->work.width) {
        uint32_t i = c->work.first + c->cursor;
        c->cursor = (c->cursor + 1) % c->work.n;
        begin(c, i);
    }
}

void crowd_start(struct crowd *c, const struct crowd_work *work)
{
    c->work = *work;
    c->stats.finished = 0;
    c->begun = 0;
    c->cursor = 0;
    c->asked[0] = c->asked[1] = false; /* whoever was asked may not have been there yet */
    fill(c);
}

bool crowd_done(const struct crowd *c)
{
    return c->stats.finished == planned(c) && c->out[0].head == c->out[0].tail &&
           c->out[1].head == c->out[1].tail;
}

static void finished(struct crowd *c, uint64_t n)
{
    c->stats.finished += n;
    fill(c);
}

void crowd_kick(struct crowd *c)
{
    for (uint32_t i = c->work.first; i < c->work.first + c->work.n; i++) {
        const struct end *e = &c->client[i];
        bool waits = e->want || e->state == SYN_SENT || e->state == FIN_SENT;
        if (waits)
            resend(c, CROWD_CLIENT, i);
    }
}

/* --- segments --- */

/* The next bytes in order: true. A repeated segment is answered as it was. */
static bool take(struct crowd *c, enum crowd_side side, uint32_t i, const struct frame_seg *s)
{
    struct end *e = side == CROWD_CLIENT ? &c->client[i] : &c->server[i];
    if (s->seq != e->rcv) {
        if (before(s->seq, e->rcv))
            resend(c, side, i);
        return false;
    }
    if (s->len) {
        c->stats.wrong += s->first != e->rx || !s->counts;
        e->rcv += s->len;
        e->rx = (uint8_t)(e->rx + s->len);
    }
    return true;
}

static void answered(struct crowd *c, uint32_t i, uint32_t len)
{
    struct end *e = &c->client[i];
    uint32_t size = c->work.size, had = (e->want + size - 1) / size;
    e->want -= len < e->want ? len : e->want;
    uint32_t done = had - (e->want + size - 1) / size;
    if (c->work.phase == CROWD_OPEN && done)
        c->stats.opened++;
    bool more = c->work.phase == CROWD_DATA && c->work.n <= c->work.width && !c->work.ack &&
                c->begun < planned(c);
    if (!more) {
        send_ack(c, CROWD_CLIENT, i);
        finished(c, done);
        return;
    }
    c->stats.finished += done;
    for (; done && c->begun < planned(c); done--, c->begun++)
        exchange(c, i);
}

void crowd_client_segment(struct crowd *c, uint32_t i, const struct frame_seg *s)
{
    struct end *e = &c->client[i];
    if (e->state == CLOSED)
        return;
    if (s->flags & RST) {
        c->stats.resets++;
        e->state = CLOSED;
        e->want = 0;
        return;
    }
    if (e->state == SYN_SENT) {
        if ((s->flags & (SYN | ACK)) != (SYN | ACK) || s->ack != e->nxt)
            return;
        e->una = s->ack;
        e->rcv = s->seq + 1;
        e->state = OPEN;
        send_ack(c, CROWD_CLIENT, i);
        exchange(c, i);
        return;
    }
    if (s->flags & SYN) {
        send_ack(c, CROWD_CLIENT, i);
        return;
    }
    if (before(e->una, s->ack) && !before(e->nxt, s->ack))
        e->una = s->ack;
    if ((s->len || s->flags & FIN) && take(c, CROWD_CLIENT, i, s)) {
        if (s->len)
            answered(c, i, s->len);
        if (s->flags & FIN) {
            c->stats.resets += e->state != FIN_SENT;
            e->rcv++;
            e->eof = true;
            send_ack(c, CROWD_CLIENT, i);
        }
    }
    if (e->state == FIN_SENT && e->eof && e->una == e->nxt) {
        e->state = CLOSED;
        c->stats.closed++;
        finished(c, 1);
    }
}

void crowd_server_segment(struct crowd *c, uint32_t i, const struct frame_seg *s)
{
    struct end *e = &c->server[i];
    if (s->flags & RST) {
        c->stats.resets += e->state != CLOSED;
        e->state = CLOSED;
        return;
    }
    if (s->flags & SYN) {
        uint32_t iss = first_number(i, CROWD_SERVER);
        if (e->state == CLOSED)
            *e = (struct end){.una = iss, .nxt = iss + 1, .rcv = s->seq + 1, .state = SYN_RECEIVED};
        else
            c->stats.resent++;
        if (e->state == SYN_RECEIVED)
            say(c, CROWD_SERVER, i, SYN | ACK, iss, 0);
        return;
    }
    if (e->state == CLOSED)
        return;
    if (before(e->una, s->ack) && !before(e->nxt, s->ack))
        e->una = s->ack;
    if (e->state == SYN_RECEIVED && e->una == e->nxt)
        e->state = OPEN;
    if (e->state == OPEN && s->len) { /* the client's first byte says which numbers it counts */
        e->state = TALKING;
        e->rx = s->first;
        e->tx = s->first ^ 0x80;
    }
    if ((s->len || s->flags & FIN) && take(c, CROWD_SERVER, i, s)) {
        if (s->len)
            send_data(c, CROWD_SERVER, i, s->len);
        if (s->flags & FIN) {
            e->rcv++;
            send_fin(c, CROWD_SERVER, i);
        }
    }
    if (e->state == FIN_SENT && e->una == e->nxt)
        e->state = CLOSED;
}
