/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_PATH_H
#define KERNEL_PATH_H
/*
 * A path is the sequence of stages a packet goes through: the unit of creation, classification,
 * scheduling, accounting and teardown. Its shape (which stages) is immutable and shared by all
 * paths of the kind; its state is its own.
 *
 * Rules of the data plane. deliver() always consumes its message: it passes it on, keeps it, frees
 * it when its work is done, or msg_drops it with a reason. A path runs to completion, message by
 * message, and is never re-entered. Stages at the ends have a device or a queue beyond them, so
 * there is always a next stage to pass to.
 *
 * Bytes towards a stage that keeps them (a send buffer, a proxy) go by credit: room[d] says how
 * many bytes deliver[d] may be given now; the holder waits for EVENT_READY, which travels against
 * the data, when that is too few. A stage without room[] takes everything.
 *
 * Failure: path_create leaves nothing behind when it fails; path_destroy cannot fail and happens
 * later, at a moment when no path runs, but from the call on nothing is delivered any more.
 */
#include "kernel/attrs.h"
#include "kernel/evict.h"
#include "kernel/msg.h"
#include "kernel/pool.h"
#include "kernel/types.h"

enum { PATH_STAGES = 12 };

struct show;
struct hop;
struct rule;

/* What travels along a path besides bytes. Delivered in the direction named. */
enum event {
    EVENT_OPENED, /* towards the proxy: the connection is established */
    EVENT_ANSWER, /* towards tcp: answer the waiting SYN now */
    EVENT_EOF,    /* after the last byte of this direction: FIN */
    EVENT_RESET,  /* at once: RST. Towards the proxy: the connection is gone; towards tcp: abort */
    EVENT_READY,  /* against the data: room has opened for the opposite direction */
    EVENT_BACK,   /* towards the proxy: this direction was spliced, and is not any more */
    EVENT_CLOSED, /* towards the proxy: tcp has forgotten the connection; nothing more will come */
    EVENT_COUNT
};

typedef void deliver_fn(struct path *p, int at, struct msg *m);

/* A path `eth X eth` as one function of X: m is a frame that came by a flow of p. False: it is not
 * plain, and nothing was done: the stages are to have it. */
typedef bool express_fn(struct path *p, struct msg *m);

/* One face of a module in a path. A module whose stages climb or descend has one for each. */
struct stage_ops {
    const char *name; /* as `show paths` prints it; NULL: the node's name */
    deliver_fn *deliver[2];
    uint32_t (*room[2])(struct path *p, int at);             /* NULL: no limit */
    void (*event[2])(struct path *p, int at, enum event ev); /* NULL: passed on */
    status_t (*establish)(struct path *p, int at);           /* all stages exist now; may be NULL */
    /* The stage now is p->at[at]: after a join or reshape. Queued messages must be charged anew. */
    void (*moved)(struct path *p, int at);
    /* End the stage: its timers, queues, and its state, for the path may go on without it. */
    void (*destroy)(struct path *p, int at);
    void (*stop)(struct path *p, int at); /* the kernel shuts down: tell the far host (RST) */
    void (*show)(const struct path *p, int at, struct show *out);
    /* An ICMP error (m->data at its header, m->net at its IP header) about what this path sent; it
     * quotes a tuple whose answers enter in direction d. True: consumed. */
    bool (*icmp)(struct path *p, int at, enum dir d, struct msg *m);
    /* What its connection is worth when there is no room for all (evict.h), and how it ends then,
     * with everything else of it. Called when no path runs. */
    void (*worth)(const struct path *p, int at, struct standing *out);
    void (*evict)(struct path *p, int at);
    bool network; /* its messages begin at the network header (classify_again) */
    bool link;    /* its state is the struct neigh that it sends to; frames begin and end here */
    /* Between two of these. May be done as one, for what is plain: */
    express_fn *express; /* by this function; may be NULL */
    bool records;        /* by rewriting as the flow's record says (modules/wire/forward.h) */
};

/* A rule that may act on paths of a shape (rule.h). */
struct turn {
    const struct rule *rule;
    int at;                 /* the stage it acts on */
    const struct shape *to; /* NULL: not known before it has happened once, or ever */
};

struct shape {
    const char *name; /* e.g. "1-path"; made up from the stages when nobody names it */
    int n;
    struct {
        const struct stage_ops *ops;
        struct node *node;
    } at[PATH_STAGES];
    struct { /* of the shape that all of the kind share: where messages of that direction begin */
        deliver_fn *deliver;
        int at;
    } enter[2];
    const struct shape *shared; /* the one that all paths of the kind share: itself */
    struct turn *turns;         /* of that one: the rules that are tried, in the graph's order */
    int nturns;
    express_fn *express; /* `eth X eth`: of X */
    bool records;
};

enum { PATHQ_MAX = 512, PATH_LAST = 16, PATH_INLINE_STAGES = 4, PATH_SLIM_STAGES = 3 };

/* Queues, schedule and statistics of a path that is not slim. */
struct work {
    struct msgq in[2]; /* in[AB] waits before stage 0, in[BA] before the last stage */
    uint8_t events[2]; /* bit per enum event, delivered after in[d] is empty (RESET: before) */
    uint8_t ready;     /* in the scheduler's list */
    uint16_t limit;    /* messages in each queue */
    uint16_t share;    /* weight for the share policy */
    uint64_t deadline; /* ns, for the edf policy: relative latency wanted */
    uint64_t key;      /* sort key in the ready heap */
    struct path *next; /* fifo list */
    struct path *self;
    uint64_t msgs[2], bytes[2], drops; /* since creation */
    uint64_t cycles, runs;
    struct {
        uint64_t ns;
        uint16_t len, dir;
    } last[PATH_LAST]; /* ring: the most recent messages, for a panic's report */
    uint32_t nlast;
};

/* What overtakes the bytes queued before it: an abort, and credit (which bytes may wait for). */
enum { EVENTS_URGENT = 1 << EVENT_RESET | 1 << EVENT_READY };

enum { PATH_INDEX = 0xffffff }; /* bits of an id that are the index; above: generation */

enum {                    /* flags */
       PATH_INLINE = 1,   /* no queues: runs in the context of classification */
       PATH_DYING = 2,    /* path_destroy was called */
       PATH_RUNNING = 4,  /* in path_run */
       PATH_PLAIN = 8,    /* the operator wants it proxied: guards look at it */
       PATH_RECORDS = 16, /* inline, of a shape whose records say all (shape: records) */
       PATH_UNITS = 32,   /* not the kernel's: windows change their unit (modules/wire/forward.h) */
       PATH_EMPTY = 64,   /* not the kernel's: has never carried a byte (modules/fwd/sweep.c) */
       PATH_AGE = 0xff00, /* not the kernel's: how long no segment came (modules/fwd/sweep.c) */
};

/* 88 bytes with the state of three stages: two of those 64-byte lines, their places in the flow
 * table and one of these are all that a spliced connection costs. */
struct path {
    struct pool pool; /* what it has used, of what it may */
    const struct shape *shape;
    struct work *work; /* NULL: PATH_INLINE */
    uint32_t id;       /* index and generation */
    uint32_t flow;     /* line of its first flow; 0: none */
    uint16_t flags;
    uint8_t nstate; /* entries of state */
    uint8_t notes;  /* bits that rules wait for (rule.h) */
    union {
        /* own[AB]: bytes of TCP payload and options that segments may carry on their way to end B.
         * Of spliced paths. */
        uint16_t own[2];
        uint32_t reap; /* the next of the dying: its number + 1; 0: none */
    };
    /* What the checksums of a plain segment change by; of spliced paths (modules/wire/forward.h).
     */
    uint16_t ip_patch[2], tcp_patch[2];
    void *state[]; /* per stage */
};

/* The same stage of another path must never be assumed to be at the same index. */
static inline void pass(struct path *p, int at, enum dir d, struct msg *m)
{
    at += d == AB ? 1 : -1;
    p->shape->at[at].ops->deliver[d](p, at, m);
}

uint32_t path_room(struct path *p, int at, enum dir d);             /* of the next stage in d */
void path_event(struct path *p, int at, enum dir d, enum event ev); /* to the next stage in d */
/* Offers an ICMP error to the stages of p (stage_ops.icmp). False: nobody wants it, still ours. */
bool path_icmp(struct path *p, enum dir d, struct msg *m);

/* What create_stage fills in. */
struct hop {
    const struct stage_ops *ops;
    void *state;       /* allocated from p->pool, or shared; NULL is fine */
    struct node *next; /* the node to ask for the next stage; NULL: this was the last */
};

/*
 * Four phases: stages are grown from node `from` until no next hop is named; the shape is found or
 * made; each stage is established, A to B; rules are tried. `in_line`: a path without queues.
 * E_NOMEM at a limit (counted path.limit by the caller's drop), else what a module answered.
 */
MUST_CHECK status_t path_create(struct kernel *k, struct node *from, struct attrs *a, bool in_line,
                                struct path **out);
/*
 * p gets another shape and other states, one per stage, of its account or shared. Number, flows and
 * what is charged to it stay. When in_line is not what p is, *out is a new object and p is gone;
 * its queued messages and events have then gone through the new shape. No stage is destroyed: the
 * caller ends those that are left out, which hold no messages that are charged to p. All or
 * nothing. p may not be running.
 */
MUST_CHECK status_t path_reshape(struct path *p, const struct shape *to, void *const state[],
                                 bool in_line, struct path **out);
/* b's stages go behind a's first `a_keep`, from its own `b_from` on; the stages between are
 * destroyed, b ends, its memory and flows are a's. All or nothing. Neither may be running. */
MUST_CHECK status_t path_join(struct path *a, int a_keep, struct path *b, int b_from);
void path_destroy(struct path *p);

/* Queue m at the end it enters by (d is the direction it will travel) and make the path ready. */
void path_wake(struct path *p, enum dir d, struct msg *m);
/* The event waits in the queue's order and is delivered to the end stage itself. */
void path_post(struct path *p, enum dir d, enum event ev);
/*
 * m waits until the rules have been tried, which this asks for (NOTE_TRIGGER), and is then
 * classified anew. It is the frame as it came, m->data at its Ethernet header. d is the direction
 * it travelled. What is too much, or comes here again and again, is dropped path.queue.
 */
void path_hold(struct path *p, enum dir d, struct msg *m);
/* Run queued messages, at most `budget`; returns how many ran. The scheduler's and the tests'. */
int path_run(struct path *p, int budget);
void path_reap(struct kernel *k); /* ends the dying; no path may be running */
/* What the operator calls it: the index in its id. */
static inline uint32_t path_number(const struct path *p)
{
    return p->id & PATH_INDEX;
}
const char *stage_name(const struct shape *s, int at);
void shapes_end(struct kernel *k);
void paths_end(struct kernel *k); /* tables; no path is left */
/* The table of paths and the slabs of the slim ones. */
uint64_t paths_table_bytes(const struct kernel *k);

#endif
