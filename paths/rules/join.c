/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * join: two half paths that meet in a proxy become one (2-path -> 1-path), once both connections
 * are open:
 *
 *   eth ip tcp proxy | proxy tcp ip eth   ->   eth ip tcp proxy tcp ip eth
 *
 * It saves the hand-over through a queue and a turn of the scheduler per message. It preserves the
 * byte streams; no segment on the wire shows it. What still waits to cross over is run first.
 */
#include "kernel/kernel.h"
#include "modules/proxy/proxy.h"

enum { DRAIN_BUDGET = 64 };

/* The end of half path A. */
static int join_place(const struct shape *s)
{
    return s->n > 1 && s->at[s->n - 1].ops == &proxy_stage ? s->n - 1 : -1;
}

static bool join_guard(struct path *p, int at)
{
    struct conn *c = proxy_at(p, at);
    return c && proxy_is_open(c, SIDE_A) && proxy_is_open(c, SIDE_B) && proxy_path(c, SIDE_B) != p;
}

static bool crossing(const struct path *a, const struct path *b)
{
    return a->work->in[BA].count || a->work->events[BA] || b->work->in[AB].count ||
           b->work->events[AB];
}

static status_t join_action(struct path *a, const struct turn *t)
{
    struct path *b = proxy_path(proxy_at(a, t->at), SIDE_B);
    if (crossing(a, b))
        path_run(b, DRAIN_BUDGET);
    if (crossing(a, b) || a->flags & PATH_DYING || b->flags & PATH_DYING)
        return E_AGAIN;
    return path_join(a, t->at + 1, b, 1);
}

const struct rule join_rule = {
    .name = "join",
    .inverse = "split",
    .when = NOTE_OPENED,
    .place = join_place,
    .guard = join_guard,
    .action = join_action,
};
