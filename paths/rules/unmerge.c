/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unmerge: a merged connection's proxy is to have it back, or merging was switched off. ip's stages
 * are made anew from what the records say:
 *
 *   eth ipfwd eth   ->   eth ip fwd ip eth
 *
 * It preserves the byte streams and the numbers. Then `unsettle` and `unsplice` go further.
 */
#include "kernel/kernel.h"
#include "modules/fwd/fwd.h"
#include "paths/rules/spliced.h"

enum { APART = 5 };

static int unmerge_place(const struct shape *s)
{
    return rule_stage(s, &ipfwd_stage);
}

static bool unmerge_guard(struct path *p, int at)
{
    const struct node *fwd = fwd_node_of(p->shape->at[at].node);
    return fwd_wants_back(p, at) || !conf_bool(&fwd->conf, "merge");
}

/* ip's stage of the connection with the host that the flow of direction d goes to. */
static status_t ip_stage(struct path *p, struct node *ip, struct node *from, enum dir d,
                         struct hop *h)
{
    const struct record *r = flow_record(path_flow(p, d));
    struct endpoint local = {netaddr_ip4(r->src), r->sport},
                    remote = {netaddr_ip4(r->dst), r->dport};
    struct attrs a = {0};
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_endpoint(&a, ATTR_LOCAL, &local);
    attrs_set_endpoint(&a, ATTR_REMOTE, &remote);
    return ip->module->create_stage(ip, from, &a, p, h);
}

static status_t unmerge_action(struct path *p, const struct turn *t)
{
    int at = t->at;
    struct node *fwd = fwd_node_of(p->shape->at[at].node), *ip = fwd->down[0];
    struct shape to = *p->shape;
    struct hop up = {0}, down = {0};
    status_t status = ip_stage(p, ip, p->shape->at[0].node, BA, &up);
    if (status == OK)
        status = ip_stage(p, ip, fwd, AB, &down);
    to.n = APART;
    to.at[4] = to.at[2];
    to.at[3].ops = down.ops;
    to.at[3].node = to.at[1].node = ip;
    to.at[2] = p->shape->at[at];
    to.at[2].ops = &fwd_stage;
    to.at[1].ops = up.ops;
    void *state[APART] = {p->state[0], up.state, p->state[at], down.state, p->state[2]};
    if (status == OK)
        status = path_reshape(p, &to, state, false, &p);
    if (status != OK) {
        pool_free(&p->pool, up.state);
        pool_free(&p->pool, down.state);
    }
    return status;
}

const struct rule unmerge_rule = {
    .name = "unmerge",
    .inverse = "merge",
    .when = NOTE_MODE | NOTE_TRIGGER,
    .place = unmerge_place,
    .guard = unmerge_guard,
    .action = unmerge_action,
};
