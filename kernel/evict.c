/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eviction, see evict.h. One hand goes over the table of paths like a clock's: some paths for each
 * newcomer, and in slices all the time while it is crowded. What it sees goes into a small pool of
 * candidates, sorted, so the one that goes is the best of thousands and costs a look at a few.
 * All is done by the timer, when no path runs.
 */
#include "kernel/evict.h"

#include "kernel/kernel.h"
#include "kernel/path.h"

enum {
    LOOKS = 32,       /* paths that the hand passes for one newcomer */
    SLICE = 256,      /* and in one go while it is crowded */
    ROOMS = 256,      /* that are kept free, at most; of a small table a sixteenth */
    FULL = 1000,      /* fullness: per mille of the nearest limit */
    PER_NEWCOMER = 2, /* paths, and flows: one to each side */
};

static const uint64_t round_ns = SECOND, pause_least = 2 * MS, rest_ns = 10 * MS;

static uint32_t fullness(const struct kernel *k)
{
    uint64_t paths = (uint64_t)k->paths_live * FULL / k->paths_limit;
    uint64_t flows = (uint64_t)k->flows.count * FULL / k->flows.limit;
    uint64_t most = paths > flows ? paths : flows;
    return most < FULL ? (uint32_t)most : FULL;
}

static uint32_t crowded(const struct kernel *k)
{
    return (uint32_t)conf_number(&k->conf, "crowded") * (FULL / 100);
}

uint64_t evict_patience(const struct kernel *k, uint64_t ns)
{
    uint32_t full = fullness(k), start = crowded(k);
    return full <= start ? ns : ns / (FULL - start) * (FULL - full);
}

/* A path with two connections is as dead as the deader one, but only as idle as the livelier. */
struct standing standing_both(struct standing a, struct standing b)
{
    bool dead = a.worth < WORTH_EMPTY || b.worth < WORTH_EMPTY;
    return (struct standing){.worth = (a.worth < b.worth) == dead ? a.worth : b.worth,
                             .since = a.since > b.since ? a.since : b.since,
                             .limit = a.limit < b.limit ? a.limit : b.limit};
}

/* False: not a connection, or over already. */
static bool judge(const struct kernel *k, const struct path *p, struct standing *out)
{
    bool any = false;
    if (!p || p->flags & PATH_DYING)
        return false;
    for (int at = 0; at < p->shape->n; at++) {
        struct standing s;
        if (!p->shape->at[at].ops->worth)
            continue;
        p->shape->at[at].ops->worth(p, at, &s);
        *out = any ? standing_both(*out, s) : s;
        any = true;
    }
    if (any && out->worth > WORTH_OVER && k->now - out->since < k->evict.busy)
        out->worth = WORTH_BUSY;
    return any;
}

static void end(struct path *p)
{
    for (int at = 0; at < p->shape->n; at++) {
        if (p->shape->at[at].ops->evict) {
            p->shape->at[at].ops->evict(p, at);
            return; /* it ends the whole connection */
        }
    }
}

static bool before(const struct standing *a, const struct standing *b)
{
    return a->worth != b->worth ? a->worth < b->worth : a->since < b->since;
}

static void remember(struct evict *e, uint32_t id, const struct standing *s)
{
    uint32_t at = e->n;
    if (s->worth == WORTH_BUSY || (at == EVICT_POOL && !before(s, &e->pool[at - 1].s)))
        return;
    for (uint32_t i = 0; i < e->n; i++)
        if (e->pool[i].id == id)
            return;
    if (at == EVICT_POOL)
        at--;
    else
        e->n++;
    for (; at > 0 && before(s, &e->pool[at - 1].s); at--)
        e->pool[at] = e->pool[at - 1];
    e->pool[at] = (struct candidate){.id = id, .s = *s};
}

static struct candidate forget_first(struct evict *e)
{
    struct candidate c = e->pool[0];
    e->n--;
    for (uint32_t i = 0; i < e->n; i++)
        e->pool[i] = e->pool[i + 1];
    return c;
}

/* Look at the paths ahead. Those that are silent for longer than they may in a crowd go at once. */
static void look(struct kernel *k, uint32_t n, bool expire)
{
    struct evict *e = &k->evict;
    for (; n; n--) {
        e->hand = e->hand + 1 < k->paths_size ? e->hand + 1 : 0;
        struct path *p = path_at(k, e->hand);
        struct standing s;
        if (!judge(k, p, &s))
            continue;
        uint64_t least = s.worth > WORTH_OVER ? e->busy : SECOND;
        uint64_t patience = evict_patience(k, s.limit);
        if (expire && k->now - s.since >= (patience > least ? patience : least)) {
            e->expired++;
            end(p);
        } else {
            remember(e, p->id, &s);
        }
    }
}

/* The best candidate that still is one, if it is worth no more than that. */
static bool evict_one(struct kernel *k, enum worth most)
{
    struct evict *e = &k->evict;
    look(k, LOOKS < k->paths_size ? LOOKS : k->paths_size, false);
    for (int tries = EVICT_POOL; tries && e->n && e->pool[0].s.worth <= most; tries--) {
        struct candidate c = forget_first(e);
        struct path *p = path_by_id(k, c.id);
        struct standing s;
        if (!judge(k, p, &s))
            continue;
        if (s.worth > most || before(&c.s, &s)) { /* it has been heard since */
            remember(e, c.id, &s);
            continue;
        }
        e->evicted[s.worth]++;
        end(p);
        return true;
    }
    return false;
}

/* made: rooms of those who have been told to go, and are not gone yet. */
static bool is_tight(const struct kernel *k, uint32_t made)
{
    uint32_t paths = k->paths_limit / 16, flows = k->flows.limit / 16;
    return k->paths_limit - k->paths_live + made < (paths < ROOMS ? paths : ROOMS) ||
           k->flows.limit - k->flows.count + made < (flows < ROOMS ? flows : ROOMS);
}

static void fire(struct kernel *k, struct timer *t)
{
    struct evict *e = &k->evict;
    uint64_t size = k->paths_size, pause;
    e->busy = conf_number(&k->conf, "busy");
    uint32_t made = 0;
    while (made < e->wanted && is_tight(k, made) && evict_one(k, WORTH_IDLE))
        made++;
    if (made < e->wanted && is_tight(k, made))
        e->rest = k->now + rest_ns;
    e->wanted = 0;
    if (e->starved && !evict_one(k, WORTH_STUCK))
        e->rest = k->now + rest_ns;
    e->starved = false;
    if (fullness(k) <= crowded(k))
        return;
    look(k, size < SLICE ? (uint32_t)size : SLICE, true);
    pause = size < SLICE ? round_ns : round_ns * SLICE / size;
    timer_arm(k, t, k->now + (pause > pause_least ? pause : pause_least));
}

void evict_init(struct kernel *k)
{
    k->evict.t.fire = fire;
}

void evict_newcomer(struct kernel *k)
{
    struct evict *e = &k->evict;
    if (is_tight(k, 0) && k->now >= e->rest) {
        e->wanted += e->wanted < ROOMS ? PER_NEWCOMER : 0;
        timer_arm(k, &e->t, k->now);
    } else if (!timer_armed(&e->t) && fullness(k) > crowded(k)) {
        timer_arm(k, &e->t, k->now);
    }
}

void evict_starved(struct kernel *k)
{
    if (k->now < k->evict.rest)
        return;
    k->evict.starved = true;
    timer_arm(k, &k->evict.t, k->now);
}
