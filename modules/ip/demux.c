/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classification of a datagram: header checks of RFC 1122 3.2.1 and RFC 1812 5.2.2 (spec R-BAD-5 to
 * -17), then the flow table: a connection's path by addresses and ports, a router's path by card
 * and destination. A datagram without either is for a module above, or for the slow path. The
 * checks here are not repeated by the stages. This runs for every frame that does not take the lane
 * (lane.c): the common case is kept straight, what is rare stands in functions of its own.
 */
#include <string.h>

#include "modules/ip/ip.h"
#include "modules/wire/cksum.h"
#include "modules/wire/icmp4.h"
#include "modules/wire/tcp.h"

/* Not inlined, so that it does not cost the common case registers. */
__attribute__((noinline)) static struct node *refuse(struct demux *d, enum drop why)
{
    d->why = why;
    return DEMUX_DROP;
}

/* A header that does not begin with 0x45. Options are tolerated, source routes are not (R-BAD-11).
 * The walk advances by at least one byte a step. */
static bool odd_header_is_good(const uint8_t *h, uint32_t have, enum drop *why)
{
    uint32_t hlen = ip4_header_len(h);
    *why = DROP_IP_HEADER;
    if (h[IP4_VIHL] >> 4 != 4 || hlen < IP4_HEADER || hlen > have)
        return false;
    *why = DROP_IP_OPTION;
    for (uint32_t i = IP4_HEADER; i < hlen && h[i] != IP4_OPT_END;) {
        if (h[i] == IP4_OPT_NOP) {
            i++;
            continue;
        }
        if (h[i] == IP4_OPT_LSRR || h[i] == IP4_OPT_SSRR)
            return false;
        if (i + 1 >= hlen || h[i + 1] < 2 || h[i + 1] > hlen - i)
            return false;
        i += h[i + 1];
    }
    *why = DROP_IP_CKSUM;
    return cksum_fold(cksum_add(0, h, hlen)) == 0xffff;
}

/* Addresses that nobody but us may send from: ours, and the broadcasts (R-BAD-9, MUST-63). */
__attribute__((noinline)) static bool looks_like_us(const struct ip_node *ip, uint32_t src)
{
    return ip_is_ours(ip, src) || ip_is_broadcast(ip, src);
}

static struct node *to_passive(struct node *n, struct demux *d)
{
    d->path = n->passive[d->m->in_dev];
    d->dir = AB;
    d->why = DROP_IP_DST;
    return d->path ? DEMUX_FOUND : DEMUX_DROP;
}

static struct node *to_upper(struct node *upper, struct demux *d, uint32_t hlen)
{
    if (!upper)
        return refuse(d, DROP_IP_PROTO); /* R-BAD-12: tunnels are not opened */
    d->off += hlen;
    return upper;
}

static struct node *to_flow(const struct kernel *k, const struct flow *f, struct demux *d)
{
    d->path = flow_path(k, f);
    d->dir = (enum dir)f->dir;
    return DEMUX_FOUND;
}

/* A listener may want what is addressed to somebody else. */
__attribute__((noinline)) static bool is_taken(struct node *upper, uint32_t src, uint32_t dst,
                                               const uint8_t *ports)
{
    const struct transport_ops *ops = upper->module->ops;
    if (!ops || !ops->takes)
        return false;
    struct endpoint from = {netaddr_ip4(src), be16_get(ports + TCP_AT_SPORT)};
    struct endpoint to = {netaddr_ip4(dst), be16_get(ports + TCP_AT_DPORT)};
    return ops->takes(upper, &from, &to);
}

/* An ICMP error on its way to a host that a transparent connection speaks for is about our TCP. */
__attribute__((noinline)) static bool is_about_us(struct node *n, const uint8_t *icmp,
                                                  uint32_t have)
{
    const uint8_t *q = icmp + ICMP_HEADER;
    if (have < ICMP_HEADER + IP4_HEADER || !icmp_is_error(icmp[ICMP_TYPE]))
        return false;
    uint32_t hlen = ip4_header_len(q);
    if (hlen < IP4_HEADER || have < ICMP_HEADER + hlen + PORTS_LEN || ip4_offset(q))
        return false;
    struct flow_key key =
        flow_key_ip4(FLOW_CONN, 0, q[IP4_PROTO], be32_get(q + IP4_DST), be32_get(q + IP4_SRC),
                     be16_get(q + hlen + TCP_AT_DPORT), be16_get(q + hlen + TCP_AT_SPORT));
    return flow_find(&n->k->flows, key) != NULL;
}

/* No flow: for us, or the first to its destination, or for nobody. */
__attribute__((noinline)) static struct node *without_flow(struct node *n, struct demux *d,
                                                           uint32_t dst, uint32_t hlen)
{
    const struct ip_node *ip = n->state;
    struct msg *m = d->m;
    struct node *upper = ip->upper[m->net[IP4_PROTO]];
    bool broadcast = ip_is_broadcast(ip, dst);
    if (broadcast || ip_is_ours(ip, dst)) {
        if (broadcast)
            m->flags |= MSG_BROADCAST;
        return ip4_is_fragment(m->net) ? to_passive(n, d) : to_upper(upper, d, hlen);
    }
    /* What came to everybody on the link is nobody's to forward (RFC 1812 5.3.4). */
    if (!ip_is_host(dst) || !ip->forward || m->flags & MSG_BROADCAST)
        return refuse(d, DROP_IP_DST);
    return to_passive(n, d);
}

/* A spliced connection's, whose path takes it as it is, and none of its kin waits for the rest. */
static const struct flow *passing_flow(struct ip_node *ip, const struct msg *m)
{
    const struct forward_ops *ops = ip->passing ? ip->passing->module->ops : NULL;
    return ops && !reass_has(ip, m->net) ? ops->fragment(ip->passing, m) : NULL;
}

__attribute__((noinline)) static struct node *fragment(struct node *n, struct demux *d,
                                                       uint32_t dst, uint32_t hlen)
{
    struct ip_node *ip = n->state;
    struct kernel *k = n->k;
    if (!frag_check(d->m->net, be16_get(d->m->net + IP4_LEN), &d->why))
        return DEMUX_DROP;
    const struct flow *f = passing_flow(ip, d->m);
    if (f)
        return to_flow(k, f, d);
    f = flow_find(&k->flows, flow_key_ip4(FLOW_ROUTE, d->m->in_dev, 0, 0, dst, 0, 0));
    if (f && !ip->defrag)
        return to_flow(k, f, d);
    return without_flow(n, d, dst, hlen);
}

static inline struct node *by_route(struct node *n, struct demux *d, uint32_t dst, uint32_t hlen)
{
    const struct kernel *k = n->k;
    struct flow_key key = flow_key_ip4(FLOW_ROUTE, d->m->in_dev, 0, 0, dst, 0, 0);
    const struct flow *f = flow_find(&k->flows, key);
    return LIKELY(f != NULL) ? to_flow(k, f, d) : without_flow(n, d, dst, hlen);
}

/* There is a module for the protocol: perhaps a connection is meant, ours or one that we take. */
__attribute__((noinline)) static struct node *by_ports(struct node *n, struct demux *d,
                                                       const uint8_t *h, uint32_t hlen)
{
    const struct kernel *k = n->k;
    uint32_t src = be32_get(h + IP4_SRC), dst = be32_get(h + IP4_DST);
    uint32_t have = d->m->len - d->off - hlen;
    uint8_t proto = h[IP4_PROTO];
    const struct ip_node *ip = n->state;
    struct node *upper = ip->upper[proto];
    const uint8_t *ports = h + hlen;
    if (proto == PROTO_ICMP && is_about_us(n, ports, have))
        return to_upper(upper, d, hlen);
    if ((proto != PROTO_TCP && proto != PROTO_UDP) || have < PORTS_LEN)
        return by_route(n, d, dst, hlen);
    const struct flow *f = flow_find(&k->flows, flow_key_ip4(FLOW_CONN, 0, proto, src, dst,
                                                             be16_get(ports + TCP_AT_SPORT),
                                                             be16_get(ports + TCP_AT_DPORT)));
    if (LIKELY(f != NULL))
        return to_flow(k, f, d);
    bool above = ip_is_ours(ip, dst) || is_taken(upper, src, dst, ports);
    return above ? to_upper(upper, d, hlen) : by_route(n, d, dst, hlen);
}

/* A suspicious source, or a fragment. */
__attribute__((noinline)) static struct node *odd_datagram(struct node *n, struct demux *d,
                                                           uint32_t hlen)
{
    const struct ip_node *ip = n->state;
    const uint8_t *h = d->m->net;
    uint32_t src = be32_get(h + IP4_SRC), dst = be32_get(h + IP4_DST);
    if (!ip_is_host(src) || looks_like_us(ip, src))
        return refuse(d, DROP_IP_SRC);
    if (ip4_is_fragment(h))
        return fragment(n, d, dst, hlen);
    return ip->upper[h[IP4_PROTO]] ? by_ports(n, d, h, hlen) : by_route(n, d, dst, hlen);
}

/* The header is there and its sum is right. */
__attribute__((always_inline)) static inline struct node *
by_address(struct node *n, struct demux *d, uint8_t *h, uint32_t hlen)
{
    const struct ip_node *ip = n->state;
    struct msg *m = d->m;
    uint32_t len = be16_get(h + IP4_LEN), src = be32_get(h + IP4_SRC), dst = be32_get(h + IP4_DST);
    if (UNLIKELY(len < hlen || len > m->total - d->off))
        return refuse(d, DROP_IP_LEN);
    m->net = h;
    if (UNLIKELY(!source_is_plain(ip, src) || ip4_is_fragment(h)))
        return odd_datagram(n, d, hlen);
    return ip->upper[h[IP4_PROTO]] ? by_ports(n, d, h, hlen) : by_route(n, d, dst, hlen);
}

__attribute__((noinline)) static struct node *odd_header(struct node *n, struct demux *d)
{
    uint8_t *h = d->m->data + d->off;
    if (d->m->len - d->off < IP4_HEADER)
        return refuse(d, DROP_IP_HEADER);
    if (!odd_header_is_good(h, d->m->len - d->off, &d->why))
        return DEMUX_DROP;
    return by_address(n, d, h, ip4_header_len(h));
}

/* A connection that is known. Its key has been looked at when it was made, so the addresses need no
 * second look. False: by_address finds out. */
__attribute__((always_inline)) static inline bool is_connection(const struct node *n,
                                                                struct demux *d, uint8_t *h)
{
    const struct ip_node *ip = n->state;
    const uint8_t *ports = h + IP4_HEADER;
    uint32_t have = d->m->len - d->off;
    if (h[IP4_PROTO] != PROTO_TCP || !ip->upper[PROTO_TCP] || have < IP4_HEADER + PORTS_LEN ||
        ip4_is_fragment(h))
        return false;
    const struct flow *f =
        flow_find(&n->k->flows, flow_key_ip4(FLOW_CONN, 0, PROTO_TCP, be32_get(h + IP4_SRC),
                                             be32_get(h + IP4_DST), be16_get(ports + TCP_AT_SPORT),
                                             be16_get(ports + TCP_AT_DPORT)));
    uint32_t len = be16_get(h + IP4_LEN);
    if (UNLIKELY(!f || len < IP4_HEADER + PORTS_LEN || len > d->m->total - d->off))
        return false;
    d->m->net = h;
    d->path = flow_path(n->k, f);
    d->dir = (enum dir)f->dir;
    return true;
}

struct node *ip_demux(struct node *n, struct demux *d)
{
    uint8_t *h = d->m->data + d->off;
    if (UNLIKELY(d->m->len < d->off + IP4_HEADER || h[IP4_VIHL] != IP4_PLAIN))
        return odd_header(n, d);
    if (UNLIKELY(!ip4_sum_is_good(h)))
        return refuse(d, DROP_IP_CKSUM);
    if (is_connection(n, d, h))
        return DEMUX_FOUND;
    return by_address(n, d, h, IP4_HEADER);
}
