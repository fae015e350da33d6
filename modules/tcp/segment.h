/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_SEGMENT_H
#define MODULES_TCP_SEGMENT_H
/*
 * A segment that has passed every check that needs no connection: what segment.c and option.c read
 * out of the header, in host order. Everything else in the module works on this, never on the wire.
 */
#include "kernel/msg.h"
#include "kernel/netaddr.h"
#include "kernel/types.h"
#include "modules/wire/tcp.h"

enum {
    TCP_HEADER = 20, /* bytes without options */
    TCP_OPTIONS_MAX = 40,
    TCP_SACK_BLOCKS = 4, /* at most, in one header */
    TCP_WSCALE_MAX = 14, /* RFC 7323 2.3 */
    TCP_WSCALE_NONE = 255,
    TCP_MSS_DEFAULT = 536, /* RFC 9293 3.7.1: when the option is absent */
    TCP_MSS_MIN = 216,     /* spec R-BAD-29 */
};

struct tcp_range {
    uint32_t left, right; /* [left, right) */
};

struct tcp_opts {
    bool has_ts;
    bool sack_ok;
    uint8_t wscale; /* TCP_WSCALE_NONE: absent */
    uint8_t nsack;
    uint16_t mss; /* 0: absent */
    uint32_t tsval, tsecr;
    struct tcp_range sack[TCP_SACK_BLOCKS];
};

struct segment {
    uint32_t src, dst; /* host order */
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t wnd; /* as in the header, not scaled */
    uint16_t urgent;
    uint8_t flags;
    uint8_t hlen; /* bytes of header */
    uint32_t len; /* bytes of payload */
    struct tcp_opts o;
};

/* Sequence space it takes: payload, SYN and FIN. */
static inline uint32_t segment_space(const struct segment *g)
{
    return g->len + !!(g->flags & TCP_SYN) + !!(g->flags & TCP_FIN);
}

/* Reads and checks header, checksum, ports, addresses. On success m is the payload. Otherwise *why
 * says what to drop it for, and m is unchanged. */
bool segment_parse(struct msg *m, struct segment *g, enum drop *why);
/* Put a header of TCP_HEADER + nopt bytes in front of m and complete the checksum. False: m has no
 * headroom. pseudo: cksum_pseudo of addresses and protocol, with a length of 0. */
bool segment_build(struct msg *m, const struct segment *g, const uint8_t *opt, uint32_t nopt,
                   uint32_t pseudo);

/* option.c. A walk over n bytes of options; what is malformed is as if it were absent. */
void options_parse(const uint8_t *at, uint32_t n, bool syn, struct tcp_opts *o);
uint32_t options_build_syn(uint8_t *out, const struct tcp_opts *o);
uint32_t options_build(uint8_t *out, const struct tcp_opts *o);

#endif
