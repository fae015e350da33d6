/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_REWRITE_H
#define MODULES_WIRE_REWRITE_H
/*
 * A TCP header, rewritten in place as a forwarding record says: ports, numbers, window, time
 * stamps, SACK blocks (spec splicing 3, flow-splicing 4.4 and 8). Who calls has checked that the
 * whole header is there; the payload is never touched. Nothing can fail.
 *
 * The checksum is only ever patched by what changes (RFC 1624), so a wrong one stays wrong (spec
 * R-ATK-14). A patch is the sum of new minus old values: 2^16 is 1 in ones' complement, so a value
 * of 32 bits counts as what it is, and one that begins at an odd byte 256 times (RFC 1071 2.B). The
 * bias is zero in ones' complement and keeps the sum positive. So it folds to 1..0xffff, and what
 * is written never is 0xffff: as if it had been computed over everything, for no TCP sums up to
 * zero.
 */
#include "modules/wire/record.h"
#include "modules/wire/tcp.h"

#define PATCH_BIAS ((uint64_t)0xffff << 32)

static inline uint16_t patch_fold(uint64_t sum)
{
    sum += sum << 32 | sum >> 32; /* the carry comes in again at the other end */
    uint32_t half = (uint32_t)(sum >> 32);
    half += half << 16 | half >> 16;
    return (uint16_t)(half >> 16);
}

/* The checksum that stood there, patched. */
static inline uint16_t patch_cksum(uint16_t cksum, uint64_t patch)
{
    return (uint16_t)~patch_fold(patch + (uint16_t)~cksum);
}

/* PATCH_BIAS and the change of the addresses in a pseudo header. */
static inline uint64_t patch_addresses(const struct record *r, uint32_t src, uint32_t dst)
{
    return PATCH_BIAS + r->src + r->dst - src - dst;
}

/* Window field as it is told to the other side: in its unit, and never zero for something (spec
 * splicing 3.5, decisions 3). */
static inline uint16_t rewrite_window(uint16_t wnd, uint8_t scale)
{
    uint32_t from = scale & 15, to = scale >> 4;
    if (from == to)
        return wnd;
    uint32_t told = (uint32_t)wnd << from >> to;
    if (told > 65535)
        return 65535;
    return told || !wnd ? (uint16_t)told : 1;
}

enum {
    TCP_OPT_STAMPS = 0x0101080a, /* NOP NOP, kind 8, length 10: as everybody lays it out */
    TCP_STAMPED = 32,            /* bytes of a header with just that */
};

/* Flags ACK or ACK and PSH, no options or only time stamps: nearly all segments. */
static inline bool rewrite_is_plain(const uint8_t *tcp)
{
    return (be16_get(tcp + TCP_AT_OFFSET) | TCP_PSH) == (0x5000 | TCP_ACK | TCP_PSH);
}

static inline bool rewrite_is_stamped(const uint8_t *tcp)
{
    return (be16_get(tcp + TCP_AT_OFFSET) | TCP_PSH) == (0x8000 | TCP_ACK | TCP_PSH) &&
           be32_get(tcp + TCP_HEADER_MIN) == TCP_OPT_STAMPS;
}

/* at += n; what that does to the sum. */
static inline uint64_t rewrite_add(uint8_t *at, uint32_t n)
{
    uint32_t old = be32_get(at), out = old + n;
    be32_put(at, out);
    return (uint64_t)out - old;
}

/* The same as rewrite_any for headers that are plain, or stamped when the record has RECORD_TS.
 * ports: those that stand there; patch: patch_addresses(). Inlined, with `stamped` known. */
__attribute__((always_inline)) static inline void
rewrite_plain(uint8_t *tcp, const struct record *r, uint32_t ports, uint64_t patch, bool stamped)
{
    patch += (uint64_t)r->sport + r->dport - ports; /* halves of 32 bits, but the sum is the same */
    be16_put(tcp + TCP_AT_SPORT, r->sport);
    be16_put(tcp + TCP_AT_DPORT, r->dport);
    patch += rewrite_add(tcp + TCP_AT_SEQ, r->seq_off);
    patch += rewrite_add(tcp + TCP_AT_ACK, -r->ack_off);
    if ((r->scale ^ r->scale >> 4) & 15) {
        uint16_t wnd = be16_get(tcp + TCP_AT_WINDOW), told = rewrite_window(wnd, r->scale);
        patch += (uint64_t)told - wnd;
        be16_put(tcp + TCP_AT_WINDOW, told);
    }
    if (stamped) {
        patch += rewrite_add(tcp + TCP_HEADER_MIN + 4, r->ts_off);
        patch += rewrite_add(tcp + TCP_HEADER_MIN + 8, -r->ecr_off);
    }
    be16_put(tcp + TCP_AT_CKSUM, patch_cksum(be16_get(tcp + TCP_AT_CKSUM), patch));
}

/* Any header, of hlen bytes. Options that say nothing about the record's own matters are made NOPs:
 * signatures, whatever is unknown, and the rest of a malformed list. Without the flag ACK the
 * acknowledgement, the echo and the blocks mean nothing and stay. A SYN's window has no unit, and
 * its options are passed. */
void rewrite_any(uint8_t *tcp, uint32_t hlen, const struct record *r, uint64_t patch);

/* Stamp and echo of a header of hlen bytes; NULL: it has none. */
const uint8_t *rewrite_stamps(const uint8_t *tcp, uint32_t hlen);

#endif
