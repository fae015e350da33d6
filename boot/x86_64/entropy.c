/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers: initial sequence numbers, hash seeds and cookies rest on them. The generator is
 * the ChaCha20 block function (RFC 8439 2.3) with the key replaced by half of each block's output,
 * so that what is in memory does not tell what was given out. The key absorbs two sources:
 *
 *   RDRAND, 32 words, if the processor has it and it passes a test (carry set, words differ);
 *   jitter: the TSC time of a small memory-bound loop, SAMPLES times. Counted as entropy only if
 *   the most frequent value of the low byte makes up less than half of the samples, which leaves at
 *   least one bit each by the most-common-value estimate (NIST SP 800-90B 6.3.1), of which an
 *   eighth is believed: 512 bits, twice the key.
 *
 * Both are always mixed in; one of them must be good or the first draw ends the boot, unless seed=N
 * is set: then N alone is the key, the run is repeatable, and a warning says so.
 */
#include <string.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum {
    KEY_WORDS = 8,
    BLOCK_WORDS = 16,
    GIVEN = KEY_WORDS / 2, /* 64-bit numbers per block: the half that is not the next key */
    RDRAND_WORDS = 32,
    RDRAND_TRIES = 10, /* Intel's manual: ten failures in a row are a defect */
    SAMPLES = 4096,
    SCRATCH = 8192,
};

static struct {
    uint32_t key[KEY_WORDS];
    uint64_t counter;
    uint64_t given[GIVEN];
    int left;
    bool rdrand, jitter; /* good sources */
    bool seeded;
} pool;

static uint32_t rotate(uint32_t v, int n)
{
    return v << n | v >> (32 - n);
}

static void quarter_round(uint32_t *x, int a, int b, int c, int d)
{
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

/* RFC 8439 2.3, with the 64-bit counter of the original and `tweak` as its nonce. */
static void chacha_block(const uint32_t *key, uint64_t counter, uint64_t tweak, uint32_t *out)
{
    uint32_t in[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(&in[4], key, KEY_WORDS * sizeof *key);
    in[12] = (uint32_t)counter;
    in[13] = (uint32_t)(counter >> 32);
    in[14] = (uint32_t)tweak;
    in[15] = (uint32_t)(tweak >> 32);
    memcpy(out, in, sizeof in);
    for (int i = 0; i < 10; i++) {
        quarter_round(out, 0, 4, 8, 12);
        quarter_round(out, 1, 5, 9, 13);
        quarter_round(out, 2, 6, 10, 14);
        quarter_round(out, 3, 7, 11, 15);
        quarter_round(out, 0, 5, 10, 15);
        quarter_round(out, 1, 6, 11, 12);
        quarter_round(out, 2, 7, 8, 13);
        quarter_round(out, 3, 4, 9, 14);
    }
    for (int i = 0; i < BLOCK_WORDS; i++)
        out[i] += in[i];
}

/* The next key depends on all of the old one and on v. */
static void absorb(uint64_t v)
{
    uint32_t block[BLOCK_WORDS];
    chacha_block(pool.key, pool.counter++, v, block);
    memcpy(pool.key, block, sizeof pool.key);
    pool.left = 0;
}

static bool rdrand(uint64_t *out)
{
    for (int i = 0; i < RDRAND_TRIES; i++) {
        uint8_t good;
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(good) : : "cc");
        if (good)
            return true;
    }
    return false;
}

/* Some processors answer with one constant and call it success (AMD erratum after suspend). */
static bool rdrand_absorb(void)
{
    if (!(cpuid(1).c >> 30 & 1))
        return false;
    uint64_t v, last = 0;
    for (int i = 0; i < RDRAND_WORDS; i++, last = v) {
        if (!rdrand(&v) || (i && v == last))
            return false;
        absorb(v);
    }
    return true;
}

static bool jitter_absorb(void)
{
    static volatile uint8_t scratch[SCRATCH];
    uint32_t seen[256] = {0};
    uint32_t at = 0, most = 0;
    uint64_t last = rdtsc(), packed = 0;
    for (int i = 0; i < SAMPLES; i++) {
        for (int n = 0; n < 16; n++) {
            scratch[at % SCRATCH]++;
            at += 67 + scratch[(at >> 3) % SCRATCH];
        }
        uint64_t now = rdtsc(), delta = now - last;
        last = now;
        uint32_t count = ++seen[delta & 0xff];
        if (count > most)
            most = count;
        packed = packed << 8 ^ delta ^ packed >> 56;
        if (i % 8 == 7)
            absorb(packed);
    }
    return most < SAMPLES / 2;
}

void entropy_init(void)
{
    pool.rdrand = rdrand_absorb();
    pool.jitter = jitter_absorb();
    console_printf("entropy: rdrand %s, jitter %s\n", pool.rdrand ? "good" : "none",
                   pool.jitter ? "good" : "too regular");
}

/* The first draw comes when the settings are known, and decides. */
static void check(const struct kernel *k)
{
    uint64_t seed = k->conf.n ? conf_number(&k->conf, "seed") : 0;
    if (seed && !pool.seeded) {
        console_printf("warning: seed=%llu: every random number is predictable\n",
                       (unsigned long long)seed);
        memset(&pool, 0, sizeof pool);
        pool.seeded = true;
        absorb(seed);
    }
    if (!pool.rdrand && !pool.jitter && !pool.seeded) {
        console_printf("error: no entropy: neither RDRAND nor jitter of the clock; "
                       "seed=N starts without, predictably\n");
        plat_exit(EXIT_BOOT);
    }
}

uint64_t plat_random(struct kernel *k)
{
    if (!pool.left) {
        check(k);
        uint32_t block[BLOCK_WORDS];
        chacha_block(pool.key, pool.counter++, 0, block);
        memcpy(pool.key, block, sizeof pool.key);
        memcpy(pool.given, &block[KEY_WORDS], sizeof pool.given);
        pool.left = GIVEN;
    }
    uint64_t v = pool.given[--pool.left];
    pool.given[pool.left] = 0;
    return v;
}
