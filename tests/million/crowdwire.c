/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of the crowd, see crowdwire.h. */
#include "tests/million/crowdwire.h"

#include <string.h>

#include "modules/wire/be.h"

enum { LINK = 14, IP = 20, TCP = 20, SHORTEST = 60, MSS_LEN = 4, WINDOW = 65535, TTL = 64 };

/* Its MSS of 1460 comes first, and is all that other SYNs have. */
static const uint8_t linux_options[20] = {2, 4, 1460 >> 8, 1460 & 0xff, 4, 2, 8, 10, 0, 1,
                                          0, 1, 0,         0,           0, 0, 1, 3,  3, 7};

/* RFC 1071, a word at a time: `n` bytes, the last of an odd number padded with zero. */
static uint64_t sum(uint64_t s, const uint8_t *at, size_t n)
{
    for (; n > 1; n -= 2, at += 2)
        s += be16_get(at);
    return n ? s + ((uint64_t)at[0] << 8) : s;
}

static uint16_t fold(uint64_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)s;
}

static uint64_t pseudo(const uint8_t *ip, size_t n)
{
    return sum(6 + n, ip + 12, 8);
}

static void link_write(uint8_t *f, const uint8_t to[6], const uint8_t from[6], uint16_t type)
{
    memcpy(f, to, 6);
    memcpy(f + 6, from, 6);
    be16_put(f + 12, type);
}

size_t frame_seg(uint8_t *f, const uint8_t to[6], const uint8_t from[6], const struct frame_seg *s)
{
    uint8_t *ip = f + LINK, *tcp = ip + IP;
    size_t options = s->flags & SYN ? s->linux ? sizeof linux_options : MSS_LEN : 0;
    size_t n = TCP + options + s->len;
    link_write(f, to, from, 0x0800);
    memset(ip, 0, IP + TCP);
    ip[0] = 0x45;
    be16_put(ip + 2, (uint16_t)(IP + n));
    be16_put(ip + 6, 0x4000); /* DF */
    ip[8] = TTL;
    ip[9] = 6;
    be32_put(ip + 12, s->src);
    be32_put(ip + 16, s->dst);
    be16_put(ip + 10, (uint16_t)~fold(sum(0, ip, IP)));
    be16_put(tcp, s->sport);
    be16_put(tcp + 2, s->dport);
    be32_put(tcp + 4, s->seq);
    be32_put(tcp + 8, s->ack);
    tcp[12] = (uint8_t)((TCP + options) / 4 << 4);
    tcp[13] = s->flags;
    be16_put(tcp + 14, WINDOW);
    memcpy(tcp + TCP, linux_options, options);
    for (size_t i = 0; i < s->len; i++)
        tcp[TCP + options + i] = (uint8_t)(s->first + i);
    be16_put(tcp + 16, (uint16_t)~fold(sum(pseudo(ip, n), tcp, n)));
    size_t total = LINK + IP + n;
    if (total < SHORTEST)
        memset(f + total, 0, SHORTEST - total);
    return total < SHORTEST ? SHORTEST : total;
}

size_t frame_arp(uint8_t *f, const uint8_t to[6], const struct frame_arp *a, const uint8_t who[6])
{
    uint8_t *p = f + LINK;
    link_write(f, to, a->mac, 0x0806);
    memset(p, 0, SHORTEST - LINK);
    be16_put(p, 1);
    be16_put(p + 2, 0x0800);
    p[4] = 6;
    p[5] = 4;
    p[7] = a->reply ? 2 : 1;
    memcpy(p + 8, a->mac, 6);
    be32_put(p + 14, a->sender);
    memcpy(p + 18, who, 6);
    be32_put(p + 24, a->target);
    return SHORTEST;
}

static bool counts(const uint8_t *at, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (at[i] != (uint8_t)(at[0] + i))
            return false;
    return true;
}

static enum frame_kind seg_read(const uint8_t *ip, size_t n, struct frame_seg *s)
{
    size_t total = be16_get(ip + 2), hlen;
    if (ip[0] != 0x45 || ip[9] != 6)
        return FRAME_OTHER;
    if (total > n || total < IP + TCP || fold(sum(0, ip, IP)) != 0xffff ||
        be16_get(ip + 6) & 0x3fff)
        return FRAME_BAD;
    const uint8_t *tcp = ip + IP;
    total -= IP;
    hlen = (size_t)(tcp[12] >> 4) * 4;
    if (hlen < TCP || hlen > total || fold(sum(pseudo(ip, total), tcp, total)) != 0xffff)
        return FRAME_BAD;
    *s = (struct frame_seg){be32_get(ip + 12),
                            be32_get(ip + 16),
                            be16_get(tcp),
                            be16_get(tcp + 2),
                            be32_get(tcp + 4),
                            be32_get(tcp + 8),
                            tcp[13],
                            0,
                            0,
                            true,
                            false};
    s->len = (uint16_t)(total - hlen);
    if (s->len) {
        s->first = tcp[hlen];
        s->counts = counts(tcp + hlen, s->len);
    }
    return FRAME_SEG;
}

enum frame_kind frame_read(const uint8_t *f, size_t n, struct frame_seg *s, struct frame_arp *a)
{
    if (n < LINK + 28)
        return FRAME_BAD;
    const uint8_t *p = f + LINK;
    if (be16_get(f + 12) == 0x0800)
        return seg_read(p, n - LINK, s);
    if (be16_get(f + 12) != 0x0806)
        return FRAME_OTHER;
    *a = (struct frame_arp){p[7] == 2, {0}, be32_get(p + 14), be32_get(p + 24)};
    memcpy(a->mac, p + 8, 6);
    return FRAME_ARP;
}
