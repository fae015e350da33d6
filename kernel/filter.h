/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_FILTER_H
#define KERNEL_FILTER_H
/*
 * What filters share: modules that stand between a link and its users, provide a link themselves
 * (struct module: filter = true), and see every message of the paths through them. Also for those
 * that hold messages back: a stage with two lines, one per direction, in which messages wait for
 * their time, at most so many, charged to the node. Whoever is dropped is counted.
 */
#include "kernel/node.h"
#include "kernel/services.h"
#include "kernel/timer.h"

/* The link below, as if the filter were not there; struct module: ops. */
extern const struct link_ops filter_ops;
/* struct module: demux. The node above that the EtherType in front of d->off names. */
struct node *filter_demux(struct node *n, struct demux *d);
/* For create_stage: fills in h->next, upwards or downwards. */
MUST_CHECK status_t filter_next(struct node *n, struct node *from, struct attrs *a, struct hop *h);

struct filter_line {
    struct msgq q;  /* in the order of their times, which are in cb[0] and cb[1] */
    struct timer t; /* armed while q is not empty */
    struct path *p;
    int at;
    enum dir d;
    uint64_t free_at; /* ns; the filter's own */
};

struct filter_lines {
    struct filter_line line[2]; /* by direction */
};

/* For create_stage: the state of such a stage, from p's pool. NULL: no memory. */
struct filter_lines *filter_lines_make(struct path *p);
/* m goes on in direction d at `due` (ns), not before those that wait already; consumes m. */
void filter_hold(struct path *p, int at, enum dir d, struct msg *m, uint64_t due, uint32_t limit);
/* struct stage_ops: establish, moved, destroy. */
status_t filter_establish(struct path *p, int at);
void filter_moved(struct path *p, int at);
void filter_destroy(struct path *p, int at);

#endif
