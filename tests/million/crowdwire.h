/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MILLION_CROWDWIRE_H
#define TESTS_MILLION_CROWDWIRE_H
/*
 * Ethernet frames with TCP over IPv4 and with ARP, written and read. An own writer and reader, and
 * own sums, so that the forwarder is not judged by its own. Cannot fail; frame_read says false.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct frame_seg {
    uint32_t src, dst; /* host order */
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint8_t flags;
    uint8_t first; /* value of the first byte of payload; each next one is one more */
    uint16_t len;  /* payload */
    bool counts;   /* read: the payload does count like that */
    bool linux;    /* written: a SYN has all the options of Linux's, not just the MSS */
};

struct frame_arp {
    bool reply;
    uint8_t mac[6]; /* sender */
    uint32_t sender, target;
};

enum frame_kind { FRAME_OTHER, FRAME_SEG, FRAME_ARP, FRAME_BAD };

size_t frame_seg(uint8_t *f, const uint8_t to[6], const uint8_t from[6], const struct frame_seg *s);
size_t frame_arp(uint8_t *f, const uint8_t to[6], const struct frame_arp *a, const uint8_t who[6]);
enum frame_kind frame_read(const uint8_t *f, size_t n, struct frame_seg *s, struct frame_arp *a);

#endif
