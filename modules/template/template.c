/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * template: a module to copy. It stands between a link and its users, sees every message of every
 * path through it, and passes the first `limit` of them. A file opens like this: what it does, who
 * calls it, what it owns, what can fail.
 *
 * After the copy: put `node mine yours -> eth0` into a graph file and let another node use `mine`.
 */
#include "kernel/filter.h"
#include "kernel/kernel.h"
#include "kernel/show.h"

/* The node's state: struct node has a pointer to it, zeroed at the start. What belongs to one path
 * goes into the stage's state instead (h->state below), allocated from the path's pool. */
struct template
{
    uint64_t passed;
};

/* Every deliver function consumes its message: it passes it on, frees it when its work is done, or
 * drops it with a reason, which is counted. `at` is the stage's place in this path; the same stage
 * may be at another place of another path. */
static void deliver(struct path *p, int at, struct msg *m, enum dir d)
{
    struct node *n = p->shape->at[at].node;
    struct template *t = n->state;
    uint64_t limit = conf_number(&n->conf, "limit");
    if (limit && t->passed >= limit) {
        msg_drop(n->k, m, DROP_MODULE);
        return;
    }
    t->passed++;
    pass(p, at, d, m); /* to the next stage in direction d */
}

/* Directions are AB and BA, from the path's end A to end B and back. A module whose stages do
 * something else on the way up than on the way down has two stage_ops; see modules/count. */
static void deliver_ab(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, AB);
}

static void deliver_ba(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, BA);
}

static const struct stage_ops template_stage = {.deliver = {deliver_ab, deliver_ba}};

/* At boot, from the bottom of the graph up. Settings have been checked already; what only you can
 * know to be wrong is said in one line, and the boot stops. */
static status_t template_init(struct node *n)
{
    if (n->nup == 0)
        log_note(n->k, "%s: nobody uses it", n->name);
    return OK;
}

/* A path grows through this node: which stage is it, what is its state, whom to ask next. */
static status_t template_create_stage(struct node *n, struct node *from, struct attrs *a,
                                      struct path *p, struct hop *h)
{
    (void)p;
    h->ops = &template_stage;
    return filter_next(n, from, a, h);
}

/* `show nodes`: a name and a value a line, indented by two. */
static void template_show(const struct node *n, struct show *out)
{
    const struct template *t = n->state;
    show_printf(out, "  passed %llu\n", (unsigned long long)t->passed);
}

/* The one symbol that a module exports. */
const struct module template_module = {
    .name = "template",
    .node_size = sizeof(struct template),
    .ops = &filter_ops,
    .init = template_init,
    .create_stage = template_create_stage,
    .demux = filter_demux, /* classification: which node is next; never writes to the message */
    .show = template_show,
    .filter = true,
};
