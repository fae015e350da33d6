/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors about segments that were forwarded (spec splicing 4; R-SPL-15). They quote what left
 * here, so they come to us; the quotation is turned back into what its sender sent, and the message
 * goes there, or path MTU discovery would break. Its source is the address that the sender knows as
 * the other end, when that is ours (classical proxy), else unchanged. Only about numbers in flight
 * (RFC 5927 4.1, spec R-BAD-21). Fragmentation needed also bounds what we pass from now on.
 */
#include "modules/fwd/inside.h"
#include "modules/wire/cksum.h"
#include "modules/wire/icmp4.h"

/* Only what a host finds its connection and the number by: the window and the options stay as they
 * left here, so the quoted checksum is right only if they did not change.
 * r: of the direction in which the quoted segment went; f: the line of its flow. */
static void quote_translate(uint8_t *q, uint32_t have, const struct flow *f, const struct record *r)
{
    uint32_t hlen = ip4_header_len(q);
    uint8_t *tcp = q + hlen;
    uint32_t src = (uint32_t)(f->key.w[0] >> 32), dst = (uint32_t)f->key.w[0];
    uint32_t ports = (uint32_t)f->key.w[1], seq = be32_get(tcp + TCP_AT_SEQ);
    uint64_t moved = PATCH_BIAS + src + dst - be32_get(q + IP4_SRC) - be32_get(q + IP4_DST);
    uint64_t patch = moved + ports - be32_get(tcp) + (seq - r->seq_off) - seq;
    be16_put(q + IP4_CKSUM, patch_cksum(be16_get(q + IP4_CKSUM), moved));
    be32_put(q + IP4_SRC, src);
    be32_put(q + IP4_DST, dst);
    be32_put(tcp, ports);
    be32_put(tcp + TCP_AT_SEQ, seq - r->seq_off);
    if (have >= hlen + TCP_AT_ACK + 4) {
        uint32_t ack = be32_get(tcp + TCP_AT_ACK);
        patch += ack + r->ack_off;
        patch -= ack;
        be32_put(tcp + TCP_AT_ACK, ack + r->ack_off);
    }
    if (have >= hlen + TCP_AT_CKSUM + 2)
        be16_put(tcp + TCP_AT_CKSUM, patch_cksum(be16_get(tcp + TCP_AT_CKSUM), patch));
}

static void learn(struct path *p, struct fwd_node *f, enum dir d, uint16_t mtu)
{
    const struct network_ops *ops = f->ip->module->ops;
    struct netaddr far = netaddr_ip4(fwd_record(p, d)->dst);
    if (mtu < IP4_MTU_SAFE)
        mtu = IP4_MTU_SAFE;
    if (ops->learn_mtu)
        ops->learn_mtu(f->ip, &far, mtu);
    if (mtu - FWD_IP_TCP < p->own[d])
        p->own[d] = (uint16_t)(mtu - FWD_IP_TCP);
}

/* d: of the answers to what is quoted. */
bool fwd_icmp(struct path *p, int at, enum dir d, struct msg *m)
{
    struct kernel *k = p->pool.k;
    struct fwd_node *f = fwd_of(p, at);
    const struct network_ops *ops = f->ip->module->ops;
    enum dir e = dir_reverse(d);
    const struct flow *flow = path_flow(p, e);
    const struct record *r = fwd_record(p, e), *back = fwd_record(p, d);
    uint8_t *h = m->data, *q = h + ICMP_HEADER; /* icmp has read the quotation: it is there */
    uint32_t seq = be32_get(q + ip4_header_len(q) + TCP_AT_SEQ);
    struct netaddr to = netaddr_ip4((uint32_t)(flow->key.w[0] >> 32));
    struct netaddr from = netaddr_ip4((uint32_t)flow->key.w[0]);
    if (before(seq, back->ack_max) || !before(seq, r->seq_max + r->seq_off)) {
        msg_drop(k, m, DROP_ICMP_STALE);
        return true;
    }
    if (h[ICMP_TYPE] == ICMP_UNREACHABLE && h[ICMP_CODE] == ICMP_FRAG_NEEDED)
        learn(p, f, e, be16_get(h + ICMP_INFO + 2));
    if (!ops->may_tell(f->ip, &to)) {
        msg_drop(k, m, DROP_ICMP_RATE);
        return true;
    }
    quote_translate(q, m->len - ICMP_HEADER, flow, r);
    be16_put(h + ICMP_CKSUM, 0);
    be16_put(h + ICMP_CKSUM, (uint16_t)~cksum_fold(cksum_msg(0, m, 0)));
    f->stat[FWD_ICMP]++;
    if (!ops->is_local(f->ip, &from))
        from = netaddr_ip4(be32_get(m->net + IP4_SRC));
    ops->send(f->ip, &from, &to, PROTO_ICMP, 0, m);
    return true;
}
