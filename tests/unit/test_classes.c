/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mistakes that published bugs of network stacks have in common, one test for each, whatever
 * the protocol: a length that is believed, a loop that does not advance, an urgent pointer that is
 * followed, numbers that can be guessed, an id that outlives its object. Frames are exactly as long
 * as they say for the address sanitizer (kernel/msg.c), so a read beyond one is seen. Costs:
 * test_class_cost.c. Arithmetic that wraps: R-BAD-41 (test_tcp_window.c, test_record.c). Strings:
 * test_http_parse.c, test_http_bad.c, test_conf.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/tcp/tcp.h"
#include "tests/unit/fwd_bench.h"
#include "tests/unit/keeper.h"

enum { ETH = 14, IP_AT = ETH, TOP = ETH + 20 };

static uint64_t all_drops(const struct net *w)
{
    uint64_t sum = 0;
    for (int i = 0; i < DROP_COUNT; i++)
        sum += w->f->k->drops[i];
    return sum;
}

/* Checksums are made good again, as far as the lengths in the frame allow. */
static void repair(uint8_t *b, size_t n)
{
    if (get16(b + 12) != 0x0800 || n < TOP)
        return;
    size_t hlen = (size_t)(b[IP_AT] & 15) * 4, total = get16(b + IP_AT + 2);
    if (hlen < 20 || ETH + hlen > n)
        return;
    put16(b + 24, 0);
    put16(b + 24, net_sum(0, b + ETH, hlen));
    if (total < hlen || ETH + total > n)
        total = n - ETH;
    uint8_t *top = b + ETH + hlen, pseudo[12];
    size_t len = total - hlen, at = b[23] == P_TCP ? 16 : b[23] == P_UDP ? 6 : 2;
    if (len < at + 2)
        return;
    memcpy(pseudo, b + 26, 8);
    put16(pseudo + 8, b[23]);
    put16(pseudo + 10, (uint32_t)len);
    put16(top + at, 0);
    put16(top + at, net_sum(b[23] == P_ICMP ? 0 : (uint16_t)~net_sum(0, pseudo, 12), top, len));
}

/* A frame is dropped and counted, or goes on no longer than it came; answers are whole. */
static void sent(struct net *w, int card, const uint8_t *b, size_t n, const char *what, uint32_t v)
{
    uint64_t before = all_drops(w);
    net_clear(w);
    net_raw(w, card, b, n);
    for (int i = 0; i < w->nframes; i++) {
        const struct frame *f = &w->frame[i];
        if (get16(f->b + 12) != 0x0800)
            continue;
        net_check_ip(f);
        if (f->b[23] != P_ICMP && f->n > n)
            fail_msg("%s = %u: %zu bytes came of %zu", what, v, f->n, n);
    }
    bool fragment = get16(b + IP_AT + 6) & 0x3fff; /* may end others that wait for it */
    if (all_drops(w) - before > 1 && !fragment)
        fail_msg("%s = %u: dropped %u times", what, v, (unsigned)(all_drops(w) - before));
}

struct field {
    const char *name;
    uint32_t at;  /* in the frame */
    uint8_t bits; /* 4: the lower half of a byte, 5: the upper, 8, 16 */
    uint32_t min, max;
};

static uint32_t field_get(const struct field *f, const uint8_t *b)
{
    return f->bits == 16  ? get16(b + f->at)
           : f->bits == 8 ? b[f->at]
           : f->bits == 5 ? (uint32_t)b[f->at] >> 4
                          : b[f->at] & 15U;
}

static void field_put(const struct field *f, uint8_t *b, uint32_t v)
{
    if (f->bits == 16)
        put16(b + f->at, v);
    else if (f->bits == 8)
        b[f->at] = (uint8_t)v;
    else
        b[f->at] =
            (uint8_t)(f->bits == 5 ? (b[f->at] & 15) | v << 4 : (b[f->at] & 0xf0) | (v & 15));
}

/* Each field with 0, 1, min - 1, min, real - 1, real + 1, max; then cut behind every byte. */
static void lie(struct net *w, int card, const uint8_t *b, size_t n, const struct field *fields)
{
    uint8_t copy[NET_BYTES];
    for (const struct field *f = fields; f->name; f++) {
        uint32_t real = field_get(f, b);
        uint32_t values[] = {0, 1, f->min - 1, f->min, real - 1, real + 1, f->max};
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            memcpy(copy, b, n);
            field_put(f, copy, values[i]);
            repair(copy, n);
            sent(w, card, copy, n, f->name, values[i]);
            sent(w, card, copy, n < 60 ? n : n - 1, f->name, values[i]);
        }
    }
    for (size_t cut = 1; cut < n; cut++) {
        uint64_t before = all_drops(w);
        net_clear(w);
        net_raw(w, card, b, cut);
        if (all_drops(w) != before + 1 || w->nframes)
            fail_msg("%s...: cut behind %zu of %zu bytes: dropped %u times, %d frames",
                     fields->name, cut, n, (unsigned)(all_drops(w) - before), w->nframes);
    }
}

static void lengths(void **state)
{
    static const struct field arp[] = {
        {"arp.hlen", 18, 8, 6, 255}, {"arp.plen", 19, 8, 4, 255}, {0}};
    static const struct field ip[] = {
        {"ip.ihl", IP_AT, 4, 5, 15},          {"ip.len", IP_AT + 2, 16, 20, 65535},
        {"ip.off", IP_AT + 6, 16, 1, 0x1fff}, {"ip.off with MF", IP_AT + 6, 16, 0x2000, 0x3fff},
        {"udp.len", TOP + 4, 16, 8, 65535},   {0}};
    static const struct field option[] = {{"ip option", TOP + 1, 8, 3, 255}, {0}};
    static const struct field icmp[] = {{"icmp quote: ihl", TOP + 8, 4, 5, 15},
                                        {"icmp quote: len", TOP + 10, 16, 20, 65535},
                                        {"icmp quote: off", TOP + 14, 16, 1, 0x1fff},
                                        {0}};
    static const uint8_t record_route[12] = {7, 11, 4};
    uint8_t body[64], top[128], b[NET_BYTES], quoted[NET_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)i;
    for (int defrag = 0; defrag < 2; defrag++) {
        struct net *w = net_make("router", 2, defrag ? "ip.defrag=on" : "");
        struct dgram d = {.data = top};
        net_send(w, 0, &(struct dgram){.dst = BOX, .proto = P_UDP}); /* our neighbour by now */
        d.n = net_udp(top, CLIENT, SERVER, 4000, 9, body, sizeof body);
        lie(w, 0, b, net_build(w, 0, &d, b), ip);
        d.opt = record_route;
        d.nopt = sizeof record_route;
        lie(w, 0, b, net_build(w, 0, &d, b), option);
        d.nopt = 0;
        net_build(w, 0, &d, quoted);
        d.proto = P_ICMP;
        d.n = net_icmp(top, 3, 1, 0, quoted + ETH, 28);
        lie(w, 0, b, net_build(w, 0, &d, b), icmp);
        d.dst = BOX;
        lie(w, 0, b, net_build(w, 0, &d, b), icmp);
        net_card_mac(w, 0, b);
        net_mac(0, CLIENT, b + 6);
        put16(b + 12, 0x0806);
        put32(b + 14, 0x00010800);
        put32(b + 18, 0x06040001);
        memcpy(b + 22, b + 6, 6);
        put32(b + 28, CLIENT);
        memset(b + 32, 0, 6);
        put32(b + 38, BOX);
        lie(w, 0, b, 42, arp);
        net_end(w);
    }
}

static void lengths_spliced(struct duo *d)
{
    static const struct field tcp[] = {{"tcp.doff", TOP + 12, 5, 5, 15},
                                       {"tcp option", TOP + 21, 8, 2, 255},
                                       {"ip.len", IP_AT + 2, 16, 20, 65535},
                                       {"ip.ihl", IP_AT, 4, 5, 15},
                                       {0}};
    static const uint8_t kinds[] = {2, 3, 4, 5, 8, 19, 254};
    uint8_t b[NET_BYTES];
    for (size_t i = 0; i < sizeof kinds; i++) {
        uint8_t opt[12] = {kinds[i], 10};
        struct tcp t = {.seq = d->host[A].seq,
                        .ack = d->host[A].ack,
                        .opt = opt,
                        .nopt = sizeof opt,
                        .data = "twenty bytes of data",
                        .n = 20};
        lie(d->w, 0, b, duo_frame(d, A, &t, b), tcp);
    }
}

static void lengths_tcp(void **state)
{
    (void)state;
    duo_each(lengths_spliced);
}

/* Every kind with every length, first and behind a NOP, in a datagram that a router looks at and in
 * a segment of a splice. A walk that stands still never ends. */
static void options_spliced(struct duo *d)
{
    uint8_t opt[40];
    uint32_t passed = 0;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned len = 0; len <= 40; len++) {
            memset(opt, 1, sizeof opt);
            opt[kind % 4] = (uint8_t)kind;
            opt[kind % 4 + 1] = (uint8_t)len;
            struct tcp t = {.seq = d->host[A].seq, .ack = d->host[A].ack, .opt = opt, .nopt = 40};
            duo_send(d, A, &t);
            passed += d->w->nframes == 1;
        }
    }
    assert_int_equal(passed, 256 * 41); /* an option never costs a segment: RFC 9293 MUST-6, 7 */
}

static void loops(void **state)
{
    uint8_t body[32] = {0}, top[64], opt[40];
    struct net *w = net_make("router", 2, "");
    uint64_t before, passed = 0;
    (void)state;
    size_t n = net_udp(top, CLIENT, SERVER, 4000, 9, body, sizeof body);
    struct dgram d = {.data = top, .n = n, .opt = opt, .nopt = sizeof opt};
    net_send(w, 0, &(struct dgram){.data = top, .n = n}); /* the neighbour is known from now on */
    before = all_drops(w);
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned len = 0; len <= 40; len++) {
            memset(opt, 1, sizeof opt);
            opt[kind % 4] = (uint8_t)kind;
            opt[kind % 4 + 1] = (uint8_t)len;
            net_clear(w);
            net_send(w, 0, &d);
            passed += w->nframes && w->frame[0].b[23] == P_UDP;
        }
    }
    assert_int_equal(passed + all_drops(w) - before, 256 * 41);
    assert_true(passed > 256 && all_drops(w) - before > 256);
    net_end(w);
    duo_each(options_spliced);
}

/* Through a splice the pointer is the end host's business: it passes, with the bytes as they are.
 */
static void urgent_spliced(struct duo *d)
{
    static const uint16_t pointers[] = {0, 1, 5, 6, 0xffff};
    for (size_t i = 0; i < 2 * ARRAY_LEN(pointers); i++) {
        struct tcp t = {.seq = d->host[A].seq,
                        .ack = d->host[A].ack,
                        .flags = T_ACK | 32,
                        .data = "bytes",
                        .n = i % 2 ? 5 : 0};
        uint8_t b[NET_BYTES];
        size_t n = duo_frame(d, A, &t, b);
        put16(b + TOP + 18, pointers[i / 2]);
        repair(b, n);
        net_clear(d->w);
        net_raw(d->w, 0, b, n);
        struct tcp got;
        const struct frame *f = net_only(d->w);
        duo_read(f, &got);
        assert_int_equal(get16(got.ip + 20 + 18), pointers[i / 2]);
        assert_int_equal(got.flags, T_ACK | 32);
        assert_int_equal(got.n, t.n);
        if (t.n)
            assert_memory_equal(got.data, "bytes", 5);
    }
}

static void urgent(void **state)
{
    (void)state;
    duo_each(urgent_spliced);
}

/* Numbers of two boots, in the order in which an attacker could have them. */
static void guessable(void **state)
{
    enum { MANY = 100000 };
    static uint32_t isn[2][MANY];
    uint32_t same = 0, lcg = 0;
    (void)state;
    for (int boot = 0; boot < 2; boot++) {
        fixture_seed = 1 + (uint64_t)boot;
        struct fixture *f = fixture_make(fixture_graph("firewall"), 2, "");
        const struct node *n = node_find(f->k, "tcp");
        struct endpoint l = {netaddr_ip4(BOX), 8080}, r = {netaddr_ip4(CLIENT), 0};
        for (uint32_t i = 0; i < MANY; i++) {
            r.addr = netaddr_ip4(CLIENT + i / 50000);
            r.port = (uint16_t)(1024 + i % 50000);
            isn[boot][i] = tcp_isn(n, &l, &r);
        }
        fixture_end(f);
    }
    for (uint32_t i = 0; i < MANY; i++)
        same += isn[0][i] == isn[1][i];
    fixture_seed = 1;
    assert_true(same <= 2); /* two boots, two secrets */
    /* x' = a x + c: with three in a row a = (x3 - x2) / (x2 - x1), and then the fourth is known. */
    for (uint32_t i = 0; i + 3 < MANY; i++) {
        uint32_t d1 = isn[0][i + 1] - isn[0][i], d2 = isn[0][i + 2] - isn[0][i + 1],
                 d3 = isn[0][i + 3] - isn[0][i + 2], inverse = d1;
        if (d1 % 2 == 0)
            continue;
        for (int j = 0; j < 5; j++) /* Newton: of an odd number modulo 2^32 */
            inverse *= 2 - d1 * inverse;
        lcg += d2 * inverse * d2 == d3;
    }
    assert_true(lcg <= 3);
    double mean = 0, run = 0, spread = 0; /* one after the other: no correlation */
    for (uint32_t i = 0; i < MANY; i++)
        mean += isn[0][i] / (double)MANY;
    for (uint32_t i = 1; i < MANY; i++) {
        run += (isn[0][i] - mean) * (isn[0][i - 1] - mean);
        spread += (isn[0][i] - mean) * (isn[0][i] - mean);
    }
    assert_true(fabs(run / spread) < 5 / sqrt(MANY)); /* five standard deviations */
}

/* The id of a path that has ended is nobody's, though its place is taken by another. */
static void stale_ids(void **state)
{
    enum { TIMES = 200 };
    struct scene c;
    uint32_t ids[TIMES];
    (void)state;
    scene_make(&c, NULL);
    for (int i = 0; i < TIMES; i++) {
        struct path *p = probe_path(c.k, i % 2);
        ids[i] = p->id;
        assert_int_equal(p->id & PATH_INDEX, ids[0] & PATH_INDEX);
        assert_ptr_equal(path_by_id(c.k, p->id), p);
        for (int j = 0; j < i; j++)
            assert_null(path_by_id(c.k, ids[j]));
        path_destroy(p);
        path_reap(c.k);
        assert_null(path_by_id(c.k, ids[i]));
    }
    scene_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("class: a length that is believed: arp, ip, fragments, udp, icmp, and every cut",
                   lengths),
        PLAIN_TEST("class: a length that is believed: tcp through a splice", lengths_tcp),
        PLAIN_TEST("class: a loop that does not advance: 256 kinds x 41 lengths, ip and tcp",
                   loops),
        PLAIN_TEST("class: the urgent pointer R-BAD-34, across a splice", urgent),
        PLAIN_TEST("class: numbers that can be guessed: no LCG fits, no correlation", guessable),
        PLAIN_TEST("class: an id that outlives its path", stale_ids),
    };
    return cmocka_run_group_tests_name("classes", tests, NULL, NULL);
}
