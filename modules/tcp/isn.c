/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers nobody outside can guess: initial sequence numbers (RFC 6528), time stamp offsets (RFC
 * 7323 7.1), all from SipHash-2-4 (Aumasson and Bernstein, 2012) over the connection's tuple under
 * the node's secret, which is drawn at boot and never shown. Nothing here can fail.
 */
#include "modules/tcp/tcp.h"

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

__attribute__((always_inline)) static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

__attribute__((always_inline)) static inline void sip_take(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

/* The first n bytes, n at most 8, the first one lowest. */
static inline uint64_t le_get(const uint8_t *at, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

uint64_t tcp_siphash(const uint64_t key[2], const void *data, size_t n)
{
    const uint8_t *at = data;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    size_t left = n;
    for (; left >= 8; left -= 8, at += 8)
        sip_take(v, le_get(at, 8));
    sip_take(v, (uint64_t)n << 56 | le_get(at, left));
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint8_t *put_endpoint(uint8_t *at, const struct endpoint *e)
{
    size_t n = e->addr.family == ADDR_IP4 ? 4 : sizeof e->addr.b;
    for (size_t i = 0; i < n; i++)
        *at++ = e->addr.b[i];
    *at++ = (uint8_t)(e->port >> 8);
    *at++ = (uint8_t)e->port;
    return at;
}

/* purpose keeps the uses of the one secret apart: what one reveals says nothing about another. */
uint64_t tcp_tuple_hash(const struct node *n, uint8_t purpose, const struct endpoint *local,
                        const struct endpoint *remote, uint32_t more)
{
    const struct tcp_node *tn = n->state;
    uint8_t bytes[48];
    uint8_t *at = put_endpoint(put_endpoint(bytes, local), remote);
    *at++ = purpose;
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(more >> shift);
    return tcp_siphash(tn->secret, bytes, (size_t)(at - bytes));
}

/* RFC 6528 3: ISN = M + F(tuple, secret), M a clock of 4 microseconds. */
uint32_t tcp_isn(const struct node *n, const struct endpoint *l, const struct endpoint *r)
{
    return (uint32_t)(n->k->now / (4ULL * US)) + (uint32_t)tcp_tuple_hash(n, 'i', l, r, 0);
}

uint32_t tcp_ts_offset(const struct node *n, const struct endpoint *l, const struct endpoint *r)
{
    return (uint32_t)tcp_tuple_hash(n, 't', l, r, 0);
}

/* One tick a millisecond (RFC 7323 5.4). */
uint32_t tcp_ts_clock(const struct kernel *k)
{
    return (uint32_t)(k->now / MS);
}
