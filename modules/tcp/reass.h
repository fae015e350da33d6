/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_REASS_H
#define MODULES_TCP_REASS_H
/*
 * What arrived out of order: runs of bytes, sorted, none touching another. A run is found by
 * bisection, so a segment costs O(log runs) however many bytes wait (spec R-BAD-53); there are at
 * most REASS_RUNS of them. Bytes that came first stay (spec R-BAD-52). Owned by one connection.
 */
#include "kernel/msg.h"
#include "modules/tcp/segment.h"

enum { REASS_RUNS = 64 };

struct reass_run {
    uint32_t seq, end; /* [seq, end) */
    struct msg *head, *tail;
    uint32_t stamp; /* larger: changed later */
};

struct reass {
    uint32_t n;
    uint32_t stamp;
    uint32_t cost; /* bytes of storage charged */
    struct reass_run run[REASS_RUNS];
};

/* Keep what is new of m, which begins at seq; consumes m. payer pays for copies. What finds no
 * place, for runs or memory, is dropped tcp.ooo. */
void reass_insert(struct kernel *k, struct reass *r, struct pool *payer, uint32_t seq,
                  struct msg *m);
/* The next message if the first run begins at `nxt`, else NULL. */
struct msg *reass_take(struct reass *r, uint32_t nxt);
/* The runs above `nxt` as SACK blocks, the one changed last first (RFC 2018 4); at most n. One that
 * begins there is being taken, and waits for no other byte. */
uint8_t reass_blocks(const struct reass *r, uint32_t nxt, struct tcp_range *out, uint8_t n);
/* Nothing lies at or behind `end`: what did is dropped tcp.late. */
void reass_cut(struct kernel *k, struct reass *r, uint32_t end);
void reass_drop(struct kernel *k, struct reass *r, enum drop why);
/* All messages were moved to another path: it pays. */
void reass_charge(struct reass *r, struct pool *payer);

#endif
