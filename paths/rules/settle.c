/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settle: nothing of ours is left in either direction, so both connections shrink to two forwarding
 * records (preliminary -> final FWD). Each direction has settled on its own before; it takes both
 * to give the connections up, for as long as one of them drains, the other one's segments must
 * carry its acknowledgement (spec decisions 1).
 *
 *   eth ip fwd ip eth   ->   eth ip fwd ip eth
 *
 * The proxy's connection object is kept if the proxy may want it again.
 */
#include "kernel/kernel.h"
#include "modules/fwd/fwd.h"
#include "modules/proxy/proxy.h"
#include "modules/tcp/splice.h"
#include "paths/rules/spliced.h"

static int settle_place(const struct shape *s)
{
    return rule_stage(s, &tcp_fwd_stage);
}

static void settle_turn(struct shape *s, int at)
{
    s->at[at].ops = &fwd_stage;
}

static bool settle_guard(struct path *p, int at)
{
    return !rule_is_off(p, p->shape->at[at].node) && fwd_is_settled(p, at);
}

static void triggers_set(struct path *p, struct fwd_keep *keep)
{
    for (int d = AB; d <= BA; d++) {
        keep->trigger[d] = keep->kept.stop[d];
        if (keep->kept.stops[d])
            flow_record(path_flow(p, (enum dir)d))->flags |= RECORD_TRIGGER;
    }
}

static status_t settle_action(struct path *p, const struct turn *t)
{
    struct conn *c = fwd_conn(p, t->at);
    void *both = p->state[t->at];
    struct fwd_keep *keep = NULL;
    struct splice_kept kept;
    if (c && proxy_returns(c) && !(keep = pool_alloc(&p->pool, sizeof *keep)))
        return E_NOMEM;
    p->state[t->at] = keep;
    status_t status = path_reshape(p, t->to, p->state, false, &p);
    if (status != OK) {
        p->state[t->at] = both;
        pool_free(&p->pool, keep);
        return status;
    }
    fwd_silent(p, t->at, fwd_settle(p, both, &kept));
    if (keep) {
        *keep = (struct fwd_keep){
            .conn = c, .end = rule_end_proxy, .moved = rule_proxy_away, .kept = kept};
        triggers_set(p, keep);
    } else if (c) {
        proxy_end(c);
    }
    return OK;
}

const struct rule settle_rule = {
    .name = "settle",
    .inverse = "unsettle",
    .when = NOTE_MODE | NOTE_DRAINED,
    .place = settle_place,
    .turn = settle_turn,
    .guard = settle_guard,
    .action = settle_action,
};
