/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that do not fit, sent by hand to a listener and during the handshake: what each may do
 * to connection, and to its state. What is expected comes from the clause in the name.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/wire/be.h"
#include "tests/unit/tcp_link.h"

enum { ISN = 5000, WND = 20000 };

static void header_cut(void **state)
{
    struct tl *t = tl_plain();
    uint8_t h[40] = {0};
    (void)state;
    be16_put(h, 4000);
    be16_put(h + 2, TL_PORT);
    h[13] = TCP_SYN;
    for (uint32_t n = 4; n < 20; n++) {
        uint64_t before = tl_drops(t, DROP_TCP_HEADER);
        h[12] = 0x50;
        tl_send_raw(t, h, n, true);
        assert_int_equal(tl_drops(t, DROP_TCP_HEADER), before + 1);
    }
    for (unsigned off = 0; off < 16; off++) {
        if (off >= 5 && off <= 7) /* 20 to 28 bytes are there */
            continue;
        uint64_t before = tl_drops(t, DROP_TCP_HEADER);
        h[12] = (uint8_t)(off << 4);
        tl_send_raw(t, h, 28, true);
        assert_int_equal(tl_drops(t, DROP_TCP_HEADER), before + 1);
    }
    tl_silence(t);
    tl_end(t);
}

static void checksum_wrong(void **state)
{
    struct tl *t = tl_plain();
    uint8_t h[20] = {0};
    (void)state;
    be16_put(h, 4000);
    be16_put(h + 2, TL_PORT);
    h[12] = 0x50;
    h[13] = TCP_SYN;
    be16_put(h + 16, 0x1234);
    tl_send_raw(t, h, 20, false);
    assert_int_equal(tl_drops(t, DROP_TCP_CKSUM), 1);
    tl_silence(t);
    tl_end(t);
}

static void port_zero(void **state)
{
    struct tl *t = tl_plain();
    (void)state;
    t->port = 0;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    assert_int_equal(tl_drops(t, DROP_TCP_PORT), 1);
    tl_silence(t);
    tl_end(t);
}

/* R-BAD-35: what a listener gets and does not answer. */
static void odd_flags(void **state)
{
    static const uint8_t odd[] = {0,
                                  TCP_FIN,
                                  TCP_SYN | TCP_FIN,
                                  TCP_SYN | TCP_RST,
                                  TCP_RST,
                                  TCP_PSH | TCP_URG,
                                  TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK};
    struct tl *t = tl_plain();
    (void)state;
    for (size_t i = 0; i < sizeof odd; i++) {
        tl_send(t, odd[i], ISN, 77, WND, NULL, 0);
        tl_silence(t);
    }
    assert_int_equal(tl_user(t, 0)->n, 0);
    tl_end(t);
}

/* RFC 3360: reserved bits and ECN's in a SYN do not make it another thing. */
static void reserved_bits(void **state)
{
    struct tl *t = tl_plain();
    uint8_t h[20] = {0};
    (void)state;
    be16_put(h, TL_PEER_PORT);
    be16_put(h + 2, TL_PORT);
    be32_put(h + 4, ISN);
    h[12] = 0x5f;
    h[13] = TCP_SYN | 0xc0;
    be16_put(h + 14, WND);
    tl_send_raw(t, h, 20, true);
    tl_expect(t, TCP_SYN | TCP_ACK); /* no ECE: not negotiated */
    tl_finish(t, ISN + 1);
}

/* RFC 9293 3.10.7.1 and 3.10.7.2 */
static void no_connection(void **state)
{
    struct tl *t = tl_plain();
    (void)state;
    tl_send(t, TCP_ACK, ISN, 999, WND, NULL, 0); /* ACK to LISTEN: R-BAD-38 */
    const struct tl_seg *s = tl_expect(t, TCP_RST);
    assert_int_equal(s->seq, 999);
    tl_send(t, TCP_SYN | TCP_ACK, ISN, 999, WND, NULL, 0);
    s = tl_expect(t, TCP_RST);
    assert_int_equal(s->seq, 999);
    tl_end(t);
    t = tl_plain();
    tl_user(t, 0)->refuse = true; /* the proxy says no: R-BAD-36 */
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    s = tl_expect(t, TCP_RST | TCP_ACK);
    assert_int_equal(s->seq, 0);
    assert_int_equal(s->ack, ISN + 1);
    tl_end(t);
}

static void miss_drop(void **state)
{
    struct tl *t = tl_make(1, NULL, "miss=drop");
    uint8_t h[20] = {0};
    (void)state;
    be16_put(h, TL_PEER_PORT);
    be16_put(h + 2, TL_PORT + 1); /* nobody listens */
    h[12] = 0x50;
    h[13] = TCP_SYN;
    tl_send_raw(t, h, 20, true);
    tl_silence(t);
    assert_int_equal(tl_drops(t, DROP_TCP_CLOSED), 1);
    tl_end(t);
}

/* R-BAD-37: bytes in a SYN wait for the handshake; ours come again. */
static void syn_with_data(void **state)
{
    struct tl *t = tl_plain();
    uint8_t bytes[5];
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        bytes[i] = tl_byte(0, i);
    tl_send(t, TCP_SYN, ISN, 0, WND, bytes, 5);
    const struct tl_seg *s = tl_expect(t, TCP_SYN | TCP_ACK);
    struct tl_conn *c = &tl_user(t, 0)->conn[0];
    assert_int_equal(s->ack, ISN + 1);
    assert_int_equal(c->rx, 0);
    tl_send(t, TCP_ACK, ISN + 1, s->seq + 1, WND, bytes, 5);
    assert_int_equal(c->rx, 5);
    assert_int_equal(c->rx_bad, 0);
    tl_finish(t, ISN + 6);
}

/* R-BAD-39: acknowledgements in SYN-RECEIVED that are not ours. */
static void handshake_ack(void **state)
{
    static const int off[] = {0, 2, -1};
    struct tl *t = tl_plain();
    (void)state;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    uint32_t iss = tl_expect(t, TCP_SYN | TCP_ACK)->seq;
    for (int i = 0; i < 3; i++) {
        uint32_t ack = iss + (uint32_t)off[i];
        tl_send(t, TCP_ACK, ISN + 1, ack, WND, NULL, 0);
        const struct tl_seg *s = tl_expect(t, TCP_RST);
        assert_int_equal(s->seq, ack);
        assert_int_equal(tl_user(t, 0)->conn[0].opened, 0);
    }
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
    assert_int_equal(tl_user(t, 0)->conn[0].opened, 1);
    tl_finish(t, ISN + 1);
}

/* R-BAD-42: the SYN again, with the same and with another number. */
static void syn_again(void **state)
{
    struct tl *t = tl_plain();
    (void)state;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    uint32_t iss = tl_expect(t, TCP_SYN | TCP_ACK)->seq;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    const struct tl_seg *s = tl_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(s->seq, iss);
    tl_send(t, TCP_SYN, ISN + 100, 0, WND, NULL, 0);
    s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->ack, ISN + 1);
    assert_int_equal(tl_user(t, 0)->n, 1);
    tl_finish(t, ISN + 1);
}

/* R-BAD-40: SYN-SENT. */
static void syn_sent(void **state)
{
    struct tl *t = tl_plain();
    (void)state;
    struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PEER_PORT);
    tl_run(t, 3 * MS);
    uint32_t iss = tl_expect(t, TCP_SYN)->seq;
    uint8_t h[20] = {0};
    be16_put(h, TL_PEER_PORT);
    be16_put(h + 2, tl_tcb(c)->local.port);
    be32_put(h + 4, ISN);
    h[12] = 0x50;
    be16_put(h + 14, WND);
    h[13] = TCP_SYN | TCP_ACK; /* ack not above ISS, or beyond */
    for (uint32_t bad = 0; bad < 3; bad += 2) {
        be32_put(h + 8, iss + bad);
        tl_send_raw(t, h, 20, true);
        const struct tl_seg *s = tl_expect(t, TCP_RST);
        assert_int_equal(s->seq, iss + bad);
    }
    h[13] = TCP_RST; /* without ACK: R-BAD-45 */
    be32_put(h + 8, 0);
    tl_send_raw(t, h, 20, true);
    h[13] = TCP_RST | TCP_ACK; /* with one that is not ours */
    be32_put(h + 8, iss + 2);
    tl_send_raw(t, h, 20, true);
    tl_silence(t);
    assert_int_equal(tl_tcb(c)->state, TCP_SYN_SENT);
    be32_put(h + 8, iss + 1);
    tl_send_raw(t, h, 20, true);
    tl_silence(t);
    assert_int_equal(c->reset, 1);
    assert_int_equal(c->closed, 1);
    tl_end(t);
}

/* R-BAD-29, R-BAD-30: what a SYN's options do to us. */
static void syn_options(void **state)
{
    static const struct {
        uint16_t mss, expect;
    } sizes[] = {{0, 216},     {1, 216},     {63, 216},    {216, 216},
                 {1000, 1000}, {1460, 1460}, {65535, 1460}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct tl *t = tl_plain();
        uint8_t o[8] = {2, 4, (uint8_t)(sizes[i].mss >> 8), (uint8_t)sizes[i].mss, 2, 4, 3, 0};
        uint32_t iss;
        tl_opt(t, o, 8); /* twice: the first counts */
        struct tl_conn *c = tl_open(t, ISN, WND, &iss);
        c->chunk = 1900;
        tl_push(c, 5000);
        tl_run(t, 3 * MS);
        assert_int_equal(tl_expect(t, TCP_ACK)->len, sizes[i].expect);
        tl_finish(t, ISN + 1);
    }
    for (int scale = 13; scale < 16; scale++) {
        struct tl *t = tl_make(1, NULL, "timestamps=off");
        uint8_t o[4] = {3, 3, (uint8_t)scale, 0};
        uint32_t iss;
        tl_opt(t, o, 3);
        struct tl_conn *c = tl_open(t, ISN, 10, &iss);
        assert_int_equal(tl_tcb(c)->snd_wnd, 10U << (scale > 14 ? 14 : scale));
        tl_finish(t, ISN + 1);
    }
}

/* R-BAD-44, RFC 4987: cookies. */
static void cookies(void **state)
{
    struct tl *t = tl_make(1, NULL, "backlog=2");
    struct tl_user *u = tl_user(t, 0);
    uint8_t o[20] = {2, 4, 1200 >> 8, 1200 & 0xff, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 99};
    (void)state;
    for (uint16_t i = 0; i < 2; i++) { /* the backlog is full */
        t->port = (uint16_t)(2000 + i);
        tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
        tl_expect(t, TCP_SYN | TCP_ACK);
    }
    assert_int_equal(u->n, 2);
    t->port = 3000;
    tl_opt(t, o, 20);
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    struct tl_seg a = *tl_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(u->n, 2); /* no state */
    assert_int_equal(tl_tcp(t, 0)->stat[STAT_COOKIE_SENT], 1);
    assert_true(a.sack_ok && a.ts && a.wscale >= 0);
    assert_int_equal(a.tsecr, 99);
    tl_opt_ts(t, 100, a.tsval);
    for (uint32_t i = 1; i < 50; i++) { /* forged */
        tl_send(t, TCP_ACK, ISN + 1, a.seq + 1 + (i << 20 | i), WND, NULL, 0);
        tl_expect(t, TCP_RST);
    }
    t->port = 3001; /* another tuple */
    tl_send(t, TCP_ACK, ISN + 1, a.seq + 1, WND, NULL, 0);
    tl_expect(t, TCP_RST);
    t->port = 3000;
    tl_send(t, TCP_ACK, ISN + 2, a.seq + 1, WND, NULL, 0); /* another ISN */
    tl_expect(t, TCP_RST);
    assert_int_equal(tl_drops(t, DROP_COOKIE_INVALID), 51);
    assert_int_equal(u->n, 2);
    uint8_t b = tl_byte(0, 0);
    tl_send(t, TCP_ACK, ISN + 1, a.seq + 1, WND, &b, 1); /* the right one, with data */
    assert_int_equal(u->n, 3);
    assert_int_equal(u->conn[2].opened, 1);
    assert_int_equal(u->conn[2].rx, 1);
    assert_int_equal(u->conn[2].rx_bad, 0);
    const struct tcb *c = tl_tcb(&u->conn[2]);
    assert_true(c->sack_ok && c->ts_ok && c->ws_ok);
    assert_int_equal(c->snd_scale, 7);
    assert_int_equal(c->peer_mss, 1024); /* the next lower of the table */
    tl_push(&u->conn[2], 10);
    tl_run(t, 100 * MS);
    const struct tl_seg *s = tl_next(t);
    assert_non_null(s);
    assert_int_equal(s->seq, a.seq + 1);
    assert_true(s->ts && s->tsval - a.tsval < 1000); /* the clock that the SYN-ACK began (ms) */
    tl_send(t, TCP_RST, ISN + 2, 0, 0, NULL, 0);
    assert_int_equal(u->conn[2].reset, 1);
    tl_opt(t, o, 20); /* expired: three periods later */
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    while (tl_next(t))
        ;
    tl_run(t, 200 * SECOND);
    tl_opt_ts(t, 200, a.tsval);
    while (tl_next(t))
        ;
    tl_send(t, TCP_ACK, ISN + 1, a.seq + 1, WND, NULL, 0);
    tl_expect(t, TCP_RST);
    tl_end(t);
}

/* An ACK with a good cookie and the request behind it come in one burst: both are classified before
 * the first has made the connection. */
static void cookie_burst(void **state)
{
    struct tl *t = tl_make(1, NULL, "backlog=0");
    struct tl_user *u = tl_user(t, 0);
    uint8_t bytes[30];
    (void)state;
    for (uint32_t i = 0; i < 30; i++)
        bytes[i] = tl_byte(0, i);
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    uint32_t iss = tl_expect(t, TCP_SYN | TCP_ACK)->seq;
    assert_int_equal(u->n, 0);
    t->at_once = true;
    for (uint32_t i = 0; i < 3; i++)
        tl_send(t, TCP_ACK, ISN + 1 + 10 * i, iss + 1, WND, bytes + 10 * i, 10);
    t->at_once = false;
    tl_run(t, 3 * MS);
    assert_int_equal(u->n, 1);
    assert_int_equal(u->conn[0].rx, 30);
    assert_int_equal(u->conn[0].rx_bad, 0);
    const struct tl_seg *s;
    while ((s = tl_next(t)))
        assert_false(s->flags & TCP_RST);
    tl_finish(t, ISN + 31);
}

static void backlog_without_cookies(void **state)
{
    struct tl *t = tl_make(1, NULL, "backlog=1 cookies=off");
    (void)state;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    uint32_t iss = tl_expect(t, TCP_SYN | TCP_ACK)->seq;
    t->port++;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    tl_silence(t);
    assert_int_equal(tl_drops(t, DROP_CONN_LIMIT), 1);
    t->port--;
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
    t->port++;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0); /* there is a place again */
    uint32_t second = tl_expect(t, TCP_SYN | TCP_ACK)->seq;
    tl_send(t, TCP_RST, ISN + 1, second + 1, 0, NULL, 0);
    t->port--;
    tl_finish(t, ISN + 1);
}

/* R-BAD-28: every option kind with every length, in a SYN and after it. */
static void option_lengths(void **state)
{
    struct tl *t = tl_make(1, NULL, "");
    uint32_t iss, n = 0;
    (void)state;
    tl_opt_ts(t, 1000, 0);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    t->nopt = 40;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned len = 0; len <= 40; len++) {
            uint8_t o[40];
            memset(o, 1, sizeof o);
            o[3] = (uint8_t)kind;
            o[4] = (uint8_t)len;
            tl_opt(t, o, 40);
            tl_send(t, TCP_RST, ISN + 1, 0, WND, NULL, 0);
            n += tl_user(t, 0)->conn[0].reset;
            if (!c->p) { /* an exact RST ends it, whatever its options: open again */
                tl_user(t, 0)->n = 0;
                tl_opt_ts(t, 1000, 0);
                c = tl_open(t, ISN, WND, &iss);
                t->nopt = 40;
            }
            while (tl_next(t))
                ;
        }
    }
    assert_int_equal(n, 256 * 41);
    tl_finish(t, ISN + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-25: header cut at each byte, impossible data offsets", header_cut),
        PLAIN_TEST("R-BAD-26: checksum wrong", checksum_wrong),
        PLAIN_TEST("R-BAD-27: port 0", port_zero),
        PLAIN_TEST("R-BAD-28: every option kind with every length", option_lengths),
        PLAIN_TEST("R-BAD-29, R-BAD-30: MSS and window scale beyond sense", syn_options),
        PLAIN_TEST("R-BAD-35: flags that mean nothing to a listener", odd_flags),
        PLAIN_TEST("R-BAD-35, RFC 3360: reserved bits", reserved_bits),
        PLAIN_TEST("R-BAD-36, R-BAD-38, RFC 9293 3.10.7.1: no connection", no_connection),
        PLAIN_TEST("R-BAD-36: miss=drop is silent", miss_drop),
        PLAIN_TEST("R-BAD-37: SYN with data", syn_with_data),
        PLAIN_TEST("R-BAD-39: SYN-RECEIVED, wrong ACK", handshake_ack),
        PLAIN_TEST("R-BAD-40, R-BAD-45: SYN-SENT, wrong ACK and RST", syn_sent),
        PLAIN_TEST("R-BAD-42: SYN again in SYN-RECEIVED", syn_again),
        PLAIN_TEST("RFC 4987: a full backlog without cookies", backlog_without_cookies),
        PLAIN_TEST("R-BAD-44, RFC 4987: SYN cookies", cookies),
        PLAIN_TEST("RFC 4987: a cookie and what follows it in one burst", cookie_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
