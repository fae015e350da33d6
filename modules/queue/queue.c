/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue: a filter with a bounded queue that is served at a rate, per path and direction: a
 * bottleneck. What finds it full is dropped at the tail (path.queue).
 */
#include "kernel/filter.h"
#include "kernel/kernel.h"

static void deliver(struct path *p, int at, struct msg *m, enum dir d)
{
    const struct node *n = p->shape->at[at].node;
    struct filter_lines *f = p->state[at];
    struct filter_line *l = &f->line[d];
    uint32_t limit = (uint32_t)conf_number(&n->conf, "limit");
    if (l->q.count < limit) { /* it takes its time on the wire behind those before it */
        uint64_t begin = l->free_at > n->k->now ? l->free_at : n->k->now;
        l->free_at = begin + m->total * SECOND / conf_number(&n->conf, "rate");
    }
    filter_hold(p, at, d, m, l->free_at, limit);
}

static void deliver_ab(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, AB);
}

static void deliver_ba(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, BA);
}

static const struct stage_ops queue_stage = {
    .deliver = {deliver_ab, deliver_ba},
    .establish = filter_establish,
    .moved = filter_moved,
    .destroy = filter_destroy,
};

static status_t queue_create_stage(struct node *n, struct node *from, struct attrs *a,
                                   struct path *p, struct hop *h)
{
    h->ops = &queue_stage;
    h->state = filter_lines_make(p);
    return h->state ? filter_next(n, from, a, h) : E_NOMEM;
}

const struct module queue_module = {
    .name = "queue",
    .ops = &filter_ops,
    .create_stage = queue_create_stage,
    .demux = filter_demux,
    .filter = true,
};
