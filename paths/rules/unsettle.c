/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unsettle: two connections again, made from the records (final -> preliminary FWD). Both flows are
 * ESTABLISHED before and after; it is the first step back to control.
 *
 *   eth ip fwd ip eth   ->   eth ip fwd ip eth
 */
#include "kernel/kernel.h"
#include "modules/fwd/fwd.h"
#include "modules/proxy/proxy.h"
#include "modules/tcp/splice.h"
#include "paths/rules/spliced.h"

static bool unsettle_guard(struct path *p, struct span *span)
{
    int at = span->first = span->last = rule_stage(p, &fwd_stage);
    return at >= 0 && fwd_wants_back(p, at);
}

static status_t unsettle_action(struct path *p, struct span span)
{
    int at = span.first;
    struct node *proxy = p->shape->at[at].node;
    struct fwd_keep *keep = p->state[at];
    void *state[PATH_STAGES];
    struct shape to = *p->shape;
    for (int i = 0; i < to.n; i++)
        state[i] = p->state[i];
    to.at[at].ops = &tcp_fwd_stage;
    state[at] =
        fwd_unsettle(p, proxy->down[0], keep ? keep->conn : NULL, rule_end_proxy,
                     keep ? &keep->kept : NULL, keep ? keep->fired : NULL, fwd_silence(p, at));
    if (!state[at])
        return E_NOMEM;
    status_t status = path_reshape(p, &to, state, false, &p);
    if (status == OK)
        pool_free(&p->pool, keep);
    else
        fwd_drop(p, state[at]);
    return status;
}

const struct rule unsettle_rule = {
    .name = "unsettle",
    .inverse = "settle",
    .when = NOTE_MODE | NOTE_TRIGGER,
    .guard = unsettle_guard,
    .action = unsettle_action,
};
