/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a transfer gets out of a link of 100 Mbit/s, 50 ms and a queue of one such product, at
 * several rates of loss: 20 s of virtual time between two of our TCPs. The same table in real time
 * and beside Linux is bench/cubic.py's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tcp_link.h"

enum { PRODUCT = 625000, RATE = 100000000, SECONDS = 20, LOSSES = 4 };

static const uint32_t losses[LOSSES] = {0, 100, 1000, 10000}; /* of a million */

/* Mbit/s that arrive. */
static double transfer(const char *cc, uint32_t loss_ppm, uint64_t seed)
{
    struct simway way = {.delay_ns = 25 * MS, .rate_bps = RATE, .queue_bytes = PRODUCT};
    char settings[80];
    snprintf(settings, sizeof settings, "cc=%s sndbuf=3m rcvbuf=3m pathmem=16m", cc);
    tl_seed = seed;
    struct tl *t = tl_make(2, &way, settings);
    struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PORT);
    tl_run(t, SECOND);
    const struct tl_conn *got = &tl_user(t, 1)->conn[0];
    assert_true(c && c->opened && got->opened);
    simlink_way(t->link, 0)->loss_ppm = loss_ppm;
    tl_push(c, 1ULL << 30);
    tl_run(t, SECONDS * SECOND);
    double rate = (double)got->rx * 8 / SECONDS / 1e6;
    assert_int_equal(got->rx_bad, 0);
    tl_reset(c);
    tl_run(t, SECOND);
    tl_end(t);
    return rate;
}

static void table(void **state)
{
    const char *set = getenv("TEST_LONG");
    uint64_t seeds = set && strcmp(set, "1") == 0 ? 5 : 1;
    (void)state;
    for (int i = 0; i < LOSSES; i++) {
        double cubic = 0, reno = 0;
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            cubic += transfer("cubic", losses[i], seed) / (double)seeds;
            reno += transfer("newreno", losses[i], seed) / (double)seeds;
        }
        print_message("# loss %.2f %%: CUBIC %.2f Mbit/s, NewReno %.2f\n", losses[i] / 1e4, cubic,
                      reno);
        if (losses[i] == 0)
            assert_true(cubic > 80); /* of 95; it starts by losing half a window */
        if (losses[i] == 100)
            assert_true(cubic > 1.25 * reno);
        assert_true(cubic >= 0.95 * reno);
        if (losses[i] == 10000) /* where it is to be Reno: 1.22 / sqrt(p) segments a round trip */
            assert_true(cubic < 1.35 * 12.2 * 1448 * 8 / 0.05 / 1e6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 9438 1, 5.1: at long round trips more than NewReno, never less", table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
