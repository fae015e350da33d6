/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modules/ip/lane.c and modules/wire/forward.h: whatever comes, a kernel with the lane does what
 * one without it does, frame by frame; what is plain takes it, and each odd thing does not.
 * SEED=n replays a run.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/services.h"
#include "modules/wire/record.h"
#include "tests/unit/fwd_bench.h"

enum { STEPS = 20000, BODY = 1460, SHORTEST = 60 };

/* What came out after a step: as far as hosts can see it. */
struct outcome {
    int frames, card;
    uint64_t hash, drops;
};

static struct outcome first[STEPS];
static uint64_t rng;
static int passed; /* frames that took the lane */
static void (*lane)(struct netdev *d, struct msg **burst, int n);

static uint32_t below(uint32_t n)
{
    rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(rng >> 33) % n;
}

/* Frames on the lane are passed as they are, all others are sent. */
static void lane_watched(struct netdev *d, struct msg **burst, int n)
{
    const struct netdev *out = d->k->devs[!d->index];
    lane(d, burst, n);
    passed += out->mixed ? 0 : out->ntx;
}

static void lanes_set(struct kernel *k, bool on)
{
    for (int i = 0; i < k->ndevs; i++) {
        assert_non_null(k->devs[i]->lane);
        lane = k->devs[i]->lane;
        k->devs[i]->lane = on ? lane_watched : NULL;
    }
}

/* The padding is zeros, or not there. */
static uint64_t hash_of(const struct frame *f)
{
    uint64_t hash = 14695981039346656037ULL;
    size_t n = 14 + (get16(f->b + 12) == 0x0800 ? get16(f->b + 16) : f->n - 14U);
    assert_in_range(n, 14, f->n);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ f->b[i]) * 1099511628211ULL;
    for (size_t i = n; i < f->n; i++)
        assert_int_equal(f->b[i], 0);
    return hash;
}

static struct outcome outcome_of(const struct net *w)
{
    struct outcome o = {.frames = w->nframes, .card = w->nframes ? w->frame[0].card : -1};
    for (int i = 0; i < w->nframes; i++)
        o.hash = o.hash * 31 + hash_of(&w->frame[i]);
    for (int i = 0; i < DROP_COUNT; i++)
        o.drops = o.drops * 31 + w->f->k->drops[i];
    return o;
}

/* As a card does it, but with what the sender's memory held. */
static size_t pad(uint8_t *frame, size_t n)
{
    size_t to = below(16) ? SHORTEST : SHORTEST + below(20);
    for (; n < to; n++)
        frame[n] = (uint8_t)below(256);
    return n;
}

static uint32_t near(uint32_t n)
{
    uint32_t far[] = {n + below(1U << 24) - (1U << 23), n + (below(2) ? 1U << 23 : -(1U << 23)),
                      below(UINT32_MAX)};
    return below(10) ? n + below(100000) - 50000 : far[below(3)];
}

static void sum_ip(uint8_t *frame)
{
    put16(frame + 24, 0);
    put16(frame + 24, net_sum(0, frame + 14, 20));
}

/* Everything that a header can say otherwise. */
static void bend(uint8_t *frame, size_t *n)
{
    switch (below(8)) {
    case 0:
        frame[14 + below(26)] ^= (uint8_t)(1U << below(8));
        break;
    case 1:
        put16(frame + 20, below(2) ? 0x2000 : below(0x2000));
        sum_ip(frame);
        break;
    case 2:
        put16(frame + 16, get16(frame + 16) + below(16) - 8);
        sum_ip(frame);
        break;
    case 3:
        frame[below(14)] ^= (uint8_t)(1U << below(8));
        break;
    case 4:
        *n -= below((uint32_t)*n - 20);
        break;
    case 5:
        frame[14 + 20 + below(20)] ^= (uint8_t)(1U << below(8));
        break;
    case 6:
        frame[22] = (uint8_t)below(3);
        sum_ip(frame);
        break;
    default:
        frame[23] = below(2) ? P_UDP : P_ICMP;
        sum_ip(frame);
    }
}

static size_t segment(struct duo *d, enum side s, uint8_t *frame)
{
    static uint8_t body[BODY];
    for (size_t i = 0; i < 8; i++)
        body[i] = (uint8_t)below(256);
    const struct record *r = flow_record(path_flow(duo_path(d), s == A ? AB : BA));
    struct tcp t = {.seq = near(r->seq_max),
                    .ack = near(r->ack_max),
                    .flags = below(2) ? T_ACK : T_ACK | T_PSH,
                    .wnd = (uint16_t)(1 + below(65535)),
                    .data = body,
                    .n = below(3) ? below(BODY - 12) : below(8),
                    .wrong = below(16) == 0};
    size_t n = pad(frame, duo_frame(d, s, &t, frame));
    if (below(8) == 0)
        bend(frame, &n);
    return n;
}

static unsigned seed_of(unsigned otherwise)
{
    const char *text = getenv("SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
    print_message("           SEED=%u\n", seed);
    return seed;
}

static void spliced_run(const struct plan *plan, unsigned seed, bool on)
{
    struct duo *d = duo_make(plan);
    rng = seed;
    lanes_set(d->w->f->k, on);
    for (int i = 0; i < STEPS; i++) {
        uint8_t frame[NET_BYTES];
        enum side s = below(2) ? A : B;
        size_t n = segment(d, s, frame);
        net_clear(d->w);
        net_raw(d->w, (int)s, frame, n);
        struct outcome o = outcome_of(d->w);
        if (on)
            first[i] = o;
        else if (memcmp(&o, &first[i], sizeof o))
            fail_msg("step %d: %d frames, with the lane %d", i, o.frames, first[i].frames);
    }
    duo_end(d);
}

static void spliced_both(const struct plan *plan, unsigned seed, int least)
{
    passed = 0;
    seed = seed_of(seed);
    spliced_run(plan, seed, true);
    spliced_run(plan, seed, false);
    assert_in_range(passed, least, STEPS);
}

static void stamped(void **state)
{
    (void)state;
    spliced_both(&duo_merged, 1, STEPS / 2);
}

static void bare(void **state)
{
    static const struct plan plan = {.cmdline = "", .mss = {1460, 1460}};
    (void)state;
    spliced_both(&plan, 2, STEPS / 2);
}

static void scaled(void **state)
{
    static const struct plan plan = {.cmdline =
                                         "plug.transparent=on plug.to=none plug.listen=*:8080",
                                     .scale = {0, 14},
                                     .mss = {1460, 600}};
    (void)state;
    spliced_both(&plan, 3, STEPS / 4);
}

static void router_run(unsigned seed, bool on)
{
    struct net *w = net_make("router", 2, "");
    rng = seed;
    lanes_set(w->f->k, on);
    for (int i = 0; i < STEPS; i++) {
        uint8_t frame[NET_BYTES], body[BODY] = {0};
        int card = (int)below(2);
        uint32_t host[2] = {CLIENT + below(3), SERVER + below(3)};
        struct dgram g = {.src = below(32) ? host[card] : below(UINT32_MAX),
                          .dst = below(32) ? host[!card] : below(UINT32_MAX),
                          .proto = below(4) ? P_UDP : P_TCP,
                          .ttl = below(32) ? 64 : (uint8_t)below(3),
                          .frag = 0x4000,
                          .data = body,
                          .n = below(2) ? below(60) : below(BODY)};
        for (size_t j = 0; j < 40; j++)
            body[j] = (uint8_t)below(256);
        size_t n = pad(frame, net_build(w, card, &g, frame));
        if (below(8) == 0)
            bend(frame, &n);
        net_clear(w);
        net_raw(w, card, frame, n);
        struct outcome o = outcome_of(w);
        if (on)
            first[i] = o;
        else if (memcmp(&o, &first[i], sizeof o))
            fail_msg("step %d: %d frames, with the lane %d", i, o.frames, first[i].frames);
    }
    net_end(w);
}

static void routed(void **state)
{
    (void)state;
    passed = 0;
    unsigned seed = seed_of(4);
    router_run(seed, true);
    router_run(seed, false);
    assert_in_range(passed, STEPS / 2, STEPS);
}

/* Does a segment with these take the lane? One byte of the frame is another; at 0: none. */
static bool takes(struct duo *d, const struct tcp *t, size_t at, uint8_t is)
{
    uint8_t frame[NET_BYTES];
    size_t n = duo_frame(d, A, t, frame);
    for (; n < SHORTEST; n++)
        frame[n] = 0;
    if (at) {
        frame[at] = is;
        if (at != 24)
            sum_ip(frame);
    }
    passed = 0;
    net_clear(d->w);
    net_raw(d->w, A, frame, n);
    return passed == 1;
}

static void odd_things(void **state)
{
    static const struct plan plan = {.cmdline = "", .mss = {1460, 600}};
    static const struct {
        uint8_t at, is;
    } odd[] = {{1, 0x99},  {5, 0x99},  {12, 0x86}, {13, 0xdd}, {14, 0x46},  {14, 0x65}, {17, 20},
               {20, 0x20}, {21, 1},    {22, 1},    {22, 0},    {23, P_UDP}, {24, 0},    {26, 11},
               {34, 1},    {46, 0x60}, {46, 0x40}, {47, 0},    {47, 0x30}};
    struct tcp t = {.data = "what a segment carries", .n = 22};
    struct duo *d = duo_make(&plan);
    struct record *r = flow_record(path_flow(duo_path(d), AB));
    (void)state;
    lanes_set(d->w->f->k, true);
    t.seq = r->seq_max;
    t.ack = r->ack_max;
    assert_true(takes(d, &t, 0, 0));
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        if (takes(d, &t, odd[i].at, odd[i].is))
            fail_msg("byte %u is %x, and the frame takes the lane", odd[i].at, odd[i].is);
    assert_true(takes(d, &(struct tcp){.seq = t.seq, .ack = t.ack}, 0, 0));
    assert_false(takes(d, &(struct tcp){.seq = t.seq, .ack = t.ack, .wrong = 1}, 0, 0));
    assert_false(takes(d, &(struct tcp){.seq = t.seq + (1 << 24), .ack = t.ack}, 0, 0));
    assert_false(takes(d, &(struct tcp){.seq = t.seq, .ack = t.ack + (1 << 24)}, 0, 0));
    static const uint8_t long_one[601];
    struct tcp most = {.seq = t.seq, .ack = t.ack, .data = long_one, .n = 600};
    assert_true(takes(d, &most, 0, 0));
    most.n = 601;
    assert_false(takes(d, &most, 0, 0));
    for (uint8_t flag = RECORD_TRIGGER; flag && flag < RECORD_PASS_SYN;
         flag = (uint8_t)(flag * 2)) {
        r->flags |= flag;
        assert_false(takes(d, &t, 0, 0));
        r->flags &= (uint8_t)~flag;
    }
    struct neigh *g = duo_path(d)->state[2];
    g->valid = false;
    assert_false(takes(d, &t, 0, 0));
    g->valid = true;
    r->flags &= (uint8_t)~RECORD_SEEN; /* as the sweep does */
    assert_true(takes(d, &t, 0, 0));
    assert_true(r->flags & RECORD_SEEN);
    duo_end(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("lane: spliced, as without it, with stamps and scales", stamped),
        PLAIN_TEST("lane: spliced, as without it, bare headers", bare),
        PLAIN_TEST("lane: transparent, towards a host that takes little", scaled),
        PLAIN_TEST("lane: a router, as without it", routed),
        PLAIN_TEST("lane: each odd thing goes stage by stage", odd_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
