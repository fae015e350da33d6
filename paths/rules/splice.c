/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * splice: the proxy has said of a direction that it needs its bytes no longer, or not before some
 * point, so they go past it (spec splicing 4, flow-splicing 3). Either one flow alone, and the
 * path keeps its stages; or both, and one stage that owns both connections stands for three:
 *
 *   eth ip tcp proxy tcp ip eth   ->   eth ip fwd ip eth
 *
 * It preserves the byte streams: what we have acknowledged goes first. No guard asks for empty
 * buffers (spec decisions 1).
 */
#include "kernel/kernel.h"
#include "modules/fwd/fwd.h"
#include "modules/proxy/proxy.h"
#include "modules/tcp/splice.h"
#include "paths/rules/spliced.h"

bool rule_is_off(const struct path *p, const struct node *proxy)
{
    const struct node *fwd = fwd_node_of(proxy);
    return p->flags & PATH_PLAIN || !fwd || !conf_bool(&fwd->conf, "splice");
}

void rule_end_proxy(void *conn)
{
    proxy_end(conn);
}

void rule_proxy_away(void *conn, struct path *p)
{
    proxy_away(conn, p);
}

/* Where the flow of direction d begins and ends, from the proxy's stage `at` on. */
static int from_stage(int at, enum dir d)
{
    return d == AB ? at - 1 : at + 1;
}

static bool is_spliced(const struct path *p, int at, enum dir d)
{
    return splice_state_of(p, from_stage(at, d), d) != SPLICE_UNSPLICED;
}

static bool wants(const struct conn *c, enum dir d)
{
    uint64_t n;
    enum proxy_mode mode = proxy_mode(c, d, &n);
    return mode == PROXY_FORWARD || (mode == PROXY_COUNTED && n > proxy_held(c, d)->bytes);
}

static bool waits(const struct conn *c, enum dir d)
{
    uint64_t n;
    return proxy_mode(c, d, &n) == PROXY_WAITING;
}

/* A direction that only waits for its next byte is worth it for the other one's sake. */
static bool wanted(const struct path *p, int at, const struct conn *c, enum dir d)
{
    enum dir other = dir_reverse(d);
    return wants(c, d) || (waits(c, d) && splice_is_quiet(p, from_stage(at, d), d) &&
                           (wants(c, other) || is_spliced(p, at, other)));
}

static bool may_start(const struct path *p, int at, const struct conn *c, enum dir d)
{
    return wanted(p, at, c, d) &&
           splice_possible(p, from_stage(at, d), p, from_stage(at, dir_reverse(d)));
}

/* The operator has changed his mind before it came to an end. */
static bool may_resume(const struct path *p, int at, const struct conn *c, enum dir d)
{
    return splice_is_stopped(p, from_stage(at, d), d) && wanted(p, at, c, d);
}

/* Both are spliced, and neither is about to end. */
static bool may_meet(const struct path *p, int at)
{
    return is_spliced(p, at, AB) && is_spliced(p, at, BA) && !splice_is_due(p, at - 1, AB) &&
           !splice_is_due(p, at + 1, BA);
}

/* tcp proxy tcp -> fwd */
static void splice_turn(struct shape *s, int at)
{
    rule_shrink(s, at - 1, 3, &tcp_fwd_stage);
}

static bool splice_guard(struct path *p, int at)
{
    const struct conn *c = proxy_at(p, at);
    if (!c || proxy_path(c, SIDE_A) != proxy_path(c, SIDE_B) ||
        rule_is_off(p, p->shape->at[at].node) || !proxy_may_splice(c))
        return false;
    return may_start(p, at, c, AB) || may_start(p, at, c, BA) || may_meet(p, at) ||
           may_resume(p, at, c, AB) || may_resume(p, at, c, BA);
}

static status_t start(struct path *p, int at, struct conn *c, enum dir d, enum splice_drain drain)
{
    struct splice_conf conf = {
        .drain = drain,
        .limit = UINT64_MAX,
        .held = proxy_pending(c, d),
    };
    uint64_t n, held = conf.held->bytes;
    enum proxy_mode mode = proxy_mode(c, d, &n);
    if (mode == PROXY_WAITING)
        conf.limit = 0;
    else if (mode == PROXY_COUNTED)
        conf.limit = n - held;
    status_t status = splice_start(p, from_stage(at, d), p, from_stage(at, dir_reverse(d)), &conf);
    if (status == OK && held)
        proxy_passed(c, d, held);
    return status;
}

static status_t meet(struct path *p, int at, const struct shape *to)
{
    struct conn *c = proxy_at(p, at);
    void *state[PATH_STAGES], *both = fwd_make(p, at - 1, c, rule_end_proxy);
    if (!both)
        return E_NOMEM;
    for (int i = 0; i < to->n; i++)
        state[i] = p->state[i < at ? i : i + 2];
    state[at - 1] = both;
    status_t status = path_reshape(p, to, state, false, &p);
    if (status == OK)
        proxy_away(c, p);
    else
        fwd_unmake(p, both);
    return status;
}

static status_t splice_action(struct path *p, const struct turn *t)
{
    int at = t->at;
    struct conn *c = proxy_at(p, at);
    const struct node *fwd = fwd_node_of(p->shape->at[at].node);
    enum splice_drain drain = (enum splice_drain)conf_number(&fwd->conf, "drain");
    status_t status = OK;
    for (int d = AB; d <= BA; d++)
        if (may_resume(p, at, c, (enum dir)d))
            (void)splice_resume(p, from_stage(at, (enum dir)d), (enum dir)d);
    for (int d = AB; status == OK && d <= BA; d++)
        if (may_start(p, at, c, (enum dir)d))
            status = start(p, at, c, (enum dir)d, drain);
    return status == OK && may_meet(p, at) ? meet(p, at, t->to) : status;
}

const struct rule splice_rule = {
    .name = "splice",
    .inverse = "unsplice",
    .when = NOTE_OPENED | NOTE_MODE | NOTE_DRAINED,
    .place = rule_middle,
    .turn = splice_turn,
    .guard = splice_guard,
    .action = splice_action,
};
