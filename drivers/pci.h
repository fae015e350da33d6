/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H
/*
 * The PCI bus: finding network cards and handing each to its driver. The ground calls pci_probe
 * once, behind kernel_init; drivers use the rest in their probe. What cannot be used is said on the
 * console in one line per card, and the boot goes on: whether the graph can do without is its
 * affair.
 */
#include "drivers/mmio.h"
#include "drivers/ring.h"
#include "kernel/types.h"

struct pci_card {
    uint32_t at; /* bus, device, function as in the configuration address, register 0 */
    uint16_t vendor, device;
    int line; /* of the 8259, as firmware routed it */
    char where[16];
};

struct pci_id {
    uint16_t vendor, device;
};

struct pci_driver {
    const char *name;
    const struct pci_id *ids; /* up to vendor 0 */
    /* Make a netdev of the card; logs a line when it cannot. Memory is plat_pages: a card is for
     * ever. */
    status_t (*probe)(struct kernel *k, const struct pci_card *p, struct stash *s);
};

extern const struct pci_driver e1000_driver, tulip_driver, virtio_net_driver;

void pci_probe(struct kernel *k);

uint32_t pci_read(const struct pci_card *p, uint32_t reg); /* 32 bits; reg is a multiple of 4 */
void pci_write(const struct pci_card *p, uint32_t reg, uint32_t v);
uint8_t pci_read8(const struct pci_card *p, uint32_t reg);
/* Memory of base address register `bar`, from `offset`, n bytes. NULL: not memory, not given an
 * address by firmware, or no page tables left. */
mmio_t pci_map(const struct pci_card *p, int bar, uint32_t offset, uint32_t n);
void pci_enable(const struct pci_card *p); /* memory, bus mastering, the interrupt line */
/* The first capability of that kind behind `after` (0: from the start); 0: none. */
uint8_t pci_capability(const struct pci_card *p, uint8_t kind, uint8_t after);

#endif
