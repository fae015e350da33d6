/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_IP_IP_H
#define MODULES_IP_IP_H
/*
 * The inside of the ip module. A datagram that arrives is classified in demux.c and then goes
 * through one of: forward.c (a router's path, inline), slow.c (what has no path of its own: first
 * datagrams to a destination, fragments), stage.c (paths that end in a module above, connections).
 * Addresses are 32-bit numbers in host order inside this folder, struct netaddr outside.
 */
#include "kernel/kernel.h"
#include "kernel/node.h"
#include "kernel/path.h"
#include "kernel/services.h"
#include "kernel/timer.h"
#include "kernel/netdev.h"
#include "modules/wire/ip4.h"

enum {
    IP_IFACES = 16,  /* addresses of ours */
    IP_ROUTES = 256, /* beside the links' own */
    IP_NO_IFACE = 255,
    PMTU_ENTRIES = 64,
    BUCKETS = 256,       /* destinations whose ICMP errors are counted apart */
    FRAG_DATAGRAMS = 64, /* spec R-ATK-5 */
    FRAG_PER_SOURCE = 4,
    FRAG_MEMORY = 256 * 1024, /* bytes charged for fragments */
    KEY_FORWARD = 256,        /* no protocol's number: the node that forwards spliced connections */
};

struct iface {
    struct node *link; /* as the graph names it: eth, or a filter on one */
    struct node *card; /* the eth node */
    struct node *arp;  /* who resolves addresses on the card; NULL: nobody */
    uint32_t addr, mask;
    uint16_t mtu;
};

struct ip_route {
    uint32_t net, mask;
    uint32_t via; /* 0: the destination is on the link */
    uint8_t iface;
};

/* A router's path, seen from the outside: state of its ip stage. */
struct hop_path {
    struct hop_path *next;
    struct path *p;
    struct node *from; /* card it begins at */
    struct node *to;   /* link it ends at */
    uint32_t nexthop;
    uint16_t mtu;
    uint32_t flows;       /* destinations in the flow table */
    uint64_t count, seen; /* datagrams; as of the last look at who is idle */
};

/* Path MTU as learnt, RFC 1191. */
struct pmtu {
    uint32_t to; /* 0: free */
    uint16_t mtu;
    uint64_t until; /* ns */
};

struct token_bucket {
    uint32_t addr;
    uint32_t tokens; /* thousandths of a message */
    uint64_t ns;     /* when they were counted */
};

struct datagram;

enum ip_stat {
    IP_IN_LOCAL,
    IP_FORWARDED,
    IP_SENT,
    IP_SLOW,
    IP_FRAGMENTS_IN,
    IP_REASSEMBLED,
    IP_FRAGMENTS_OUT,
    IP_ERRORS_OUT,
    IP_CACHE_FLUSHES,
    IP_STATS
};

struct ip_node {
    uint64_t suspects; /* bit (address % 64) of every address that no frame may come from */
    struct iface iface[IP_IFACES];
    int nifaces;
    int nroutes;
    struct ip_route routes[IP_IFACES + IP_ROUTES]; /* longest prefix first */
    struct node *upper[256];                       /* by protocol */
    struct node *passing; /* who lets fragments of connections pass; NULL: nobody */
    bool forward, defrag;
    uint16_t id; /* of the next datagram that may be fragmented */
    uint32_t cache_limit, cached;
    struct hop_path *hops;
    struct timer idle;
    struct node *self;
    struct pmtu pmtu[PMTU_ENTRIES];
    struct token_bucket all, bucket[BUCKETS];
    struct datagram *frags;
    uint32_t nfrags, frag_bytes, frag_serial;
    uint64_t seed;
    uint64_t stat[IP_STATS];
};

/* route.c */
MUST_CHECK status_t routes_init(struct node *n);
/* The way to an address; NULL: none. */
const struct ip_route *route_find(const struct ip_node *ip, uint32_t to);
bool ip_is_ours(const struct ip_node *ip, uint32_t addr);
/* 255.255.255.255, or all hosts of a network of ours. */
bool ip_is_broadcast(const struct ip_node *ip, uint32_t addr);
const struct iface *iface_of_card(const struct ip_node *ip, const struct node *card);
static inline uint16_t card_index(struct node *card)
{
    const struct link_ops *ops = card->module->ops;
    return ops->dev(card)->index;
}

/* demux.c */
struct node *ip_demux(struct node *n, struct demux *d);
/* An address that one host may have on a network. */
static inline bool ip_is_host(uint32_t addr)
{
    uint32_t top = addr >> 24;
    return top != 0 && top != 127 && top < 224;
}

/* Only addresses that end like one of those are looked at twice. */
static inline bool source_is_plain(const struct ip_node *ip, uint32_t src)
{
    return ip_is_host(src) && LIKELY(!(ip->suspects >> (src & 63) & 1));
}

/* lane.c: struct netdev, lane */
void ip_lane(struct netdev *d, struct msg **burst, int n);
void ip_lane_router(struct netdev *d, struct msg **burst, int n); /* there are no connections */

/* stage.c */
MUST_CHECK status_t ip_create_stage(struct node *n, struct node *from, struct attrs *a,
                                    struct path *p, struct hop *h);

/* slow.c */
extern const struct stage_ops ip_slow_stage;

/* forward.c */
extern const struct stage_ops ip_forward_stage;
/* TTL, MTU and checksum of a datagram in transit. False: m was consumed (dropped, or *pieces hold
 * the fragments that go on in its stead). */
bool forward_prepare(struct node *n, struct msg *m, uint16_t mtu, struct msgq *pieces);
/* The router's path from that card to that neighbour; made if need be. NULL: a limit is reached. */
struct hop_path *hop_path_get(struct node *n, struct node *card, const struct ip_route *r,
                              uint32_t nexthop);
/* Datagrams from that card to that destination belong to it from now on. */
void hop_path_remember(struct node *n, struct hop_path *hop, uint16_t card, uint32_t to);
/* What enters p in direction d by card[d] goes as a router's datagrams do from now on. All of p's
 * flows, or E_NOMEM and none. */
MUST_CHECK status_t hop_path_adopt(struct node *n, struct path *p, struct node *const card[2]);
void hop_paths_init(struct node *n);

/* send.c */
void ip_send(struct node *n, const struct netaddr *from, const struct netaddr *to, uint8_t proto,
             uint8_t ttl, struct msg *m);
/* Hand a whole datagram to the neighbour; it fits the link. */
void ip_emit(struct node *n, const struct ip_route *r, uint32_t to, struct msg *m);
void ip_header_sum(uint8_t *h);

/* fragment.c */
/* Cut m into datagrams of at most mtu bytes, which are appended to out; consumes m. */
void ip_fragment(struct node *n, struct msg *m, uint16_t mtu, struct msgq *out);

/* reass.c */
MUST_CHECK status_t reass_init(struct node *n);
void reass_stop(struct node *n);
/* Is it a fragment that can be one? */
bool frag_check(const uint8_t *h, uint32_t len, enum drop *why);
/* Fragments of the same datagram wait already. */
bool reass_has(struct ip_node *ip, const uint8_t *h);
/* Takes a fragment (its IP header at m->data, nothing behind the datagram). The whole datagram
 * when this was the last one missing, else NULL. */
struct msg *reass_add(struct node *n, struct msg *m);

/* error.c, pmtu.c */
void errors_init(struct node *n);
bool ip_may_tell(struct node *n, const struct netaddr *to);
void ip_error(struct node *n, uint8_t type, uint8_t code, uint32_t info, struct msg *m);
uint16_t ip_path_mtu(struct node *n, const struct netaddr *to);
void ip_learn_mtu(struct node *n, const struct netaddr *to, uint16_t mtu);

#endif
