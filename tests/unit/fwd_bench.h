/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_FWD_BENCH_H
#define TESTS_UNIT_FWD_BENCH_H
/*
 * A connection through the graph `firewall`, opened by two hosts that the test plays segment by
 * segment, and spliced by the rules: for tests of modules/fwd. Segments are built and read with
 * code of the test's own.
 *
 *     struct duo *b = duo_make(&duo_merged);
 *     duo_send(b, A, &(struct tcp){.seq = b->host[A].seq, .data = "x", .n = 1});
 *     duo_only(b, &got)                 what came out on the other side, checked and read
 */
#include "tests/unit/net.h"

enum side { A, B }; /* where the hosts are; A opened the connection */
enum { T_FIN = 1, T_SYN = 2, T_RST = 4, T_PSH = 8, T_ACK = 16 };

/* A segment. To send: flags 0 is ACK, wnd 0 is 40000, unless `bare`; stamps are put in if the
 * connection has them and opt is NULL. */
struct tcp {
    uint32_t seq, ack;
    uint16_t wnd;
    uint8_t flags, ttl;
    bool bare; /* what is 0 is 0, and no stamps */
    bool nodf;
    uint16_t id;
    const uint8_t *opt;
    size_t nopt;
    const void *data;
    size_t n;
    uint32_t wrong; /* added to the checksum */
    /* of one that came */
    int card;
    uint32_t src, dst;
    uint16_t sport, dport;
    bool stamped;
    uint32_t tsval, tsecr;
    const uint8_t *ip; /* in the frame */
};

struct host {
    uint32_t addr, peer; /* its own, and whom it takes for the other end */
    uint16_t port, pport;
    uint32_t seq, ack; /* next number of its own, next of the other's */
    uint32_t clock, echo;
    uint8_t scale;
};

struct plan {
    const char *cmdline;
    bool stamps, sack, cookie; /* cookie: A is answered before B is asked */
    uint8_t scale[2];
    uint16_t mss[2];
};

extern const struct plan duo_merged, duo_apart; /* at ipfwd, at fwd; stamps, SACK, scales */

struct duo {
    struct net *w;
    const struct plan *plan;
    struct host host[2];
};

/* The connection is open and spliced as far as it goes; numbers begin anywhere. */
struct duo *duo_make(const struct plan *plan);
/* Another connection of the same hosts, and only its SYN; the caller frees the struct. */
struct duo *duo_another(const struct duo *with, uint16_t port);
struct duo *duo_syn(const struct duo *with, uint16_t port);
void duo_end(struct duo *b); /* waits for what is left, then net_end */
/* The frame of a segment that host s sends; returns its length. */
size_t duo_frame(struct duo *b, enum side s, const struct tcp *t, uint8_t *out);
void duo_send(struct duo *b, enum side s, const struct tcp *t);
/* The only segment that came since; checks both checksums, addresses and ports for the host that
 * got it. */
void duo_only(struct duo *b, struct tcp *got);
void duo_read(const struct frame *f, struct tcp *got);
/* Host s sends n bytes and the other one gets them and acknowledges; numbers go on. */
void duo_talk(struct duo *b, enum side s, const void *data, size_t n);
/* The test at ipfwd and at fwd. */
void duo_each(void (*test)(struct duo *d));
uint64_t duo_stat(struct duo *b, const char *name); /* of the fwd node */
struct path *duo_path(const struct duo *b);         /* of the connection */
uint32_t duo_flows(const struct duo *b);            /* 2 while the connection is there */

#endif
