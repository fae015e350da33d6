/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_BYTES_H
#define TESTS_SIM_BYTES_H
/* Big-endian numbers, sequence numbers and the Internet checksum (RFC 1071) for the model host,
 * which shares no code with what it tests. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline unsigned get2(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static inline uint32_t get4(const uint8_t *at)
{
    return (uint32_t)get2(at) << 16 | get2(at + 2);
}

static inline void put2(uint8_t *at, unsigned v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static inline void put4(uint8_t *at, uint32_t v)
{
    put2(at, v >> 16);
    put2(at + 2, v & 0xffff);
}

static inline uint32_t sum_add(uint32_t sum, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += get2(at + i);
    return n & 1 ? sum + ((uint32_t)at[n - 1] << 8) : sum;
}

static inline unsigned sum_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/* Of a TCP segment with its pseudo header; 0 when the checksum in it is right. */
static inline unsigned tcp_sum(uint32_t from, uint32_t to, const uint8_t *segment, size_t n)
{
    uint32_t sum = (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff) + 6 + (uint32_t)n;
    return sum_fold(sum_add(sum, segment, n));
}

/* RFC 9293 3.4: a is before b. */
static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool seq_upto(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

#endif
