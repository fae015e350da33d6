/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_SEQ_H
#define MODULES_TCP_SEQ_H
/*
 * Arithmetic on sequence numbers: modulo 2^32, compared by the sign of the difference (RFC 9293
 * 3.4). The subtraction is unsigned, so it is defined at every value; a number and the one 2^31
 * away are each "before" the other.
 */
#include <stdbool.h>
#include <stdint.h>

static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return (a - b) >> 31;
}

static inline bool seq_le(uint32_t a, uint32_t b)
{
    return !seq_lt(b, a);
}

static inline bool seq_gt(uint32_t a, uint32_t b)
{
    return seq_lt(b, a);
}

static inline bool seq_ge(uint32_t a, uint32_t b)
{
    return !seq_lt(a, b);
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? b : a;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? a : b;
}

#endif
