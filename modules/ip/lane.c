/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lane: what nearly every frame of a forwarder goes through. A plain datagram whose flow is
 * known and whose path may be done as one (shape: records, express) is looked at once, from ring to
 * ring. All others are classified by the nodes and go stage by stage, in the order in
 * which they came. Plain is: to us, no options, no fragment, and nothing behind it but the padding
 * of a short frame. Called by the kernel for each burst of a card right below ip (struct netdev:
 * lane); nothing can fail.
 */
#include <string.h>

#include "modules/ip/ip.h"
#include "modules/wire/cksum.h"
#include "modules/wire/forward.h"

enum { SHORTEST = 60 };

#define INLINED __attribute__((always_inline)) /* two lanes, one loop each */

/* Of a burst, loaded once. */
struct lane {
    struct kernel *k;
    const struct ip_node *ip;
    uint64_t mac, mac_bits; /* the first 8 bytes of a frame to us, as eth has them */
    uint64_t look, plain;   /* bits of the first 8 bytes of a header, and what they must be */
    uint64_t kind;          /* of the key of a connection */
    uint32_t longer;        /* a frame may be than the shortest */
    uint16_t card;
};

/* Behind the datagram is nothing but the padding of a short frame. It becomes zeros (R-BAD-6), a
 * few more than there is room for in the frame, but not in its buffer. */
INLINED static inline bool is_padded(uint8_t *frame, uint32_t len, uint32_t n)
{
    if (len > SHORTEST || len - ETH_HEADER - n > sizeof(uint64_t))
        return false;
    MEM_UNPOISON(frame + ETH_HEADER + n, sizeof(uint64_t));
    memset(frame + ETH_HEADER + n, 0, sizeof(uint64_t));
    return true;
}

INLINED static inline bool is_to_us(const struct lane *l, const uint8_t *frame)
{
    uint64_t word;
    memcpy(&word, frame + ETH_DST, sizeof word);
    return !((word ^ l->mac) & l->mac_bits);
}

/* A plain datagram, of *n bytes. */
INLINED static inline bool is_plain(const struct lane *l, const struct msg *m, uint32_t *n)
{
    uint8_t *frame = m->data, *h = frame + ETH_HEADER;
    uint64_t first, ends, sum;
    uint32_t len = m->len;
    if (UNLIKELY(len - SHORTEST > l->longer)) /* before anything of it is read */
        return false;
    first = be64_get(h);
    if (UNLIKELY(m->flags || !is_to_us(l, frame) || be16_get(frame + ETH_TYPE) != ETHERTYPE_IP4 ||
                 (first & l->look) != l->plain))
        return false;
    *n = (uint16_t)(first >> 32);
    if (UNLIKELY(len - ETH_HEADER != *n && !is_padded(frame, len, *n)))
        return false;
    /* All words of 16 bits: their sum is that of the 64, modulo 65535, and must be zero. */
    ends = be64_get(h + IP4_SRC);
    sum = first + be32_get(h + IP4_TTL);
    sum += ends;
    sum += sum < ends; /* the carry comes in again at the other end */
    return LIKELY(sum % 0xffff == 0);
}

INLINED static inline struct flow *connection(const struct lane *l, const uint8_t *h)
{
    struct flow_key key = {{be64_get(h + IP4_SRC), l->kind | be32_get(h + IP4_HEADER)}};
    return flow_find(&l->k->flows, key);
}

/* A router's datagram; its path does it. */
__attribute__((noinline)) static bool routed(const struct lane *l, struct msg *m)
{
    const uint8_t *h = m->data + ETH_HEADER;
    if (l->ip->upper[h[IP4_PROTO]] || !source_is_plain(l->ip, be32_get(h + IP4_SRC)))
        return false;
    struct flow_key key = flow_key_ip4(FLOW_ROUTE, l->card, 0, 0, be32_get(h + IP4_DST), 0, 0);
    struct flow *f = flow_find(&l->k->flows, key);
    struct path *p = f ? flow_path(l->k, f) : NULL;
    if (UNLIKELY(!p || p->work || !p->shape->express))
        return false;
    l->k->running = p;
    return p->shape->express(p, m);
}

__attribute__((noinline)) static bool stamped(struct path *p, struct flow *f, struct msg *m,
                                              uint32_t n)
{
    return rewrite_is_stamped(m->data + ETH_HEADER + IP4_HEADER) &&
           forward_frame(p, f, m, m->data, n, FORWARD_STAMPS);
}

/* A segment of a connection that is nothing but records. */
INLINED static inline bool spliced(const struct lane *l, struct msg *m, uint8_t *frame, uint32_t n)
{
    const uint8_t *h = frame + ETH_HEADER;
    struct flow *f = connection(l, h);
    if (UNLIKELY(!f))
        return false;
    struct path *p = flow_path(l->k, f);
    if (UNLIKELY(!(p->flags & PATH_RECORDS)))
        return false;
    l->k->running = p;
    if (LIKELY(rewrite_is_plain(h + IP4_HEADER)))
        return forward_frame(p, f, m, frame, n, 0);
    return stamped(p, f, m, n);
}

/* For a burst; tcp: there are connections. True: the frame is on its way. */
INLINED static inline bool passes(const struct lane *l, struct msg *m, bool tcp)
{
    uint8_t *frame = m->data, *h = frame + ETH_HEADER;
    uint32_t n;
    if (UNLIKELY(!is_plain(l, m, &n)))
        return false;
    return tcp && LIKELY(h[IP4_PROTO] == PROTO_TCP) ? spliced(l, m, frame, n) : routed(l, m);
}

INLINED static inline void lane(struct netdev *d, struct msg **burst, int n, bool tcp)
{
    struct lane l = {.k = d->k,
                     .ip = d->lane_node->state,
                     .longer = d->mtu + ETH_HEADER - SHORTEST,
                     .look = (uint64_t)0xff << 56 | IP4_MF | IP4_OFFSET,
                     .plain = (uint64_t)IP4_PLAIN << 56,
                     .kind = flow_key_ip4(FLOW_CONN, 0, PROTO_TCP, 0, 0, 0, 0).w[1],
                     .card = d->index};
    uint64_t bytes = 0;
    memcpy(&l.mac, d->mac, ETH_ADDR);
    memset(&l.mac_bits, 0xff, ETH_ADDR);
    for (; n; n--) {
        struct msg *m = *burst++;
        bytes += m->len;
        if (UNLIKELY(!passes(&l, m, tcp)))
            frame_input(d, m);
    }
    l.k->running = NULL;
    d->stats.rx_bytes += bytes;
}

void ip_lane(struct netdev *d, struct msg **burst, int n)
{
    lane(d, burst, n, true);
}

void ip_lane_router(struct netdev *d, struct msg **burst, int n)
{
    lane(d, burst, n, false);
}
