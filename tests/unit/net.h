/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_NET_H
#define TESTS_UNIT_NET_H
/*
 * Hosts around a kernel in a test: they answer ARP, send datagrams that the test describes, and
 * keep what comes to them. Card c is on 10.0.(c+1).0/24, the kernel's address there ends in 1.
 * Packets are built and read with code of the test's own; nothing here uses modules/.
 */
#include "tests/unit/fixture.h"

enum { NET_FRAMES = 1024, NET_BYTES = 2048 };
enum { P_ICMP = 1, P_TCP = 6, P_UDP = 17 };

struct frame {
    int card;
    size_t n;
    uint8_t b[NET_BYTES];
};

struct net {
    struct fixture *f;
    uint32_t mute; /* this address does not answer ARP */
    int arps;      /* questions heard */
    int nframes;
    struct frame frame[NET_FRAMES]; /* all that came but ARP questions that were answered */
};

/* A datagram; what is 0 gets a sensible value. */
struct dgram {
    uint32_t src, dst;
    uint8_t proto, ttl, tos;
    uint16_t id, frag;
    const uint8_t *opt;
    size_t nopt;
    const void *data;
    size_t n;
};

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
#define CLIENT         IP(10, 0, 1, 2)
#define SERVER         IP(10, 0, 2, 2)
#define BOX            IP(10, 0, 1, 1)
#define BOX2           IP(10, 0, 2, 1)

/* name: a graph of config/ or tests/. */
struct net *net_make(const char *name, int ncards, const char *cmdline);
void net_end(struct net *w); /* waits until what was learnt is forgotten, then fixture_end */
void net_run(struct net *w, uint64_t ns);
void net_clear(struct net *w); /* forget the frames */
/* The only frame that came since net_clear; fails the test when there is none or more. */
const struct frame *net_only(struct net *w);
void net_none(struct net *w); /* fails the test when something came */
uint64_t net_drops(const struct net *w, enum drop why);

void net_mac(int card, uint32_t addr, uint8_t out[6]);            /* of a host */
void net_card_mac(const struct net *w, int card, uint8_t out[6]); /* of the kernel */
/* Ethernet and IP header in front of d's data; returns the length of the frame. */
size_t net_build(const struct net *w, int card, const struct dgram *d, uint8_t *out);
/* Send it from a host at that card, and let 2 ms pass. */
void net_send(struct net *w, int card, const struct dgram *d);
void net_raw(struct net *w, int card, const uint8_t *frame, size_t n);
/* An ARP packet as it is, from the host's MAC. */
void net_arp(struct net *w, int card, uint16_t op, const uint8_t mac[6], uint32_t sender,
             uint32_t target);

uint16_t net_sum(uint32_t start, const uint8_t *at, size_t n); /* folded, complemented */
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
void put16(uint8_t *at, uint32_t v);
void put32(uint8_t *at, uint32_t v);
/* An ICMP message; returns its length. UDP: with checksum over the pseudo header. */
size_t net_icmp(uint8_t *out, uint8_t type, uint8_t code, uint32_t info, const void *data,
                size_t n);
size_t net_udp(uint8_t *out, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
               const void *data, size_t n);
/* Asserts that the IP header of a frame is right; returns the header length. */
size_t net_check_ip(const struct frame *f);

#endif
