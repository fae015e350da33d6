/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC against the formulas of RFC 9438, here in floating point, segments and seconds. First the
 * algorithm alone, fed with acknowledgements by hand, beside a model that is the RFC's text; then
 * what a connection does with it.
 */
#include <math.h>

#include "modules/wire/be.h"
#include "tests/unit/tcp_link.h"

enum { MSS = 1460 };

static const double c_cubic = 0.4, beta = 0.7;

/* A sender that acknowledges itself: `in flight` is always cwnd. */
struct run {
    struct cc w;
    uint64_t now, rtt;
};

static double segments(uint32_t bytes)
{
    return (double)bytes / MSS;
}

/* One segment is acknowledged; a window of them takes a round trip. */
static void ack_one(struct run *r)
{
    r->now += r->rtt * MSS / r->w.cwnd;
    cc_cubic.acked(&r->w, MSS, r->now, r->rtt);
}

static void ack_until(struct run *r, uint64_t ns)
{
    while (r->now < ns)
        ack_one(r);
}

/* Congestion avoidance after a loss at a window of so many segments. */
static struct run after_loss(uint32_t window, uint64_t rtt)
{
    struct run r = {.w = {.smss = MSS}, .now = 1000 * SECOND, .rtt = rtt};
    cc_cubic.init(&r.w, 10);
    r.w.cwnd = window * MSS;
    cc_cubic.loss(&r.w, r.w.cwnd);
    return r;
}

static void assert_near(double is, double should, double off)
{
    if (fabs(is - should) > off)
        fail_msg("%f, not within %f of %f", is, off, should);
}

static double cubic_of(double t, double k, double w_max)
{
    return c_cubic * pow(t - k, 3) + w_max;
}

/* cwnd goes for W_cubic(t + RTT), a round trip at a time: it is between the curve now and then. */
static void assert_on_curve(const struct run *r, double t, double k, double w_max)
{
    double now = cubic_of(t, k, w_max), then = cubic_of(t + (double)r->rtt / 1e9, k, w_max);
    double is = segments(r->w.cwnd), slack = 1 + 0.002 * now;
    if (is < now - slack || is > then + slack)
        fail_msg("%f segments at %f s, W_cubic is %f and then %f", is, t, now, then);
}

static void curve(void **state)
{
    static const uint32_t windows[] = {1000, 10000, 200000}; /* Reno is slower */
    (void)state;
    for (unsigned i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        double w_max = windows[i], k = cbrt(w_max * (1 - beta) / c_cubic);
        struct run r = after_loss(windows[i], 100 * MS);
        ack_one(&r);
        uint64_t began = r.now;
        assert_near(r.w.cubic.k, 1000 * k, 2);
        for (int step = 1; step <= 40; step++) { /* half the way below w_max, half above */
            ack_until(&r, began + (uint64_t)(step * k / 20 * 1e9));
            assert_on_curve(&r, (double)(r.now - began) / 1e9, k, w_max);
        }
        assert_true(segments(r.w.cwnd) > w_max * 1.2);
    }
}

static void bounds(void **state)
{
    struct run r = after_loss(100, 30 * SECOND); /* the curve runs away within a round trip */
    uint32_t before = r.w.cwnd;
    (void)state;
    ack_one(&r);
    for (int trip = 0; trip < 20; trip++) {
        uint32_t was = r.w.cwnd;
        double grown = 0;
        for (uint64_t end = r.now + r.rtt; r.now < end;) {
            uint32_t w = r.w.cwnd;
            ack_one(&r);
            assert_true(r.w.cwnd >= w);
            assert_true(r.w.cwnd - w <= MSS / 2 + 1); /* (1.5 * cwnd - cwnd) / cwnd of a segment */
        }
        grown = (double)r.w.cwnd / was;
        assert_true(grown < 1.67); /* e^0.5 */
    }
    assert_true(r.w.cwnd > 3 * before);
    /* Below the present window the curve takes nothing away. */
    r.w.cubic.w_max = r.w.cwnd / 4;
    r.w.cubic.epoch = r.now;
    before = r.w.cwnd;
    ack_one(&r);
    assert_true(r.w.cwnd >= before);
}

/* At 1 ms the cubic hardly moves: alpha of a segment a window, and one from cwnd_prior on. */
static void reno_friendly(void **state)
{
    double alpha = 3 * (1 - beta) / (1 + beta);
    struct run r = after_loss(100, MS);
    (void)state;
    double model = segments(r.w.cwnd), begin = model;
    for (int i = 0; i < 20000; i++) {
        double window = segments(r.w.cwnd);
        ack_one(&r);
        model += (model >= 100 ? 1 : alpha) / window;
        double curve = cubic_of((double)r.now / 1e9 - 1000, cbrt(30 / c_cubic), 100);
        if (curve < model)
            assert_near(segments(r.w.cwnd), model, 0.1 + model * 0.002);
    }
    assert_true(model > 100 && begin < 70.1);
    assert_true(segments(r.w.cwnd) > 130);
}

static void decrease(void **state)
{
    struct run r = after_loss(1000, 100 * MS);
    (void)state;
    assert_near(segments(r.w.ssthresh), 1000 * beta, 0.01);
    assert_int_equal(r.w.cwnd, r.w.ssthresh);
    r = after_loss(1000, 100 * MS);
    cc_cubic.loss(&r.w, 200 * MSS); /* of what was in flight, not of cwnd */
    assert_near(segments(r.w.ssthresh), 200 * beta, 0.01);
    cc_cubic.loss(&r.w, 2 * MSS);
    assert_int_equal(r.w.ssthresh, 2 * MSS);
    assert_int_equal(r.w.cwnd, 2 * MSS);
    r.w.cwnd = CWND_MAX; /* nothing overflows */
    cc_cubic.loss(&r.w, CWND_MAX);
    assert_near((double)r.w.cwnd, CWND_MAX * beta, 1);
}

static void fast_convergence(void **state)
{
    struct run r = after_loss(1000, 100 * MS);
    (void)state;
    assert_int_equal(r.w.cubic.w_max, 1000 * MSS);
    r.w.cwnd = 900 * MSS; /* it did not come back to 1000 */
    cc_cubic.loss(&r.w, r.w.cwnd);
    assert_near(segments(r.w.cubic.w_max), 900 * (1 + beta) / 2, 0.01);
    assert_near(segments(r.w.cwnd), 900 * beta, 0.01);
    r.w.cwnd = 800 * MSS; /* it got beyond the 765 */
    cc_cubic.loss(&r.w, r.w.cwnd);
    assert_int_equal(r.w.cubic.w_max, 800 * MSS);
}

static void timeout(void **state)
{
    struct run r = after_loss(1000, 100 * MS);
    (void)state;
    cc_cubic.timeout(&r.w, 600 * MSS, false);
    assert_int_equal(r.w.cwnd, MSS);
    assert_near(segments(r.w.ssthresh), 600 * beta, 0.01);
    cc_cubic.timeout(&r.w, MSS, true); /* RFC 5681 3.1: held when the same is lost again */
    assert_near(segments(r.w.ssthresh), 600 * beta, 0.01);
    while (r.w.cwnd < r.w.ssthresh) { /* slow start: a segment for each */
        uint32_t was = r.w.cwnd;
        ack_one(&r);
        assert_int_equal(r.w.cwnd, was + MSS);
    }
    double w_max = segments(r.w.cwnd);
    ack_one(&r);
    uint64_t began = r.now;
    /* K = 0, W_max = cwnd at the beginning; in the first seconds Reno is faster. */
    for (unsigned step = 5; step <= 15; step++) {
        ack_until(&r, began + step * SECOND);
        assert_on_curve(&r, (double)(r.now - began) / 1e9, 0, w_max);
    }
}

/* Nothing for a minute, because the application had nothing to send: the same window afterwards
 * as without. */
static void limited(void **state)
{
    struct run r = after_loss(1000, 100 * MS), p = after_loss(1000, 100 * MS);
    (void)state;
    ack_until(&r, r.now + 5 * SECOND);
    ack_until(&p, p.now + 5 * SECOND);
    p.now += 60 * SECOND;
    ack_until(&r, r.now + 2 * SECOND);
    ack_until(&p, p.now + 2 * SECOND);
    assert_near(segments(p.w.cwnd), segments(r.w.cwnd), 3);
    assert_true(segments(p.w.cwnd) < 1000);
}

static void idle(void **state)
{
    struct run r = after_loss(1000, 100 * MS);
    (void)state;
    ack_until(&r, r.now + 20 * SECOND);
    uint32_t ssthresh = r.w.ssthresh;
    cc_cubic.idle(&r.w, 10);
    assert_int_equal(r.w.cwnd, 10 * MSS);
    assert_int_equal(r.w.ssthresh, ssthresh);
    r.now += 60 * SECOND;
    while (r.w.cwnd < r.w.ssthresh)
        ack_one(&r);
    ack_one(&r);
    uint64_t began = r.now;
    double w_max = 1000, k = cbrt((w_max - segments(r.w.cwnd)) / c_cubic);
    ack_until(&r, began + SECOND);
    assert_on_curve(&r, (double)(r.now - began) / 1e9, k, w_max);
}

/* One loss in 1/p segments, for ever: the average window of 5.1. */
static void average(void **state)
{
    static const double rates[] = {1e-4, 1e-5, 1e-6};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        double p = rates[i], sum = 0;
        double should = pow(c_cubic * (3 + beta) / (4 * (1 - beta)), 0.25) * pow(0.1 / p, 0.75);
        struct run r = after_loss((uint32_t)should, 100 * MS);
        const uint64_t losses = 24, each = (uint64_t)(1 / p);
        uint64_t began = 0;
        double sent = 0;
        for (uint64_t n = 0; n < losses; n++) {
            if (n == losses / 2)
                began = r.now;
            for (uint64_t s = 0; s < each; s++)
                ack_one(&r);
            sent += n >= losses / 2 ? (double)each : 0;
            cc_cubic.loss(&r.w, r.w.cwnd);
        }
        sum = sent / ((double)(r.now - began) / 1e8); /* segments a round trip */
        assert_near(sum, should, should * 0.1);
    }
}

/* 5.2, with 4.3: where Reno is faster, not slower than Reno. 3/2 / p is its window squared. */
static void average_reno(void **state)
{
    struct run r = after_loss(40, 10 * MS);
    uint64_t began = r.now;
    (void)state;
    for (int n = 0; n < 100; n++) {
        for (int s = 0; s < 1000; s++)
            ack_one(&r);
        cc_cubic.loss(&r.w, r.w.cwnd);
    }
    double window = 100000 / ((double)(r.now - began) / 1e7);
    assert_near(window, sqrt(1.5 * 1000), 4);
}

/* ---- a connection ---- */

static void send_sack(struct tl *t, uint32_t ack, uint32_t left, uint32_t right)
{
    uint8_t o[12] = {1, 1, 5, 10};
    be32_put(o + 4, left);
    be32_put(o + 8, right);
    tl_opt(t, o, 12);
    tl_send(t, TCP_ACK, TL_ISN + 1, ack, TL_WND, NULL, 0);
    t->nopt = 0;
}

static void in_a_connection(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off iw=10", &c, &iss, true);
    const struct tcb *b = tl_tcb(c);
    assert_string_equal(b->cc->name, "cubic");
    tl_push(c, 40 * TL_MSS);
    tl_run(t, 3 * MS);
    tl_forget(t);
    for (uint32_t i = 2; i <= 4; i++) /* the first of ten was lost */
        send_sack(t, iss + 1, iss + 1 + TL_MSS, iss + 1 + i * TL_MSS);
    assert_int_equal(b->recovery, RECOVER_SACK);
    assert_near((double)b->cw.ssthresh / TL_MSS, 10 * beta, 0.01);
    assert_near((double)b->cw.cubic.w_max / TL_MSS, 10, 0.01);
    tl_send(t, TCP_ACK, TL_ISN + 1, b->snd_max, TL_WND, NULL, 0);
    assert_int_equal(b->recovery, RECOVER_NONE);
    assert_int_equal(b->cw.cwnd, b->cw.ssthresh);
    tl_finish(t, TL_ISN + 1);
}

static void by_setting(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("cc=newreno", &c, &iss, true);
    assert_string_equal(tl_tcb(c)->cc->name, "newreno");
    tl_finish(t, TL_ISN + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 9438 4.2, 4.4, 4.5: the window is W_cubic, below and above W_max", curve),
        PLAIN_TEST("RFC 9438 4.2: at most half as much again in a round trip, and never less",
                   bounds),
        PLAIN_TEST("RFC 9438 4.3: never below what Reno would have", reno_friendly),
        PLAIN_TEST("RFC 9438 4.6: a loss leaves seven tenths", decrease),
        PLAIN_TEST("RFC 9438 4.7: fast convergence", fast_convergence),
        PLAIN_TEST("RFC 9438 4.8, 4.10: a time-out, slow start, and no way back", timeout),
        PLAIN_TEST("RFC 9438 4.2, 5.8: time that was not used does not count", limited),
        PLAIN_TEST("RFC 9438 4.10, RFC 5681 4.1: after silence slow start, then the curve", idle),
        PLAIN_TEST("RFC 9438 5.1: the average window at a rate of loss", average),
        PLAIN_TEST("RFC 9438 5.1, 4.3: Reno's average window where that is larger", average_reno),
        PLAIN_TEST("RFC 9438 4.6, RFC 6675: CUBIC is what a connection has", in_a_connection),
        PLAIN_TEST("tcp.cc=newreno: or NewReno", by_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
