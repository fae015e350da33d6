/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP's header and options: read (segment.c, option.c), written again, and rewritten as a
 * forwarding record says (wire/rewrite.c). No connection: those are for the target `graph`.
 */
#include <string.h>

#include "modules/tcp/seq.h"
#include "modules/tcp/segment.h"
#include "modules/wire/ip4.h"
#include "modules/wire/rewrite.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rig.h"

enum { SRC = HOST_0, DST = US_0 };

extern const struct graph graph_router; /* any will do: it is there for its messages */

static void start(void)
{
    rig_start(&graph_router, "");
}

static bool opts_same(const struct tcp_opts *a, const struct tcp_opts *b)
{
    bool same = a->has_ts == b->has_ts && a->nsack == b->nsack && a->tsval == b->tsval &&
                a->tsecr == b->tsecr;
    for (int i = 0; same && i < a->nsack; i++)
        same = a->sack[i].left == b->sack[i].left && a->sack[i].right == b->sack[i].right;
    return same;
}

/* What was read, written and read again is the same (three blocks fit beside time stamps). */
static void round_trip(struct tcp_opts o, bool syn)
{
    uint8_t text[TCP_OPTIONS_MAX];
    struct tcp_opts again;
    for (int i = 0; i < o.nsack; i++)
        HOLDS(seq_lt(o.sack[i].left, o.sack[i].right), "a block has bytes");
    if (o.has_ts && o.nsack > 3)
        o.nsack = 3;
    if (syn) {
        HOLDS(!o.nsack, "no blocks in a SYN");
        HOLDS(o.wscale == TCP_WSCALE_NONE || o.wscale <= 14, "RFC 7323 2.3");
    } else {
        HOLDS(!o.mss && !o.sack_ok && o.wscale == TCP_WSCALE_NONE, "only in a SYN");
    }
    if (syn && !o.mss)
        o.mss = TCP_MSS_DEFAULT; /* whoever writes a SYN has one */
    uint32_t n = syn ? options_build_syn(text, &o) : options_build(text, &o);
    HOLDS(n <= TCP_OPTIONS_MAX && n % 4 == 0, "options fit into a header");
    options_parse(text, n, syn, &again);
    HOLDS(opts_same(&o, &again), "options are what was written");
    if (syn)
        HOLDS(again.wscale == o.wscale && again.sack_ok == o.sack_ok && again.mss == o.mss,
              "options of a SYN are what was written");
}

/* Rewritten, a right checksum is right, and a wrong one wrong by as much (RFC 1624). */
static void rewritten(uint8_t *tcp, size_t n, struct bytes *in)
{
    struct record r = {.src = 0x0a000201, .dst = 0x0a000202};
    uint32_t hlen = (uint32_t)(tcp[12] >> 4) * 4;
    uint8_t before[60];
    r.sport = bytes_two(in);
    r.dport = bytes_two(in);
    r.seq_off = (uint32_t)bytes_two(in) << 16 | bytes_two(in);
    r.ack_off = (uint32_t)bytes_two(in) << 16 | bytes_two(in);
    r.ts_off = (uint32_t)bytes_two(in) << 16 | bytes_two(in);
    r.ecr_off = (uint32_t)bytes_two(in) << 16 | bytes_two(in);
    r.scale = (uint8_t)(bytes_one(in) % 15 * 16 + bytes_one(in) % 15);
    r.flags = bytes_one(in) & (RECORD_TS | RECORD_SACK);
    memcpy(before, tcp, hlen);
    uint16_t was = sum_of(tcp, n, sum_pseudo(SRC, DST, 6, n));
    rewrite_any(tcp, hlen, &r, patch_addresses(&r, SRC, DST));
    uint16_t is = sum_of(tcp, n, sum_pseudo(r.src, r.dst, 6, n));
    HOLDS(is % 0xffff == was % 0xffff, "RFC 1624: a checksum is as right as it was");
    HOLDS(tcp[12] == before[12] && tcp[13] == before[13], "offset and flags stay");
    HOLDS(be16_get(tcp) == r.sport && be16_get(tcp + 2) == r.dport, "ports");
    HOLDS(be32_get(tcp + 4) == be32_get(before + 4) + r.seq_off, "sequence number");
    HOLDS(memcmp(tcp + 18, before + 18, 2) == 0, "R-BAD-34 the urgent pointer stays");
}

/* 23 bytes for a record, then the segment. */
static void input(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    size_t record = 23;
    struct bytes rec = {bytes_some(&in, &record), 0};
    rec.n = record;
    struct msg *m = in.n <= 1500 ? msg_alloc_class(&kernel->pool, MSG_FULL) : NULL;
    struct segment g;
    enum drop why;
    if (!m)
        return;
    uint8_t *ip = msg_put(m, 20 + in.n), *tcp = ip + 20;
    size_t len = in.n;
    memset(ip, 0, 20);
    be32_put(ip + IP4_SRC, SRC);
    be32_put(ip + IP4_DST, DST);
    memcpy(tcp, in.at, len);
    if (len >= 18)
        sum_put(tcp, len, 16, sum_pseudo(SRC, DST, 6, len));
    m->net = ip;
    HOLDS(msg_pop(m, 20) == ip, "an IP header");
    if (segment_parse(m, &g, &why)) {
        HOLDS(g.hlen >= 20 && g.hlen <= 60 && g.hlen + g.len == len, "lengths");
        HOLDS(m->total == g.len && m->data == tcp + g.hlen, "m is the payload");
        round_trip(g.o, g.flags & TCP_SYN);
        rewritten(tcp, len, &rec);
    } else {
        HOLDS(m->total == len, "nothing was changed");
    }
    msg_free(m);
}

const struct target target = {1000000, start, input, rig_settle};
