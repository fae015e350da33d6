/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated world: its clock, its event queue, the kernels in it. */
#include <stdio.h>
#include <stdlib.h>

#include "drivers/hosted/simparts.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum { TURNS_WITHOUT_TIME = 1000000 };

void *sim_alloc(size_t n)
{
    void *mem = calloc(1, n);
    if (!mem) {
        fprintf(stderr, "simulation: no memory\n");
        plat_exit(1);
    }
    return mem;
}

struct simworld *simworld_make(void)
{
    return sim_alloc(sizeof(struct simworld));
}

uint64_t *simworld_clock(struct simworld *w)
{
    return &w->now;
}

uint64_t simworld_now(const struct simworld *w)
{
    return w->now;
}

static struct simkernel *kernel_of(struct simworld *w, const struct kernel *k)
{
    for (int i = 0; i < w->nkernels; i++)
        if (w->kernels[i].k == k)
            return &w->kernels[i];
    return NULL;
}

void simworld_add(struct simworld *w, struct kernel *k)
{
    if (kernel_of(w, k))
        return;
    if (w->nkernels == SIM_KERNELS) {
        fprintf(stderr, "simulation: more than %d kernels\n", SIM_KERNELS);
        plat_exit(1);
    }
    w->kernels[w->nkernels++] = (struct simkernel){.k = k};
}

void simworld_remove(struct simworld *w, struct kernel *k)
{
    int n = 0;
    for (int i = 0; i < w->nkernels; i++)
        if (w->kernels[i].k != k)
            w->kernels[n++] = w->kernels[i];
    w->nkernels = n;
}

void simworld_own_clock(struct simworld *w, struct kernel *k, uint64_t *clock, uint64_t ahead_ns)
{
    simworld_add(w, k);
    struct simkernel *s = kernel_of(w, k);
    s->clock = clock;
    s->ahead = ahead_ns;
    *clock = w->now + ahead_ns;
}

void simworld_jump(struct simworld *w, struct kernel *k, uint64_t ns)
{
    struct simkernel *s = kernel_of(w, k);
    if (s && s->clock)
        s->ahead += ns;
}

void simworld_sleep(struct simworld *w, struct kernel *k, uint64_t until_ns)
{
    struct simkernel *s = kernel_of(w, k);
    if (s && s->asleep < until_ns)
        s->asleep = until_ns;
}

void simworld_watch(struct simworld *w, struct kernel *k, void (*turned)(void *arg), void *arg)
{
    struct simkernel *s = kernel_of(w, k);
    s->turned = turned;
    s->arg = arg;
}

/* By time, then in the order in which they were asked for. */
static bool before(const struct simevent *a, const struct simevent *b)
{
    return a->ns != b->ns ? a->ns < b->ns : a->order < b->order;
}

void simworld_push(struct simworld *w, const struct simevent *e)
{
    if (w->nevents == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        struct simevent *grown = realloc(w->events, w->room * sizeof *grown);
        if (!grown) {
            fprintf(stderr, "simulation: no memory for %zu events\n", w->room);
            plat_exit(1);
        }
        w->events = grown;
    }
    size_t i = w->nevents++;
    struct simevent mine = *e;
    mine.order = w->order++;
    for (; i && before(&mine, &w->events[(i - 1) / 2]); i = (i - 1) / 2)
        w->events[i] = w->events[(i - 1) / 2];
    w->events[i] = mine;
}

static struct simevent pop(struct simworld *w)
{
    struct simevent first = w->events[0], last = w->events[--w->nevents];
    size_t i = 0;
    for (;;) {
        size_t c = 2 * i + 1;
        if (c + 1 < w->nevents && before(&w->events[c + 1], &w->events[c]))
            c++;
        if (c >= w->nevents || !before(&w->events[c], &last))
            break;
        w->events[i] = w->events[c];
        i = c;
    }
    w->events[i] = last;
    return first;
}

void simworld_at(struct simworld *w, uint64_t ns, void (*fn)(void *arg), void *arg)
{
    struct simevent e = {.ns = ns < w->now ? w->now : ns, .fn = fn, .arg = arg};
    simworld_push(w, &e);
}

uint64_t simworld_next(const struct simworld *w)
{
    return w->nevents ? w->events[0].ns : UINT64_MAX;
}

static bool events_run(struct simworld *w, uint64_t now_ns)
{
    bool any = false;
    while (w->nevents && w->events[0].ns <= now_ns) {
        struct simevent e = pop(w);
        any = true;
        if (e.fn)
            e.fn(e.arg);
        else
            simlink_arrive(&e);
    }
    return any;
}

void simworld_due(struct simworld *w, uint64_t now_ns)
{
    w->now = now_ns;
    events_run(w, now_ns);
}

/* Differs after a timer that did anything to be seen. */
static uint64_t traces_of(const struct kernel *k)
{
    uint64_t sum = k->timers.armed + ((uint64_t)k->paths_live << 32);
    for (int i = 0; i < k->ndevs; i++)
        sum += k->devs[i]->stats.tx << 16;
    return sum;
}

static bool kernel_turn(const struct simworld *w, struct simkernel *s)
{
    if (s->asleep > w->now)
        return false;
    if (s->clock)
        *s->clock = w->now + s->ahead;
    uint64_t before = s->turned ? traces_of(s->k) : 0;
    bool did = kernel_poll(s->k);
    if (s->turned && (did || traces_of(s->k) != before))
        s->turned(s->arg);
    return did;
}

/* When it has to be looked at, by the world's clock. */
static uint64_t kernel_due(const struct simworld *w, const struct simkernel *s)
{
    if (s->asleep > w->now)
        return s->asleep;
    uint64_t timer = kernel_next(s->k);
    if (timer == UINT64_MAX)
        return timer;
    return timer > s->ahead ? timer - s->ahead : 0;
}

bool simworld_run(struct simworld *w, uint64_t until_ns)
{
    for (uint32_t turns = 0; turns < TURNS_WITHOUT_TIME; turns++) {
        bool any = events_run(w, w->now);
        for (int i = 0; i < w->nkernels; i++)
            any |= kernel_turn(w, &w->kernels[i]);
        if (any)
            continue;
        uint64_t next = simworld_next(w);
        for (int i = 0; i < w->nkernels; i++) {
            uint64_t due = kernel_due(w, &w->kernels[i]);
            next = due < next ? due : next;
        }
        if (next > until_ns) {
            w->now = until_ns > w->now ? until_ns : w->now;
            return true;
        }
        if (next > w->now) {
            w->now = next;
            turns = 0;
        }
    }
    fprintf(stderr, "simulation: time stands still at %llu ns\n", (unsigned long long)w->now);
    return false;
}

void simworld_free(struct simworld *w)
{
    while (w->nevents)
        free(w->events[--w->nevents].frame);
    free(w->events);
    while (w->links) {
        struct simlink *l = w->links;
        w->links = l->next;
        simlink_free(l);
    }
    free(w);
}
