/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_KEEPER_H
#define TESTS_UNIT_KEEPER_H
/*
 * Paths for tests that rewrite them: `n0 keeper n2`, of the probe module's stages and one that
 * keeps a message of its own, so its charge has to move with the path. It writes into the probe's
 * journal: K and an arrow in a path with queues, k in one without.
 */
#include "tests/unit/fixture.h"
#include "tests/unit/probe.h"

struct scene {
    struct fixture *f;
    struct kernel *k;
    struct netdev card; /* where held frames are said to have come from */
};

struct keeper {
    struct msg *m; /* charged to the path */
};

extern bool trigger; /* what the keeper gets is held */

void scene_make(struct scene *s, const struct rule *const *rules);
void scene_end(struct scene *s);
struct msg *message(struct kernel *k, size_t n);
/* n0 n1 n2 -> n0 keeper n2: what is known of n0 and n2 stays. */
status_t keep(struct path *p, struct keeper *keeper, bool in_line, struct path **out);
struct path *kept_path(struct scene *s, bool in_line); /* without notes */

#endif
