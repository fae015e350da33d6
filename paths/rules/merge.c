/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * merge: two forwarding records are all that is left of a connection, so ip need not take the
 * datagram apart and put it together again, and nothing has to wait in a queue (spec splicing 2,
 * IP/FWD; decisions 1):
 *
 *   eth ip fwd ip eth   ->   eth ipfwd eth
 *
 * Frames are rewritten where they lie. It preserves the byte streams and the numbers: the records
 * are the same. Reassembly ends; fragments pass one by one or come by ip's slow path. A connection
 * whose proxy is to have it back is not merged.
 */
#include "kernel/kernel.h"
#include "modules/fwd/fwd.h"
#include "paths/rules/spliced.h"

enum { MERGED = 3, AT_FIRST_IP = 1, AT_FWD = 2, AT_LAST_IP = 3, APART = 5 };

static bool merge_guard(struct path *p, struct span *span)
{
    int at = span->first = span->last = rule_stage(p, &fwd_stage);
    if (at != AT_FWD || p->shape->n != APART || fwd_wants_back(p, at))
        return false;
    return conf_bool(&fwd_node_of(p->shape->at[at].node)->conf, "merge");
}

static status_t merge_action(struct path *p, struct span span)
{
    const struct shape *s = p->shape;
    struct shape to = {.n = MERGED, .at = {s->at[0], s->at[span.first], s->at[APART - 1]}};
    void *state[MERGED] = {p->state[0], p->state[span.first], p->state[APART - 1]};
    void *first = p->state[AT_FIRST_IP], *last = p->state[AT_LAST_IP];
    to.at[1].ops = &ipfwd_stage;
    status_t status = path_reshape(p, &to, state, true, &p);
    if (status != OK)
        return status;
    pool_free(&p->pool, first); /* all that ip's stages have */
    pool_free(&p->pool, last);
    return OK;
}

const struct rule merge_rule = {
    .name = "merge",
    .inverse = "unmerge",
    .when = NOTE_MODE | NOTE_DRAINED,
    .guard = merge_guard,
    .action = merge_action,
};
