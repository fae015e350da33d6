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
#define TX_END    (1ULL << 24)
#define TX_FCS    (1ULL << 25)
#define TX_REPORT (1ULL << 27)
#define TX_DONE   (1ULL << 32)

enum { RX_BATCH = 32 }; /* descriptors given back per write of RDT */

static uint32_t rx_after(uint32_t i)
{
    return (i + 1) & (E1000_RX - 1);
}

static uint32_t tx_after(uint32_t i)
{
    return (i + 1) & (E1000_TX - 1);
}

/* RDT == RDH means an empty ring, so the descriptor at the tail is ours: the one before rx_next. */
static void rx_tell(struct e1000 *c)
{
    c->rx_told = (c->rx_next - 1) & (E1000_RX - 1);
    mmio_write32(c->regs, E1000_RDT, c->rx_told);
    c->dev.stats.doorbells++;
}

/* A finished descriptor that hands nothing up; its buffer stays. */
static void rx_keep(struct e1000 *c, uint64_t word, struct msg *fresh)
{
    bool bad = (word & (RX_END | RX_ERRORS)) != RX_END || c->torn || (uint16_t)word < FRAME_HEADER;
    c->torn = !(word & RX_END);
    if (bad)
        ring_bad(&c->dev);
    else
        ring_nobuf(&c->dev);
    if (fresh)
        stash_put(c->stash, fresh);
}

static int e1000_rx(struct netdev *d, struct msg **burst, int n)
{
    struct e1000 *c = e1000_of(d);
    struct stash *s = c->stash;
    uint32_t i = c->rx_next;
    int got = 0;
    while (got < n) {
        struct e1000_desc *r = &c->rx[i];
        uint64_t word = dma_load64(&r->word);
        if (!(word & RX_DONE))
            break;
        struct msg *m = c->rxm[i], *fresh = stash_take(s);
        if (UNLIKELY(!fresh || (word & (RX_END | RX_ERRORS)) != RX_END || c->torn ||
                     (uint16_t)word < FRAME_HEADER)) {
            rx_keep(c, word, fresh);
        } else {
            m->len = (uint16_t)word;
            m->total = (uint16_t)word;
            burst[got++] = m;
            c->rxm[i] = fresh;
            r->addr = stash_dma(s, fresh->data);
        }
        r->word = 0;
        i = rx_after(i);
    }
    c->rx_next = i;
    if (((i - c->rx_told - 1) & (E1000_RX - 1)) >= RX_BATCH)
        rx_tell(c);
    return got;
}

static void e1000_reclaim(struct netdev *d)
{
    struct e1000 *c = e1000_of(d);
    struct stash *s = c->stash;
    while (c->marks_head != c->marks_tail) {
        uint32_t last = c->marks[c->marks_head];
        if (!(dma_load64(&c->tx[last].word) & TX_DONE))
            return;
        c->marks_head = tx_after(c->marks_head);
        last = tx_after(last);
        uint32_t i = c->tx_clean;
        do {
            if (LIKELY(c->txm[i] != NULL))
                stash_put(s, c->txm[i]);
            i = tx_after(i);
        } while (i != last);
        c->tx_clean = last;
    }
}

/* A descriptor for one part; the message is kept beside the last one of its frame. */
static uint32_t tx_part(struct e1000 *c, uint32_t i, uint64_t addr, uint64_t len, struct msg *last)
{
    c->tx[i].addr = addr;
    c->tx[i].word = len | TX_FCS | (last ? TX_END : 0);
    c->txm[i] = last;
    return tx_after(i);
}

/* A frame in several parts, or short. E1000_TX: it needs more descriptors than `room`. */
static uint32_t tx_parts(struct e1000 *c, uint32_t i, struct msg *m, uint32_t *room)
{
    uint32_t padding = frame_padding(m), left = frame_parts(m) + (padding != 0);
    if (left > *room)
        return E1000_TX;
    *room -= left;
    for (struct msg *part = m; part; part = part->more)
        if (part->len)
            i = tx_part(c, i, stash_dma(c->stash, part->data), part->len, --left ? NULL : m);
    return padding ? tx_part(c, i, c->zeros, padding, m) : i;
}

static int e1000_tx(struct netdev *d, struct msg **burst, int n)
{
    struct e1000 *c = e1000_of(d);
    if (UNLIKELY(!d->link))
        return 0;
    e1000_reclaim(d);
    uint32_t first = c->tx_next, i = first, room = (c->tx_clean - i - 1) & (E1000_TX - 1);
    int sent = 0;
    for (; sent < n; sent++) {
        struct msg *m = burst[sent];
        if (LIKELY(frame_plain(m) && room)) {
            c->tx[i].addr = stash_dma(c->stash, m->data);
            c->tx[i].word = m->total | TX_FCS | TX_END;
            c->txm[i] = m;
            i = tx_after(i);
            room--;
            continue;
        }
        if (!frame_fits(m)) {
            msg_drop(d->k, m, DROP_NIC_BAD);
            continue;
        }
        uint32_t after = tx_parts(c, i, m, &room);
        if (after == E1000_TX)
            break;
        i = after;
    }
    if (LIKELY(i != first)) {
        uint32_t last = (i - 1) & (E1000_TX - 1);
        c->tx[last].word |= TX_REPORT;
        c->marks[c->marks_tail] = (uint16_t)last;
        c->marks_tail = tx_after(c->marks_tail);
        c->tx_next = i;
        mmio_write32(c->regs, E1000_TDT, i);
        d->stats.doorbells++;
    }
    return sent;
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
        c->rx[i].addr = stash_dma(c->stash, c->rxm[i]->data);
        c->rx[i].word = 0;
    }
    c->rx_next = c->tx_next = c->tx_clean = 0;
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
};
