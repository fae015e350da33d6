/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two links of the crowd: a client's connection is found by its address and port, a server's by
 * those of the client, or by the forwarder's port when it is classical.
 */
#include <string.h>

#include "tests/million/crowdparts.h"

enum { PORTS = 5000, FIRST_PORT = 10000 };
static const uint32_t FIRST_ADDRESS = 0x0a000110; /* 10.0.1.16 */
static const uint8_t own_mac[2][6] = {{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 2, 1}};

static uint32_t client_address(uint32_t i)
{
    return FIRST_ADDRESS + i % ADDRESSES;
}

static uint16_t client_port(uint32_t i)
{
    return (uint16_t)(FIRST_PORT + i / ADDRESSES);
}

/* Which connection of that side this is; UINT32_MAX: none. */
static uint32_t end_of(const struct crowd *c, enum crowd_side side, const struct frame_seg *s)
{
    uint32_t addr = side == CROWD_CLIENT ? s->dst : s->src, a = addr - FIRST_ADDRESS;
    uint16_t port = side == CROWD_CLIENT ? s->dport : s->sport;
    bool classical = c->conf.classical && side == CROWD_SERVER;
    uint32_t i = classical ? port : (uint32_t)(port - FIRST_PORT) * ADDRESSES + a;
    if (side == CROWD_CLIENT ? s->src != c->conf.service || s->sport != c->conf.port
                             : s->dst != c->conf.server || s->dport != c->conf.port)
        return UINT32_MAX;
    if (classical ? addr != c->conf.gateway[side]
                  : a >= ADDRESSES || port < FIRST_PORT || i >= c->conf.conns)
        return UINT32_MAX;
    return i;
}

static void arp_came(struct crowd *c, enum crowd_side side, const struct frame_arp *a)
{
    uint32_t n = c->nquestion[side];
    if (a->sender == c->conf.gateway[side]) {
        memcpy(c->mac[side], a->mac, sizeof a->mac);
        c->known[side] = true;
    }
    if (!a->reply && a->sender == c->conf.gateway[side] && a->target != a->sender && n < ADDRESSES)
        c->question[side][c->nquestion[side]++] = *a;
}

void crowd_frame(struct crowd *c, enum crowd_side side, const uint8_t *frame, size_t n)
{
    struct frame_seg s;
    struct frame_arp a;
    enum frame_kind kind = frame_read(frame, n, &s, &a);
    if (kind == FRAME_ARP) {
        arp_came(c, side, &a);
    } else if (kind != FRAME_OTHER) {
        uint32_t i = kind == FRAME_SEG && memcmp(frame, own_mac[side], 6) == 0 ? end_of(c, side, &s)
                                                                               : UINT32_MAX;
        c->stats.arrived[side] += kind == FRAME_SEG;
        if (i == UINT32_MAX)
            c->stats.bad++;
        else if (side == CROWD_CLIENT)
            crowd_client_segment(c, i, &s);
        else
            crowd_server_segment(c, i, &s);
    }
}

bool crowd_stations(const struct crowd *c, enum crowd_side side, uint8_t to[6], uint8_t from[6])
{
    memcpy(to, c->mac[side], sizeof c->mac[side]);
    memcpy(from, own_mac[side], sizeof own_mac[side]);
    return c->known[side];
}

static size_t arp_next(struct crowd *c, enum crowd_side side, uint8_t *frame)
{
    struct frame_arp a = {.sender = side == CROWD_CLIENT ? FIRST_ADDRESS : c->conf.server,
                          .target = c->conf.gateway[side]};
    memcpy(a.mac, own_mac[side], sizeof a.mac);
    if (c->nquestion[side]) {
        const struct frame_arp *q = &c->question[side][--c->nquestion[side]];
        a.reply = true;
        a.sender = q->target;
        return frame_arp(frame, q->mac, &a, q->mac);
    }
    if (c->asked[side])
        return 0;
    c->asked[side] = true;
    return frame_arp(frame, (const uint8_t[6]){255, 255, 255, 255, 255, 255}, &a,
                     (const uint8_t[6]){0});
}

size_t crowd_next(struct crowd *c, enum crowd_side side, uint8_t frame[CROWD_FRAME])
{
    struct ring *r = &c->out[side];
    if (!c->known[side] || c->nquestion[side]) {
        size_t n = arp_next(c, side, frame);
        if (n || !c->known[side])
            return n;
    }
    if (r->head == r->tail)
        return 0;
    const struct said *d = &r->at[r->head++ & (r->size - 1)];
    bool classical = c->conf.classical && side == CROWD_SERVER;
    struct frame_seg s = {.seq = d->seq,
                          .ack = d->flags == SYN ? 0 : d->ack,
                          .flags = d->flags,
                          .first = d->first,
                          .len = d->len};
    uint32_t addr = classical ? c->conf.gateway[side] : client_address(d->end);
    uint16_t port = classical ? (uint16_t)d->end : client_port(d->end);
    s.src = side == CROWD_CLIENT ? addr : c->conf.server;
    s.dst = side == CROWD_CLIENT ? c->conf.service : addr;
    s.sport = side == CROWD_CLIENT ? port : c->conf.port;
    s.dport = side == CROWD_CLIENT ? c->conf.port : port;
    c->stats.sent[side]++;
    return frame_seg(frame, c->mac[side], own_mac[side], &s);
}
