/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_RULE_H
#define KERNEL_RULE_H
/*
 * A rule rewrites a path: a guard that only looks, and an action that does all of it or nothing.
 * What depends on nothing but the shape is found once and kept there (struct turn in path.h).
 * Rules are tried between two runs of a path, so nothing is in flight. A rule is named in the graph
 * file (`rule join`), stands in a file of its own in paths/rules/, and says which rule undoes it.
 */
#include "kernel/path.h"
#include "kernel/types.h"

enum note { /* when a rule is tried; bits */
            NOTE_CREATED = 1,
            NOTE_OPENED = 2,   /* a connection of the path was established */
            NOTE_MODE = 4,     /* a proxy changed what it wants to see */
            NOTE_DRAINED = 8,  /* a direction of a splice changed its state */
            NOTE_TRIGGER = 16, /* a segment came that the proxy wants to see */
};

struct rule {
    const char *name;
    const char *inverse; /* name of the rule that undoes it, or the reason why there is none */
    unsigned when;       /* enum note bits */
    /* Asked once for all paths of a shape: which stage it acts on (-1: it has nothing to do with
     * such paths; NULL: the first), and what it makes of the shape (NULL: no single one). */
    int (*place)(const struct shape *s);
    void (*turn)(struct shape *s, int at);
    bool (*guard)(struct path *p, int at);
    /* May put another object in p's place (path_reshape). E_AGAIN: not yet, and p is as it was;
     * guard and action are tried again after the path's next run. */
    status_t (*action)(struct path *p, const struct turn *t);
};

/* Something happened that rules wait for; they are tried when the path has stopped running, or when
 * the running burst is over. */
void path_note(struct path *p, enum note what);
void rule_try(struct kernel *k, struct path *p, unsigned notes);

enum { RULE_HISTORY = 64 };

struct rule_event { /* kept in a bounded ring of the kernel, not in the path */
    uint64_t ns, cycles;
    uint32_t path;
    const struct rule *rule;
    uint64_t msgs[2], bytes[2]; /* of the path until then, as long as it had queues */
};

#endif
