/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum over bytes and over messages. Words are added in the machine's own order,
 * eight bytes at a time, for the sum of swapped words is the swapped sum (RFC 1071 2.B). The
 * compiler makes an add and an add-with-carry of each: 1,448 bytes take some 450 instructions.
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

uint32_t cksum_add(uint32_t sum, const uint8_t *at, size_t n)
{
    enum { WORD = 8, LINE = 8 * WORD };
    struct wide_sum total = {0, 0};
    for (; n >= LINE; n -= LINE, at += LINE) {
        wide_add(&total, at);
        wide_add(&total, at + WORD);
        wide_add(&total, at + 2 * WORD);
        wide_add(&total, at + 3 * WORD);
        wide_add(&total, at + 4 * WORD);
        wide_add(&total, at + 5 * WORD);
        wide_add(&total, at + 6 * WORD);
        wide_add(&total, at + 7 * WORD);
    }
    for (; n >= WORD; n -= WORD, at += WORD)
        wide_add(&total, at);
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
