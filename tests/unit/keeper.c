/* SPDX-License-Identifier: BSD-2-Clause */
/* A stage that stands between two others; see keeper.h. */
#include "tests/unit/keeper.h"

#include <string.h>

struct msg *message(struct kernel *k, size_t n)
{
    struct msg *m = msg_alloc(&k->pool, MSG_HEADROOM, n);
    assert_non_null(m);
    memset(msg_put(m, n), 'x', n);
    m->in_dev = 0;
    return m;
}

bool trigger;

static void keeper_deliver(struct path *p, int at, enum dir d, struct msg *m)
{
    if (trigger) {
        probe_say("hold%u", m->total);
        path_hold(p, d, m);
        return;
    }
    probe_say("%c%c", d == AB ? '>' : '<', p->work ? 'K' : 'k');
    pass(p, at, d, m);
}

static void keeper_ab(struct path *p, int at, struct msg *m)
{
    keeper_deliver(p, at, AB, m);
}

static void keeper_ba(struct path *p, int at, struct msg *m)
{
    keeper_deliver(p, at, BA, m);
}

static void keeper_moved(struct path *p, int at)
{
    struct keeper *keeper = p->state[at];
    probe_say("moved-keeper%d", at);
    if (keeper && keeper->m)
        assert_int_equal(msg_charge(keeper->m, &p->pool), OK);
}

static void keeper_destroy(struct path *p, int at)
{
    struct keeper *keeper = p->state[at];
    if (keeper && keeper->m)
        msg_free(keeper->m);
}

static const struct stage_ops keeper_ops = {
    .name = "keeper",
    .deliver = {keeper_ab, keeper_ba},
    .moved = keeper_moved,
    .destroy = keeper_destroy,
};

void scene_make(struct scene *s, const struct rule *const *rules)
{
    probe_reset();
    trigger = false;
    s->f = fixture_make(probe_graph(3, rules), 0, NULL);
    s->k = s->f->k;
    s->card = (struct netdev){.k = s->k, .node = &s->k->nodes[0]};
    s->k->devs[0] = &s->card;
}

void scene_end(struct scene *s)
{
    msgq_free(&probe_kept[AB]);
    msgq_free(&probe_kept[BA]);
    fixture_end(s->f);
}

status_t keep(struct path *p, struct keeper *keeper, bool in_line, struct path **out)
{
    struct shape to = *p->shape;
    to.at[1].ops = &keeper_ops;
    void *state[3] = {p->state[0], keeper, p->state[2]};
    return path_reshape(p, &to, state, in_line, out);
}

struct path *kept_path(struct scene *s, bool in_line)
{
    struct path *p = probe_path(s->k, false), *q = NULL;
    p->notes = 0;
    assert_int_equal(keep(p, NULL, in_line, &q), OK);
    return q;
}
