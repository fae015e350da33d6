/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drivers/hosted/sim.c, world.c, pcapfile.c: a simulated link does what its numbers say, and the
 * same seed does the same again.
 */
#define _DEFAULT_SOURCE /* mkstemp, truncate */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/fixture.h"

enum { FRAMES = 20000, LENGTH = 100 };

struct arrival {
    uint64_t ns;
    uint32_t number;
    bool damaged;
};

struct sink {
    struct simworld *w;
    uint32_t n;
    struct arrival a[2 * FRAMES + 1];
};

static struct sink sink;

static void came(void *arg, const uint8_t *frame, size_t n)
{
    struct sink *s = arg;
    struct arrival *a = &s->a[s->n++];
    assert_int_equal(n, LENGTH);
    a->ns = simworld_now(s->w);
    memcpy(&a->number, frame, sizeof a->number); /* in the Ethernet header: never damaged */
    for (size_t i = 14; i < n; i++)
        a->damaged |= frame[i] != 0x55;
}

static struct simlink *build(const struct simway *way, uint64_t seed)
{
    struct simlink_conf c = {.world = simworld_make(), .name = "test", .seed = seed, .way = {*way}};
    struct simlink *l = simlink_make(&c);
    memset(&sink, 0, sizeof sink);
    sink.w = c.world;
    simlink_attach(l, 1, came, &sink);
    return l;
}

static struct simlink *transfer(const struct simway *way, uint64_t seed, uint64_t apart)
{
    struct simlink *l = build(way, seed);
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint8_t frame[LENGTH];
        memset(frame, 0x55, sizeof frame);
        memcpy(frame, &i, sizeof i);
        simlink_send(l, 0, frame, sizeof frame);
        assert_true(simworld_run(sink.w, simworld_now(sink.w) + apart));
    }
    assert_true(simworld_run(sink.w, simworld_now(sink.w) + 10 * SECOND));
    return l;
}

static void plain_delay(void **state)
{
    (void)state;
    struct simway way = {.delay_ns = 5 * MS};
    transfer(&way, 1, MS);
    assert_int_equal(sink.n, FRAMES);
    for (uint32_t i = 0; i < FRAMES; i++) {
        assert_int_equal(sink.a[i].number, i);
        assert_int_equal(sink.a[i].ns, (uint64_t)i * MS + 5 * MS);
    }
    simworld_free(sink.w);
}

static void jitter_keeps_order(void **state)
{
    (void)state;
    struct simway way = {.delay_ns = MS, .jitter_ns = 20 * MS};
    transfer(&way, 1, MS);
    assert_int_equal(sink.n, FRAMES);
    uint64_t late = 0;
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint64_t sent = (uint64_t)i * MS;
        assert_int_equal(sink.a[i].number, i);
        assert_in_range(sink.a[i].ns, sent + MS, sent + 21 * MS);
        late += sink.a[i].ns > sent + MS;
    }
    assert_true(late > FRAMES / 2);
    simworld_free(sink.w);
}

static void rates_hold(void **state)
{
    (void)state;
    struct simway way = {.loss_ppm = 100000, .double_ppm = 50000, .damage_ppm = 20000};
    struct simlink *l = transfer(&way, 3, US);
    const struct simlink_stats *s = simlink_stats(l, 0);
    assert_int_equal(s->sent, FRAMES);
    assert_in_range(s->lost, FRAMES / 10 * 9 / 10, FRAMES / 10 * 11 / 10);
    assert_in_range(s->doubled, FRAMES * 45 / 1000 * 8 / 10, FRAMES * 45 / 1000 * 12 / 10);
    assert_int_equal(sink.n, FRAMES - s->lost + s->doubled);
    uint64_t damaged = 0;
    for (uint32_t i = 0; i < sink.n; i++)
        damaged += sink.a[i].damaged;
    assert_int_equal(damaged, s->damaged);
    assert_in_range(damaged, sink.n / 50 * 7 / 10, sink.n / 50 * 13 / 10);
    simworld_free(sink.w);
}

static void reordering(void **state)
{
    (void)state;
    struct simway way = {.delay_ns = MS, .reorder_ppm = 100000, .reorder_ns = 10 * MS};
    struct simlink *l = transfer(&way, 4, MS);
    uint32_t overtaken = 0, highest = 0;
    uint64_t seen = 0;
    assert_int_equal(sink.n, FRAMES);
    for (uint32_t i = 0; i < FRAMES; i++) {
        overtaken += sink.a[i].number < highest;
        highest = sink.a[i].number > highest ? sink.a[i].number : highest;
        seen += sink.a[i].number;
    }
    assert_int_equal(seen, (uint64_t)FRAMES * (FRAMES - 1) / 2); /* each one once */
    assert_in_range(overtaken, FRAMES / 20, simlink_stats(l, 0)->reordered);
    simworld_free(sink.w);
}

static void rate_and_queue(void **state)
{
    (void)state;
    struct simway way = {.rate_bps = 1000000, .queue_bytes = 10000};
    struct simlink *l = transfer(&way, 5, 0); /* all at once */
    assert_in_range(sink.n, 75, 102); /* what the queue holds, by bytes with or without overhead */
    assert_int_equal(simlink_stats(l, 0)->overflowed, FRAMES - sink.n);
    for (uint32_t i = 1; i < sink.n; i++) /* 124 bytes on the wire at 1 Mbit/s */
        assert_int_equal(sink.a[i].ns - sink.a[i - 1].ns, 992 * US);
    simworld_free(sink.w);
}

static void same_seed_same_run(void **state)
{
    (void)state;
    struct simway way = {.delay_ns = MS,
                         .jitter_ns = MS,
                         .loss_ppm = 50000,
                         .double_ppm = 50000,
                         .damage_ppm = 50000,
                         .reorder_ppm = 50000,
                         .reorder_ns = 5 * MS};
    static struct sink first;
    transfer(&way, 6, 100 * US);
    simworld_free(sink.w);
    first = sink;
    transfer(&way, 6, 100 * US);
    simworld_free(sink.w);
    assert_int_equal(first.n, sink.n);
    assert_memory_equal(first.a, sink.a, sink.n * sizeof sink.a[0]);
    transfer(&way, 7, 100 * US);
    simworld_free(sink.w);
    assert_true(first.n != sink.n || memcmp(first.a, sink.a, sink.n * sizeof sink.a[0]) != 0);
}

/* What became of each frame, whenever and in whatever order they came. */
static void fates(unsigned *fate)
{
    memset(fate, 0, FRAMES * sizeof *fate);
    for (uint32_t i = 0; i < sink.n; i++)
        fate[sink.a[i].number] += sink.a[i].damaged ? 17 : 1;
}

static void fate_by_number(void **state)
{
    static unsigned first[FRAMES], second[FRAMES];
    struct simway way = {.delay_ns = MS,
                         .jitter_ns = MS,
                         .rate_bps = 100000000,
                         .loss_ppm = 50000,
                         .burst = 4,
                         .double_ppm = 50000,
                         .damage_ppm = 50000,
                         .reorder_ppm = 50000,
                         .reorder_ns = 5 * MS};
    (void)state;
    for (int run = 0; run < 3; run++) {
        struct simlink_conf c = {.world = simworld_make(),
                                 .seed = run == 2 ? 6 : 5,
                                 .by_number = true,
                                 .way = {way, way}};
        struct simlink *l = simlink_make(&c);
        memset(&sink, 0, sizeof sink);
        sink.w = c.world;
        simlink_attach(l, 1, came, &sink);
        for (uint32_t i = 0; i < FRAMES; i++) {
            uint8_t frame[LENGTH];
            memset(frame, 0x55, sizeof frame);
            memcpy(frame, &i, sizeof i);
            if (run && i % 3)
                simlink_send(l, 1, frame, sizeof frame); /* the other way, in between */
            simlink_send(l, 0, frame, sizeof frame);
            assert_true(simworld_run(sink.w, simworld_now(sink.w) + (run ? i % 7 : 9) * 10 * US));
        }
        assert_true(simworld_run(sink.w, simworld_now(sink.w) + SECOND));
        simworld_free(sink.w);
        fates(run ? second : first);
        assert_int_equal(memcmp(first, second, sizeof first) == 0, run == 1);
    }
}

static void bursts(void **state)
{
    struct simway way = {.loss_ppm = 10000, .burst = 9};
    (void)state;
    struct simlink *l = transfer(&way, 8, US);
    uint32_t rows = 0, lost = FRAMES - sink.n;
    for (uint32_t i = 1; i < sink.n; i++)
        rows += sink.a[i].number != sink.a[i - 1].number + 1;
    assert_int_equal(simlink_stats(l, 0)->lost, lost);
    assert_in_range(rows, FRAMES / 100 * 8 / 10, FRAMES / 100 * 11 / 10);
    assert_in_range(lost, rows * 9 / 2, rows * 11 / 2); /* 1 to 9 in a row, 5 on an average */
    simworld_free(sink.w);
}

static int order[3], norder;

static void note(void *arg)
{
    order[norder++] = *(int *)arg;
}

static void events_in_order(void **state)
{
    (void)state;
    struct simworld *w = simworld_make();
    int one = 1, two = 2, three = 3;
    norder = 0;
    simworld_at(w, 20, note, &two);
    simworld_at(w, 20, note, &three);
    simworld_at(w, 10, note, &one);
    assert_int_equal(simworld_next(w), 10);
    assert_true(simworld_run(w, 15));
    assert_int_equal(norder, 1);
    assert_int_equal(simworld_now(w), 15);
    assert_true(simworld_run(w, 1000));
    assert_int_equal(order[0] * 100 + order[1] * 10 + order[2], 123);
    assert_int_equal(simworld_now(w), 1000);
    simworld_free(w);
}

static void captures(void **state)
{
    (void)state;
    char name[] = "/tmp/towpath-pcap-XXXXXX";
    struct pcapfile p;
    uint8_t frame[2000], back[2000];
    uint64_t ns;
    size_t n;
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(pcapfile_write(&p, name), OK);
    for (size_t i = 1; i <= 1500; i += 100) {
        memset(frame, (int)i, i);
        pcapfile_add(&p, i * SECOND + i, frame, i);
    }
    pcapfile_close(&p);
    assert_int_equal(pcapfile_read(&p, name), OK);
    for (size_t i = 1; i <= 1500; i += 100) {
        assert_true(pcapfile_next(&p, &ns, back, 1000, &n));
        assert_int_equal(n, i);
        assert_int_equal(ns, i * SECOND + i);
        memset(frame, (int)i, i);
        assert_memory_equal(back, frame, n < 1000 ? n : 1000);
    }
    assert_false(pcapfile_next(&p, &ns, back, 1000, &n));
    pcapfile_close(&p);
    assert_int_equal(truncate(name, 24 + 16 + 1 + 16 + 50), 0); /* in the middle of the second */
    assert_int_equal(pcapfile_read(&p, name), OK);
    assert_true(pcapfile_next(&p, &ns, back, 1000, &n));
    assert_false(pcapfile_next(&p, &ns, back, 1000, &n));
    pcapfile_close(&p);
    assert_int_equal(truncate(name, 20), 0);
    assert_int_equal(pcapfile_read(&p, name), E_NODEV);
    assert_int_equal(pcapfile_read(&p, "/nonexistent/x"), E_NODEV);
    close(fd);
    remove(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("sim: delay is exact and keeps order", plain_delay),
        PLAIN_TEST("sim: jitter keeps order", jitter_keeps_order),
        PLAIN_TEST("sim: loss, doubling and damage at the rates asked for", rates_hold),
        PLAIN_TEST("sim: reordering loses nothing", reordering),
        PLAIN_TEST("sim: rate and queue", rate_and_queue),
        PLAIN_TEST("sim: the same seed gives the same run, another another", same_seed_same_run),
        PLAIN_TEST("sim: losses in a row", bursts),
        PLAIN_TEST("sim: by number, a frame's fate is not a matter of time or the other end",
                   fate_by_number),
        PLAIN_TEST("sim: events in order of time, then of asking", events_in_order),
        PLAIN_TEST("pcap: what is written is read; damaged files end where the damage is",
                   captures),
    };
    return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
