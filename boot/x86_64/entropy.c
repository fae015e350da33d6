/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers: initial sequence numbers, hash seeds and cookies rest on them. The generator is
 * ChaCha20 (RFC 8439; BearSSL's) with the key replaced by half of each block's output,
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
#include <bearssl_block.h>
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

/* 64 bytes of key stream (RFC 8439 2.4); the nonce is `tweak` and the counter's upper half. */
static void chacha_block(const uint32_t *key, uint64_t counter, uint64_t tweak, uint32_t *out)
{
    uint32_t nonce[3] = {(uint32_t)(counter >> 32), (uint32_t)tweak, (uint32_t)(tweak >> 32)};
    memset(out, 0, BLOCK_WORDS * sizeof *out);
    br_chacha20_ct_run(key, nonce, (uint32_t)counter, out, BLOCK_WORDS * sizeof *out);
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
