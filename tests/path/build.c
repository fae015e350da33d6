/* SPDX-License-Identifier: BSD-2-Clause */
/* From fields to bytes. What a script leaves open is as RFC 791, 792, 768 and 9293 want it. */
#include <string.h>

#include "tests/path/packet.h"

uint16_t packet_sum(const uint8_t *at, size_t n, uint32_t start)
{
    uint64_t sum = start;
    for (size_t i = 0; i < n; i++)
        sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put(uint8_t *at, int n, uint64_t v)
{
    for (int i = n - 1; i >= 0; i--, v >>= 8)
        at[i] = (uint8_t)v;
}

static uint64_t get(const struct packet *p, enum field f, uint64_t otherwise)
{
    return has(p, f) ? p->v[f] : otherwise;
}

static size_t arp_build(const struct packet *p, uint8_t *at)
{
    put(at, 2, get(p, ARP_HTYPE, 1));
    put(at + 2, 2, get(p, ARP_PTYPE, 0x0800));
    put(at + 4, 1, get(p, ARP_HLEN, 6));
    put(at + 5, 1, get(p, ARP_PLEN, 4));
    put(at + 6, 2, get(p, ARP_OP, 1));
    put(at + 8, 6, get(p, ARP_SHA, get(p, ETH_SRC, 0)));
    put(at + 14, 4, get(p, ARP_SPA, 0));
    put(at + 18, 6, get(p, ARP_THA, 0));
    put(at + 24, 4, get(p, ARP_TPA, 0));
    return 28;
}

static uint32_t pseudo(const struct packet *p, uint32_t proto, size_t n)
{
    uint64_t s = p->v[IP_SRC], d = p->v[IP_DST];
    return (uint32_t)((s >> 16) + (s & 0xffff) + (d >> 16) + (d & 0xffff) + proto + n);
}

/* The transport part without its checksum: header bytes; *sum_at is where that belongs. */
static size_t top_build(const struct packet *p, uint8_t *at, size_t *sum_at)
{
    size_t n = 0;
    switch (p->top) {
    case L_ICMP:
        put(at, 1, get(p, ICMP_TYPE, 8));
        put(at + 1, 1, get(p, ICMP_CODE, 0));
        put(at + 4, 2, get(p, ICMP_ID, 0));
        put(at + 6, 2, has(p, ICMP_MTU) ? p->v[ICMP_MTU] : get(p, ICMP_SEQ, 0));
        *sum_at = 2;
        n = 8;
        break;
    case L_UDP:
        put(at, 2, p->v[UDP_SPORT]);
        put(at + 2, 2, p->v[UDP_DPORT]);
        put(at + 4, 2, get(p, UDP_LEN, 8 + p->ndata));
        *sum_at = 6;
        n = 8;
        break;
    case L_TCP:
        n = 20 + ((p->nopt + 3U) & ~3U);
        put(at, 2, p->v[TCP_SPORT]);
        put(at + 2, 2, p->v[TCP_DPORT]);
        put(at + 4, 4, p->v[TCP_SEQ]);
        put(at + 8, 4, get(p, TCP_ACK, 0));
        put(at + 12, 1, get(p, TCP_DOFF, n / 4) << 4);
        put(at + 13, 1, p->v[TCP_FLAGS]);
        put(at + 14, 2, get(p, TCP_WIN, 65535));
        put(at + 18, 2, get(p, TCP_URP, 0));
        memcpy(at + 20, p->opt, p->nopt);
        *sum_at = 16;
        break;
    default:
        *sum_at = 0;
    }
    if (p->data)
        memcpy(at + n, p->data, p->ndata);
    return n + p->ndata;
}

static size_t ip_build(const struct packet *p, uint8_t *at)
{
    static const uint8_t protocols[] = {[L_ICMP] = 1, [L_UDP] = 17, [L_TCP] = 6, [L_DATA] = 0};
    static const enum field sums[] = {[L_ICMP] = ICMP_SUM, [L_UDP] = UDP_SUM, [L_TCP] = TCP_SUM};
    size_t head = 20 + p->nipopt, sum_at, n = top_build(p, at + head, &sum_at);
    uint32_t proto = p->top == L_IP ? 253 : protocols[p->top];
    put(at, 1, get(p, IP_VER, 4) << 4 | get(p, IP_IHL, head / 4));
    put(at + 1, 1, get(p, IP_TOS, 0));
    put(at + 2, 2, get(p, IP_LEN, head + n));
    put(at + 4, 2, get(p, IP_ID, 1));
    put(at + 6, 2, get(p, IP_DF, 0) << 14 | get(p, IP_MF, 0) << 13 | get(p, IP_OFF, 0) / 8);
    put(at + 8, 1, get(p, IP_TTL, 64));
    put(at + 9, 1, get(p, IP_PROTO, proto));
    put(at + 12, 4, p->v[IP_SRC]);
    put(at + 16, 4, p->v[IP_DST]);
    memcpy(at + 20, p->ipopt, p->nipopt);
    for (int i = 0; i < p->npoke; i++)
        memcpy(at + p->poke[i].at, p->poke[i].bytes, p->poke[i].n);
    if (sum_at) {
        uint8_t *sum = at + head + sum_at;
        uint32_t start = p->top == L_ICMP ? 0 : pseudo(p, proto, n);
        if (has(p, sums[p->top]))
            put(sum, 2, p->v[sums[p->top]]);
        else
            put(sum, 2, packet_sum(at + head, n, start));
        if (p->top == L_UDP && !has(p, UDP_SUM) && !sum[0] && !sum[1])
            put(sum, 2, 0xffff); /* RFC 768: zero means none */
    }
    if (has(p, IP_FROM)) { /* a fragment: these bytes of the datagram */
        size_t from = p->v[IP_FROM], take = get(p, IP_BYTES, n - from);
        memmove(at + head, at + head + from, take);
        put(at + 2, 2, get(p, IP_LEN, head + take));
        put(at + 6, 2, get(p, IP_MF, from + take < n) << 13 | get(p, IP_OFF, from) / 8);
        n = take;
    }
    put(at + 10, 2, has(p, IP_SUM) ? p->v[IP_SUM] : packet_sum(at, head, 0));
    return head + n;
}

size_t packet_build(const struct packet *p, uint8_t *frame)
{
    size_t n;
    memset(frame, 0, 256);
    put(frame, 6, p->v[ETH_DST]);
    put(frame + 6, 6, p->v[ETH_SRC]);
    put(frame + 12, 2,
        get(p, ETH_TYPE,
            p->top == L_ARP   ? 0x0806
            : p->top == L_ETH ? 0x88b5
                              : 0x0800));
    if (p->top == L_ETH) {
        n = p->ndata;
        if (n)
            memcpy(frame + 14, p->data, n);
    } else {
        n = p->top == L_ARP ? arp_build(p, frame + 14) : ip_build(p, frame + 14);
    }
    n += 14;
    if (has(p, ETH_PAD) && p->v[ETH_PAD] > n) {
        memset(frame + n, 0xee, p->v[ETH_PAD] - n);
        n = p->v[ETH_PAD];
    }
    return has(p, ETH_CUT) && p->v[ETH_CUT] < n ? p->v[ETH_CUT] : n;
}
