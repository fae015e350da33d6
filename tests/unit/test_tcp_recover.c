/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that are lost, and what is sent again when: the retransmission timer, NewReno's recovery
 * and that of SACK, step by step. One TCP, its peer played by hand on a virtual clock.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/wire/be.h"
#include "tests/unit/tcp_link.h"

enum { ISN = TL_ISN, WND = TL_WND, MSS = TL_MSS };

/* RFC 6298 5.5: each time-out doubles the next; Karn: until something new is acknowledged. */
static void rto_backoff(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off giveup=300s", &c, &iss, false);
    tl_push(c, 500);
    tl_run(t, 3 * MS);
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    uint64_t last = s->ns, gap = tl_tcb(c)->rto;
    assert_int_equal(gap, 200 * MS);
    for (int i = 0; i < 9; i++) {
        tl_run(t, gap + 3 * MS);
        s = tl_expect(t, TCP_ACK);
        assert_int_equal(s->seq, iss + 1);
        assert_int_equal(s->len, 500);
        assert_true(s->ns - last >= gap && s->ns - last <= gap + 2 * MS);
        last = s->ns;
        gap = 2 * gap < 60 * SECOND ? 2 * gap : 60 * SECOND;
    }
    uint64_t srtt = tl_tcb(c)->srtt;
    tl_send(t, TCP_ACK, ISN + 1, iss + 501, WND, NULL, 0);
    assert_int_equal(tl_tcb(c)->srtt, srtt); /* ambiguous: no sample */
    assert_int_equal(tl_tcb(c)->backoff, 0);
    tl_push(c, 1);
    tl_run(t, 3 * MS);
    tl_forget(t);
    tl_run(t, 1000 * SECOND); /* R2: both are told */
    assert_int_equal(c->reset, 1);
    assert_int_equal(c->closed, 1);
    uint8_t flags = 0;
    while ((s = tl_next(t)))
        flags = s->flags;
    assert_true(flags & TCP_RST);
    tl_end(t);
}

/* RFC 6298 5.2, 5.3: an ACK of something new starts the timer again, of everything stops it. */
static void rto_restart(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off", &c, &iss, false);
    tl_push(c, 2 * MSS);
    tl_run(t, 150 * MS);
    tl_forget(t);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 + MSS, WND, NULL, 0);
    uint64_t acked = simworld_now(t->world);
    tl_run(t, 2 * SECOND);
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->seq, iss + 1 + MSS);
    assert_true(s->ns >= acked + 195 * MS);
    tl_forget(t);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 + 2 * MSS, WND, NULL, 0);
    assert_false(timer_armed(&tl_tcb(c)->rexmt));
    tl_run(t, 100 * SECOND);
    tl_silence(t);
    tl_finish(t, ISN + 1);
}

/* RFC 7323 4: a time stamp tells which of two transmissions was acknowledged, Karn or not. */
static void stamp_sample(void **state)
{
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make(1, NULL, "sack=off wscale=off");
    tl_opt_ts(t, 1000, 0);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    tl_push(c, 100);
    tl_run(t, 1000 * MS); /* sent at 0, again at 200 and 600 ms */
    const struct tl_seg *s, *last = NULL;
    while ((s = tl_next(t)))
        last = s;
    assert_non_null(last);
    assert_int_equal(tl_tcb(c)->backoff, 2);
    uint64_t before = tl_tcb(c)->srtt, ago = simworld_now(t->world) - last->ns;
    tl_opt_ts(t, 1001, last->tsval);
    tl_send(t, TCP_ACK, ISN + 1, iss + 101, WND, NULL, 0);
    uint64_t expect = before - before / 8 + (ago + 2 * MS) / 8; /* RFC 6298 2.3 */
    assert_true(tl_tcb(c)->srtt > expect - MS && tl_tcb(c)->srtt < expect + MS);
    assert_true(tl_tcb(c)->srtt > before + 20 * MS);
    tl_finish(t, ISN + 1);
}

/* RFC 5681 3.2, RFC 6582: the third duplicate, inflation, a partial ACK, the end. */
static void newreno_trace(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off sack=off iw=10 cc=newreno", &c, &iss, false);
    tl_push(c, 30 * MSS);
    tl_run(t, 3 * MS);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(tl_expect(t, TCP_ACK)->seq, iss + 1 + i * MSS);
    tl_silence(t); /* IW = 10 */
    const struct tcb *b = tl_tcb(c);
    /* Segments 0 and 4 were lost. */
    for (int dup = 1; dup <= 2; dup++) {
        tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
        assert_int_equal(tl_expect(t, TCP_ACK)->seq, iss + 1 + (9 + (uint32_t)dup) * MSS);
    } /* limited transmit, RFC 3042 */
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
    assert_int_equal(tl_expect(t, TCP_ACK)->seq, iss + 1);
    assert_int_equal(b->cw.ssthresh, 5 * MSS); /* FlightSize without limited transmit, halved */
    assert_int_equal(b->cw.cwnd, 8 * MSS);     /* ssthresh + 3 */
    tl_silence(t);
    for (int dup = 4; dup <= 9; dup++)
        tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
    assert_int_equal(b->cw.cwnd, 14 * MSS);
    for (uint32_t i = 12; i < 14; i++)
        assert_int_equal(tl_expect(t, TCP_ACK)->seq, iss + 1 + i * MSS);
    tl_silence(t);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 + 4 * MSS, WND, NULL, 0); /* partial */
    assert_int_equal(tl_expect(t, TCP_ACK)->seq, iss + 1 + 4 * MSS);
    assert_int_equal(b->cw.cwnd, 11 * MSS); /* deflated by 4, one back */
    tl_expect(t, TCP_ACK);
    tl_silence(t);
    assert_int_equal(b->recovery, RECOVER_FAST);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 + 12 * MSS, WND, NULL, 0); /* full: all of `recover` */
    assert_int_equal(b->recovery, RECOVER_NONE);
    assert_true(b->cw.cwnd <= 5 * MSS);
    assert_int_equal(tl_tcp(t, 0)->stat[STAT_FAST], 1);
    assert_int_equal(tl_tcp(t, 0)->stat[STAT_RTO], 0);
    tl_finish(t, ISN + 1);
}

/* RFC 6582 3.2 step 3: by what was acknowledged, and a segment back if that was one; a partial
 * acknowledgement of more than the window leaves a segment, and that one. */
static void newreno_deflation(void **state)
{
    static const struct {
        uint32_t acked, left;
    } all[] = {{100, 8 * MSS - 100}, {MSS, 8 * MSS}, {7 * MSS, 2 * MSS}, {8 * MSS + 500, 2 * MSS}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct tl_conn *c;
        uint32_t iss;
        struct tl *t = tl_make_mss("timestamps=off sack=off iw=10 cc=newreno", &c, &iss, false);
        tl_push(c, 30 * MSS);
        tl_run(t, 3 * MS);
        for (int dup = 1; dup <= 3; dup++)
            tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
        const struct tcb *b = tl_tcb(c);
        assert_int_equal(b->cw.cwnd, 8 * MSS); /* ssthresh + 3 */
        tl_forget(t);
        tl_send(t, TCP_ACK, ISN + 1, iss + 1 + all[i].acked, WND, NULL, 0);
        assert_int_equal(b->recovery, RECOVER_FAST);
        assert_int_equal(b->cw.cwnd, all[i].left);
        assert_int_equal(tl_expect(t, TCP_ACK)->seq, iss + 1 + all[i].acked);
        tl_forget(t);
        tl_finish(t, ISN + 1);
    }
}

static void send_sack(struct tl *t, uint32_t ack, uint32_t left, uint32_t right)
{
    uint8_t o[12] = {1, 1, 5, 10};
    be32_put(o + 4, left);
    be32_put(o + 8, right);
    tl_opt(t, o, 12);
    tl_send(t, TCP_ACK, ISN + 1, ack, WND, NULL, 0);
    t->nopt = 0;
}

/* RFC 6675: two holes are filled in one round trip, nothing SACKed is sent again. */
static void sack_trace(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off iw=10 cc=newreno", &c, &iss, true);
    tl_push(c, 10 * MSS);
    tl_run(t, 3 * MS);
    tl_forget(t);
    const struct tcb *b = tl_tcb(c);
    assert_true(b->sack_ok);
    uint32_t one = iss + 1; /* segments 0 and 3 were lost */
    send_sack(t, one, one + MSS, one + 2 * MSS);
    send_sack(t, one, one + MSS, one + 3 * MSS);
    tl_silence(t);
    send_sack(t, one, one + 4 * MSS, one + 5 * MSS);
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->seq, one);
    assert_int_equal(s->len, MSS);
    assert_int_equal(b->recovery, RECOVER_SACK);
    assert_int_equal(b->cw.cwnd, 5 * MSS); /* FlightSize of 10 halved */
    uint32_t again = 0, rescues = 0;
    for (uint32_t i = 6; i <= 10; i++) {
        send_sack(t, one, one + 4 * MSS, one + i * MSS);
        while ((s = tl_next(t))) {
            if (i < 10 && s->seq == one + 9 * MSS) /* NextSeg (4): one rescue, not SACKed yet */
                rescues++;
            else
                assert_int_equal(s->seq, one + 3 * MSS);
            again += s->seq == one + 3 * MSS;
        }
    }
    assert_int_equal(again, 1);
    assert_int_equal(rescues, 1);
    tl_send(t, TCP_ACK, ISN + 1, one + 3 * MSS, WND, NULL, 0);
    tl_silence(t);
    tl_send(t, TCP_ACK, ISN + 1, one + 10 * MSS, WND, NULL, 0);
    assert_int_equal(b->recovery, RECOVER_NONE);
    assert_int_equal(tl_tcp(t, 0)->stat[STAT_RTO], 0);
    assert_int_equal(tl_tcp(t, 0)->stat[STAT_RETRANSMIT], 3);
    tl_finish(t, ISN + 1);
}

/* RFC 6675 5, step 3 and 4.2: before recovery a segment for each that the peer says it has, and
 * these are not counted in what the window was. */
static void sack_limited(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off iw=10 cc=newreno", &c, &iss, true);
    tl_push(c, 30 * MSS);
    tl_run(t, 3 * MS);
    tl_forget(t);
    uint32_t one = iss + 1;
    for (uint32_t dup = 1; dup <= 2; dup++) { /* the first of ten was lost */
        send_sack(t, one, one + MSS, one + (1 + dup) * MSS);
        assert_int_equal(tl_expect(t, TCP_ACK)->seq, one + (9 + dup) * MSS);
        tl_silence(t);
    }
    send_sack(t, one, one + MSS, one + 4 * MSS);
    assert_int_equal(tl_expect(t, TCP_ACK)->seq, one);
    assert_int_equal(tl_tcb(c)->recovery, RECOVER_SACK);
    assert_int_equal(tl_tcb(c)->cw.ssthresh, 5 * MSS);
    tl_forget(t);
    tl_finish(t, ISN + 1);
}

/* RFC 2018 8, R-BAD-31: the peer SACKs and then forgets; blocks beyond SND.NXT are lies. */
static void reneging(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off iw=10", &c, &iss, true);
    tl_push(c, 4 * MSS);
    tl_run(t, 3 * MS);
    tl_forget(t);
    uint32_t one = iss + 1;
    send_sack(t, one, one + MSS, one + 50 * MSS);
    assert_true(sack_pipe(tl_tcb(c)) == 4 * MSS);
    send_sack(t, one + MSS, one + 2 * MSS, one + 4 * MSS);     /* has all but the second */
    tl_send(t, TCP_ACK, ISN + 1, one + 2 * MSS, WND, NULL, 0); /* and threw the rest away */
    tl_run(t, 10 * SECOND);
    uint32_t most = one;
    const struct tl_seg *s;
    bool third = false;
    while ((s = tl_next(t))) {
        third |= s->seq == one + 2 * MSS;
        most = s->seq + s->len > most ? s->seq + s->len : most;
    }
    assert_true(third);
    tl_send(t, TCP_ACK, ISN + 1, one + 3 * MSS, WND, NULL, 0);
    tl_run(t, 10 * SECOND);
    bool fourth = false;
    while ((s = tl_next(t)))
        fourth |= s->seq == one + 3 * MSS;
    assert_true(fourth);
    tl_finish(t, ISN + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 6298 5.5, MUST-18..20: time-outs double, Karn, R2", rto_backoff),
        PLAIN_TEST("RFC 7323 4: round trips by time stamp", stamp_sample),
        PLAIN_TEST("RFC 6298 5.2, 5.3: the timer starts again", rto_restart),
        PLAIN_TEST("RFC 6582 3.2, RFC 3042: NewReno's recovery", newreno_trace),
        PLAIN_TEST("RFC 6582 3.2 step 3: a partial acknowledgement deflates the window",
                   newreno_deflation),
        PLAIN_TEST("RFC 6675 5: recovery with SACK", sack_trace),
        PLAIN_TEST("RFC 6675 5 (3), (4.2), RFC 5681 3.2: limited transmit", sack_limited),
        PLAIN_TEST("R-BAD-31, RFC 2018 8: reneging, blocks beyond SND.NXT", reneging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
