/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is believed of a clock's jitter: nothing of a regular clock, whatever its pattern, and never
 * more than there is, of one whose distribution is known.
 */
#include <string.h>

#include "boot/x86_64/jitter.h"
#include "boot/x86_64/rdrand.h"
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

static uint64_t word(void)
{
    uint64_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 16 | rnd(1 << 16);
    return v;
}

/* What good words are turned into by a generator that is stuck in some way. */
static uint64_t stuck_word(int how, int i, uint64_t good, uint64_t last)
{
    switch (how) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return 0x5555555555555555;
    case 3:
        return (uint64_t)i; /* a counter */
    case 4:
        return 0x9e3779b97f4a7c15 * (uint64_t)(i / 2); /* each word twice */
    case 5:
        return good | 1ULL << 40; /* a bit that is always one */
    case 6:
        return good & ~(1ULL << 63);
    case 7:
        return good & 0xffffffff; /* half of it is not there */
    case 8:
        return i % 2 ? 0x00ff00ff12345678 : 0x00ff00ff87654321; /* two by turns */
    default:
        return i == 20 ? last : good; /* once the same again */
    }
}

static void stuck(void **state)
{
    uint64_t v[RDRAND_WORDS];
    (void)state;
    for (int how = 0; how < 10; how++) {
        for (int i = 0; i < RDRAND_WORDS; i++)
            v[i] = stuck_word(how, i, word(), i ? v[i - 1] : 0);
        assert_false(rdrand_good(v));
    }
}

static void works(void **state)
{
    uint64_t v[RDRAND_WORDS];
    (void)state;
    for (int boot = 0; boot < 10000; boot++) {
        for (int i = 0; i < RDRAND_WORDS; i++)
            v[i] = word();
        assert_true(rdrand_good(v));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-HARD-10 jitter: a pattern of up to 16 samples counts for nothing", regular),
        PLAIN_TEST("R-HARD-10 jitter: never believed more than -log2 of the likeliest value",
                   skewed),
        PLAIN_TEST("R-HARD-10 RDRAND: a generator that is stuck in any of ten ways is noticed",
                   stuck),
        PLAIN_TEST("R-HARD-10 RDRAND: ten thousand boots with a good one are believed", works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
