/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FUZZ_RIG_H
#define TESTS_FUZZ_RIG_H
/*
 * A kernel for targets that want one: two cards, hosts that answer ARP, virtual time. Every frame
 * that comes out must be whole: tests/path/read.c looks at it. rig_start makes it anew.
 */
#include "kernel/kernel.h"
#include "tests/graphs.h"

struct packet;

enum { US_0 = 0x0a000101, US_1 = 0x0a000201, HOST_0 = 0x0a000102, HOST_1 = 0x0a000202 };

extern struct kernel *kernel; /* of the rig */
/* A frame that the kernel sent, as tests/path reads it; NULL: nobody listens. */
extern void (*rig_sent)(int card, const struct packet *p, const uint8_t *frame, size_t n);
extern bool rig_lax; /* frames that are only forwarded may be as bad as they came */

void rig_start(const struct graph *g, const char *words);
void rig_settle(void); /* what is left 1000 s later must be what there was; then the end */
/* A frame arrives, of exactly that length, and the kernel runs until it has nothing to do. */
void rig_frame(int card, const uint8_t *frame, size_t n);
void rig_run(void);
void rig_wait(uint64_t ns);
void rig_step(unsigned which); /* 0: none, 1: 1 ms, 2: 1 s, 3: 20 s */

/* Ethernet and IPv4 headers in front of n bytes, into frame; returns the frame's length. Checksums
 * are right. */
size_t frame_ip(int card, uint8_t proto, uint32_t src, uint32_t dst, const uint8_t *data, size_t n,
                uint8_t *frame);
/* The header of a frame to us on that card. */
void frame_eth(int card, uint16_t type, uint8_t *frame);
/* RFC 1071 */
uint16_t sum_of(const uint8_t *at, size_t n, uint32_t start);
/* Writes the checksum of n bytes into the two at `at` of them; start: of a pseudo header. */
void sum_put(uint8_t *from, size_t n, size_t at, uint32_t start);
uint32_t sum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, size_t n);

#endif
