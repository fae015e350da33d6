/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DEC 21143, the frames. Called by the kernel through struct netdev_ops; owns every message on its
 * rings. start fails when there are no buffers or the card does not answer.
 *
 * QEMU's card writes a finished receive descriptor back as four words, OWN first: who swaps the
 * buffer at once finds the old address in the ring later. So a descriptor gets its next buffer only
 * behind a register access, which waits until the card has finished what it was doing; one access
 * serves a batch.
 */
#include "drivers/tulip.h"

enum {
    RX_ERRORS = 1 << 15, /* the summary */
    RX_FIRST = 1 << 9,
    RX_LAST = 1 << 8,
    RX_BATCH = 32,
    RX_FCS = 4,
    RX_LOOK = RX_FIRST | RX_LAST | RX_ERRORS,
    RX_GOOD = RX_FIRST | RX_LAST,
    STATUS_STARVED = 1 << 7, /* RU: no descriptor was the card's */
    TX_DEMAND_MAX = 128,     /* descriptors that QEMU's card sends at one demand */
};

#define TX_LAST  0x40000000U
#define TX_FIRST 0x20000000U

static uint32_t rx_after(uint32_t i)
{
    return (i + 1) & (TULIP_RX - 1);
}

static uint32_t tx_after(uint32_t i)
{
    return (i + 1) & (TULIP_TX - 1);
}

void tulip_arm(struct tulip *c)
{
    bool starved = csr_read(c, CSR_STATUS) & STATUS_STARVED;
    uint32_t i = c->rx_armed;
    for (; i != c->rx_next; i = rx_after(i)) {
        c->rx[i].addr1 = (uint32_t)((uintptr_t)c->rxm[i] + stash_dma_data(c->stash));
        dma_publish();
        c->rx[i].status = TULIP_OWN;
    }
    c->rx_armed = i;
    if (starved) {
        csr_write(c, CSR_STATUS, STATUS_STARVED);
        csr_write(c, CSR_RX_DEMAND, 1);
        c->dev.stats.doorbells++;
    }
}

/* A finished descriptor that hands nothing up; its buffer stays. */
static void rx_keep(struct tulip *c, bool good, uint32_t status, uint32_t len)
{
    if (good)
        ring_nobuf(&c->dev);
    else if (!(status & RX_LAST))
        ring_torn(&c->dev, &c->chain);
    else if (status & RX_ERRORS)
        ring_bad(&c->dev);
    else
        ring_length(&c->dev, len);
    c->torn = !(status & RX_LAST);
    if (!c->torn)
        c->chain = 0;
}

/* Frames go up whole, in one buffer, and without their check sequence. */
static int rx_burst(struct tulip *c, struct msg **burst, int n)
{
    struct stash *s = c->stash;
    /* The descriptor behind the last one that waits is never looked at: it may be armed already. */
    uint32_t i = c->rx_next, end = (c->rx_armed - 1) & (TULIP_RX - 1);
    int got = 0;
    stash_fill(s, (uint32_t)n);
    for (; got < n && i != end; i = rx_after(i)) {
        uint32_t status = dma_load32(&c->rx[i].status);
        if (status & TULIP_OWN)
            break;
        uint32_t len = (status >> 16 & 0x3fff) - RX_FCS;
        bool good = (status & RX_LOOK) == RX_GOOD && len - FRAME_HEADER <= FRAME_MAX - FRAME_HEADER;
        if (UNLIKELY(!good || c->torn || !s->n)) {
            rx_keep(c, good && !c->torn, status, len);
            continue;
        }
        struct msg *m = c->rxm[i];
        m->len = len;
        m->total = len;
        burst[got++] = m;
        c->rxm[i] = s->at[--s->n];
    }
    c->rx_next = i;
    if (((i - c->rx_armed) & (TULIP_RX - 1)) >= RX_BATCH)
        tulip_arm(c);
    return got;
}

static int tulip_rx(struct netdev *d, struct msg **burst, int n)
{
    struct tulip *c = tulip_of(d);
    if (dma_load32(&c->rx[c->rx_next].status) & TULIP_OWN)
        return 0;
    return rx_burst(c, burst, n);
}

static void tulip_reclaim(struct netdev *d)
{
    struct tulip *c = tulip_of(d);
    uint32_t i = c->tx_clean;
    for (; i != c->tx_next && !(dma_load32(&c->tx[i].status) & TULIP_OWN); i = tx_after(i))
        if (LIKELY(c->txm[i] != NULL))
            stash_put(c->stash, c->txm[i]);
    c->dev.taken += i != c->tx_clean;
    c->tx_clean = i;
}

static bool tulip_busy(const struct netdev *d)
{
    const struct tulip *c = CONTAINER(d, const struct tulip, dev);
    return c->tx_clean != c->tx_next;
}

/* One descriptor but for its owner; `last`: the frame ends here, with `padding` zeros behind. */
static inline void tx_part(struct tulip *c, uint32_t i, const struct msg *part, uint32_t control,
                           uint32_t padding, struct msg *last)
{
    struct tulip_desc *t = &c->tx[i];
    t->addr1 = (uint32_t)stash_dma(c->stash, part->data);
    t->addr2 = c->zeros;
    t->control = control | part->len | padding << 11 | (last ? TX_LAST : 0) |
                 (i == TULIP_TX - 1 ? TULIP_RING_END : 0);
    c->txm[i] = last;
}

/* The first descriptor becomes the card's when the whole frame is there. Returns how many it took;
 * 0: more than `room`. */
static uint32_t tx_frame(struct tulip *c, uint32_t first, struct msg *m, uint32_t room)
{
    uint32_t parts = frame_parts(m), left = parts, i = first;
    if (parts > room)
        return 0;
    for (struct msg *part = m; part; part = part->more) {
        if (!part->len)
            continue;
        bool last = !--left;
        tx_part(c, i, part, i == first ? TX_FIRST : 0, last ? frame_padding(m) : 0,
                last ? m : NULL);
        if (i != first)
            c->tx[i].status = TULIP_OWN;
        i = tx_after(i);
    }
    dma_publish();
    c->tx[first].status = TULIP_OWN;
    return parts;
}

static void tx_tell(struct tulip *c, uint32_t used)
{
    for (; used; used -= used < TX_DEMAND_MAX ? used : TX_DEMAND_MAX) {
        csr_write(c, CSR_TX_DEMAND, 1);
        c->dev.stats.doorbells++;
    }
}

static int tulip_tx(struct netdev *d, struct msg **burst, int n)
{
    struct tulip *c = tulip_of(d);
    if (UNLIKELY(!d->link))
        return 0;
    tulip_reclaim(d);
    uint32_t first = c->tx_next, i = first, room = (c->tx_clean - i - 1) & (TULIP_TX - 1);
    int sent = 0;
    for (; sent < n; sent++) {
        struct msg *m = burst[sent];
        uint32_t took = 0;
        if (LIKELY(frame_plain(m) && room)) {
            tx_part(c, i, m, TX_FIRST, 0, m);
            dma_publish();
            c->tx[i].status = TULIP_OWN;
            took = 1;
        } else if (!frame_fits(m)) {
            msg_drop(d->k, m, DROP_NIC_BAD);
            continue;
        } else if (!(took = tx_frame(c, i, m, room))) {
            break;
        }
        i = (i + took) & (TULIP_TX - 1);
        room -= took;
    }
    c->tx_next = i;
    tx_tell(c, (i - first) & (TULIP_TX - 1));
    return sent;
}

static bool tulip_pending(struct netdev *d)
{
    struct tulip *c = tulip_of(d);
    return !(dma_load32(&c->rx[c->rx_next].status) & TULIP_OWN);
}

static void tulip_stop(struct netdev *d)
{
    struct tulip *c = tulip_of(d);
    tulip_quiet(c);
    for (uint32_t i = 0; i < TULIP_RX; i++) {
        msg_free(c->rxm[i]);
        c->rxm[i] = NULL;
    }
    for (; c->tx_clean != c->tx_next; c->tx_clean = tx_after(c->tx_clean))
        msg_free(c->txm[c->tx_clean]);
    stash_drain(c->stash);
}

static status_t tulip_start(struct netdev *d)
{
    struct tulip *c = tulip_of(d);
    uint32_t check = (uint32_t)stash_dma(c->stash, c->extra->check);
    status_t status = OK;
    c->rx_next = c->rx_armed = c->tx_next = c->tx_clean = c->chain = 0;
    c->torn = false;
    for (uint32_t i = 0; i < TULIP_RX && status == OK; i++) {
        struct tulip_desc *r = &c->rx[i];
        c->rxm[i] = stash_take(c->stash);
        if (!c->rxm[i]) {
            status = E_NOMEM;
            break;
        }
        r->addr1 = (uint32_t)stash_dma_ring(c->stash, c->rxm[i]->data, BUFFER_ROOM);
        r->addr2 = check;
        r->control = TULIP_BUFFER | (uint32_t)sizeof c->extra->check << 11 |
                     (i == TULIP_RX - 1 ? TULIP_RING_END : 0);
        r->status = TULIP_OWN;
    }
    if (status == OK)
        status = tulip_configure(c);
    if (status != OK)
        tulip_stop(d);
    return status;
}

const struct netdev_ops tulip_ops = {
    .model = "tulip",
    .start = tulip_start,
    .stop = tulip_stop,
    .rx = tulip_rx,
    .tx = tulip_tx,
    .reclaim = tulip_reclaim,
    .irq = tulip_irq,
    .pending = tulip_pending,
    .busy = tulip_busy,
};
