/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path MTUs as learnt from ICMP (RFC 1191). Entries are forgotten after ten minutes (6.3), or when
 * another destination needs the place: the sender then finds out again. A message never raises one.
 * Below 576 nothing is believed (spec R-BAD-22).
 */
#include "modules/ip/ip.h"

static const uint64_t keep_ns = 600 * SECOND;

static struct pmtu *entry_of(struct ip_node *ip, uint32_t to)
{
    uint64_t hash = ((uint64_t)to ^ ip->seed) * 0x9e3779b97f4a7c15ULL;
    return &ip->pmtu[(hash >> 32) % PMTU_ENTRIES];
}

uint16_t ip_path_mtu(struct node *n, const struct netaddr *to)
{
    struct ip_node *ip = n->state;
    if (to->family != ADDR_IP4)
        return 0;
    uint32_t addr = netaddr_to_ip4(to);
    const struct pmtu *e = entry_of(ip, addr);
    return e->to == addr && n->k->now < e->until ? e->mtu : 0;
}

void ip_learn_mtu(struct node *n, const struct netaddr *to, uint16_t mtu)
{
    struct ip_node *ip = n->state;
    if (to->family != ADDR_IP4 || mtu < IP4_MTU_MIN)
        return;
    uint32_t addr = netaddr_to_ip4(to);
    const struct ip_route *r = route_find(ip, addr);
    uint16_t now = ip_path_mtu(n, to);
    uint16_t most = now ? now : r ? ip->iface[r->iface].mtu : 0;
    if (mtu < IP4_MTU_SAFE)
        mtu = IP4_MTU_SAFE;
    if (mtu < most)
        *entry_of(ip, addr) = (struct pmtu){addr, mtu, n->k->now + keep_ns};
}
