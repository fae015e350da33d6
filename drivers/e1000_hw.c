/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000, the card: finding it, its address, reset and configuration, interrupts, link. The probe is
 * called by drivers/pci.c and fails when the card has no registers, no address or no interrupt
 * line.
 */
#include <stdio.h>

#include "drivers/e1000.h"
#include "drivers/irq.h"
#include "drivers/pci.h"
#include "kernel/show.h"

enum {
    CTRL_ASDE = 1 << 5,
    CTRL_LINK_UP = 1 << 6, /* SLU */
    CTRL_RESET = 1 << 26,
    CTRL_NOT = 1 << 3 | 1 << 7 | 1 << 11 | 1 << 12, /* LRST, ILOS, forced speed and duplex */
    STATUS_LINK = 1 << 1,
    ICR_LINK = 1 << 2,
    ICR_WANTED = 1 << 2 | 1 << 4 | 1 << 6 | 1 << 7, /* LSC RXDMT0 RXO RXT0 */
    RCTL_ON = 1 << 1,
    RCTL_ALL = 1 << 3 | 1 << 4, /* UPE MPE */
    RCTL_BROADCAST = 1 << 15,
    RCTL_NO_FCS = 1 << 26,
    TCTL_ON = 1 << 1 | 1 << 3, /* EN PSP */
    TCTL_COLLISIONS = 0xf << 4 | 0x40 << 12,
    TIPG_COPPER = 8 | 8 << 10 | 6 << 20, /* SDM 13.4.34 */
    TXDCTL_82574 = 1 << 22,              /* has to be 1 (82574 data sheet 10.2.6.10) */
    MTA_WORDS = 128,
    RESET_US = 20000,
    EERD_US = 5000,
};

static const uint32_t rah_valid = 0x80000000;

static void wait_clear(const struct e1000 *c, uint32_t reg, uint32_t bits)
{
    for (int i = 0; i < RESET_US / 100 && mmio_read32(c->regs, reg) & bits; i++)
        delay_us(100);
}

/* CTRL.RST is not enough: QEMU's card does not reset anything by it. RCTL is written only if it
 * must be, for the same card receives nothing for a second after each write. */
void e1000_quiet(struct e1000 *c)
{
    mmio_write32(c->regs, E1000_IMC, UINT32_MAX);
    c->armed = false;
    if (mmio_read32(c->regs, E1000_RCTL))
        mmio_write32(c->regs, E1000_RCTL, 0);
    mmio_write32(c->regs, E1000_TCTL, 0);
    mmio_write32(c->regs, E1000_CTRL, mmio_read32(c->regs, E1000_CTRL) | CTRL_RESET);
    delay_us(1000);
    wait_clear(c, E1000_CTRL, CTRL_RESET);
    mmio_write32(c->regs, E1000_IMC, UINT32_MAX);
    (void)mmio_read32(c->regs, E1000_ICR);
}

static void ring_configure(struct e1000 *c, enum e1000_reg base, const struct e1000_desc *ring,
                           uint32_t n)
{
    uint64_t at = stash_dma_ring(c->stash, ring, n * sizeof *ring);
    mmio_write32(c->regs, base, (uint32_t)at);
    mmio_write32(c->regs, base + 4, (uint32_t)(at >> 32));
    mmio_write32(c->regs, base + 8, n * (uint32_t)sizeof *ring);
    mmio_write32(c->regs, base + 16, 0); /* head */
    mmio_write32(c->regs, base + 24, 0); /* tail */
}

static void address_write(struct e1000 *c)
{
    const uint8_t *a = c->dev.mac;
    uint32_t low =
        (uint32_t)a[0] | (uint32_t)a[1] << 8 | (uint32_t)a[2] << 16 | (uint32_t)a[3] << 24;
    mmio_write32(c->regs, E1000_RAL, low);
    mmio_write32(c->regs, E1000_RAH, (uint32_t)a[4] | (uint32_t)a[5] << 8 | rah_valid);
    for (uint32_t i = 0; i < MTA_WORDS; i++)
        mmio_write32(c->regs, E1000_MTA + 4 * i, 0);
}

static void link_watch(struct e1000 *c)
{
    bool up = mmio_read32(c->regs, E1000_STATUS) & STATUS_LINK;
    c->dev.link = up;
    if (up != c->link_said)
        log_note(c->dev.k, "%s: link %s", c->dev.name, up ? "up" : "down");
    c->link_said = up;
}

void e1000_configure(struct e1000 *c)
{
    uint32_t ctrl = mmio_read32(c->regs, E1000_CTRL) & ~(uint32_t)CTRL_NOT;
    mmio_write32(c->regs, E1000_CTRL, ctrl | CTRL_LINK_UP | CTRL_ASDE);
    address_write(c);
    ring_configure(c, E1000_RDBAL, c->rx, E1000_RX);
    ring_configure(c, E1000_TDBAL, c->tx, E1000_TX);
    mmio_write32(c->regs, E1000_RDTR, 0);
    mmio_write32(c->regs, E1000_RADV, 0);
    mmio_write32(c->regs, E1000_ITR, 0);
    if (c->newer)
        mmio_write32(c->regs, E1000_TXDCTL, mmio_read32(c->regs, E1000_TXDCTL) | TXDCTL_82574);
    mmio_write32(c->regs, E1000_TIPG, TIPG_COPPER);
    mmio_write32(c->regs, E1000_TCTL, TCTL_ON | TCTL_COLLISIONS);
    mmio_write32(c->regs, E1000_RCTL,
                 RCTL_ON | RCTL_BROADCAST | RCTL_NO_FCS | (c->dev.promisc ? RCTL_ALL : 0));
    link_watch(c);
}

/* At most one interrupt per time the kernel has slept: the first one switches them off, e1000_irq
 * switches them on again. The line is shared; a card that is silent reads as 0. */
static void interrupted(void *arg)
{
    struct e1000 *c = arg;
    if (!c->armed)
        return;
    uint32_t cause = mmio_read32(c->regs, E1000_ICR);
    if (!(cause & ICR_WANTED))
        return;
    mmio_write32(c->regs, E1000_IMC, UINT32_MAX);
    c->armed = false;
    c->dev.stats.irqs++;
    if (cause & ICR_LINK)
        c->dev.link = mmio_read32(c->regs, E1000_STATUS) & STATUS_LINK;
}

/* Nothing to do for `off`: an interrupt while the card is polled switches them off once and for
 * all until the next sleep, a card without one costs no register access. Causes of frames that
 * have been polled are cleared before, or they would wake the machine at once. */
void e1000_irq(struct netdev *d, bool on)
{
    struct e1000 *c = e1000_of(d);
    if (!on || c->armed)
        return;
    if (mmio_read32(c->regs, E1000_ICR) & ICR_LINK || c->dev.link != c->link_said)
        link_watch(c);
    c->armed = true;
    mmio_write32(c->regs, E1000_IMS, ICR_WANTED);
}

static bool address_good(const uint8_t *a)
{
    return !(a[0] & 1) && (a[0] | a[1] | a[2] | a[3] | a[4] | a[5]);
}

/* A word of the EEPROM (SDM 13.4.4; the 82574L has the fields elsewhere). */
static uint16_t eeprom_read(struct e1000 *c, uint32_t word)
{
    uint32_t done = c->newer ? 1U << 1 : 1U << 4, v = 0;
    mmio_write32(c->regs, E1000_EERD, 1U | word << (c->newer ? 2 : 8));
    for (int i = 0; i < EERD_US / 50 && !(v & done); i++) {
        delay_us(50);
        v = mmio_read32(c->regs, E1000_EERD);
    }
    return v & done ? (uint16_t)(v >> 16) : 0;
}

/* The card has copied its address out of the EEPROM; if not, read it there. */
static bool address_read(struct e1000 *c)
{
    uint32_t low = mmio_read32(c->regs, E1000_RAL), high = mmio_read32(c->regs, E1000_RAH);
    for (int i = 0; i < 6; i++)
        c->dev.mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    if (high & rah_valid && address_good(c->dev.mac))
        return true;
    for (uint32_t i = 0; i < 3; i++) {
        uint16_t word = eeprom_read(c, i);
        c->dev.mac[2 * i] = (uint8_t)word;
        c->dev.mac[2 * i + 1] = (uint8_t)(word >> 8);
    }
    return address_good(c->dev.mac);
}

static struct e1000 *e1000_make(const struct pci_card *p, struct stash *s)
{
    struct e1000 *c = plat_pages(sizeof *c);
    /* One piece for both rings and the zeros: each ring is a multiple of 128 bytes. */
    uint8_t *rings = plat_pages((E1000_RX + E1000_TX) * sizeof(struct e1000_desc) + FRAME_MIN);
    if (!c || !rings)
        return NULL;
    c->stash = s;
    c->rx = (struct e1000_desc *)(void *)rings;
    c->tx = c->rx + E1000_RX;
    c->zeros = stash_dma(s, c->tx + E1000_TX);
    c->newer = p->device == 0x10d3;
    c->dev.ops = c->newer ? &e1000e_ops : &e1000_ops;
    c->dev.k = s->k;
    c->dev.mtu = FRAME_MTU;
    snprintf(c->dev.where, sizeof c->dev.where, "pci %s", p->where);
    return c;
}

static status_t e1000_probe(struct kernel *k, const struct pci_card *p, struct stash *s)
{
    struct e1000 *c = e1000_make(p, s);
    if (!c)
        return E_NOMEM;
    pci_enable(p);
    c->regs = pci_map(p, 0, 0, E1000_REGISTERS);
    if (!c->regs)
        return E_NODEV;
    e1000_quiet(c);
    if (!address_read(c))
        return E_NODEV;
    status_t status = irq_register(p->line, interrupted, c);
    return status == OK ? netdev_add(k, &c->dev) : status;
}

static const struct pci_id ids[] = {
    {0x8086, 0x100e}, /* 82540EM */
    {0x8086, 0x100f}, /* 82545EM, copper */
    {0x8086, 0x10d3}, /* 82574L */
    {0, 0},
};

const struct pci_driver e1000_driver = {"e1000", ids, e1000_probe};
