/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net, split rings, modern PCI interface (VIRTIO 1.1), and what it may say instead. */
#include <string.h>

#include "drivers/virtio_net.h"
#include "tests/drivers/machine.h"

/* Where the parts of the interface lie in the base address register, and in common: 4.1.4.3 */
enum { COMMON = 0, ISR = 0x1000, DEVICE = 0x2000, NOTIFY = 0x3000, STEP = 4 };
enum {
    OFFERED_SELECT = 0,
    OFFERED = 4,
    STATUS = 20,
    QUEUE = 22,
    QUEUE_SIZE = 24,
    QUEUE_BELL = 30,
    QUEUE_DESC = 32,
    QUEUE_USED = 48,
    CAPABILITIES = 0x40,
    HAS_MAC_STATUS = 1 << 5 | 1 << 16,
};

/* reg[] holds the bytes of the register space; behind it, per queue, its addresses. */
static uint8_t *bytes_of(struct card *c)
{
    return (uint8_t *)c->reg;
}

static struct virtio_queue *queue(struct card *c, int n)
{
    struct virtio_net *d = CONTAINER(c->dev, struct virtio_net, dev);
    return n == VIRTIO_RX ? &d->rx : &d->tx;
}

static void capability(struct card *c, uint32_t n, uint32_t kind, uint32_t at, uint32_t len)
{
    uint32_t *cap = &c->config[CAPABILITIES / 4 + 5 * n];
    uint32_t behind = n == 3 ? 0 : CAPABILITIES + 20 * (n + 1);
    cap[0] = 9 | behind << 8 | 20U << 16 | kind << 24;
    cap[1] = 0;
    cap[2] = at;
    cap[3] = len;
    cap[4] = STEP;
}

static void init(struct card *c)
{
    static const uint8_t mac[8] = {2, 0, 0, 0, 0, 1, 1, 0};
    c->config[1] = 1 << 20; /* it has capabilities */
    c->config[0x34 / 4] = CAPABILITIES;
    capability(c, 0, 1, COMMON, 64);
    capability(c, 1, 3, ISR, 4);
    capability(c, 2, 4, DEVICE, 16);
    capability(c, 3, 2, NOTIFY, 16);
    memcpy(bytes_of(c) + DEVICE, mac, sizeof mac);
}

static void use(struct virtio_queue *q, uint32_t id, uint32_t len)
{
    struct virtio_used *u = &q->mem->used;
    u->ring[u->idx % q->size].id = id;
    u->ring[u->idx % q->size].len = len;
    u->idx++;
}

static void transmit(struct card *c)
{
    struct virtio_queue *q = queue(c, VIRTIO_TX);
    for (; !c->stuck && (uint16_t)c->tx != q->mem->avail.idx; c->tx++) {
        uint16_t first = q->mem->avail.ring[c->tx % q->size], id = first;
        uint8_t frame[16384];
        size_t n = 0;
        for (;; id = q->mem->desc[id].next) {
            const struct virtio_desc *t = &q->mem->desc[id];
            assert_in_range(n + t->len, 1, sizeof frame);
            memcpy(frame + n, dma_at(t->addr), t->len);
            n += t->len;
            if (!(t->flags & VIRTIO_DESC_NEXT))
                break;
        }
        card_sends(c, frame + VIRTIO_HEADER, n - VIRTIO_HEADER);
        use(q, first, 0);
    }
}

static uint32_t read(struct card *c, uint32_t at, unsigned bytes)
{
    uint32_t v = 0;
    assert_in_range(at + bytes, 1, sizeof c->reg);
    if (at == OFFERED)
        return bytes_of(c)[OFFERED_SELECT] ? 1 : HAS_MAC_STATUS;
    if (at == QUEUE_SIZE)
        return VIRTIO_RING;
    if (at == QUEUE_BELL)
        return bytes_of(c)[QUEUE] + c->bell;
    memcpy(&v, bytes_of(c) + at, bytes);
    return v;
}

static void write(struct card *c, uint32_t at, uint32_t v, unsigned bytes)
{
    assert_in_range(at + bytes, 1, sizeof c->reg);
    if (at >= NOTIFY) {
        assert_in_range(at, NOTIFY, NOTIFY + STEP);
        if ((uint16_t)v == VIRTIO_TX)
            transmit(c);
        return;
    }
    memcpy(bytes_of(c) + at, &v, bytes);
    if (at == STATUS && !v) {
        c->rx = c->tx = 0;
        c->stuck = false;
        c->resets++;
    }
}

static bool receive(struct card *c, const uint8_t *frame, size_t n)
{
    struct virtio_queue *q = queue(c, VIRTIO_RX);
    if (!(bytes_of(c)[STATUS] & 4) || (uint16_t)c->rx == q->mem->avail.idx)
        return false;
    uint32_t id = q->mem->avail.ring[c->rx++ % q->size];
    uint8_t *to = dma_at(q->mem->desc[id].addr);
    memset(to, 0, VIRTIO_HEADER);
    memcpy(to + VIRTIO_HEADER, frame, n);
    use(q, id, (uint32_t)n + VIRTIO_HEADER);
    return true;
}

/* The index stays one that can be, or nothing else would be looked at. */
static void scribble(struct virtio_memory *mem)
{
    uint16_t done = (uint16_t)(mem->used.idx + rng_next(&machine.random) % 32);
    for (volatile uint8_t *to = (volatile uint8_t *)mem, *end = to + sizeof *mem; to < end; to++)
        *to = (uint8_t)rng_next(&machine.random);
    for (uint32_t i = 0; i < VIRTIO_RING; i++) { /* often close to what ids and lengths are */
        mem->used.ring[i].id %= rng_next(&machine.random) % 2 ? VIRTIO_RING : VIRTIO_RING + 8;
        mem->used.ring[i].len %= rng_next(&machine.random) % 2 ? FRAME_MAX : UINT32_MAX;
    }
    mem->used.idx = done;
}

static void lie(struct card *c, enum lie what)
{
    struct virtio_queue *rx = queue(c, VIRTIO_RX), *tx = queue(c, VIRTIO_TX);
    switch (what) {
    case LIE_EMPTY:
    case LIE_LONG:
        use(rx, rx->mem->avail.ring[c->rx++ % rx->size], what == LIE_LONG ? 16384 : VIRTIO_HEADER);
        break;
    case LIE_ENDLESS: /* each descriptor leads to itself; a frame that was sent comes back */
        for (uint16_t i = 0; i < VIRTIO_RING; i++) {
            tx->mem->desc[i].flags = rx->mem->desc[i].flags = VIRTIO_DESC_NEXT;
            tx->mem->desc[i].next = rx->mem->desc[i].next = i;
        }
        for (; (uint16_t)(c->tx + 1) != tx->mem->avail.idx; c->tx++)
            use(tx, tx->mem->avail.ring[c->tx % tx->size], 0);
        use(tx, VIRTIO_RING, 0); /* and one that never was */
        c->tx++;
        break;
    case LIE_JUMP:
        rx->mem->used.idx = (uint16_t)(rx->mem->used.idx + 1000);
        break;
    case LIE_RANDOM:
        scribble(rx->mem);
        scribble(tx->mem);
        c->stuck = true;
        break;
    default:
        break;
    }
}

const struct model model_virtio = {"virtio", 0x1af4, 0x1041, init, read, write, receive, lie};
