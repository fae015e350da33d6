/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_ICMP4_H
#define MODULES_WIRE_ICMP4_H
/* ICMP for IPv4 (RFC 792, RFC 1191): offsets of its fields, types and codes. */
#include "modules/wire/be.h"

enum {
    ICMP_TYPE = 0,
    ICMP_CODE = 1,
    ICMP_CKSUM = 2,
    ICMP_INFO = 4, /* echo: identifier and number; errors: unused, or the MTU in the low half */
    ICMP_HEADER = 8,
};

enum {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_QUENCH = 4,
    ICMP_REDIRECT = 5,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER = 12,
};

enum { /* codes of ICMP_UNREACHABLE */
       ICMP_NET = 0,
       ICMP_HOST = 1,
       ICMP_PROTOCOL = 2,
       ICMP_PORT = 3,
       ICMP_FRAG_NEEDED = 4,
};

enum { ICMP_IN_TRANSIT = 0, ICMP_REASSEMBLY = 1 }; /* codes of ICMP_TIME_EXCEEDED */

/* Is it a message about another datagram? About those no error is ever sent (RFC 1122 3.2.2). */
static inline bool icmp_is_error(uint8_t type)
{
    return type == ICMP_UNREACHABLE || type == ICMP_QUENCH || type == ICMP_REDIRECT ||
           type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
}

#endif
