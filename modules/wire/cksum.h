/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_CKSUM_H
#define MODULES_WIRE_CKSUM_H
/*
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624). A `sum` is a number whose
 * 16-bit fold is the ones' complement sum so far; what stands in a header is the complement of the
 * fold. Nothing here can fail.
 */
#include <string.h>

#include "kernel/msg.h"
#include "modules/wire/be.h"

static inline uint16_t cksum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)(sum + (sum >> 16));
}

/* sum and the n bytes at `at`, which count as 16-bit words from the first on; at most 17 bits. */
uint32_t cksum_add(uint32_t sum, const uint8_t *at, size_t n);
/* sum and all bytes of the packet from `off` on, over its parts. */
uint32_t cksum_msg(uint32_t sum, const struct msg *m, size_t off);

/* The sum of a header without options: that of its words of 16 bits, in the machine's order, is
 * that of words of 64, modulo 65535. */
static inline uint64_t ip4_sum(const uint8_t *h)
{
    uint64_t first, second, sum;
    uint32_t third;
    memcpy(&first, h, sizeof first);
    memcpy(&second, h + 8, sizeof second);
    memcpy(&third, h + 16, sizeof third);
    sum = first + second;
    sum += sum < first; /* the carry comes in again at the other end */
    sum += third;
    sum += sum < third;
    return sum % 0xffff;
}

/* The order of bytes does not matter for "all ones" (RFC 1071 2.B). */
static inline bool ip4_sum_is_good(const uint8_t *h)
{
    return ip4_sum(h) == 0; /* it is not 0 but all ones, for the version is not 0 */
}

/* Both addresses, the protocol and the length of a pseudo header (RFC 9293 3.1, RFC 768). */
static inline uint32_t cksum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, uint32_t len)
{
    return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto + (len >> 16) +
           (len & 0xffff);
}

/* What stands in a header becomes this when a 16-bit word under it changes (RFC 1624, eqn. 3). */
static inline uint16_t cksum_patch(uint16_t cksum, uint16_t from, uint16_t to)
{
    return (uint16_t)~cksum_fold((uint32_t)(uint16_t)~cksum + (uint16_t)~from + to);
}

static inline uint16_t cksum_patch32(uint16_t cksum, uint32_t from, uint32_t to)
{
    uint32_t sum = (uint16_t)~cksum + (~from >> 16) + (~from & 0xffff) + (to >> 16) + (to & 0xffff);
    return (uint16_t)~cksum_fold(sum);
}

#endif
