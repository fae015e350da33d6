/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: see loop.h. A frame is handed over as it is when its bytes are in one buffer that nobody
 * else uses, otherwise copied, as a wire would; a short one is padded with zeros. Owns the frames
 * in flight. dev.link may be cleared by a test: frames are refused then, as by a card without
 * carrier.
 */
#include "drivers/loop.h"

#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/plat.h"

enum { FRAME_MIN = 60, FRAME_MAX = 1522, FRAME_HEADER = 14, MTU = 1500 };

struct loop {
    struct netdev dev;
    struct loop *peer;
    struct msgq sent; /* on their way to this card */
};

static struct loop *loop_of(struct netdev *d)
{
    return CONTAINER(d, struct loop, dev);
}

static status_t loop_start(struct netdev *d)
{
    d->link = true;
    return OK;
}

static void loop_stop(struct netdev *d)
{
    msgq_free(&loop_of(d)->sent);
}

static struct msg *plain(struct msg *m)
{
    size_t padding = m->total < FRAME_MIN ? FRAME_MIN - m->total : 0;
    bool ours = !m->more && m->store == m && m->refs == 1 && m->room + MSG_HEADROOM <= m->data &&
                m->class == MSG_FULL;
    if (ours && !padding)
        return m;
    struct msg *copy = msg_alloc_class(&m->payer->k->pool, MSG_FULL);
    if (copy) {
        uint32_t len = m->total;
        uint8_t *to = msg_put(copy, len + padding);
        if (!msg_peek(m, 0, to, len))
            copy->len = copy->total = 0;
        memset(to + len, 0, padding);
        copy->next = NULL;
    }
    msg_free(m);
    return copy;
}

static int loop_tx(struct netdev *d, struct msg **burst, int n)
{
    struct loop *to = loop_of(d)->peer;
    int sent = 0;
    for (; d->link && sent < n && to->sent.count < LOOP_QUEUE; sent++) {
        struct msg *m = burst[sent];
        if (m->total < FRAME_HEADER || m->total > FRAME_MAX) {
            msg_drop(d->k, m, DROP_NIC_BAD);
            continue;
        }
        m = plain(m);
        if (m) {
            m->flags = 0;
            m->seg_size = 0;
            m->net = NULL;
            msgq_push(&to->sent, m);
        } else {
            to->dev.stats.rx_nobuf++;
            d->k->drops[DROP_NO_BUFFER]++;
        }
    }
    d->stats.doorbells += sent > 0;
    return sent;
}

static int loop_rx(struct netdev *d, struct msg **burst, int n)
{
    struct loop *c = loop_of(d);
    int got = 0;
    while (got < n && c->sent.head)
        burst[got++] = msgq_pop(&c->sent);
    return got;
}

static void loop_irq(struct netdev *d, bool on)
{
    (void)d;
    (void)on;
}

static bool loop_pending(struct netdev *d)
{
    return loop_of(d)->sent.head;
}

static const struct netdev_ops loop_ops = {
    .model = "loop",
    .start = loop_start,
    .stop = loop_stop,
    .rx = loop_rx,
    .tx = loop_tx,
    .irq = loop_irq,
    .pending = loop_pending,
};

static void loop_init(struct loop *c, struct kernel *k, struct loop *peer)
{
    c->dev.ops = &loop_ops;
    c->dev.mtu = MTU;
    c->peer = peer;
    snprintf(c->dev.where, sizeof c->dev.where, "loop %d", k->ndevs);
    memcpy(c->dev.mac, (const uint8_t[6]){0x52, 0x54, 0, 0, (uint8_t)(k->ndevs + 1), 2}, 6);
}

status_t loop_add(struct kernel *k, int n)
{
    if (n != 1 && n != 2)
        return E_INVAL;
    if (k->ndevs + n > NETDEV_MAX)
        return E_NOMEM;
    struct loop *c = plat_pages((size_t)n * sizeof *c);
    if (!c)
        return E_NOMEM;
    status_t status = OK;
    for (int i = 0; i < n && status == OK; i++) {
        loop_init(&c[i], k, &c[n - 1 - i]);
        status = netdev_add(k, &c[i].dev);
    }
    return status;
}
