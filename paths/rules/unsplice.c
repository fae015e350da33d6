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

/* Both flows are spliced, or one alone. */
static int unsplice_place(const struct shape *s)
{
    int at = rule_stage(s, &tcp_fwd_stage);
    return at >= 0 ? at : rule_middle(s);
}

static bool is_both(const struct shape *s, int at)
{
    return s->at[at].ops == &tcp_fwd_stage;
}

/* fwd -> tcp proxy tcp */
static void unsplice_turn(struct shape *s, int at)
{
    const struct stage_ops *ops[3] = {tcp_stage_of(AB), &proxy_stage, tcp_stage_of(BA)};
    struct node *proxy = s->at[at].node, *tcp = proxy->down[0];
    if (!is_both(s, at))
        return;
    s->n += 2;
    for (int i = s->n - 1; i > at + 2; i--)
        s->at[i] = s->at[i - 2];
    for (int i = 0; i < 3; i++) {
        s->at[at + i].ops = ops[i];
        s->at[at + i].node = i == 1 ? proxy : tcp;
    }
}

static bool unsplice_guard(struct path *p, int at)
{
    bool off = rule_is_off(p, p->shape->at[at].node);
    if (is_both(p->shape, at))
        return fwd_is_alive(p, at) && (off || fwd_wants_control(p, at));
    return off && proxy_at(p, at) && still_spliced(p, at) && !splice_is_due(p, at - 1, AB) &&
           !splice_is_due(p, at + 1, BA);
}

/* The connection object, if it was given up, is made again. */
static status_t part(struct path *p, int at, const struct shape *to)
{
    void *state[PATH_STAGES], *three[3], *pair = p->state[at];
    struct conn *made = NULL;
    fwd_split(p, at, three);
    if (!three[1] && !(three[1] = made = proxy_revive(p, p->shape->at[at].node)))
        return E_NOMEM;
    for (int i = 0; i < to->n; i++)
        state[i] = i < at ? p->state[i] : i < at + 3 ? three[i - at] : p->state[i - 2];
    status_t status = path_reshape(p, to, state, false, &p);
    if (status == OK)
        fwd_unmake(p, pair);
    else
        pool_free(&p->pool, made);
    return status;
}

static status_t unsplice_action(struct path *p, const struct turn *t)
{
    const struct node *proxy = p->shape->at[t->at].node, *fwd = fwd_node_of(proxy);
    bool both = is_both(p->shape, t->at);
    int at = both ? t->at : t->at - 1; /* the first of tcp proxy tcp */
    status_t status = both ? part(p, at, t->to) : OK;
    if (status != OK)
        return status;
    enum splice_stop how = (enum splice_stop)conf_number(&fwd->conf, "unsplice");
    for (int d = AB; d <= BA; d++) {
        int from = d == AB ? at : at + 2;
        if (rule_is_off(p, proxy))
            splice_stop(p, from, (enum dir)d, how);
        else
            splice_return(p, from, (enum dir)d);
    }
    for (int d = AB; both && d <= BA && !(p->flags & PATH_DYING); d++)
        splice_catch_up(p, d == AB ? at : at + 2, (enum dir)d);
    return OK;
}

const struct rule unsplice_rule = {
    .name = "unsplice",
    .inverse = "splice",
    .when = NOTE_MODE | NOTE_TRIGGER,
    .place = unsplice_place,
    .turn = unsplice_turn,
    .guard = unsplice_guard,
    .action = unsplice_action,
};
