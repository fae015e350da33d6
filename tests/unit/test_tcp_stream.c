/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two TCPs over a link: every acknowledged byte arrives, in order, once, whatever the link does;
 * both ends hear EOF and CLOSED once; and nothing is left of the connection.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/tcp_link.h"

struct kind {
    const char *name;
    struct simway way;
    const char *cmdline;
    uint64_t bytes, limit_s;
    uint32_t chunk;
    int seeds;
};

static const struct kind kinds[] = {
    {"perfect", {.delay_ns = MS}, "", 4000000, 60, 0, 1},
    {"loss 1%, reorder, double",
     {.delay_ns = 2 * MS,
      .loss_ppm = 10000,
      .double_ppm = 10000,
      .reorder_ppm = 20000,
      .reorder_ns = 5 * MS,
      .jitter_ns = MS},
     "",
     600000,
     600,
     0,
     12},
    {"loss 10%", {.delay_ns = 5 * MS, .loss_ppm = 100000}, "", 200000, 3000, 0, 12},
    {"loss 10%, no SACK",
     {.delay_ns = 5 * MS, .loss_ppm = 100000},
     "sack=off",
     200000,
     3000,
     0,
     12},
    {"loss 10%, no options",
     {.delay_ns = 5 * MS, .loss_ppm = 100000},
     "sack=off timestamps=off wscale=off",
     200000,
     3000,
     0,
     12},
    {"loss 30%",
     {.delay_ns = 5 * MS, .loss_ppm = 300000},
     "giveup=3000s halfidle=3000s msl=240s",
     30000,
     20000,
     0,
     8},
    {"damage", {.delay_ns = MS, .damage_ppm = 50000}, "", 300000, 3000, 0, 8},
    {"small writes, loss", {.delay_ns = MS, .loss_ppm = 50000}, "", 20000, 3000, 7, 8},
    {"small buffers",
     {.delay_ns = MS, .loss_ppm = 20000},
     "sndbuf=4k rcvbuf=4k",
     100000,
     3000,
     0,
     6},
    {"few buffers, loss", {.delay_ns = MS, .loss_ppm = 10000}, "buffers=64", 1000000, 3000, 0, 6},
    {"slow link",
     {.delay_ns = 20 * MS, .rate_bps = 2000000, .queue_bytes = 30000},
     "",
     1000000,
     600,
     0,
     2},
};

static void run(const struct kind *kind, int seed)
{
    struct tl *t = tl_make(2, &kind->way, kind->cmdline);
    for (int i = 0; i < seed; i++) { /* another stretch of the link's random numbers */
        uint8_t nothing[20] = {0};
        simlink_send(t->link, 1, nothing, sizeof nothing);
    }
    struct tl_user *server = tl_user(t, 1);
    server->model = (struct tl_conn){.rx_seed = 1,
                                     .tx_seed = 2,
                                     .tx_goal = kind->bytes,
                                     .shut_after = true,
                                     .chunk = kind->chunk};
    struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PORT);
    assert_non_null(c);
    c->tx_seed = 1;
    c->rx_seed = 2;
    c->tx_goal = kind->bytes;
    c->shut_after = true;
    c->chunk = kind->chunk;
    for (uint64_t s = 0; s < kind->limit_s && !(c->closed && server->n && server->conn[0].closed);
         s++)
        tl_run(t, SECOND);
    const struct tl_conn *d = &server->conn[0];
    if (c->rx != kind->bytes || d->rx != kind->bytes || c->rx_bad || d->rx_bad || c->eof != 1 ||
        d->eof != 1 || c->closed != 1 || d->closed != 1 || c->reset + d->reset)
        fail_msg("%s, seed %d: client rx %llu bad %llu eof %u closed %u reset %u; server rx %llu "
                 "bad %llu eof %u closed %u reset %u",
                 kind->name, seed, (unsigned long long)c->rx, (unsigned long long)c->rx_bad, c->eof,
                 c->closed, c->reset, (unsigned long long)d->rx, (unsigned long long)d->rx_bad,
                 d->eof, d->closed, d->reset);
    tl_end(t);
}

static void streams(void **state)
{
    const char *is_long = getenv("TEST_LONG");
    int times = is_long && strcmp(is_long, "1") == 0 ? 50 : 1;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        for (int seed = 0; seed < kinds[i].seeds * times; seed++)
            run(&kinds[i], seed);
}

/* RFC 9293 3.6: each end may finish for itself; a slow reader stops the sender, no byte is lost. */
static void half_close(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct tl *t = tl_make(2, NULL, "");
        struct tl_user *server = tl_user(t, 1);
        server->model = (struct tl_conn){.rx_seed = 1, .tx_seed = 2};
        struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PORT), *d = &server->conn[0];
        tl_run(t, 100 * MS);
        assert_int_equal(c->opened, 1);
        assert_int_equal(d->opened, 1);
        c->tx_seed = 1;
        c->rx_seed = 2;
        struct tl_conn *first = side ? d : c, *other = side ? c : d;
        tl_push(first, 1000);
        tl_shut(first);
        tl_run(t, SECOND);
        assert_int_equal(other->eof, 1);
        assert_int_equal(other->rx, 1000);
        assert_int_equal(tl_tcb(first)->state, TCP_FIN_WAIT_2);
        assert_int_equal(tl_tcb(other)->state, TCP_CLOSE_WAIT);
        tl_push(other, 300000);
        tl_run(t, 5 * SECOND);
        assert_int_equal(first->rx, 300000);
        tl_shut(other);
        tl_run(t, SECOND);
        assert_int_equal(first->eof, 1);
        assert_int_equal(c->closed + d->closed, 2);
        assert_int_equal(c->rx_bad + d->rx_bad, 0);
        assert_int_equal(tl_tcp(t, side)->waits.live, 1); /* who closed first waits */
        assert_int_equal(tl_tcp(t, !side)->waits.live, 0);
        tl_run(t, 61 * SECOND);
        assert_int_equal(tl_tcp(t, side)->waits.live, 0);
        tl_end(t);
    }
}

static void slow_reader(void **state)
{
    (void)state;
    struct tl *t = tl_make(2, NULL, "");
    struct tl_user *server = tl_user(t, 1);
    server->model = (struct tl_conn){.rx_seed = 1, .stopped = true, .shut_on_eof = true};
    struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PORT), *d = &server->conn[0];
    c->tx_seed = 1;
    c->tx_goal = 2000000;
    c->shut_after = true;
    tl_run(t, 600 * SECOND);
    assert_int_equal(d->rx, 0);
    assert_true(c->tx < 131072 * 2 + 3000); /* both buffers, and no more */
    assert_true(tl_tcp(t, 0)->stat[STAT_PROBE] >= 10);
    assert_true(tl_tcp(t, 0)->stat[STAT_PROBE] <= 30);
    assert_true(tl_tcb(d)->p->pool.used < 300000);
    tl_go(d);
    tl_run(t, 120 * SECOND);
    assert_int_equal(d->rx, 2000000);
    assert_int_equal(d->rx_bad, 0);
    assert_int_equal(c->closed + d->closed, 2);
    tl_run(t, 61 * SECOND);
    tl_end(t);
}

/* Readers that have stopped may not take the buffers that another connection, or the card, needs.
 */
static void crowd(void **state)
{
    enum { STOPPED = 60 };
    (void)state;
    struct tl *t = tl_make(2, NULL, "buffers=300 backlog=1000");
    struct tl_user *server = tl_user(t, 1);
    struct tl_conn *c[STOPPED + 1];
    server->model = (struct tl_conn){.rx_seed = 1, .stopped = true};
    for (int i = 0; i <= STOPPED; i++) {
        if (i == STOPPED)
            server->model.stopped = false;
        c[i] = tl_connect(t, 0, TL_PEER, TL_PORT);
        assert_non_null(c[i]);
        c[i]->tx_seed = 1;
        tl_run(t, 10 * MS);
        tl_push(c[i], 400000);
        tl_run(t, 100 * MS);
    }
    tl_run(t, 100 * SECOND);
    assert_int_equal(server->n, STOPPED + 1);
    assert_int_equal(server->conn[STOPPED].rx, 400000);
    assert_true(t->k[1]->msgs.live[MSG_FULL] < 295);
    for (int i = 0; i < STOPPED; i++) {
        assert_int_equal(server->conn[i].rx, 0);
        tl_go(&server->conn[i]);
    }
    tl_run(t, 1000 * SECOND);
    for (int i = 0; i <= STOPPED; i++) {
        assert_int_equal(server->conn[i].rx, 400000);
        assert_int_equal(server->conn[i].rx_bad, 0);
        tl_reset(c[i]);
    }
    tl_run(t, SECOND);
    tl_end(t);
}

/* Every message in the machine is taken for a while, again and again: nothing that was acknowledged
 * is lost, and all goes on when there is memory. */
static void no_memory(void **state)
{
    enum { HOARD = 400 };
    (void)state;
    struct tl *t = tl_make(2, NULL, "buffers=100 giveup=3000s");
    struct tl_user *server = tl_user(t, 1);
    server->model =
        (struct tl_conn){.rx_seed = 1, .tx_seed = 2, .tx_goal = 300000, .shut_after = true};
    struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PORT);
    c->tx_seed = 1;
    c->rx_seed = 2;
    c->tx_goal = 300000;
    c->shut_after = true;
    for (int round = 0; round < 20000 && !(c->closed && server->conn[0].closed); round++) {
        struct msg *taken[HOARD];
        struct kernel *k = t->k[round % 2];
        int n = 0;
        for (int class = MSG_SMALL; class <= MSG_FULL; class ++)
            while (n < HOARD &&
                   (taken[n] = msg_alloc_class(&k->pool, (enum msg_class) class)) != NULL)
                n++;
        tl_run(t, (uint64_t)(1 + round % 7) * 3 * MS);
        while (n > 0)
            msg_free(taken[--n]);
        tl_push(c, 0); /* the users have run out as well, and try again */
        if (server->n && server->conn[0].p)
            tl_push(&server->conn[0], 0);
        tl_run(t, (uint64_t)(1 + round % 5) * 30 * MS);
    }
    assert_int_equal(c->rx, 300000);
    assert_int_equal(server->conn[0].rx, 300000);
    assert_int_equal(c->rx_bad + server->conn[0].rx_bad, 0);
    assert_int_equal(c->closed + server->conn[0].closed, 2);
    assert_int_equal(c->reset + server->conn[0].reset, 0);
    tl_end(t);
}

/* An upload on a clean, fast link is not slowed by its own TCP: a window a round trip. */
static void fills_the_pipe(void **state)
{
    (void)state;
    struct simway way = {.delay_ns = MS / 2, .rate_bps = 100000000};
    struct tl *t = tl_make(2, &way, "");
    struct tl_user *server = tl_user(t, 1);
    server->model = (struct tl_conn){.rx_seed = 1};
    struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PORT), *d = &server->conn[0];
    c->tx_seed = 1;
    c->tx_goal = 20000000;
    tl_run(t, 2 * SECOND); /* 20 MB at 100 Mbit/s take 1.6 s and headers */
    assert_int_equal(d->rx, 20000000);
    assert_int_equal(tl_tcp(t, 0)->stat[STAT_RETRANSMIT], 0);
    tl_reset(c);
    tl_run(t, SECOND);
    assert_int_equal(d->reset, 1);
    tl_end(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 9293 3.8: streams arrive whole over links that lose, double, reorder, "
                   "damage",
                   streams),
        PLAIN_TEST("RFC 9293 3.6: half-close, both ways", half_close),
        PLAIN_TEST("R-BAD-56: a reader that stops for ten minutes", slow_reader),
        PLAIN_TEST("R-ATK-4: stopped readers leave buffers for others", crowd),
        PLAIN_TEST("R-ATK-4: no message left in the machine, again and again", no_memory),
        PLAIN_TEST("RFC 5681: a clean link is filled", fills_the_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
