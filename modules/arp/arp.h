/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_ARP_ARP_H
#define MODULES_ARP_ARP_H
/* The inside of the arp module: node.c reads and answers packets, cache.c keeps neighbours. */
#include "kernel/kernel.h"
#include "kernel/node.h"
#include "kernel/services.h"
#include "kernel/timer.h"
#include "modules/wire/arp.h"
#include "modules/wire/eth.h"

enum {
    ARP_QUEUE = 4,        /* packets that wait for one neighbour */
    ARP_QUEUED_MAX = 256, /* and for all together */
};

enum entry_state {
    ENTRY_FREE,
    ENTRY_UNKNOWN, /* nobody has asked, or nobody has answered */
    ENTRY_ASKED,
    ENTRY_KNOWN,
    ENTRY_PROBED, /* still believed; asked directly, to be sure */
};

struct entry {
    struct neigh g;
    struct node *arp;
    struct timer t;        /* next question, or end of belief */
    struct msgq waiting;   /* IP datagrams, charged to the node */
    struct entry *chain;   /* of its bucket, or of the free list */
    struct entry *younger; /* list of those that no path uses; oldest first */
    struct entry *older;
    uint8_t state, tries;
};

enum arp_stat { ARP_REQUESTS_IN, ARP_REPLIES_IN, ARP_REQUESTS_OUT, ARP_REPLIES_OUT, ARP_STATS };

struct arp_node {
    struct entry *table;
    struct entry **buckets;
    struct entry *free;
    struct entry *oldest, *youngest; /* unused ones */
    uint32_t size, used, mask, queued;
    uint64_t seed;
    uint64_t complained; /* ns of the last line in the log about a conflict */
    uint64_t stat[ARP_STATS];
};

/* cache.c */
MUST_CHECK status_t cache_init(struct node *n);
void cache_stop(struct node *n);
struct entry *cache_find(struct node *n, const struct node *card, const struct netaddr *addr);
/* A neighbour was heard: addr has mac. `make`: remember it even when nobody has asked. */
void cache_heard(struct node *n, struct node *card, const struct netaddr *addr,
                 const uint8_t mac[ETH_ADDR], bool make);
struct neigh *cache_get(struct node *n, struct node *card, const struct netaddr *addr);
void cache_put(struct node *n, struct neigh *g);
void cache_wait(struct node *n, struct neigh *g, struct msg *m);
const char *entry_state_name(unsigned state);

/* node.c */
/* Ask who has addr; to: NULL for everybody. */
void arp_ask(struct node *n, struct node *card, const struct netaddr *addr, const uint8_t *to);
/* Something is wrong on the link: a line in the log, at most one a second. */
void arp_complain(struct node *n, const struct node *card, const struct netaddr *addr,
                  const uint8_t mac[ETH_ADDR], const char *what);
struct node *arp_network(const struct node *card); /* the ip node of that card; NULL: none */

#endif
