/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_IRQ_H
#define DRIVERS_IRQ_H
/*
 * What a card's driver needs from the ground besides kernel/plat.h: time for its hardware, its
 * interrupt line and its registers. boot/x86_64 provides them, for tests tests/drivers does. The
 * latter two are called from probes, before interrupts matter.
 */
#include "kernel/types.h"

/* Wait, doing nothing: for resets, and pins that want their time. */
void delay_us(uint32_t us);

enum { IRQ_LINES = 16, IRQ_HANDLERS = 16 };

/*
 * fn(arg) runs at each interrupt of that line, on a stack of its own, with interrupts off. Lines
 * are shared and PCI's are level-triggered: fn must silence its card (or find that it was not the
 * one), note that there is work, and do nothing else. E_INVAL: no such line; E_NOMEM: IRQ_HANDLERS
 * are registered already.
 */
MUST_CHECK status_t irq_register(int line, void (*fn)(void *), void *arg);

/*
 * The registers at physical address `at`, mapped uncached at the same address; below 4 GiB they
 * always are, a 64-bit BAR above needs this call. NULL: no memory for page tables.
 */
MUST_CHECK volatile void *mmio_map(uint64_t at, size_t n);

#endif
