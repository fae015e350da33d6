/* SPDX-License-Identifier: BSD-2-Clause */
/* A SYN flood, see bogus.h. */
#include "tests/million/bogus.h"

#include <string.h>

#include "modules/wire/be.h"
#include "tests/million/crowdwire.h"

enum { IP_DST = 30, FIRST_PORT = 1024, PORTS = 60000 };
static const uint32_t NETWORK = 0xc6120000, HOSTS = 0x1ffff;

/* An odd factor spreads the sources: each comes once in 131,072 SYNs, neighbours far apart. */
static uint32_t source(uint64_t i)
{
    return NETWORK | ((uint32_t)i * 40503 & HOSTS);
}

static uint16_t port(uint64_t i)
{
    return (uint16_t)(FIRST_PORT + i / (HOSTS + 1) * 7 % PORTS);
}

static uint32_t isn(uint32_t src, uint16_t sport)
{
    return (src ^ (uint32_t)sport << 16) * 2654435761U;
}

size_t bogus_next(struct bogus *b, uint8_t *frame)
{
    uint64_t i = b->sent++;
    struct frame_seg s = {.src = source(i),
                          .dst = b->service,
                          .sport = port(i),
                          .dport = b->port,
                          .flags = SYN,
                          .linux = true};
    s.seq = isn(s.src, s.sport);
    return frame_seg(frame, b->to, b->from, &s);
}

bool bogus_frame(struct bogus *b, const uint8_t *frame, size_t n)
{
    struct frame_seg s;
    struct frame_arp a;
    if (n < IP_DST + 4 || be16_get(frame + 12) != 0x0800 ||
        (be32_get(frame + IP_DST) & ~HOSTS) != NETWORK)
        return false;
    bool good = frame_read(frame, n, &s, &a) == FRAME_SEG && memcmp(frame, b->from, 6) == 0 &&
                s.src == b->service && s.sport == b->port && s.flags == (SYN | ACK) &&
                s.ack == isn(s.dst, s.dport) + 1;
    b->answered += good;
    b->wrong += !good;
    return true;
}
