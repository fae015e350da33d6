/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delay: a filter that lets every message wait. Order is kept. What finds the line full is dropped
 * (path.queue); what waits when its path ends is dropped, too (path.dead).
 */
#include "kernel/filter.h"
#include "kernel/kernel.h"

static void deliver(struct path *p, int at, struct msg *m, enum dir d)
{
    const struct node *n = p->shape->at[at].node;
    filter_hold(p, at, d, m, n->k->now + conf_number(&n->conf, "time"),
                (uint32_t)conf_number(&n->conf, "limit"));
}

static void deliver_ab(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, AB);
}

static void deliver_ba(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, BA);
}

static const struct stage_ops delay_stage = {
    .deliver = {deliver_ab, deliver_ba},
    .establish = filter_establish,
    .moved = filter_moved,
    .destroy = filter_destroy,
};

static status_t delay_create_stage(struct node *n, struct node *from, struct attrs *a,
                                   struct path *p, struct hop *h)
{
    h->ops = &delay_stage;
    h->state = filter_lines_make(p);
    return h->state ? filter_next(n, from, a, h) : E_NOMEM;
}

const struct module delay_module = {
    .name = "delay",
    .ops = &filter_ops,
    .create_stage = delay_create_stage,
    .demux = filter_demux,
    .filter = true,
};
