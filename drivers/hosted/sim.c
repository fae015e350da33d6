/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulated link. Frames travel as copies, so a kernel's messages never leave it. Every choice
 * is drawn from the link's own random numbers in the order of sending. Its cards are in simcard.c.
 */
#include "drivers/hosted/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/hosted/simparts.h"

enum { WIRE_OVERHEAD = 24 /* preamble, FCS, gap */, TCP_AT = 34 /* in a frame */ };

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
        if (l->end[e].card)
            simcard_empty(l->end[e].card);
        free(l->end[e].card);
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
    } else if (c && simcard_take(c, e->frame, e->len)) {
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

/* Two different words, so that the sum stays and the segment does not. */
static bool swap(struct simlink *l, uint8_t *frame, size_t n)
{
    uint64_t words = n > TCP_AT ? (n - TCP_AT) / 2 : 0;
    if (words < 2 || frame[12] != 8 || frame[13] != 0 || frame[14] != 0x45 || frame[23] != 6)
        return false;
    uint8_t *a = frame + TCP_AT + 2 * rng_below(&l->random, words);
    uint8_t *b = frame + TCP_AT + 2 * rng_below(&l->random, words), kept[2];
    memcpy(kept, a, 2);
    memcpy(a, b, 2);
    memcpy(b, kept, 2);
    return memcmp(a, b, 2) != 0;
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
    if (rng_chance(&l->random, way->swap_ppm))
        s->swapped += swap(l, e.frame, n);
    if (rng_chance(&l->random, way->cut_ppm)) {
        e.len = (uint32_t)rng_below(&l->random, n);
        s->cut++;
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
    } else if (way->mtu && n > way->mtu + CARD_HEADER) {
        s->too_long++;
        if (l->conf.too_long)
            l->conf.too_long(l->conf.too_long_arg, end, frame, n);
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
