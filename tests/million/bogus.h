/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MILLION_BOGUS_H
#define TESTS_MILLION_BOGUS_H
/*
 * A SYN flood: SYNs from 131,072 spoofed addresses of 198.18.0.0/15, which are behind a gateway, so
 * that no answer costs an ARP question. The options are those of Linux's SYN. Whoever spoofs never
 * acknowledges; but each answer is checked: its sums, and that it acknowledges what was asked.
 * Nothing is remembered of a SYN: its sequence number follows from its source. Cannot fail.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bogus {
    uint32_t service; /* host order */
    uint16_t port;
    uint8_t to[6], from[6]; /* stations */
    uint64_t sent, answered;
    uint64_t wrong; /* answers that are no SYN-ACK to a SYN of ours, or damaged */
};

size_t bogus_next(struct bogus *b, uint8_t *frame); /* the frame's length */
/* False: not for an address of the flood. */
bool bogus_frame(struct bogus *b, const uint8_t *frame, size_t n);

#endif
