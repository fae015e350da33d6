/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_TCP_H
#define MODULES_WIRE_TCP_H
/*
 * The TCP header (RFC 9293 3.1): offsets of its fields, for whoever looks at a segment without
 * being a TCP (classification, traces). The tcp module reads headers in modules/tcp/segment.c.
 */
#include "modules/wire/be.h"

enum {
    TCP_AT_SPORT = 0,
    TCP_AT_DPORT = 2,
    TCP_AT_SEQ = 4,
    TCP_AT_ACK = 8,
    TCP_AT_OFFSET = 12,
    TCP_AT_FLAGS = 13,
    TCP_AT_WINDOW = 14,
    TCP_AT_CKSUM = 16,
    TCP_AT_URGENT = 18,
    TCP_HEADER_MIN = 20,
};

enum { /* header flags, RFC 9293 3.1; the reserved bits are never looked at (RFC 3360) */
       TCP_FIN = 0x01,
       TCP_SYN = 0x02,
       TCP_RST = 0x04,
       TCP_PSH = 0x08,
       TCP_ACK = 0x10,
       TCP_URG = 0x20,
};

enum { PORTS_LEN = 4 }; /* TCP and UDP begin with both ports */

#endif
