/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_FILTER_FILTER_H
#define MODULES_FILTER_FILTER_H
/*
 * Replacing one string by another in a stream that comes in pieces, with the prefix function of
 * Knuth, Morris and Pratt: bytes that may be the beginning of the pattern are kept back, and as
 * they are the pattern's own, nothing needs to be stored but how many. Nothing can fail.
 */
#include "kernel/types.h"

enum { REPLACE_MAX = 128 }; /* bytes of either string */

struct replace {
    uint8_t find[REPLACE_MAX], by[REPLACE_MAX];
    uint8_t border[REPLACE_MAX]; /* of find[0..i]: longest proper prefix that is also a suffix */
    uint8_t nfind, nby;
};

/* find must not be empty; both are at most REPLACE_MAX long. */
void replace_init(struct replace *r, const char *find, size_t nfind, const char *by, size_t nby);
/* So many bytes of output at most come from n of input. */
size_t replace_bound(const struct replace *r, size_t n);
/* *kept: bytes of the pattern that have matched so far, 0 at the beginning. Returns how many bytes
 * were written to `to`; *hits counts what was replaced. */
size_t replace_run(const struct replace *r, uint8_t *kept, const uint8_t *from, size_t n,
                   uint8_t *to, uint64_t *hits);

#endif
