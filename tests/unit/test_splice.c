/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The splice engine alone: kernel 0 is the intermediate node, kernel 1 all the hosts; connections
 * between them are spliced by hand, in every shape of spec flow-splicing 1.3. A stream is a
 * pattern, so whoever receives checks that each byte is the right one.
 */
#include "kernel/plat.h"
#include "tests/unit/tcp_link.h"

struct leg { /* one connection: as its host sees it, and as we do */
    struct tl_conn *host, *ours;
};

static const struct simway bad = {.delay_ns = 3 * MS,
                                  .jitter_ns = MS,
                                  .loss_ppm = 30000,
                                  .double_ppm = 10000,
                                  .reorder_ppm = 20000,
                                  .reorder_ns = 4 * MS};

static struct tl_conn *newest(struct tl *t, int kernel)
{
    struct tl_user *u = tl_user(t, kernel);
    return &u->conn[u->n - 1];
}

static void wait_open(struct tl *t, struct leg *l)
{
    for (int i = 0; i < 300 && !(l->host && l->ours && l->host->opened && l->ours->opened); i++)
        tl_run(t, 100 * MS);
    assert_true(l->host->opened && l->ours->opened);
}

/* The host opens to us; or we to it. */
static struct leg leg_in(struct tl *t, uint32_t seed)
{
    struct leg l = {.host = tl_connect(t, 1, TL_US, TL_PORT)};
    int n = tl_user(t, 0)->n;
    for (int i = 0; i < 100 && tl_user(t, 0)->n == n; i++)
        tl_run(t, 100 * MS);
    l.ours = newest(t, 0);
    l.host->tx_seed = seed;
    wait_open(t, &l);
    return l;
}

static struct leg leg_out(struct tl *t, uint32_t seed)
{
    int n = tl_user(t, 1)->n;
    struct leg l = {.ours = tl_connect(t, 0, TL_PEER, TL_PORT)};
    for (int i = 0; i < 100 && tl_user(t, 1)->n == n; i++)
        tl_run(t, 100 * MS);
    l.host = newest(t, 1);
    l.host->tx_seed = seed;
    wait_open(t, &l);
    return l;
}

static status_t splice(struct tl *t, const struct leg *from, const struct leg *to, bool absorb,
                       uint64_t limit)
{
    struct splice_conf conf = {.drain = DRAIN_ABSORB, .absorb_fin = absorb, .limit = limit};
    const struct tcb *src = tl_tcb(from->ours), *dst = tl_tcb(to->ours);
    t->k[0]->now = plat_now(t->k[0]);
    return splice_start(src->p, src->at, dst->p, dst->at, &conf);
}

/* What the host of `from` sends from now on, the host of `to` expects from now on. */
static void expect(const struct leg *from, const struct leg *to)
{
    to->host->rx_seed = from->host->tx_seed;
    to->host->rx = from->host->tx;
}

static void join(struct tl *t, const struct leg *from, const struct leg *to)
{
    assert_int_equal(splice(t, from, to, false, UINT64_MAX), OK);
    expect(from, to);
}

static void carried(struct tl *t, const struct leg *from, const struct leg *to, uint64_t n)
{
    uint64_t goal = to->host->rx + n;
    tl_push(from->host, n);
    for (int i = 0; i < 3000 && to->host->rx < goal; i++)
        tl_run(t, 100 * MS);
    assert_int_equal(to->host->rx, goal);
    assert_int_equal(to->host->rx_bad, 0);
}

static enum splice_state state_of(const struct leg *l)
{
    const struct tcb *c = tl_tcb(l->ours);
    return splice_state_of(c->p, c->at, (enum dir)c->up);
}

/* Bytes of the host that we, the proxy, see; and ours that it sees. */
static void local_both(struct tl *t, const struct leg *l, uint32_t seed, bool from, bool to)
{
    l->ours->rx_seed = l->host->tx_seed;
    l->ours->rx = l->host->tx;
    uint64_t there = l->ours->rx + 5000;
    if (from)
        tl_push(l->host, 5000);
    l->ours->tx_seed = l->host->rx_seed = seed;
    l->ours->tx = l->ours->tx_goal = l->host->rx = 0;
    if (to)
        tl_push(l->ours, 7000);
    for (int i = 0; i < 600; i++)
        tl_run(t, 100 * MS);
    assert_true(!from || l->ours->rx == there);
    assert_true(!to || l->host->rx == 7000);
    assert_int_equal(l->ours->rx_bad + l->host->rx_bad, 0);
}

static void finish(struct tl *t, struct leg *legs, int n)
{
    for (int i = 0; i < n; i++)
        if (legs[i].host->p)
            tl_reset(legs[i].host);
    tl_run(t, SECOND);
    for (int i = 0; i < n; i++)
        if (legs[i].ours->p)
            tl_reset(legs[i].ours);
    tl_run(t, 300 * SECOND);
    tl_end(t);
}

static void one_way_from(const struct simway *way, bool mirrored)
{
    struct tl *t = tl_make(2, way, "giveup=3000s");
    struct leg a = leg_in(t, 11), b = leg_out(t, 22);
    const struct leg *from = mirrored ? &b : &a, *to = mirrored ? &a : &b;
    join(t, from, to);
    assert_int_equal(state_of(from), SPLICE_ESTABLISHED); /* R-FLOW-11 */
    carried(t, from, to, 300000);
    local_both(t, from, 33, false, true); /* its outbound flow is ours as before */
    local_both(t, to, 44, true, false);   /* and the other one's inbound flow */
    expect(from, to);
    carried(t, from, to, 1000);
    struct leg all[] = {a, b};
    finish(t, all, 2);
}

static void one_way(void **state)
{
    (void)state;
    one_way_from(NULL, false);
    one_way_from(&bad, false);
}

static void mirrored(void **state)
{
    (void)state;
    one_way_from(NULL, true);
    one_way_from(&bad, true);
}

static void both_ways(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, &bad, "giveup=3000s");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22)};
    join(t, &l[0], &l[1]);
    join(t, &l[1], &l[0]);
    tl_push(l[1].host, 200000);
    uint64_t goal = l[0].host->rx + 200000;
    carried(t, &l[0], &l[1], 200000);
    for (int i = 0; i < 3000 && l[0].host->rx < goal; i++)
        tl_run(t, 100 * MS);
    assert_int_equal(l[0].host->rx, goal);
    finish(t, l, 2);
}

/* Figure 12: A sends to B, B to C, C to A. */
static void ring(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, &bad, "giveup=3000s");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22), leg_in(t, 33)};
    for (int i = 0; i < 3; i++)
        join(t, &l[i], &l[(i + 1) % 3]);
    for (int i = 0; i < 3; i++)
        carried(t, &l[i], &l[(i + 1) % 3], 100000);
    finish(t, l, 3);
}

/* C22: A to B, C to A; B and C stay with us in the other direction. */
static void fan(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, &bad, "giveup=3000s");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22), leg_out(t, 33)};
    join(t, &l[0], &l[1]);
    join(t, &l[2], &l[0]);
    carried(t, &l[0], &l[1], 50000);
    carried(t, &l[2], &l[0], 50000);
    local_both(t, &l[1], 55, true, false);
    local_both(t, &l[2], 66, false, true);
    finish(t, l, 3);
}

/* C51: A to B, B to C. */
static void chain(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, &bad, "giveup=3000s");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22), leg_out(t, 33)};
    join(t, &l[0], &l[1]);
    join(t, &l[1], &l[2]);
    carried(t, &l[0], &l[1], 50000);
    carried(t, &l[1], &l[2], 50000);
    local_both(t, &l[0], 55, false, true);
    local_both(t, &l[2], 66, true, false);
    finish(t, l, 3);
}

static void echo(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, &bad, "giveup=3000s");
    struct leg l[] = {leg_in(t, 11)};
    join(t, &l[0], &l[0]);
    carried(t, &l[0], &l[0], 200000);
    finish(t, l, 1);
}

static void refused(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, NULL, "");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22), leg_out(t, 33)};
    join(t, &l[0], &l[1]);
    assert_int_equal(splice(t, &l[0], &l[2], false, UINT64_MAX), E_EXIST);
    assert_int_equal(splice(t, &l[2], &l[1], false, UINT64_MAX), E_EXIST);
    carried(t, &l[0], &l[1], 10000);
    local_both(t, &l[2], 44, true, true);
    finish(t, l, 3);
}

/* Bytes that went between a host and the proxy before, each way; all were read. */
static void talked(struct tl *t, struct leg *l, uint64_t in, uint64_t out)
{
    l->ours->rx_seed = l->host->tx_seed;
    l->ours->tx_seed = l->host->rx_seed = l->host->tx_seed + 1;
    tl_push(l->host, in);
    tl_push(l->ours, out);
    for (int i = 0; i < 3000 && (l->ours->rx < in || l->host->rx < out); i++)
        tl_run(t, 10 * MS);
    tl_run(t, SECOND);
    assert_int_equal(l->ours->rx, in);
    assert_int_equal(l->host->rx, out);
}

static void after_bytes(void **state)
{
    static const uint64_t n[] = {0, 1, 70001};
    (void)state;
    for (int i = 0; i < 9; i++) {
        for (int j = 0; j < 2; j++) {
            struct tl *t = tl_make(2, NULL, "");
            struct leg l[] = {leg_in(t, 11), leg_out(t, 22)};
            struct leg *from = &l[j], *to = &l[!j];
            talked(t, from, n[i / 3], n[(i + 1) % 3]);
            talked(t, to, n[(i + 2) % 3], n[i % 3]);
            join(t, from, to);
            carried(t, from, to, 1); /* what differs shows at once */
            carried(t, from, to, 30000);
            assert_int_equal(from->ours->rx, n[i / 3]); /* none of it came to the proxy */
            assert_int_equal(from->ours->rx_bad + to->ours->rx_bad, 0);
            finish(t, l, 2);
        }
    }
}

/* Bytes that were acknowledged before the splice lie in all three buffers. */
static void buffered(void **state)
{
    (void)state;
    for (int drain = DRAIN_ABSORB; drain <= DRAIN_CONCURRENT; drain++) {
        struct tl *t = tl_make(2, NULL, "");
        struct leg l[] = {leg_in(t, 11), leg_out(t, 22)};
        struct msgq held = {0};
        l[0].ours->stopped = true; /* 60000 bytes wait in the receive queue */
        tl_push(l[0].host, 60000);
        tl_run(t, SECOND);
        l[1].host->stopped = true; /* and the send queue towards a host that does not read */
        l[1].ours->tx_seed = l[1].host->rx_seed = 77;
        tl_push(l[1].ours, 150000);
        tl_run(t, SECOND);
        assert_true(tl_tcb(l[0].ours)->rcvq.bytes > 50000);
        assert_true(tl_tcb(l[1].ours)->sndq.bytes > 10000);
        uint64_t before = l[1].ours->tx;
        l[1].ours->tx_goal = before;
        struct msg *m = msg_alloc(&l[0].ours->p->pool, MSG_HEADROOM, 100);
        for (int i = 0; i < 100; i++) /* in the proxy: it may have changed them */
            *msg_put(m, 1) = tl_byte(77, before + (uint64_t)i);
        msgq_push(&held, m);
        struct splice_conf conf = {
            .drain = (enum splice_drain)drain, .limit = UINT64_MAX, .held = &held};
        struct tcb *src = tl_tcb(l[0].ours), *dst = tl_tcb(l[1].ours);
        assert_int_equal(splice_start(src->p, src->at, dst->p, dst->at, &conf), OK);
        assert_int_equal(state_of(&l[0]),
                         drain == DRAIN_CONCURRENT ? SPLICE_FORWARDING : SPLICE_PENDING);
        tl_go(l[1].host);
        for (int i = 0; i < 100 && l[1].host->rx < before + 100; i++)
            tl_run(t, 10 * MS);
        /* The pattern changes where A's own bytes begin: what came too early would be counted. */
        assert_int_equal(l[1].host->rx_bad > 0, l[1].host->rx > before + 100);
        l[1].host->stopped = false;
        tl_push(l[0].host, 40000);
        for (int i = 0; i < 600 && l[1].host->rx < before + 100 + 100000; i++)
            tl_run(t, 100 * MS);
        assert_int_equal(l[1].host->rx, before + 100 + 100000);
        assert_int_equal(state_of(&l[0]), SPLICE_ESTABLISHED);
        finish(t, l, 2);
    }
}

static void limited(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, &bad, "giveup=3000s");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22)};
    for (int round = 0; round < 20; round++) {
        uint64_t n = 1 + (uint64_t)round * 1777;
        assert_int_equal(splice(t, &l[0], &l[1], false, n), OK);
        expect(&l[0], &l[1]);
        l[0].ours->rx_seed = 11;
        l[0].ours->rx = l[0].host->tx + n;
        uint64_t there = l[1].host->rx + n, here = l[0].ours->rx + 900;
        tl_push(l[0].host, n + 900);
        for (int i = 0; i < 3000 && (l[1].host->rx < there || l[0].ours->rx < here); i++)
            tl_run(t, 100 * MS);
        tl_run(t, SECOND);
        assert_int_equal(l[1].host->rx, there); /* not one more */
        assert_int_equal(l[0].ours->rx, here);  /* and the next one is ours */
        assert_int_equal(l[0].ours->rx_bad + l[1].host->rx_bad, 0);
        assert_int_equal(state_of(&l[0]), SPLICE_UNSPLICED);
        assert_int_equal(tcp_passed(tl_tcb(l[0].ours)->p, tl_tcb(l[0].ours)->at), n);
    }
    finish(t, l, 2);
}

static void thousand_sources(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, NULL, "msl=10ms paths=4096");
    struct leg to = leg_out(t, 22), from = {0};
    uint64_t sent = 0;
    to.host->rx_seed = 11;
    to.host->rx = 0;
    for (int i = 0; i < 1000; i++) {
        tl_user(t, 1)->n = 1; /* the entries of those that are gone */
        tl_user(t, 0)->n = 1;
        from = leg_in(t, 11);
        from.host->tx = from.host->tx_goal = sent;
        assert_int_equal(splice(t, &from, &to, true, UINT64_MAX), OK);
        from.host->shut_after = true;
        from.ours->shut_on_eof = true;
        uint64_t n = 1 + (uint64_t)i % 3000;
        tl_push(from.host, n);
        sent += n;
        for (int j = 0; j < 100 && (to.host->rx < sent || from.host->p || from.ours->p); j++)
            tl_run(t, 20 * MS);
        assert_int_equal(to.host->rx, sent);
        assert_int_equal(from.host->closed, 1);
        assert_int_equal(from.ours->eof, 1);
        assert_int_equal(to.host->eof, 0);
    }
    assert_int_equal(to.host->rx_bad, 0);
    finish(t, &to, 1);
}

/* A's FIN ends its flow only; what was lost before it comes again from A, and B gets one stream. */
static void absorbed(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, &bad, "giveup=3000s");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22)};
    assert_int_equal(splice(t, &l[0], &l[1], true, UINT64_MAX), OK);
    expect(&l[0], &l[1]);
    l[0].host->shut_after = true;
    tl_push(l[0].host, 100000);
    for (int i = 0; i < 3000 && !l[0].ours->eof; i++) {
        const struct tcb *a = tl_tcb(l[0].host);
        tl_run(t, 10 * MS);
        if (a && a->state == TCP_FIN_WAIT_2) /* its FIN is acknowledged: so is all before it */
            assert_int_equal(l[1].host->rx, 100000);
    }
    assert_int_equal(l[1].host->rx, 100000);
    assert_int_equal(l[1].host->eof, 0);
    l[1].ours->tx_seed = 11;
    l[1].ours->tx = l[1].ours->tx_goal = 100000;
    tl_push(l[1].ours, 5000);
    for (int i = 0; i < 3000 && l[1].host->rx < 105000; i++)
        tl_run(t, 10 * MS);
    assert_int_equal(l[1].host->rx, 105000);
    assert_int_equal(l[1].host->rx_bad, 0);
    finish(t, l, 2);
}

/* Propagated: both hosts see one close, the other direction goes on, then ends too. */
static void propagated(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tl *t = tl_make(2, i ? &bad : NULL, "giveup=3000s msl=1s");
        struct leg l[] = {leg_in(t, 11), leg_out(t, 22)};
        join(t, &l[0], &l[1]);
        join(t, &l[1], &l[0]);
        l[0].host->shut_after = true;
        carried(t, &l[0], &l[1], 50000);
        for (int j = 0; j < 600 && !l[1].host->eof; j++)
            tl_run(t, 100 * MS);
        assert_int_equal(l[1].host->eof, 1);
        if (!i)
            assert_int_equal(state_of(&l[0]), SPLICE_WAITING);
        carried(t, &l[1], &l[0], 80000); /* R-FLOW-47 */
        tl_shut(l[1].host);
        for (int j = 0; j < 3000 && (l[0].host->p || l[1].host->p || l[0].ours->p); j++)
            tl_run(t, 100 * MS);
        assert_int_equal(l[0].host->closed + l[1].host->closed, 2);
        assert_int_equal(l[0].host->reset + l[1].host->reset, 0);
        tl_run(t, 300 * SECOND);
        tl_end(t);
    }
}

/* 7.3: with a way to go on the other connection lives, else it dies too. */
static void reset_by(int who, bool absorb)
{
    struct tl *t = tl_make(2, NULL, "");
    struct leg l[] = {leg_in(t, 11), leg_out(t, 22)};
    assert_int_equal(splice(t, &l[0], &l[1], absorb, UINT64_MAX), OK);
    expect(&l[0], &l[1]);
    carried(t, &l[0], &l[1], 20000);
    tl_run(t, SECOND);
    tl_reset(l[who].host);
    tl_run(t, SECOND);
    assert_int_equal(l[who].ours->reset, 1);
    assert_int_equal(l[!who].ours->reset, absorb ? 0 : 1);
    assert_int_equal(l[!who].host->reset, absorb ? 0 : 1);
    if (absorb)
        local_both(t, &l[!who], 99, true, true);
    finish(t, l, 2);
}

static void resets(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        reset_by(who, false);
        reset_by(who, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-FLOW-1 R-FLOW-11 one way: the other flows stay with the proxy", one_way),
        PLAIN_TEST("R-FLOW-2 the mirrored splice, alone", mirrored),
        PLAIN_TEST("R-FLOW-3 both splices together are a connection splice", both_ways),
        PLAIN_TEST("R-FLOW-4 ring of three connections", ring),
        PLAIN_TEST("R-FLOW-4 fan (C22)", fan),
        PLAIN_TEST("R-FLOW-4 chain (C51)", chain),
        PLAIN_TEST("R-FLOW-5 echo: both flows of one connection", echo),
        PLAIN_TEST("R-FLOW-6 spliced after 0, 1 and many bytes: the stream goes on", after_bytes),
        PLAIN_TEST("R-FLOW-8 a flow that is spliced already is refused, nothing changes", refused),
        PLAIN_TEST("R-SPL-4 R-FLOW-9 R-FLOW-12 send buffer, proxy, receive buffer, forwarded",
                   buffered),
        PLAIN_TEST("R-FLOW-51 a limit: exactly n bytes, then control", limited),
        PLAIN_TEST("R-FLOW-50 one outbound flow, 1000 successive sources", thousand_sources),
        PLAIN_TEST("R-FLOW-44 R-FLOW-45 R-FLOW-46 FIN absorbed", absorbed),
        PLAIN_TEST("R-FLOW-41 R-FLOW-47 FIN propagated, half-close goes on", propagated),
        PLAIN_TEST("R-FLOW-48 RST either way, propagated and absorbed", resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
