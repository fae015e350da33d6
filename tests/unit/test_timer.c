/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/timer.c against a naive model: an array of due times that is searched. A timer never fires
 * early, at most a tick late, once, and never when it was cancelled.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fixture.h"

enum { TIMERS = 500, OPS = 100000, MILLION = 1000000 };

struct probe {
    struct timer t;
    uint64_t due; /* ns; 0: not armed */
    uint64_t fired;
};

static struct probe probes[TIMERS];
static uint64_t clock_ns;  /* as timer_run was told */
static uint64_t before_ns; /* as it was told the time before */

static void fire(struct kernel *k, struct timer *t)
{
    struct probe *p = CONTAINER(t, struct probe, t);
    (void)k;
    assert_false(timer_armed(t));
    assert_true(p->due != 0);
    assert_true(p->due <= clock_ns);
    /* It was not due at the last run, or it would have fired then: at most a tick late. */
    assert_true(p->due + TIMER_TICK_NS > before_ns);
    p->due = 0;
    p->fired++;
}

static void go(struct kernel *k, uint64_t ns)
{
    before_ns = clock_ns;
    clock_ns = ns;
    k->now = ns;
    timer_run(k, ns);
    for (int i = 0; i < TIMERS; i++)
        assert_true(probes[i].due == 0 || probes[i].due + TIMER_TICK_NS > ns);
}

static uint64_t earliest(void)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        if (probes[i].due && probes[i].due < best)
            best = probes[i].due;
    return best;
}

/* Delays of all sizes: near, over one level's border, days. */
static uint64_t delay(struct rng *r)
{
    uint64_t span = 1ULL << (10 + rng_below(r, 42));
    return rng_below(r, span);
}

static void model_run(struct fixture *f, uint64_t seed)
{
    struct kernel *k = f->k;
    struct rng r;
    rng_seed(&r, seed);
    memset(probes, 0, sizeof probes);
    for (int i = 0; i < TIMERS; i++)
        probes[i].t.fire = fire;
    uint64_t armed = 0, fired = 0, cancelled = 0;
    for (int i = 0; i < OPS; i++) {
        struct probe *p = &probes[rng_below(&r, TIMERS)];
        uint64_t what = rng_below(&r, 10);
        if (what < 5) {
            cancelled += p->due != 0;
            p->due = k->now + delay(&r) + 1;
            timer_arm(k, &p->t, p->due);
            armed++;
        } else if (what < 7) {
            cancelled += p->due != 0;
            timer_cancel(k, &p->t);
            p->due = 0;
        } else if (i % 16 == 0) {
            uint64_t next = timer_next(&k->timers);
            assert_true(next / TIMER_TICK_NS <= earliest() / TIMER_TICK_NS + 1);
            go(k, k->now + delay(&r) / 64);
        }
        assert_int_equal(timer_armed(&p->t), p->due != 0);
    }
    while (k->timers.armed) { /* as the main loop does it: sleep until timer_next */
        uint64_t next = timer_next(&k->timers), want = earliest();
        assert_true(next <= want + TIMER_TICK_NS - 1);
        go(k, next > k->now ? next : k->now + TIMER_TICK_NS);
    }
    for (int i = 0; i < TIMERS; i++)
        fired += probes[i].fired;
    assert_int_equal(armed, fired + cancelled);
    assert_int_equal(timer_next(&k->timers), UINT64_MAX);
}

static void random_against_model(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct fixture *f = *state;
        clock_ns = before_ns = f->k->now;
        model_run(f, seed);
    }
}

static void count(struct kernel *k, struct timer *t)
{
    (void)k;
    CONTAINER(t, struct probe, t)->fired++;
}

static void a_million(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    struct probe *many = calloc(MILLION, sizeof *many);
    struct rng r;
    uint64_t fired = 0;
    assert_non_null(many);
    rng_seed(&r, 7);
    for (int i = 0; i < MILLION; i++) {
        many[i].t.fire = count;
        timer_arm(k, &many[i].t, rng_below(&r, 3600 * SECOND));
    }
    assert_int_equal(k->timers.armed, MILLION);
    for (int i = 0; i < MILLION; i += 2)
        timer_cancel(k, &many[i].t);
    assert_int_equal(k->timers.armed, MILLION / 2);
    for (uint64_t s = 1; s <= 3601; s++)
        timer_run(k, s * SECOND);
    assert_int_equal(k->timers.armed, 0);
    for (int i = 0; i < MILLION; i++) {
        assert_int_equal(many[i].fired, i % 2);
        fired += many[i].fired;
    }
    assert_int_equal(fired, MILLION / 2);
    free(many);
}

static struct timer chain[3];
static int chain_order[8], chain_count;

static void chain_fire(struct kernel *k, struct timer *t)
{
    int i = (int)(t - chain);
    chain_order[chain_count++] = i;
    if (i == 0) {
        timer_cancel(k, &chain[1]);               /* of the same tick */
        timer_arm(k, &chain[0], k->now + 5 * MS); /* itself again */
    } else if (i == 1) {
        timer_cancel(k, &chain[0]);
    }
}

static void firing_may_arm_and_cancel(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    chain_count = 0;
    for (int i = 0; i < 3; i++)
        chain[i] = (struct timer){.fire = chain_fire};
    timer_arm(k, &chain[0], 10 * MS);
    timer_arm(k, &chain[1], 10 * MS);
    timer_arm(k, &chain[2], 10 * MS);
    k->now = 10 * MS;
    timer_run(k, k->now);
    /* One of 0 and 1 cancelled the other, whichever came first; 2 fired once. */
    assert_int_equal(chain_count, 2);
    assert_true(chain_order[0] + chain_order[1] == 2 || chain_order[0] + chain_order[1] == 3);
    timer_cancel(k, &chain[0]);
    assert_int_equal(k->timers.armed, 0);
}

static void long_timers_wait(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    struct probe p = {.t = {.fire = count}};
    uint64_t due = 40 * 86400 * SECOND; /* beyond the wheel's 12 days */
    timer_arm(k, &p.t, due);
    for (uint64_t day = 1; day < 40; day++) {
        timer_run(k, day * 86400 * SECOND);
        assert_int_equal(p.fired, 0);
    }
    timer_run(k, due - TIMER_TICK_NS);
    assert_int_equal(p.fired, 0);
    timer_run(k, due);
    assert_int_equal(p.fired, 1);
}

static void past_is_the_next_chance(void **state)
{
    struct fixture *f = *state;
    struct probe p = {.t = {.fire = count}};
    timer_run(f->k, 5 * SECOND);
    timer_arm(f->k, &p.t, 1);
    assert_int_equal(p.fired, 0);
    timer_run(f->k, 5 * SECOND + TIMER_TICK_NS);
    assert_int_equal(p.fired, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(
            "timer: random arm and cancel agree with a naive model: never early, at most a "
            "tick late",
            random_against_model),
        FIXTURE_TEST("timer: a million armed, half of them cancelled", a_million),
        FIXTURE_TEST("timer: a firing timer may arm itself and cancel its neighbours",
                     firing_may_arm_and_cancel),
        FIXTURE_TEST("timer: longer than the wheel (40 days)", long_timers_wait),
        FIXTURE_TEST("timer: a time in the past is the next chance", past_is_the_next_chance),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
