/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters: who is next to them, and lines in which messages wait. */
#include "kernel/filter.h"

#include "kernel/kernel.h"

static struct netdev *dev_below(struct node *n)
{
    const struct link_ops *ops = n->down[0]->module->ops;
    return ops->dev(n->down[0]);
}

static void send_below(struct node *n, const uint8_t mac[6], uint16_t type, struct msg *m)
{
    const struct link_ops *ops = n->down[0]->module->ops;
    ops->send(n->down[0], mac, type, m);
}

const struct link_ops filter_ops = {.dev = dev_below, .send = send_below};

struct node *filter_demux(struct node *n, struct demux *d)
{
    const uint8_t *behind = d->m->data + d->off;
    struct node *up = node_bound(n, (uint32_t)(behind[-2] << 8 | behind[-1]));
    d->why = DROP_ETH_PROTO;
    return up ? up : DEMUX_DROP;
}

status_t filter_next(struct node *n, struct node *from, struct attrs *a, struct hop *h)
{
    bool bridge = attrs_number_or(a, ATTR_KIND, PATH_LOCAL) == PATH_BRIDGE;
    if (!from || !node_climbs(n, from))
        h->next = n->down[0];
    else
        h->next = node_bound(n, bridge ? 0 : (uint32_t)attrs_number_or(a, ATTR_ETHERTYPE, 0));
    if (!h->next && bridge)
        h->next = attrs_node(a, ATTR_OUT_NODE);
    return h->next ? OK : E_NOENT;
}

static uint64_t due_of(const struct msg *m)
{
    return (uint64_t)m->cb[0] << 32 | m->cb[1];
}

/* Timers fire between runs of paths, so the path may be entered; it is told apart from the others
 * by k->running, as in a run of its own. */
static void line_fire(struct kernel *k, struct timer *t)
{
    struct filter_line *l = CONTAINER(t, struct filter_line, t);
    struct path *p = l->p, *outer = k->running;
    k->running = p;
    while (l->q.head && due_of(l->q.head) <= k->now && !(p->flags & PATH_DYING))
        pass(p, l->at, l->d, msgq_pop(&l->q));
    k->running = outer;
    if (l->q.head)
        timer_arm(k, t, due_of(l->q.head));
}

struct filter_lines *filter_lines_make(struct path *p)
{
    struct filter_lines *f = pool_alloc(&p->pool, sizeof *f);
    for (int d = AB; f && d <= BA; d++) {
        f->line[d].t.fire = line_fire;
        f->line[d].d = (enum dir)d;
    }
    return f;
}

void filter_hold(struct path *p, int at, enum dir d, struct msg *m, uint64_t due, uint32_t limit)
{
    struct filter_lines *f = p->state[at];
    struct filter_line *l = &f->line[d];
    struct node *n = p->shape->at[at].node;
    if (l->q.count >= limit) {
        msg_drop(n->k, m, DROP_PATH_QUEUE);
        return;
    }
    if (msg_charge(m, &n->pool) != OK) {
        msg_drop(n->k, m, DROP_PATH_LIMIT);
        return;
    }
    m->cb[0] = (uint32_t)(due >> 32);
    m->cb[1] = (uint32_t)due;
    msgq_push(&l->q, m);
    if (!timer_armed(&l->t))
        timer_arm(n->k, &l->t, due);
}

void filter_moved(struct path *p, int at)
{
    struct filter_lines *f = p->state[at];
    for (int d = AB; d <= BA; d++) {
        f->line[d].p = p;
        f->line[d].at = at;
    }
}

status_t filter_establish(struct path *p, int at)
{
    filter_moved(p, at);
    return OK;
}

void filter_destroy(struct path *p, int at)
{
    struct filter_lines *f = p->state[at];
    for (int d = AB; d <= BA; d++) {
        timer_cancel(p->pool.k, &f->line[d].t);
        msgq_drop(p->pool.k, &f->line[d].q, DROP_PATH_DEAD);
    }
    pool_free(&p->pool, f);
}
