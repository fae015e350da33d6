/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_ALLOC_H
#define TESTS_SIM_ALLOC_H
/*
 * Allocations that fail: those of one kernel, counted, and refused by number or by chance. The
 * linker puts these in the way of pool_alloc and msg_alloc (mk/test.mk). Used by the faults of a
 * scene and by test_cuts.c.
 */
#include "drivers/hosted/rng.h"

struct kernel;

struct allocs {
    const struct kernel *k; /* whose; NULL: nobody's */
    uint64_t count;         /* so far */
    uint64_t nth;           /* the one that fails; 0: none */
    uint32_t ppm;           /* of all, by chance */
    struct rng random;
    uint64_t refused;
};

extern struct allocs allocs;

#endif
