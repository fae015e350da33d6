/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ICMP may do to a connection: little (RFC 5927, RFC 9293 3.9.2.2). The quoted segment must be
 * one that is in flight. Then fragmentation needed lowers the path MTU (RFC 1191), never below
 * 576 bytes and never raises it; a hard error ends a connection that is not synchronised; all else
 * is soft. Called by the icmp node, which has found the quotation readable.
 */
#include "kernel/services.h"
#include "modules/tcp/tcp.h"
#include "modules/wire/icmp4.h"
#include "modules/wire/ip4.h"
#include "modules/wire/tcp.h"

static void fragmentation_needed(struct tcb *c, uint32_t mtu)
{
    struct node *ip = tcp_network(c->n);
    const struct network_ops *ops = ip->module->ops;
    if (mtu < IP4_MTU_MIN || mtu >= c->mtu) /* spec R-BAD-22 */
        return;
    if (mtu < IP4_MTU_SAFE)
        mtu = IP4_MTU_SAFE;
    if (ops->learn_mtu)
        ops->learn_mtu(ip, &c->remote.addr, (uint16_t)mtu);
    tcb_count(c, STAT_PMTU);
    tcb_set_mtu(c, (uint16_t)mtu);
    if (c->snd_una != c->snd_max && !c->sndq.head) /* forwarded: it is cut smaller from now on */
        return;
    c->timing = false;
    c->recovery = RECOVER_NONE; /* no loss by congestion: cwnd stays (RFC 1191 6.5) */
    c->dupacks = 0;
    if (c->cw.cwnd < c->mss)
        c->cw.cwnd = c->mss;
    if (!tcb_synchronised(c))
        return;
    c->snd_nxt = c->snd_una; /* again, in segments that fit */
    tcp_output(c);
}

static bool hard(uint8_t type, uint8_t code)
{
    return type == ICMP_UNREACHABLE && (code == ICMP_PROTOCOL || code == ICMP_PORT);
}

void tcp_icmp(struct node *n, uint8_t type, uint8_t code, uint32_t mtu, const struct netaddr *src,
              const struct netaddr *dst, const uint8_t *quoted, size_t len)
{
    if (len < TCP_AT_ACK || src->family != ADDR_IP4 || dst->family != ADDR_IP4) {
        n->k->drops[DROP_ICMP_QUOTE]++;
        return;
    }
    struct tcb *c = tcb_of_flow(n, netaddr_to_ip4(src), be16_get(quoted + TCP_AT_SPORT),
                                netaddr_to_ip4(dst), be16_get(quoted + TCP_AT_DPORT));
    uint32_t seq = be32_get(quoted + TCP_AT_SEQ);
    if (!c || !tcb_alive(c) || seq_lt(seq, c->snd_una) || seq_ge(seq, tcb_seq_now(c))) {
        n->k->drops[DROP_ICMP_STALE]++;
        return;
    }
    if (type == ICMP_UNREACHABLE && code == ICMP_FRAG_NEEDED) {
        fragmentation_needed(c, mtu);
    } else if (hard(type, code) && !tcb_synchronised(c)) {
        tcb_count(c, STAT_REFUSED);
        tcb_dead(c, true);
        tcb_end_check(c);
    } /* the rest is soft: RFC 9293 MUST-56, RFC 5927 5.2 */
}
