/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MILLION_CROWD_H
#define TESTS_MILLION_CROWD_H
/*
 * Both ends of up to a million TCP connections through a forwarder: frames in, frames out, no I/O
 * and no clock. Each end is 20 bytes that speak just enough TCP to open honestly (SYN, SYN-ACK,
 * ACK), to exchange numbered bytes, and to close with a FIN each way. Every checksum and every byte
 * of payload that arrives is checked. The clients are 10.0.1.16 and up on the forwarder's first
 * network, 200 addresses with 5,000 ports each; the server is one address on the second.
 *
 * tests/million/run.c joins it to a kernel in the same process, bench/peers.c to a guest.
 * Running out of memory ends the process; nothing else can fail.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crowd_side { CROWD_CLIENT, CROWD_SERVER };

enum crowd_phase {
    CROWD_OPEN,  /* each connection: handshake and one exchange */
    CROWD_DATA,  /* exchanges: `size` bytes from the client, as many back from the server */
    CROWD_CLOSE, /* each connection: FIN both ways */
};

enum { CROWD_FRAME = 1514, CROWD_CONNS = 1000000, CROWD_SIZE = 1460 };

struct crowd_conf {
    uint32_t conns;      /* at most CROWD_CONNS; classical: 40,000 */
    uint32_t gateway[2]; /* the forwarder, as each side sees it */
    uint32_t service;    /* whom clients connect to; host order */
    uint32_t server;     /* who answers in the end */
    uint16_t port;       /* of both */
    bool classical;      /* the server sees the forwarder's address, not the clients' */
};

struct crowd_work {
    enum crowd_phase phase;
    uint32_t first, n; /* connections */
    uint64_t count;    /* exchanges in all, connections taking turns (CROWD_DATA) */
    uint32_t width;    /* at work at once: connections, or exchanges of CROWD_DATA */
    uint16_t size;     /* bytes of an exchange each way */
    bool ack;          /* each exchange ends with an ACK of its own, not with the next data */
};

struct crowd_stats {
    uint64_t sent[2], arrived[2]; /* TCP segments, by enum crowd_side */
    uint64_t finished;            /* connections or exchanges of this work */
    uint64_t opened, closed;      /* connections so far */
    uint64_t resent;              /* segments sent again by crowd_kick or for a repeated one */
    uint64_t bad;                 /* frames with a wrong checksum, address or length */
    uint64_t wrong;               /* segments whose bytes are not those that were sent */
    uint64_t resets;              /* RST, and FIN that nobody asked for */
};

struct crowd;

struct crowd *crowd_make(const struct crowd_conf *conf);
void crowd_free(struct crowd *c);
void crowd_start(struct crowd *c, const struct crowd_work *work); /* when the last one is done */
bool crowd_done(const struct crowd *c);
/* The next frame that this side sends, and its length; 0: it has nothing to say now. */
size_t crowd_next(struct crowd *c, enum crowd_side side, uint8_t frame[CROWD_FRAME]);
void crowd_frame(struct crowd *c, enum crowd_side side, const uint8_t *frame, size_t n);
/* The two stations of a side's link, the forwarder's and ours. False: it is not known yet. */
bool crowd_stations(const struct crowd *c, enum crowd_side side, uint8_t to[6], uint8_t from[6]);
void crowd_kick(struct crowd *c); /* nothing has come for long: say what is unanswered again */
const struct crowd_stats *crowd_stats(const struct crowd *c);

#endif
