/* SPDX-License-Identifier: BSD-2-Clause */
/* Which faults a seed has, and those that last until the calm. See faults.h. */
#include "tests/sim/faults.h"

#include <stdio.h>
#include <string.h>

#include "tests/sim/alloc.h"
#include "tests/sim/scene.h"

const char *faults_only;

#define FAULT_WORD(name, word, chance)   word,
#define FAULT_CHANCE(name, word, chance) chance,
static const char *const names[] = {FAULTS(FAULT_WORD)};
static const uint8_t chances[] = {FAULTS(FAULT_CHANCE)};

const char *fault_name(enum fault f)
{
    return names[f];
}

static uint64_t between(struct scene *s, uint64_t low, uint64_t high)
{
    return low + rng_below(&s->faults.random, high - low + 1);
}

static bool is_wanted(const char *word)
{
    size_t n = strlen(word);
    for (const char *at = faults_only; at && *at;
         at += strcspn(at, ",") + (at[strcspn(at, ",")] != 0))
        if (strcspn(at, ",") == n && strncmp(at, word, n) == 0)
            return true;
    return !faults_only;
}

/* What only a model host does is done by one. */
static struct model_conf *some_model(struct scene *s)
{
    struct peer *p = &s->peer[rng_below(&s->faults.random, 2)];
    p->is_model = true;
    return &p->model.conf;
}

static void peers_draw(struct scene *s)
{
    const bool *on = s->faults.on;
    if (on[FAULT_SHRINK])
        some_model(s)->quirks.shrink_ppm = (uint32_t)between(s, 1000, 300000);
    if (on[FAULT_SILLY])
        some_model(s)->quirks.silly = true;
    if (on[FAULT_DELACK])
        some_model(s)->delack_ns = 500 * MS;
    if (on[FAULT_DIVIDE])
        some_model(s)->quirks.divide = (uint32_t)between(s, 2, 64);
    if (on[FAULT_STRETCH]) {
        struct model_conf *c = some_model(s);
        c->quirks.stretch = (uint32_t)between(s, 3, 20);
        c->delack_ns = c->delack_ns ? c->delack_ns : 200 * MS;
    }
    if (on[FAULT_OLD]) {
        struct model_conf *c = some_model(s);
        c->quirks.old_ppm = (uint32_t)between(s, 1000, 100000);
        c->stamps = true;
    }
    if (on[FAULT_BARE]) {
        struct model_conf *c = some_model(s);
        c->quirks.bare = true;
        c->wscale = c->stamps = c->sackok = false;
        c->scale = 0;
        c->mss = 536;
        c->buffer = c->buffer > 65535 ? 65535 : c->buffer;
    }
    if (on[FAULT_REBOOT]) {
        s->faults.rebooter = (int)rng_below(&s->faults.random, 2);
        s->peer[s->faults.rebooter].is_model = true;
    }
    for (int i = 0; i < 2; i++) {
        struct model_conf *c = &s->peer[i].model.conf;
        bool probes = on[FAULT_KEEP] && rng_below(&s->faults.random, 2);
        c->quirks.keep_ns = (probes ? between(s, 1, 75) : 400) * SECOND;
        c->patience = c->patience ? c->patience : 250;
        c->undamaged &= !on[FAULT_CUT] && !on[FAULT_SWAP];
        const struct quirks *other = &s->peer[!i].model.conf.quirks;
        c->late = on[FAULT_NARROW];
        c->leaps = on[FAULT_JUMP];
        c->fitful = s->peer[!i].is_model && (other->shrink_ppm || other->old_ppm);
    }
}

static void ends_draw(struct scene *s)
{
    struct rng *r = &s->faults.random;
    for (int i = 0; i < s->npairs; i++) {
        struct end *e[2] = {&s->pair[i].client, &s->pair[i].server};
        int one = (int)rng_below(r, 2);
        if (s->faults.on[FAULT_ZERO] && (i == 0 || rng_below(r, 2))) {
            e[one]->in_pause_at = rng_below(r, 3000);
            e[one]->in_pause_ns = s->faults.calm_ns;
        }
        if (s->faults.on[FAULT_HALF] && i == 0) {
            e[one]->shut_last = true;
            e[!one]->shut_last = false;
            e[one]->out_bytes += !e[one]->out_bytes;
            e[one]->out_pause_at = e[one]->out_bytes - 1;
            e[one]->out_pause_ns = between(s, 3600, 4 * 3600) * SECOND;
        }
        if (s->faults.on[FAULT_RST] && rng_below(r, 2))
            e[one]->abort_sent = (int64_t)e[one]->out_bytes;
    }
}

/* A wheel of 1 ms ticks wraps after 2^30, numbers of 32 bits after 2^31 and 2^32 (49.7 days). */
static void clock_draw(struct scene *s)
{
    static const unsigned bits[] = {30, 31, 32, 33};
    uint64_t wrap = (1ULL << bits[rng_below(&s->faults.random, 4)]) * MS;
    s->faults.ahead_ns = wrap - between(s, 900, 1500) * SECOND;
}

/* From 1 ms to `most`, short ones as often as long ones. */
static uint64_t some_ns(struct scene *s, uint64_t most)
{
    uint64_t limit = MS;
    for (uint64_t steps = rng_below(&s->faults.random, 20); steps && limit < most; steps--)
        limit *= 2;
    return between(s, MS / 2, limit < most ? limit : most);
}

void faults_draw(struct scene *s)
{
    struct faults *f = &s->faults;
    rng_seed(&f->random, s->seed ^ 0x6661756c7473ULL);
    for (int i = 0; i < FAULT_COUNT; i++)
        f->on[i] = rng_below(&f->random, 100) < chances[i] && is_wanted(names[i]);
    f->calm_ns = SECOND + some_ns(s, 900 * SECOND);
    f->every_ns = f->calm_ns / between(s, 2, 30);
    if (s->story != STORY_PLAIN) /* they have troubles of their own */
        f->on[FAULT_REBOOT] = f->on[FAULT_RST] = f->on[FAULT_HALF] = f->on[FAULT_PORTS] = false;
    if (f->on[FAULT_REBOOT]) /* the idle limit is shorter then */
        f->on[FAULT_HALF] = false;
    peers_draw(s);
    ends_draw(s);
    if (f->on[FAULT_WRAP])
        clock_draw(s);
    if (f->on[FAULT_REBOOT]) {
        f->reboot_ns = some_ns(s, f->calm_ns);
        if (s->npairs == 1)
            plan_pair(s, s->npairs++);
        s->whims.fickle = s->whims.deep =
            false; /* it would not know one connection from the next */
    }
    if (f->on[FAULT_SPLICES]) {
        s->whims.every_ns = MS;
        s->whims.left = 5000;
    }
    f->forged = f->on[FAULT_SWAP];
    f->loose = f->on[FAULT_RST] || f->on[FAULT_NTH] || f->on[FAULT_RATE] || f->on[FAULT_STORE] ||
               f->on[FAULT_POOL] || f->on[FAULT_PATHS] || f->on[FAULT_PORTS] || f->forged;
}

void faults_words(const struct scene *s, char *words, size_t n)
{
    if (s->faults.on[FAULT_PORTS])
        snprintf(words, n, " tcp.ports=20000-20001");
}

static void ways_begin(struct scene *s)
{
    struct faults *f = &s->faults;
    for (int l = 0; l < 2; l++)
        for (int e = 0; e < 2; e++) {
            struct simway *w = simlink_way(s->link[l], e);
            bool here = rng_below(&f->random, 2);
            if (here && f->on[FAULT_BURST]) {
                w->loss_ppm += (uint32_t)between(s, 100, 20000);
                w->burst = (uint32_t)between(s, 2, 50);
            }
            if (here && f->on[FAULT_CUT])
                w->cut_ppm = (uint32_t)between(s, 1000, 50000);
            if (here && f->on[FAULT_SWAP])
                w->swap_ppm = (uint32_t)between(s, 1000, 20000);
        }
}

static void cards_begin(struct scene *s)
{
    for (int l = 0; l < 2; l++) {
        if (s->faults.on[FAULT_RING])
            simcard_ring(s->link[l], !l, (uint32_t)between(s, 1, 16));
        if (s->faults.on[FAULT_LIES])
            simcard_lies(s->link[l], !l, (uint32_t)between(s, 1000, 50000));
    }
}

static void calm_now(void *arg)
{
    faults_calm(arg);
}

void faults_begin(struct scene *s)
{
    struct faults *f = &s->faults;
    uint64_t now = simworld_now(s->world);
    f->calm_at = now + f->calm_ns;
    for (int i = 0; i < 2; i++)
        s->peer[i].model.conf.quirks.calm_ns = f->calm_at;
    allocs = (struct allocs){.k = s->box.k};
    rng_seed(&allocs.random, rng_next(&f->random));
    if (f->on[FAULT_RATE])
        allocs.ppm = (uint32_t)between(s, 100, 50000);
    if (f->on[FAULT_NTH])
        allocs.nth = between(s, 1, NTH_MAX);
    ways_begin(s);
    cards_begin(s);
    faults_moments(s);
    simworld_at(s->world, f->calm_at, calm_now, s);
}

/* What lasts, and can be counted; the rest is counted once a run. */
static void lasting_count(struct scene *s)
{
    static const enum fault lasting[] = {FAULT_ZERO,   FAULT_SHRINK,  FAULT_SILLY, FAULT_DELACK,
                                         FAULT_DIVIDE, FAULT_STRETCH, FAULT_OLD,   FAULT_BARE,
                                         FAULT_HALF,   FAULT_RST,     FAULT_KEEP,  FAULT_PORTS,
                                         FAULT_RING,   FAULT_LIES,    FAULT_WRAP,  FAULT_SPLICES};
    struct faults *f = &s->faults;
    for (size_t i = 0; i < ARRAY_LEN(lasting); i++)
        f->struck[lasting[i]] += f->on[lasting[i]];
    for (int l = 0; l < 2; l++)
        for (int e = 0; e < 2; e++) {
            const struct simlink_stats *x = simlink_stats(s->link[l], e);
            f->struck[FAULT_BURST] += simlink_way(s->link[l], e)->burst ? x->lost : 0;
            f->struck[FAULT_CUT] += x->cut;
            f->struck[FAULT_SWAP] += x->swapped;
        }
    f->struck[FAULT_RATE] += allocs.ppm ? allocs.refused : 0;
}

void faults_calm(struct scene *s)
{
    struct faults *f = &s->faults;
    f->calm = true;
    lasting_count(s);
    for (int l = 0; l < 2; l++) {
        bool down[2];
        for (int e = 0; e < 2; e++)
            down[e] = s->dead[l] && simlink_way(s->link[l], e)->down;
        for (int e = 0; e < 2; e++) {
            *simlink_way(s->link[l], e) = (struct simway){.delay_ns = 50 * US, .down = down[e]};
            simcard_ring(s->link[l], e, UINT32_MAX);
            simcard_lies(s->link[l], e, 0);
            simcard_carrier(s->link[l], e, true);
        }
    }
    allocs.k = NULL;
    faults_memory_back(s);
}
