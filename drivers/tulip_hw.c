/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DEC 21143, the card: finding it, its address, configuration, the receive filter, interrupts,
 * link. The probe is called by drivers/pci.c and fails when the card has no registers, no address
 * or no interrupt line.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/irq.h"
#include "drivers/pci.h"
#include "drivers/tulip.h"
#include "kernel/show.h"

enum {
    BUS_RESET = 1,
    BUS_BURSTS = 16 << 8 | 2 << 14, /* 16 words, aligned to cache lines of 64 bytes */
    STATUS_ALL = 0x1ffff,           /* every cause; written to clear them */
    STATUS_WANTED = 1 << 6 | 1 << 7 | 1 << 15 | 1 << 16, /* RI RU, abnormal and normal summary */
    MODE_RX = 1 << 1,
    MODE_PROMISCUOUS = 1 << 6,
    MODE_DUPLEX = 1 << 9,
    MODE_TX = 1 << 13,
    MODE_MII = 1 << 18 | 1 << 19, /* the port, no heart beat */
    MODE_WHOLE = 1 << 21,         /* a frame is sent when all of it is in the FIFO */
    ROM_ADDRESS = 10,             /* word */
    PHYS = 32,
    PHY_STATUS = 1,
    PHY_LINK = 1 << 2,
    SETUP_US = 20000,
};

static const uint32_t mode_ones = 1 << 25; /* must be one */

/* The reset leaves rings and filter as they are: they are set anew before reception starts. */
void tulip_quiet(struct tulip *c)
{
    csr_write(c, CSR_IRQ, 0);
    c->armed = false;
    csr_write(c, CSR_MODE, 0);
    csr_write(c, CSR_BUS, BUS_RESET);
    delay_us(100);
    csr_write(c, CSR_BUS, BUS_BURSTS);
    csr_write(c, CSR_MODE, 0);
    csr_write(c, CSR_IRQ, 0);
    csr_write(c, CSR_STATUS, STATUS_ALL);
    (void)csr_read(c, CSR_STATUS);
}

static int phy_find(struct tulip *c)
{
    for (int phy = 0; phy < PHYS; phy++) {
        uint16_t status = tulip_phy(c, (phy + 1) % PHYS, PHY_STATUS);
        if (status != 0 && status != 0xffff)
            return (phy + 1) % PHYS;
    }
    return -1;
}

/* Without a transceiver to ask, the link is taken to be there. The register latches a loss: the
 * second reading is the state of now. */
static void link_watch(struct tulip *c)
{
    bool up = c->phy < 0 || tulip_phy(c, c->phy, PHY_STATUS) & PHY_LINK ||
              tulip_phy(c, c->phy, PHY_STATUS) & PHY_LINK;
    if (up != c->dev.link)
        log_note(c->dev.k, "%s: link %s", c->dev.name, up ? "up" : "down");
    c->dev.link = up;
    c->link_at = plat_now(c->stash->k) + SECOND;
}

/* Sixteen addresses to take, three times two bytes of each in the low halves of words (HRM 4.2.3):
 * ours, and the broadcast address fifteen times. */
static status_t filter_send(struct tulip *c, uint32_t mode)
{
    uint8_t *to = c->extra->setup;
    memset(to, 0xff, TULIP_SETUP);
    for (int i = 0; i < 6; i++)
        to[i / 2 * 4 + i % 2] = c->dev.mac[i];
    c->tx[0].addr1 = (uint32_t)stash_dma(c->stash, to);
    c->tx[0].addr2 = 0;
    c->tx[0].control = TULIP_TX_CONTROL_SET | TULIP_SETUP;
    dma_publish();
    c->tx[0].status = TULIP_OWN;
    c->tx_next = c->tx_clean = 1;
    csr_write(c, CSR_MODE, mode);
    csr_write(c, CSR_TX_DEMAND, 1);
    for (int i = 0; i < SETUP_US / 100; i++) {
        if (!(dma_load32(&c->tx[0].status) & TULIP_OWN))
            return OK;
        delay_us(100);
    }
    return E_NODEV;
}

status_t tulip_configure(struct tulip *c)
{
    uint32_t mode = mode_ones | MODE_DUPLEX | MODE_WHOLE | MODE_TX;
    status_t status = OK;
    memset(c->tx, 0, TULIP_TX * sizeof *c->tx);
    csr_write(c, CSR_SIA, 0);
    csr_write(c, CSR_RX_RING, (uint32_t)stash_dma_ring(c->stash, c->rx, TULIP_RX * sizeof *c->rx));
    csr_write(c, CSR_TX_RING, (uint32_t)stash_dma_ring(c->stash, c->tx, TULIP_TX * sizeof *c->tx));
    c->phy = phy_find(c);
    if (c->phy >= 0)
        mode |= MODE_MII;
    if (c->dev.promisc)
        mode |= MODE_PROMISCUOUS;
    else
        status = filter_send(c, mode);
    if (status == OK)
        csr_write(c, CSR_MODE, mode | MODE_RX);
    link_watch(c);
    return status;
}

/* At most one interrupt per time the kernel has slept: the first one switches them off, tulip_irq
 * switches them on again. The line is shared. */
static void interrupted(void *arg)
{
    struct tulip *c = arg;
    if (!c->armed || !(csr_read(c, CSR_STATUS) & STATUS_WANTED))
        return;
    csr_write(c, CSR_IRQ, 0);
    c->armed = false;
    c->dev.stats.irqs++;
}

/* Nothing to do for `off`: an interrupt while the card is polled switches them off until the next
 * sleep. All free descriptors are the card's while the machine sleeps, and causes of frames that
 * have been polled are cleared, or they would wake it at once. */
void tulip_irq(struct netdev *d, bool on)
{
    struct tulip *c = tulip_of(d);
    if (!on || c->armed)
        return;
    if (plat_now(d->k) >= c->link_at)
        link_watch(c);
    tulip_arm(c);
    c->armed = true;
    csr_write(c, CSR_STATUS, STATUS_WANTED);
    csr_write(c, CSR_IRQ, STATUS_WANTED);
}

static bool address_read(struct tulip *c, int address_bits)
{
    uint8_t *a = c->dev.mac, any = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint16_t word = tulip_rom(c, ROM_ADDRESS + i, address_bits);
        a[2 * i] = (uint8_t)word;
        a[2 * i + 1] = (uint8_t)(word >> 8);
        any |= (uint8_t)(a[2 * i] | a[2 * i + 1]);
    }
    return any && !(a[0] & 1);
}

static struct tulip *tulip_make(const struct pci_card *p, struct stash *s)
{
    struct tulip *c = plat_pages(sizeof *c);
    uint8_t *rings =
        plat_pages((TULIP_RX + TULIP_TX) * sizeof(struct tulip_desc) + sizeof(struct tulip_extra));
    if (!c || !rings)
        return NULL;
    c->stash = s;
    c->rx = (struct tulip_desc *)(void *)rings;
    c->tx = c->rx + TULIP_RX;
    c->extra = (struct tulip_extra *)(void *)(c->tx + TULIP_TX);
    c->zeros = (uint32_t)stash_dma(s, c->extra->zeros);
    c->dev.ops = &tulip_ops;
    c->dev.k = s->k;
    c->dev.mtu = FRAME_MTU;
    snprintf(c->dev.where, sizeof c->dev.where, "pci %s", p->where);
    return c;
}

static status_t tulip_probe(struct kernel *k, const struct pci_card *p, struct stash *s)
{
    struct tulip *c = tulip_make(p, s);
    if (!c)
        return E_NOMEM;
    pci_enable(p);
    c->regs = pci_map(p, 1, 0, TULIP_REGISTERS);
    if (!c->regs)
        return E_NODEV;
    tulip_quiet(c);
    if (!address_read(c, 6) && !address_read(c, 8))
        return E_NODEV;
    status_t status = irq_register(p->line, interrupted, c);
    return status == OK ? netdev_add(k, &c->dev) : status;
}

static const struct pci_id ids[] = {
    {0x1011, 0x0019}, /* 21142, 21143 */
    {0, 0},
};

const struct pci_driver tulip_driver = {"tulip", ids, tulip_probe};
