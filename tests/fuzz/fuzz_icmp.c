/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP messages at a forwarder that has a spliced connection, most of them about it: icmp, what ip
 * does with errors, the translation of errors by fwd, and what tcp believes.
 */
#include <string.h>

#include "modules/wire/be.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rig.h"
#include "tests/fuzz/talk.h"

extern const struct graph graph_firewall;

enum { PORT = 8080, ROOM = 600 };

static void start(void)
{
    rig_lax = true;
    rig_start(&graph_firewall, "idle=900s");
    talk_open(PORT);
    HOLDS(talkers[0].open && talkers[1].open, "there is a connection");
}

/* What to do, the length, the message; again. Bits of what: 1 card, 2 about the connection, 4
 * checksum put right, 8 to us, 48 time, 64 the quoted IP header is as it was, too. */
static void input(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    for (int frames = 0; in.n && frames < 8; frames++) {
        uint8_t frame[2048], icmp[ROOM], what = bytes_one(&in);
        size_t len = bytes_one(&in);
        const uint8_t *from = bytes_some(&in, &len);
        int card = what & 1;
        const struct talker *t = &talkers[card];
        memcpy(icmp, from, len);
        /* The quotation begins behind 8 bytes; addresses, then ports, behind its 20. */
        if (what & 2 && len >= 32) {
            memcpy(icmp + 8 + 12, t->last + 12, 12);
            icmp[8 + 9] = 6;
        }
        if (what & 64 && len >= 28)
            memcpy(icmp + 8, t->last, 20);
        if (what & 4 && len >= 4)
            sum_put(icmp, len, 2, 0);
        uint32_t to = what & 8 ? (card ? US_1 : US_0) : card ? HOST_0 : HOST_1;
        rig_frame(card, frame, frame_ip(card, 1, t->addr, to, icmp, len, frame));
        rig_step(what >> 4 & 3);
    }
}

const struct target target = {10000, start, input, rig_settle};
