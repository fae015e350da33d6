/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_IP4_H
#define MODULES_WIRE_IP4_H
/* The IPv4 header (RFC 791): offsets of its fields, and what stands in them. */
#include "modules/wire/be.h"

enum {
    IP4_VIHL = 0, /* version and header length in words */
    IP4_TOS = 1,
    IP4_LEN = 2, /* total length */
    IP4_ID = 4,
    IP4_FRAG = 6, /* flags and fragment offset */
    IP4_TTL = 8,
    IP4_PROTO = 9,
    IP4_CKSUM = 10,
    IP4_SRC = 12,
    IP4_DST = 16,
    IP4_HEADER = 20, /* bytes without options */
    IP4_HEADER_MAX = 60,
};

enum { IP4_DF = 0x4000, IP4_MF = 0x2000, IP4_OFFSET = 0x1fff }; /* in IP4_FRAG */

enum { IP4_PLAIN = 0x45 }; /* IP4_VIHL of a header without options */

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17 };

enum { IP4_MTU_MIN = 68, IP4_MTU_SAFE = 576, IP4_LEN_MAX = 65535 };

enum { /* options */
       IP4_OPT_END = 0,
       IP4_OPT_NOP = 1,
       IP4_OPT_LSRR = 0x83,
       IP4_OPT_SSRR = 0x89,
       IP4_OPT_COPIED = 0x80, /* bit: goes into every fragment */
};

static inline uint32_t ip4_header_len(const uint8_t *h)
{
    return (uint32_t)(h[IP4_VIHL] & 0x0f) * 4;
}

/* Offset in bytes of this fragment's payload. */
static inline uint32_t ip4_offset(const uint8_t *h)
{
    return (uint32_t)(be16_get(h + IP4_FRAG) & IP4_OFFSET) * 8;
}

static inline bool ip4_is_fragment(const uint8_t *h)
{
    return (be16_get(h + IP4_FRAG) & (IP4_MF | IP4_OFFSET)) != 0;
}

#endif
