/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw frames on an interface, for the measurements of bench/ and tests/system. Built and started by
 * bench/measure.py inside a namespace of the laboratory.
 *
 *     frames send IFACE COUNT SIZE TO-MAC FROM-IP TO-IP   COUNT frames as fast as they go
 *     frames ping IFACE COUNT SIZE TO-MAC FROM-IP TO-IP   one at a time, each waits for its echo
 *     frames echo IFACE                                   sends back what `ping` and `send` sent
 *     frames sink                                         swallows what `send` sent, until EOF
 *
 * A frame is UDP to the discard port (9) with its number in the payload. What the interface refuses
 * (its queue is full) is sent again by `ping` only: `send` is an overload on purpose. Prints the
 * frames handed over, or for ping the answers and the nanoseconds they took. Exit status 1: a line
 * on standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, HEADERS = 42, FRAME_MAX = 1514, PORT = 9, WAIT_MS = 200 };

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int packet_socket(const char *iface, int protocol)
{
    int fd = socket(AF_PACKET, SOCK_RAW, protocol);
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = (uint16_t)protocol};
    int on = 1;
    at.sll_ifindex = (int)if_nametoindex(iface);
    if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        fail(iface);
    /* Straight to the device: the queueing discipline would only add waiting of its own. */
    if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0)
        fail("PACKET_QDISC_BYPASS");
    return fd;
}

static void put16(uint8_t *at, unsigned v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static uint16_t ip_sum(const uint8_t *at)
{
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* argv: SIZE TO-MAC FROM-IP TO-IP. UDP's checksum is left out (0), as RFC 768 allows. */
static size_t frame_make(uint8_t *f, char **argv)
{
    unsigned m[6];
    size_t size = (size_t)strtoul(argv[0], NULL, 10);
    if (size < HEADERS + 8 || size > FRAME_MAX ||
        sscanf(argv[1], "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6) {
        fprintf(stderr, "frames: size %s or address %s\n", argv[0], argv[1]);
        exit(1);
    }
    memset(f, 0, size);
    for (int i = 0; i < 6; i++)
        f[i] = (uint8_t)m[i];
    f[6] = 0x02; /* any station of our own: nobody answers to it */
    f[11] = 0x77;
    put16(f + 12, 0x0800);
    f[14] = 0x45;
    put16(f + 16, (unsigned)size - 14);
    f[22] = 64;
    f[23] = IPPROTO_UDP;
    if (inet_pton(AF_INET, argv[2], f + 26) != 1 || inet_pton(AF_INET, argv[3], f + 30) != 1) {
        fprintf(stderr, "frames: address %s or %s\n", argv[2], argv[3]);
        exit(1);
    }
    put16(f + 24, ip_sum(f + 14));
    put16(f + 34, 40000);
    put16(f + 36, PORT);
    put16(f + 38, (unsigned)size - 34);
    return size;
}

static void send_all(int fd, uint8_t *frame, size_t size, unsigned long count)
{
    struct iovec io = {frame, size};
    struct mmsghdr batch[BATCH];
    memset(batch, 0, sizeof batch);
    for (int i = 0; i < BATCH; i++) {
        batch[i].msg_hdr.msg_iov = &io;
        batch[i].msg_hdr.msg_iovlen = 1;
    }
    unsigned long sent = 0;
    while (sent < count) {
        unsigned n = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;
        int done = sendmmsg(fd, batch, n, 0);
        if (done < 0 && errno != ENOBUFS && errno != EAGAIN)
            fail("send");
        sent += done > 0 ? (unsigned long)done : 1; /* refused is lost: that is the overload */
    }
    printf("%lu\n", sent);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void ping_all(int fd, uint8_t *frame, size_t size, unsigned long count)
{
    uint64_t begin = now_ns();
    unsigned long answers = 0;
    for (uint32_t i = 1; i <= count; i++) {
        uint8_t got[2048];
        memcpy(frame + HEADERS, &i, sizeof i);
        if (send(fd, frame, size, 0) < 0 && errno != ENOBUFS)
            fail("send");
        struct pollfd p = {.fd = fd, .events = POLLIN};
        while (poll(&p, 1, WAIT_MS) > 0) {
            struct sockaddr_ll from;
            socklen_t len = sizeof from;
            ssize_t n = recvfrom(fd, got, sizeof got, 0, (struct sockaddr *)&from, &len);
            if (n >= HEADERS + 4 && from.sll_pkttype != PACKET_OUTGOING &&
                memcmp(got + HEADERS, &i, sizeof i) == 0) {
                answers++;
                break;
            }
        }
    }
    printf("%lu %llu\n", answers, (unsigned long long)(now_ns() - begin));
}

static void echo_all(int fd)
{
    uint8_t f[2048], swap[6];
    for (;;) {
        struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 || p[1].revents)
            return;
        struct sockaddr_ll from;
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, f, sizeof f, 0, (struct sockaddr *)&from, &len);
        if (n < HEADERS || from.sll_pkttype == PACKET_OUTGOING || f[23] != IPPROTO_UDP || f[36] ||
            f[37] != PORT)
            continue;
        memcpy(swap, f, 6);
        memcpy(f, f + 6, 6);
        memcpy(f + 6, swap, 6);
        memcpy(swap, f + 26, 4);
        memcpy(f + 26, f + 30, 4);
        memcpy(f + 30, swap, 4);
        if (send(fd, f, (size_t)n, 0) < 0 && errno != ENOBUFS)
            fail("send");
    }
}

/* A socket that nobody reads: without it the host would answer every frame with an ICMP error. */
static void sink(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), small = 1;
    char byte;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        fail("sink");
    printf("ready\n");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        continue;
}

int main(int argc, char **argv)
{
    static uint8_t frame[FRAME_MAX];
    if (argc == 2 && strcmp(argv[1], "sink") == 0) {
        sink();
    } else if (argc == 3 && strcmp(argv[1], "echo") == 0) {
        int fd = packet_socket(argv[2], htons(0x0800));
        printf("ready\n");
        fflush(stdout);
        echo_all(fd);
    } else if (argc == 8 && strcmp(argv[1], "send") == 0) {
        size_t size = frame_make(frame, argv + 4);
        send_all(packet_socket(argv[2], 0), frame, size, strtoul(argv[3], NULL, 10));
    } else if (argc == 8 && strcmp(argv[1], "ping") == 0) {
        size_t size = frame_make(frame, argv + 4);
        ping_all(packet_socket(argv[2], htons(0x0800)), frame, size, strtoul(argv[3], NULL, 10));
    } else {
        fprintf(stderr, "usage: see the head of bench/frames.c\n");
        return 1;
    }
    return 0;
}
