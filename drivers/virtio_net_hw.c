/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net, the card: its registers (found by capabilities, 4.1.4), negotiation, queues,
 * interrupts, link. Transitional cards are used by the same modern interface. The probe is called
 * by drivers/pci.c and fails when a part of the interface is missing or there is no interrupt line.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/irq.h"
#include "drivers/pci.h"
#include "drivers/virtio_net.h"
#include "kernel/show.h"

enum { /* of struct virtio_pci_common_cfg, 4.1.4.3 */
       C_OFFERED_SELECT = 0,
       C_OFFERED = 4,
       C_ACCEPTED_SELECT = 8,
       C_ACCEPTED = 12,
       C_STATUS = 20,
       C_QUEUE = 22,
       C_QUEUE_SIZE = 24,
       C_QUEUE_ENABLE = 28,
       C_QUEUE_BELL = 30,
       C_QUEUE_DESC = 32,
       C_QUEUE_AVAIL = 40,
       C_QUEUE_USED = 48,
       C_LENGTH = 56,
};

enum {
    S_ACKNOWLEDGE = 1,
    S_DRIVER = 2,
    S_DRIVER_OK = 4,
    S_FEATURES_OK = 8,
    S_FAILED = 128,
    CAP_VENDOR = 9,
    CAP_COMMON = 1,
    CAP_NOTIFY = 2,
    CAP_ISR = 3,
    CAP_DEVICE = 4,
    ISR_CONFIG = 2,
    NET_MAC = 0, /* in the device's configuration */
    NET_STATUS = 6,
    NET_LENGTH = 8,
    NET_LINK = 1,
    RESET_MS = 100,
};

#define F_MAC       (1ULL << 5)
#define F_STATUS    (1ULL << 16)
#define F_VERSION_1 (1ULL << 32)

static void status_add(struct virtio_net *c, uint8_t bits)
{
    mmio_write8(c->common, C_STATUS, mmio_read8(c->common, C_STATUS) | bits);
}

void virtio_net_quiet(struct virtio_net *c)
{
    mmio_write8(c->common, C_STATUS, 0);
    for (int i = 0; i < RESET_MS * 100 && mmio_read8(c->common, C_STATUS); i++)
        delay_us(10);
}

static uint64_t features_offered(struct virtio_net *c)
{
    mmio_write32(c->common, C_OFFERED_SELECT, 0);
    uint64_t low = mmio_read32(c->common, C_OFFERED);
    mmio_write32(c->common, C_OFFERED_SELECT, 1);
    return low | (uint64_t)mmio_read32(c->common, C_OFFERED) << 32;
}

/* Reset, and the first half of 3.1.1; the features we take of those offered. */
static uint64_t negotiate(struct virtio_net *c)
{
    virtio_net_quiet(c);
    status_add(c, S_ACKNOWLEDGE);
    status_add(c, S_DRIVER);
    return features_offered(c) & (F_MAC | F_STATUS | F_VERSION_1);
}

static void write64(struct virtio_net *c, uint32_t at, const void *memory, size_t n)
{
    uint64_t v = stash_dma_ring(c->stash, memory, n);
    mmio_write32(c->common, at, (uint32_t)v);
    mmio_write32(c->common, at + 4, (uint32_t)(v >> 32));
}

static bool queue_configure(struct virtio_net *c, struct virtio_queue *q, uint16_t number)
{
    mmio_write16(c->common, C_QUEUE, number);
    uint32_t size = mmio_read16(c->common, C_QUEUE_SIZE);
    if (!size || size & (size - 1))
        return false;
    q->size = size < VIRTIO_RING ? size : VIRTIO_RING;
    q->avail = q->told = q->used = 0;
    memset(q->mem, 0, sizeof *q->mem);
    q->mem->avail.flags = VIRTIO_NO_NOTIFY;
    mmio_write16(c->common, C_QUEUE_SIZE, (uint16_t)q->size);
    write64(c, C_QUEUE_DESC, q->mem->desc, sizeof q->mem->desc);
    write64(c, C_QUEUE_AVAIL, &q->mem->avail, sizeof q->mem->avail);
    write64(c, C_QUEUE_USED, &q->mem->used, sizeof q->mem->used);
    uint64_t bell = (uint64_t)mmio_read16(c->common, C_QUEUE_BELL) * c->bell_step;
    if (bell + 2 > c->bells_len)
        return false;
    q->bell = (uint32_t)bell;
    mmio_write16(c->common, C_QUEUE_ENABLE, 1);
    return true;
}

status_t virtio_net_configure(struct virtio_net *c)
{
    uint64_t features = negotiate(c);
    c->watched = features & F_STATUS;
    mmio_write32(c->common, C_ACCEPTED_SELECT, 0);
    mmio_write32(c->common, C_ACCEPTED, (uint32_t)features);
    mmio_write32(c->common, C_ACCEPTED_SELECT, 1);
    mmio_write32(c->common, C_ACCEPTED, (uint32_t)(features >> 32));
    status_add(c, S_FEATURES_OK);
    if (mmio_read8(c->common, C_STATUS) & S_FEATURES_OK && queue_configure(c, &c->rx, VIRTIO_RX) &&
        queue_configure(c, &c->tx, VIRTIO_TX))
        return OK;
    status_add(c, S_FAILED);
    return E_NODEV;
}

static void link_watch(struct virtio_net *c)
{
    c->dev.link = !c->watched || mmio_read16(c->config, NET_STATUS) & NET_LINK;
}

static void link_say(struct virtio_net *c)
{
    if (c->dev.link == c->link_said)
        return;
    c->link_said = c->dev.link;
    log_note(c->dev.k, "%s: link %s", c->dev.name, c->link_said ? "up" : "down");
}

void virtio_net_go(struct virtio_net *c)
{
    status_add(c, S_DRIVER_OK);
    link_watch(c);
    link_say(c);
}

/* Reading the register silences the card. A frame raises it again only after virtio_net_irq, a
 * change of the link at any time. The line is shared. */
static void interrupted(void *arg)
{
    struct virtio_net *c = arg;
    uint8_t cause = mmio_read8(c->isr, 0);
    if (!cause)
        return;
    c->rx.mem->avail.flags = VIRTIO_NO_NOTIFY;
    c->tx.mem->avail.flags = VIRTIO_NO_NOTIFY;
    c->dev.stats.irqs++;
    if (cause & ISR_CONFIG && c->dev.started)
        link_watch(c);
}

/* No register is touched: the card looks at the flags in memory. Transmission interrupts only when
 * frames wait for it. */
void virtio_net_irq(struct netdev *d, bool on)
{
    struct virtio_net *c = virtio_net_of(d);
    c->rx.mem->avail.flags = on ? 0 : VIRTIO_NO_NOTIFY;
    c->tx.mem->avail.flags = on && c->backlog.head ? 0 : VIRTIO_NO_NOTIFY;
    if (!on)
        return;
    link_say(c);
    dma_exchange(); /* before the kernel looks whether frames wait */
}

/* The part of the interface that the capability at `cap` describes. */
static mmio_t part_map(const struct pci_card *p, uint8_t cap, uint32_t least)
{
    uint32_t offset = pci_read(p, cap + 8U), n = pci_read(p, cap + 12U);
    return n < least ? NULL : pci_map(p, pci_read8(p, cap + 4U), offset, n);
}

/* Of several capabilities of a kind the first that can be mapped (4.1.4.1). */
static bool parts_find(struct virtio_net *c, const struct pci_card *p)
{
    for (uint8_t cap = 0; (cap = pci_capability(p, CAP_VENDOR, cap));) {
        uint8_t kind = pci_read8(p, cap + 3U);
        if (kind == CAP_COMMON && !c->common)
            c->common = part_map(p, cap, C_LENGTH);
        if (kind == CAP_ISR && !c->isr)
            c->isr = part_map(p, cap, 1);
        if (kind == CAP_DEVICE && !c->config)
            c->config = part_map(p, cap, NET_LENGTH);
        if (kind == CAP_NOTIFY && !c->bells) {
            c->bells = part_map(p, cap, 2);
            c->bells_len = pci_read(p, cap + 12U);
            c->bell_step = pci_read(p, cap + 16U);
        }
    }
    return c->common && c->isr && c->config && c->bells;
}

/* Without an address of its own the card gets a random one, locally administered. */
static void address_read(struct virtio_net *c, uint64_t features)
{
    uint64_t random = features & F_MAC ? 0 : plat_random(c->stash->k);
    for (uint32_t i = 0; i < 6; i++)
        c->dev.mac[i] =
            (uint8_t)(features & F_MAC ? mmio_read8(c->config, NET_MAC + i) : random >> 8 * i);
    if (!(features & F_MAC))
        c->dev.mac[0] = (uint8_t)((c->dev.mac[0] & 0xfc) | 2);
}

static struct virtio_net *virtio_net_make(const struct pci_card *p, struct stash *s)
{
    struct virtio_net *c = plat_pages(sizeof *c);
    if (!c)
        return NULL;
    c->rx.mem = plat_pages(sizeof *c->rx.mem);
    /* Behind the transmit ring, the zeros. */
    c->tx.mem = plat_pages(sizeof *c->tx.mem + FRAME_MIN);
    if (!c->rx.mem || !c->tx.mem)
        return NULL;
    c->stash = s;
    c->zeros = stash_dma(s, c->tx.mem + 1);
    c->dev.ops = &virtio_net_ops;
    c->dev.k = s->k;
    c->dev.mtu = FRAME_MTU;
    snprintf(c->dev.where, sizeof c->dev.where, "pci %s", p->where);
    return c;
}

static status_t virtio_net_probe(struct kernel *k, const struct pci_card *p, struct stash *s)
{
    struct virtio_net *c = virtio_net_make(p, s);
    if (!c)
        return E_NOMEM;
    pci_enable(p);
    if (!parts_find(c, p)) {
        log_error(k, "pci %s: a virtio card without the modern interface", p->where);
        return E_NODEV;
    }
    uint64_t features = negotiate(c);
    if (!(features & F_VERSION_1)) {
        log_error(k, "pci %s: a virtio card that does not offer VIRTIO_F_VERSION_1", p->where);
        return E_NODEV;
    }
    address_read(c, features);
    virtio_net_quiet(c);
    status_t status = irq_register(p->line, interrupted, c);
    return status == OK ? netdev_add(k, &c->dev) : status;
}

static const struct pci_id ids[] = {
    {0x1af4, 0x1000}, /* transitional */
    {0x1af4, 0x1041},
    {0, 0},
};

const struct pci_driver virtio_net_driver = {"virtio-net", ids, virtio_net_probe};
