/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies (RFC 4987 3.6): when the backlog is full the SYN is answered and forgotten; what must
 * be remembered is in the sequence number, and the options in the low bits of our time stamp, if
 * the client stamps. An ACK that brings both back makes the connection. Nothing here can fail; what
 * does not verify is cookie.invalid.
 *
 *   sequence number   5 bits period of 64 s | 3 bits MSS | 24 bits SipHash of tuple, ISN, period,
 * MSS time stamp        ... | 1 bit SACK | 4 bits window scale (15: none)
 *
 * Cookies are looked for only while some may be on their way, so an ACK out of the blue costs no
 * hash and cannot be tried against the secret.
 */
#include "modules/tcp/tcp.h"

enum { MSS_BITS = 3, STAMP_BITS = 5, SCALE_NONE = 15, PERIODS_VALID = 2 };

static const uint64_t period = 64 * SECOND;
static const uint16_t mss_of[1 << MSS_BITS] = {216, 536, 1024, 1220, 1380, 1440, 1460, 8960};

static struct endpoint endpoint_of(uint32_t addr, uint16_t port)
{
    return (struct endpoint){.addr = netaddr_ip4(addr), .port = port};
}

static uint32_t mac(const struct node *n, const struct segment *g, uint32_t irs, uint64_t when,
                    uint32_t mss)
{
    struct endpoint l = endpoint_of(g->dst, g->dport), r = endpoint_of(g->src, g->sport);
    uint64_t inner = tcp_tuple_hash(n, 'c', &l, &r, irs);
    const struct tcp_node *tn = n->state;
    uint64_t words[3] = {inner, when, mss};
    return (uint32_t)tcp_siphash(tn->secret, words, sizeof words) & 0xffffff;
}

static uint32_t cookie_make(const struct node *n, const struct segment *g, uint32_t irs,
                            uint64_t when, uint32_t mss)
{
    return (uint32_t)(when & 31) << 27 | mss << 24 | mac(n, g, irs, when, mss);
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
    struct endpoint l = endpoint_of(syn->dst, syn->dport), r = endpoint_of(syn->src, syn->sport);
    bool scale = conf_bool(&n->conf, "wscale") && syn->o.wscale != TCP_WSCALE_NONE;
    bool sack = conf_bool(&n->conf, "sack") && syn->o.sack_ok;
    struct tcp_opts o = {.wscale = TCP_WSCALE_NONE, .mss = (uint16_t)(mtu - 40)};
    if (conf_bool(&n->conf, "timestamps") && syn->o.has_ts) {
        uint32_t bits = (sack ? 1U << 4 : 0) | (scale ? syn->o.wscale : (uint32_t)SCALE_NONE);
        o.has_ts = true;
        o.sack_ok = sack;
        o.wscale = scale ? tcp_rcv_scale(n) : TCP_WSCALE_NONE;
        o.tsval = stamp_make(tcp_ts_clock(n->k) + tcp_ts_offset(n, &l, &r), bits);
        o.tsecr = syn->o.tsval;
    }
    uint16_t peer_mss = syn->o.mss ? syn->o.mss : TCP_MSS_DEFAULT;
    uint64_t rcvbuf = conf_number(&n->conf, "rcvbuf");
    struct segment g = {.seq =
                            cookie_make(n, syn, syn->seq, n->k->now / period, mss_index(peer_mss)),
                        .ack = syn->seq + 1,
                        .flags = TCP_SYN | TCP_ACK,
                        .wnd = (uint16_t)(rcvbuf < 65535 ? rcvbuf : 65535)};
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
    if (age >= PERIODS_VALID || age > now || cookie_make(n, ack, irs, now - age, mss) != cookie) {
        tn->stat[STAT_COOKIE_BAD]++;
        return false;
    }
    tn->stat[STAT_COOKIE_GOOD]++;
    *out = (struct tcp_syn){.g = *ack, .iss = cookie, .cookie = true};
    out->g.seq = irs;
    out->g.flags = TCP_SYN;
    out->g.o = (struct tcp_opts){.wscale = TCP_WSCALE_NONE, .mss = mss_of[mss]};
    if (ack->o.has_ts && conf_bool(&n->conf, "timestamps")) {
        uint32_t bits = ack->o.tsecr & ((1U << STAMP_BITS) - 1);
        out->g.o.has_ts = true;
        out->g.o.tsval = ack->o.tsval;
        out->g.o.tsecr = ack->o.tsecr; /* the stamp of our SYN-ACK: later ones are not below it */
        out->g.o.sack_ok = bits >> 4;
        out->g.o.wscale = (bits & 15) == SCALE_NONE ? TCP_WSCALE_NONE : (uint8_t)(bits & 15);
    }
    return true;
}
