/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams outside any path: answers to segments without a connection, echo replies, ICMP errors.
 * Each is routed, and fragmented if it must be; all are consumed, losses are counted.
 */
#include <string.h>

#include "modules/ip/ip.h"
#include "modules/wire/cksum.h"

void ip_header_sum(uint8_t *h)
{
    be16_put(h + IP4_CKSUM, 0);
    if (LIKELY(h[IP4_VIHL] == IP4_PLAIN)) {
        uint16_t sum = (uint16_t)((0xffff - ip4_sum(h)) % 0xffff); /* never -0 */
        memcpy(h + IP4_CKSUM, &sum, sizeof sum);
        return;
    }
    be16_put(h + IP4_CKSUM, (uint16_t)~cksum_fold(cksum_add(0, h, ip4_header_len(h))));
}

void ip_emit(struct node *n, const struct ip_route *r, uint32_t to, struct msg *m)
{
    struct ip_node *ip = n->state;
    const struct iface *f = &ip->iface[r->iface];
    struct netaddr via = netaddr_ip4(r->via ? r->via : to);
    const struct resolve_ops *ops = f->arp ? f->arp->module->ops : NULL;
    struct neigh *g = ops ? ops->get(f->arp, f->card, &via) : NULL;
    if (!g) {
        msg_drop(n->k, m, DROP_ARP_UNRESOLVED);
        return;
    }
    ops->wait(f->arp, g, m); /* sends at once when the address is known */
    ops->put(f->arp, g);
}

static void header_write(uint8_t *h, uint32_t src, uint32_t dst, uint8_t proto, uint8_t ttl,
                         uint32_t len)
{
    memset(h, 0, IP4_HEADER);
    h[IP4_VIHL] = IP4_PLAIN;
    be16_put(h + IP4_LEN, (uint16_t)len);
    h[IP4_TTL] = ttl;
    h[IP4_PROTO] = proto;
    be32_put(h + IP4_SRC, src);
    be32_put(h + IP4_DST, dst);
}

void ip_send(struct node *n, const struct netaddr *from, const struct netaddr *to, uint8_t proto,
             uint8_t ttl, struct msg *m)
{
    struct ip_node *ip = n->state;
    uint32_t dst = netaddr_to_ip4(to);
    const struct ip_route *r = to->family == ADDR_IP4 ? route_find(ip, dst) : NULL;
    if (!r) {
        msg_drop(n->k, m, DROP_IP_ROUTE);
        return;
    }
    if (!ip_is_host(dst) || ip_is_ours(ip, dst) || ip_is_broadcast(ip, dst)) {
        msg_drop(n->k, m, DROP_IP_DST);
        return;
    }
    const struct iface *f = &ip->iface[r->iface];
    uint32_t src = from && from->family == ADDR_IP4 ? netaddr_to_ip4(from) : f->addr;
    uint8_t *h = m->total <= IP4_LEN_MAX - IP4_HEADER ? msg_push(m, IP4_HEADER) : NULL;
    if (!h) {
        msg_drop(n->k, m, DROP_NO_BUFFER);
        return;
    }
    header_write(h, src, dst, proto, ttl ? ttl : (uint8_t)conf_number(&n->conf, "ttl"), m->total);
    if (proto == PROTO_TCP)
        be16_put(h + IP4_FRAG, IP4_DF);
    else
        be16_put(h + IP4_ID, ip->id++);
    ip_header_sum(h);
    ip->stat[IP_SENT]++;
    struct msgq out = {0};
    if (m->total <= f->mtu)
        msgq_push(&out, m);
    else if (proto != PROTO_TCP)
        ip_fragment(n, m, f->mtu, &out);
    else
        msg_drop(n->k, m, DROP_IP_MTU);
    while ((m = msgq_pop(&out)))
        ip_emit(n, r, dst, m);
}
