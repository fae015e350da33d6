/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip: the node. Addresses and routes are read at init; a wrong one stops the boot. What other
 * modules ask for (struct network_ops) is here or where it belongs.
 */
#include "kernel/plat.h"
#include "kernel/show.h"
#include "modules/ip/ip.h"
#include "modules/wire/eth.h"

static status_t ip_init(struct node *n)
{
    struct ip_node *ip = n->state;
    ip->self = n;
    ip->forward = conf_bool(&n->conf, "forward");
    ip->defrag = conf_bool(&n->conf, "defrag");
    ip->id = (uint16_t)plat_random(n->k);
    ip->seed = plat_random(n->k);
    errors_init(n);
    hop_paths_init(n);
    status_t status = routes_init(n);
    return status == OK ? reass_init(n) : status;
}

/* Nothing stands between that card and us: its frames may take the lane. */
static void lane_open(struct node *n, struct node *card)
{
    const struct ip_node *ip = n->state;
    const struct link_ops *ops = card->module->ops;
    struct netdev *d = ops->dev(card);
    if (node_bound(card, ETHERTYPE_IP4) != n || d->node != card)
        return;
    d->lane = ip->upper[PROTO_TCP] ? ip_lane : ip_lane_router;
    d->lane_node = n;
}

static status_t ip_start(struct node *n)
{
    struct ip_node *ip = n->state;
    for (uint32_t proto = 1; proto < ARRAY_LEN(ip->upper); proto++)
        ip->upper[proto] = node_bound(n, proto);
    ip->passing = node_bound(n, KEY_FORWARD);
    for (int i = 0; i < ip->nifaces; i++)
        lane_open(n, ip->iface[i].card);
    return OK;
}

static void ip_stop(struct node *n)
{
    struct ip_node *ip = n->state;
    timer_cancel(n->k, &ip->idle);
    reass_stop(n);
}

static status_t ip_route_to(struct node *n, const struct netaddr *to, struct route *out)
{
    const struct ip_node *ip = n->state;
    if (to->family != ADDR_IP4)
        return E_INVAL;
    if (!ip_is_host(netaddr_to_ip4(to)) || ip_is_broadcast(ip, netaddr_to_ip4(to)))
        return E_INVAL; /* nobody to talk to: RFC 9293 MUST-46 */
    const struct ip_route *r = route_find(ip, netaddr_to_ip4(to));
    if (!r)
        return E_NOENT;
    const struct iface *f = &ip->iface[r->iface];
    out->link = f->link;
    out->nexthop = r->via ? netaddr_ip4(r->via) : *to;
    out->source = netaddr_ip4(f->addr);
    out->mtu = f->mtu;
    return OK;
}

static bool ip_is_local(struct node *n, const struct netaddr *a)
{
    return a->family == ADDR_IP4 && ip_is_ours(n->state, netaddr_to_ip4(a));
}

static bool ip_address(struct node *n, struct node *card, int i, struct netaddr *out)
{
    const struct ip_node *ip = n->state;
    for (int j = 0; j < ip->nifaces; j++) {
        if (ip->iface[j].card != card || i-- > 0)
            continue;
        *out = netaddr_ip4(ip->iface[j].addr);
        return true;
    }
    return false;
}

static int bits_of(uint32_t mask)
{
    int bits = 0;
    for (; mask; mask <<= 1)
        bits++;
    return bits;
}

static void show_routes(const struct ip_node *ip, struct show *out)
{
    char to[NETADDR_TEXT], via[NETADDR_TEXT];
    for (int i = 0; i < ip->nroutes; i++) {
        const struct ip_route *r = &ip->routes[i];
        const struct iface *f = &ip->iface[r->iface];
        struct netaddr net = netaddr_ip4(r->net), hop = netaddr_ip4(r->via ? r->via : f->addr);
        show_printf(out, "  route %s/%d %s %s on %s mtu %u\n", netaddr_text(&net, to),
                    bits_of(r->mask), r->via ? "by" : "from", netaddr_text(&hop, via),
                    f->link->name, f->mtu);
    }
}

static void ip_show(const struct node *n, struct show *out)
{
    static const char *const names[IP_STATS] = {"in_local",      "forwarded",    "sent",
                                                "slow",          "fragments_in", "reassembled",
                                                "fragments_out", "errors_out",   "cache_flushes"};
    const struct ip_node *ip = n->state;
    uint64_t forwarded = ip->stat[IP_FORWARDED];
    uint32_t hops = 0;
    for (const struct hop_path *hop = ip->hops; hop; hop = hop->next, hops++)
        forwarded += hop->count;
    show_routes(ip, out);
    show_printf(out, "  router_paths %u cached %u/%u reassembling %u bytes %u\n", hops, ip->cached,
                ip->cache_limit, ip->nfrags, ip->frag_bytes);
    for (int i = 0; i < IP_STATS; i++)
        show_printf(out, "  %s %llu\n", names[i],
                    (unsigned long long)(i == IP_FORWARDED ? forwarded : ip->stat[i]));
}

static const struct network_ops ip_ops = {
    .route = ip_route_to,
    .is_local = ip_is_local,
    .path_mtu = ip_path_mtu,
    .send = ip_send,
    .error = ip_error,
    .address = ip_address,
    .learn_mtu = ip_learn_mtu,
    .may_tell = ip_may_tell,
    .fragment = ip_fragment,
    .adopt = hop_path_adopt,
};

const struct module ip_module = {
    .name = "ip",
    .node_size = sizeof(struct ip_node),
    .ops = &ip_ops,
    .init = ip_init,
    .start = ip_start,
    .create_stage = ip_create_stage,
    .demux = ip_demux,
    .show = ip_show,
    .stop = ip_stop,
};
