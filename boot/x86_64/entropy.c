/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers: initial sequence numbers, hash seeds and cookies rest on them. The generator is
 * ChaCha20 (RFC 8439; BearSSL's) with the key replaced by half of each block's output,
 * so that what is in memory does not tell what was given out. The key absorbs two sources:
 *
 *   RDRAND, 32 words, if the processor has it and it passes a test (carry set; rdrand.h);
 *   jitter: the TSC time of a small memory-bound loop, in blocks of 256 samples, until 512 bits,
 * twice the key, are believed (jitter.h says how they are counted), but at most BLOCKS blocks,
 * which is a quarter of a second on an emulated machine. A busy host needs 18 of them, a quiet one
 * more, and a clock that is regular never gets there.
 *
 * Both are always mixed in; one of them must be good or the first draw ends the boot, unless seed=N
 * is set: then N alone is the key, the run is repeatable, and a warning says so.
 */
#include <bearssl_block.h>
#include <string.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "boot/x86_64/jitter.h"
#include "boot/x86_64/rdrand.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum {
    KEY_WORDS = 8,
    BLOCK_WORDS = 16,
    GIVEN = KEY_WORDS / 2, /* 64-bit numbers per block: the half that is not the next key */
    RDRAND_TRIES = 10,     /* Intel's manual: ten failures in a row are a defect */
    WANTED = 512,
    BLOCKS = 1024,
    SCRATCH = 8192,
};

static struct {
    uint32_t key[KEY_WORDS];
    uint64_t counter;
    uint64_t given[GIVEN];
    int left;
    bool rdrand;     /* is good */
    uint32_t jitter; /* bits believed */
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

static bool rdrand_absorb(void)
{
    if (!(cpuid(1).c >> 30 & 1))
        return false;
    uint64_t word[RDRAND_WORDS];
    for (int i = 0; i < RDRAND_WORDS; i++) {
        if (!rdrand(&word[i]))
            return false;
        absorb(word[i]);
    }
    bool good = rdrand_good(word);
    memset(word, 0, sizeof word);
    return good;
}

/* Nothing but the loop lies between two samples, so nothing else is taken for jitter. */
static uint32_t jitter_absorb(uint32_t *blocks)
{
    static volatile uint8_t scratch[SCRATCH];
    static uint64_t packed[JITTER_BLOCK / 8];
    static uint8_t sample[JITTER_BLOCK];
    uint32_t at = 0, bits = 0, n;
    for (n = 0; n < BLOCKS && bits < WANTED * JITTER_BELIEF; n++) {
        uint64_t last = rdtsc();
        for (int i = 0; i < JITTER_BLOCK; i++) {
            for (int j = 0; j < 16; j++) {
                scratch[at % SCRATCH]++;
                at += 67 + scratch[(at >> 3) % SCRATCH];
            }
            uint64_t now = rdtsc(), delta = now - last;
            last = now;
            sample[i] = (uint8_t)delta;
            packed[i / 8] = packed[i / 8] << 8 ^ delta ^ packed[i / 8] >> 56;
        }
        for (int i = 0; i < JITTER_BLOCK / 8; i++)
            absorb(packed[i]);
        bits += jitter_bits(sample);
    }
    memset(sample, 0, sizeof sample);
    memset(packed, 0, sizeof packed);
    *blocks = n;
    return bits / JITTER_BELIEF;
}

void entropy_init(void)
{
    uint32_t blocks;
    pool.rdrand = rdrand_absorb();
    pool.jitter = jitter_absorb(&blocks);
    console_printf("entropy: rdrand %s, jitter %s: %u bits of %u samples\n",
                   pool.rdrand ? "good" : "none", pool.jitter < WANTED ? "too regular" : "good",
                   pool.jitter, blocks * JITTER_BLOCK);
}

uint64_t entropy_early(void)
{
    uint32_t block[BLOCK_WORDS];
    uint64_t v;
    chacha_block(pool.key, pool.counter++, 0, block);
    memcpy(pool.key, block, sizeof pool.key);
    memcpy(&v, &block[KEY_WORDS], sizeof v);
    return v;
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
    if (!pool.rdrand && pool.jitter < WANTED && !pool.seeded) {
        console_printf("error: no entropy: no RDRAND, and %u of %u bits of the clock's jitter; "
                       "seed=N starts without, predictably\n",
                       pool.jitter, (unsigned)WANTED);
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
