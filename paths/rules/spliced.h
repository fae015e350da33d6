/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PATHS_RULES_SPLICED_H
#define PATHS_RULES_SPLICED_H
/* What the rules about splices share. Nothing here can fail. */
#include "kernel/node.h"
#include "kernel/path.h"
#include "modules/proxy/proxy.h"

/* Nothing may be spliced: the operator says so, of this path or of all. */
bool rule_is_off(const struct path *p, const struct node *proxy);
void rule_end_proxy(void *conn);
void rule_proxy_away(void *conn, struct path *p); /* its stage is out of the path, which is p */
/* The stage with these operations, or -1. */
static inline int rule_stage(const struct shape *s, const struct stage_ops *ops)
{
    for (int at = 0; at < s->n; at++)
        if (s->at[at].ops == ops)
            return at;
    return -1;
}

/* The proxy stage in the middle of a joined path, or -1. */
static inline int rule_middle(const struct shape *s)
{
    int at = rule_stage(s, &proxy_stage);
    return at > 0 && at < s->n - 1 ? at : -1;
}

/* n stages from `at` on become one of those operations, of the middle one's node. */
static inline void rule_shrink(struct shape *s, int at, int n, const struct stage_ops *ops)
{
    s->at[at].node = s->at[at + n / 2].node;
    s->at[at].ops = ops;
    s->n -= n - 1;
    for (int i = at + 1; i < s->n; i++)
        s->at[i] = s->at[i + n - 1];
}

#endif
