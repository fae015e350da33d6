/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that do not fit, sent by hand to one TCP: what each may do to a listener, to a
 * connection, and to its state. What is expected comes from the clause in the name.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/wire/be.h"
#include "tests/unit/tcp_link.h"

enum { ISN = 5000, WND = 20000 };

static struct tl *plain(void)
{
    return tl_make(1, NULL, "timestamps=off sack=off wscale=off");
}

/* Ends a connection that is open and in step: seq and ack as of now. */
static void finish(struct tl *t, uint32_t seq, uint32_t ack)
{
    tl_send(t, TCP_RST, seq, ack, 0, NULL, 0);
    while (tl_next(t))
        ;
    tl_end(t);
}

static void header_cut(void **state)
{
    struct tl *t = plain();
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
    struct tl *t = plain();
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
    struct tl *t = plain();
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
    struct tl *t = plain();
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
    struct tl *t = plain();
    uint8_t h[20] = {0};
    (void)state;
    be16_put(h, TL_PEER_PORT);
    be16_put(h + 2, TL_PORT);
    be32_put(h + 4, ISN);
    h[12] = 0x5f;
    h[13] = TCP_SYN | 0xc0;
    be16_put(h + 14, WND);
    tl_send_raw(t, h, 20, true);
    const struct tl_seg *s = tl_expect(t, TCP_SYN | TCP_ACK); /* no ECE: not negotiated */
    finish(t, ISN + 1, s->seq + 1);
}

/* RFC 9293 3.10.7.1 and 3.10.7.2 */
static void no_connection(void **state)
{
    struct tl *t = plain();
    (void)state;
    tl_send(t, TCP_ACK, ISN, 999, WND, NULL, 0); /* ACK to LISTEN: R-BAD-38 */
    const struct tl_seg *s = tl_expect(t, TCP_RST);
    assert_int_equal(s->seq, 999);
    tl_send(t, TCP_SYN | TCP_ACK, ISN, 999, WND, NULL, 0);
    s = tl_expect(t, TCP_RST);
    assert_int_equal(s->seq, 999);
    tl_end(t);
    t = plain();
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
    struct tl *t = plain();
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
    finish(t, ISN + 6, s->seq + 1);
}

/* R-BAD-39: acknowledgements in SYN-RECEIVED that are not ours. */
static void handshake_ack(void **state)
{
    static const int off[] = {0, 2, -1};
    struct tl *t = plain();
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
    finish(t, ISN + 1, iss + 1);
}

/* R-BAD-42: the SYN again, with the same and with another number. */
static void syn_again(void **state)
{
    struct tl *t = plain();
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
    finish(t, ISN + 1, iss + 1);
}

/* R-BAD-40: SYN-SENT. */
static void syn_sent(void **state)
{
    struct tl *t = plain();
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

/* RFC 5961 3.2: a RST counts only at RCV.NXT. */
static void reset(void **state)
{
    struct tl *t = plain();
    uint32_t iss;
    (void)state;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_send(t, TCP_RST, ISN + 1 + 200000, 0, 0, NULL, 0); /* outside */
    tl_send(t, TCP_RST, ISN, 0, 0, NULL, 0);
    tl_silence(t);
    tl_send(t, TCP_RST, ISN + 1 + 1000, 0, 0, NULL, 0); /* inside */
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->seq, iss + 1);
    assert_int_equal(s->ack, ISN + 1);
    assert_int_equal(c->reset, 0);
    tl_send(t, TCP_RST, ISN + 1, 0, 0, "xyz", 3); /* exact; R-BAD-46: its payload is nothing */
    tl_silence(t);
    assert_int_equal(c->reset, 1);
    assert_int_equal(c->closed, 1);
    assert_int_equal(c->rx, 0);
    tl_end(t);
}

/* RFC 9293 MUST-66: at a zero window too. */
static void reset_zero_window(void **state)
{
    struct tl *t = tl_make(1, NULL, "timestamps=off sack=off wscale=off rcvbuf=4k");
    uint8_t bytes[4096];
    uint32_t iss;
    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = tl_byte(0, i);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    c->stopped = true;
    uint32_t seq = ISN + 1;
    for (int i = 0; i < 4; i++, seq += 1024)
        tl_send(t, TCP_ACK, seq, iss + 1, WND, bytes + (seq - ISN - 1), 1024);
    tl_run(t, SECOND);
    const struct tl_seg *s, *last = NULL;
    while ((s = tl_next(t)))
        last = s;
    assert_non_null(last);
    assert_int_equal(last->ack, seq);
    assert_int_equal(last->wnd, 0);
    tl_send(t, TCP_ACK, seq, iss + 1, WND, bytes, 1); /* a probe: answered, not taken */
    s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->ack, seq);
    tl_send(t, TCP_RST, seq, 0, 0, NULL, 0);
    assert_int_equal(c->reset, 1);
    tl_end(t);
}

/* R-BAD-48, RFC 5961 4.2 */
static void syn_established(void **state)
{
    static const uint32_t at[] = {ISN + 1, ISN + 5000, ISN + 900000, ISN - 5000};
    struct tl *t = plain();
    uint32_t iss;
    (void)state;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    for (int i = 0; i < 4; i++) {
        tl_run(t, SECOND); /* the limit on challenges is another test's */
        tl_send(t, TCP_SYN, at[i], 0, WND, NULL, 0);
        const struct tl_seg *s = tl_expect(t, TCP_ACK);
        assert_int_equal(s->ack, ISN + 1);
        assert_int_equal(s->seq, iss + 1);
    }
    assert_int_equal(c->reset + c->closed, 0);
    finish(t, ISN + 1, iss + 1);
}

/* R-BAD-49, RFC 5961 5.2: with data, which is not taken either. */
static void ack_range(void **state)
{
    struct tl *t = plain();
    uint32_t iss;
    (void)state;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_send(t, TCP_ACK, ISN + 1, iss + 2, WND, "x", 1); /* never sent */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 1);
    tl_run(t, SECOND);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 - WND - 1, WND, "x", 1); /* older than any window */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 1);
    assert_int_equal(tl_drops(t, DROP_TCP_ACK), 2);
    assert_int_equal(c->rx, 0);
    uint8_t b = tl_byte(0, 0);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 - WND, WND, &b, 1); /* the oldest that may be */
    assert_int_equal(c->rx, 1);
    assert_int_equal(c->rx_bad, 0);
    finish(t, ISN + 2, iss + 1);
}

/* R-BAD-51, R-ATK-8: at most two answers a second. */
static void challenges_limited(void **state)
{
    struct tl *t = plain();
    uint32_t iss, answers = 0;
    (void)state;
    tl_open(t, ISN, WND, &iss);
    uint64_t begin = simworld_now(t->world);
    for (int i = 0; i < 10000; i++) {
        static const uint8_t kinds[] = {TCP_RST, TCP_SYN, TCP_ACK};
        tl_send(t, kinds[i % 3], ISN + 100, iss + 5000, WND, NULL, 0);
        while (tl_next(t))
            answers++;
    }
    uint64_t seconds = (simworld_now(t->world) - begin) / SECOND;
    assert_true(seconds >= 10);
    assert_true(answers >= seconds);
    assert_true(answers <= 2 * seconds + 1);
    finish(t, ISN + 1, iss + 1);
}

/* R-BAD-50: left of the window, right of it, across its edges. */
static void outside_window(void **state)
{
    struct tl *t = tl_make(1, NULL, "timestamps=off sack=off wscale=off rcvbuf=4k");
    uint8_t bytes[8000];
    uint32_t iss;
    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = tl_byte(0, i);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, bytes, 100);
    assert_int_equal(c->rx, 100);
    tl_run(t, SECOND);
    while (tl_next(t))
        ;
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, bytes, 100); /* again */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 101);
    tl_send(t, TCP_ACK, ISN + 51, iss + 1, WND, bytes + 50, 100); /* half old */
    assert_int_equal(c->rx, 150);
    tl_run(t, SECOND);
    while (tl_next(t))
        ;
    tl_send(t, TCP_ACK, ISN + 151 + 5000, iss + 1, WND, bytes, 10); /* beyond */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 151);
    c->stopped = true;
    uint32_t edge = tl_tcb(c)->rcv_adv;
    uint32_t off = 150;
    while (ISN + 1 + off + 1000 < edge) {
        tl_send(t, TCP_ACK, ISN + 1 + off, iss + 1, WND, bytes + off, 1000);
        off += 1000;
    }
    tl_send(t, TCP_ACK, ISN + 1 + off, iss + 1, WND, bytes + off, 1400); /* over the edge */
    tl_run(t, SECOND);
    assert_int_equal(tl_tcb(c)->rcv_nxt, edge);
    tl_go(c);
    tl_run(t, SECOND);
    assert_int_equal(c->rx, edge - ISN - 1);
    assert_int_equal(c->rx_bad, 0);
    finish(t, edge, iss + 1);
}

/* R-BAD-52: bytes that came first stay. */
static void first_copy_wins(void **state)
{
    struct tl *t = plain();
    uint8_t right[300], wrong[300];
    uint32_t iss;
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        right[i] = tl_byte(0, i);
        wrong[i] = (uint8_t)~right[i];
    }
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_send(t, TCP_ACK, ISN + 1 + 100, iss + 1, WND, right + 100, 100);
    tl_send(t, TCP_ACK, ISN + 1 + 120, iss + 1, WND, wrong + 120, 60); /* inside */
    memcpy(wrong, right, 100);
    memcpy(wrong + 200, right + 200, 100);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, wrong, 300); /* around */
    assert_int_equal(c->rx, 300);
    assert_int_equal(c->rx_bad, 0);
    finish(t, ISN + 301, iss + 1);
}

/* R-BAD-53: every other byte of a window, a byte a segment, and then all of it. */
static void many_holes(void **state)
{
    struct tl *t = plain();
    uint8_t bytes[20000];
    uint32_t iss;
    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = tl_byte(0, i);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    for (uint32_t i = 1; i < 20000; i += 2) {
        tl_send(t, TCP_ACK, ISN + 1 + i, iss + 1, WND, bytes + i, 1);
        while (tl_next(t))
            ;
    }
    assert_true(tl_tcb(c)->reass->n <= REASS_RUNS);
    assert_true(c->p->pool.used < 100000);
    assert_true(tl_drops(t, DROP_TCP_OOO) > 9000);
    for (uint32_t i = 0; i < 20000; i += 1000) {
        tl_send(t, TCP_ACK, ISN + 1 + i, iss + 1, WND, bytes + i, 1000);
        while (tl_next(t))
            ;
    }
    assert_int_equal(c->rx, 20000);
    assert_int_equal(c->rx_bad, 0);
    finish(t, ISN + 20001, iss + 1);
}

/* R-BAD-54: FIN out of order, FIN again in CLOSE-WAIT, LAST-ACK and CLOSING. */
static void fin_orders(void **state)
{
    struct tl *t = plain();
    uint8_t bytes[20];
    uint32_t iss;
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        bytes[i] = tl_byte(0, i);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_send(t, TCP_ACK | TCP_FIN, ISN + 11, iss + 1, WND, bytes + 10, 10);
    assert_int_equal(c->eof, 0);
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 1);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, bytes, 10);
    assert_int_equal(c->rx, 20);
    assert_int_equal(c->eof, 1);
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 22);
    assert_int_equal(tl_tcb(c)->state, TCP_CLOSE_WAIT);
    tl_send(t, TCP_ACK | TCP_FIN, ISN + 11, iss + 1, WND, bytes + 10, 10); /* again */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 22);
    tl_shut(c);
    tl_run(t, 3 * MS);
    assert_int_equal(tl_expect(t, TCP_ACK | TCP_FIN)->seq, iss + 1);
    assert_int_equal(tl_tcb(c)->state, TCP_LAST_ACK);
    tl_send(t, TCP_ACK | TCP_FIN, ISN + 21, iss + 1, WND, NULL, 0); /* in LAST-ACK */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 22);
    tl_send(t, TCP_ACK, ISN + 22, iss + 2, WND, NULL, 0);
    assert_int_equal(c->closed, 1);
    assert_int_equal(c->eof, 1);
    tl_end(t);
}

/* RFC 9293 figure 14: simultaneous close, through CLOSING; TIME-WAIT answers the FIN again. */
static void simultaneous_close(void **state)
{
    struct tl *t = plain();
    uint32_t iss;
    (void)state;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_shut(c);
    tl_run(t, 3 * MS);
    assert_int_equal(tl_expect(t, TCP_ACK | TCP_FIN)->seq, iss + 1);
    tl_send(t, TCP_ACK | TCP_FIN, ISN + 1, iss + 1, WND, NULL, 0);
    assert_int_equal(tl_tcb(c)->state, TCP_CLOSING);
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 2);
    tl_send(t, TCP_ACK | TCP_FIN, ISN + 1, iss + 1, WND, NULL, 0); /* R-BAD-54: in CLOSING */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 2);
    tl_send(t, TCP_ACK, ISN + 2, iss + 2, WND, NULL, 0);
    assert_int_equal(c->closed, 1);
    assert_int_equal(c->eof, 1);
    assert_int_equal(tl_tcp(t, 0)->waits.live, 1);
    tl_send(t, TCP_ACK | TCP_FIN, ISN + 1, iss + 2, WND, NULL, 0);
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->ack, ISN + 2);
    assert_int_equal(s->seq, iss + 2);
    tl_run(t, 61 * SECOND);
    assert_int_equal(tl_tcp(t, 0)->waits.live, 0);
    tl_end(t);
}

static uint32_t to_time_wait(struct tl *t)
{
    uint32_t iss;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_shut(c);
    tl_run(t, 3 * MS);
    tl_expect(t, TCP_ACK | TCP_FIN);
    tl_send(t, TCP_ACK | TCP_FIN, ISN + 1, iss + 2, WND, NULL, 0);
    tl_expect(t, TCP_ACK);
    assert_int_equal(tl_tcp(t, 0)->waits.live, 1);
    assert_int_equal(c->closed, 1);
    return iss;
}

/* R-BAD-47, RFC 1337; R-BAD-58, RFC 6191. */
static void time_wait(void **state)
{
    struct tl *t = plain();
    (void)state;
    uint32_t iss = to_time_wait(t);
    tl_send(t, TCP_RST, ISN + 2, 0, 0, NULL, 0);
    tl_silence(t);
    assert_int_equal(tl_tcp(t, 0)->waits.live, 1);
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0); /* lower: an old one */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 2);
    assert_int_equal(tl_tcp(t, 0)->waits.live, 1);
    tl_send(t, TCP_SYN, ISN + 3, 0, WND, NULL, 0); /* higher: a new connection */
    const struct tl_seg *s = tl_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(s->ack, ISN + 4);
    assert_true((int32_t)(s->seq - (iss + 2)) > 0);
    assert_int_equal(tl_tcp(t, 0)->waits.live, 0);
    finish(t, ISN + 4, s->seq + 1);
}

/* RFC 6191 2: by time stamp, when both have one. */
static void time_wait_stamps(void **state)
{
    struct tl *t = tl_make(1, NULL, "");
    (void)state;
    tl_opt_ts(t, 1000, 0);
    to_time_wait(t);
    tl_opt_ts(t, 999, 0);
    tl_send(t, TCP_SYN, ISN + 3000, 0, WND, NULL, 0);
    tl_expect(t, TCP_ACK);
    tl_opt_ts(t, 1001, 0);
    tl_send(t, TCP_SYN, ISN - 3000, 0, WND, NULL, 0);
    uint32_t iss = tl_expect(t, TCP_SYN | TCP_ACK)->seq;
    finish(t, ISN - 2999, iss + 1);
}

/* RFC 7323 5.3: R-BAD-32. */
static void paws(void **state)
{
    struct tl *t = tl_make(1, NULL, "sack=off wscale=off");
    uint8_t b[3] = {tl_byte(0, 0), tl_byte(0, 1), tl_byte(0, 2)};
    uint32_t iss;
    (void)state;
    tl_opt_ts(t, 1000, 0);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_opt_ts(t, 999, 0);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, b, 1);
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 1);
    assert_int_equal(c->rx, 0);
    assert_int_equal(tl_drops(t, DROP_TCP_PAWS), 1);
    t->nopt = 0; /* 3.2: no stamp at all */
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, b, 1);
    tl_silence(t);
    assert_int_equal(c->rx, 0);
    tl_opt_ts(t, 1000U + 0x7fffffff, 0);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, b, 1);
    assert_int_equal(c->rx, 1);
    uint64_t srtt = tl_tcb(c)->srtt;
    tl_push(c, 1);
    tl_run(t, 3 * MS);
    while (tl_next(t))
        ;
    tl_tcb(c)->timing = false;               /* so that only the echo could be a sample */
    tl_opt_ts(t, 1000U + 0x7fffffff, 12345); /* an echo of what was never sent */
    tl_send(t, TCP_ACK, ISN + 2, iss + 2, WND, NULL, 0);
    assert_int_equal(tl_tcb(c)->srtt, srtt);
    tl_opt_ts(t, 5, 0); /* a RST is never refused for its stamp */
    finish(t, ISN + 2, iss + 2);
}

/* R-BAD-41: sequence numbers that wrap, on the peer's side. */
static void wrap(void **state)
{
    static const uint32_t isn[] = {0xffffffff, 0, 0x7fffffff, 0xfffffff0};
    uint8_t bytes[3000];
    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = tl_byte(0, i);
    for (int i = 0; i < 4; i++) {
        struct tl *t = plain();
        uint32_t iss;
        struct tl_conn *c = tl_open(t, isn[i], WND, &iss);
        tl_send(t, TCP_ACK, isn[i] + 1 + 1000, iss + 1, WND, bytes + 1000, 1000);
        tl_send(t, TCP_ACK, isn[i] + 1, iss + 1, WND, bytes, 1000);
        tl_send(t, TCP_ACK | TCP_FIN, isn[i] + 1 + 2000, iss + 1, WND, bytes + 2000, 1000);
        assert_int_equal(c->rx, 3000);
        assert_int_equal(c->rx_bad, 0);
        assert_int_equal(c->eof, 1);
        finish(t, isn[i] + 3002, iss + 1);
    }
}

/* R-BAD-34: whatever the urgent pointer says, the bytes stand in line. */
static void urgent(void **state)
{
    static const uint16_t pointers[] = {0, 1, 10, 11, 0xffff};
    struct tl *t = plain();
    uint32_t iss, seq = ISN + 1;
    (void)state;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    for (int i = 0; i < 5; i++) {
        uint8_t h[30] = {0};
        be16_put(h, TL_PEER_PORT);
        be16_put(h + 2, TL_PORT);
        be32_put(h + 4, seq);
        be32_put(h + 8, iss + 1);
        h[12] = 0x50;
        h[13] = TCP_ACK | TCP_URG;
        be16_put(h + 14, WND);
        be16_put(h + 18, pointers[i]);
        tl_send_raw(t, h, 20, true); /* without data */
        for (uint32_t j = 0; j < 10; j++)
            h[20 + j] = tl_byte(0, seq - ISN - 1 + j);
        tl_send_raw(t, h, 30, true);
        seq += 10;
    }
    assert_int_equal(c->rx, 50);
    assert_int_equal(c->rx_bad, 0);
    finish(t, seq, iss + 1);
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
        struct tl *t = plain();
        uint8_t o[8] = {2, 4, (uint8_t)(sizes[i].mss >> 8), (uint8_t)sizes[i].mss, 2, 4, 3, 0};
        uint32_t iss;
        tl_opt(t, o, 8); /* twice: the first counts */
        struct tl_conn *c = tl_open(t, ISN, WND, &iss);
        c->chunk = 1900;
        tl_push(c, 5000);
        tl_run(t, 3 * MS);
        assert_int_equal(tl_expect(t, TCP_ACK)->len, sizes[i].expect);
        finish(t, ISN + 1, iss + 1);
    }
    for (int scale = 13; scale < 16; scale++) {
        struct tl *t = tl_make(1, NULL, "timestamps=off");
        uint8_t o[4] = {3, 3, (uint8_t)scale, 0};
        uint32_t iss;
        tl_opt(t, o, 3);
        struct tl_conn *c = tl_open(t, ISN, 10, &iss);
        assert_int_equal(tl_tcb(c)->snd_wnd, 10U << (scale > 14 ? 14 : scale));
        finish(t, ISN + 1, iss + 1);
    }
}

/* R-BAD-57: acknowledging in pieces does not open the window faster. */
static void ack_division(void **state)
{
    struct tl *t = tl_make(1, NULL, "timestamps=off sack=off wscale=off iw=2 delack=0");
    uint8_t o[4] = {2, 4, 1000 >> 8, 1000 & 0xff};
    uint32_t iss;
    (void)state;
    tl_opt(t, o, 4);
    struct tl_conn *c = tl_open(t, ISN, 60000, &iss);
    tl_push(c, 100000);
    tl_run(t, 3 * MS);
    assert_int_equal(tl_tcb(c)->cw.cwnd, 2000);
    for (uint32_t i = 1; i <= 10; i++)
        tl_send(t, TCP_ACK, ISN + 1, iss + 1 + 100 * i, 60000, NULL, 0);
    assert_int_equal(tl_tcb(c)->cw.cwnd, 3000); /* 1,000 bytes: one segment */
    uint32_t nxt = tl_tcb(c)->snd_max - iss;
    tl_send(t, TCP_ACK, ISN + 1, iss + nxt + 50000, 60000, NULL, 0); /* optimistic */
    assert_int_equal(tl_tcb(c)->cw.cwnd, 3000);
    assert_int_equal(tl_tcb(c)->snd_una, iss + 1001);
    finish(t, ISN + 1, iss + 1001);
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
    finish(t, ISN + 31, iss + 1);
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
    finish(t, ISN + 1, iss + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-25: header cut at each byte, impossible data offsets", header_cut),
        PLAIN_TEST("R-BAD-26: checksum wrong", checksum_wrong),
        PLAIN_TEST("R-BAD-27: port 0", port_zero),
        PLAIN_TEST("R-BAD-28: every option kind with every length", option_lengths),
        PLAIN_TEST("R-BAD-29, R-BAD-30: MSS and window scale beyond sense", syn_options),
        PLAIN_TEST("R-BAD-32, RFC 7323 5.3: PAWS, and echoes never sent", paws),
        PLAIN_TEST("R-BAD-34: urgent pointers", urgent),
        PLAIN_TEST("R-BAD-35: flags that mean nothing to a listener", odd_flags),
        PLAIN_TEST("R-BAD-35, RFC 3360: reserved bits", reserved_bits),
        PLAIN_TEST("R-BAD-36, R-BAD-38, RFC 9293 3.10.7.1: no connection", no_connection),
        PLAIN_TEST("R-BAD-36: miss=drop is silent", miss_drop),
        PLAIN_TEST("R-BAD-37: SYN with data", syn_with_data),
        PLAIN_TEST("R-BAD-39: SYN-RECEIVED, wrong ACK", handshake_ack),
        PLAIN_TEST("R-BAD-40, R-BAD-45: SYN-SENT, wrong ACK and RST", syn_sent),
        PLAIN_TEST("R-BAD-41: numbers that wrap", wrap),
        PLAIN_TEST("R-BAD-42: SYN again in SYN-RECEIVED", syn_again),
        PLAIN_TEST("R-BAD-44, RFC 4987: SYN cookies", cookies),
        PLAIN_TEST("RFC 4987: a cookie and what follows it in one burst", cookie_burst),
        PLAIN_TEST("R-BAD-45, R-BAD-46, RFC 5961 3.2: RST", reset),
        PLAIN_TEST("R-BAD-46, MUST-66: RST at zero window", reset_zero_window),
        PLAIN_TEST("R-BAD-47, R-BAD-58, RFC 1337, RFC 6191: TIME-WAIT", time_wait),
        PLAIN_TEST("R-BAD-58, RFC 6191: TIME-WAIT, time stamps", time_wait_stamps),
        PLAIN_TEST("R-BAD-48, RFC 5961 4.2: SYN in ESTABLISHED", syn_established),
        PLAIN_TEST("R-BAD-49, RFC 5961 5.2: range of the ACK", ack_range),
        PLAIN_TEST("R-BAD-50: data outside the window", outside_window),
        PLAIN_TEST("R-BAD-51, R-ATK-8: challenges are limited", challenges_limited),
        PLAIN_TEST("R-BAD-52: the first copy wins", first_copy_wins),
        PLAIN_TEST("R-BAD-53: ten thousand holes", many_holes),
        PLAIN_TEST("R-BAD-54: FINs out of order and again", fin_orders),
        PLAIN_TEST("R-BAD-55, RFC 9293 figure 14: simultaneous close", simultaneous_close),
        PLAIN_TEST("R-BAD-57: ACK division, optimistic ACKs", ack_division),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
