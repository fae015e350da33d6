/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding: the stage in the middle of a router's path `eth ip eth`, and who makes these paths.
 * There is one per card of arrival and neighbour; destinations behind that neighbour are its flows
 * (FLOW_ROUTE, card and destination), so the longest prefix is looked for once a destination. A
 * router's path has one direction, AB: the way back is another path. It ends when it was not used
 * between two looks of a timer, so that its neighbour may be forgotten. All destinations are
 * forgotten when there are too many of them.
 */
#include <assert.h>
#include <string.h>

#include "kernel/show.h"
#include "modules/ip/ip.h"
#include "modules/wire/eth.h"
#include "modules/wire/icmp4.h"

/* RFC 1812 5.3.1; the checksum by RFC 1624: the word with the TTL in its high byte fell by 0x100.
 */
static inline void ttl_decrement(uint8_t *h)
{
    uint32_t sum = (uint32_t)be16_get(h + IP4_CKSUM) + 0x100;
    h[IP4_TTL]--;
    be16_put(h + IP4_CKSUM, (uint16_t)(sum + (sum >= 0xffff)));
}

bool forward_prepare(struct node *n, struct msg *m, uint16_t mtu, struct msgq *pieces)
{
    struct ip_node *ip = n->state;
    uint8_t *h = m->data;
    uint32_t len = be16_get(h + IP4_LEN);
    if (m->total != len)
        msg_trim(m, len);
    if (h[IP4_TTL] <= 1) { /* spec R-BAD-8 */
        ip_error(n, ICMP_TIME_EXCEEDED, ICMP_IN_TRANSIT, 0, m);
        msg_drop(n->k, m, DROP_IP_TTL);
        return false;
    }
    if (len > mtu && be16_get(h + IP4_FRAG) & IP4_DF) { /* RFC 1191 4 */
        ip_error(n, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, mtu, m);
        msg_drop(n->k, m, DROP_IP_MTU);
        return false;
    }
    ttl_decrement(h);
    ip->stat[IP_FORWARDED]++;
    if (len <= mtu)
        return true;
    ip_fragment(n, m, mtu, pieces);
    return false;
}

/* Apart from forward, so that the common case saves no registers for it. */
__attribute__((noinline)) static void forward_odd(struct path *p, int at, struct msg *m)
{
    const struct hop_path *hop = p->state[at];
    struct msgq pieces = {0};
    if (forward_prepare(p->shape->at[at].node, m, hop->mtu, &pieces))
        msgq_push(&pieces, m);
    while ((m = msgq_pop(&pieces)))
        pass(p, at, AB, m);
}

static void forward(struct path *p, int at, struct msg *m)
{
    struct hop_path *hop = p->state[at];
    uint8_t *h = m->data;
    uint32_t len = be16_get(h + IP4_LEN);
    /* A frame's padding is not forwarded (R-BAD-6). */
    if (UNLIKELY(h[IP4_TTL] <= 1 || len > hop->mtu || m->total != len)) {
        forward_odd(p, at, m);
        return;
    }
    ttl_decrement(h);
    hop->count++;
    pass(p, at, AB, m);
}

/* The lane has looked at the header. Padding that it has left stays, to be sent as padding. */
static bool express(struct path *p, struct msg *m)
{
    struct hop_path *hop = p->state[1];
    const struct neigh *g = p->state[2];
    uint8_t *h = m->data + ETH_HEADER;
    if (UNLIKELY(h[IP4_TTL] <= 1 || be16_get(h + IP4_LEN) > hop->mtu || !g->valid))
        return false;
    ttl_decrement(h);
    hop->count++;
    memcpy(m->data, g->header, ETH_HEADER);
    netdev_pass(g->dev, m);
    return true;
}

static void nothing_comes(struct path *p, int at, struct msg *m)
{
    (void)at;
    msg_drop(p->pool.k, m, DROP_IP_ROUTE);
}

static void forward_destroy(struct path *p, int at)
{
    struct hop_path *hop = p->state[at];
    struct ip_node *ip = p->shape->at[at].node->state;
    for (struct hop_path **link = &ip->hops; *link; link = &(*link)->next) {
        if (*link != hop)
            continue;
        *link = hop->next;
        ip->cached -= hop->flows;
        ip->stat[IP_FORWARDED] += hop->count;
        return;
    }
}

static void forward_show(const struct path *p, int at, struct show *out)
{
    const struct hop_path *hop = p->state[at];
    struct netaddr via = netaddr_ip4(hop->nexthop);
    char text[NETADDR_TEXT];
    show_printf(out, "    by way of %s mtu %u destinations %u datagrams %llu\n",
                netaddr_text(&via, text), hop->mtu, hop->flows, (unsigned long long)hop->count);
}

const struct stage_ops ip_forward_stage = {
    .deliver = {forward, nothing_comes},
    .express = express,
    .destroy = forward_destroy,
    .show = forward_show,
};

static struct hop_path *hop_path_make(struct node *n, struct node *card, const struct iface *to,
                                      uint32_t nexthop)
{
    struct ip_node *ip = n->state;
    struct attrs a = {0};
    struct path *p;
    struct netaddr via = netaddr_ip4(nexthop);
    attrs_set_number(&a, ATTR_KIND, PATH_ROUTER);
    attrs_set_node(&a, ATTR_IN_NODE, card);
    attrs_set_node(&a, ATTR_OUT_NODE, to->link);
    attrs_set_addr(&a, ATTR_NEXTHOP, &via);
    status_t status = path_create(n->k, card, &a, true, &p);
    if (status == E_INVAL) /* filters make it too long for an inline path */
        status = path_create(n->k, card, &a, false, &p);
    if (status != OK)
        return NULL;
    int at = 0;
    while (p->shape->at[at].ops != &ip_forward_stage)
        at++;
    struct hop_path *hop = p->state[at];
    *hop = (struct hop_path){
        .next = ip->hops, .p = p, .from = card, .to = to->link, .nexthop = nexthop, .mtu = to->mtu};
    ip->hops = hop;
    if (!timer_armed(&ip->idle))
        timer_arm(n->k, &ip->idle, n->k->now + conf_number(&n->conf, "keep"));
    return hop;
}

struct hop_path *hop_path_get(struct node *n, struct node *card, const struct ip_route *r,
                              uint32_t nexthop)
{
    struct ip_node *ip = n->state;
    const struct iface *to = &ip->iface[r->iface];
    for (struct hop_path *hop = ip->hops; hop; hop = hop->next)
        if (hop->from == card && hop->to == to->link && hop->nexthop == nexthop &&
            !(hop->p->flags & PATH_DYING))
            return hop;
    return hop_path_make(n, card, to, nexthop);
}

void hop_path_remember(struct node *n, struct hop_path *hop, uint16_t card, uint32_t to)
{
    struct ip_node *ip = n->state;
    if (ip->cached >= ip->cache_limit) {
        for (struct hop_path *each = ip->hops; each; each = each->next) {
            flow_remove_all(n->k, each->p);
            each->flows = 0;
        }
        ip->cached = 0;
        ip->stat[IP_CACHE_FLUSHES]++;
    }
    struct flow_key key = flow_key_ip4(FLOW_ROUTE, card, 0, 0, to, 0, 0);
    if (flow_insert(n->k, key, hop->p, AB, NULL) == OK) { /* else: the slow path, once more */
        hop->flows++;
        ip->cached++;
    }
}

static struct hop_path *hop_of_flow(struct node *n, struct node *card, const struct flow *f)
{
    uint32_t to = (uint32_t)f->key.w[0];
    const struct ip_route *r = route_find(n->state, to);
    return r ? hop_path_get(n, card, r, r->via ? r->via : to) : NULL;
}

status_t hop_path_adopt(struct node *n, struct path *p, struct node *const card[2])
{
    struct ip_node *ip = n->state;
    const struct flow_table *t = &n->k->flows;
    for (uint32_t line = p->flow; line; line = flow_line(t, line)->next)
        if (!hop_of_flow(n, card[flow_line(t, line)->dir], flow_line(t, line)))
            return E_NOMEM; /* one that was made for the other ends when nobody uses it */
    while (p->flow) {
        const struct flow *f = flow_line(t, p->flow);
        struct hop_path *hop = hop_of_flow(n, card[f->dir], f);
        struct flow_key key = f->key;
        assert(hop); /* it was found or made above */
        flow_remove(n->k, p, key);
        if (flow_insert(n->k, key, hop->p, AB, NULL) == OK) { /* its own place is free */
            hop->flows++;
            ip->cached++;
        }
    }
    return OK;
}

static void idle(struct kernel *k, struct timer *t)
{
    struct ip_node *ip = CONTAINER(t, struct ip_node, idle);
    for (struct hop_path *hop = ip->hops; hop; hop = hop->next) {
        if (hop->count == hop->seen)
            path_destroy(hop->p);
        hop->seen = hop->count;
    }
    if (ip->hops)
        timer_arm(k, t, k->now + conf_number(&ip->self->conf, "keep"));
}

void hop_paths_init(struct node *n)
{
    struct ip_node *ip = n->state;
    ip->idle.fire = idle;
    ip->cache_limit = (uint32_t)conf_number(&n->conf, "cache");
}
