/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net, the frames. Called by the kernel through struct netdev_ops; owns every message on its
 * rings. start fails when there are no buffers or the card refuses what we can do.
 *
 * The header that goes before each frame lies in the headroom of its message, so that a frame is
 * one descriptor. What the card says (ids, lengths, indices) is checked before it is used. The
 * receive ring is never short of buffers for long: without a new one the old one goes back.
 */
#include "drivers/virtio_net.h"

#include <string.h>

#include "kernel/plat.h"

enum {
    RX_BATCH = 32,  /* entries given back per notification */
    LEAVE_MS = 100, /* for the last frames to leave */
};

/* Tell the card that there is more in `avail`, unless it has said that it looks by itself. */
static void notify(struct virtio_net *c, struct virtio_queue *q, uint16_t number)
{
    q->told = q->avail;
    dma_exchange();
    if (q->mem->used.flags & VIRTIO_NO_NOTIFY)
        return;
    mmio_write16(c->bells, q->bell, number);
    c->dev.stats.doorbells++;
}

static void queue_give(struct virtio_queue *q, uint16_t id)
{
    q->mem->avail.ring[q->avail++ & (q->size - 1)] = id;
}

static void queue_publish(struct virtio_queue *q)
{
    dma_publish();
    q->mem->avail.idx = q->avail;
}

static void tx_done(struct virtio_net *c, uint32_t id)
{
    struct virtio_queue *q = &c->tx;
    struct msg *m = id < q->size ? q->m[id] : NULL;
    if (UNLIKELY(!m)) {
        ring_lie(&c->dev);
        return;
    }
    q->m[id] = NULL;
    stash_put(c->stash, m);
    for (; id != VIRTIO_RING; id = c->next[id])
        c->free[c->nfree++] = (uint16_t)id;
}

/* Entries that the card says to have used. More than it was given: none. */
static uint32_t queue_used(struct virtio_net *c, const struct virtio_queue *q)
{
    uint16_t n = (uint16_t)(dma_load16(&q->mem->used.idx) - q->used);
    if (LIKELY(n <= (uint16_t)(q->avail - q->used)))
        return n;
    ring_lie(&c->dev);
    return 0;
}

static void tx_clean(struct virtio_net *c)
{
    struct virtio_queue *q = &c->tx;
    uint32_t n = queue_used(c, q);
    c->dev.taken += n;
    for (; n; n--, q->used++)
        tx_done(c, q->mem->used.ring[q->used & (q->size - 1)].id);
}

static bool virtio_net_busy(const struct netdev *d)
{
    const struct virtio_net *c = CONTAINER(d, const struct virtio_net, dev);
    return c->tx.used != c->tx.avail;
}

static inline void tx_desc(struct virtio_net *c, uint16_t id, uint64_t addr, uint32_t len)
{
    c->tx.mem->desc[id] = (struct virtio_desc){.addr = addr, .len = len};
    c->next[id] = VIRTIO_RING;
}

/* The next descriptor of a frame behind `id`. */
static uint16_t tx_more(struct virtio_net *c, uint16_t id, uint64_t addr, uint32_t len)
{
    uint16_t next = c->free[--c->nfree];
    c->tx.mem->desc[id].flags = VIRTIO_DESC_NEXT;
    c->tx.mem->desc[id].next = c->next[id] = next;
    tx_desc(c, next, addr, len);
    return next;
}

/* May we write the header in front of the data? */
static bool header_room(const struct msg *m)
{
    return m->store == m && m->refs == 1 && m->data - m->room >= VIRTIO_HEADER;
}

/* A frame in several parts, or short, or whose headroom is not ours; it fits. */
static void tx_parts(struct virtio_net *c, uint16_t first, const struct msg *m)
{
    uint32_t padding = frame_padding(m);
    uint16_t id = first;
    tx_desc(c, first, c->zeros, VIRTIO_HEADER);
    for (const struct msg *part = m; part; part = part->more)
        if (part->len)
            id = tx_more(c, id, stash_dma(c->stash, part->data), part->len);
    if (padding)
        tx_more(c, id, c->zeros, padding);
}

/* False: the ring has no room for it. */
static bool tx_frame(struct virtio_net *c, struct msg *m)
{
    bool whole = LIKELY(frame_plain(m) && header_room(m));
    if (c->nfree < (whole ? 1 : 2 + frame_parts(m)))
        return false;
    uint16_t id = c->free[--c->nfree];
    if (whole) {
        uint8_t *header = m->data - VIRTIO_HEADER;
        memset(header, 0, VIRTIO_HEADER);
        tx_desc(c, id, stash_dma(c->stash, header), m->total + VIRTIO_HEADER);
    } else {
        tx_parts(c, id, m);
    }
    c->tx.m[id] = m;
    queue_give(&c->tx, id);
    return true;
}

static void tx_publish(struct virtio_net *c)
{
    if (c->tx.avail == c->tx.told)
        return;
    queue_publish(&c->tx);
    notify(c, &c->tx, VIRTIO_TX);
}

/* What waits goes first. */
static void backlog_send(struct virtio_net *c)
{
    while (c->backlog.head && tx_frame(c, c->backlog.head))
        msgq_pop(&c->backlog);
}

static void virtio_net_reclaim(struct netdev *d)
{
    struct virtio_net *c = virtio_net_of(d);
    tx_clean(c);
    if (UNLIKELY(c->backlog.head != NULL)) {
        backlog_send(c);
        tx_publish(c);
    }
}

/* A frame that finds the ring full waits: the card sends when its host gets round to it, and may
 * deliver hundreds of frames to the other card before it does. */
static int virtio_net_tx(struct netdev *d, struct msg **burst, int n)
{
    struct virtio_net *c = virtio_net_of(d);
    int sent = 0;
    if (UNLIKELY(!d->link))
        return 0;
    tx_clean(c);
    backlog_send(c);
    for (; sent < n; sent++) {
        if (UNLIKELY(!frame_fits(burst[sent]))) {
            msg_drop(d->k, burst[sent], DROP_NIC_BAD);
        } else if (UNLIKELY(c->backlog.head != NULL) || !tx_frame(c, burst[sent])) {
            if (c->backlog.count == VIRTIO_BACKLOG)
                break;
            msgq_push(&c->backlog, burst[sent]);
        }
    }
    tx_publish(c);
    return sent;
}

static inline void rx_fill(struct virtio_net *c, uint32_t id, struct msg *m)
{
    c->rx.m[id] = m;
    c->rx.mem->desc[id].addr = (uintptr_t)m + stash_dma_data(c->stash) - VIRTIO_HEADER;
}

/* A frame that hands nothing up; its buffer stays. */
static void rx_keep(struct virtio_net *c, bool good, uint32_t len)
{
    if (good)
        ring_nobuf(&c->dev);
    else
        ring_length(&c->dev, len);
}

static int rx_burst(struct virtio_net *c, struct msg **burst, int n, uint16_t done)
{
    struct virtio_queue *q = &c->rx;
    struct virtio_memory *mem = q->mem;
    struct stash *s = c->stash;
    uint16_t used = q->used, avail = q->avail;
    uint32_t mask = q->size - 1;
    int got = 0;
    stash_fill(s, (uint32_t)n);
    for (; got < n && used != done; used++) {
        uint32_t id = mem->used.ring[used & mask].id;
        uint32_t len = mem->used.ring[used & mask].len - VIRTIO_HEADER;
        bool good = len - FRAME_HEADER <= FRAME_MAX - FRAME_HEADER;
        if (UNLIKELY(id > mask)) {
            ring_lie(&c->dev);
            continue;
        }
        if (LIKELY(good && s->n)) {
            struct msg *m = q->m[id];
            m->len = len;
            m->total = len;
            burst[got++] = m;
            rx_fill(c, id, s->at[--s->n]);
        } else {
            rx_keep(c, good, len);
        }
        mem->avail.ring[avail++ & mask] = (uint16_t)id;
    }
    q->used = used;
    q->avail = avail;
    queue_publish(q);
    if ((uint16_t)(avail - q->told) >= RX_BATCH)
        notify(c, q, VIRTIO_RX);
    return got;
}

static int virtio_net_rx(struct netdev *d, struct msg **burst, int n)
{
    struct virtio_net *c = virtio_net_of(d);
    uint32_t done = queue_used(c, &c->rx);
    if (UNLIKELY(c->backlog.head != NULL))
        virtio_net_reclaim(d);
    return done ? rx_burst(c, burst, n, (uint16_t)(c->rx.used + done)) : 0;
}

/* A backlog goes on when frames have left. */
static bool virtio_net_pending(struct netdev *d)
{
    const struct virtio_net *c = virtio_net_of(d);
    return dma_load16(&c->rx.mem->used.idx) != c->rx.used ||
           (c->backlog.head && dma_load16(&c->tx.mem->used.idx) != c->tx.used);
}

static void queue_empty(struct virtio_queue *q)
{
    for (uint32_t i = 0; i < VIRTIO_RING; i++) {
        msg_free(q->m[i]);
        q->m[i] = NULL;
    }
}

/* The host sends when it gets round to it, and a card that is reset forgets: what was given to it
 * last, the resets of `quit` above all, has to leave before. */
static void tx_leave(struct virtio_net *c)
{
    struct kernel *k = c->dev.k;
    uint64_t now = plat_now(k), until = now + LEAVE_MS * (uint64_t)MS;
    for (; now < until; now = plat_now(k)) {
        virtio_net_reclaim(&c->dev);
        if (!c->backlog.head && c->tx.used == c->tx.avail)
            return;
        plat_wait(k, now + MS);
    }
}

static void virtio_net_stop(struct netdev *d)
{
    struct virtio_net *c = virtio_net_of(d);
    if (d->started)
        tx_leave(c);
    virtio_net_quiet(c);
    queue_empty(&c->rx);
    queue_empty(&c->tx);
    msgq_free(&c->backlog);
    stash_drain(c->stash);
}

static status_t virtio_net_start(struct netdev *d)
{
    struct virtio_net *c = virtio_net_of(d);
    status_t status = virtio_net_configure(c);
    for (uint16_t i = 0; i < c->rx.size && status == OK; i++) {
        struct msg *m = stash_take(c->stash);
        if (!m) {
            status = E_NOMEM;
            break;
        }
        (void)stash_dma_ring(c->stash, m->data - VIRTIO_HEADER, BUFFER_ROOM + VIRTIO_HEADER);
        rx_fill(c, i, m);
        c->rx.mem->desc[i].len = BUFFER_ROOM + VIRTIO_HEADER;
        c->rx.mem->desc[i].flags = VIRTIO_DESC_WRITE;
        queue_give(&c->rx, i);
    }
    c->nfree = 0;
    while (c->nfree < c->tx.size) {
        c->free[c->nfree] = c->nfree;
        c->nfree++;
    }
    if (status != OK) {
        virtio_net_stop(d);
        return status;
    }
    queue_publish(&c->rx);
    virtio_net_go(c);
    notify(c, &c->rx, VIRTIO_RX);
    return OK;
}

const struct netdev_ops virtio_net_ops = {
    .model = "virtio",
    .start = virtio_net_start,
    .stop = virtio_net_stop,
    .rx = virtio_net_rx,
    .tx = virtio_net_tx,
    .reclaim = virtio_net_reclaim,
    .irq = virtio_net_irq,
    .pending = virtio_net_pending,
    .busy = virtio_net_busy,
};
