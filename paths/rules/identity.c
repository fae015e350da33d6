/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * identity: addresses, ports and numbers are the same on both sides, so forwarding changes nothing
 * but the time to live (spec splicing 4.8). The flows become the router's, and the path ends:
 *
 *   eth ipfwd eth   ->   eth ip eth, one for each direction, shared with all that goes that way
 *
 * Nothing is known about the connection from then on: no filter, no end, no way back; so it is off
 * unless asked for (fwd.identity). Its flows are forgotten with the router's other destinations.
 */
#include "kernel/kernel.h"
#include "kernel/services.h"
#include "modules/fwd/fwd.h"
#include "paths/rules/spliced.h"

static int identity_place(const struct shape *s)
{
    return rule_stage(s, &ipfwd_stage);
}

static bool identity_guard(struct path *p, int at)
{
    if (p->state[at] || fwd_wants_back(p, at))
        return false;
    const struct node *fwd = fwd_node_of(p->shape->at[at].node);
    return conf_bool(&fwd->conf, "identity") && fwd_is_identity(p);
}

static status_t identity_action(struct path *p, const struct turn *t)
{
    struct node *ip = fwd_node_of(p->shape->at[t->at].node)->down[0];
    const struct network_ops *ops = ip->module->ops;
    struct node *const card[2] = {p->shape->at[0].node, p->shape->at[p->shape->n - 1].node};
    status_t status = ops->adopt(ip, p, card);
    if (status == OK)
        path_destroy(p);
    return status;
}

const struct rule identity_rule = {
    .name = "identity",
    .inverse = "none: the router's path knows nothing of the connection",
    .when = NOTE_MODE | NOTE_DRAINED,
    .place = identity_place,
    .guard = identity_guard,
    .action = identity_action,
};
