/* SPDX-License-Identifier: BSD-2-Clause */
/* The cards at the ends of simulated links: two rings, and what may befall a card. See sim.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/hosted/simparts.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

static struct simcard *of(const struct netdev *d)
{
    return CONTAINER((uintptr_t)d, struct simcard, card.dev);
}

static uint64_t now_of(const struct simcard *c)
{
    return c->link->conf.world->now;
}

bool simcard_take(struct simcard *c, uint8_t *frame, uint32_t n)
{
    if (c->tail - c->head >= c->slots || !c->card.dev.link)
        return false;
    if (rng_chance(&c->link->random, c->lies_ppm))
        n = rng_below(&c->link->random, 2) ? 0 : CARD_ROOM + 1;
    c->ring[c->tail++ % SIM_RING] = (struct simframe){frame, n};
    return true;
}

void simcard_empty(struct simcard *c)
{
    for (; c->head != c->tail; c->head++)
        free(c->ring[c->head % SIM_RING].bytes);
    while (c->ntx)
        msg_free(c->txring[--c->ntx]);
}

static int rx(struct netdev *d, struct msg **burst, int n)
{
    struct simcard *c = of(d);
    int got = 0;
    if (c->alone)
        simworld_due(c->link->conf.world, d->k->now);
    if (c->deaf_until > now_of(c))
        return 0;
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

static void send(struct simcard *c, struct msg *m)
{
    uint8_t frame[FRAME_MAX];
    if (m->total > sizeof frame || !msg_peek(m, 0, frame, m->total)) {
        msg_drop(c->card.dev.k, m, DROP_NIC_BAD);
        return;
    }
    simlink_send(c->link, c->end, frame, m->total);
    msg_free(m);
}

static void unstick(void *arg)
{
    struct simcard *c = arg;
    if (c->stuck_until > now_of(c) || !c->card.dev.started)
        return;
    for (uint32_t i = 0; i < c->ntx; i++)
        send(c, c->txring[i]);
    c->ntx = 0;
}

static int tx(struct netdev *d, struct msg **burst, int n)
{
    struct simcard *c = of(d);
    int i = 0;
    if (c->alone)
        simworld_due(c->link->conf.world, d->k->now);
    if (!d->link)
        return 0;
    unstick(c);
    for (; i < n && c->stuck_until <= now_of(c); i++)
        send(c, burst[i]);
    for (; i < n && c->ntx < SIM_TXRING; i++)
        c->txring[c->ntx++] = burst[i];
    return i;
}

static void stop(struct netdev *d)
{
    simcard_empty(of(d));
    card_stop(d);
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
    .stop = stop,
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
    c->slots = SIM_RING;
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

/* --- what may befall it --- */

static void nothing(void *arg)
{
    (void)arg; /* it was only to be looked at */
}

void simcard_deaf(struct simlink *l, int end, uint64_t until_ns)
{
    if (!l->end[end].card)
        return;
    l->end[end].card->deaf_until = until_ns;
    simworld_at(l->conf.world, until_ns, nothing, NULL);
}

void simcard_stuck(struct simlink *l, int end, uint64_t until_ns)
{
    if (!l->end[end].card)
        return;
    l->end[end].card->stuck_until = until_ns;
    simworld_at(l->conf.world, until_ns, unstick, l->end[end].card);
}

void simcard_ring(struct simlink *l, int end, uint32_t slots)
{
    if (l->end[end].card)
        l->end[end].card->slots = slots < SIM_RING ? slots : SIM_RING;
}

void simcard_lies(struct simlink *l, int end, uint32_t ppm)
{
    if (l->end[end].card)
        l->end[end].card->lies_ppm = ppm;
}

void simcard_reset(struct simlink *l, int end)
{
    if (l->end[end].card)
        simcard_empty(l->end[end].card);
}

void simcard_carrier(struct simlink *l, int end, bool on)
{
    if (l->end[end].card)
        l->end[end].card->card.dev.link = on;
}

/* --- sim:NAME of the program: each link is a world of its own, moved on by its cards --- */

static void alone_close(struct card *card)
{
    struct simcard *c = of(&card->dev);
    struct simlink *l = c->link;
    simcard_empty(c);
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
