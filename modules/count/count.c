/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * count: a filter that counts messages and bytes, in (from the wire) and out, and lets them pass.
 * `show nodes` prints the numbers. Nothing can fail.
 */
#include "kernel/filter.h"
#include "kernel/kernel.h"
#include "kernel/show.h"

struct count {
    uint64_t msgs[2], bytes[2]; /* in, out */
};

static void count(struct path *p, int at, struct msg *m, enum dir d, bool out)
{
    struct count *c = p->shape->at[at].node->state;
    c->msgs[out]++;
    c->bytes[out] += m->total;
    pass(p, at, d, m);
}

static void in_ab(struct path *p, int at, struct msg *m)
{
    count(p, at, m, AB, false);
}

static void in_ba(struct path *p, int at, struct msg *m)
{
    count(p, at, m, BA, false);
}

static void out_ab(struct path *p, int at, struct msg *m)
{
    count(p, at, m, AB, true);
}

static void out_ba(struct path *p, int at, struct msg *m)
{
    count(p, at, m, BA, true);
}

static const struct stage_ops climbing = {.deliver = {in_ab, out_ba}};
static const struct stage_ops descending = {.deliver = {out_ab, in_ba}};

static status_t count_create_stage(struct node *n, struct node *from, struct attrs *a,
                                   struct path *p, struct hop *h)
{
    (void)p;
    h->ops = node_climbs(n, from) ? &climbing : &descending;
    return filter_next(n, from, a, h);
}

static void count_show(const struct node *n, struct show *out)
{
    const struct count *c = n->state;
    show_printf(out, "  in %llu\n  in_bytes %llu\n  out %llu\n  out_bytes %llu\n",
                (unsigned long long)c->msgs[0], (unsigned long long)c->bytes[0],
                (unsigned long long)c->msgs[1], (unsigned long long)c->bytes[1]);
}

const struct module count_module = {
    .name = "count",
    .node_size = sizeof(struct count),
    .ops = &filter_ops,
    .create_stage = count_create_stage,
    .demux = filter_demux,
    .show = count_show,
    .filter = true,
};
