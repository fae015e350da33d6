/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies (RFC 4987 3.6): when the backlog is full the SYN is answered and forgotten; what must
 * be remembered is in the sequence number, and the options in the low bits of our time stamp, if
 * the client stamps. An ACK that brings both back makes the connection. Nothing here can fail; what
 * does not verify is cookie.invalid.
 *
 *   sequence number   5 bits period of 64 s | 3 bits MSS | 24 bits of the hash
 *   time stamp        ... | 1 bit SACK | 4 bits window scale (15: none)
 *
 * The hash is one SipHash of tuple, ISN, period and MSS; other bits of it are the offset of the
 * connection's time stamps. A bogus SYN is to cost little (spec R-ATK-4).
 *
 * Cookies are looked for only while some may be on their way, so an ACK out of the blue costs no
 * hash and cannot be tried against the secret.
 */
#include "modules/tcp/tcp.h"

enum { MSS_BITS = 3, STAMP_BITS = 5, SCALE_NONE = 15, PERIODS_VALID = 2 };

static const uint64_t period = 64 * SECOND;
static const uint16_t mss_of[1 << MSS_BITS] = {216, 536, 1024, 1220, 1380, 1440, 1460, 8960};

/* What tcp_tuple_hash takes in under the same secret is 17 or 41 bytes long, never 24. */
static uint64_t hash_of(const struct node *n, const struct segment *g, uint32_t irs, uint64_t when,
                        uint32_t mss)
{
    const struct tcp_node *tn = n->state;
    uint64_t words[3] = {(uint64_t)g->dst << 32 | g->src,
                         (uint64_t)g->dport << 48 | (uint64_t)g->sport << 32 | irs,
                         when << MSS_BITS | mss};
    return tcp_siphash(tn->secret, words, sizeof words);
}

static uint32_t number_of(uint64_t hash, uint64_t when, uint32_t mss)
{
    return (uint32_t)(when & 31) << 27 | mss << 24 | (uint32_t)(hash & 0xffffff);
}

static uint32_t offset_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint32_t mss_index(uint16_t mss)
{
    uint32_t i = 0;
    while (i + 1 < ARRAY_LEN(mss_of) && mss_of[i + 1] <= mss)
        i++;
    return i;
}

/* Our clock, its low bits replaced by what is to come back; never ahead of the clock. */
static uint32_t stamp_make(uint32_t clock, uint32_t bits)
{
    uint32_t stamp = (clock & ~((1U << STAMP_BITS) - 1)) | bits;
    return seq_gt(stamp, clock) ? stamp - (1U << STAMP_BITS) : stamp;
}

void cookie_answer(struct node *n, const struct segment *syn, uint16_t mtu)
{
    struct tcp_node *tn = n->state;
    uint64_t when = n->k->now / period;
    uint32_t mss = mss_index(syn->o.mss ? syn->o.mss : TCP_MSS_DEFAULT);
    uint64_t hash = hash_of(n, syn, syn->seq, when, mss);
    bool scale = tn->wscale && syn->o.wscale != TCP_WSCALE_NONE;
    bool sack = tn->sack && syn->o.sack_ok;
    struct tcp_opts o = {.wscale = TCP_WSCALE_NONE, .mss = (uint16_t)(mtu - 40)};
    if (tn->timestamps && syn->o.has_ts) {
        uint32_t bits = (sack ? 1U << 4 : 0) | (scale ? syn->o.wscale : (uint32_t)SCALE_NONE);
        o.has_ts = true;
        o.sack_ok = sack;
        o.wscale = scale ? tcp_rcv_scale(n) : TCP_WSCALE_NONE;
        o.tsval = stamp_make(tcp_ts_clock(n->k) + offset_of(hash), bits);
        o.tsecr = syn->o.tsval;
    }
    struct segment g = {.seq = number_of(hash, when, mss),
                        .ack = syn->seq + 1,
                        .flags = TCP_SYN | TCP_ACK,
                        .wnd = (uint16_t)(tn->rcvbuf < 65535 ? tn->rcvbuf : 65535)};
    uint8_t opt[TCP_OPTIONS_MAX];
    tn->cookie_ns = n->k->now ? n->k->now : 1;
    tn->stat[STAT_COOKIE_SENT]++;
    tcp_reply(n, syn, &g, opt, options_build_syn(opt, &o));
}

bool cookie_check(struct node *n, const struct segment *ack, struct tcp_syn *out)
{
    struct tcp_node *tn = n->state;
    uint32_t cookie = ack->ack - 1, irs = ack->seq - 1, mss = cookie >> 24 & 7;
    uint64_t now = n->k->now / period, age = (now - (cookie >> 27)) & 31;
    if (!tn->cookie_ns || n->k->now - tn->cookie_ns > PERIODS_VALID * period)
        return false;
    bool fresh = age < PERIODS_VALID && age <= now;
    uint64_t hash = fresh ? hash_of(n, ack, irs, now - age, mss) : 0;
    if (!fresh || number_of(hash, now - age, mss) != cookie) {
        tn->stat[STAT_COOKIE_BAD]++;
        return false;
    }
    tn->stat[STAT_COOKIE_GOOD]++;
    *out = (struct tcp_syn){.g = *ack, .iss = cookie, .ts_offset = offset_of(hash), .cookie = true};
    out->g.seq = irs;
    out->g.flags = TCP_SYN;
    out->g.o = (struct tcp_opts){.wscale = TCP_WSCALE_NONE, .mss = mss_of[mss]};
    if (ack->o.has_ts && tn->timestamps) {
        uint32_t bits = ack->o.tsecr & ((1U << STAMP_BITS) - 1);
        out->g.o.has_ts = true;
        out->g.o.tsval = ack->o.tsval;
        out->g.o.tsecr = ack->o.tsecr; /* the stamp of our SYN-ACK: later ones are not below it */
        out->g.o.sack_ok = bits >> 4;
        out->g.o.wscale = (bits & 15) == SCALE_NONE ? TCP_WSCALE_NONE : (uint8_t)(bits & 15);
    }
    return true;
}
