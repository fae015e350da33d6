/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection object across a splice: a proxy that never wants control again does without it
 * while its connection is spliced, and when the operator asks for the bytes all the same, it is
 * made anew from what the path's two flows say. Called by the rules in paths/rules.
 */
#include "kernel/kernel.h"
#include "kernel/services.h"
#include "modules/proxy/conn.h"
#include "modules/wire/record.h"

struct msgq *proxy_pending(struct conn *c, enum dir d)
{
    return &c->flow[d].held;
}

bool proxy_returns(const struct conn *c)
{
    return c->private != NULL;
}

void proxy_away(struct conn *c, struct path *p)
{
    c->away = true;
    c->side[SIDE_A].p = c->side[SIDE_B].p = p;
}

void conn_tell_away(struct conn *c, enum event ev)
{
    struct path *p = c->side[SIDE_A].p;
    if (ev != EVENT_RESET || p->flags & PATH_DYING)
        return;
    for (int at = 0; at < p->shape->n; at++)
        if (p->shape->at[at].ops->stop)
            p->shape->at[at].ops->stop(p, at);
    path_destroy(p);
}

/* The host's address and port come first in a key, ours behind. */
static struct endpoint host_of(const struct flow *f)
{
    return (struct endpoint){.addr = netaddr_ip4((uint32_t)(f->key.w[0] >> 32)),
                             .port = (uint16_t)(f->key.w[1] >> 16)};
}

static struct endpoint ours_of(const struct flow *f)
{
    return (struct endpoint){.addr = netaddr_ip4((uint32_t)f->key.w[0]),
                             .port = (uint16_t)f->key.w[1]};
}

struct conn *proxy_revive(struct path *p, struct node *n)
{
    const struct proxy_ops *ops = n->module->ops;
    const struct flow *a = path_flow(p, AB), *b = path_flow(p, BA);
    struct conn *c = pool_alloc(&p->pool, sizeof *c);
    if (!c)
        return NULL;
    c->n = n;
    c->code = ops->code;
    c->client = host_of(a);
    c->local = ours_of(a);
    c->server = host_of(b);
    for (int i = 0; i < 2; i++) {
        c->side[i].p = p;
        c->side[i].open = true;
        c->flow[i].forward = UINT64_MAX;
    }
    return c;
}
