/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The eth stages: one at each end of nearly every path. At end A a path receives in direction AB
 * and sends in BA, at end B the other way round; a bridge only moves frames. The state of a stage
 * that sends is its neighbour, to which it holds a reference.
 *
 * Which neighbour: at end B the address that ip has written into ATTR_NEXTHOP. At end A of a
 * connection's path eth is asked first, before any ip, so it asks the ip node for the route to
 * ATTR_REMOTE itself: an answer goes to the next hop of the route back, which need not be the
 * station the frame came from (RFC 1122 3.3.1.1). If that route leaves by another card, the stage
 * sends by that one. Local and router paths do not send at end A.
 */
#include "kernel/show.h"
#include "modules/eth/eth.h"

static void receive_ab(struct path *p, int at, struct msg *m)
{
    msg_pop(m, ETH_HEADER);
    pass(p, at, AB, m);
}

static void receive_ba(struct path *p, int at, struct msg *m)
{
    msg_pop(m, ETH_HEADER);
    pass(p, at, BA, m);
}

static struct node *resolver_of(const struct node *card)
{
    return node_above(card, ETHERTYPE_ARP);
}

__attribute__((noinline)) static void send_later(struct path *p, int at, struct msg *m)
{
    struct neigh *g = p->state[at];
    if (!g) {
        msg_drop(p->pool.k, m, DROP_ARP_UNRESOLVED);
        return;
    }
    struct node *arp = resolver_of(g->link);
    const struct resolve_ops *ops = arp->module->ops;
    ops->wait(arp, g, m);
}

static void send(struct path *p, int at, struct msg *m)
{
    const struct neigh *g = p->state[at];
    if (LIKELY(g && g->valid))
        eth_transmit(g->link->state, g->header, m);
    else
        send_later(p, at, m);
}

static void destroy(struct path *p, int at)
{
    struct neigh *g = p->state[at];
    if (!g)
        return;
    struct node *arp = resolver_of(g->link);
    const struct resolve_ops *ops = arp->module->ops;
    ops->put(arp, g);
}

static void show(const struct path *p, int at, struct show *out)
{
    const struct neigh *g = p->state[at];
    char text[NETADDR_TEXT];
    if (g)
        show_printf(out, "    neighbour %s on %s %s\n", netaddr_text(&g->addr, text), g->link->name,
                    g->valid ? "valid" : "unresolved");
}

static const struct stage_ops end_a = {
    .deliver = {receive_ab, send},
    .destroy = destroy,
    .show = show,
    .link = true,
};

static const struct stage_ops end_b = {
    .deliver = {send, receive_ba},
    .destroy = destroy,
    .show = show,
    .link = true,
};

static void bridge_on_ab(struct path *p, int at, struct msg *m)
{
    pass(p, at, AB, m);
}

static void bridge_on_ba(struct path *p, int at, struct msg *m)
{
    pass(p, at, BA, m);
}

static void bridge_out(struct path *p, int at, struct msg *m)
{
    const struct eth *e = p->state[at];
    /* One comparison for both: what is too short wraps. A frame from a card is in one part. */
    if (UNLIKELY(m->len - ETH_HEADER > e->payload))
        msg_drop(p->pool.k, m, m->len < ETH_HEADER ? DROP_ETH_SHORT : DROP_ETH_LONG);
    else
        netdev_send(e->dev, m);
}

static const struct stage_ops bridge_a = {.deliver = {bridge_on_ab, bridge_out}};
static const struct stage_ops bridge_b = {.deliver = {bridge_out, bridge_on_ba}};

static status_t bridge_stage(struct node *n, bool climbing, struct attrs *a, struct hop *h)
{
    struct node *filter = node_bound(n, 0);
    h->ops = climbing ? &bridge_a : &bridge_b;
    h->state = n->state;
    if (!climbing)
        return OK;
    h->next = filter ? filter : attrs_node(a, ATTR_OUT_NODE);
    return h->next ? OK : E_INVAL;
}

static status_t neighbour(struct node *card, const struct netaddr *addr, struct hop *h)
{
    struct node *arp = resolver_of(card);
    if (!arp) {
        log_error(card->k, "%s: nobody resolves addresses on it", card->name);
        return E_NOENT;
    }
    const struct resolve_ops *ops = arp->module->ops;
    h->state = ops->get(arp, card, addr);
    return h->state ? OK : E_NOMEM;
}

/* The neighbour behind which the far host of a connection is. */
static status_t way_back(struct node *n, const struct endpoint *remote, uint32_t type,
                         struct hop *h)
{
    struct node *ip = node_above(n, type);
    struct route r;
    if (!ip)
        return E_NOENT;
    const struct network_ops *ops = ip->module->ops;
    status_t status = ops->route(ip, &remote->addr, &r);
    if (status != OK)
        return status;
    const struct link_ops *link = r.link->module->ops;
    return neighbour(link->dev(r.link)->node, &r.nexthop, h);
}

status_t eth_create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                          struct hop *h)
{
    const struct eth *e = n->state;
    bool climbing = node_climbs(n, from);
    uint64_t kind = attrs_number_or(a, ATTR_KIND, PATH_LOCAL);
    uint32_t type = (uint32_t)attrs_number_or(a, ATTR_ETHERTYPE, ETHERTYPE_IP4);
    struct endpoint remote;
    struct netaddr hop;
    (void)p;
    if (kind == PATH_BRIDGE)
        return bridge_stage(n, climbing, a, h);
    attrs_set_number(a, ATTR_ETHERTYPE, type);
    attrs_set_number(a, ATTR_MTU, attrs_number_or(a, ATTR_MTU, e->dev->mtu));
    h->ops = climbing ? &end_a : &end_b;
    if (!climbing)
        return attrs_addr(a, ATTR_NEXTHOP, &hop) == OK ? neighbour(n, &hop, h) : E_INVAL;
    h->next = node_bound(n, type);
    if (!h->next)
        return E_NOENT;
    if (kind == PATH_CONN && attrs_endpoint(a, ATTR_REMOTE, &remote) == OK)
        return way_back(n, &remote, type, h);
    return OK;
}
