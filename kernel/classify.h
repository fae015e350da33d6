/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_CLASSIFY_H
#define KERNEL_CLASSIFY_H
/*
 * From a frame to its path: the graph is asked node by node (module.demux), and a node that can
 * form a whole key asks the flow table. It runs before any queueing, so overload is shed at the
 * path that causes it. A frame without a path is dropped and counted; flow_insert can fail with
 * E_NOMEM (limit of flows) or E_EXIST (key taken), and changes nothing then.
 *
 * The flow table: open addressing, a slot is 8 bytes: 32 bits of the hash and the index of a line.
 * It grows by a quarter when it is 3/4 full, so a flow has at most 5/3 slots. Behind the last slot
 * is one that is always empty, so two in a row may be looked at without a thought to the end. A
 * line is 64 bytes: the key, the path, and 40 bytes for whoever inserted it (a forwarding record).
 * The hash is a keyed multiply; it is re-keyed when a probe grows long (robustness R-ATK-13).
 */
#include "kernel/drop.h"
#include "kernel/types.h"

/*
 * A key is two words. For IPv4: w[0] = source << 32 | destination, w[1] = kind, card, protocol and
 * the ports (flow_key_ip4). IPv6 will put a keyed 128-bit digest of its tuple here and the tuple
 * itself in a second line.
 */
struct flow_key {
    uint64_t w[2];
};

enum flow_kind { FLOW_CONN = 1, FLOW_ROUTE = 2 };

struct flow {
    struct flow_key key; /* 16 */
    uint32_t path;       /* path id */
    uint32_t dir : 1;    /* enum dir in which its messages enter the path */
    uint32_t next : 31;  /* line of the path's next flow; 0: last */
    uint64_t record[5];  /* of the stage that inserted it */
};

enum { FLOW_SOURCES = 4096 };    /* counters for source addresses: some share one */
enum { FLOW_LINE = 0x7fffffff }; /* bits of a line's number */

static inline struct flow_key flow_key_ip4(enum flow_kind kind, uint16_t card, uint8_t proto,
                                           uint32_t src, uint32_t dst, uint16_t sport,
                                           uint16_t dport)
{
    return (struct flow_key){
        {(uint64_t)src << 32 | dst, (uint64_t)kind << 56 | (uint64_t)proto << 48 |
                                        (uint64_t)card << 32 | (uint64_t)sport << 16 | dport}};
}

struct flow_slot {
    uint32_t tag;  /* low half of the hash */
    uint32_t line; /* 0: empty */
};

struct flow_table {
    struct flow_slot *slots;
    uint32_t nslots;
    uint32_t count; /* flows */
    uint32_t limit; /* flows at most */
    uint64_t seed[2];
    struct flow **chunks; /* lines, 256 to a chunk; line 0 is never used */
    uint32_t nchunks;
    uint32_t room;     /* for so many */
    uint32_t free;     /* first free line, linked through next */
    uint32_t rekeys;   /* how often the hash was re-keyed */
    uint32_t patience; /* insertions until it may be re-keyed again */
    uint64_t source_seed;
    uint32_t of_source[FLOW_SOURCES]; /* flows of connections, by who sends */
};

enum { FLOW_CHUNK = 256 };

MUST_CHECK status_t flow_table_init(struct kernel *k, uint32_t limit);
void flow_table_end(struct kernel *k);
uint64_t flow_table_bytes(const struct kernel *k); /* slots and lines */
/* On success the flow belongs to p and goes with it; *out (may be NULL) is its line. */
MUST_CHECK status_t flow_insert(struct kernel *k, struct flow_key key, struct path *p, enum dir d,
                                struct flow **out);
void flow_remove(struct kernel *k, struct path *p, struct flow_key key); /* absent: nothing */
void flow_remove_all(struct kernel *k, struct path *p);
/* All flows of `from` are `to`'s; those of direction d stay so when `same`, else are turned round.
 */
void flow_move(struct kernel *k, struct path *from, struct path *to, bool same);

/* The counter of a source address: flows of connections that come from it, and maybe from others.
 */
uint32_t *flow_source(struct flow_table *t, uint32_t src);

__extension__ typedef unsigned __int128 flow_product_t;

static inline uint64_t flow_hash(const struct flow_table *t, struct flow_key key)
{
    flow_product_t x = (flow_product_t)(key.w[0] ^ t->seed[0]) * (key.w[1] ^ t->seed[1]);
    return (uint64_t)x ^ (uint64_t)(x >> 64);
}

/* Where a flow with that hash is looked for first: a multiplication does for any number of slots.
 */
static inline uint32_t flow_home(const struct flow_table *t, uint64_t hash)
{
    return (uint32_t)((flow_product_t)hash * t->nslots >> 64);
}

static inline uint32_t flow_tag(uint64_t hash)
{
    return (uint32_t)hash;
}

static inline uint32_t flow_after(const struct flow_table *t, uint32_t slot)
{
    return ++slot == t->nslots ? 0 : slot;
}

static inline struct flow *flow_line(const struct flow_table *t, uint32_t line)
{
    return &t->chunks[line / FLOW_CHUNK][line % FLOW_CHUNK];
}

/* The same, slot by slot: apart, so that it costs the common case no registers. */
struct flow *flow_find_on(const struct flow_table *t, struct flow_key key, uint32_t tag,
                          uint32_t slot);

/* The flow of that key, or NULL. About 25 instructions when one of the first two slots is right. */
static inline struct flow *flow_find(const struct flow_table *t, struct flow_key key)
{
    uint64_t hash = flow_hash(t, key);
    uint32_t home = flow_home(t, hash);
    const struct flow_slot *s = &t->slots[home];
    if (s->tag != flow_tag(hash))
        s++;
    if (LIKELY(s->tag == flow_tag(hash))) {
        struct flow *f = flow_line(t, s->line); /* 0 is no flow's, and has no key */
        if (LIKELY(f->key.w[0] == key.w[0] && f->key.w[1] == key.w[1]))
            return f;
    }
    return flow_find_on(t, key, flow_tag(hash), home);
}

/* The state of one classification. demux functions read the message and never write to it. */
struct demux {
    struct msg *m;
    uint32_t off;      /* where the header of the node now asked begins, from m->data */
    struct path *path; /* set by the node that knows */
    enum dir dir;      /* set with it */
    enum drop why;     /* set by the node that refuses */
    struct node *link; /* the eth node the message came in by */
};

/* A node's verdict: the node to ask next, or one of these two. */
#define DEMUX_FOUND ((struct node *)0) /* d->path and d->dir are set */
#define DEMUX_DROP  ((struct node *)1) /* d->why is set */

/* classify() is in kernel/kernel.h. The same for a message whose link-level header is already off:
 * m->data is n's header. The path is then entered at the first stage of node n, or, when n has none
 * in it, at the first that begins with the network header. */
void classify_again(struct node *link, struct node *n, struct msg *m);

#endif
