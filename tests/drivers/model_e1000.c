/* SPDX-License-Identifier: BSD-2-Clause */
/* 8254x with legacy descriptors (SDM 3.2, 3.3), and what it may say instead. */
#include <string.h>

#include "drivers/e1000.h"
#include "tests/drivers/machine.h"

enum { CTRL_RST = 1 << 26, RCTL_EN = 2, TX_MAX = 16384 };

#define DONE   (1ULL << 32)
#define EOP    (1ULL << 33)
#define TX_EOP (1ULL << 24)
#define TX_RS  (1ULL << 27)

static void init(struct card *c)
{
    c->reg[E1000_STATUS / 4] = 2; /* link */
    c->reg[E1000_RAL / 4] = 0x00000002;
    c->reg[E1000_RAH / 4] = 0x80000100;
}

static struct e1000_desc *ring(struct card *c, enum e1000_reg base)
{
    return dma_at(c->reg[base / 4] | (uint64_t)c->reg[base / 4 + 1] << 32);
}

static uint32_t ring_size(const struct card *c, enum e1000_reg base)
{
    return c->reg[base / 4 + 2] / (uint32_t)sizeof(struct e1000_desc);
}

static void transmit(struct card *c)
{
    uint8_t frame[TX_MAX];
    size_t n = 0;
    for (uint32_t *head = &c->reg[E1000_TDH / 4]; *head != c->reg[E1000_TDT / 4] && !c->stuck;
         *head = (*head + 1) % ring_size(c, E1000_TDBAL)) {
        struct e1000_desc *t = &ring(c, E1000_TDBAL)[*head];
        uint64_t word = t->word;
        size_t part = (uint16_t)word;
        assert_in_range(n + part, 1, TX_MAX);
        memcpy(frame + n, dma_at(t->addr), part);
        n += part;
        if (word & TX_RS)
            t->word = word | DONE;
        if (word & TX_EOP) {
            card_sends(c, frame, n);
            n = 0;
        }
    }
}

static uint32_t read(struct card *c, uint32_t at, unsigned bytes)
{
    assert_int_equal(bytes, 4);
    return c->reg[at / 4];
}

static void write(struct card *c, uint32_t at, uint32_t v, unsigned bytes)
{
    assert_int_equal(bytes, 4);
    assert_in_range(at, 0, sizeof c->reg - 4);
    c->reg[at / 4] = v;
    if (at == E1000_CTRL && v & CTRL_RST) {
        memset(c->reg, 0, sizeof c->reg);
        init(c);
        c->stuck = false;
        c->resets++;
    }
    if (at == E1000_TDT && c->reg[E1000_TCTL / 4] & 2)
        transmit(c);
}

/* The next free descriptor, or NULL. */
static struct e1000_desc *next(struct card *c)
{
    uint32_t *head = &c->reg[E1000_RDH / 4];
    if (!(c->reg[E1000_RCTL / 4] & RCTL_EN) || *head == c->reg[E1000_RDT / 4])
        return NULL;
    struct e1000_desc *r = &ring(c, E1000_RDBAL)[*head];
    *head = (*head + 1) % ring_size(c, E1000_RDBAL);
    return r;
}

static bool receive(struct card *c, const uint8_t *frame, size_t n)
{
    struct e1000_desc *r = next(c);
    if (!r)
        return false;
    memcpy(dma_at(r->addr), frame, n);
    r->word = n | DONE | EOP;
    return true;
}

static void lie(struct card *c, enum lie what)
{
    struct e1000_desc *r, *rx = ring(c, E1000_RDBAL), *tx = ring(c, E1000_TDBAL);
    switch (what) {
    case LIE_EMPTY:
    case LIE_LONG:
        r = next(c);
        assert_non_null(r);
        r->word = (what == LIE_LONG ? 16384 : 0) | DONE | EOP;
        break;
    case LIE_ENDLESS:
        while ((r = next(c)))
            r->word = 2048 | DONE;
        break;
    case LIE_JUMP: /* there is no index, but each descriptor can be said to be done */
        for (uint32_t i = 0; i < E1000_RX; i++)
            rx[i].word |= DONE | EOP;
        break;
    case LIE_RANDOM:
        for (uint32_t i = 0; i < E1000_RX; i++) {
            rx[i].addr = rng_next(&machine.random);
            rx[i].word = rng_next(&machine.random);
        }
        for (uint32_t i = 0; i < E1000_TX; i++) {
            tx[i].addr = rng_next(&machine.random);
            tx[i].word = rng_next(&machine.random);
        }
        c->stuck = true;
        break;
    default:
        break;
    }
}

const struct model model_e1000 = {"e1000", 0x8086, 0x100e, init, read, write, receive, lie};
const struct model model_e1000e = {"e1000e", 0x8086, 0x10d3, init, read, write, receive, lie};
