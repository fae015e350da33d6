/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel between the two halves of the crowd, see box.h. */
#include "tests/million/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/graphs.h"

enum { TURN_NS = 2000 };

struct box box;

/* --- cards --- */

static enum crowd_side side_of(const struct netdev *d)
{
    return d == &box.card[0] ? CROWD_CLIENT : CROWD_SERVER;
}

static status_t card_start(struct netdev *d)
{
    d->link = true;
    return OK;
}

static void card_stop(struct netdev *d)
{
    d->link = false;
}

static size_t frame_next(enum crowd_side side, uint8_t *frame)
{
    size_t n = crowd_next(box.crowd, side, frame);
    if (n || side != CROWD_CLIENT || !box.bogus || box.bogus->sent >= box.bogus_due)
        return n;
    return bogus_next(box.bogus, frame);
}

static void frame_came(enum crowd_side side, const uint8_t *frame, size_t n)
{
    if (side != CROWD_CLIENT || !box.bogus || !bogus_frame(box.bogus, frame, n))
        crowd_frame(box.crowd, side, frame, n);
}

static int card_rx(struct netdev *d, struct msg **burst, int n)
{
    uint8_t frame[CROWD_FRAME];
    int got = 0;
    for (size_t len; got < n && (len = frame_next(side_of(d), frame)); got++) {
        struct msg *m = msg_alloc_class(&d->k->pool, MSG_FULL);
        if (!m) {
            d->k->drops[DROP_NO_BUFFER]++;
            break;
        }
        memcpy(msg_put(m, len), frame, len);
        burst[got] = m;
    }
    return got;
}

static int card_tx(struct netdev *d, struct msg **burst, int n)
{
    uint8_t frame[CROWD_FRAME];
    for (int i = 0; i < n; i++) {
        struct msg *m = burst[i];
        if (m->total <= sizeof frame && msg_peek(m, 0, frame, m->total))
            frame_came(side_of(d), frame, m->total);
        msg_free(m);
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

static const struct netdev_ops card_ops = {
    .model = "crowd",
    .start = card_start,
    .stop = card_stop,
    .rx = card_rx,
    .tx = card_tx,
    .irq = card_irq,
    .pending = card_pending,
};

static void quiet(const char *s, size_t n)
{
    if (box.aloud)
        fwrite(s, 1, n, stdout);
}

/* --- the kernel --- */

bool box_boot(const char *name, const char *words)
{
    struct box *t = &box;
    const struct graph *g = graph_named(name);
    t->k = calloc(1, sizeof *t->k);
    if (!g || !t->k)
        return false;
    ground_console(quiet);
    ground_init(&t->ground, t->k, &t->clock);
    ground_seed(&t->ground, 1);
    if (kernel_init(t->k, 512U << 20) != OK)
        return false;
    for (int i = 0; i < 2; i++) {
        struct netdev *d = &t->card[i];
        *d = (struct netdev){
            .ops = &card_ops, .mtu = 1500, .mac = {0x52, 0x54, 0, 0, (uint8_t)(i + 1), 1}};
        if (netdev_add(t->k, d) != OK)
            return false;
    }
    return kernel_boot(t->k, g, words) == OK;
}

void box_end(void)
{
    kernel_end(box.k);
    ground_pages_free();
    crowd_free(box.crowd);
    free(box.k);
}

bool box_turn(void)
{
    struct box *t = &box;
    t->clock += TURN_NS;
    if (kernel_poll(t->k))
        return true;
    uint64_t next = kernel_next(t->k);
    if (next == UINT64_MAX)
        return false;
    if (next > t->clock)
        t->clock = next;
    return true;
}

struct accounts box_accounts(void)
{
    const struct kernel *k = box.k;
    struct accounts a = {.kernel = k->pool.used,
                         .live = k->paths_live,
                         .flows = k->flows.count,
                         .timers = k->timers.armed,
                         .messages = k->msgs.live[MSG_SMALL] + k->msgs.live[MSG_FULL]};
    for (int i = 0; i < k->nnodes; i++)
        a.nodes += k->nodes[i].pool.used;
    for (uint32_t i = 0; i < k->paths_size; i++) {
        const struct path *p = path_at(k, i);
        a.paths += p ? p->pool.used : 0;
        a.final += p && strcmp(p->shape->name, "eth0 ipfwd eth1") == 0;
        a.queues += p && p->work;
    }
    return a;
}
