/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_HOSTED_RNG_H
#define DRIVERS_HOSTED_RNG_H
/*
 * Random numbers that a seed repeats, on every machine and with every compiler: xoshiro256** of
 * Blackman and Vigna, seeded by splitmix64. For simulated links and tests, never for secrets.
 */
#include "kernel/types.h"

struct rng {
    uint64_t s[4];
};

static inline uint64_t rng_mix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static inline void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = rng_mix(&seed);
}

static inline uint64_t rng_turn(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t result = rng_turn(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;
    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = rng_turn(r->s[3], 45);
    return result;
}

/* 0 .. n - 1; n at least 1 and small beside 2^64, so that the bias does not matter. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

/* True in `ppm` of a million cases. */
static inline bool rng_chance(struct rng *r, uint32_t ppm)
{
    return ppm && rng_below(r, 1000000) < ppm;
}

#endif
