/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split: the server's half of a path goes when its proxy has let the server go and that connection
 * is over. The client stays, and its proxy may connect to another server:
 *
 *   eth ip tcp proxy tcp ip eth   ->   eth ip tcp proxy
 *
 * It saves a client from being tied to the server of its first request. Frames of that server which
 * still wait are run first; they meet a connection that is closed.
 */
#include "kernel/kernel.h"
#include "modules/proxy/proxy.h"
#include "paths/rules/spliced.h"

static void split_turn(struct shape *s, int at)
{
    s->n = at + 1;
}

static bool split_guard(struct path *p, int at)
{
    const struct conn *c = proxy_at(p, at);
    return c && proxy_parted(c);
}

/* What join had added for the server's half. */
static void limit_back(struct path *p)
{
    uint32_t share = p->pool.k->path_pool_limit, left = p->pool.limit;
    left = left > 2 * share ? left - share : share;
    p->pool.limit = left > p->pool.used ? left : p->pool.used;
}

static status_t split_action(struct path *p, const struct turn *t)
{
    struct conn *c = proxy_at(p, t->at);
    void *state[PATH_STAGES];
    if (p->work->in[BA].count || p->work->events[BA])
        return E_AGAIN;
    const struct shape *whole = p->shape;
    for (int i = 0; i < whole->n; i++)
        state[i] = p->state[i];
    status_t status = path_reshape(p, t->to, state, false, &p);
    if (status != OK)
        return status;
    for (int i = whole->n - 1; i > t->at; i--) {
        p->state[i] = state[i];
        if (whole->at[i].ops->destroy)
            whole->at[i].ops->destroy(p, i);
    }
    limit_back(p);
    proxy_alone(c);
    return OK;
}

const struct rule split_rule = {
    .name = "split",
    .inverse = "join",
    .when = NOTE_MODE,
    .place = rule_middle,
    .turn = split_turn,
    .guard = split_guard,
    .action = split_action,
};
