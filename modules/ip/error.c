/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors that we send. They are made here and not in the icmp module, because a router has to
 * send them whether or not there is an icmp node. Never about ICMP errors, broadcasts, later
 * fragments or sources that are no host (RFC 1122 3.2.2, RFC 1812 4.3.2.7), and only so many a
 * second, in all and to one destination (RFC 1812 4.3.2.8; spec R-ATK-6).
 */
#include "modules/ip/ip.h"
#include "modules/wire/cksum.h"
#include "modules/wire/icmp4.h"

enum {
    QUOTE = IP4_MTU_SAFE - IP4_HEADER - ICMP_HEADER, /* bytes at most (RFC 1812 4.3.2.3) */
    BURST = 6,                                       /* to one destination; then one a second */
    MESSAGE = 1000,                                  /* tokens */
};

static bool bucket_take(struct token_bucket *b, uint64_t now, uint32_t rate, uint32_t burst)
{
    uint64_t ms = (now - b->ns) / MS;
    uint64_t tokens = b->tokens + (ms < 1000000 ? ms : 1000000) * rate;
    b->ns += ms * MS;
    b->tokens = tokens < (uint64_t)burst * MESSAGE ? (uint32_t)tokens : burst * MESSAGE;
    if (b->tokens < MESSAGE)
        return false;
    b->tokens -= MESSAGE;
    return true;
}

static bool rate_allows(struct node *n, uint32_t to)
{
    struct ip_node *ip = n->state;
    uint32_t rate = (uint32_t)conf_number(&n->conf, "errors");
    uint64_t hash = ((uint64_t)to ^ ip->seed) * 0x9e3779b97f4a7c15ULL;
    struct token_bucket *b = &ip->bucket[(hash >> 32) % BUCKETS];
    if (b->addr != to)
        *b = (struct token_bucket){.addr = to, .tokens = BURST * MESSAGE, .ns = n->k->now};
    return rate && bucket_take(b, n->k->now, 1, BURST) &&
           bucket_take(&ip->all, n->k->now, rate, rate / 2 > BURST ? rate / 2 : BURST);
}

bool ip_may_tell(struct node *n, const struct netaddr *to)
{
    return to->family == ADDR_IP4 && rate_allows(n, netaddr_to_ip4(to));
}

void errors_init(struct node *n)
{
    struct ip_node *ip = n->state;
    ip->all = (struct token_bucket){.tokens = BURST * MESSAGE, .ns = n->k->now};
}

static bool may_be_told(const struct ip_node *ip, const struct msg *m)
{
    const uint8_t *h = m->data;
    uint32_t src = be32_get(h + IP4_SRC), dst = be32_get(h + IP4_DST), hlen = ip4_header_len(h);
    if (m->flags & MSG_BROADCAST || ip4_offset(h) || !ip_is_host(dst) || ip_is_broadcast(ip, dst))
        return false;
    if (!ip_is_host(src) || ip_is_ours(ip, src) || ip_is_broadcast(ip, src))
        return false;
    return h[IP4_PROTO] != PROTO_ICMP || (m->len > hlen && !icmp_is_error(h[hlen + ICMP_TYPE]));
}

void ip_error(struct node *n, uint8_t type, uint8_t code, uint32_t info, struct msg *m)
{
    struct ip_node *ip = n->state;
    uint32_t src = be32_get(m->data + IP4_SRC), dst = be32_get(m->data + IP4_DST);
    uint32_t len = be16_get(m->data + IP4_LEN);
    if (!may_be_told(ip, m))
        return;
    if (!rate_allows(n, src)) {
        n->k->drops[DROP_ICMP_RATE]++;
        return;
    }
    if (len > m->total)
        len = m->total;
    struct msg *e = msg_copy(&n->k->pool, m, 0, len < QUOTE ? len : QUOTE);
    uint8_t *at = e ? msg_push(e, ICMP_HEADER) : NULL;
    if (!at) {
        msg_free(e);
        n->k->drops[DROP_NO_BUFFER]++;
        return;
    }
    at[ICMP_TYPE] = type;
    at[ICMP_CODE] = code;
    be16_put(at + ICMP_CKSUM, 0);
    be32_put(at + ICMP_INFO, info);
    be16_put(at + ICMP_CKSUM, (uint16_t)~cksum_fold(cksum_msg(0, e, 0)));
    ip->stat[IP_ERRORS_OUT]++;
    struct netaddr to = netaddr_ip4(src), from = netaddr_ip4(dst);
    ip_send(n, ip_is_ours(ip, dst) ? &from : NULL, &to, PROTO_ICMP, 0, e);
}
