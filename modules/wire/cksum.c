/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum over bytes and over messages. Words are added in the machine's own order,
 * four bytes at a time, for the sum of swapped words is the swapped sum (RFC 1071 2.B).
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

uint32_t cksum_add(uint32_t sum, const uint8_t *at, size_t n)
{
    uint64_t total = 0;
    uint32_t word;
    for (; n >= sizeof word; n -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        total += word;
    }
    if (n) { /* what is missing counts as zeros behind */
        word = 0;
        memcpy(&word, at, n);
        total += word;
    }
    uint16_t folded = fold64(total);
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
