/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulated link and its cards. Frames travel as copies, so a kernel's messages never leave it.
 * Every choice is drawn from the link's own random numbers in the order of sending.
 */
#include "drivers/hosted/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/hosted/simparts.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum { FRAME_MAX = 16384, WIRE_OVERHEAD = 24 /* preamble, FCS, gap */ };

struct simlink *simlink_make(const struct simlink_conf *c)
{
    struct simlink *l = sim_alloc(sizeof *l);
    l->conf = *c;
    l->number = c->world->nlinks++;
    snprintf(l->name, sizeof l->name, "%s", c->name ? c->name : "");
    rng_seed(&l->random, c->seed);
    l->next = c->world->links;
    c->world->links = l;
    return l;
}

void simlink_free(struct simlink *l)
{
    for (int e = 0; e < 2; e++) {
        struct simcard *c = l->end[e].card;
        for (; c && c->head != c->tail; c->head++)
            free(c->ring[c->head % SIM_RING].bytes);
        free(c);
    }
    free(l);
}

struct simway *simlink_way(struct simlink *l, int end)
{
    return &l->conf.way[end];
}

const struct simlink_stats *simlink_stats(const struct simlink *l, int end)
{
    return &l->end[end].stats;
}

void simlink_attach(struct simlink *l, int end,
                    void (*fn)(void *arg, const uint8_t *frame, size_t n), void *arg)
{
    l->end[end].fn = fn;
    l->end[end].arg = arg;
}

void simlink_arrive(struct simevent *e)
{
    struct simlink *l = e->link;
    struct simcard *c = l->end[e->end].card;
    if (l->conf.tap)
        l->conf.tap(l->conf.tap_arg, e->end, true, e->frame, e->len);
    if (l->end[e->end].fn) {
        l->end[e->end].fn(l->end[e->end].arg, e->frame, e->len);
    } else if (c && c->tail - c->head < SIM_RING) {
        c->ring[c->tail++ % SIM_RING] = (struct simframe){e->frame, e->len};
        l->end[!e->end].stats.arrived++;
        return;
    } else {
        l->end[!e->end].stats.ring_full++;
        free(e->frame);
        return;
    }
    l->end[!e->end].stats.arrived++;
    free(e->frame);
}

/* When a frame of n bytes sent now has left, by the rate of the link; 0: the queue is full. */
static uint64_t departure(struct simlink *l, int end, uint64_t now, size_t n)
{
    const struct simway *way = &l->conf.way[end];
    uint64_t begin = l->end[end].busy > now ? l->end[end].busy : now;
    if (!way->rate_bps)
        return now;
    if (way->queue_bytes && (begin - now) * (way->rate_bps / 8) / SECOND + n > way->queue_bytes)
        return 0;
    l->end[end].busy = begin + (n + WIRE_OVERHEAD) * 8 * SECOND / way->rate_bps;
    return l->end[end].busy;
}

static void copy_send(struct simlink *l, int end, uint64_t left, const uint8_t *frame, size_t n)
{
    const struct simway *way = &l->conf.way[end];
    struct simlink_stats *s = &l->end[end].stats;
    uint64_t at = left + way->delay_ns;
    if (way->jitter_ns)
        at += rng_below(&l->random, way->jitter_ns);
    if (rng_chance(&l->random, way->reorder_ppm)) {
        s->reordered++;
        at += way->reorder_ns ? rng_below(&l->random, way->reorder_ns) : 0;
    } else {
        if (at < l->end[end].last)
            at = l->end[end].last;
        l->end[end].last = at;
    }
    struct simevent e = {.ns = at, .link = l, .len = (uint32_t)n, .end = !end};
    e.frame = sim_alloc(n + 1);
    memcpy(e.frame, frame, n);
    if (n > CARD_HEADER && rng_chance(&l->random, way->damage_ppm)) {
        uint64_t bit = rng_below(&l->random, (n - CARD_HEADER) * 8);
        e.frame[CARD_HEADER + bit / 8] ^= (uint8_t)(1U << bit % 8);
        s->damaged++;
    }
    simworld_push(l->conf.world, &e);
}

static bool is_lost(struct simlink *l, int end)
{
    const struct simway *way = &l->conf.way[end];
    if (way->down)
        return true;
    if (l->end[end].gone) {
        l->end[end].gone--;
        return true;
    }
    bool lost = rng_chance(&l->random, way->loss_ppm);
    if (lost && way->burst > 1)
        l->end[end].gone = rng_below(&l->random, way->burst);
    return lost;
}

static void seed_by_number(struct simlink *l, int end)
{
    uint64_t mixed = l->conf.seed;
    rng_seed(&l->random, rng_mix(&mixed) ^ (l->end[end].stats.sent << 1 | (unsigned)end));
}

void simlink_send(struct simlink *l, int end, const uint8_t *frame, size_t n)
{
    const struct simway *way = &l->conf.way[end];
    struct simlink_stats *s = &l->end[end].stats;
    uint64_t now = l->conf.world->now, left;
    if (l->conf.by_number)
        seed_by_number(l, end);
    s->sent++;
    s->bytes += n;
    if (l->conf.trace)
        pcapfile_add(l->conf.trace, now, frame, n);
    if (l->conf.tap)
        l->conf.tap(l->conf.tap_arg, end, false, frame, n);
    if (is_lost(l, end)) {
        s->lost++;
    } else if (!(left = departure(l, end, now, n)) && way->rate_bps) {
        s->overflowed++;
    } else {
        copy_send(l, end, left, frame, n);
        if (rng_chance(&l->random, way->double_ppm)) {
            s->doubled++;
            copy_send(l, end, left, frame, n);
        }
    }
}

static struct simcard *of(const struct netdev *d)
{
    return CONTAINER((uintptr_t)d, struct simcard, card.dev);
}

static int rx(struct netdev *d, struct msg **burst, int n)
{
    struct simcard *c = of(d);
    int got = 0;
    if (c->alone)
        simworld_due(c->link->conf.world, d->k->now);
    while (got < n && c->head != c->tail) {
        struct simframe f = c->ring[c->head++ % SIM_RING];
        struct msg *m = f.len <= CARD_ROOM ? card_buffer(&c->card) : NULL;
        if (m) {
            memcpy(msg_put(m, f.len), f.bytes, f.len);
            burst[got++] = m;
        } else {
            d->k->drops[f.len <= CARD_ROOM ? DROP_NO_BUFFER : DROP_NIC_BAD]++;
        }
        free(f.bytes);
    }
    return got;
}

static int tx(struct netdev *d, struct msg **burst, int n)
{
    struct simcard *c = of(d);
    uint8_t frame[FRAME_MAX];
    if (c->alone)
        simworld_due(c->link->conf.world, d->k->now);
    for (int i = 0; i < n; i++) {
        struct msg *m = burst[i];
        if (m->total > sizeof frame || !msg_peek(m, 0, frame, m->total)) {
            msg_drop(d->k, m, DROP_NIC_BAD);
            continue;
        }
        simlink_send(c->link, c->end, frame, m->total);
        msg_free(m);
    }
    return n;
}

/* Only for the program's own links: in a world, the world knows. */
static uint64_t next(const struct card *card)
{
    const struct simcard *c = of(&card->dev);
    return !c->alone ? UINT64_MAX : c->head != c->tail ? 0 : simworld_next(c->link->conf.world);
}

const struct netdev_ops sim_ops = {
    .model = "sim",
    .start = card_start,
    .stop = card_stop,
    .rx = rx,
    .tx = tx,
    .irq = card_irq,
    .pending = card_pending,
};

static struct simcard *card_make(struct simlink *l, struct kernel *k, int end,
                                 const struct card_options *o)
{
    struct simcard *c = sim_alloc(sizeof *c);
    char where[32];
    snprintf(where, sizeof where, "sim:%s/%d", l->name, end);
    card_init(&c->card, &sim_ops, where, o);
    c->link = l;
    c->end = end;
    l->end[end].card = c;
    if (netdev_add(k, &c->card.dev) != OK) {
        fprintf(stderr, "simulation: no room for another card\n");
        plat_exit(1);
    }
    return c;
}

struct netdev *simlink_end(struct simlink *l, struct kernel *k, int end)
{
    struct card_options o = {
        {0x52, 0x54, 0, (uint8_t)(l->number >> 8), (uint8_t)l->number, (uint8_t)(14 + end)},
        l->conf.mtu ? l->conf.mtu : CARD_MTU};
    simworld_add(l->conf.world, k);
    return &card_make(l, k, end, &o)->card.dev;
}

/* --- sim:NAME of the program: each link is a world of its own, moved on by its cards --- */

static void alone_close(struct card *card)
{
    struct simcard *c = of(&card->dev);
    struct simlink *l = c->link;
    for (; c->head != c->tail; c->head++)
        free(c->ring[c->head % SIM_RING].bytes);
    l->end[c->end].card = NULL; /* the struct is hosted_end's to free */
    if (!l->end[!c->end].card)
        simworld_free(l->conf.world);
}

status_t sim_add(struct kernel *k, const char *what, const struct card_options *o)
{
    struct simlink *l = NULL;
    for (int i = 0; i < k->ndevs; i++)
        if (k->devs[i]->ops == &sim_ops && strcmp(of(k->devs[i])->link->name, what) == 0)
            l = of(k->devs[i])->link;
    if (l && l->end[1].card) {
        fprintf(stderr, "sim:%s: has two ends already\n", what);
        return E_NODEV;
    }
    if (!l) {
        struct simlink_conf c = {.world = simworld_make(), .name = what, .seed = 1};
        c.way[0].delay_ns = c.way[1].delay_ns = 10 * US;
        l = simlink_make(&c);
    }
    struct simcard *card = card_make(l, k, l->end[0].card ? 1 : 0, o);
    card->alone = true;
    card->card.close = alone_close;
    card->card.next = next;
    return OK;
}
