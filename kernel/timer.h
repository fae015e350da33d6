/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H
/*
 * A hierarchical timing wheel: arming and cancelling are O(1), a million timers are nothing
 * special. The timer's memory is its owner's (embed it); nothing can fail. A timer never fires
 * early and at most one tick late. It fires once, disarmed, between runs of paths.
 */
#include "kernel/types.h"

enum {
    TIMER_TICK_NS = MS, /* resolution */
    TIMER_LEVELS = 5,   /* 64^5 ticks: 12 days; longer ones wait in the last slot again */
    TIMER_SLOTS = 64,
};

struct timer {
    struct timer *next, **prev; /* in a slot; prev NULL: not armed */
    uint64_t when;              /* tick */
    void (*fire)(struct kernel *k, struct timer *t);
};

struct timer_wheel {
    uint64_t now; /* tick up to which all have fired */
    uint32_t armed;
    uint64_t occupied[TIMER_LEVELS]; /* bit per slot that holds a timer */
    struct timer *slot[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns);
/* (Re)arm to fire at `at_ns` on the kernel's clock; in the past: at the next chance. */
void timer_arm(struct kernel *k, struct timer *t, uint64_t at_ns);
void timer_cancel(struct kernel *k, struct timer *t); /* not armed: nothing */
static inline bool timer_armed(const struct timer *t)
{
    return t->prev != NULL;
}
void timer_run(struct kernel *k, uint64_t now_ns); /* fires what is due */
/* When the wheel wants timer_run next: never later than the earliest timer; UINT64_MAX: no timer.
 */
uint64_t timer_next(const struct timer_wheel *w);

#endif
