/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that are nearly right, by seed, into whole graphs: eth, arp, ip, fragments, icmp, udp.
 * What can fail here: a sanitizer, an assertion, a hang, or something that is not given back.
 * TEST_LONG=1 sends twenty times as many.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net.h"

enum { FRAMES = 20000, BODY = 1400 };

struct mill {
    struct net *w;
    int card;
    uint32_t host, us, to;
    uint8_t body[BODY], made[BODY + 100];
    uint8_t frame[NET_BYTES];
};

static uint32_t below(uint32_t n)
{
    return (uint32_t)rand() % n;
}

static size_t make_icmp(struct mill *f, struct dgram *d)
{
    d->proto = P_ICMP;
    d->data = f->made;
    return net_icmp(f->made, (uint8_t)(below(2) ? 8 : below(20)), (uint8_t)below(6),
                    (uint32_t)rand(), f->body, d->n);
}

/* An error about a segment that we might have sent, with a byte or two changed. */
static size_t make_error(struct mill *f, struct dgram *d)
{
    struct dgram quoted = {.src = f->us, .dst = f->host, .proto = P_TCP, .data = f->body, .n = 20};
    net_build(f->w, f->card, &quoted, f->frame);
    for (int i = 0; i < 2; i++)
        f->frame[14 + below(40)] = (uint8_t)rand();
    d->proto = P_ICMP;
    d->data = f->made;
    return net_icmp(f->made, (uint8_t)(3 + below(10)), (uint8_t)below(6), (uint32_t)rand(),
                    f->frame + 14, below(41));
}

static size_t make_udp(struct mill *f, struct dgram *d)
{
    d->data = f->made;
    return net_udp(f->made, f->host, f->to, (uint16_t)(below(2) ? 4000 : 7),
                   (uint16_t)(below(2) ? 7 : 9), f->body, d->n);
}

static size_t make_fragment(struct mill *f, struct dgram *d)
{
    (void)f;
    d->proto = below(2) ? P_ICMP : P_UDP;
    d->frag = (uint16_t)((below(2) ? 0x2000 : 0) | (below(8) ? below(24) : below(65536)));
    return d->n & ~(size_t)7;
}

static size_t make_tcp(struct mill *f, struct dgram *d)
{
    (void)f;
    d->proto = P_TCP;
    return d->n;
}

static size_t datagram(struct mill *f)
{
    static size_t (*const makers[])(struct mill * f, struct dgram * d) = {
        make_icmp, make_error, make_udp, make_fragment, make_tcp};
    uint8_t opt[40];
    for (size_t i = 0; i < sizeof opt; i++)
        opt[i] = (uint8_t)(below(4) ? below(8) : below(256));
    struct dgram d = {.src = f->host,
                      .dst = f->to,
                      .id = (uint16_t)below(4),
                      .data = f->body,
                      .n = below(below(4) ? 64 : BODY),
                      .opt = opt,
                      .nopt = below(4) ? 0 : below(11) * 4};
    d.n = makers[below(ARRAY_LEN(makers))](f, &d);
    return net_build(f->w, f->card, &d, f->frame);
}

static size_t arp_packet(struct mill *f)
{
    uint8_t *b = f->frame;
    net_card_mac(f->w, f->card, b);
    net_mac(f->card, f->host, b + 6);
    put16(b + 12, 0x0806);
    put32(b + 14, 0x00010800);
    put32(b + 18, 0x06040001 + below(2));
    for (int i = 22; i < 42; i++)
        b[i] = (uint8_t)rand();
    if (below(2)) {
        put32(b + 28, f->host);
        put32(b + 38, f->us);
    }
    if (below(4) == 0)
        b[14 + below(28)] = (uint8_t)rand();
    return 42;
}

/* Some bytes of the headers change; half of the time the IP checksum is made good again. */
static void damage(struct mill *f, size_t n)
{
    for (uint32_t i = 1 + below(4); i; i--)
        f->frame[below(n < 60 ? (uint32_t)n : 60)] = (uint8_t)rand();
    size_t hlen = (size_t)(f->frame[14] & 15) * 4;
    if (below(2) || hlen < 20 || 14 + hlen > n)
        return;
    put16(f->frame + 24, 0);
    put16(f->frame + 24, net_sum(0, f->frame + 14, hlen));
}

static void fuzz(const char *graph_name, int ncards, const char *cmdline, unsigned seed)
{
    struct mill *f = calloc(1, sizeof *f);
    const char *is_long = getenv("TEST_LONG");
    uint32_t frames = FRAMES * (is_long && strcmp(is_long, "1") == 0 ? 20 : 1);
    assert_non_null(f);
    print_message("seed %u: %u frames into %s %s\n", seed, frames, graph_name, cmdline);
    srand(seed);
    f->w = net_make(graph_name, ncards, cmdline);
    for (size_t i = 0; i < BODY; i++)
        f->body[i] = (uint8_t)rand();
    for (uint32_t i = 0; i < frames; i++) {
        f->card = (int)below((uint32_t)ncards);
        f->us = f->card ? BOX2 : BOX;
        f->host = (f->card ? SERVER : CLIENT) + below(3);
        f->to = below(2) ? f->us : f->card ? CLIENT : SERVER;
        size_t n = below(8) ? datagram(f) : arp_packet(f);
        if (below(3) == 0)
            damage(f, n);
        if (below(5) == 0)
            n = 1 + below((uint32_t)n);
        fixture_frame(f->w->f, f->card, f->frame, n);
        if (i % 32 != 31)
            continue;
        net_run(f->w, below(200) ? MS : 20 * SECOND);
        net_clear(f->w);
    }
    uint64_t lost = 0;
    for (int i = 0; i < DROP_COUNT; i++)
        lost += f->w->f->k->drops[i];
    assert_in_range(lost, frames / 10, frames); /* it was neither all right nor all wrong */
    net_end(f->w);
    free(f);
}

static void router(void **state)
{
    (void)state;
    fuzz("router", 2, "", 1);
    fuzz("router", 2, "ip.defrag=on", 2);
    fuzz("router", 2, "ip.mtu=eth1=100", 3);
}

static void host(void **state)
{
    (void)state;
    fuzz("echo", 1, "", 4);
}

static void filtered(void **state)
{
    (void)state;
    fuzz("filters", 2, "slow.time=3ms bad.permille=50", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("fuzz: frames that are nearly right, into a router", router),
        PLAIN_TEST("fuzz: the same into a host with ICMP and UDP", host),
        PLAIN_TEST("fuzz: the same through every filter", filtered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
