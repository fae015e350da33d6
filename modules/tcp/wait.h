/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_WAIT_H
#define MODULES_TCP_WAIT_H
/*
 * TIME-WAIT: what must be remembered of a connection for two MSL after it ended, so that old
 * duplicates meet an answer and a new connection is told from them. A record of a table, not a
 * path: the path and all its memory go at once. All records wait equally long, so their order of
 * arrival is the order of their end, and one timer serves all; a record that starts to wait again
 * goes to the end of the queue. When the table is full the oldest gives way. Owned by the tcp node.
 */
#include "kernel/timer.h"
#include "kernel/types.h"

struct node;
struct segment;
struct tcb;

struct wait_record {
    uint32_t local, remote; /* addresses, host order */
    uint16_t lport, rport;
    uint16_t wnd; /* as promised, in the header's unit */
    uint32_t snd_nxt, rcv_nxt;
    uint32_t ts_recent, ts_offset; /* of the connection; ts false: no time stamps */
    bool ts, used;
    uint64_t until;        /* ns */
    uint64_t challenge_ns; /* when a segment was last answered */
    uint32_t chain;        /* next in the hash bucket; index + 1, 0 ends */
    uint32_t older, newer; /* queue by `until`; index + 1 */
};

struct wait_table {
    struct wait_record *record;
    uint32_t *bucket; /* index + 1 of the first */
    uint32_t size, mask, live;
    uint32_t free, oldest, newest; /* index + 1 */
    uint64_t seed[2];
    struct node *n;
    struct timer timer;
};

MUST_CHECK status_t wait_init(struct node *n, struct wait_table *w, uint32_t size);
void wait_end(struct wait_table *w);
void wait_add(struct wait_table *w, const struct tcb *c);
struct wait_record *wait_find(const struct wait_table *w, uint32_t local, uint16_t lport,
                              uint32_t remote, uint16_t rport);
void wait_remove(struct wait_table *w, struct wait_record *r);
/* What the segment gets from a waiting connection (RFC 9293 3.10.7.4, RFC 1337). True: it is a SYN
 * that may open a new one (RFC 6191); the record is gone, *above is what the ISN must exceed. */
bool wait_segment(struct wait_table *w, struct wait_record *r, const struct segment *g,
                  uint32_t *above);

#endif
