/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hierarchical timing wheel (Varghese and Lauck). Level l has 64 slots of 64^l ticks each. A timer
 * lies in the lowest level whose span reaches it; when a level's turn is over, the next slot of the
 * level above is dealt out again below. A bitmap per level says which slots hold anything, so
 * the next interesting tick is found without walking empty ones.
 */
#include "kernel/timer.h"

#include <assert.h>
#include <string.h>

#include "kernel/kernel.h"

enum { SLOT_BITS = 6, SLOT_MASK = TIMER_SLOTS - 1 };

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns)
{
    memset(w, 0, sizeof *w);
    w->now = now_ns / TIMER_TICK_NS;
}

static void slot_put(struct timer_wheel *w, struct timer *t)
{
    uint64_t delta = t->when - w->now; /* at least 1: timer_arm sees to it */
    uint64_t when = t->when;
    int level = 0;
    while (level < TIMER_LEVELS - 1 && delta >> (SLOT_BITS * (level + 1)))
        level++;
    if (delta >> (SLOT_BITS * TIMER_LEVELS)) /* beyond the wheel: as far out as it goes */
        when = w->now + (1ULL << (SLOT_BITS * TIMER_LEVELS)) - 1;
    unsigned i = (unsigned)(when >> (SLOT_BITS * level)) & SLOT_MASK;
    struct timer **head = &w->slot[level][i];
    t->next = *head;
    t->prev = head;
    if (t->next)
        t->next->prev = &t->next;
    *head = t;
    w->occupied[level] |= 1ULL << i;
}

static void slot_take(struct timer *t)
{
    *t->prev = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->prev = NULL;
    t->next = NULL;
}

void timer_arm(struct kernel *k, struct timer *t, uint64_t at_ns)
{
    struct timer_wheel *w = &k->timers;
    timer_cancel(k, t);
    t->when = at_ns / TIMER_TICK_NS + (at_ns % TIMER_TICK_NS != 0); /* never early */
    if (t->when <= w->now)
        t->when = w->now + 1;
    w->armed++;
    slot_put(w, t);
}

void timer_cancel(struct kernel *k, struct timer *t)
{
    if (!timer_armed(t))
        return;
    slot_take(t); /* an emptied slot keeps its bit until its turn comes: harmless */
    k->timers.armed--;
}

/* Ticks from now to the next slot of the level that may hold something, in units of its slots
 * (1..64); 0: the level is empty. */
static unsigned slots_ahead(const struct timer_wheel *w, int level)
{
    uint64_t bits = w->occupied[level];
    if (!bits)
        return 0;
    unsigned at = (unsigned)(w->now >> (SLOT_BITS * level)) & SLOT_MASK;
    unsigned from = (at + 1) & SLOT_MASK;
    uint64_t turned = from ? bits >> from | bits << (64 - from) : bits;
    return (unsigned)__builtin_ctzll(turned) + 1;
}

/* The next tick at which a slot has to be looked at; UINT64_MAX: nothing is armed. */
static uint64_t tick_next(const struct timer_wheel *w)
{
    uint64_t best = UINT64_MAX;
    for (int level = 0; level < TIMER_LEVELS; level++) {
        unsigned ahead = slots_ahead(w, level);
        if (!ahead)
            continue;
        unsigned shift = (unsigned)(SLOT_BITS * level);
        uint64_t tick = ((w->now >> shift) + ahead) << shift;
        if (tick < best)
            best = tick;
    }
    return best;
}

uint64_t timer_next(const struct timer_wheel *w)
{
    if (!w->armed)
        return UINT64_MAX;
    uint64_t tick = tick_next(w);
    return tick == UINT64_MAX ? UINT64_MAX : tick * TIMER_TICK_NS;
}

/* Deal the timers of the slot that begins at w->now out to the levels below; fire those due. */
static void slot_turn(struct kernel *k, int level)
{
    struct timer_wheel *w = &k->timers;
    unsigned i = (unsigned)(w->now >> (SLOT_BITS * level)) & SLOT_MASK;
    if (!(w->occupied[level] >> i & 1))
        return;
    w->occupied[level] &= ~(1ULL << i);
    struct timer *list = w->slot[level][i];
    w->slot[level][i] = NULL;
    if (list)
        list->prev = &list;
    while (list) {
        struct timer *t = list;
        slot_take(t);
        if (t->when > w->now) {
            slot_put(w, t);
            continue;
        }
        w->armed--;
        t->fire(k, t);
    }
}

void timer_run(struct kernel *k, uint64_t now_ns)
{
    struct timer_wheel *w = &k->timers;
    uint64_t end = now_ns / TIMER_TICK_NS;
    while (w->now < end) {
        uint64_t tick = w->armed ? tick_next(w) : UINT64_MAX;
        if (tick > end) {
            w->now = end;
            return;
        }
        w->now = tick;
        int top = 0;
        while (top < TIMER_LEVELS - 1 && !(tick & ((1ULL << (SLOT_BITS * (top + 1))) - 1)))
            top++;
        for (int level = top; level >= 0; level--)
            slot_turn(k, level);
    }
}
