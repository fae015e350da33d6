/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that do not fit, sent by hand to a connection that is open, or was: what each may do to
 * it. What is expected comes from the clause in the name.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/wire/be.h"
#include "tests/unit/tcp_link.h"

enum { ISN = 5000, WND = 20000 };

/* RFC 5961 3.2: a RST counts only at RCV.NXT. */
static void reset(void **state)
{
    struct tl *t = tl_plain();
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

/* A connection whose receive window is full; *seq: the number behind it. */
static struct tl_conn *closed_window(struct tl *t, uint32_t *iss, uint32_t *seq)
{
    uint8_t bytes[4096];
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = tl_byte(0, i);
    struct tl_conn *c = tl_open(t, ISN, WND, iss);
    c->stopped = true;
    *seq = ISN + 1;
    for (int i = 0; i < 4; i++, *seq += 1024)
        tl_send(t, TCP_ACK, *seq, *iss + 1, WND, bytes + (*seq - ISN - 1), 1024);
    tl_run(t, SECOND);
    const struct tl_seg *s, *last = NULL;
    while ((s = tl_next(t)))
        last = s;
    assert_non_null(last);
    assert_int_equal(last->ack, *seq);
    assert_int_equal(last->wnd, 0);
    return c;
}

static struct tl *small_window(void)
{
    return tl_make(1, NULL, "timestamps=off sack=off wscale=off rcvbuf=4k");
}

/* RFC 9293 MUST-66: at a zero window too. */
static void reset_zero_window(void **state)
{
    struct tl *t = small_window();
    uint32_t iss, seq;
    (void)state;
    struct tl_conn *c = closed_window(t, &iss, &seq);
    tl_send(t, TCP_ACK, seq, iss + 1, WND, "x", 1); /* a probe: answered, not taken */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, seq);
    tl_send(t, TCP_RST, seq, 0, 0, NULL, 0);
    assert_int_equal(c->reset, 1);
    tl_end(t);
}

/* RFC 9293 3.10.7.4: no segment is acceptable, but a valid acknowledgement is taken, or two hosts
 * whose windows are both closed would wait for each other for ever. */
static void ack_zero_window(void **state)
{
    struct tl *t = small_window();
    uint32_t iss, seq;
    (void)state;
    struct tl_conn *c = closed_window(t, &iss, &seq);
    tl_push(c, 100);
    tl_run(t, 2 * MS);
    tl_expect(t, TCP_ACK);
    tl_send(t, TCP_ACK | TCP_FIN, seq, iss + 51, WND, NULL, 0);
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, seq); /* the FIN is not taken */
    assert_int_equal(tl_tcb(c)->snd_una, iss + 51);
    tl_send(t, TCP_ACK, seq, iss + 101, WND, "x", 1);
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, seq);
    assert_int_equal(tl_tcb(c)->snd_una, iss + 101);
    tl_send(t, TCP_RST, seq, 0, 0, NULL, 0);
    tl_end(t);
}

/* R-BAD-48, RFC 5961 4.2 */
static void syn_established(void **state)
{
    static const uint32_t at[] = {ISN + 1, ISN + 5000, ISN + 900000, ISN - 5000};
    struct tl *t = tl_plain();
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
    tl_finish(t, ISN + 1);
}

/* R-BAD-49, RFC 5961 5.2: with data, which is not taken either. */
static void ack_range(void **state)
{
    struct tl *t = tl_plain();
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
    tl_finish(t, ISN + 2);
}

/* R-BAD-51, R-ATK-8: at most two answers a second. */
static void challenges_limited(void **state)
{
    struct tl *t = tl_plain();
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
    tl_finish(t, ISN + 1);
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
    tl_finish(t, edge);
}

/* Small segments that wait share buffers; the window counts their bytes and opens when they go. */
static void small_segments_wait(void **state)
{
    enum { N = 3000, EACH = 10 };
    struct tl *t = tl_plain();
    uint8_t bytes[EACH];
    uint32_t iss, seq = ISN + 1;
    const struct tl_seg *s;
    (void)state;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    c->stopped = true;
    uint32_t before = c->p->pool.used;
    for (uint32_t i = 0; i < N; i++, seq += EACH) {
        for (uint32_t j = 0; j < EACH; j++)
            bytes[j] = tl_byte(0, i * EACH + j);
        tl_send(t, TCP_ACK, seq, iss + 1, WND, bytes, EACH);
        while ((s = tl_next(t)))
            ;
    }
    assert_int_equal(tl_tcb(c)->rcvq.bytes, N * EACH);
    assert_int_equal(tl_tcb(c)->rcv_nxt, seq);
    assert_true(c->p->pool.used - before < 4 * N * EACH); /* not a buffer each: 7 MB */
    tl_go(c);
    assert_int_equal(c->rx, N * EACH);
    assert_int_equal(c->rx_bad, 0);
    assert_int_equal(tl_tcb(c)->rcvq.bytes, 0);
    assert_int_equal(tl_tcb(c)->rcv_cost, 0);
    assert_true(c->p->pool.used <= before + 1000);
    tl_finish(t, seq);
}

/* RFC 9293 3.8.6.2.2: a window that was closed opens by an ACK of its own, and by a good piece. */
static void window_opens(void **state)
{
    struct tl *t = tl_make(1, NULL, "timestamps=off sack=off wscale=off rcvbuf=16k");
    uint8_t bytes[1024];
    uint32_t iss, seq = ISN + 1;
    const struct tl_seg *s;
    (void)state;
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    c->stopped = true;
    for (int i = 0; i < 16; i++, seq += 1024) {
        for (uint32_t j = 0; j < 1024; j++)
            bytes[j] = tl_byte(0, (uint64_t)i * 1024 + j);
        tl_send(t, TCP_ACK, seq, iss + 1, WND, bytes, 1024);
    }
    tl_run(t, SECOND);
    uint32_t edge = 0;
    while ((s = tl_next(t))) {
        assert_true(!edge || (int32_t)(s->ack + s->wnd - edge) >= 0); /* never moves left */
        edge = s->ack + s->wnd;
    }
    assert_int_equal(edge, tl_tcb(c)->rcv_nxt);
    tl_go(c);
    tl_run(t, 3 * MS);
    s = tl_expect(t, TCP_ACK);
    assert_true(s->wnd >= 8192);
    assert_int_equal(c->rx, edge - ISN - 1);
    tl_finish(t, edge);
}

/* R-BAD-52: bytes that came first stay. */
static void first_copy_wins(void **state)
{
    struct tl *t = tl_plain();
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
    tl_finish(t, ISN + 301);
}

/* R-BAD-53: every other byte of a window, a byte a segment, and then all of it. */
static void many_holes(void **state)
{
    struct tl *t = tl_plain();
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
    tl_finish(t, ISN + 20001);
}

/* R-BAD-54: FIN out of order, FIN again in CLOSE-WAIT, LAST-ACK and CLOSING. */
static void fin_orders(void **state)
{
    struct tl *t = tl_plain();
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
    struct tl *t = tl_plain();
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
    struct tl *t = tl_plain();
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
    tl_finish(t, ISN + 4);
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
    tl_expect(t, TCP_SYN | TCP_ACK);
    tl_finish(t, ISN - 2999);
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
    tl_finish(t, ISN + 2);
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
        struct tl *t = tl_plain();
        uint32_t iss;
        struct tl_conn *c = tl_open(t, isn[i], WND, &iss);
        tl_send(t, TCP_ACK, isn[i] + 1 + 1000, iss + 1, WND, bytes + 1000, 1000);
        tl_send(t, TCP_ACK, isn[i] + 1, iss + 1, WND, bytes, 1000);
        tl_send(t, TCP_ACK | TCP_FIN, isn[i] + 1 + 2000, iss + 1, WND, bytes + 2000, 1000);
        assert_int_equal(c->rx, 3000);
        assert_int_equal(c->rx_bad, 0);
        assert_int_equal(c->eof, 1);
        tl_finish(t, isn[i] + 3002);
    }
}

/* R-BAD-34: whatever the urgent pointer says, the bytes stand in line. */
static void urgent(void **state)
{
    static const uint16_t pointers[] = {0, 1, 10, 11, 0xffff};
    struct tl *t = tl_plain();
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
    tl_finish(t, seq);
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
    tl_finish(t, ISN + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-32, RFC 7323 5.3: PAWS, and echoes never sent", paws),
        PLAIN_TEST("R-BAD-34: urgent pointers", urgent),
        PLAIN_TEST("R-BAD-41: numbers that wrap", wrap),
        PLAIN_TEST("R-BAD-45, R-BAD-46, RFC 5961 3.2: RST", reset),
        PLAIN_TEST("R-BAD-46, MUST-66: RST at zero window", reset_zero_window),
        PLAIN_TEST("RFC 9293 3.10.7.4 ACK at zero window, also with a FIN", ack_zero_window),
        PLAIN_TEST("R-BAD-47, R-BAD-58, RFC 1337, RFC 6191: TIME-WAIT", time_wait),
        PLAIN_TEST("R-BAD-58, RFC 6191: TIME-WAIT, time stamps", time_wait_stamps),
        PLAIN_TEST("R-BAD-48, RFC 5961 4.2: SYN in ESTABLISHED", syn_established),
        PLAIN_TEST("R-BAD-49, RFC 5961 5.2: range of the ACK", ack_range),
        PLAIN_TEST("R-BAD-50: data outside the window", outside_window),
        PLAIN_TEST("R-BAD-51, R-ATK-8: challenges are limited", challenges_limited),
        PLAIN_TEST("small segments that wait share buffers", small_segments_wait),
        PLAIN_TEST("RFC 9293 3.8.6.2.2: a closed window opens", window_opens),
        PLAIN_TEST("R-BAD-52: the first copy wins", first_copy_wins),
        PLAIN_TEST("R-BAD-53: ten thousand holes", many_holes),
        PLAIN_TEST("R-BAD-54: FINs out of order and again", fin_orders),
        PLAIN_TEST("R-BAD-55, RFC 9293 figure 14: simultaneous close", simultaneous_close),
        PLAIN_TEST("R-BAD-57: ACK division, optimistic ACKs", ack_division),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
