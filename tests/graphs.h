/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_GRAPHS_H
#define TESTS_GRAPHS_H
/*
 * Every graph of the tree, for test programs, which link them all. The table is written by the
 * build (mk/test.mk).
 */
#include <string.h>

#include "kernel/node.h"

extern const struct graph *const graph_list[]; /* NULL ends */

static inline const struct graph *graph_named(const char *name) /* NULL: no such graph */
{
    for (const struct graph *const *g = graph_list; *g; g++)
        if (strcmp((*g)->name, name) == 0)
            return *g;
    return NULL;
}

#endif
