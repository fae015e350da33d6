/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drop: a filter that loses messages, by chance or by number, both ways. They are counted as
 * `module`. With the kernel's `seed` set, a run loses the same ones again.
 */
#include "kernel/filter.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"
#include "kernel/show.h"

struct drop_node {
    uint64_t seen, lost;
};

static bool is_unlucky(struct node *n)
{
    struct drop_node *s = n->state;
    uint64_t permille = conf_number(&n->conf, "permille"), every = conf_number(&n->conf, "every");
    s->seen++;
    return (every && s->seen % every == 0) || (permille && plat_random(n->k) % 1000 < permille);
}

static void deliver(struct path *p, int at, struct msg *m, enum dir d)
{
    struct node *n = p->shape->at[at].node;
    struct drop_node *s = n->state;
    if (is_unlucky(n)) {
        s->lost++;
        msg_drop(n->k, m, DROP_MODULE);
        return;
    }
    pass(p, at, d, m);
}

static void deliver_ab(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, AB);
}

static void deliver_ba(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, BA);
}

static const struct stage_ops drop_stage = {.deliver = {deliver_ab, deliver_ba}};

static status_t drop_create_stage(struct node *n, struct node *from, struct attrs *a,
                                  struct path *p, struct hop *h)
{
    (void)p;
    h->ops = &drop_stage;
    return filter_next(n, from, a, h);
}

static void drop_show(const struct node *n, struct show *out)
{
    const struct drop_node *s = n->state;
    show_printf(out, "  seen %llu\n  lost %llu\n", (unsigned long long)s->seen,
                (unsigned long long)s->lost);
}

const struct module drop_module = {
    .name = "drop",
    .node_size = sizeof(struct drop_node),
    .ops = &filter_ops,
    .create_stage = drop_create_stage,
    .demux = filter_demux,
    .show = drop_show,
    .filter = true,
};
