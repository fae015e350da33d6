/* SPDX-License-Identifier: BSD-2-Clause */
/* What TCP believes of a segment, and for how long: where Linux and we differed, and Linux was
 * right. */
#include "tests/unit/tcp_link.h"

#include "modules/wire/tcp.h"

enum { FUTURE = 1 << 30 };

static const uint8_t syn_stamp[] = {1, 1, 8, 10, 0, 0, 3, 232, 0, 0, 0, 0}; /* 1000 */

/* RFC 5961 5.2: the stamp that it carries would make all honest segments old (RFC 7323 5.3). */
static void refused_ack(void **state)
{
    struct tl *t = tl_make(1, NULL, "wscale=off");
    uint32_t iss;
    (void)state;
    tl_opt(t, syn_stamp, sizeof syn_stamp);
    struct tl_conn *c = tl_open(t, TL_ISN, TL_WND, &iss);
    tl_opt_ts(t, 1000 + FUTURE, 0);
    tl_send(t, TCP_ACK, TL_ISN + 1, iss + 1000, TL_WND, NULL, 0); /* never sent */
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->tsecr, 1000);
    tl_opt_ts(t, 1001, s->tsval);
    tl_send(t, TCP_ACK, TL_ISN + 1, iss + 1, TL_WND, NULL, 0);
    uint8_t b = tl_byte(0, 0);
    tl_send(t, TCP_ACK, TL_ISN + 1, iss + 1, TL_WND, &b, 1);
    assert_int_equal(c->rx, 1);
    assert_int_equal(tl_drops(t, DROP_TCP_PAWS), 0);
    tl_finish(t, TL_ISN + 2);
}

/* The same before the handshake is complete: it would never be. */
static void refused_handshake(void **state)
{
    struct tl *t = tl_make(1, NULL, "wscale=off");
    (void)state;
    tl_opt(t, syn_stamp, sizeof syn_stamp);
    tl_send(t, TCP_SYN, TL_ISN, 0, TL_WND, NULL, 0);
    const struct tl_seg *s = tl_expect(t, TCP_SYN | TCP_ACK);
    uint32_t iss = s->seq, stamp = s->tsval;
    tl_opt_ts(t, 1000 + FUTURE, stamp);
    tl_send(t, TCP_ACK, TL_ISN + 1, iss + 1000, TL_WND, NULL, 0);
    assert_int_equal(tl_expect(t, TCP_RST)->seq, iss + 1000); /* RFC 9293 3.10.7.4, fifth */
    tl_opt_ts(t, 1001, stamp);
    tl_send(t, TCP_ACK, TL_ISN + 1, iss + 1, TL_WND, NULL, 0);
    assert_int_equal(tl_user(t, 0)->conn[0].opened, 1);
    tl_silence(t);
    tl_finish(t, TL_ISN + 1);
}

/* Bytes came, and then a FIN in front of them: the stream ends at the FIN, and nothing is offered
 * to the sender as kept that is not (RFC 2018 8). */
static void behind_fin(void **state)
{
    static const uint8_t sack_ok[] = {4, 2, 1, 1};
    uint8_t bytes[300];
    uint32_t iss;
    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = tl_byte(0, i);
    for (uint32_t fin = 100; fin <= 200; fin += 50) { /* before, in, and behind the first run */
        struct tl *t = tl_make(1, NULL, "timestamps=off wscale=off");
        tl_opt(t, sack_ok, sizeof sack_ok);
        struct tl_conn *c = tl_open(t, TL_ISN, TL_WND, &iss);
        tl_send(t, TCP_ACK, TL_ISN + 1 + 120, iss + 1, TL_WND, bytes + 120, 50);
        tl_send(t, TCP_ACK, TL_ISN + 1 + 170, iss + 1, TL_WND, bytes + 170, 20);
        tl_send(t, TCP_ACK, TL_ISN + 1 + 250, iss + 1, TL_WND, bytes + 250, 50);
        tl_forget(t);
        tl_send(t, TCP_FIN | TCP_ACK, TL_ISN + 1, iss + 1, TL_WND, bytes, fin);
        const struct tl_seg *s = tl_expect(t, TCP_ACK);
        assert_int_equal(s->ack, TL_ISN + 1 + fin + 1);
        assert_int_equal(s->nsack, 0);
        assert_int_equal(c->rx, fin);
        assert_int_equal(c->rx_bad, 0);
        assert_int_equal(c->eof, 1);
        assert_true(tl_drops(t, DROP_TCP_LATE) > 0);
        tl_finish(t, TL_ISN + 1 + fin + 1);
    }
}

/* The connection is over for us, and the other end has heard both. */
static struct tl *waiting(uint32_t *iss, uint32_t *wnd)
{
    struct tl *t = tl_make(1, NULL, "wscale=off msl=1s");
    tl_opt(t, syn_stamp, sizeof syn_stamp);
    struct tl_conn *c = tl_open(t, TL_ISN, TL_WND, iss);
    tl_shut(c);
    tl_run(t, 3 * MS);
    *wnd = tl_expect(t, TCP_FIN | TCP_ACK)->wnd;
    tl_send(t, TCP_FIN | TCP_ACK, TL_ISN + 1, *iss + 2, TL_WND, NULL, 0);
    tl_expect(t, TCP_ACK);
    assert_int_equal(c->closed, 1);
    return t;
}

/* RFC 9293 SHLD-14: the window does not shrink, also not in what TIME-WAIT says. */
static void wait_window(void **state)
{
    uint32_t iss, wnd;
    struct tl *t = waiting(&iss, &wnd);
    (void)state;
    tl_send(t, TCP_FIN | TCP_ACK, TL_ISN + 1, iss + 2, TL_WND, NULL, 0);
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->ack, TL_ISN + 2);
    assert_true(s->ack + s->wnd >= TL_ISN + 1 + wnd);
    tl_run(t, 3 * SECOND);
    tl_end(t);
}

/* RFC 6191, RFC 7323 4.3: a new connection must be above the last stamp, also one heard in
 * TIME-WAIT. */
static void wait_stamp(void **state)
{
    uint32_t iss, wnd;
    struct tl *t = waiting(&iss, &wnd);
    (void)state;
    tl_opt_ts(t, 2000, 0);
    tl_send(t, TCP_ACK, TL_ISN + 2, iss + 2, TL_WND, NULL, 0);
    tl_silence(t);
    tl_opt_ts(t, 1500, 0); /* a SYN from before that */
    tl_send(t, TCP_SYN, TL_ISN + 1000, 0, TL_WND, NULL, 0);
    assert_int_equal(tl_expect(t, TCP_ACK)->tsecr, 2000);
    tl_opt_ts(t, 2001, 0);
    tl_send(t, TCP_SYN, TL_ISN + 1000, 0, TL_WND, NULL, 0);
    assert_int_equal(tl_expect(t, TCP_SYN | TCP_ACK)->ack, TL_ISN + 1001);
    tl_finish(t, TL_ISN + 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-49, RFC 5961 5.2: the stamp of a refused acknowledgement is not kept",
                   refused_ack),
        PLAIN_TEST("R-BAD-39, RFC 7323 5.3: nor in SYN-RECEIVED, where no handshake would complete",
                   refused_handshake),
        PLAIN_TEST("R-BAD-54: what waits behind a FIN is no part of the stream", behind_fin),
        PLAIN_TEST("RFC 9293 SHLD-14: the window of TIME-WAIT has not shrunk", wait_window),
        PLAIN_TEST("R-BAD-58, RFC 6191: a stamp heard in TIME-WAIT counts", wait_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
