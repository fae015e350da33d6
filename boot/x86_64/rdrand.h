/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_X86_64_RDRAND_H
#define BOOT_X86_64_RDRAND_H
/*
 * Is what a generator gave worth anything? Called by entropy.c for RDRAND; in a header, because it
 * is arithmetic only and tests want it with generators that are stuck. Cannot fail.
 *
 * Some processors answer with one constant and call it success (an AMD erratum after suspend). So
 * no two words in a row may be equal, and each of the 64 bits must have been seen as 0 and as 1:
 * good words fail that once in 30 million boots (64 * 2^-31), a counter or a stuck bit always.
 */
#include <stdbool.h>
#include <stdint.h>

enum { RDRAND_WORDS = 32 };

static inline bool rdrand_good(const uint64_t *word)
{
    uint64_t ones = 0, zeros = 0;
    for (int i = 0; i < RDRAND_WORDS; i++) {
        ones |= word[i];
        zeros |= ~word[i];
        if (i && word[i] == word[i - 1])
            return false;
    }
    return !~ones && !~zeros;
}

#endif
