/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unsplice: the proxy is to see bytes again: because the operator says so, or because a direction
 * has come to the point at which its proxy wants it (a limit, or data where it waited for them).
 *
 *   eth ip fwd ip eth   ->   eth ip tcp proxy tcp ip eth
 *
 * Only the stages change here. Each flow goes back when nothing of it is under way any more
 * (modules/tcp/stop.c), and the other one may stay spliced. It preserves the byte streams.
 */
#include "kernel/kernel.h"
#include "modules/fwd/fwd.h"
#include "modules/proxy/proxy.h"
#include "modules/tcp/splice.h"
#include "paths/rules/spliced.h"

static bool still_spliced(const struct path *p, int at)
{
    return splice_state_of(p, at - 1, AB) != SPLICE_UNSPLICED ||
           splice_state_of(p, at + 1, BA) != SPLICE_UNSPLICED;
}

static bool unsplice_guard(struct path *p, struct span *span)
{
    int at = rule_stage(p, &tcp_fwd_stage);
    if (at >= 0) {
        span->first = span->last = at;
        return fwd_is_alive(p, at) &&
               (rule_is_off(p, p->shape->at[at].node) || fwd_wants_control(p, at));
    }
    if (!rule_proxy(p, &at) || !rule_is_off(p, p->shape->at[at].node) || !still_spliced(p, at))
        return false;
    span->first = at - 1; /* one flow alone was spliced */
    span->last = at + 1;
    return !splice_is_due(p, at - 1, AB) && !splice_is_due(p, at + 1, BA);
}

/* fwd -> tcp proxy tcp; the connection object, if it was given up, is made again. */
static status_t part(struct path *p, int at)
{
    struct shape to = *p->shape;
    struct node *proxy = to.at[at].node;
    void *state[PATH_STAGES], *three[3];
    fwd_split(p, at, three);
    const struct stage_ops *ops[3] = {tcp_stage_of(AB), &proxy_stage, tcp_stage_of(BA)};
    to.n += 2;
    for (int i = to.n - 1; i >= 0; i--) {
        int from = i < at ? i : i - 2;
        bool inner = i >= at && i < at + 3;
        to.at[i] = p->shape->at[inner ? at : from];
        state[i] = inner ? three[i - at] : p->state[from];
        if (inner)
            to.at[i].ops = ops[i - at];
    }
    to.at[at].node = to.at[at + 2].node = proxy->down[0];
    void *pair = p->state[at];
    struct conn *made = NULL;
    if (!three[1] && !(made = proxy_revive(p, proxy)))
        return E_NOMEM;
    state[at + 1] = three[1] ? three[1] : made;
    status_t status = path_reshape(p, &to, state, false, &p);
    if (status == OK)
        fwd_unmake(p, pair);
    else
        pool_free(&p->pool, made);
    return status;
}

static status_t unsplice_action(struct path *p, struct span span)
{
    int at = span.first;
    const struct node *fwd = fwd_node_of(p->shape->at[span.last > at ? at + 1 : at].node);
    if (span.first == span.last) {
        status_t status = part(p, at);
        if (status != OK)
            return status;
    }
    enum splice_stop how = (enum splice_stop)conf_number(&fwd->conf, "unsplice");
    for (int d = AB; d <= BA; d++) {
        int from = d == AB ? at : at + 2;
        if (rule_is_off(p, p->shape->at[at + 1].node))
            splice_stop(p, from, (enum dir)d, how);
        else
            splice_return(p, from, (enum dir)d);
    }
    for (int d = AB; span.first == span.last && d <= BA && !(p->flags & PATH_DYING); d++)
        splice_catch_up(p, d == AB ? at : at + 2, (enum dir)d);
    return OK;
}

const struct rule unsplice_rule = {
    .name = "unsplice",
    .inverse = "splice",
    .when = NOTE_MODE | NOTE_TRIGGER,
    .guard = unsplice_guard,
    .action = unsplice_action,
};
