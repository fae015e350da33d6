/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_X86_64_JITTER_H
#define BOOT_X86_64_JITTER_H
/*
 * How much of a clock's jitter is believed. Called by entropy.c; in a header, because it is
 * arithmetic only and tests want it where there is no such clock. Cannot fail.
 *
 * A block of 256 samples (low bytes of times) is guessed in two ways, and the better guess counts:
 * always the most frequent value (NIST SP 800-90B 6.3.1), and what came 1 to 16 samples before
 * (6.3.8, for clocks that repeat a pattern). Let c be how often that was right, and MARGIN what a
 * true probability may lie above it, 99 times of 100: 2.576 * sqrt(p (1 - p) / 255) <= 0.081.
 * With x = (c + MARGIN) / 256 a sample has -log2 x >= 1 - x bits; an eighth of that is believed.
 */
#include <stdint.h>

enum {
    JITTER_BLOCK = 256,
    JITTER_MARGIN = 21,
    JITTER_LAGS = 16,
    JITTER_BELIEF = 8, /* of so many bits one is believed */
};

/* Bits in a block, before belief: sums of blocks are divided by JITTER_BELIEF. */
static inline uint32_t jitter_bits(const uint8_t *sample)
{
    uint32_t seen[256] = {0}, c = 0;
    for (uint32_t i = 0; i < JITTER_BLOCK; i++)
        if (++seen[sample[i]] > c)
            c = seen[sample[i]];
    for (uint32_t lag = 1; lag <= JITTER_LAGS; lag++) {
        uint32_t right = lag; /* as if the first ones had been guessed */
        for (uint32_t i = lag; i < JITTER_BLOCK; i++)
            right += sample[i] == sample[i - lag];
        if (right > c)
            c = right;
    }
    return c + JITTER_MARGIN < JITTER_BLOCK ? JITTER_BLOCK - JITTER_MARGIN - c : 0;
}

#endif
