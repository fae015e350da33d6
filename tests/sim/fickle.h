/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_FICKLE_H
#define TESTS_SIM_FICKLE_H
/*
 * A proxy that cannot make up its mind: in each direction it sees bytes, forwards so many, forwards
 * for ever, waits for the next byte or stalls, by random numbers. Bytes that it is shown are
 * checked: they are the slice of the stream that comes next. It takes the place of plug.
 */
#include "kernel/node.h"

struct scene;
struct pair;

/* The graph with plug's place taken; good until the next call. */
const struct graph *fickle_graph(struct scene *s, const struct graph *g);
/* It changes its mind about a connection now. p: its path, or NULL. */
void fickle_change(struct scene *s, struct pair *pair, struct path *p);

#endif
