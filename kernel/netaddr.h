/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_NETADDR_H
#define KERNEL_NETADDR_H
/*
 * Addresses as everything above wire code sees them: IPv4 or IPv6, never a raw 32-bit number.
 * Nothing here can fail but the parsers, which leave *out untouched and say E_INVAL.
 */
#include "kernel/types.h"

enum { ADDR_NONE = 0, ADDR_IP4 = 4, ADDR_IP6 = 6 };

struct netaddr {
    uint8_t family; /* ADDR_* */
    uint8_t b[16];  /* network order; IPv4 uses the first four, the rest is zero */
};

struct endpoint {
    struct netaddr addr; /* ADDR_NONE: any */
    uint16_t port;       /* host order; 0: any */
};

struct prefix {
    struct netaddr addr;
    uint8_t len; /* bits */
};

enum { NETADDR_TEXT = 48 }; /* a buffer of this size holds any of them as text, port included */

static inline struct netaddr netaddr_ip4(uint32_t host_order)
{
    uint32_t v = host_order;
    return (struct netaddr){
        .family = ADDR_IP4,
        .b = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}};
}

/* Host order; a must be ADDR_IP4. */
static inline uint32_t netaddr_to_ip4(const struct netaddr *a)
{
    return (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 | (uint32_t)a->b[2] << 8 | a->b[3];
}

bool netaddr_equal(const struct netaddr *a, const struct netaddr *b);
bool netaddr_is_any(const struct netaddr *a); /* no family, or all zero */
bool prefix_contains(const struct prefix *p, const struct netaddr *a);

/* "10.0.1.1", "10.0.1.1:80" or "*:80", "10.0.1.0/24". The text must end after the address. */
MUST_CHECK status_t netaddr_parse(const char *text, struct netaddr *out);
MUST_CHECK status_t endpoint_parse(const char *text, struct endpoint *out);
MUST_CHECK status_t prefix_parse(const char *text, struct prefix *out);

/* Both return buf, which has NETADDR_TEXT bytes. */
const char *netaddr_text(const struct netaddr *a, char *buf);
const char *endpoint_text(const struct endpoint *e, char *buf);

#endif
