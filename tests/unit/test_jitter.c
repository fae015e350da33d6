/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is believed of a clock's jitter: nothing of a regular clock, whatever its pattern, and never
 * more than there is, of one whose distribution is known.
 */
#include <string.h>

#include "boot/x86_64/jitter.h"
#include "tests/unit/fixture.h"

enum { BLOCKS = 1000 };

static uint64_t seed = 1;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(seed >> 33) % n;
}

static void regular(void **state)
{
    uint8_t sample[JITTER_BLOCK];
    (void)state;
    for (uint32_t period = 1; period <= JITTER_LAGS; period++) {
        for (uint32_t i = 0; i < JITTER_BLOCK; i++)
            sample[i] = (uint8_t)(i % period * 37);
        assert_int_equal(jitter_bits(sample), 0);
    }
    for (int slow = 0; slow < 20; slow++) { /* a few interruptions are no entropy either */
        memset(sample, 80, sizeof sample);
        for (int i = 0; i < slow / 2; i++)
            sample[rnd(JITTER_BLOCK)] = (uint8_t)rnd(256);
        assert_int_equal(jitter_bits(sample), 0);
    }
}

/* One value in 256 - n of 256 samples, n others: min-entropy -log2(1 - n / 256) each. */
static void skewed(void **state)
{
    static const struct {
        uint32_t others;
        uint32_t bits; /* 256 * -log2(1 - others / 256), rounded down */
    } known[] = {{16, 23}, {64, 106}, {128, 256}, {192, 512}, {240, 1024}};
    uint8_t sample[JITTER_BLOCK];
    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        uint64_t sum = 0;
        for (int b = 0; b < BLOCKS; b++) {
            for (uint32_t i = 0; i < JITTER_BLOCK; i++)
                sample[i] = rnd(256) < known[k].others ? (uint8_t)(1 + rnd(255)) : 0;
            sum += jitter_bits(sample);
        }
        assert_true(sum <= (uint64_t)BLOCKS * known[k].bits);
        if (known[k].others >= 64) /* and a quiet host gets there: 512 of them in 1024 blocks */
            assert_true(sum / JITTER_BELIEF >= BLOCKS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("jitter: a pattern of up to 16 samples counts for nothing", regular),
        PLAIN_TEST("jitter: never believed more than -log2 of the likeliest value", skewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
