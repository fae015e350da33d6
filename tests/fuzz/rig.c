/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel to feed frames to, as fast as it goes: cards that are two queues in memory, a clock that
 * is moved by hand. What hosts do by themselves is to answer ARP.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/hosted/ground.h"
#include "modules/wire/be.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rig.h"
#include "tests/path/packet.h"

enum { CARDS = 2, RING = 256, MEMORY = 16 << 20, TURNS = 100000, FRAME = 2048 };

struct kernel *kernel;
void (*rig_sent)(int card, const struct packet *p, const uint8_t *frame, size_t n);
bool rig_lax;

static struct card {
    struct netdev dev;
    struct msg *ring[RING];
    uint32_t head, tail;
} cards[CARDS];
static struct ground ground;
static uint64_t now, frames;
static struct {
    uint32_t paths, flows, small, full;
} before;

static status_t card_start(struct netdev *d)
{
    (void)d;
    return OK;
}

static void card_stop(struct netdev *d)
{
    struct card *c = CONTAINER(d, struct card, dev);
    while (c->head != c->tail)
        msg_free(c->ring[c->head++ % RING]);
}

static int card_rx(struct netdev *d, struct msg **burst, int n)
{
    struct card *c = CONTAINER(d, struct card, dev);
    int got = 0;
    while (got < n && c->head != c->tail)
        burst[got++] = c->ring[c->head++ % RING];
    return got;
}

static void arp_answer(int card, const uint8_t *ask)
{
    uint8_t f[60] = {0};
    uint32_t target_addr = be32_get(ask + 38), us = card ? US_1 : US_0;
    if (be16_get(ask + 20) != 1 || target_addr == us || be32_get(ask + 28) == target_addr)
        return;
    frame_eth(card, 0x0806, f);
    be32_put(f + 14, 0x00010800);
    be32_put(f + 18, 0x06040002);
    memcpy(f + 22, f + 6, 6);
    be32_put(f + 28, target_addr);
    memcpy(f + 32, ask + 22, 10);
    rig_frame(card, f, 42);
}

static int card_tx(struct netdev *d, struct msg **burst, int n)
{
    for (int i = 0; i < n; i++) {
        uint8_t frame[4096];
        struct packet p;
        char why[TEXT_MAX];
        size_t len = burst[i]->total;
        HOLDS(len <= sizeof frame && msg_peek(burst[i], 0, frame, len), "a frame too long");
        msg_free(burst[i]);
        bool good = packet_read(frame, len, &p, why);
        bool ours = !has(&p, IP_SRC) || p.v[IP_SRC] == US_0 || p.v[IP_SRC] == US_1;
        if (!good && (ours || !rig_lax))
            fuzz_fail(why, "the frame is whole");
        if (p.top == L_ARP)
            arp_answer(d->index, frame);
        else if (rig_sent)
            rig_sent(d->index, &p, frame, len);
    }
    return n;
}

static void card_irq(struct netdev *d, bool on)
{
    (void)d;
    (void)on;
}

static bool card_pending(struct netdev *d)
{
    (void)d;
    return false;
}

static const struct netdev_ops ops = {.model = "fuzz",
                                      .start = card_start,
                                      .stop = card_stop,
                                      .rx = card_rx,
                                      .tx = card_tx,
                                      .irq = card_irq,
                                      .pending = card_pending};

static void nothing(const char *text, size_t n)
{
    (void)text;
    (void)n;
}

static void count(void)
{
    printf("frames: %llu\n", (unsigned long long)frames);
}

void rig_start(const struct graph *g, const char *words)
{
    static bool counts;
    if (!counts)
        atexit(count);
    counts = true;
    ground_console(nothing);
    now = SECOND;
    kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        abort();
    ground_init(&ground, kernel, &now);
    ground_seed(&ground, 1);
    HOLDS(kernel_init(kernel, MEMORY) == OK, "memory");
    int ncards = 0;
    for (int i = 0; i < g->nnodes; i++)
        ncards += strcmp(g->nodes[i].module->name, "eth") == 0;
    for (int i = 0; i < ncards && i < CARDS; i++) {
        cards[i] = (struct card){
            .dev = {.ops = &ops, .mac = {2, 0, 0, 0, (uint8_t)i, 1}, .mtu = 1500, .link = true}};
        HOLDS(netdev_add(kernel, &cards[i].dev) == OK, "a card");
    }
    HOLDS(kernel_boot(kernel, g, words) == OK, "boot");
    rig_wait(10 * MS);
    before.paths = kernel->paths_live;
    before.flows = kernel->flows.count;
    before.small = kernel->msgs.live[MSG_SMALL];
    before.full = kernel->msgs.live[MSG_FULL];
}

void rig_settle(void)
{
    rig_wait(1000 * SECOND);
    HOLDS(kernel->paths_live == before.paths, "paths are left");
    HOLDS(kernel->flows.count == before.flows, "flows are left");
    HOLDS(kernel->msgs.live[MSG_SMALL] == before.small, "small messages are left");
    HOLDS(kernel->msgs.live[MSG_FULL] == before.full, "full messages are left");
    kernel->stop_now = true;
    kernel_end(kernel); /* asserts the rest */
    ground_pages_free();
    free(kernel);
    kernel = NULL;
}

void rig_frame(int card, const uint8_t *frame, size_t n)
{
    struct card *c = &cards[card];
    struct msg *m = c->tail - c->head < RING ? msg_alloc_class(&kernel->pool, MSG_FULL) : NULL;
    if (!m)
        return;
    frames++;
    memcpy(msg_put(m, n), frame, n);
    c->ring[c->tail++ % RING] = m;
}

void rig_run(void)
{
    for (int turns = 0; kernel_poll(kernel); turns++)
        HOLDS(turns < TURNS, "it comes to rest");
}

void rig_wait(uint64_t ns)
{
    uint64_t until = now + ns, due;
    rig_run();
    while ((due = kernel_next(kernel)) <= until) {
        now = due > now ? due : now;
        rig_run();
    }
    now = until;
    rig_run();
}

void rig_step(unsigned which)
{
    static const uint64_t steps[] = {0, MS, SECOND, 20 * SECOND};
    rig_run();
    if (which)
        rig_wait(steps[which & 3]);
}

uint16_t sum_of(const uint8_t *at, size_t n, uint32_t start)
{
    return packet_sum(at, n, start);
}

void sum_put(uint8_t *from, size_t n, size_t at, uint32_t start)
{
    be16_put(from + at, 0);
    be16_put(from + at, packet_sum(from, n, start));
}

uint32_t sum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, size_t n)
{
    return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto + (uint32_t)n;
}

void frame_eth(int card, uint16_t type, uint8_t *frame)
{
    static const uint8_t host[6] = {2, 0, 0, 0, 0, 2};
    memcpy(frame, cards[card].dev.mac, 6);
    memcpy(frame + 6, host, 6);
    frame[10] = (uint8_t)card;
    be16_put(frame + 12, type);
}

size_t frame_ip(int card, uint8_t proto, uint32_t src, uint32_t dst, const uint8_t *data, size_t n,
                uint8_t *frame)
{
    uint8_t *h = frame + 14;
    frame_eth(card, 0x0800, frame);
    memset(h, 0, 20);
    h[0] = 0x45;
    be16_put(h + 2, (uint16_t)(20 + n));
    h[8] = 64;
    h[9] = proto;
    be32_put(h + 12, src);
    be32_put(h + 16, dst);
    sum_put(h, 20, 10, 0);
    if (n)
        memcpy(h + 20, data, n);
    return 34 + n;
}
