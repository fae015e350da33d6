/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_PROBE_H
#define TESTS_UNIT_PROBE_H
/*
 * A module for tests of the path machine. A path is grown from node to node along down[0]; its
 * stages write one letter each into a journal: what was called, of which stage, in which direction.
 */
#include "kernel/kernel.h"

enum { PROBE_JOURNAL = 4096 };

/* How the next paths behave. */
struct probe_plan {
    int fail_create;    /* create_stage of that stage fails, counted from 0; -1: none */
    int fail_establish; /* likewise */
    size_t memory;      /* each stage allocates that from its path */
    int turn_at; /* the stage that keeps what comes, as a path's end does; -1: the last ones */
    struct path *found;       /* what demux finds; NULL: it refuses, unless there is */
    const uint32_t *found_id; /* the path with that id; NULL: none */
    int destroy_at;           /* this stage destroys the path when it gets a message; -1: none */
};

extern struct probe_plan probe_plan;
extern char probe_journal[PROBE_JOURNAL]; /* words separated by blanks */
extern struct msgq probe_kept[2];         /* what arrived at the last stage of that direction */

void probe_reset(void);
/* A graph of n such nodes in a row, the first is the lowest; node i uses node i - 1. */
const struct graph *probe_graph(int n, const struct rule *const *rules);
struct path *probe_path(struct kernel *k, bool in_line); /* fails the test when it cannot be made */
void probe_say(const char *format, ...) PRINTF(1);

#endif
