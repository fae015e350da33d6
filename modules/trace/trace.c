/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace: a filter that writes one line a message into the log: which way, how long, who to whom. At
 * most so many lines a second, so that a flood on the wire is none on the console.
 */
#include <stdio.h>

#include "kernel/filter.h"
#include "kernel/kernel.h"
#include "kernel/show.h"
#include "modules/wire/eth.h"
#include "modules/wire/ip4.h"
#include "modules/wire/tcp.h"

struct trace {
    uint64_t second; /* in which `lines` were written */
    uint32_t lines;
};

enum { TEXT = 96 };

static bool may_write(const struct node *n)
{
    struct trace *t = n->state;
    if (t->second != n->k->now / SECOND) {
        t->second = n->k->now / SECOND;
        t->lines = 0;
    }
    return conf_bool(&n->conf, "on") && t->lines++ < conf_number(&n->conf, "lines");
}

/* In a bridge there is an Ethernet header in front, elsewhere eth has taken it off already. */
static void describe(const struct msg *m, bool framed, char text[TEXT])
{
    const uint8_t *h = m->data;
    uint32_t have = m->len;
    if (framed && have >= ETH_HEADER && be16_get(h + ETH_TYPE) == ETHERTYPE_IP4) {
        h += ETH_HEADER;
        have -= ETH_HEADER;
    }
    snprintf(text, TEXT, "not IPv4");
    if (have < IP4_HEADER || h[IP4_VIHL] >> 4 != 4)
        return;
    const uint8_t *s = h + IP4_SRC, *d = h + IP4_DST;
    uint32_t hlen = ip4_header_len(h);
    int n = snprintf(text, TEXT, "%u.%u.%u.%u > %u.%u.%u.%u proto %u", s[0], s[1], s[2], s[3], d[0],
                     d[1], d[2], d[3], h[IP4_PROTO]);
    bool ports = h[IP4_PROTO] == PROTO_TCP || h[IP4_PROTO] == PROTO_UDP;
    if (ip4_is_fragment(h))
        snprintf(text + n, (size_t)(TEXT - n), " fragment at %u", ip4_offset(h));
    else if (ports && have >= hlen + PORTS_LEN)
        snprintf(text + n, (size_t)(TEXT - n), " ports %u > %u", be16_get(h + hlen + TCP_AT_SPORT),
                 be16_get(h + hlen + TCP_AT_DPORT));
}

static void trace(struct path *p, int at, struct msg *m, enum dir d)
{
    const struct node *n = p->shape->at[at].node;
    if (may_write(n)) {
        char text[TEXT];
        bool framed = p->shape->at[0].node->module == p->shape->at[p->shape->n - 1].node->module;
        describe(m, framed, text);
        log_note(n->k, "%s path %u %s %u bytes %s", n->name, path_number(p), d == AB ? "->" : "<-",
                 m->total, text);
    }
    pass(p, at, d, m);
}

static void trace_ab(struct path *p, int at, struct msg *m)
{
    trace(p, at, m, AB);
}

static void trace_ba(struct path *p, int at, struct msg *m)
{
    trace(p, at, m, BA);
}

static const struct stage_ops trace_stage = {.deliver = {trace_ab, trace_ba}};

static status_t trace_create_stage(struct node *n, struct node *from, struct attrs *a,
                                   struct path *p, struct hop *h)
{
    (void)p;
    h->ops = &trace_stage;
    return filter_next(n, from, a, h);
}

const struct module trace_module = {
    .name = "trace",
    .node_size = sizeof(struct trace),
    .ops = &filter_ops,
    .create_stage = trace_create_stage,
    .demux = filter_demux,
    .filter = true,
};
