/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fwd: the node. It stands in no path itself; proxies that may splice have an edge to it, and their
 * spliced paths find settings and counters here. ip asks it about fragments. Nothing can fail.
 */
#include "kernel/plat.h"
#include "kernel/show.h"
#include "modules/fwd/inside.h"

struct node *fwd_node_of(const struct node *proxy)
{
    for (int i = 0; i < proxy->ndown; i++)
        if (proxy->down[i]->module == &fwd_module)
            return proxy->down[i];
    return NULL;
}

bool fwd_wants_back(const struct path *p, int at)
{
    const struct node *n = fwd_node_of(p->shape->at[at].node);
    const struct fwd_keep *keep = p->state[at];
    uint8_t a = fwd_record(p, AB)->flags, b = fwd_record(p, BA)->flags;
    if (a & b & RECORD_DONE || (a | b) & RECORD_RST)
        return false; /* it has ended: nothing will come that anybody could look at */
    return p->flags & PATH_PLAIN || !conf_bool(&n->conf, "splice") ||
           (keep && (keep->fired[AB] || keep->fired[BA]));
}

bool fwd_is_identity(const struct path *p)
{
    for (int d = AB; d <= BA; d++) {
        const struct flow *f = path_flow(p, (enum dir)d);
        const struct record *r = fwd_record(p, (enum dir)d);
        uint64_t addresses = (uint64_t)r->src << 32 | r->dst;
        uint32_t ports = (uint32_t)r->sport << 16 | r->dport;
        if (r->seq_off | r->ack_off | r->ts_off | r->ecr_off || f->key.w[0] != addresses ||
            (uint32_t)f->key.w[1] != ports || (r->scale & 15) != r->scale >> 4)
            return false;
    }
    return true;
}

static status_t fwd_init(struct node *n)
{
    struct fwd_node *f = n->state;
    f->self = n;
    f->ip = n->down[0];
    f->seed = plat_random(n->k);
    sweep_init(n);
    return OK;
}

static struct node *fwd_demux(struct node *n, struct demux *d)
{
    (void)n;
    d->why = DROP_IP_PROTO;
    return DEMUX_DROP;
}

static status_t fwd_create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                                 struct hop *h)
{
    (void)n, (void)from, (void)a, (void)p, (void)h;
    return E_INVAL; /* paths come to have these stages by rules only */
}

static void fwd_show(const struct node *n, struct show *out)
{
    static const char *const names[FWD_STATS] = {
        "challenged", "resets", "fired", "closed", "expired", "icmp", "cut", "told", "trains"};
    const struct fwd_node *f = n->state;
    for (int i = 0; i < FWD_STATS; i++)
        show_printf(out, "  %s %llu\n", names[i], (unsigned long long)f->stat[i]);
}

static const struct forward_ops fwd_ops = {.fragment = train_flow};

const struct module fwd_module = {
    .name = "fwd",
    .node_size = sizeof(struct fwd_node),
    .ops = &fwd_ops,
    .init = fwd_init,
    .create_stage = fwd_create_stage,
    .demux = fwd_demux,
    .show = fwd_show,
    .stop = sweep_stop,
};
