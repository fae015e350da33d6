/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H
/*
 * One kernel: everything that changes hangs off this struct, so that several fit in one process.
 * kernel_boot says on the console what is wrong and returns why; after it kernel_poll is called for
 * ever. The ground (boot/) owns the memory of the struct and calls these; modules use the fields
 * under "for everyone".
 */
#include "kernel/classify.h"
#include "kernel/conf.h"
#include "kernel/evict.h"
#include "kernel/msg.h"
#include "kernel/netdev.h"
#include "kernel/node.h"
#include "kernel/rule.h"
#include "kernel/show.h"
#include "kernel/timer.h"
#include "kernel/types.h"

enum sched_policy { SCHED_FIFO, SCHED_SHARE, SCHED_EDF };

struct sched {
    enum sched_policy policy;
    struct path *head, *tail; /* fifo */
    struct path **heap;       /* share, edf: by work->key */
    uint32_t nheap, heap_size;
    uint64_t clock; /* share: virtual time of the path that ran last */
};

enum { LOG_LINES = 128, LOG_WIDTH = 120 };

struct logbook {
    char line[LOG_LINES][LOG_WIDTH];
    uint64_t ns[LOG_LINES];
    uint32_t count;
};

/* Inline paths with notes: of some the ids, and all below `scan` may be. */
enum { NOTED_MAX = 256 };

struct noted {
    uint32_t id[NOTED_MAX];
    uint32_t n, scan;
};

union path_slot {
    struct path *p;
    uintptr_t next_free; /* odd: twice the index of the next that is free, + 1 */
};

struct slim_free;
struct path_slab;

struct kernel {
    /* for everyone */
    uint64_t now; /* ns; read once per turn of the main loop */
    uint64_t drops[DROP_COUNT];
    struct pool pool; /* what no path pays for */
    struct stock stock;
    struct timer_wheel timers;
    struct flow_table flows;
    struct msg_store msgs;
    void *plat; /* the ground's own */

    /* the graph */
    const struct graph *graph;
    struct node *nodes; /* in init order */
    int nnodes;
    struct netdev *devs[NETDEV_MAX];
    int ndevs;
    struct conf conf; /* the kernel's own settings */

    /* paths */
    union path_slot *paths; /* by index of id; read it with path_at */
    uint32_t paths_free;    /* first free index */
    uint32_t paths_size, paths_live, paths_limit, paths_generation;
    struct {
        struct slim_free *free;
        struct path_slab *slabs;
        uint32_t nslabs;
    } slim;
    uint32_t path_pool_limit; /* bytes a path may use */
    struct shape **shapes;
    uint32_t nshapes;
    uint32_t dying; /* number + 1 of the first path that waits for its end; 0: none */
    struct noted noted;
    struct evict evict;
    struct msgq held;     /* path_hold: cb[0] path id, cb[1] direction */
    struct path *running; /* for a panic's report */
    struct sched sched;
    struct rule_event history[RULE_HISTORY];
    uint32_t nhistory;

    struct logbook log;
    char input[128]; /* console line being typed */
    uint32_t ninput;
    struct listing listing; /* what the last command has yet to say */
    bool echo;              /* the console has no echo of its own */
    bool stopping;          /* quit */
    bool stop_now;          /* quit now: silent */
    int exit_status;
    uint64_t polls, waits;
};

/* Bring up the graph on the cards already added. cmdline may be NULL. */
MUST_CHECK status_t kernel_boot(struct kernel *k, const struct graph *g, const char *cmdline);
/* The words NAME=VALUE of a command line; says what is wrong with the first that is, and stops
 * there. */
MUST_CHECK status_t settings_apply(struct kernel *k, const char *cmdline);
/* Prepares what drivers need (pools, messages) before any netdev_add. memory: bytes to live on. */
MUST_CHECK status_t kernel_init(struct kernel *k, uint64_t memory);
/* One turn: poll cards, run paths, fire timers, read the console. False: nothing is left to do
 * until plat_wait(k, kernel_next(k)) returns. */
bool kernel_poll(struct kernel *k);
uint64_t kernel_next(struct kernel *k); /* ns at which a timer is due */
/* kernel_poll and plat_wait until `quit`; returns the exit status. */
int kernel_run(struct kernel *k);
void kernel_end(struct kernel *k); /* everything is given back; asserts that it was */
/* A turn of the console: some steps of the command that runs, or else a line that was typed. False:
 * it waits, for input or until the console takes more. */
bool console_turn(struct kernel *k);
void kernel_console(struct kernel *k, int c); /* a character was typed; answered at once */

/* The path with that number, or NULL. */
static inline struct path *path_at(const struct kernel *k, uint32_t number)
{
    if (number >= k->paths_size || k->paths[number].next_free & 1)
        return NULL;
    return k->paths[number].p;
}

/* The path with that id, or NULL: it is gone. */
static inline struct path *path_by_id(const struct kernel *k, uint32_t id)
{
    struct path *p = path_at(k, id & PATH_INDEX);
    return p && p->id == id ? p : NULL;
}

/* The path of a flow that was just found: it is there, for flows go before their paths. */
static inline struct path *flow_path(const struct kernel *k, const struct flow *f)
{
    return k->paths[f->path & PATH_INDEX].p;
}

/* The next two are in the way of every frame, so they are inline.
 *
 * Ask node by node, from n on, whose d->m is: d->m, d->off and d->link are set. True: d->path
 * and d->dir say where it belongs. False: d->m was dropped and counted. */
static inline bool classify(struct node *n, struct demux *d)
{
    do
        n = n->module->demux(n, d);
    while (n != DEMUX_FOUND && n != DEMUX_DROP);
    if (LIKELY(n == DEMUX_FOUND))
        return true;
    msg_drop(d->link->k, d->m, d->why);
    return false;
}

/* Hand a classified message over: inline paths run, others are woken. */
static inline void path_input(struct path *p, enum dir d, struct msg *m)
{
    if (p->work) {
        path_wake(p, d, m);
        return;
    }
    struct kernel *k = p->pool.k;
    struct path *outer = k->running;
    k->running = p;
    p->shape->enter[d].deliver(p, p->shape->enter[d].at, m);
    k->running = outer;
}

/* A frame from a card: classified and handed over. */
void frame_input(struct netdev *d, struct msg *m);

/* Rules for inline paths, and what was held for rules: between two bursts. */
static inline bool notes_wait(const struct kernel *k)
{
    return k->noted.n || k->noted.scan || k->held.head;
}
void notes_run(struct kernel *k);

/* The scheduler. */
void sched_ready(struct kernel *k, struct path *p);
struct path *sched_next(struct kernel *k); /* NULL: none is ready */
void sched_remove(struct kernel *k, struct path *p);

#endif
