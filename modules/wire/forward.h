/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_FORWARD_H
#define MODULES_WIRE_FORWARD_H
/*
 * The whole of `eth ipfwd eth` for a plain segment, from the frame that came to the frame that
 * leaves: one line of the flow table, and of the path the length that fits, the neighbour, and what
 * the checksums change by. That change is the same for all segments of a direction but for numbers
 * that wrap, so it is computed once: 2^32 is 1 in ones' complement, and a wrap counts as one less.
 * ip's lane has this inlined; the stages (modules/fwd) share its parts. False: nothing was done.
 */
#include <string.h>

#include "kernel/services.h"
#include "modules/wire/eth.h"
#include "modules/wire/ip4.h"
#include "modules/wire/rewrite.h"

/* Records that want a closer look at each segment. */
enum { RECORD_ODD = RECORD_TRIGGER | RECORD_FIN | RECORD_DONE | RECORD_RST };

/* Unverified acknowledgements may run ahead so far. */
enum { RECORD_TRUST = 1 << 20 };

enum { FORWARD_STAMPS = TCP_STAMPED - TCP_HEADER_MIN };

/* forward.c */
/* The checksum of a segment that is nothing but a header of hlen bytes, with or without stamps. */
bool forward_header_is_good(const uint8_t *ip, const uint8_t *tcp, uint32_t hlen);
/* p's records were written. */
void forward_prepare_patch(struct path *p);
/* The window in the other side's unit; what that does to the sum. */
uint32_t forward_window(uint8_t *tcp, uint8_t scale);
/* Both stamps; what that does to the sum. */
uint32_t forward_stamps(uint8_t *tcp, const struct record *r);

/* a is before b. */
static inline bool before(uint32_t a, uint32_t b)
{
    return (a - b) >> 31;
}

/* Less than RECORD_REACH away from it. */
static inline bool within_reach(uint32_t n, uint32_t from)
{
    return n - from + RECORD_REACH < 2 * RECORD_REACH;
}

/* The same, but not so far ahead that one more should be verified before it is believed. */
static inline bool within_trust(uint32_t n, uint32_t from)
{
    return n - from + RECORD_REACH < RECORD_REACH + RECORD_TRUST;
}

/* Numbers of a segment that goes on. What a host has acknowledged must be true when the connection
 * is tcp's again, so only a segment whose checksum is known says so (`sure`). Any may have told a
 * larger window. */
static inline void record_move(struct record *r, uint32_t end, uint32_t ack, uint16_t wnd,
                               bool sure)
{
    if (before(r->seq_max, end))
        r->seq_max = end;
    if (sure && !before(ack, r->ack_max)) {
        r->ack_max = ack;
        r->wnd = wnd;
    }
    if (!sure && wnd > r->wnd)
        r->wnd = wnd;
    r->flags |= RECORD_SEEN;
}

/* How the addresses change. What comes in by that line has those of its key, so they need not be
 * read; zero is never the answer. */
static inline uint64_t forward_moved(const struct flow *f, const struct record *r)
{
    return patch_addresses(r, (uint32_t)(f->key.w[0] >> 32), (uint32_t)f->key.w[0]);
}

/* What stands in a header for a sum that is not zero: never 0xffff. */
static inline uint16_t forward_cksum(uint32_t sum)
{
    sum += sum << 16 | sum >> 16; /* the carry comes in again at the other end */
    return (uint16_t) ~(sum >> 16);
}

/* A checksum in the machine's own order of bytes, less a patch that is not zero: RFC 1624, eqn. 4,
 * with the borrow at the other end. It never becomes 0xffff. */
static inline void forward_ip_cksum(uint8_t *at, uint16_t patch)
{
    uint16_t old;
    memcpy(&old, at, sizeof old);
    uint16_t new = (uint16_t)(old - patch - (old < patch));
    memcpy(at, &new, sizeof new);
}

/* m: a frame that came by flow f of p, with a datagram of n bytes behind a plain header that is
 * right; `options` bytes of stamps, known when it is compiled. Consumes m if it is true. */
__attribute__((always_inline)) static inline bool forward_frame(struct path *p, struct flow *f,
                                                                struct msg *m, uint8_t *frame,
                                                                uint32_t n, uint32_t options)
{
    struct record *r = flow_record(f);
    uint8_t *h = frame + ETH_HEADER, *tcp = h + IP4_HEADER;
    size_t d = f->dir;
    const struct neigh *g = p->state[2 - 2 * d];
    uint32_t len = n - IP4_HEADER - TCP_HEADER_MIN, payload = len - options;
    uint32_t seq = be32_get(tcp + TCP_AT_SEQ), ack = be32_get(tcp + TCP_AT_ACK);
    uint8_t want = options ? RECORD_TS : 0;
    bool sure = false;
    if (UNLIKELY((r->flags & (RECORD_ODD | want)) != want || len > p->own[d] || len < options ||
                 h[IP4_TTL] <= 1 || !g->valid || !within_reach(seq, r->seq_max) ||
                 !within_trust(ack, r->ack_max)))
        return false;
    if (UNLIKELY(!payload) && !(sure = forward_header_is_good(h, tcp, TCP_HEADER_MIN + options)))
        return false;
    record_move(r, seq + payload, ack, be16_get(tcp + TCP_AT_WINDOW), sure);

    uint32_t ack_off = r->ack_off, seq_out;
    uint32_t sum = p->tcp_patch[d] + 0xffffU + (0xffffU ^ be16_get(tcp + TCP_AT_CKSUM));
    sum += ack < ack_off;
    sum -= __builtin_add_overflow(seq, r->seq_off, &seq_out);
    uint32_t ports = (uint32_t)r->sport << 16 | r->dport;
    be64_put(tcp, (uint64_t)ports << 32 | seq_out);
    be32_put(tcp + TCP_AT_ACK, ack - ack_off);
    if (UNLIKELY(p->flags & PATH_UNITS))
        sum += forward_window(tcp, r->scale);
    if (options)
        sum += forward_stamps(tcp, r);
    be16_put(tcp + TCP_AT_CKSUM, forward_cksum(sum));

    be64_put(h + IP4_SRC, (uint64_t)r->src << 32 | r->dst);
    h[IP4_TTL]--;
    forward_ip_cksum(h + IP4_CKSUM, p->ip_patch[d]);
    memcpy(frame, g->header, ETH_HEADER);
    netdev_pass(g->dev, m);
    return true;
}

#endif
