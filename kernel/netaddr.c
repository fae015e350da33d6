/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses to and from text. IPv6 text comes with the IPv6 module. */
#include "kernel/netaddr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool netaddr_equal(const struct netaddr *a, const struct netaddr *b)
{
    return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool netaddr_is_any(const struct netaddr *a)
{
    static const uint8_t zero[16];
    return a->family == ADDR_NONE || memcmp(a->b, zero, sizeof zero) == 0;
}

bool prefix_contains(const struct prefix *p, const struct netaddr *a)
{
    unsigned whole = p->len / 8, rest = p->len % 8;
    if (p->addr.family != a->family || memcmp(p->addr.b, a->b, whole) != 0)
        return false;
    return rest == 0 || (p->addr.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

/* A decimal number of at most `max` with no sign and no leading zero; *at moves behind it. */
static bool number(const char **at, unsigned max, unsigned *out)
{
    const char *s = *at;
    unsigned v = 0;
    int digits = 0;
    for (; *s >= '0' && *s <= '9' && digits < 6; s++, digits++)
        v = v * 10 + (unsigned)(*s - '0');
    if (digits == 0 || v > max || (digits > 1 && **at == '0'))
        return false;
    *at = s;
    *out = v;
    return true;
}

static bool ip4(const char **at, struct netaddr *out)
{
    struct netaddr a = {.family = ADDR_IP4};
    for (int i = 0; i < 4; i++) {
        unsigned v;
        if (i && *(*at)++ != '.')
            return false;
        if (!number(at, 255, &v))
            return false;
        a.b[i] = (uint8_t)v;
    }
    *out = a;
    return true;
}

status_t netaddr_parse(const char *text, struct netaddr *out)
{
    struct netaddr a;
    if (!ip4(&text, &a) || *text)
        return E_INVAL;
    *out = a;
    return OK;
}

status_t endpoint_parse(const char *text, struct endpoint *out)
{
    struct endpoint e = {0};
    unsigned port;
    if (*text == '*')
        text++;
    else if (!ip4(&text, &e.addr))
        return E_INVAL;
    if (*text++ != ':' || !number(&text, 65535, &port) || *text)
        return E_INVAL;
    e.port = (uint16_t)port;
    *out = e;
    return OK;
}

status_t prefix_parse(const char *text, struct prefix *out)
{
    struct prefix p = {.len = 0};
    unsigned len;
    if (!ip4(&text, &p.addr) || *text++ != '/' || !number(&text, 32, &len) || *text)
        return E_INVAL;
    p.len = (uint8_t)len;
    *out = p;
    return OK;
}

const char *netaddr_text(const struct netaddr *a, char *buf)
{
    if (a->family == ADDR_IP4)
        snprintf(buf, NETADDR_TEXT, "%u.%u.%u.%u", a->b[0], a->b[1], a->b[2], a->b[3]);
    else
        snprintf(buf, NETADDR_TEXT, "*");
    return buf;
}

const char *endpoint_text(const struct endpoint *e, char *buf)
{
    netaddr_text(&e->addr, buf);
    size_t n = strlen(buf);
    snprintf(buf + n, NETADDR_TEXT - n, ":%u", e->port);
    return buf;
}
