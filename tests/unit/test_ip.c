/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/ip: header checks, forwarding, routes, errors. Fragments are in test_frag.c. */
#include <stdio.h>
#include <string.h>

#include "modules/ip/ip.h"
#include "tests/unit/net.h"

static const char payload[] = "forwarded as it is";

/* A UDP datagram from the client to the server, as a frame. */
static size_t frame_build(const struct net *w, uint8_t frame[NET_BYTES])
{
    uint8_t udp[64];
    struct dgram d = {.data = udp, .id = 0x4711};
    d.n = net_udp(udp, CLIENT, SERVER, 4000, 5000, payload, sizeof payload);
    return net_build(w, 0, &d, frame);
}

static void resum(uint8_t *frame)
{
    size_t hlen = (size_t)(frame[14] & 15) * 4;
    put16(frame + 24, 0);
    put16(frame + 24, net_sum(0, frame + 14, hlen));
}

/* What differs between what the client sent and what the server got: MACs, TTL, checksum. */
static void forwarding(void **state)
{
    struct net *w = net_make("router", 2, "");
    (void)state;
    for (int i = 0; i < 4; i++) { /* the slow path first, then the router's */
        uint8_t frame[NET_BYTES], mac[6];
        size_t n = frame_build(w, frame);
        net_clear(w);
        net_raw(w, 0, frame, n);
        const struct frame *f = net_only(w);
        assert_int_equal(f->card, 1);
        assert_int_equal(f->n, n);
        net_mac(1, SERVER, mac);
        assert_memory_equal(f->b, mac, 6);
        net_card_mac(w, 1, mac);
        assert_memory_equal(f->b + 6, mac, 6);
        net_check_ip(f);
        assert_int_equal(f->b[22], 63);
        frame[22] = 63;
        resum(frame);
        assert_memory_equal(f->b + 12, frame + 12, n - 12);
    }
    assert_non_null(strstr(fixture_command(w->f, "show paths"), "eth0 ip eth1"));
    assert_int_equal(fixture_value(w->f, "show nodes", "forwarded"), 4);
    assert_int_equal(fixture_value(w->f, "show nodes", "slow"),
                     2); /* the first asked for the MAC */
    net_end(w);
}

/* Every value of the word that TTL is in, so every value of the checksum's carry. */
static void ttl_sums(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, frame);
    net_raw(w, 0, frame, n);
    for (uint32_t i = 0; i < 65536; i += 5) {
        put16(frame + 18, i);
        frame[22] = (uint8_t)(i % 254 + 2);
        resum(frame);
        fixture_frame(w->f, 0, frame, n);
        if (i % 500 != 0)
            continue;
        net_run(w, MS);
        for (int j = 0; j < w->nframes; j++)
            net_check_ip(&w->frame[j]);
        net_clear(w);
    }
    net_run(w, MS);
    assert_int_equal(net_drops(w, DROP_IP_CKSUM), 0);
    net_end(w);
}

static void check(struct net *w, const uint8_t *frame, size_t n, enum drop why)
{
    uint64_t before = net_drops(w, why);
    uint8_t copy[NET_BYTES];
    memcpy(copy, frame, n);
    resum(copy);
    net_clear(w);
    net_raw(w, 0, copy, n);
    if (net_drops(w, why) != before + 1)
        fail_msg("not dropped as %s", drop_name(why));
    net_none(w);
}

static void bad_headers(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t good[NET_BYTES], frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, good);
    for (int round = 0; round < 2; round++) { /* without and with an entry in the flow table */
        memcpy(frame, good, n);
        for (int v = 0; v < 16; v++) {
            frame[14] = (uint8_t)(v << 4 | 5);
            if (v != 4)
                check(w, frame, n, DROP_IP_HEADER);
        }
        for (int ihl = 0; ihl < 5; ihl++) {
            frame[14] = (uint8_t)(0x40 | ihl);
            check(w, frame, n, DROP_IP_HEADER);
        }
        frame[14] = 0x4f; /* beyond the frame */
        check(w, frame, 14 + 40, DROP_IP_HEADER);
        memcpy(frame, good, n);
        for (size_t cut = 14; cut < 34; cut++)
            check(w, frame, cut, DROP_IP_HEADER);
        net_clear(w);
        net_raw(w, 0, good, n);
        net_raw(w, 0, good, n);
    }
    net_end(w);
}

static void lengths(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t good[NET_BYTES], frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, good), len = n - 14;
    for (size_t lie = 0; lie < 20; lie++) {
        memcpy(frame, good, n);
        put16(frame + 16, (uint32_t)lie);
        check(w, frame, n, DROP_IP_LEN);
    }
    for (size_t cut = 34; cut < n; cut++)
        check(w, good, cut, DROP_IP_LEN);
    put16(frame + 16, 65535);
    check(w, frame, n, DROP_IP_LEN);
    put16(frame + 16, (uint32_t)len + 1);
    check(w, frame, n, DROP_IP_LEN);
    for (size_t pad = 1; pad < 40; pad += 13) { /* padding is not forwarded */
        memcpy(frame, good, n);
        memset(frame + n, 0xee, pad);
        net_clear(w);
        net_raw(w, 0, frame, n + pad);
        assert_int_equal(net_only(w)->n, n);
    }
    net_end(w);
}

static void bad_sums(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t good[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, good);
    uint64_t wrong = 0;
    for (int bit = 0; bit < 160; bit++) {
        uint8_t frame[NET_BYTES];
        memcpy(frame, good, n);
        frame[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bit < 8 || (bit >= 16 && bit < 32)) /* version, lengths: other reasons may come first */
            continue;
        net_raw(w, 0, frame, n);
        wrong++;
        assert_int_equal(net_drops(w, DROP_IP_CKSUM), wrong);
    }
    net_none(w);
    net_end(w);
}

static void bad_sources(void **state)
{
    static const uint32_t never[] = {0,
                                     IP(0, 1, 2, 3),
                                     IP(127, 0, 0, 1),
                                     IP(224, 0, 0, 1),
                                     IP(239, 1, 1, 1),
                                     ~0U,
                                     IP(240, 0, 0, 1),
                                     BOX,
                                     BOX2,
                                     IP(10, 0, 1, 255),
                                     IP(10, 0, 2, 255),
                                     IP(10, 0, 1, 0),
                                     IP(127, 255, 255, 255)};
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, frame);
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        put32(frame + 26, never[i]);
        check(w, frame, n, DROP_IP_SRC);
    }
    put32(frame + 26, BOX); /* LAND */
    put32(frame + 30, BOX);
    check(w, frame, n, DROP_IP_SRC);
    net_end(w);
}

static void bad_destinations(void **state)
{
    static const uint32_t never[] = {0,
                                     IP(0, 9, 9, 9),
                                     IP(127, 0, 0, 1),
                                     IP(224, 0, 0, 5),
                                     IP(239, 255, 255, 250),
                                     IP(250, 1, 1, 1)};
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, frame);
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        put32(frame + 30, never[i]);
        check(w, frame, n, DROP_IP_DST);
    }
    n = frame_build(w, frame); /* to everybody on the link, then to be forwarded: no */
    memset(frame, 0xff, 6);
    check(w, frame, n, DROP_IP_DST);
    static const uint32_t directed[] = {~0U, IP(10, 0, 1, 255), IP(10, 0, 2, 255)};
    for (size_t i = 0; i < ARRAY_LEN(directed); i++) { /* RFC 2644: not forwarded, and for nobody */
        n = frame_build(w, frame);
        put32(frame + 30, directed[i]);
        check(w, frame, n, DROP_IP_PROTO);
    }
    net_end(w);
    w = net_make("echo", 1, "");
    n = frame_build(w, frame);
    check(w, frame, n, DROP_IP_DST); /* forward=off */
    net_end(w);
}

static void options(void **state)
{
    static const uint8_t fine[][12] = {{1, 1, 1, 0},
                                       {7, 7, 4, 0, 0, 0, 0, 0},
                                       {0x94, 4, 0, 0},
                                       {0x44, 8, 5, 0, 0, 0, 0, 0},
                                       {1, 1, 1, 1, 0x94, 4, 0, 0},
                                       {0, 0x83, 0, 0}};
    static const uint8_t bad[][12] = {{0x83, 7, 4, 10, 0, 9, 9, 0},
                                      {0x89, 7, 4, 10, 0, 9, 9, 0},
                                      {7, 0, 0, 0},
                                      {7, 1, 0, 0},
                                      {7, 5, 0, 0},
                                      {7, 255, 0, 0},
                                      {1, 1, 1, 7},
                                      {1, 1, 0x83, 3}};
    static const size_t fine_len[] = {4, 8, 4, 8, 8, 4}, bad_len[] = {8, 8, 4, 4, 4, 4, 4, 4};
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        struct dgram d = {
            .opt = fine[i], .nopt = fine_len[i], .data = payload, .n = 8, .proto = 99};
        size_t n = net_build(w, 0, &d, frame);
        net_clear(w);
        net_raw(w, 0, frame, n);
        const struct frame *f = net_only(w);
        net_check_ip(f);
        assert_memory_equal(f->b + 34, fine[i], fine_len[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct dgram d = {.opt = bad[i], .nopt = bad_len[i], .data = payload, .n = 8};
        check(w, frame, net_build(w, 0, &d, frame), DROP_IP_OPTION);
    }
    for (uint32_t kind = 0; kind < 256; kind++) { /* every kind and length: no loop, no overrun */
        for (uint32_t len = 0; len < 42; len++) {
            uint8_t opt[40] = {(uint8_t)kind, (uint8_t)len};
            struct dgram d = {.opt = opt, .nopt = 40, .data = payload, .n = 8, .ttl = 255};
            fixture_frame(w->f, 0, frame, net_build(w, 0, &d, frame));
        }
        net_run(w, MS);
        net_clear(w);
    }
    net_end(w);
}

static void unknown_protocols(void **state)
{
    static const uint8_t protos[] = {4, 41, 47, 50, 132, 255, P_TCP};
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES], inner[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, inner);
    for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
        struct dgram d = {.dst = BOX, .proto = protos[i], .data = inner + 14, .n = n - 14};
        check(w, frame, net_build(w, 0, &d, frame), DROP_IP_PROTO);
    }
    net_end(w);
}

/* The error in f quotes the datagram of the frame sent. */
static void error_is(const struct frame *f, uint8_t type, uint8_t code, uint32_t info,
                     const uint8_t *sent, size_t n)
{
    const uint8_t *icmp = f->b + 34;
    size_t quote = n - 14 < 548 ? n - 14 : 548;
    assert_int_equal(net_check_ip(f), 20);
    assert_int_equal(f->b[23], P_ICMP);
    assert_int_equal(get32(f->b + 26), BOX);
    assert_int_equal(get32(f->b + 30), CLIENT);
    assert_int_equal(net_sum(0, icmp, f->n - 34), 0);
    assert_int_equal(icmp[0], type);
    assert_int_equal(icmp[1], code);
    assert_int_equal(get32(icmp + 4), info);
    assert_int_equal(f->n - 42, quote);
    assert_memory_equal(icmp + 8, sent + 14, quote);
}

static void ttl_expires(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, frame);
    for (int round = 0; round < 2; round++) {
        for (uint8_t ttl = 0; ttl < 2; ttl++) {
            frame[22] = ttl;
            resum(frame);
            net_clear(w);
            net_raw(w, 0, frame, n);
            error_is(net_only(w), 11, 0, 0, frame, n);
        }
        frame[22] = 2;
        resum(frame);
        net_raw(w, 0, frame, n);
        net_raw(w, 0, frame, n);
    }
    assert_int_equal(net_drops(w, DROP_IP_TTL), 4);
    net_end(w);
}

static void no_route(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, frame);
    put32(frame + 30, IP(192, 168, 1, 1));
    resum(frame);
    net_raw(w, 0, frame, n);
    error_is(net_only(w), 3, 0, 0, frame, n);
    assert_int_equal(net_drops(w, DROP_IP_ROUTE), 1);
    net_end(w);
}

static void too_long(void **state)
{
    struct net *w = net_make("router", 2, "ip.mtu=eth1=1000");
    uint8_t frame[NET_BYTES], data[1200] = {0};
    struct dgram d = {.frag = 0x4000, .data = data};
    (void)state;
    for (int round = 0; round < 3; round++) {
        d.n = 980;
        net_clear(w);
        net_send(w, 0, &d);
        assert_int_equal(net_only(w)->n, 1014);
        d.n = 981;
        size_t n = net_build(w, 0, &d, frame);
        net_clear(w);
        net_raw(w, 0, frame, n);
        error_is(net_only(w), 3, 4, 1000, frame, n);
    }
    assert_int_equal(net_drops(w, DROP_IP_MTU), 3);
    net_end(w);
}

/* Errors are never about these (RFC 1122 3.2.2, RFC 1812 4.3.2.7). */
static void no_error_about(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES], icmp[64] = {0};
    struct dgram d = {.ttl = 1, .proto = P_ICMP, .data = icmp};
    (void)state;
    static const uint8_t errors[] = {3, 4, 5, 11, 12};
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        d.n = net_icmp(icmp, errors[i], 0, 0, payload, 18);
        check(w, frame, net_build(w, 0, &d, frame), DROP_IP_TTL);
    }
    d.n = net_icmp(icmp, 8, 0, 0, payload, 16);
    d.frag = 0x0001;
    check(w, frame, net_build(w, 0, &d, frame), DROP_IP_TTL);
    d.frag = 0x2000; /* about the first fragment, yes */
    net_clear(w);
    net_send(w, 0, &d);
    net_only(w);
    net_end(w);
}

static void error_rate(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    size_t n = frame_build(w, frame);
    frame[22] = 1;
    resum(frame);
    net_raw(w, 0, frame, n); /* so that the client's MAC is known */
    net_run(w, 2 * SECOND);
    net_clear(w);
    for (int i = 0; i < 50; i++)
        fixture_frame(w->f, 0, frame, n);
    net_run(w, 5 * MS);
    assert_int_equal(w->nframes, 6);
    assert_int_equal(net_drops(w, DROP_ICMP_RATE), 44);
    net_run(w, 5 * SECOND);
    net_clear(w);
    for (uint32_t i = 0; i < 1000; i++) { /* 1000 sources in a second: 100 and what was saved up */
        put32(frame + 26, IP(10, 0, 1, 2) + i % 200);
        resum(frame);
        fixture_frame(w->f, 0, frame, n);
        net_run(w, MS);
    }
    assert_in_range(w->nframes, 100, 151);
    net_end(w);
}

static void longest_prefix(void **state)
{
    static const struct {
        uint32_t to, via;
        int card;
    } ways[] = {{IP(10, 0, 2, 9), IP(10, 0, 2, 9), 1},    {IP(10, 9, 1, 1), IP(10, 0, 2, 2), 1},
                {IP(10, 9, 8, 1), IP(10, 0, 1, 3), 0},    {IP(10, 9, 8, 200), IP(10, 0, 1, 4), 0},
                {IP(192, 168, 1, 1), IP(10, 0, 2, 5), 1}, {IP(10, 9, 8, 127), IP(10, 0, 1, 3), 0}};
    struct net *w = net_make("router", 2,
                             "ip.route=default=10.0.2.5,10.9.0.0/16=10.0.2.2,10.9.8.0/24=10.0.1.3,"
                             "10.9.8.128/25=10.0.1.4");
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
            uint8_t mac[6];
            struct dgram d = {.dst = ways[i].to, .data = payload, .n = 18};
            net_clear(w);
            net_send(w, 0, &d);
            const struct frame *f = net_only(w);
            assert_int_equal(f->card, ways[i].card);
            net_mac(f->card, ways[i].via, mac);
            assert_memory_equal(f->b, mac, 6);
        }
    }
    net_end(w);
}

/* The cache is bounded; a datagram to a destination that fell out takes the slow path again. */
static void cache(void **state)
{
    struct net *w = net_make("router", 2, "ip.cache=64 ip.route=default=10.0.2.2");
    (void)state;
    uint32_t flows = w->f->k->flows.count;
    for (uint32_t i = 0; i < 5000; i++) {
        struct dgram d = {.dst = IP(100, 0, 0, 0) + i * 7919, .data = payload, .n = 18};
        uint8_t frame[NET_BYTES];
        fixture_frame(w->f, 0, frame, net_build(w, 0, &d, frame));
        if (i % 100 == 99) {
            net_run(w, MS);
            assert_true(w->f->k->flows.count - flows <= 64);
        }
        if (i % 1000 == 999)
            net_clear(w);
    }
    assert_int_equal(fixture_value(w->f, "show nodes", "forwarded"), 5000);
    assert_true(fixture_value(w->f, "show nodes", "cache_flushes") >= 70);
    net_end(w);
}

/* Scanning a network leaves no paths behind, and no neighbours. */
static void scan(void **state)
{
    struct net *w = net_make("router", 2, "ip.addr=eth0=10.0.1.1/24,eth1=11.0.0.1/8 errors=0");
    (void)state;
    uint32_t paths = w->f->k->paths_live;
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t frame[NET_BYTES];
        struct dgram d = {.dst = IP(11, 1, 0, 0) + i, .data = payload, .n = 18};
        fixture_frame(w->f, 0, frame, net_build(w, 0, &d, frame));
        if (i % 200 == 199) {
            fixture_run(w->f, MS); /* nobody answers */
            while (fixture_sent(w->f, 0))
                fixture_take(w->f, 1);
        }
    }
    assert_int_equal(w->f->k->paths_live, paths);
    assert_true(fixture_value(w->f, "show nodes", "entries") <= 1024);
    fixture_run(w->f, 10 * SECOND);
    while (fixture_sent(w->f, 0))
        fixture_take(w->f, 1);
    assert_true(net_drops(w, DROP_ARP_UNRESOLVED) == 20000);
    net_end(w);
}

static void settings(void **state)
{
    static const char *const wrong[][2] = {
        {"ip.addr=eth7=10.0.1.1/24", "ip.addr: 'eth7=10.0.1.1/24'"},
        {"ip.addr=eth0=10.0.1.1", "ip.addr: 'eth0=10.0.1.1'"},
        {"ip.addr=eth0=224.0.0.1/24", "expected LINK=ADDRESS/BITS"},
        {"ip.addr=eth0", "expected LINK=ADDRESS/BITS"},
        {"ip.route=default=10.0.9.1", "a gateway on one of our networks"},
        {"ip.route=default=10.0.1.1", "a gateway on one of our networks"},
        {"ip.route=10.0.0.0=10.0.1.2", "NETWORK/BITS=GATEWAY"},
        {"ip.mtu=eth0=67", "68 to what the card carries"},
        {"ip.mtu=eth0=9000", "68 to what the card carries"},
        {"ip.mtu=eth9=1400", "68 to what the card carries"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(fixture_refused(fixture_graph("router"), 2, wrong[i][0]), E_INVAL);
        if (!strstr(fixture_log, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], fixture_log);
    }
}

/* RFC 791 3.1, RFC 1071 1: the sum of a header, for each of the 65,536 identifications, is what
 * adding up its words one by one gives; 0 where that is 0, not its other form. */
static void header_sums(void **state)
{
    uint8_t h[IP4_HEADER] = {0x45, 0, 0,   60, 0, 0, 0x40, 0, 64, 6,
                             0,    0, 198, 18, 7, 9, 10,   0, 1,  1};
    (void)state;
    for (uint32_t id = 0; id <= 0xffff; id++) {
        uint32_t sum = 0;
        be16_put(h + IP4_ID, (uint16_t)id);
        ip_header_sum(h);
        uint16_t is = be16_get(h + IP4_CKSUM);
        be16_put(h + IP4_CKSUM, 0);
        for (int i = 0; i < IP4_HEADER; i += 2)
            sum += be16_get(h + i);
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        assert_int_equal(is, (uint16_t)~sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 1812 5.3: forwarded unchanged but for MACs, TTL and checksum", forwarding),
        PLAIN_TEST("RFC 1624: the checksum after a decrement, for every carry", ttl_sums),
        PLAIN_TEST("R-BAD-5: versions, header lengths, cut headers", bad_headers),
        PLAIN_TEST("R-BAD-6: total lengths that lie; padding is not forwarded", lengths),
        PLAIN_TEST("R-BAD-7: each bit of a header turned", bad_sums),
        PLAIN_TEST("R-BAD-9: sources that no host may use, our own among them", bad_sources),
        PLAIN_TEST("RFC 1812 5.3.4: destinations that are never forwarded", bad_destinations),
        PLAIN_TEST("R-BAD-11: options tolerated, source routes and wrong lengths refused", options),
        PLAIN_TEST("R-BAD-12: tunnels and unknown protocols", unknown_protocols),
        PLAIN_TEST("R-BAD-8: TTL 0 and 1: time exceeded", ttl_expires),
        PLAIN_TEST("RFC 1812 4.3.3.1: no route: network unreachable", no_route),
        PLAIN_TEST("RFC 1191 4: fragmentation needed, with the MTU", too_long),
        PLAIN_TEST("RFC 1122 3.2.2: no errors about errors and later fragments", no_error_about),
        PLAIN_TEST("R-ATK-6: errors: 100 a second, 6 at once to one destination", error_rate),
        PLAIN_TEST("RFC 1812 5.2.4.3: the longest prefix wins", longest_prefix),
        PLAIN_TEST("ip: the cache of destinations is bounded", cache),
        PLAIN_TEST("ip: a scan of a network leaves no paths", scan),
        PLAIN_TEST("ip: wrong settings stop the boot with one line", settings),
        PLAIN_TEST("RFC 791 3.1: the header's sum, of all identifications", header_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
