/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI by configuration mechanism 1 (ports 0xcf8, 0xcfc), which PCI Express machines have too. The
 * firmware has numbered the buses, set the base addresses and routed the interrupt lines; nothing
 * of that is changed. Buses are walked from 0 through the bridges.
 */
#include "drivers/pci.h"

#include <stdio.h>

#include "drivers/irq.h"
#include "drivers/port.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"
#include "kernel/show.h"

enum {
    CONFIG_ADDRESS = 0xcf8,
    CONFIG_DATA = 0xcfc,
    REG_ID = 0,
    REG_COMMAND = 4, /* and the status, which is cleared by ones */
    REG_CLASS = 8,
    REG_HEADER = 12,
    REG_BAR0 = 16,
    REG_BUSES = 0x18, /* of a bridge: primary, secondary, ... */
    REG_CAPABILITIES = 0x34,
    REG_LINE = 0x3c,
    COMMAND_IO = 1,
    COMMAND_MEMORY = 2,
    COMMAND_MASTER = 4,
    COMMAND_NO_INTX = 1 << 10,
    STATUS_CAPABILITIES = 1 << 20,
    CLASS_NETWORK = 2,
    CLASS_BRIDGE = 0x0604,
    MULTI_FUNCTION = 0x80,
    BAR_IO = 1,
    BAR_TYPE = 6,
    BAR_64 = 4,
    NO_DEVICE = 0xffff,
    BUSES = 256,
};

static const uint32_t config_enable = 0x80000000;

uint32_t pci_read(const struct pci_card *p, uint32_t reg)
{
    outl(CONFIG_ADDRESS, p->at | reg);
    return inl(CONFIG_DATA);
}

void pci_write(const struct pci_card *p, uint32_t reg, uint32_t v)
{
    outl(CONFIG_ADDRESS, p->at | reg);
    outl(CONFIG_DATA, v);
}

uint8_t pci_read8(const struct pci_card *p, uint32_t reg)
{
    return (uint8_t)(pci_read(p, reg & ~3U) >> reg % 4 * 8);
}

mmio_t pci_map(const struct pci_card *p, int bar, uint32_t offset, uint32_t n)
{
    if (bar < 0 || bar > 5)
        return NULL;
    uint32_t reg = REG_BAR0 + 4 * (uint32_t)bar, low = pci_read(p, reg);
    uint64_t at = low & ~0xfU;
    if (low & BAR_IO)
        return NULL;
    if ((low & BAR_TYPE) == BAR_64 && bar < 5)
        at |= (uint64_t)pci_read(p, reg + 4) << 32;
    return at ? (mmio_t)mmio_map(at + offset, n) : NULL;
}

void pci_enable(const struct pci_card *p)
{
    uint32_t command = pci_read(p, REG_COMMAND) & 0xffff & ~(uint32_t)COMMAND_NO_INTX;
    pci_write(p, REG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER);
}

uint8_t pci_capability(const struct pci_card *p, uint8_t kind, uint8_t after)
{
    if (!(pci_read(p, REG_COMMAND) & STATUS_CAPABILITIES))
        return 0;
    uint8_t at = pci_read8(p, after ? after + 1U : REG_CAPABILITIES);
    /* 48 fit into the space: a longer list runs in a circle. */
    for (int i = 0; i < 48 && (at &= 0xfc); i++) {
        if (pci_read8(p, at) == kind)
            return at;
        at = pci_read8(p, at + 1U);
    }
    return 0;
}

static const struct pci_driver *driver_of(const struct pci_card *p)
{
    static const struct pci_driver *const drivers[] = {&e1000_driver, &tulip_driver,
                                                       &virtio_net_driver};
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        for (const struct pci_id *id = drivers[i]->ids; id->vendor; id++)
            if (id->vendor == p->vendor && id->device == p->device)
                return drivers[i];
    return NULL;
}

/* What all the cards share while they are being found. */
struct walk {
    struct kernel *k;
    struct stash *stash;
    int cards; /* of whatever make */
    uint8_t seen[BUSES];
};

static void card_found(struct walk *w, struct pci_card *p)
{
    const struct pci_driver *driver = driver_of(p);
    w->cards++;
    p->line = (int)(pci_read(p, REG_LINE) & 0xff);
    if (!driver) {
        log_error(w->k,
                  "pci %s: network card %04x:%04x is not supported; "
                  "e1000, e1000e, tulip and virtio-net are",
                  p->where, p->vendor, p->device);
        return;
    }
    status_t status = driver->probe(w->k, p, w->stash);
    if (status != OK)
        log_error(w->k, "pci %s: %s %04x:%04x cannot be used: %s", p->where, driver->name,
                  p->vendor, p->device, status_name(status));
}

static void bus_walk(struct walk *w, uint32_t bus);

static bool function_walk(struct walk *w, struct pci_card *p)
{
    uint32_t id = pci_read(p, REG_ID);
    p->vendor = (uint16_t)id;
    p->device = (uint16_t)(id >> 16);
    if (p->vendor == NO_DEVICE)
        return false;
    uint32_t class = pci_read(p, REG_CLASS) >> 16;
    if (class == CLASS_BRIDGE)
        bus_walk(w, pci_read(p, REG_BUSES) >> 8 & 0xff);
    else if (class >> 8 == CLASS_NETWORK)
        card_found(w, p);
    return true;
}

static void bus_walk(struct walk *w, uint32_t bus)
{
    if (w->seen[bus]++)
        return;
    for (uint32_t at = 0; at < 256; at++) {
        struct pci_card p = {.at = config_enable | bus << 16 | at << 8};
        snprintf(p.where, sizeof p.where, "%02x:%02x.%x", (unsigned)bus, (unsigned)(at >> 3),
                 (unsigned)(at & 7));
        bool there = function_walk(w, &p);
        if (at % 8 == 0 && !(there && pci_read(&p, REG_HEADER) >> 16 & MULTI_FUNCTION))
            at |= 7; /* it has one function at most */
    }
}

void pci_probe(struct kernel *k)
{
    struct walk w = {.k = k, .stash = plat_pages(sizeof *w.stash)};
    if (!w.stash) {
        log_error(k, "pci: no memory for network cards");
        return;
    }
    stash_init(w.stash, k);
    bus_walk(&w, 0);
    if (!w.cards)
        log_error(k, "pci: no network card found");
}
