/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modules/wire/rewrite against a model that knows nothing of it: segments are lists of values, the
 * model maps the values, and both lists are written out byte by byte and summed word by word.
 * Random segments by seed; REWRITE_SEED=n begins elsewhere, REWRITE_ONE=n runs that case alone,
 * TEST_LONG=1 runs ten times as many; REWRITE_CASES=N that many headers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/wire/rewrite.h"
#include "tests/unit/net.h"

enum { CASES = 1000000, FLIPS = 100000, LONGER = 10, HEADER = 60, PAYLOAD = 1460 };
enum { END = 0, NOP = 1, MSS = 2, WSCALE = 3, PERMITTED = 4, SACK = 5, STAMPS = 8, MD5 = 19 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

static uint64_t dice;

static uint32_t roll(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (uint32_t)(dice >> 16);
}

static uint32_t below(uint32_t n)
{
    return roll() % n;
}

/* Any number, and often one where something carries or wraps. */
static uint32_t number(void)
{
    static const uint32_t edges[] = {0,          1,          0xffff,     0x10000,
                                     0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    switch (below(4)) {
    case 0:
        return edges[below(8)];
    case 1:
        return edges[below(8)] + below(2000) - 1000;
    default:
        return roll();
    }
}

struct opt {
    uint8_t kind, len; /* len 0: one byte */
    uint8_t body[40];
};

struct value {
    uint32_t src, dst;
    uint16_t sport, dport, wnd, urgent;
    uint32_t seq, ack;
    uint8_t flags, reserved;
    int nopt;
    struct opt opt[40];
    uint32_t optlen;
    uint32_t wrong; /* added to the right checksum */
    uint32_t n;
    uint8_t payload[PAYLOAD];
};

static uint8_t *put(uint8_t *at, uint32_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        *at++ = (uint8_t)(v >> (8 * i));
    return at;
}

static size_t model_header(const struct value *v)
{
    return 20 + v->optlen;
}

/* RFC 1071 1, word by word, with the pseudo header in front. */
static uint16_t model_sum(const struct value *v, const uint8_t *tcp)
{
    uint8_t all[12 + HEADER + PAYLOAD + 1];
    size_t n = model_header(v) + v->n;
    uint8_t *at = put(put(all, v->src, 4), v->dst, 4);
    at = put(put(at, 6, 2), (uint32_t)n, 2);
    memcpy(at, tcp, n);
    return net_sum(0, all, 12 + n);
}

static void model_write(const struct value *v, uint8_t *tcp)
{
    uint8_t *at = put(put(tcp, v->sport, 2), v->dport, 2);
    at = put(put(at, v->seq, 4), v->ack, 4);
    at = put(at, (uint32_t)(model_header(v) / 4 << 4) | v->reserved, 1);
    at = put(put(put(put(at, v->flags, 1), v->wnd, 2), 0, 2), v->urgent, 2);
    for (int i = 0; i < v->nopt; i++) {
        const struct opt *o = &v->opt[i];
        *at++ = o->kind;
        if (!o->len)
            continue;
        *at++ = o->len;
        size_t room = (size_t)(tcp + model_header(v) - at), body = o->len < 2 ? 0 : o->len - 2U;
        memcpy(at, o->body, body < room ? body : room);
        at += body < room ? body : room;
    }
    memcpy(tcp + model_header(v), v->payload, v->n);
    /* What is wrong by k stays wrong by k; the right one is never written as 0xffff. */
    uint32_t sum = model_sum(v, tcp);
    sum = (uint32_t)((65535 - sum + v->wrong) % 65535);
    put(tcp + 16, sum ? 65535 - sum : 0, 2);
}

static uint32_t get(const uint8_t *at)
{
    return get32(at);
}

static void blank(struct value *v, int from, int bytes)
{
    int behind = v->nopt - from - 1;
    memmove(&v->opt[from + bytes], &v->opt[from + 1], (size_t)behind * sizeof v->opt[0]);
    for (int i = 0; i < bytes; i++)
        v->opt[from + i] = (struct opt){.kind = NOP};
    v->nopt += bytes - 1;
}

static uint16_t model_window(uint32_t wnd, uint32_t from, uint32_t to)
{
    uint64_t bytes = (uint64_t)wnd * ((uint64_t)1 << from), unit = (uint64_t)1 << to;
    uint64_t told = bytes / unit;
    if (bytes && !told)
        told = 1;
    return told > 65535 ? 65535 : (uint16_t)told;
}

static void model_options(struct value *v, const struct record *r)
{
    uint32_t at = 0;
    bool ack = v->flags & ACK, syn = v->flags & SYN;
    for (int i = 0; i < v->nopt && v->opt[i].kind != END; i++) {
        struct opt *o = &v->opt[i];
        uint32_t len = o->len ? o->len : 1;
        if (o->kind == NOP) {
            at++;
        } else if (o->len < 2 || at + len > v->optlen) { /* as generated: always the last one */
            v->nopt = i + 1;
            blank(v, i, (int)(v->optlen - at));
            return;
        } else if (o->kind == STAMPS && len == 10 && r->flags & RECORD_TS) {
            put(o->body, get(o->body) + r->ts_off, 4);
            if (ack)
                put(o->body + 4, get(o->body + 4) - r->ecr_off, 4);
            at += len;
        } else if (o->kind == SACK && len > 2 && (len - 2) % 8 == 0 && r->flags & RECORD_SACK) {
            for (uint32_t j = 0; ack && j < len - 2; j += 4)
                put(o->body + j, get(o->body + j) - r->ack_off, 4);
            at += len;
        } else if (syn && (o->kind == MSS || o->kind == WSCALE || o->kind == PERMITTED)) {
            at += len;
        } else {
            blank(v, i, (int)len);
            i += (int)len - 1;
            at += len;
        }
    }
}

static void model_map(struct value *v, const struct record *r)
{
    model_options(v, r);
    v->src = r->src;
    v->dst = r->dst;
    v->sport = r->sport;
    v->dport = r->dport;
    v->seq += r->seq_off;
    if (v->flags & ACK)
        v->ack -= r->ack_off;
    if (!(v->flags & SYN))
        v->wnd = model_window(v->wnd, r->scale & 15, r->scale / 16);
}

static void option_add(struct value *v, uint8_t kind, uint8_t len)
{
    uint32_t n = len ? len : 1;
    if (v->optlen + n > 40)
        return;
    struct opt *o = &v->opt[v->nopt++];
    *o = (struct opt){.kind = kind, .len = len};
    for (int i = 0; i + 2 < len; i += 4)
        put(o->body + i, number(), 4);
    v->optlen += n;
}

static void options_odd(struct value *v)
{
    static const uint8_t kinds[] = {MSS, WSCALE, PERMITTED, SACK, STAMPS, MD5, 28, 29, 30, 34, 253};
    static const uint8_t lens[] = {4, 3, 2, 10, 10, 18, 4, 16, 12, 10, 7};
    for (uint32_t n = below(6); n; n--) {
        uint32_t k = below(sizeof kinds);
        uint8_t len = lens[k];
        if (kinds[k] == SACK)
            len = (uint8_t)(2 + 8 * (1 + below(4)));
        if (below(20) == 0)
            len = (uint8_t)(2 + below(38)); /* a length that the kind does not have */
        if (below(2))
            option_add(v, NOP, 0);
        option_add(v, kinds[k], len);
    }
    if (below(8) == 0 && v->optlen < 38) { /* the rest makes no sense */
        struct opt *o = &v->opt[v->nopt++];
        uint32_t left = (v->optlen + 2 + below(39 - v->optlen) + 3) / 4 * 4;
        uint32_t rest = (left > 40 ? left = 40 : left) - v->optlen;
        *o = (struct opt){.kind = (uint8_t)(2 + below(250)),
                          .len = below(2) ? 1 : (uint8_t)(rest + 1 + below(200))};
        for (int i = 0; i < 40; i++)
            o->body[i] = (uint8_t)(2 + below(250));
        if (o->len == 1) { /* bytes behind it: each an item of its own, never looked at */
            for (v->optlen += 2; v->optlen < left; v->optlen++)
                v->opt[v->nopt++] = (struct opt){.kind = (uint8_t)(2 + below(250))};
        }
        v->optlen = left;
    }
}

static void options_plain(struct value *v)
{
    option_add(v, NOP, 0);
    option_add(v, NOP, 0);
    option_add(v, STAMPS, 10);
}

static void options_fill(struct value *v)
{
    bool end = below(4) == 0;
    while (v->optlen % 4) {
        v->opt[v->nopt++] = (struct opt){.kind = end ? END : NOP};
        v->optlen++;
    }
}

static void make(struct value *v, struct record *r)
{
    *r = (struct record){.src = number(),
                         .dst = roll() | 1,
                         .sport = (uint16_t)number(),
                         .dport = (uint16_t)number(),
                         .seq_off = number(),
                         .ack_off = number(),
                         .ts_off = number(),
                         .ecr_off = number(),
                         .scale = (uint8_t)(below(15) | below(15) << 4),
                         .flags = (uint8_t)roll()};
    v->src = number();
    v->dst = roll() | 1;
    v->sport = (uint16_t)number();
    v->dport = (uint16_t)number();
    v->seq = number();
    v->ack = number();
    v->wnd = (uint16_t)number();
    v->urgent = (uint16_t)number();
    v->reserved = (uint8_t)(below(8) ? 0 : below(16));
    v->flags = (uint8_t)(below(4) ? ACK | (below(2) ? PSH : 0) : roll());
    v->wrong = below(16) ? 0 : below(65535);
    v->n = below(64) ? below(48) : below(PAYLOAD + 1);
    for (uint32_t i = 0; i < v->n; i++)
        v->payload[i] = (uint8_t)(below(4) ? roll() : 0xff * below(2));
    v->nopt = 0;
    v->optlen = 0;
    uint32_t layout = below(4);
    if (layout == 0)
        options_plain(v);
    else if (layout > 1)
        options_odd(v);
    options_fill(v);
}

static void differs(const char *what, uint64_t seed, const uint8_t *in, const uint8_t *out,
                    const uint8_t *model, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%3zu: %02x -> %02x model %02x%s\n", i, in[i], out[i], model[i],
                out[i] == model[i] ? "" : " *");
    fail_msg("%s; again: REWRITE_ONE=%llu", what, (unsigned long long)seed);
}

static struct counts {
    uint64_t plain, stamped, zero, sacked, wrong, odd_stamps;
} counts;

static void count(const struct value *v, const uint8_t *tcp)
{
    uint32_t at = 0;
    counts.zero += get16(tcp + 16) == 0;
    counts.wrong += v->wrong != 0;
    for (int i = 0; i < v->nopt; at += v->opt[i].len ? v->opt[i].len : 1, i++) {
        counts.sacked += v->opt[i].kind == SACK;
        counts.odd_stamps += v->opt[i].kind == STAMPS && at % 2;
    }
}

static void one(uint64_t seed)
{
    static struct value v;
    struct record r;
    uint8_t in[HEADER + PAYLOAD], out[HEADER + PAYLOAD], fast[HEADER + PAYLOAD];
    uint8_t model[HEADER + PAYLOAD];
    dice = seed * 0x9e3779b97f4a7c15ULL + 1;
    for (int i = 0; i < 4; i++)
        roll();
    make(&v, &r);
    size_t n = model_header(&v) + v.n;
    uint32_t hlen = (uint32_t)model_header(&v);
    model_write(&v, in);
    count(&v, in);
    uint64_t patch = patch_addresses(&r, v.src, v.dst);
    memcpy(out, in, n);
    memcpy(fast, in, n);
    rewrite_any(out, hlen, &r, patch);
    bool stamped = hlen >= TCP_STAMPED && rewrite_is_stamped(fast) && r.flags & RECORD_TS;
    bool plain = rewrite_is_plain(fast);
    model_map(&v, &r);
    model_write(&v, model);
    if (memcmp(out, model, n) != 0)
        differs("rewrite_any is not the model", seed, in, out, model, n);
    counts.plain += plain;
    counts.stamped += stamped;
    if (!plain && !stamped)
        return;
    rewrite_plain(fast, &r, get32(fast), patch, stamped);
    if (memcmp(fast, model, n) != 0)
        differs("rewrite_plain is not the model", seed, in, fast, model, n);
}

static uint64_t volume(uint64_t n)
{
    const char *cases = getenv("REWRITE_CASES");
    if (cases && n == CASES)
        return strtoull(cases, NULL, 10);
    return getenv("TEST_LONG") ? n * LONGER : n;
}

static void model(void **state)
{
    const char *only = getenv("REWRITE_ONE"), *from = getenv("REWRITE_SEED");
    uint64_t first = from ? strtoull(from, NULL, 10) : 1, n = volume(CASES);
    (void)state;
    if (only) {
        one(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        one(first + i);
    printf("  %llu segments: %llu plain, %llu stamped, %llu SACKs, %llu odd stamps, %llu wrong\n",
           (unsigned long long)n, (unsigned long long)counts.plain,
           (unsigned long long)counts.stamped, (unsigned long long)counts.sacked,
           (unsigned long long)counts.odd_stamps, (unsigned long long)counts.wrong);
    uint64_t least = n / 100;
    assert_true(counts.plain > least && counts.stamped > least && counts.sacked > least);
    assert_true(counts.odd_stamps > least && counts.wrong > least && counts.zero > 0);
}

/* RFC 1624 3: what sums up to zero, both ways of writing it, in and out. */
static void zeros(void **state)
{
    static struct value v;
    struct record r = {.src = 0x0a000201, .dst = 0x0a000202, .sport = 1, .dport = 2};
    uint32_t seen_in = 0, seen_out = 0;
    (void)state;
    v = (struct value){.src = 0x0a000101, .dst = 0x0a000102, .sport = 3, .dport = 4, .flags = ACK};
    for (uint32_t i = 0; i < 0x20000; i++) {
        uint8_t in[HEADER], out[HEADER], want[HEADER];
        v.seq = i;
        model_write(&v, in);
        memcpy(out, in, 20);
        seen_in += get16(in + 16) == 0;
        if (get16(in + 16) == 0 && i % 2)
            put16(out + 16, 0xffff); /* the other zero */
        struct value w = v;
        rewrite_plain(out, &r, get32(out), patch_addresses(&r, v.src, v.dst), false);
        model_map(&w, &r);
        model_write(&w, want);
        assert_memory_equal(out, want, 20);
        seen_out += get16(out + 16) == 0;
    }
    assert_true(seen_in >= 2 && seen_out >= 2);
}

static void windows(void **state)
{
    static const uint32_t fields[] = {0,   1,    2,     3,     7,     127,  128,
                                      255, 4095, 32767, 32768, 65534, 65535};
    (void)state;
    for (uint32_t from = 0; from <= 14; from++)
        for (uint32_t to = 0; to <= 14; to++)
            for (size_t i = 0; i < ARRAY_LEN(fields); i++)
                assert_int_equal(rewrite_window((uint16_t)fields[i], (uint8_t)(from | to << 4)),
                                 model_window(fields[i], from, to));
}

/* Worked examples of the specification: numbers of another's hand. */
static void examples(void **state)
{
    struct record ab = {.seq_off = 10300 - 1200}, ba = {.ack_off = 9100};
    uint8_t tcp[20] = {0};
    (void)state;
    put32(tcp + 4, 1200);
    tcp[12] = 0x50;
    tcp[13] = ACK;
    rewrite_any(tcp, 20, &ab, PATCH_BIAS);
    assert_int_equal(get32(tcp + 4), 10300);
    put32(tcp + 8, 10300);
    rewrite_any(tcp, 20, &ba, PATCH_BIAS);
    assert_int_equal(get32(tcp + 8), 1200);
}

/* A segment with some bits turned over never leaves with a right checksum, unless it came with one
 * (bits that cancel each other out do so everywhere). */
static void flips(void **state)
{
    static struct value v;
    uint64_t n = volume(FLIPS), corrupt = 0;
    (void)state;
    for (uint64_t i = 0; i < n; i++) {
        struct record r;
        uint8_t tcp[HEADER + PAYLOAD];
        dice = (i + 1) * 0x9e3779b97f4a7c15ULL;
        make(&v, &r);
        v.wrong = 0;
        r.flags |= RECORD_TS | RECORD_SACK; /* what is blanked takes its own flips along */
        size_t len = model_header(&v) + v.n;
        uint32_t hlen = (uint32_t)model_header(&v);
        model_write(&v, tcp);
        for (uint32_t bits = 1 + below(3); bits; bits--) {
            uint32_t at = below((uint32_t)len);
            if (at != 12)
                tcp[at] ^= (uint8_t)(1U << below(8));
        }
        bool good = model_sum(&v, tcp) == 0;
        corrupt += !good;
        rewrite_any(tcp, hlen, &r, patch_addresses(&r, v.src, v.dst));
        v.src = r.src;
        v.dst = r.dst;
        if ((model_sum(&v, tcp) == 0) != good)
            fail_msg("flip %llu: %s", (unsigned long long)i, good ? "broken" : "laundered");
    }
    assert_true(corrupt > n / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-SPL-2 R-SPL-3 R-FLOW-23 R-FLOW-37 R-FLOW-52 rewriting is what a model makes "
                   "from scratch: 1,000,000 random segments",
                   model),
        PLAIN_TEST("R-SPL-3 RFC 1624: a sum of zero, written either way", zeros),
        PLAIN_TEST("R-FLOW-38 windows between all pairs of scales, never zero for something",
                   windows),
        PLAIN_TEST("R-FLOW-35 the worked example: 1,200 and 10,300", examples),
        PLAIN_TEST("R-ATK-14 R-FLOW-53 what is corrupt stays corrupt: 100,000 flips", flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
