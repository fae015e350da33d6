/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/ip/fragment.c and reass.c: datagrams in pieces, both ways. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net.h"

enum { MF = 0x2000, DF = 0x4000, BIG = 5000 };

static uint8_t echo[BIG];

/* An echo request of n bytes whose answer shows that it was put together well. */
static size_t echo_build(size_t n)
{
    uint8_t data[BIG];
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)(i * 31 + i / 256);
    return net_icmp(echo, 8, 0, 0x00010002, data, n - 8);
}

static void piece(struct net *w, uint32_t to, uint16_t id, size_t from, size_t end, bool more)
{
    uint8_t frame[NET_BYTES];
    struct dgram d = {.dst = to,
                      .proto = P_ICMP,
                      .id = id,
                      .data = echo + from,
                      .n = end - from,
                      .frag = (uint16_t)((more ? MF : 0) | from / 8)};
    fixture_frame(w->f, 0, frame, net_build(w, 0, &d, frame));
}

/* Puts the frames that came together again, with code of the test's own; returns the length. */
static size_t whole(struct net *w, uint8_t *out)
{
    size_t have = 0, end = 0;
    for (int i = 0; i < w->nframes; i++) {
        const uint8_t *h = w->frame[i].b + 14;
        size_t hlen = net_check_ip(&w->frame[i]), n = w->frame[i].n - 14 - hlen;
        size_t from = (size_t)(get16(h + 6) & 0x1fff) * 8;
        assert_true(n > 0 && from + n <= 65535);
        memcpy(out + from, h + hlen, n);
        have += n;
        if (!(get16(h + 6) & MF))
            end = from + n;
        else
            assert_int_equal(n % 8, 0);
        assert_int_equal(get16(h + 4), get16(w->frame[0].b + 18));
    }
    return have == end ? end : 0;
}

static void echo_answered(struct net *w, size_t n)
{
    uint8_t got[65536];
    assert_int_equal(whole(w, got), n);
    assert_int_equal(got[0], 0);
    assert_int_equal(net_sum(0, got, n), 0);
    assert_memory_equal(got + 4, echo + 4, n - 4);
}

/* More fragments come at once than wait for an unknown neighbour. */
static void meet(struct net *w, uint32_t to)
{
    struct dgram d = {.dst = to, .proto = P_ICMP, .data = echo};
    d.n = echo_build(64);
    net_send(w, 0, &d);
    net_only(w);
    net_clear(w);
}

static void any_order(void **state)
{
    struct net *w = net_make("echo", 1, "");
    uint64_t in_pieces = 0;
    (void)state;
    srand(4);
    for (uint16_t id = 0; id < 300; id++) {
        size_t n = echo_build((size_t)rand() % 4000 + 100), cut[64], npieces = 0;
        for (size_t at = 0; at < n; npieces++) {
            cut[npieces] = at;
            at += (size_t)(rand() % 150 + 8) * 8;
        }
        for (size_t i = 0; i < npieces; i++) { /* shuffle */
            size_t j = (size_t)rand() % npieces, t = cut[i];
            cut[i] = cut[j];
            cut[j] = t;
        }
        net_clear(w);
        for (size_t i = 0; i < npieces; i++) {
            size_t end = n;
            for (size_t j = 0; j < npieces; j++)
                if (cut[j] > cut[i] && cut[j] < end)
                    end = cut[j];
            piece(w, BOX, id, cut[i], end, end != n);
        }
        net_run(w, 2 * MS);
        echo_answered(w, n);
        in_pieces += npieces > 1;
    }
    assert_int_equal(fixture_value(w->f, "show nodes", "reassembled"), in_pieces);
    net_end(w);
}

static void overlaps(void **state)
{
    static const struct {
        size_t from, end;
    } second[] = {{0, 504}, {8, 16}, {488, 1000}, {8, 1000}, {200, 504}, {0, 8}};
    struct net *w = net_make("echo", 1, "");
    (void)state;
    for (uint16_t i = 0; i < ARRAY_LEN(second); i++) {
        for (int turn = 0; turn < 2; turn++) { /* either comes first */
            size_t n = echo_build(1000);
            uint64_t before = net_drops(w, DROP_FRAG_OVERLAP);
            size_t from[2] = {0, second[i].from}, end[2] = {500 / 8 * 8, second[i].end};
            uint16_t id = (uint16_t)(100 + 2 * i + turn);
            piece(w, BOX, id, from[turn], end[turn], end[turn] != n);
            piece(w, BOX, id, from[!turn], end[!turn], end[!turn] != n);
            net_run(w, MS);
            assert_int_equal(net_drops(w, DROP_FRAG_OVERLAP), before + 2);
            net_none(w);
        }
    }
    size_t n = echo_build(1000); /* an exact duplicate is ignored */
    for (int i = 0; i < 3; i++)
        piece(w, BOX, 1, 0, 504, true);
    piece(w, BOX, 1, 504, n, false);
    net_run(w, MS);
    echo_answered(w, n);
    net_end(w);
}

static void impossible(void **state)
{
    static const struct {
        uint16_t frag;
        size_t n;
    } bad[] = {{0x1fff, 9}, {0x1fff, 100}, {0x1ff0, 200}, {MF, 0},
               {MF, 7},     {MF, 100},     {MF | 9, 12},  {1, 0}};
    struct net *w = net_make("router", 2, "");
    uint8_t frame[NET_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        for (int transit = 0; transit < 2; transit++) {
            struct dgram d = {.dst = transit ? SERVER : BOX,
                              .frag = bad[i].frag,
                              .data = echo,
                              .n = bad[i].n,
                              .proto = P_ICMP};
            net_raw(w, 0, frame, net_build(w, 0, &d, frame));
            assert_int_equal(net_drops(w, DROP_FRAG_BAD), 2 * i + (size_t)transit + 1);
        }
    }
    size_t n = echo_build(1000); /* bytes behind the end; two ends */
    uint64_t before = net_drops(w, DROP_FRAG_BAD);
    piece(w, BOX, 1, 504, 800, false);
    piece(w, BOX, 1, 800, n, true);
    piece(w, BOX, 2, 504, 800, false);
    piece(w, BOX, 2, 800, n, false);
    piece(w, BOX, 3, 800, n, true);
    piece(w, BOX, 3, 504, 800, false);
    net_run(w, MS);
    assert_int_equal(net_drops(w, DROP_FRAG_BAD), before + 6);
    net_none(w);
    net_end(w);
}

static void tiny(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t tcp[40] = {0};
    uint64_t expected = 0;
    (void)state;
    for (int transit = 0; transit < 2; transit++) {
        struct dgram d = {.dst = transit ? SERVER : BOX, .proto = P_TCP, .data = tcp};
        for (d.n = 8; d.n < 20; d.n += 8, expected++) {
            d.frag = MF;
            net_send(w, 0, &d);
        }
        d.frag = 1;
        d.n = 20;
        net_send(w, 0, &d);
        assert_int_equal(net_drops(w, DROP_FRAG_TINY), ++expected);
    }
    net_none(w);
    net_end(w);
}

static void flood(void **state)
{
    struct net *w = net_make("echo", 1, "");
    uint32_t start = w->f->k->msgs.live[MSG_FULL] + w->f->k->msgs.live[MSG_SMALL];
    (void)state;
    srand(5);
    echo_build(3000);
    for (uint32_t i = 0; i < 100000; i++) {
        uint8_t frame[NET_BYTES];
        struct dgram d = {.src = IP(10, 0, 1, 2) + i % 200,
                          .dst = BOX,
                          .proto = P_ICMP,
                          .id = (uint16_t)rand(),
                          .data = echo,
                          .n = 1400,
                          .frag = MF};
        fixture_frame(w->f, 0, frame, net_build(w, 0, &d, frame));
        if (i % 200 != 199)
            continue;
        fixture_run(w->f, MS / 10);
        uint32_t live = w->f->k->msgs.live[MSG_FULL] + w->f->k->msgs.live[MSG_SMALL];
        assert_true(live - start <= 64);
    }
    assert_true(net_drops(w, DROP_FRAG_LIMIT) >= 99900);
    size_t n = echo_build(3000); /* others are served all the same */
    net_run(w, MS);
    net_clear(w);
    piece(w, BOX, 7, 0, 1480, true);
    piece(w, BOX, 7, 1480, 2960, true);
    piece(w, BOX, 7, 2960, n, false);
    net_run(w, 2 * MS);
    echo_answered(w, n);
    net_end(w);
}

/* One source gets four places, whatever it sends. */
static void one_source(void **state)
{
    struct net *w = net_make("echo", 1, "");
    (void)state;
    echo_build(3000);
    for (uint16_t id = 0; id < 10; id++)
        piece(w, BOX, id, 0, 1000, true);
    net_run(w, MS);
    assert_int_equal(net_drops(w, DROP_FRAG_LIMIT), 6);
    assert_non_null(strstr(fixture_command(w->f, "show nodes"), "reassembling 4 bytes"));
    net_end(w);
}

/* Bytes are bounded, too: a datagram in pieces of eight bytes is not worth them. */
static void memory(void **state)
{
    struct net *w = net_make("echo", 1, "");
    (void)state;
    echo_build(4000);
    for (size_t at = 0; at < 2400; at += 8)
        piece(w, BOX, 1, at, at + 8, true);
    net_run(w, MS);
    assert_true(net_drops(w, DROP_FRAG_LIMIT) > 0);
    const char *at = strstr(fixture_command(w->f, "show nodes"), "reassembling");
    assert_non_null(at);
    assert_true(strtoul(strstr(at, "bytes ") + 6, NULL, 10) <= 256 * 1024);
    net_end(w);
}

static void too_late(void **state)
{
    struct net *w = net_make("echo", 1, "");
    (void)state;
    size_t n = echo_build(2900);
    piece(w, BOX, 1, 0, 1480, true);
    piece(w, BOX, 2, 1480, n, false);
    net_run(w, 14 * SECOND);
    net_none(w);
    net_run(w, 2 * SECOND);
    assert_int_equal(net_drops(w, DROP_FRAG_TIME), 2);
    const struct frame *f = net_only(w); /* only about the one whose first fragment came */
    assert_int_equal(f->b[34], 11);
    assert_int_equal(f->b[35], 1);
    assert_int_equal(get16(f->b + 42 + 4), 1);
    net_end(w);
}

static void cutting(void **state)
{
    struct net *w = net_make("router", 2, "ip.mtu=eth1=300");
    (void)state;
    meet(w, SERVER);
    srand(6);
    for (int i = 0; i < 200; i++) {
        uint8_t data[1480], got[65536];
        struct dgram d = {
            .data = data, .n = (size_t)rand() % 1480 + 1, .id = (uint16_t)i, .proto = 99};
        for (size_t j = 0; j < d.n; j++)
            data[j] = (uint8_t)rand();
        net_clear(w);
        net_send(w, 0, &d);
        assert_int_equal(w->nframes, d.n <= 280 ? 1 : (d.n + 279) / 280);
        assert_int_equal(whole(w, got), d.n);
        assert_memory_equal(got, data, d.n);
        for (int j = 0; j < w->nframes; j++) {
            assert_true(w->frame[j].n <= 314);
            assert_int_equal(w->frame[j].b[22], 63);
        }
    }
    net_end(w);
}

/* RFC 791: options with the copied bit are in every fragment, others in the first only. */
static void copied_options(void **state)
{
    static const uint8_t opt[] = {7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0};
    struct net *w = net_make("router", 2, "ip.mtu=eth1=300");
    uint8_t data[700], got[65536];
    struct dgram d = {.data = data, .n = sizeof data, .opt = opt, .nopt = sizeof opt};
    (void)state;
    memset(data, 0x5a, sizeof data);
    net_send(w, 0, &d);
    assert_int_equal(whole(w, got), sizeof data);
    assert_int_equal(w->frame[0].b[14], 0x48);
    assert_memory_equal(w->frame[0].b + 34, opt, sizeof opt);
    for (int i = 1; i < w->nframes; i++) {
        assert_int_equal(w->frame[i].b[14], 0x46);
        assert_memory_equal(w->frame[i].b + 34, opt + 8, 4);
    }
    net_end(w);
}

/* A fragment in transit is cut again; the offsets and the last one's flag are right. */
static void cut_again(void **state)
{
    struct net *w = net_make("router", 2, "ip.mtu=eth1=300");
    uint8_t got[65536];
    (void)state;
    meet(w, SERVER);
    size_t n = echo_build(3000);
    for (int round = 0; round < 2; round++) {
        net_clear(w);
        piece(w, SERVER, 9, 1480, 2960, true);
        piece(w, SERVER, 9, 2960, n, false);
        piece(w, SERVER, 9, 0, 1480, true);
        net_run(w, 3 * MS);
        assert_int_equal(whole(w, got), n);
        assert_memory_equal(got, echo, n);
        assert_int_equal(fixture_value(w->f, "show nodes", "reassembled"), 0);
    }
    net_end(w);
}

/* defrag=on: whole datagrams are what is classified, also in transit. */
static void in_transit(void **state)
{
    struct net *w = net_make("router", 2, "ip.defrag=on");
    uint8_t got[65536];
    (void)state;
    size_t n = echo_build(3000);
    for (int round = 0; round < 3; round++) {
        net_clear(w);
        piece(w, SERVER, (uint16_t)round, 1480, 2960, true);
        piece(w, SERVER, (uint16_t)round, 2960, n, false);
        net_run(w, 2 * MS);
        net_none(w);
        piece(w, SERVER, (uint16_t)round, 0, 1480, true);
        net_run(w, 3 * MS);
        assert_int_equal(whole(w, got), n);
        assert_memory_equal(got, echo, n);
    }
    assert_int_equal(fixture_value(w->f, "show nodes", "reassembled"), 3);
    net_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 815: fragments of any size in any order", any_order),
        PLAIN_TEST("R-BAD-14: overlaps lose the datagram, exact duplicates do not", overlaps),
        PLAIN_TEST("R-BAD-15: beyond 65535, odd lengths, empty, behind the end", impossible),
        PLAIN_TEST("R-BAD-13: fragments that hide the ports", tiny),
        PLAIN_TEST("R-BAD-16: 100,000 incomplete datagrams", flood),
        PLAIN_TEST("R-ATK-5: four datagrams of one source", one_source),
        PLAIN_TEST("R-ATK-5: bytes are bounded", memory),
        PLAIN_TEST("RFC 1122 3.3.2: time exceeded after 15 s", too_late),
        PLAIN_TEST("RFC 1812 5.2.6: cut to the link's MTU", cutting),
        PLAIN_TEST("RFC 791 3.1: copied options", copied_options),
        PLAIN_TEST("RFC 791 3.2: a fragment is cut again", cut_again),
        PLAIN_TEST("ip: defrag=on puts together what is in transit", in_transit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
