/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A splice of one flow, A to B, as both hosts see it on the wire: the test speaks for A and for B,
 * segment by segment, and stands where the proxy would. The two flows of the other direction stay
 * with the proxy all the time. Numbers count from each side's first one, as in tests/path.
 */
#include <stdlib.h>

#include "tests/unit/tcp_link.h"

enum { RCVBUF = 4096, WIDE = 20000 }; /* what we offer, and what the hosts do, if not said else */

struct host {
    uint16_t port;
    uint32_t isn, iss; /* its first number, and ours */
    struct tl_conn *c; /* the proxy's end of its connection */
};

struct two {
    struct tl *t;
    struct host a, b;
};

/* The bytes of a host follow from its port, those of the proxy to it from the next one. */
static struct host opened(struct tl *t, uint16_t port, uint32_t isn, uint32_t wnd)
{
    struct host h = {.port = port, .isn = isn};
    t->port = port;
    h.c = tl_open(t, isn, wnd, &h.iss);
    h.c->rx_seed = port;
    h.c->tx_seed = port + 1U;
    h.c->chunk = 500;
    return h;
}

/* One number space is near its end. */
static struct two two_of(uint32_t wnd_b)
{
    struct two x = {.t = tl_make(1, NULL, "timestamps=off sack=off wscale=off rcvbuf=4k")};
    x.a = opened(x.t, 4000, 5000, WIDE);
    x.b = opened(x.t, 4010, 0xffffff80, wnd_b);
    return x;
}

static void says(struct two *x, const struct host *h, uint8_t flags, uint32_t seq, uint32_t len,
                 uint32_t ack, uint32_t wnd)
{
    uint8_t bytes[RCVBUF];
    assert_true(len <= 536);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = tl_byte(h->port, seq - 1 + i);
    x->t->port = h->port;
    tl_send(x->t, flags, h->isn + seq, h->iss + ack, wnd, bytes, len);
}

/* The next segment, which is for that host. */
static const struct tl_seg *hears(struct two *x, const struct host *h, uint8_t flags, uint32_t seq,
                                  uint32_t len, uint32_t ack)
{
    const struct tl_seg *s = tl_expect(x->t, flags);
    if (s->port != h->port || s->seq - h->iss != seq || s->len != len || s->ack - h->isn != ack)
        fail_msg("expected %u:%u(%u) ack %u for %u, got %u:%u(%u) ack %u for %u", seq, seq + len,
                 len, ack, h->port, s->seq - h->iss, s->seq - h->iss + s->len, s->len,
                 s->ack - h->isn, s->port);
    return s;
}

/* And its payload is what stands in that stream there. */
static void holds(const struct tl_seg *s, uint32_t seed, uint64_t from)
{
    for (uint32_t i = 0; i < s->len; i++)
        assert_int_equal(s->data[i], tl_byte(seed, from + i));
}

static void hears_of(struct two *x, const struct host *h, uint32_t seq, uint32_t len, uint32_t ack,
                     uint32_t from)
{
    holds(hears(x, h, TCP_ACK, seq, len, ack), x->a.port, from - 1);
}

/* The proxy sends, and the host hears it in segments of 500 bytes, from that number on. */
static void proxy_says(struct two *x, const struct host *h, uint32_t seq, uint32_t n, uint32_t ack)
{
    uint64_t from = h->c->tx;
    tl_push(h->c, n);
    tl_run(x->t, 3 * MS);
    for (uint32_t at = 0; at < n; at += 500) {
        uint32_t len = n - at < 500 ? n - at : 500;
        holds(hears(x, h, TCP_ACK, seq + at, len, ack), h->c->tx_seed, from + at);
    }
}

static enum splice_state state_of(const struct two *x)
{
    const struct tcb *c = tl_tcb(x->a.c);
    return splice_state_of(c->p, c->at, (enum dir)c->up);
}

static void splice(struct two *x, enum splice_state begins)
{
    struct splice_conf conf = {.drain = DRAIN_ABSORB, .limit = UINT64_MAX};
    const struct tcb *src = tl_tcb(x->a.c), *dst = tl_tcb(x->b.c);
    assert_int_equal(splice_start(src->p, src->at, dst->p, dst->at, &conf), OK);
    tl_run(x->t, 3 * MS);
    assert_int_equal(state_of(x), begins);
}

/* Nothing of the proxy's was ever sent: the splice is ESTABLISHED, and A is offered B's window. */
static struct two established(void)
{
    struct two x = two_of(WIDE);
    splice(&x, SPLICE_ESTABLISHED);
    assert_int_equal(hears(&x, &x.a, TCP_ACK, 1, 0, 1)->wnd, WIDE);
    return x;
}

/* 200 bytes of the proxy's are on their way to B when it begins: those are ours until acknowledged.
 */
static struct two forwarding(void)
{
    struct two x = two_of(WIDE);
    proxy_says(&x, &x.b, 1, 200, 1);
    splice(&x, SPLICE_FORWARDING);
    assert_int_equal(hears(&x, &x.a, TCP_ACK, 1, 0, 1)->wnd, WIDE - 200);
    return x;
}

static void end(struct two *x)
{
    assert_int_equal(x->a.c->rx_bad + x->b.c->rx_bad, 0);
    tl_silence(x->t);
    tl_reset(x->a.c);
    tl_run(x->t, SECOND);
    if (x->b.c->p)
        tl_reset(x->b.c);
    tl_run(x->t, SECOND);
    tl_forget(x->t);
    tl_end(x->t);
}

/* Table 4.3. */
static void reverse_fields(void **state)
{
    (void)state;
    struct two x = established();
    proxy_says(&x, &x.a, 1, 300, 1); /* so what we sent is not what A has acknowledged */
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE);
    hears_of(&x, &x.b, 1, 100, 1, 1);
    says(&x, &x.b, TCP_ACK | TCP_PSH | TCP_URG, 1, 60, 101, 25000);
    const struct tl_seg *s = hears(&x, &x.a, TCP_ACK, 301, 0, 101);
    assert_int_equal(s->flags, TCP_ACK); /* neither B's data nor what belongs to it */
    assert_int_equal(s->wnd, 25000);
    assert_int_equal(x.b.c->rx, 60);
    says(&x, &x.a, TCP_ACK, 101, 100, 301, WIDE);
    hears_of(&x, &x.b, 101, 100, 61, 101);
    says(&x, &x.b, TCP_ACK | TCP_PSH, 61, 0, 151, 26000);
    s = hears(&x, &x.a, TCP_ACK, 301, 0, 151);
    assert_int_equal(s->flags, TCP_ACK);
    assert_int_equal(s->wnd, 26000);
    end(&x);
}

/* Table 4.4, steps 4 and 5. */
static void forward_fields(void **state)
{
    (void)state;
    struct two x = established();
    x.b.c->stopped = true; /* what B sends stays in our buffer, and takes from its window */
    proxy_says(&x, &x.a, 1, 300, 1);
    says(&x, &x.b, TCP_ACK, 1, 50, 1, WIDE);
    says(&x, &x.a, TCP_ACK, 1, 100, 301, 1234);
    assert_int_equal(hears(&x, &x.b, TCP_ACK, 1, 100, 51)->wnd, RCVBUF - 50);
    says(&x, &x.b, TCP_ACK, 51, 70, 1, WIDE);
    says(&x, &x.a, TCP_ACK, 1, 100, 150, 777); /* again, with other old words */
    assert_int_equal(hears(&x, &x.b, TCP_ACK, 1, 100, 121)->wnd, RCVBUF - 120);
    tl_go(x.b.c);
    assert_int_equal(x.b.c->rx, 120);
    tl_run(x.t, 3 * MS);
    tl_forget(x.t);
    end(&x);
}

static void pure_acks(void **state)
{
    (void)state;
    struct two x = established();
    proxy_says(&x, &x.a, 1, 300, 1);
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE);
    hears_of(&x, &x.b, 1, 100, 1, 1);
    says(&x, &x.a, TCP_ACK, 101, 0, 150, WIDE);
    says(&x, &x.a, TCP_ACK, 101, 0, 301, WIDE);
    says(&x, &x.a, TCP_ACK, 101, 0, 301, 30000); /* a window of the other flow */
    for (int i = 0; i < 3; i++)
        says(&x, &x.a, TCP_ACK, 101, 0, 301, 30000);
    tl_silence(x.t);
    says(&x, &x.a, TCP_ACK, 100, 0, 301, 30000); /* but a keep-alive is a question to B: 4.2 */
    hears(&x, &x.b, TCP_ACK, 100, 0, 1);
    end(&x);
}

static void acks_free(void **state)
{
    (void)state;
    struct two x = established();
    proxy_says(&x, &x.a, 1, 300, 1);
    says(&x, &x.a, TCP_ACK, 1, 100, 101, WIDE); /* on a segment whose data is forwarded */
    hears_of(&x, &x.b, 1, 100, 1, 1);
    assert_int_equal(tl_tcb(x.a.c)->sndq.bytes, 200);
    says(&x, &x.a, TCP_ACK, 101, 0, 301, WIDE); /* and alone */
    assert_int_equal(tl_tcb(x.a.c)->sndq.bytes, 0);
    tl_run(x.t, 10 * SECOND);
    tl_silence(x.t); /* or we would send again */
    proxy_says(&x, &x.a, 301, 2000, 1);
    for (int i = 0; i < 3; i++) /* one of ours was lost */
        says(&x, &x.a, TCP_ACK, 101, 0, 301, WIDE);
    hears(&x, &x.a, TCP_ACK, 301, 536, 1);
    says(&x, &x.a, TCP_ACK, 101, 100, 2301, WIDE);
    hears_of(&x, &x.b, 101, 100, 1, 101);
    assert_int_equal(tl_tcb(x.a.c)->sndq.bytes, 0);
    end(&x);
}

static void nothing_new(void **state)
{
    (void)state;
    struct two x = established();
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE);
    hears_of(&x, &x.b, 1, 100, 1, 1);
    says(&x, &x.b, TCP_ACK, 1, 50, 1, WIDE);
    tl_silence(x.t);
    says(&x, &x.b, TCP_ACK, 51, 0, 101, WIDE);
    hears(&x, &x.a, TCP_ACK, 1, 0, 101);
    says(&x, &x.b, TCP_ACK, 51, 50, 101, WIDE);
    hears(&x, &x.b, TCP_ACK, 101, 0, 101); /* ours, for both of B's: the proxy has read them */
    tl_silence(x.t);
    assert_int_equal(x.b.c->rx, 100);
    end(&x);
}

/* What B says about bytes of A that we never had. before: what the proxy had sent. */
static void data_with_acks(struct two x, uint32_t before)
{
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE);
    hears_of(&x, &x.b, before + 1, 100, 1, 1);
    says(&x, &x.b, TCP_ACK, 1, 50, before + 51, WIDE);
    hears(&x, &x.a, TCP_ACK, 1, 0, 51);
    says(&x, &x.b, TCP_ACK, 51, 50, before + 101, WIDE);
    hears(&x, &x.a, TCP_ACK, 1, 0, 101);
    hears(&x, &x.b, TCP_ACK, before + 101, 0, 101); /* accepted, and acknowledged */
    assert_int_equal(x.b.c->rx, 100);
    assert_int_equal(tl_drops(x.t, DROP_TCP_ACK), 0);
    end(&x);
}

static void data_accepted(void **state)
{
    (void)state;
    data_with_acks(established(), 0);
    data_with_acks(forwarding(), 200);
}

/* B drops a segment that is outside its window, and it is if it has an old number. */
static void own_acks(struct two x, uint32_t before)
{
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE);
    hears_of(&x, &x.b, before + 1, 100, 1, 1);
    says(&x, &x.b, TCP_ACK, 1, 50, 1, WIDE);
    says(&x, &x.b, TCP_ACK, 51, 50, 1, WIDE);
    hears(&x, &x.b, TCP_ACK, before + 101, 0, 101);
    says(&x, &x.a, TCP_ACK, 201, 100, 1, WIDE); /* the one in between was lost */
    hears_of(&x, &x.b, before + 201, 100, 101, 201);
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE); /* and an old one is the end of nothing */
    hears_of(&x, &x.b, before + 1, 100, 101, 1);
    says(&x, &x.b, TCP_ACK, 101, 50, 1, WIDE);
    says(&x, &x.b, TCP_ACK, 151, 50, 1, WIDE);
    hears(&x, &x.b, TCP_ACK, before + 301, 0, 201);
    end(&x);
}

static void own_acks_accepted(void **state)
{
    (void)state;
    own_acks(established(), 0);
    own_acks(forwarding(), 200);
}

/* A was promised RCVBUF, and B offers less: A's next bytes might not fit. */
static void window_gap(void **state)
{
    (void)state;
    struct two x = two_of(RCVBUF - 1);
    splice(&x, SPLICE_PENDING);
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE);
    hears_of(&x, &x.b, 1, 100, 1, 1);
    says(&x, &x.a, TCP_ACK, 101, 100, 1, WIDE);
    hears_of(&x, &x.b, 101, 100, 1, 101);
    hears(&x, &x.a, TCP_ACK, 1, 0, 201); /* by us: B has said nothing */
    assert_int_equal(state_of(&x), SPLICE_PENDING);
    end(&x);
    x = two_of(RCVBUF);
    splice(&x, SPLICE_ESTABLISHED);
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE);
    hears_of(&x, &x.b, 1, 100, 1, 1);
    says(&x, &x.a, TCP_ACK, 101, 100, 1, WIDE);
    hears_of(&x, &x.b, 101, 100, 1, 101);
    tl_run(x.t, SECOND);
    end(&x);
}

/* A segment of A's is lost while PENDING, the one behind it is not. */
static void out_of_order(void **state)
{
    (void)state;
    struct two x = two_of(300);
    tl_push(x.b.c, 400); /* the last 100 do not fit */
    tl_run(x.t, 3 * MS);
    hears(&x, &x.b, TCP_ACK, 1, 300, 1);
    splice(&x, SPLICE_PENDING);
    says(&x, &x.a, TCP_ACK, 101, 100, 1, WIDE);
    hears(&x, &x.a, TCP_ACK, 1, 0, 1);
    says(&x, &x.a, TCP_ACK, 301, 100, 1, WIDE);
    hears(&x, &x.a, TCP_ACK, 1, 0, 1);
    says(&x, &x.b, TCP_ACK, 1, 0, 301, WIDE);
    holds(hears(&x, &x.b, TCP_ACK, 301, 100, 1), x.b.c->tx_seed, 300); /* ours first */
    hears_of(&x, &x.b, 501, 100, 1, 101);
    hears_of(&x, &x.b, 701, 100, 1, 301);
    hears(&x, &x.a, TCP_ACK, 1, 0, 1); /* what B offers now */
    assert_int_equal(state_of(&x), SPLICE_FORWARDING);
    says(&x, &x.a, TCP_ACK, 1, 100, 1, WIDE); /* A sends again only what was lost */
    hears_of(&x, &x.b, 401, 100, 1, 1);
    says(&x, &x.a, TCP_ACK, 201, 100, 1, WIDE);
    hears_of(&x, &x.b, 601, 100, 1, 201);
    says(&x, &x.b, TCP_ACK, 1, 0, 801, WIDE);
    hears(&x, &x.a, TCP_ACK, 1, 0, 401);
    end(&x);
}

/* What A may send is ours to keep, and no more; when B has it all, A hears of it unasked. */
static void slow_reader(void **state)
{
    (void)state;
    struct two x = two_of(100);
    uint32_t sent = 0, wnd = RCVBUF;
    proxy_says(&x, &x.b, 1, 100, 1);
    splice(&x, SPLICE_PENDING);
    while (sent < RCVBUF) {
        const struct tl_seg *s;
        says(&x, &x.a, TCP_ACK, 1 + sent, 256, 1, WIDE);
        sent += 256;
        while ((s = tl_next(x.t)))
            if (s->port == x.a.port) {
                assert_int_equal(s->ack - x.a.isn + s->wnd, 1 + RCVBUF); /* the edge stands */
                wnd = s->wnd;
            }
    }
    assert_int_equal(wnd, 0);
    assert_int_equal(tl_tcb(x.b.c)->sndq.bytes, 100 + RCVBUF);
    says(&x, &x.a, TCP_ACK, 1 + sent, 256, 1, WIDE); /* it does not care: not taken */
    assert_int_equal(hears(&x, &x.a, TCP_ACK, 1, 0, 1 + sent)->wnd, 0);
    assert_int_equal(tl_tcb(x.b.c)->sndq.bytes, 100 + RCVBUF);
    /* B has room for exactly that, so A's edge and B's are the same. */
    says(&x, &x.b, TCP_ACK, 1, 0, 101, RCVBUF);
    for (uint32_t got = 0; got < sent;) {
        const struct tl_seg *s = tl_expect(x.t, TCP_ACK);
        assert_int_equal(s->port, x.b.port);
        assert_int_equal(s->seq - x.b.iss, 101 + got);
        holds(s, x.a.port, got);
        got += s->len;
    }
    assert_int_equal(state_of(&x), SPLICE_FORWARDING);
    tl_silence(x.t);
    says(&x, &x.b, TCP_ACK, 1, 0, 101 + sent, 3000);
    assert_int_equal(state_of(&x), SPLICE_ESTABLISHED);
    assert_int_equal(hears(&x, &x.a, TCP_ACK, 1, 0, 1 + sent)->wnd, 3000);
    says(&x, &x.a, TCP_ACK, 1 + sent, 256, 1, WIDE);
    hears_of(&x, &x.b, 101 + sent, 256, 1, 1 + sent);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-FLOW-10 a window gap: PENDING without a byte, none: ESTABLISHED", window_gap),
        PLAIN_TEST("R-FLOW-20 what came out of order while PENDING is forwarded", out_of_order),
        PLAIN_TEST("R-FLOW-24 what B says reaches A as ACK alone: our number, mapped ACK, window",
                   reverse_fields),
        PLAIN_TEST("R-FLOW-25 forwarded with ACK and window of B's connection, never A's words",
                   forward_fields),
        PLAIN_TEST("R-FLOW-26 A's pure ACKs are not forwarded, its keep-alive is", pure_acks),
        PLAIN_TEST("R-FLOW-27 A's ACKs free what the proxy sent it, duplicates repair it",
                   acks_free),
        PLAIN_TEST("R-FLOW-30 B's data with nothing new about A's causes no packet to A",
                   nothing_new),
        PLAIN_TEST("R-FLOW-31 B's data is accepted with an ACK of what was only forwarded",
                   data_accepted),
        PLAIN_TEST("R-FLOW-32 our ACKs to B have the number behind all that was forwarded",
                   own_acks_accepted),
        PLAIN_TEST("R-FLOW-40 a slow B closes A's window, bounded; A resumes without a probe",
                   slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
