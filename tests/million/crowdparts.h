/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MILLION_CROWDPARTS_H
#define TESTS_MILLION_CROWDPARTS_H
/* The inside of the crowd, for crowd.c (connections) and crowdlink.c (addresses, frames). */
#include "tests/million/crowd.h"
#include "tests/million/crowdwire.h"

enum { ADDRESSES = 200 }; /* of clients */

enum state { CLOSED, SYN_SENT, SYN_RECEIVED, OPEN, TALKING, FIN_SENT };

struct end {
    uint32_t una, nxt, rcv; /* RFC 9293 3.3.1: SND.UNA, SND.NXT, RCV.NXT */
    uint32_t want;          /* client: bytes of answers that are still to come */
    uint8_t tx, rx;         /* value of the next byte sent and received */
    uint8_t state;          /* enum state */
    bool eof;               /* the other's FIN has come */
};

struct said { /* a segment to be sent */
    uint32_t end, seq, ack;
    uint16_t len;
    uint8_t flags, first;
};

struct ring {
    struct said *at;
    uint32_t head, tail, size; /* size is a power of two */
};

struct crowd {
    struct crowd_conf conf;
    struct crowd_work work;
    struct crowd_stats stats;
    struct end *client, *server;
    uint32_t nserver;
    struct ring out[2];
    uint8_t mac[2][6]; /* of the forwarder's cards, learnt */
    bool known[2], asked[2];
    struct frame_arp question[2][ADDRESSES]; /* ARP requests to be answered */
    uint32_t nquestion[2];
    uint64_t begun;  /* connections or exchanges of this work */
    uint32_t cursor; /* next connection whose turn it is */
};

void crowd_client_segment(struct crowd *c, uint32_t i, const struct frame_seg *s);
void crowd_server_segment(struct crowd *c, uint32_t i, const struct frame_seg *s);

#endif
