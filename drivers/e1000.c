/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000, the frames: rings filled with messages, received in bursts and sent in bursts, one
 * doorbell each. Called by the kernel through struct netdev_ops; owns every message on its rings.
 * start fails when there are no buffers.
 */
#include "drivers/e1000.h"

#define RX_DONE   (1ULL << 32)
#define RX_END    (1ULL << 33)
#define RX_ERRORS (0x97ULL << 40) /* RXE CXE SEQ SE CE (SDM 3.2.3.2) */
/* Looked at in the word - 1, where a length of 0 or above the buffer's 2048 shows in these bits. */
#define RX_LENGTH 0xf800ULL
#define RX_LOOK   (RX_DONE | RX_END | RX_ERRORS | RX_LENGTH)
#define RX_GOOD   (RX_DONE | RX_END)
#define RX_NONE   UINT64_MAX /* no descriptor looks like this */
#define TX_END    (1ULL << 24)
#define TX_FCS    (1ULL << 25)
#define TX_REPORT (1ULL << 27)
#define TX_DONE   (1ULL << 32)

enum {
    RX_BATCH = 32,       /* descriptors given back per write of RDT */
    MARK_MIXED = 0x8000, /* beside the index in a mark: not all of the burst were plain frames */
};

static uint32_t rx_after(uint32_t i)
{
    return (i + 1) & (E1000_RX - 1);
}

static uint32_t tx_after(uint32_t i)
{
    return (i + 1) & (E1000_TX - 1);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* RDT == RDH means an empty ring, so the descriptor at the tail is ours: the one before rx_next. */
static void rx_tell(struct e1000 *c)
{
    c->rx_told = (c->rx_next - 1) & (E1000_RX - 1);
    mmio_write32(c->regs, E1000_RDT, c->rx_told);
    c->dev.stats.doorbells++;
}

/* A finished descriptor that hands nothing up; its buffer stays. */
static void rx_keep(struct e1000 *c, uint32_t i, uint64_t word)
{
    if (((word - 1) & RX_LOOK) == c->rx_good)
        ring_nobuf(&c->dev);
    else if (!(word & RX_END))
        ring_torn(&c->dev, &c->chain);
    else if (word & RX_ERRORS)
        ring_bad(&c->dev);
    else
        ring_length(&c->dev, (uint16_t)word);
    if (word & RX_END)
        c->chain = 0;
    c->rx_good = word & RX_END ? RX_GOOD : RX_NONE;
    c->rx[i].word = 0;
}

/* The common case, and the whole of it: good frames from descriptor i on, at most `max`, which
 * neither the ring's end nor the stash limits. Returns how many there were. */
static uint32_t rx_run(struct e1000 *c, uint32_t i, struct msg **burst, uint32_t max)
{
    struct e1000_desc *r = &c->rx[i];
    struct msg **slot = &c->rxm[i], **fresh = &c->stash->at[c->stash->n], **b = burst;
    const uint64_t good = c->rx_good, dma = stash_dma_data(c->stash);
#pragma GCC unroll 4
    for (struct msg **end = burst + max; b != end; b++, r++, slot++) {
        uint64_t word = dma_load64(&r->word);
        if (UNLIKELY(((word - 1) & RX_LOOK) != good))
            break;
        struct msg *m = *slot, *f = *--fresh;
        m->len = (uint16_t)word;
        *b = m;
        *slot = f;
        r->addr = (uintptr_t)f + dma;
        r->word = 0;
        m->total = (uint16_t)word;
    }
    c->stash->n -= (uint32_t)(b - burst);
    return (uint32_t)(b - burst);
}

static int rx_burst(struct e1000 *c, struct msg **burst, uint32_t n)
{
    uint32_t i = c->rx_next, got = 0, have = stash_fill(c->stash, n);
    while (got < n) {
        uint32_t max = least(least(n, have) - least(got, have), E1000_RX - i);
        uint32_t run = rx_run(c, i, burst + got, max);
        got += run;
        i = (i + run) & (E1000_RX - 1);
        if (run && run == max)
            continue;
        uint64_t word = dma_load64(&c->rx[i].word);
        if (!(word & RX_DONE))
            break;
        if (run < max && ((word - 1) & RX_LOOK) == c->rx_good)
            continue; /* it has come since */
        rx_keep(c, i, word);
        i = rx_after(i);
    }
    c->rx_next = i;
    if (((i - c->rx_told - 1) & (E1000_RX - 1)) >= RX_BATCH)
        rx_tell(c);
    return (int)got;
}

static int e1000_rx(struct netdev *d, struct msg **burst, int n)
{
    struct e1000 *c = e1000_of(d);
    if (!(dma_load64(&c->rx[c->rx_next].word) & RX_DONE))
        return 0;
    return rx_burst(c, burst, (uint32_t)n);
}

/* Plain frames from descriptor i to `last` go to the stash. False, and nothing done: no room. */
static bool clean_plain(struct e1000 *c, uint32_t i, uint32_t last)
{
    if (((last - i) & (E1000_TX - 1)) >= STASH_MAX - c->stash->n)
        return false;
    if (i > last) {
        stash_put_plain(c->stash, &c->txm[i], E1000_TX - i);
        i = 0;
    }
    return stash_put_plain(c->stash, &c->txm[i], last - i + 1);
}

/* Burst by burst, as the card reports them done. */
static void tx_clean(struct e1000 *c)
{
    while (c->marks_head != c->marks_tail) {
        uint32_t mark = c->marks[c->marks_head], last = mark & (E1000_TX - 1), i = c->tx_clean;
        if (!(dma_load64(&c->tx[last].word) & TX_DONE))
            return;
        c->dev.taken++;
        c->marks_head = tx_after(c->marks_head);
        c->tx_clean = tx_after(last);
        if (LIKELY(!(mark & MARK_MIXED) && clean_plain(c, i, last)))
            continue;
        for (; i != c->tx_clean; i = tx_after(i))
            if (c->txm[i])
                stash_put(c->stash, c->txm[i]);
    }
}

static void e1000_reclaim(struct netdev *d)
{
    struct e1000 *c = e1000_of(d);
    if (c->marks_head != c->marks_tail)
        tx_clean(c);
}

/* A descriptor for one part; the message is kept beside the last one of its frame. */
static uint32_t tx_part(struct e1000 *c, uint32_t i, uint64_t addr, uint64_t len, struct msg *last)
{
    c->tx[i].addr = addr;
    c->tx[i].word = len | TX_FCS | (last ? TX_END : 0);
    c->txm[i] = last;
    return tx_after(i);
}

/* A frame of any kind: several parts, short, shared. False: it needs more descriptors than there
 * are. One that no card can send is dropped. */
static bool tx_frame(struct e1000 *c, struct msg *m)
{
    uint32_t padding = frame_padding(m), left = frame_parts(m) + (padding != 0), i = c->tx_next;
    if (!frame_fits(m)) {
        msg_drop(c->dev.k, m, DROP_NIC_BAD);
        return true;
    }
    if (left > ((c->tx_clean - i - 1) & (E1000_TX - 1)))
        return false;
    for (struct msg *part = m; part; part = part->more)
        if (part->len)
            i = tx_part(c, i, stash_dma(c->stash, part->data), part->len, --left ? NULL : m);
    c->tx_next = padding ? tx_part(c, i, c->zeros, padding, m) : i;
    return true;
}

/* Plain frames from tx_next on, which neither the ring's end nor its room limits. mixed: they are
 * plain only as far as that is seen here. */
static inline uint32_t tx_run(struct e1000 *c, struct msg **burst, uint32_t max, bool mixed)
{
    struct e1000_desc *t = &c->tx[c->tx_next];
    struct msg **slot = &c->txm[c->tx_next], **b = burst;
    const uint64_t dma = c->stash->dma;
#pragma GCC unroll 4
    for (struct msg **end = burst + max; b != end; b++, t++, slot++) {
        struct msg *m = *b;
        if (mixed && UNLIKELY(!frame_plain(m) || !stash_likes(m)))
            break;
        t->addr = (uintptr_t)m->data + dma;
        t->word = m->total | TX_FCS | TX_END;
        *slot = m;
    }
    c->tx_next = (c->tx_next + (uint32_t)(b - burst)) & (E1000_TX - 1);
    return (uint32_t)(b - burst);
}

/* The last descriptor of a burst reports: without that the card writes nothing back. */
static void tx_tell(struct e1000 *c, uint16_t mixed)
{
    uint32_t last = (c->tx_next - 1) & (E1000_TX - 1);
    c->tx[last].word |= TX_REPORT;
    c->marks[c->marks_tail] = (uint16_t)(last | mixed);
    c->marks_tail = tx_after(c->marks_tail);
    mmio_write32(c->regs, E1000_TDT, c->tx_next);
    c->dev.stats.doorbells++;
}

static int e1000_tx(struct netdev *d, struct msg **burst, int n)
{
    struct e1000 *c = e1000_of(d);
    uint32_t first = c->tx_next, sent = 0;
    uint16_t mixed = 0;
    if (UNLIKELY(!d->link))
        return 0;
    tx_clean(c);
    while (sent < (uint32_t)n) {
        uint32_t room = (c->tx_clean - c->tx_next - 1) & (E1000_TX - 1);
        uint32_t max = least(least((uint32_t)n - sent, room), E1000_TX - c->tx_next);
        uint32_t run =
            d->mixed ? tx_run(c, burst + sent, max, true) : tx_run(c, burst + sent, max, false);
        sent += run;
        if (run && run == max)
            continue;
        mixed = MARK_MIXED;
        if (!tx_frame(c, burst[sent]))
            break;
        sent++;
    }
    if (LIKELY(c->tx_next != first))
        tx_tell(c, mixed);
    return (int)sent;
}

static bool e1000_busy(const struct netdev *d)
{
    const struct e1000 *c = CONTAINER(d, const struct e1000, dev);
    return c->marks_head != c->marks_tail;
}

static bool e1000_pending(struct netdev *d)
{
    struct e1000 *c = e1000_of(d);
    return dma_load64(&c->rx[c->rx_next].word) & RX_DONE;
}

static void e1000_stop(struct netdev *d)
{
    struct e1000 *c = e1000_of(d);
    e1000_quiet(c);
    for (uint32_t i = 0; i < E1000_RX; i++) {
        msg_free(c->rxm[i]);
        c->rxm[i] = NULL;
    }
    for (; c->tx_clean != c->tx_next; c->tx_clean = tx_after(c->tx_clean))
        msg_free(c->txm[c->tx_clean]);
    c->marks_head = c->marks_tail;
    stash_drain(c->stash);
}

static status_t e1000_start(struct netdev *d)
{
    struct e1000 *c = e1000_of(d);
    for (uint32_t i = 0; i < E1000_RX; i++) {
        c->rxm[i] = stash_take(c->stash);
        if (!c->rxm[i]) {
            e1000_stop(d);
            return E_NOMEM;
        }
        c->rx[i].addr = stash_dma_ring(c->stash, c->rxm[i]->data, BUFFER_ROOM);
        c->rx[i].word = 0;
    }
    c->rx_next = c->tx_next = c->tx_clean = 0;
    c->rx_good = RX_GOOD;
    c->chain = 0;
    e1000_configure(c);
    rx_tell(c);
    return OK;
}

const struct netdev_ops e1000_ops = {
    .model = "e1000",
    .start = e1000_start,
    .stop = e1000_stop,
    .rx = e1000_rx,
    .tx = e1000_tx,
    .reclaim = e1000_reclaim,
    .irq = e1000_irq,
    .pending = e1000_pending,
    .busy = e1000_busy,
};

const struct netdev_ops e1000e_ops = {
    .model = "e1000e",
    .start = e1000_start,
    .stop = e1000_stop,
    .rx = e1000_rx,
    .tx = e1000_tx,
    .reclaim = e1000_reclaim,
    .irq = e1000_irq,
    .pending = e1000_pending,
    .busy = e1000_busy,
};
