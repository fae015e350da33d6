/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_MAKING_H
#define KERNEL_MAKING_H
/*
 * What the files of the path machine (path.c, reshape.c, table.c, shape.c, hold.c) ask of each
 * other. Nobody else includes this.
 */
#include "kernel/kernel.h"

/* table.c: numbers and memory of paths. E_NOMEM: a limit is reached, nothing has changed. */
MUST_CHECK status_t id_take(struct kernel *k, struct path *p);
void id_give(struct kernel *k, struct path *p);
/* An object with room for `nstages` states, and with work unless in_line. It has an account but no
 * number. NULL: no memory. */
struct path *object_make(struct kernel *k, bool in_line, int nstages);
void object_free(struct kernel *k, struct path *p); /* its account is empty */

/* shape.c. The shape like `want` that all paths of the kind share. NULL: no memory. */
const struct shape *shape_intern(struct kernel *k, const struct shape *want);
/* What s, a shared shape, becomes by that rule; NULL: no memory. */
const struct shape *shape_turned(struct kernel *k, const struct shape *s, const struct turn *t);

/* reshape.c: all stages are told that they stand elsewhere. */
void stages_moved(struct path *p);

/* run.c: events (bits) for the end stage of direction d, unless the path ends meanwhile. */
void events_deliver(struct path *p, enum dir d, unsigned events);

/* hold.c: an inline path has notes; it stands in no list of the scheduler. */
void note_later(struct kernel *k, const struct path *p);
/* What was held for that path is classified anew, and comes before what is queued in it now. */
void held_release(struct kernel *k, uint32_t id);

/* rule.c: what the path has carried, as far as is known: an inline path does not count. */
void path_carried(const struct path *p, uint64_t *msgs, uint64_t *bytes);

#endif
