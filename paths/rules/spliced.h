/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PATHS_RULES_SPLICED_H
#define PATHS_RULES_SPLICED_H
/* What the rules about splices share. Nothing here can fail. */
#include "kernel/node.h"
#include "kernel/path.h"

struct conn;

/* The proxy stage in the middle of a path, and where; NULL: there is none. */
struct conn *rule_proxy(const struct path *p, int *at);
/* Nothing may be spliced: the operator says so, of this path or of all. */
bool rule_is_off(const struct path *p, const struct node *proxy);
void rule_end_proxy(void *conn);
void rule_proxy_away(void *conn, struct path *p); /* its stage is out of the path, which is p */
/* The stage with these operations, or -1. */
static inline int rule_stage(const struct path *p, const struct stage_ops *ops)
{
    for (int at = 0; at < p->shape->n; at++)
        if (p->shape->at[at].ops == ops)
            return at;
    return -1;
}

#endif
