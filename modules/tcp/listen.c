/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last stage of the path `eth ip tcp`: every segment that has no flow ends here. It is the
 * LISTEN state (RFC 9293 3.10.7.2), the CLOSED state (3.10.7.1), and TIME-WAIT (wait.c). A SYN for
 * a listening proxy makes a path; when too many are half open it is answered with a cookie instead.
 * Nothing is answered that is larger than what asked (spec R-ATK-7), as a SYN-ACK has the options
 * of the SYN.
 */
#include "kernel/services.h"
#include "modules/tcp/tcp.h"
#include "modules/wire/ip4.h"

enum { MISS_RESET, MISS_PASS, MISS_DROP };

/* Filters stand between modules and are looked through. */
static struct node *proxy_above(struct node *n)
{
    while (n->module->filter && n->nup)
        n = n->up[0].upper;
    return n;
}

struct node *tcp_network(const struct node *n)
{
    struct node *ip = n->down[0];
    while (ip->module->filter && ip->ndown)
        ip = ip->down[0];
    return ip;
}

struct node *tcp_listener(struct node *n, const struct endpoint *local, bool *transparent)
{
    for (int i = 0; i < n->nup; i++) {
        struct node *proxy = proxy_above(n->up[i].upper);
        const struct proxy_ops *ops = proxy->module->ops;
        if (ops && ops->listens && ops->listens(proxy, local, transparent))
            return n->up[i].upper;
    }
    return NULL;
}

/* No connection and no listener: as the setting `miss` says. */
static void miss(struct node *n, struct msg *m, const struct segment *g)
{
    struct node *ip = tcp_network(n);
    const struct network_ops *ops = ip->module->ops;
    struct netaddr src = netaddr_ip4(g->src), dst = netaddr_ip4(g->dst);
    uint64_t how = conf_number(&n->conf, "miss");
    if (how == MISS_PASS && !ops->is_local(ip, &dst)) {
        uint8_t ttl = m->net[IP4_TTL];
        if (ttl > 1 && msg_push(m, g->hlen))
            ops->send(ip, &src, &dst, PROTO_TCP, (uint8_t)(ttl - 1), m);
        else
            msg_drop(n->k, m, DROP_IP_TTL);
        return;
    }
    if (how != MISS_DROP)
        tcp_reply_reset(n, g);
    msg_drop(n->k, m, DROP_TCP_CLOSED);
}

static bool backlog_full(struct node *n, struct node *listener)
{
    const struct tcp_node *tn = n->state;
    struct node *proxy = proxy_above(listener);
    const struct proxy_ops *ops = proxy->module->ops;
    uint64_t all = 0, mine = 0;
    for (int i = 0; i < n->nup; i++) {
        all += tn->half_open[i];
        if (n->up[i].upper == listener)
            mine = tn->half_open[i];
    }
    return all >= tn->backlog || (ops->backlog && mine >= ops->backlog(proxy));
}

/* Of that address there are too many already. */
static bool source_full(struct node *n, const struct segment *g)
{
    uint64_t most = conf_number(&n->conf, "persource");
    return most && *flow_source(&n->k->flows, g->src) >= most;
}

static status_t open_path(struct node *n, const struct msg *m, struct tcp_syn *syn,
                          struct path **out)
{
    struct node *link = n->k->devs[m->in_dev]->node;
    struct endpoint local = {netaddr_ip4(syn->g.dst), syn->g.dport};
    struct endpoint remote = {netaddr_ip4(syn->g.src), syn->g.sport};
    struct attrs a = {0};
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_number(&a, ATTR_ETHERTYPE, 0x0800);
    attrs_set_number(&a, ATTR_PROTO, PROTO_TCP);
    attrs_set_endpoint(&a, ATTR_LOCAL, &local);
    attrs_set_endpoint(&a, ATTR_REMOTE, &remote);
    attrs_set_node(&a, ATTR_PROXY, proxy_above(syn->listener));
    attrs_set_node(&a, ATTR_IN_NODE, link);
    attrs_set_pointer(&a, ATTR_SYN, syn);
    return path_create(n->k, link, &a, false, out);
}

/* RFC 9293 3.10.7.2, third. Its bytes, if it has any, come again after the handshake. */
static void syn_arrives(struct node *n, struct msg *m, struct tcp_syn *syn)
{
    struct path *p;
    if (source_full(n, &syn->g)) {
        msg_drop(n->k, m, DROP_CONN_LIMIT);
        return;
    }
    evict_newcomer(n->k);
    if (!syn->reuse && backlog_full(n, syn->listener)) {
        const struct tcp_node *tn = n->state;
        if (tn->cookies) {
            cookie_answer(n, &syn->g, n->k->devs[m->in_dev]->mtu);
            msg_free(m);
        } else {
            msg_drop(n->k, m, DROP_CONN_LIMIT);
        }
        return;
    }
    switch (open_path(n, m, syn, &p)) {
    case OK:
        msg_free(m);
        break;
    case E_NOMEM: /* silence: the client tries again */
        msg_drop(n->k, m, DROP_PATH_LIMIT);
        break;
    case E_EXIST:
        msg_drop(n->k, m, DROP_TCP_SEQ);
        break;
    default: /* the proxy refuses, or there is no way to the server */
        tcp_reply_reset(n, &syn->g);
        msg_drop(n->k, m, DROP_TCP_CLOSED);
        break;
    }
}

/* An ACK whose cookie is right: the connection is made, and the segment is its first. */
static void cookie_arrives(struct node *n, struct msg *m, struct tcp_syn *syn, struct segment *g)
{
    struct path *p;
    if (source_full(n, g)) {
        msg_drop(n->k, m, DROP_CONN_LIMIT);
        return;
    }
    evict_newcomer(n->k);
    status_t status = open_path(n, m, syn, &p);
    if (status != OK) {
        if (status != E_NOMEM)
            tcp_reply_reset(n, g);
        msg_drop(n->k, m, DROP_PATH_LIMIT);
        return;
    }
    struct tcb *c = tcb_of_flow(n, g->dst, g->dport, g->src, g->sport);
    if (c)
        tcp_segment(c, m, g);
    else /* the proxy has ended it already */
        msg_drop(n->k, m, DROP_PATH_DEAD);
}

static void unmatched(struct node *n, struct msg *m, struct segment *g)
{
    struct tcp_node *tn = n->state;
    struct endpoint local = {netaddr_ip4(g->dst), g->dport};
    uint32_t iss = 0;
    bool transparent = false;
    struct wait_record *r = wait_find(&tn->waits, g->dst, g->dport, g->src, g->sport);
    struct node *listener = tcp_listener(n, &local, &transparent);
    if (r && !wait_segment(&tn->waits, r, g, listener ? &iss : NULL)) {
        msg_drop(n->k, m, DROP_TCP_SEQ);
        return;
    }
    if (g->flags & TCP_RST) { /* 3.10.7.1 and .2: never answered */
        msg_drop(n->k, m, DROP_TCP_CLOSED);
    } else if (!listener) {
        miss(n, m, g);
    } else if (g->flags & TCP_ACK) {
        struct tcp_syn made;
        if (!(g->flags & TCP_SYN) && cookie_check(n, g, &made)) {
            made.listener = listener;
            cookie_arrives(n, m, &made, g);
        } else {
            enum drop why = tn->cookie_ns ? DROP_COOKIE_INVALID : DROP_TCP_CLOSED;
            tcp_reply_reset(n, g);
            msg_drop(n->k, m, why);
        }
    } else if ((g->flags & (TCP_SYN | TCP_FIN)) != TCP_SYN) {
        msg_drop(n->k, m, DROP_TCP_FLAGS);
    } else {
        struct tcp_syn syn = {.g = *g, .listener = listener, .iss = iss, .reuse = r != NULL};
        tn->stat[STAT_WAIT_REUSED] += syn.reuse;
        syn_arrives(n, m, &syn);
    }
}

static void deliver(struct path *p, int at, struct msg *m)
{
    struct node *n = p->shape->at[at].node;
    struct tcp_node *tn = n->state;
    struct segment g;
    enum drop why;
    tn->segs_in++;
    if (!segment_parse(m, &g, &why)) {
        msg_drop(n->k, m, why);
        return;
    }
    /* Classified before the segment in front of it in our queue made the connection. */
    struct tcb *c = tcb_of_flow(n, g.dst, g.dport, g.src, g.sport);
    if (c)
        tcp_segment(c, m, &g);
    else
        unmatched(n, m, &g);
}

static void nothing_leaves(struct path *p, int at, struct msg *m)
{
    (void)at;
    msg_drop(p->pool.k, m, DROP_TCP_CLOSED);
}

const struct stage_ops tcp_listen_stage = {
    .deliver = {[AB] = deliver, [BA] = nothing_leaves},
};
