/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PATH_RANDOM_H
#define TESTS_PATH_RANDOM_H
/*
 * Packets by random numbers, for test_fuzz.c and the target `graph` of tests/fuzz: fields at their
 * edges, options of any bytes, lengths that lie, numbers near those of connections that are open.
 * Checksums are right, mostly.
 */
#include "drivers/hosted/rng.h"
#include "tests/path/script.h"

/* The client and the server between whom the kernel stands. */
extern const struct host random_hosts[2];

/* One from h; p->data belongs to the caller. s->listens: where the proxy listens, and the server.
 */
void random_packet(struct rng *r, struct stage *s, struct host *h, struct packet *p);
/* What h has got: noted for quotations; a SYN is mostly answered, data acknowledged. */
void random_hear(struct rng *r, struct stage *s, struct host *h);
/* Now and then there is no memory: for the kernel, for a node, for new paths; then there is again.
 */
void random_famine(struct rng *r, struct kernel *k);
void random_plenty(struct kernel *k);

#endif
