/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow path `eth ip`, one per card, with a queue: fragments to us, and what the flow table does
 * not know yet. A fragment waits for the others, and the whole datagram is classified again. A
 * datagram in transit is forwarded from here, and if its neighbour's address is known, a router's
 * path is made and its destination entered in the flow table, so the next one does not come here.
 * (While it is not known no path is made: who scans a network leaves no paths behind.)
 */
#include "modules/ip/ip.h"
#include "modules/wire/cksum.h"
#include "modules/wire/icmp4.h"

static void learn(struct node *n, struct node *card, const struct ip_route *r, uint32_t to)
{
    const struct ip_node *ip = n->state;
    const struct iface *f = &ip->iface[r->iface];
    uint32_t nexthop = r->via ? r->via : to;
    struct netaddr via = netaddr_ip4(nexthop);
    const struct resolve_ops *ops = f->arp ? f->arp->module->ops : NULL;
    struct neigh *g = ops ? ops->get(f->arp, f->card, &via) : NULL;
    if (!g)
        return;
    bool valid = g->valid;
    ops->put(f->arp, g);
    struct hop_path *hop = valid ? hop_path_get(n, card, r, nexthop) : NULL;
    if (hop)
        hop_path_remember(n, hop, card_index(card), to);
}

static void transit(struct node *n, struct node *card, struct msg *m)
{
    struct ip_node *ip = n->state;
    uint32_t to = be32_get(m->data + IP4_DST);
    const struct ip_route *r = route_find(ip, to);
    struct msgq out = {0};
    if (!r) {
        ip_error(n, ICMP_UNREACHABLE, ICMP_NET, 0, m);
        msg_drop(n->k, m, DROP_IP_ROUTE);
        return;
    }
    if (forward_prepare(n, m, ip->iface[r->iface].mtu, &out))
        msgq_push(&out, m);
    learn(n, card, r, to);
    while ((m = msgq_pop(&out)))
        ip_emit(n, r, to, m);
}

/* Fragments of two datagrams with one identification make a whole that nobody has sent (RFC 4963),
 * so a segment for somebody here is verified before its ports decide who that is. */
static bool is_mixed(struct msg *m)
{
    const uint8_t *h = m->data;
    uint32_t hlen = ip4_header_len(h);
    if (h[IP4_PROTO] != PROTO_TCP)
        return false;
    uint32_t sum =
        cksum_pseudo(be32_get(h + IP4_SRC), be32_get(h + IP4_DST), PROTO_TCP, m->total - hlen);
    if (cksum_fold(cksum_msg(sum, m, hlen)) != 0xffff)
        return true;
    m->flags |= MSG_CSUM_VALID;
    return false;
}

static void reassemble(struct path *p, struct node *n, struct node *card, struct msg *m)
{
    m = reass_add(n, m);
    if (!m)
        return;
    struct demux d = {.m = m, .link = card};
    struct node *up = ip_demux(n, &d);
    if (up == DEMUX_FOUND && d.path == p) /* in transit: nobody but us has a use for it */
        transit(n, card, m);
    else if (is_mixed(m))
        msg_drop(n->k, m, DROP_TCP_CKSUM);
    else
        classify_again(card, n, m);
}

static void receive(struct path *p, int at, struct msg *m)
{
    struct node *n = p->shape->at[at].node;
    struct node *card = n->k->devs[m->in_dev]->node;
    struct ip_node *ip = n->state;
    uint32_t len = be16_get(m->data + IP4_LEN), dst = be32_get(m->data + IP4_DST);
    ip->stat[IP_SLOW]++;
    if (m->total != len)
        msg_trim(m, len);
    if (ip4_is_fragment(m->data) && (ip->defrag || ip_is_ours(ip, dst) || ip_is_broadcast(ip, dst)))
        reassemble(p, n, card, m);
    else
        transit(n, card, m);
}

static void nothing_comes(struct path *p, int at, struct msg *m)
{
    (void)at;
    msg_drop(p->pool.k, m, DROP_IP_ROUTE);
}

const struct stage_ops ip_slow_stage = {.deliver = {receive, nothing_comes}};
