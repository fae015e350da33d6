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

static int unsettle_place(const struct shape *s)
{
    return rule_stage(s, &fwd_stage);
}

static void unsettle_turn(struct shape *s, int at)
{
    s->at[at].ops = &tcp_fwd_stage;
}

static bool unsettle_guard(struct path *p, int at)
{
    return fwd_wants_back(p, at);
}

static status_t unsettle_action(struct path *p, const struct turn *t)
{
    struct node *proxy = p->shape->at[t->at].node;
    struct fwd_keep *keep = p->state[t->at];
    void *both =
        fwd_unsettle(p, proxy->down[0], keep ? keep->conn : NULL, rule_end_proxy,
                     keep ? &keep->kept : NULL, keep ? keep->fired : NULL, fwd_silence(p, t->at));
    if (!both)
        return E_NOMEM;
    p->state[t->at] = both;
    status_t status = path_reshape(p, t->to, p->state, false, &p);
    if (status == OK) {
        pool_free(&p->pool, keep);
    } else {
        p->state[t->at] = keep;
        fwd_drop(p, both);
    }
    return status;
}

const struct rule unsettle_rule = {
    .name = "unsettle",
    .inverse = "settle",
    .when = NOTE_MODE | NOTE_TRIGGER,
    .place = unsettle_place,
    .turn = unsettle_turn,
    .guard = unsettle_guard,
    .action = unsettle_action,
};
