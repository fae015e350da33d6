/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/sched.c: first come first served, weighted shares, earliest deadline. */
#include <string.h>

#include "tests/unit/fixture.h"
#include "tests/unit/probe.h"

enum { PATHS = 4, TURNS = 7000 };

struct set {
    struct fixture *f;
    struct kernel *k;
    struct path *p[PATHS];
};

static void make(struct set *s, enum sched_policy policy)
{
    probe_reset();
    s->f = fixture_make(probe_graph(1, NULL), 0, NULL);
    s->k = s->f->k;
    s->k->sched.policy = policy;
    for (int i = 0; i < PATHS; i++)
        s->p[i] = probe_path(s->k, false);
    fixture_run(s->f, 0);
}

static void end(struct set *s)
{
    for (int i = 0; i < PATHS; i++)
        path_destroy(s->p[i]);
    fixture_end(s->f);
}

static void fifo(void **state)
{
    struct set s;
    (void)state;
    make(&s, SCHED_FIFO);
    static const int order[] = {2, 0, 3, 1};
    for (int i = 0; i < PATHS; i++)
        sched_ready(s.k, s.p[order[i]]);
    sched_ready(s.k, s.p[2]); /* ready already: keeps its place */
    for (int i = 0; i < PATHS; i++)
        assert_ptr_equal(sched_next(s.k), s.p[order[i]]);
    assert_null(sched_next(s.k));
    end(&s);
}

static void removal(void **state)
{
    (void)state;
    for (int policy = SCHED_FIFO; policy <= SCHED_EDF; policy++) {
        for (int gone = 0; gone < PATHS; gone++) {
            struct set s;
            make(&s, (enum sched_policy)policy);
            for (int i = 0; i < PATHS; i++)
                sched_ready(s.k, s.p[i]);
            sched_remove(s.k, s.p[gone]);
            sched_remove(s.k, s.p[gone]); /* not ready: nothing */
            int n = 0;
            for (struct path *p; (p = sched_next(s.k)); n++)
                assert_ptr_not_equal(p, s.p[gone]);
            assert_int_equal(n, PATHS - 1);
            sched_ready(s.k, s.p[gone]); /* the list is whole */
            assert_ptr_equal(sched_next(s.k), s.p[gone]);
            assert_null(sched_next(s.k));
            end(&s);
        }
    }
}

static void shares(void **state)
{
    struct set s;
    int count[PATHS] = {0};
    (void)state;
    make(&s, SCHED_SHARE);
    static const uint16_t share[PATHS] = {1, 2, 4, 0}; /* 0 counts as 1, it must not divide */
    for (int i = 0; i < PATHS; i++) {
        s.p[i]->work->share = share[i];
        sched_ready(s.k, s.p[i]);
    }
    for (int turn = 0; turn < 8 * TURNS; turn++) { /* always ready: each has its share of turns */
        struct path *p = sched_next(s.k);
        for (int i = 0; i < PATHS; i++)
            count[i] += p == s.p[i];
        sched_ready(s.k, p);
    }
    assert_in_range(count[0], TURNS - 2, TURNS + 2);
    assert_in_range(count[1], 2 * TURNS - 2, 2 * TURNS + 2);
    assert_in_range(count[2], 4 * TURNS - 2, 4 * TURNS + 2);
    assert_in_range(count[3], TURNS - 2, TURNS + 2);
    end(&s);
}

static void no_credit_while_idle(void **state)
{
    struct set s;
    int count[2] = {0};
    (void)state;
    make(&s, SCHED_SHARE);
    sched_ready(s.k, s.p[0]);
    for (int i = 0; i < 1000; i++) /* path 1 sleeps meanwhile */
        sched_ready(s.k, sched_next(s.k));
    sched_ready(s.k, s.p[1]);
    for (int i = 0; i < 100; i++) {
        struct path *p = sched_next(s.k);
        count[p == s.p[1]]++;
        sched_ready(s.k, p);
    }
    assert_in_range(count[1], 48, 52);
    end(&s);
}

static void deadlines(void **state)
{
    struct set s;
    struct rng r;
    (void)state;
    rng_seed(&r, 5);
    make(&s, SCHED_EDF);
    for (int round = 0; round < 1000; round++) {
        uint64_t due[PATHS], last = 0;
        for (int i = 0; i < PATHS; i++) {
            s.p[i]->work->deadline = rng_below(&r, 100 * MS);
            s.k->now += rng_below(&r, 20 * MS);
            due[i] = s.k->now + s.p[i]->work->deadline;
            sched_ready(s.k, s.p[i]);
        }
        for (int n = 0; n < PATHS; n++) {
            struct path *p = sched_next(s.k);
            for (int i = 0; i < PATHS; i++) {
                if (p != s.p[i])
                    continue;
                assert_true(due[i] >= last);
                last = due[i];
            }
        }
    }
    end(&s);
}

static void change_of_policy(void **state)
{
    struct set s;
    (void)state;
    make(&s, SCHED_FIFO);
    sched_ready(s.k, s.p[0]);
    s.k->sched.policy = SCHED_SHARE;
    sched_ready(s.k, s.p[1]);
    s.k->sched.policy = SCHED_EDF;
    sched_ready(s.k, s.p[2]);
    int n = 0;
    while (sched_next(s.k))
        n++;
    assert_int_equal(n, 3); /* nobody is forgotten */
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("sched: fifo is first come first served", fifo),
        PLAIN_TEST("sched: a path can be taken out anywhere, in each policy", removal),
        PLAIN_TEST("sched: share gives turns by weight", shares),
        PLAIN_TEST("sched: share saves no credit while idle", no_credit_while_idle),
        PLAIN_TEST("sched: edf runs the earliest deadline", deadlines),
        PLAIN_TEST("sched: nobody is forgotten when the policy changes", change_of_policy),
    };
    return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
