/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FUZZ_TALK_H
#define TESTS_FUZZ_TALK_H
/* A connection through the rig's proxy, for targets that want one to be there. */
#include "kernel/types.h"

struct packet;

struct talker { /* the host at that card */
    uint32_t addr, peer;
    uint16_t port, peer_port;
    uint32_t seq, ack;
    uint8_t last[200]; /* the segment that came last, from its IP header on */
    size_t nlast;
    bool open;
};

extern struct talker talkers[2];

void talk_open(uint16_t port); /* listener on the rig; then the connection is open */
/* What rig_sent does from then on. */
void talk_hear(int card, const struct packet *p, const uint8_t *frame, size_t n);

#endif
