/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/pool.c: limits are exact, a pool's end gives everything back, joining is all or nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fixture.h"

static void limit_is_exact(void **state)
{
    struct fixture *f = *state;
    struct pool p;
    pool_init(&p, f->k, 10000);
    assert_non_null(pool_alloc(&p, 100));
    uint32_t header = p.used - 100, left = p.limit - p.used;
    assert_null(pool_alloc(&p, left - header + 1));
    assert_int_equal(p.used, 100 + header);
    assert_non_null(pool_alloc(&p, left - header));
    assert_int_equal(p.used, p.limit);
    assert_null(pool_alloc(&p, 0)); /* its header does not fit */
    assert_false(pool_charge(&p, 1));
    pool_end(&p);
    assert_int_equal(p.used, 0);
}

static void memory_is_zero_and_aligned(void **state)
{
    struct fixture *f = *state;
    struct pool p;
    pool_init(&p, f->k, UINT32_MAX);
    for (size_t n = 1; n < 300; n++) {
        uint8_t *mem = pool_alloc(&p, n);
        assert_non_null(mem);
        assert_int_equal((uintptr_t)mem % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(mem[i], 0);
        memset(mem, 0xff, n);
        if (n % 3)
            pool_free(&p, mem);
    }
    pool_free(&p, NULL);
    pool_end(&p);
    assert_null(p.blocks);
}

static void absurd_sizes_are_refused(void **state)
{
    struct fixture *f = *state;
    struct pool p;
    pool_init(&p, f->k, UINT32_MAX);
    assert_null(pool_alloc(&p, SIZE_MAX));
    assert_null(pool_alloc(&p, SIZE_MAX - 16));
    assert_null(pool_alloc(&p, UINT32_MAX));
    assert_int_equal(p.used, 0);
    pool_end(&p);
}

static void charges_near_the_limit_do_not_wrap(void **state)
{
    struct fixture *f = *state;
    struct pool p;
    pool_init(&p, f->k, UINT32_MAX);
    assert_true(pool_charge(&p, UINT32_MAX - 5));
    assert_false(pool_charge(&p, 6));
    assert_false(pool_charge(&p, UINT32_MAX));
    assert_true(pool_charge(&p, 5));
    pool_refund(&p, UINT32_MAX);
    assert_int_equal(p.used, 0);
}

static void join_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct pool a, b;
    pool_init(&a, f->k, 1000);
    pool_init(&b, f->k, 5000);
    void *mine = pool_alloc(&a, 100), *x = pool_alloc(&b, 300), *y = pool_alloc(&b, 700);
    assert_true(mine && x && y);
    uint32_t used_a = a.used, used_b = b.used;
    assert_int_equal(pool_join(&a, &b), E_NOMEM);
    assert_int_equal(a.used, used_a);
    assert_int_equal(b.used, used_b);
    pool_free(&b, y); /* still b's */
    assert_int_equal(pool_join(&a, &b), OK);
    assert_int_equal(b.used, 0);
    pool_free(&a, x); /* now a's */
    assert_int_equal(a.used, used_a);
    pool_end(&b);
    pool_end(&a);
}

static void random_use_balances(void **state)
{
    struct fixture *f = *state;
    struct pool p;
    struct rng r;
    void *mem[64] = {NULL};
    rng_seed(&r, 1);
    pool_init(&p, f->k, 20000);
    for (int i = 0; i < 20000; i++) {
        uint64_t at = rng_below(&r, 64);
        if (mem[at]) {
            pool_free(&p, mem[at]);
            mem[at] = NULL;
        } else {
            mem[at] = pool_alloc(&p, rng_below(&r, 2000));
        }
        assert_true(p.used <= p.limit);
    }
    for (int i = 0; i < 64; i++)
        pool_free(&p, mem[i]);
    assert_int_equal(p.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST("pool: the limit is exact", limit_is_exact),
        FIXTURE_TEST("pool: memory is zeroed and aligned to 16", memory_is_zero_and_aligned),
        FIXTURE_TEST("pool: absurd sizes are refused", absurd_sizes_are_refused),
        FIXTURE_TEST("pool: charges do not wrap", charges_near_the_limit_do_not_wrap),
        FIXTURE_TEST("pool: join is all or nothing", join_is_all_or_nothing),
        FIXTURE_TEST("pool: random use balances", random_use_balances),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
