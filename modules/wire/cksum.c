/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum over bytes and over messages. Words are added in the machine's own order,
 * eight bytes at a time, for the sum of swapped words is the swapped sum (RFC 1071 2.B). Lines of
 * 64 bytes are one chain of additions with carry, which no compiler makes of C: 1,448 bytes take
 * some 310 instructions, and 580 without.
 */
#include "modules/wire/cksum.h"

#include <string.h>

static uint16_t fold64(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Ones' complement: what is carried out at the top comes in at the bottom, here at the end. */
struct wide_sum {
    uint64_t low, carries;
};

static inline void wide_add(struct wide_sum *s, const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    s->carries += __builtin_add_overflow(s->low, word, &s->low);
}

enum { WORD = 8, LINE = 8 * WORD };

static inline void line_add(struct wide_sum *s, const uint8_t *at)
{
#if defined(__x86_64__) && !defined(POOL_POISON) /* a sanitizer does not see into it */
    __asm__("addq 0(%2), %0\n\t"
            "adcq 8(%2), %0\n\t"
            "adcq 16(%2), %0\n\t"
            "adcq 24(%2), %0\n\t"
            "adcq 32(%2), %0\n\t"
            "adcq 40(%2), %0\n\t"
            "adcq 48(%2), %0\n\t"
            "adcq 56(%2), %0\n\t"
            "adcq $0, %1"
            : "+r"(s->low), "+r"(s->carries)
            : "r"(at), "m"(*(const uint8_t(*)[LINE])at)
            : "cc");
#else
    for (int i = 0; i < LINE; i += WORD)
        wide_add(s, at + i);
#endif
}

uint32_t cksum_add(uint32_t sum, const uint8_t *at, size_t n)
{
    struct wide_sum total = {0, 0};
    for (; n >= LINE; n -= LINE, at += LINE)
        line_add(&total, at);
    for (; n >= WORD; n -= WORD, at += WORD)
        wide_add(&total, at);
    if (n >= WORD / 2) {
        uint32_t half;
        memcpy(&half, at, sizeof half);
        total.low += half;
        total.carries += total.low < half;
        n -= sizeof half;
        at += sizeof half;
    }
    if (n) { /* what is missing counts as zeros behind */
        uint8_t last[WORD] = {0};
        memcpy(last, at, n);
        wide_add(&total, last);
    }
    uint64_t low = total.low + total.carries;
    low += low < total.carries;
    uint16_t folded = fold64(low);
    uint8_t bytes[2];
    memcpy(bytes, &folded, sizeof bytes);
    return (uint32_t)cksum_fold(sum) + be16_get(bytes);
}

/* A part that begins at an odd offset counts with its bytes swapped (RFC 1071 2.B). */
uint32_t cksum_msg(uint32_t sum, const struct msg *m, size_t off)
{
    bool odd = false;
    for (; m; m = m->more) {
        if (off >= m->len) {
            off -= m->len;
            continue;
        }
        size_t n = m->len - off;
        if (odd) {
            uint16_t part = cksum_fold(cksum_add(0, m->data + off, n));
            sum = cksum_fold(sum) + (uint32_t)(uint16_t)(part << 8 | part >> 8);
        } else {
            sum = cksum_add(sum, m->data + off, n);
        }
        odd ^= n & 1;
        off = 0;
    }
    return sum;
}
