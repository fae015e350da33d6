/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments of a spliced connection that are nearly right, by seed: flags, numbers, options,
 * offsets, fragments, time to live, ICMP errors with changed quotations; from both sides, while the
 * operator takes the splice out and puts it in. What can fail: a sanitizer, an assertion, something
 * that is not given back, a frame that leaves with a wrong IP header. TEST_LONG=1 sends twenty
 * times as many.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fwd_bench.h"

enum { FRAMES = 20000, LONGER = 20, BODY = 1460, SILENT = 100 };

static uint32_t below(uint32_t n)
{
    return (uint32_t)rand() % n;
}

static uint32_t near(uint32_t n)
{
    switch (below(6)) {
    case 0:
        return n + (uint32_t)rand() * 2U;
    case 1:
        return n + below(1 << 24) - (1 << 23);
    default:
        return n + below(3000) - 1500;
    }
}

static size_t mangle(struct duo *d, enum side s, uint8_t *frame)
{
    static uint8_t body[BODY];
    static const uint8_t flags[] = {T_ACK,         T_ACK, T_ACK, T_ACK | T_PSH,
                                    T_ACK | T_FIN, T_RST, T_SYN};
    uint8_t opt[40];
    for (size_t i = 0; i < sizeof opt; i++)
        opt[i] = (uint8_t)(below(3) ? below(12) : (uint32_t)rand());
    struct tcp t = {.seq = near(d->host[s].seq),
                    .ack = near(d->host[s].ack),
                    .flags =
                        below(16) ? flags[below(below(8) ? 4 : sizeof flags)] : (uint8_t)rand(),
                    .ttl = (uint8_t)(below(20) ? 64 : below(3)),
                    .wnd = (uint16_t)rand(),
                    .nodf = below(4) == 0,
                    .id = (uint16_t)below(4),
                    .data = body,
                    .n = below(2) ? 0 : below(BODY - 80),
                    .opt = below(3) ? NULL : opt,
                    .nopt = below(11) * 4,
                    .wrong = below(8) == 0};
    size_t n = duo_frame(d, s, &t, frame);
    if (below(8) == 0) { /* a fragment, perhaps of something that never was whole */
        put16(frame + 20, (below(2) ? 0x2000 : 0) | below(180));
        put16(frame + 24, 0);
        put16(frame + 24, net_sum(0, frame + 14, 20));
    }
    for (uint32_t i = below(8) ? 0 : 1 + below(3); i; i--)
        frame[34 + below((uint32_t)n - 34)] ^= (uint8_t)(1U << below(8));
    return n - (below(16) ? 0 : below((uint32_t)n - 14));
}

static void icmp_about(struct duo *d, enum side s, const struct frame *f)
{
    uint8_t icmp[200];
    struct dgram g = {.src = d->host[s].addr, .dst = s == A ? BOX : BOX2, .proto = P_ICMP};
    size_t quoted = f->n - 14 < 100 ? f->n - 14 : below(100);
    g.n = net_icmp(icmp, (uint8_t)(below(4) ? 3 : 11), (uint8_t)below(6), below(1600), f->b + 14,
                   quoted);
    if (below(4) == 0)
        icmp[8 + below(60)] ^= (uint8_t)rand();
    put16(icmp + 2, 0);
    put16(icmp + 2, net_sum(0, icmp, g.n));
    g.data = icmp;
    net_send(d->w, (int)s, &g);
}

static void check_frames(const struct duo *d)
{
    for (int i = 0; i < d->w->nframes; i++)
        if (get16(d->w->frame[i].b + 12) == 0x0800)
            net_check_ip(&d->w->frame[i]);
}

static uint64_t fuzz(const struct plan *plan, unsigned seed)
{
    int frames = getenv("TEST_LONG") ? FRAMES * LONGER : FRAMES;
    uint64_t passed = 0;
    int silent = 0; /* frames in a row of which nothing has come out */
    srand(seed);
    print_message("           seed %u\n", seed);
    struct duo *d = duo_make(plan);
    for (int i = 0; i < frames; i++) {
        uint8_t frame[NET_BYTES];
        enum side s = below(2) ? A : B;
        if (duo_flows(d) < 2 || silent > SILENT) { /* over, or its numbers have run away */
            silent = 0;
            duo_end(d);
            d = duo_make(plan);
        }
        size_t n = mangle(d, s, frame);
        net_clear(d->w);
        net_raw(d->w, (int)s, frame, n);
        check_frames(d);
        passed += d->w->nframes > 0;
        silent = d->w->nframes ? 0 : silent + 1;
        if (d->w->nframes && below(4) == 0) {
            struct frame f = d->w->frame[0];
            icmp_about(d, (enum side)f.card, &f);
        }
        if (below(2000) == 0)
            net_run(d->w, below(300) * SECOND);
    }
    duo_end(d);
    return passed;
}

static void merged(void **state)
{
    (void)state;
    assert_in_range(fuzz(&duo_merged, 1), FRAMES / 10, UINT32_MAX);
}

static void apart(void **state)
{
    (void)state;
    assert_in_range(fuzz(&duo_apart, 2), FRAMES / 10, UINT32_MAX);
}

static void unstamped(void **state)
{
    static const struct plan plan = {.cmdline = "", .scale = {0, 14}, .mss = {1460, 600}};
    (void)state;
    assert_in_range(fuzz(&plan, 3), FRAMES / 10, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("fuzz: segments that are nearly right, at ipfwd", merged),
        PLAIN_TEST("fuzz: the same at fwd", apart),
        PLAIN_TEST("fuzz: the same without stamps, towards a host that takes little", unstamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
