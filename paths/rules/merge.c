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

static int merge_place(const struct shape *s)
{
    return s->n == APART && s->at[AT_FWD].ops == &fwd_stage ? AT_FWD : -1;
}

static void merge_turn(struct shape *s, int at)
{
    rule_shrink(s, at - 1, MERGED, &ipfwd_stage);
}

static bool merge_guard(struct path *p, int at)
{
    return !fwd_wants_back(p, at) && conf_bool(&fwd_node_of(p->shape->at[at].node)->conf, "merge");
}

static status_t merge_action(struct path *p, const struct turn *t)
{
    void *state[MERGED] = {p->state[0], p->state[t->at], p->state[APART - 1]};
    void *first = p->state[AT_FIRST_IP], *last = p->state[AT_LAST_IP];
    status_t status = path_reshape(p, t->to, state, true, &p);
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
    .place = merge_place,
    .turn = merge_turn,
    .guard = merge_guard,
    .action = merge_action,
};
