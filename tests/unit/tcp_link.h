/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_TCP_LINK_H
#define TESTS_UNIT_TCP_LINK_H
/*
 * TCP with nothing around it: kernels whose graph is `user -> tcp -> wire`. The wire node is
 * network and card in one and puts bare IPv4 datagrams on a simulated link; the user node stands
 * where a proxy would. Kernel 0 is 10.0.0.1. At the other end is kernel 1, 10.0.0.2, or the test
 * itself, which sends and reads segments by hand, with no code of the tcp module.
 */
#include "tests/unit/fixture.h"

#include "modules/tcp/tcp.h"

enum { TL_US = 0x0a000001, TL_PEER = 0x0a000002, TL_PORT = 80, TL_PEER_PORT = 4000 };
enum { TL_ISN = 5000, TL_WND = 60000, TL_MSS = 1000 }; /* of tl_make_mss */
enum { TL_CONNS = 600, TL_SEGS = 4096 };

/* One connection as its user sees it. Streams are a pattern, checked byte by byte. */
struct tl_conn {
    struct path *p; /* NULL once closed */
    int at;
    struct kernel *k;
    uint32_t accepted, opened, eof, reset, closed, ready;
    bool late;            /* something came after EVENT_CLOSED, or EOF or data after EOF */
    uint64_t rx;          /* bytes received */
    uint64_t rx_bad;      /* that were not what the pattern says */
    uint64_t tx, tx_goal; /* bytes sent, to send */
    uint32_t rx_seed, tx_seed;
    bool shut_after; /* EOF when tx_goal is reached */
    bool shut;
    bool shut_on_eof; /* answer EOF with EOF */
    bool stopped;     /* no room for what arrives */
    uint32_t chunk;   /* bytes per message sent; 0: 1400 */
};

struct tl_user {
    struct tl_conn conn[TL_CONNS];
    int n;
    bool hold;            /* do not answer SYNs at once */
    bool refuse;          /* do not accept */
    struct tl_conn model; /* what new accepted connections start as */
};

struct tl_seg { /* a segment that the kernel sent, as read by the test's own parser */
    uint32_t seq, ack, wnd, len;
    uint16_t port; /* whom it is for */
    uint8_t flags;
    uint64_t ns;
    bool cksum_ok;
    uint32_t mss; /* 0: absent */
    int wscale;   /* -1: absent */
    bool sack_ok, ts;
    uint32_t tsval, tsecr;
    int nsack;
    uint32_t sack[4][2];
    uint8_t data[2048];
};

struct tl {
    struct simworld *world;
    struct simlink *link;
    int nkernels;
    struct kernel *k[2];
    struct ground ground[2];
    struct tl_seg seg[TL_SEGS];
    int nseg, taken;
    /* The test's end: options put in each segment sent by tl_send. */
    uint8_t opt[40];
    uint32_t nopt;
    uint16_t port; /* our port when we play the peer */
    uint32_t src;
    bool at_once; /* tl_send does not let time go on: the next ones arrive with it */
};

/* tcp_nodes.c */
extern const struct module tl_wire_module, tl_user_module;
extern const struct setting tl_wire_settings[];
void tl_send_more(struct tl_conn *c); /* as much as there is room for */

/* way: both directions of the link; NULL: perfect, 1 ms. */
extern uint64_t tl_seed; /* of the links made from now on */
struct tl *tl_make(int nkernels, const struct simway *way, const char *cmdline);
void tl_end(struct tl *t); /* asserts that nothing is left */
struct tl_user *tl_user(struct tl *t, int kernel);
struct tcp_node *tl_tcp(struct tl *t, int kernel);
void tl_run(struct tl *t, uint64_t ns);
/* Active open from that kernel's user; the connection is the one returned. */
struct tl_conn *tl_connect(struct tl *t, int kernel, uint32_t to, uint16_t port);
struct tcb *tl_tcb(const struct tl_conn *c);
void tl_push(struct tl_conn *c, uint64_t bytes); /* so many more are to be sent */
void tl_shut(struct tl_conn *c);
void tl_reset(struct tl_conn *c);
void tl_answer(struct tl_conn *c);
void tl_go(struct tl_conn *c); /* it reads again */

/* By hand. data NULL: the pattern of the peer's stream from its offset. */
void tl_send(struct tl *t, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t wnd,
             const void *data, uint32_t len);
void tl_send_raw(struct tl *t, const uint8_t *tcp, uint32_t n, bool good_cksum);
const struct tl_seg *tl_next(struct tl *t); /* the oldest not yet taken; NULL: none */
const struct tl_seg *tl_expect(struct tl *t, uint8_t flags); /* the same; fails if other or none */
void tl_silence(struct tl *t);                               /* fails if something was sent */
void tl_opt_ts(struct tl *t, uint32_t val, uint32_t ecr);
void tl_opt(struct tl *t, const uint8_t *opt, uint32_t n);
uint8_t tl_byte(uint32_t seed, uint64_t i); /* the pattern */

/* A connection opened by the test: returns it, *iss is the kernel's ISN. Ours is `isn`. */
struct tl_conn *tl_open(struct tl *t, uint32_t isn, uint32_t wnd, uint32_t *iss);
struct tl *tl_plain(void); /* one kernel, a TCP without options */
/* One kernel, and a connection to it whose peer takes segments of TL_MSS bytes. */
struct tl *tl_make_mss(const char *cmdline, struct tl_conn **c, uint32_t *iss, bool sack);
void tl_forget(struct tl *t);               /* what was sent is of no interest */
void tl_finish(struct tl *t, uint32_t seq); /* a RST at seq ends the connection, and the test */
uint64_t tl_drops(const struct tl *t, enum drop why);

#endif
