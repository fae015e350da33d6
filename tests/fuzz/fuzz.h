/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H
/*
 * What the fuzz targets share. A target is fuzz_NAME.c with one `const struct target`. libFuzzer
 * calls it with inputs; every PERIOD inputs it settles (balance of what was taken) and starts over,
 * and all inputs since the last start are in a file, so that a crash that needs those before it can
 * be replayed (fuzz.c).
 */
#include "kernel/types.h"

struct target {
    uint32_t period;     /* inputs between two starts; 0: nothing is kept between inputs */
    void (*start)(void); /* NULL: nothing to do */
    void (*input)(const uint8_t *data, size_t n);
    void (*settle)(void);
};

extern const struct target target;

/* An invariant of the target. Ends the program: libFuzzer keeps the input. */
#define HOLDS(condition, what) ((condition) ? (void)0 : fuzz_fail(what, #condition))
_Noreturn void fuzz_fail(const char *what, const char *condition);

/* Bytes of an input, from the front; beyond its end there are zeros. */
struct bytes {
    const uint8_t *at;
    size_t n;
};
uint8_t bytes_one(struct bytes *b);
uint16_t bytes_two(struct bytes *b);
/* n bytes, or as many as are left: *n says. */
const uint8_t *bytes_some(struct bytes *b, size_t *n);

#endif
