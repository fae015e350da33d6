/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole Ethernet frames, most of them ARP, at a router: eth, arp. */
#include <string.h>

#include "modules/wire/be.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rig.h"

extern const struct graph graph_router;

static void start(void)
{
    rig_lax = true;
    rig_start(&graph_router, "");
}

/* What to do, the length, the frame; again. Bits of what: 1 card, 2 to us, 4 to all, 8 ARP, 48
 * time. */
static void input(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    for (int frames = 0; in.n && frames < 8; frames++) {
        uint8_t frame[2048], what = bytes_one(&in);
        size_t len = bytes_one(&in);
        const uint8_t *from = bytes_some(&in, &len);
        int card = what & 1;
        memcpy(frame, from, len);
        if (what & 6 && len >= 6)
            memcpy(frame, "\xff\xff\xff\xff\xff\xff", 6);
        if (what & 2 && len >= 6)
            memcpy(frame, kernel->devs[card]->mac, 6);
        if (what & 8 && len >= 14)
            be16_put(frame + 12, 0x0806);
        rig_frame(card, frame, len);
        rig_step(what >> 4 & 3);
    }
}

const struct target target = {20000, start, input, rig_settle};
