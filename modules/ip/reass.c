/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly. Fragments of a datagram wait in a list sorted by offset, charged to the node. Nothing
 * may overlap (RFC 5722; spec R-BAD-14), so the datagram is whole when the lengths add up to its
 * end. Bounded in datagrams, datagrams of one source, bytes and time (spec R-ATK-5): what is new
 * pushes out what is oldest. A list has at most FRAG_MEMORY / (cost of a buffer) entries, so
 * looking for a place in it has a bounded cost, too (spec R-BAD-16).
 */
#include <assert.h>

#include "modules/ip/ip.h"
#include "modules/wire/icmp4.h"
#include "modules/wire/tcp.h"
#include "modules/wire/udp.h"

enum { START = 0, LENGTH = 1 }; /* in cb[] of a fragment that waits: bytes of payload */

struct datagram {
    struct node *n;
    struct timer t;     /* armed while it is in use */
    struct msg *list;   /* by offset, linked by next; NULL: free */
    uint32_t src, dst;  /* key: RFC 791 */
    uint32_t have, end; /* bytes of payload so far, and in the whole (0: not known) */
    uint32_t cost;
    uint32_t serial; /* age */
    uint16_t id;
    uint8_t proto;
};

bool frag_check(const uint8_t *h, uint32_t len, enum drop *why)
{
    uint32_t hlen = ip4_header_len(h), n = len - hlen, offset = ip4_offset(h);
    uint8_t proto = h[IP4_PROTO];
    *why = DROP_FRAG_BAD; /* spec R-BAD-15 */
    if (n == 0 || offset + n > IP4_LEN_MAX - hlen || (be16_get(h + IP4_FRAG) & IP4_MF && n % 8))
        return false;
    *why = DROP_FRAG_TINY; /* RFC 1858, RFC 3128; spec R-BAD-13 */
    if (proto == PROTO_TCP && (offset == 8 || (offset == 0 && n < TCP_HEADER_MIN)))
        return false;
    return !(proto == PROTO_UDP && offset == 0 && n < UDP_HEADER);
}

/* The fragments go, counted. */
static void datagram_drop(struct datagram *d, enum drop why)
{
    assert(d); /* who looks for the oldest has seen that there is one */
    struct ip_node *ip = d->n->state;
    struct msg *next;
    for (struct msg *m = d->list; m; m = next) {
        next = m->next;
        msg_drop(d->n->k, m, why);
    }
    timer_cancel(d->n->k, &d->t);
    ip->frag_bytes -= d->cost;
    ip->nfrags--;
    d->list = NULL;
}

static void timeout(struct kernel *k, struct timer *t)
{
    struct datagram *d = CONTAINER(t, struct datagram, t);
    (void)k;
    if (d->list->cb[START] == 0) /* RFC 1122 3.3.2: only when the first one is there */
        ip_error(d->n, ICMP_TIME_EXCEEDED, ICMP_REASSEMBLY, 0, d->list);
    datagram_drop(d, DROP_FRAG_TIME);
}

status_t reass_init(struct node *n)
{
    struct ip_node *ip = n->state;
    ip->frags = pool_alloc(&n->pool, FRAG_DATAGRAMS * sizeof *ip->frags);
    for (int i = 0; ip->frags && i < FRAG_DATAGRAMS; i++) {
        ip->frags[i].n = n;
        ip->frags[i].t.fire = timeout;
    }
    return ip->frags ? OK : E_NOMEM;
}

void reass_stop(struct node *n)
{
    struct ip_node *ip = n->state;
    for (int i = 0; ip->frags && i < FRAG_DATAGRAMS; i++)
        if (ip->frags[i].list)
            datagram_drop(&ip->frags[i], DROP_SHUTDOWN);
}

/* The oldest datagram but `keep`, of that source (0: of any). */
static struct datagram *oldest(struct ip_node *ip, const struct datagram *keep, uint32_t src)
{
    struct datagram *old = NULL;
    for (int i = 0; i < FRAG_DATAGRAMS; i++) {
        struct datagram *d = &ip->frags[i];
        if (d != keep && d->list && (!src || d->src == src) &&
            (!old || (int32_t)(d->serial - old->serial) < 0))
            old = d;
    }
    return old;
}

static struct datagram *datagram_find(struct ip_node *ip, const uint8_t *h, uint32_t *same_source)
{
    uint32_t src = be32_get(h + IP4_SRC), dst = be32_get(h + IP4_DST);
    uint16_t id = be16_get(h + IP4_ID);
    *same_source = 0;
    for (int i = 0; i < FRAG_DATAGRAMS; i++) {
        struct datagram *d = &ip->frags[i];
        if (!d->list || d->src != src)
            continue;
        if (d->dst == dst && d->id == id && d->proto == h[IP4_PROTO])
            return d;
        ++*same_source;
    }
    return NULL;
}

static struct datagram *datagram_make(struct node *n, const uint8_t *h, uint32_t same_source)
{
    struct ip_node *ip = n->state;
    struct datagram *d;
    if (same_source >= FRAG_PER_SOURCE)
        datagram_drop(oldest(ip, NULL, be32_get(h + IP4_SRC)), DROP_FRAG_LIMIT);
    else if (ip->nfrags == FRAG_DATAGRAMS)
        datagram_drop(oldest(ip, NULL, 0), DROP_FRAG_LIMIT);
    for (d = ip->frags; d->list; d++)
        ;
    d->src = be32_get(h + IP4_SRC);
    d->dst = be32_get(h + IP4_DST);
    d->id = be16_get(h + IP4_ID);
    d->proto = h[IP4_PROTO];
    d->have = d->end = d->cost = 0;
    d->serial = ip->frag_serial++;
    ip->nfrags++;
    timer_arm(n->k, &d->t, n->k->now + conf_number(&n->conf, "fragtime"));
    return d;
}

static bool memory_take(struct node *n, struct datagram *d, struct msg *m)
{
    struct ip_node *ip = n->state;
    uint32_t cost = msg_cost(m);
    while (ip->frag_bytes + cost > FRAG_MEMORY) {
        struct datagram *old = oldest(ip, d, 0);
        if (!old)
            return false;
        datagram_drop(old, DROP_FRAG_LIMIT);
    }
    if (msg_charge(m, &n->pool) != OK)
        return false;
    ip->frag_bytes += cost;
    d->cost += cost;
    return true;
}

enum verdict { TAKEN, DUPLICATE, OVERLAP, BAD };

/* Put m where it belongs. */
static enum verdict datagram_insert(struct datagram *d, struct msg *m, bool last)
{
    uint32_t start = m->cb[START], end = start + m->cb[LENGTH];
    struct msg **link = &d->list, *before = NULL;
    for (; *link && (*link)->cb[START] < start; link = &(*link)->next)
        before = *link;
    struct msg *after = *link;
    if (after && after->cb[START] == start && after->cb[LENGTH] == end - start)
        return DUPLICATE;
    if (before && before->cb[START] + before->cb[LENGTH] > start)
        return OVERLAP;
    if (after && after->cb[START] < end)
        return OVERLAP;
    if ((last && (after || (d->end && d->end != end))) || (!last && d->end && end >= d->end))
        return BAD; /* two ends, or bytes behind the end */
    if (last)
        d->end = end;
    m->next = after;
    *link = m;
    d->have += end - start;
    return TAKEN;
}

static struct msg *datagram_whole(struct datagram *d)
{
    struct ip_node *ip = d->n->state;
    struct msg *whole = d->list, *next;
    uint32_t hlen = ip4_header_len(whole->data);
    for (struct msg *m = whole->next; m; m = next) {
        next = m->next;
        m->next = NULL;
        whole->flags |= m->flags;
        msg_pop(m, ip4_header_len(m->data));
        msg_append(whole, m);
    }
    whole->next = NULL;
    whole->flags &= MSG_BROADCAST; /* what the card said was about the pieces */
    be16_put(whole->data + IP4_LEN, (uint16_t)(hlen + d->end));
    be16_put(whole->data + IP4_FRAG, 0);
    ip_header_sum(whole->data);
    timer_cancel(d->n->k, &d->t);
    ip->frag_bytes -= d->cost;
    ip->nfrags--;
    ip->stat[IP_REASSEMBLED]++;
    d->list = NULL;
    return whole;
}

bool reass_has(struct ip_node *ip, const uint8_t *h)
{
    uint32_t same_source;
    return ip->nfrags && datagram_find(ip, h, &same_source);
}

struct msg *reass_add(struct node *n, struct msg *m)
{
    static const enum drop why[] = {[OVERLAP] = DROP_FRAG_OVERLAP, [BAD] = DROP_FRAG_BAD};
    struct ip_node *ip = n->state;
    const uint8_t *h = m->data;
    uint32_t same_source;
    ip->stat[IP_FRAGMENTS_IN]++;
    struct datagram *d = datagram_find(ip, h, &same_source);
    if (!d)
        d = datagram_make(n, h, same_source);
    if (!memory_take(n, d, m)) {
        datagram_drop(d, DROP_FRAG_LIMIT);
        msg_drop(n->k, m, DROP_FRAG_LIMIT);
        return NULL;
    }
    m->cb[START] = ip4_offset(h);
    m->cb[LENGTH] = m->total - ip4_header_len(h);
    enum verdict verdict = datagram_insert(d, m, !(be16_get(h + IP4_FRAG) & IP4_MF));
    if (verdict == TAKEN)
        return d->end && d->have == d->end ? datagram_whole(d) : NULL;
    d->cost -= msg_cost(m);
    ip->frag_bytes -= msg_cost(m);
    if (verdict == DUPLICATE) { /* nothing is lost by it */
        msg_free(m);
        return NULL;
    }
    msg_drop(n->k, m, why[verdict]);
    datagram_drop(d, why[verdict]);
    return NULL;
}
