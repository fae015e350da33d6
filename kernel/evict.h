/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_EVICT_H
#define KERNEL_EVICT_H
/*
 * Who goes when there is no room for all. Stages that hold a connection say what it is worth
 * (stage_ops.worth) and can end it (stage_ops.evict); this decides when and which:
 *
 *   above the setting `crowded`   all time-outs shrink, in proportion, to nothing at the limit
 *   when little room is left      for each that comes the one worth least goes, the one that has
 *                                 been silent longest first
 *   when buffers run out          connections go that hold some and whose host takes nothing
 *
 * Whoever was heard within the setting `busy` stays: then the newcomer is refused, as path_create
 * and flow_insert do at their limits. Nothing here can fail, and nothing waits for it: paths are
 * looked at some at a time, by a timer, and the best candidates seen are remembered.
 */
#include "kernel/timer.h"
#include "kernel/types.h"

struct path;

enum worth {                  /* the least goes first (spec R-ATK-4) */
             WORTH_STUCK,     /* holds buffers for a host whose window stays shut (RFC 6429) */
             WORTH_HALF_OPEN, /* a SYN can come again, or be answered by a cookie */
             WORTH_OVER,      /* a RST was seen, or both FINs were acknowledged */
             WORTH_HALF_CLOSED,
             WORTH_EMPTY, /* has never carried a byte */
             WORTH_IDLE,
             WORTH_BUSY, /* never goes */
             WORTHS
};

struct standing {
    enum worth worth;
    uint64_t since; /* ns: when it was last heard, or began */
    uint64_t limit; /* ns that it may be silent */
};

enum { EVICT_POOL = 32 };

struct evict {
    struct timer t;
    uint32_t hand;   /* the path to look at next */
    uint32_t wanted; /* rooms */
    bool starved;    /* of buffers */
    uint64_t rest;   /* ns until which nothing is asked again, for nobody was found */
    uint64_t busy;   /* ns, the setting */
    uint32_t n;      /* in the pool, best first */
    struct candidate {
        uint32_t id;
        struct standing s;
    } pool[EVICT_POOL];
    uint64_t evicted[WORTHS], expired;
};

/* Of two connections that live and die together. */
struct standing standing_both(struct standing a, struct standing b);
void evict_init(struct kernel *k);
/* A connection is about to be made: is there room for it, and who has to go? */
void evict_newcomer(struct kernel *k);
/* There are too few buffers left for what arrives. */
void evict_starved(struct kernel *k);
/* What remains of a time-out of so many ns at the present fullness. */
uint64_t evict_patience(const struct kernel *k, uint64_t ns);

#endif
