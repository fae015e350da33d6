/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DEC 21143 (HRM 4.2, 4.3) with the ROM on CSR9, and what it may say instead. Its addresses have 32
 * bits, which under Linux are not enough: buffers are found by the driver's own lists.
 */
#include <string.h>

#include "drivers/tulip.h"
#include "tests/drivers/machine.h"

enum { BUS_RESET = 1, MODE_RX = 2, MODE_TX = 1 << 13, FCS = 4, SETUP = TULIP_TX_CONTROL_SET };
enum { PIN_SELECT = 1, PIN_CLOCK = 2, PIN_IN = 4, PIN_OUT = 8, ROM_BITS = 9 };

static const uint16_t rom[3] = {0x0002, 0x0000, 0x0100}; /* words 10 to 12 */

static struct tulip *driver(struct card *c)
{
    return CONTAINER(c->dev, struct tulip, dev);
}

static void init(struct card *c)
{
    (void)c;
}

/* Microwire: after select, nine bits in (1 1 0 and the address), sixteen out. reg[32] counts
 * clocks, reg[33] holds what came in. */
static void serial(struct card *c, uint32_t v)
{
    uint32_t *clocks = &c->reg[32], *in = &c->reg[33], out = 0;
    bool rises = v & PIN_CLOCK && !(c->reg[CSR_SERIAL] & PIN_CLOCK);
    if (!(v & PIN_SELECT))
        *clocks = *in = 0;
    else if (rises && ++*clocks <= ROM_BITS)
        *in = *in << 1 | !!(v & PIN_IN);
    uint32_t word = (*in & 63) - 10, bit = *clocks - ROM_BITS - 1;
    if (v & PIN_SELECT && word < 3 && bit < 16)
        out = rom[word] >> (15 - bit) & 1;
    c->reg[CSR_SERIAL] = (v & ~(uint32_t)PIN_OUT) | (out ? PIN_OUT : 0);
}

static void transmit(struct card *c)
{
    struct tulip *d = driver(c);
    for (; !c->stuck && d->tx[c->tx].status & TULIP_OWN; c->tx = (c->tx + 1) % TULIP_TX) {
        struct tulip_desc *t = &d->tx[c->tx];
        const struct msg *m = d->txm[c->tx];
        if (!(t->control & SETUP)) {
            assert_non_null(m);
            assert_int_equal(t->addr1, (uint32_t)(uintptr_t)m->data);
            card_sends(c, m->data, (t->control & 0x7ff) + (t->control >> 11 & 0x7ff));
        }
        t->status = 0;
    }
}

static uint32_t read(struct card *c, uint32_t at, unsigned bytes)
{
    assert_int_equal(bytes, 4);
    return c->reg[at / 8];
}

static void write(struct card *c, uint32_t at, uint32_t v, unsigned bytes)
{
    assert_int_equal(bytes, 4);
    assert_in_range(at, 0, TULIP_REGISTERS - 1);
    if (at / 8 == CSR_SERIAL) {
        serial(c, v);
        return;
    }
    c->reg[at / 8] = at / 8 == CSR_STATUS ? c->reg[at / 8] & ~v : v;
    if (at / 8 == CSR_BUS && v & BUS_RESET) {
        c->rx = c->tx = 0;
        c->stuck = false;
        c->resets++;
    }
    if (at / 8 == CSR_TX_DEMAND && c->reg[CSR_MODE] & MODE_TX)
        transmit(c);
}

static struct tulip_desc *next(struct card *c, struct msg **m)
{
    struct tulip *d = driver(c);
    struct tulip_desc *r = &d->rx[c->rx];
    if (!(c->reg[CSR_MODE] & MODE_RX) || !(r->status & TULIP_OWN)) {
        c->reg[CSR_STATUS] |= 1 << 7;
        return NULL;
    }
    *m = d->rxm[c->rx];
    c->rx = (c->rx + 1) % TULIP_RX;
    return r;
}

static bool receive(struct card *c, const uint8_t *frame, size_t n)
{
    struct msg *m;
    struct tulip_desc *r = next(c, &m);
    if (!r)
        return false;
    assert_int_equal(r->addr1, (uint32_t)(uintptr_t)m->data);
    memcpy(m->data, frame, n);
    r->status = (uint32_t)(n + FCS) << 16 | 3 << 8;
    return true;
}

static void lie(struct card *c, enum lie what)
{
    struct tulip *d = driver(c);
    struct tulip_desc *r;
    struct msg *m;
    switch (what) {
    case LIE_EMPTY:
    case LIE_LONG:
        r = next(c, &m);
        assert_non_null(r);
        r->status = (what == LIE_LONG ? 16383U : 0) << 16 | 3 << 8;
        break;
    case LIE_ENDLESS:
        while ((r = next(c, &m)))
            r->status = 2048U << 16;
        break;
    case LIE_JUMP:
        for (uint32_t i = 0; i < TULIP_RX; i++)
            d->rx[i].status = 3 << 8;
        break;
    case LIE_RANDOM:
        for (uint32_t i = 0; i < TULIP_RX; i++)
            d->rx[i].status = (uint32_t)rng_next(&machine.random),
            d->rx[i].control = (uint32_t)rng_next(&machine.random);
        for (uint32_t i = 0; i < TULIP_TX; i++)
            d->tx[i].status = (uint32_t)rng_next(&machine.random),
            d->tx[i].control = (uint32_t)rng_next(&machine.random);
        c->stuck = true;
        break;
    default:
        break;
    }
}

const struct model model_tulip = {"tulip", 0x1011, 0x0019, init, read, write, receive, lie};
