/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 datagrams and fragments at a router that reassembles what is in transit and has a narrow
 * link behind it: ip's header, options, fragments both ways, and what it answers by ICMP.
 */
#include <string.h>

#include "modules/wire/be.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rig.h"

extern const struct graph graph_router;

static void start(void)
{
    rig_lax = true;
    rig_start(&graph_router, "ip.defrag=on ip.mtu=eth1=300 ip.fragtime=1s");
}

/* What to do, the length, the datagram; again. Bits of what: 1 card, 2 length, 4 checksum, 8
 * addresses put right, 48 time. */
static void input(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    for (int frames = 0; in.n && frames < 16; frames++) {
        uint8_t frame[2048] = {0}, what = bytes_one(&in), *h = frame + 14;
        size_t len = bytes_one(&in);
        const uint8_t *from = bytes_some(&in, &len);
        int card = what & 1;
        frame_eth(card, 0x0800, frame);
        memcpy(h, from, len);
        size_t hlen = (size_t)(h[0] & 15) * 4;
        if (what & 2)
            be16_put(h + 2, (uint16_t)len);
        if (what & 8 && len >= 20) {
            be32_put(h + 12, (card ? HOST_1 : HOST_0) + (h[15] & 3));
            be32_put(h + 16, h[19] & 1 ? (card ? US_1 : US_0) : card ? HOST_0 : HOST_1);
        }
        if (what & 4 && hlen >= 12 && hlen <= len)
            sum_put(h, hlen, 10, 0);
        rig_frame(card, frame, 14 + len);
        rig_step(what >> 4 & 3);
    }
}

const struct target target = {20000, start, input, rig_settle};
