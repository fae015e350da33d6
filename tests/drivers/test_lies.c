/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R-BAD-75: what a card may say that is not so. Each driver bridges frames between two cards of its
 * kind; one of them lies, while frames are on its rings. The lie is counted, the card is started
 * anew, and frames pass again, all of them and as they were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/drivers/machine.h"

enum { FRAMES = 200, SEEDS = 40, SEEDS_LONG = 4000 };

static const struct model *const models[] = {&model_e1000, &model_e1000e, &model_tulip,
                                             &model_virtio};

static const char *const lies[LIES] = {
    [LIE_EMPTY] = "a frame of no bytes",      [LIE_LONG] = "a frame of 16 KB",
    [LIE_ENDLESS] = "a chain without end",    [LIE_JUMP] = "more descriptors than it was given",
    [LIE_RANDOM] = "any words in both rings", [LIE_STUCK] = "frames that never leave",
    [LIE_GONE] = "no answer at all",
};

/* Frames of many lengths, both ways, in bursts; all arrive, once and in order. */
static void traffic(void)
{
    uint32_t before[CARDS] = {machine.card[0].sent, machine.card[1].sent};
    for (uint32_t i = 0; i < FRAMES; i++) {
        for (int card = 0; card < CARDS; card++)
            assert_true(machine_frame(card, i * 2 + (uint32_t)card, 60 + i * 7));
        if (i % 16 == 0)
            machine_run(MS);
    }
    machine_run(10 * MS);
    for (int card = 0; card < CARDS; card++) {
        const struct card *to = &machine.card[1 - card];
        assert_int_equal(to->sent - before[1 - card], FRAMES);
        for (uint32_t i = 0; i < FRAMES; i++)
            assert_int_equal(to->tag[(before[1 - card] + i) % WIRE], i * 2 + (uint32_t)card);
    }
}

/* Half of them are on the rings of card 0 when it lies. */
static void lie(struct card *c, enum lie what)
{
    c->stuck = true;
    for (uint32_t i = 0; i < 20; i++) {
        machine_frame(0, i, 100);
        machine_frame(1, i, 100);
    }
    machine_run(MS);
    for (uint32_t i = 0; i < 10; i++)
        machine_frame(0, i, 100);
    c->stuck = what == LIE_STUCK;
    c->gone = what == LIE_GONE;
    c->model->lie(c, what);
}

static void check(const struct model *model, enum lie what, uint64_t seed)
{
    machine_start(model, seed);
    for (int i = 0; i < 2; i++)
        traffic(); /* more than a ring: what is in it has been true */
    struct card *c = &machine.card[0];
    const uint64_t *bad = &machine.k->drops[DROP_NIC_BAD];
    uint32_t resets = c->resets;
    lie(c, what);
    for (int i = 0; i < 50; i++) {
        machine_frame(1, 0, 100);
        machine_run(100 * MS);
    }
    c->gone = false;
    machine_run(10 * SECOND);
    assert_true(*bad > 0);
    assert_true(c->dev->stats.restarts > 0);
    assert_true(c->resets > resets);
    assert_int_equal(machine.card[1].dev->stats.restarts, 0);
    uint64_t counted = *bad, restarts = c->dev->stats.restarts;
    traffic();
    machine_run(10 * SECOND);
    assert_true(*bad == counted);
    assert_true(c->dev->stats.restarts == restarts);
    machine_end();
}

static void honest(const struct model *model)
{
    machine_start(model, 1);
    for (int i = 0; i < 10; i++)
        traffic();
    machine_run(20 * SECOND);
    assert_int_equal(machine.k->drops[DROP_NIC_BAD], 0);
    for (int i = 0; i < CARDS; i++)
        assert_int_equal(machine.card[i].dev->stats.restarts, 0);
    machine_end();
}

/* A host may send frames that are too long or too short, and lines damage them: no card is reset.
 */
static void hosts_fault(const struct model *model)
{
    machine_start(model, 1);
    for (int i = 0; i < 100; i++) {
        uint8_t frame[BUFFER_ROOM] = {0};
        machine.card[0].model->receive(&machine.card[0], frame, i % 2 ? 1600 : 2040);
        machine_run(MS);
    }
    machine_run(5 * SECOND);
    assert_int_equal(machine.card[0].dev->stats.restarts, 0);
    traffic();
    machine_end();
}

/* The model asserts that registers which are not there are not written. */
static void test_doorbell(void **state)
{
    (void)state;
    machine_start(&model_virtio, 1);
    struct card *c = &machine.card[0];
    c->bell = 1000;
    netdev_mend(c->dev);
    machine_run(SECOND);
    assert_false(c->dev->started);
    c->bell = 0;
    machine_run(5 * SECOND);
    assert_true(c->dev->started);
    traffic();
    machine_end();
}

static const struct model *model_now;
static enum lie lie_now;

static uint64_t seed_now;

static uint64_t environment(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

static void test_lie(void **state)
{
    (void)state;
    uint64_t one = environment("TEST_SEED"), seeds = environment("TEST_LONG") ? SEEDS_LONG : SEEDS;
    if (lie_now != LIE_RANDOM)
        seeds = 1;
    for (seed_now = one ? one : 1; seed_now <= (one ? one : seeds); seed_now++)
        check(model_now, lie_now, seed_now);
}

static void test_honest(void **state)
{
    (void)state;
    honest(model_now);
}

static void test_fault(void **state)
{
    (void)state;
    hosts_fault(model_now);
}

static int run_one(const char *what, void (*test)(void **))
{
    char name[128];
    snprintf(name, sizeof name, "R-BAD-75 %s: %s", model_now->name, what);
    const struct CMUnitTest tests[] = {{name, test, NULL, NULL, NULL}};
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        model_now = models[i];
        failed += run_one("frames pass, and a card that works is never reset", test_honest);
        failed += run_one("frames that no host should send reset nothing", test_fault);
        for (lie_now = 0; lie_now < LIES; lie_now++) {
            char what[96];
            snprintf(what, sizeof what, "the card says %s, and frames pass again", lies[lie_now]);
            if (run_one(what, test_lie)) {
                printf("    TEST_SEED=%llu plays it again\n", (unsigned long long)seed_now);
                failed++;
            }
        }
    }
    model_now = &model_virtio;
    failed += run_one("a doorbell beyond its registers is not rung", test_doorbell);
    return failed != 0;
}
