/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_PLAT_H
#define KERNEL_PLAT_H
/*
 * The seam to the ground the kernel stands on: boot/x86_64 or boot/hosted. Nothing here returns an
 * error: what cannot be had is 0, NULL or -1 as stated, and the rest cannot fail.
 */
#include "kernel/types.h"

uint64_t plat_now(struct kernel *k); /* ns, monotone, from the kernel's start; virtual in tests */
uint64_t plat_cycles(void);          /* what costs are counted in: TSC */
/* Wait until an interrupt or input, at the latest until until_ns; returns at once if one is due. */
void plat_wait(struct kernel *k, uint64_t until_ns);
void plat_puts(const char *s, size_t n); /* console */
/* Most of what was put is out, or nobody takes it and waiting is in vain. plat_wait ends then. */
bool plat_puts_ready(struct kernel *k);
int plat_getc(struct kernel *k);        /* console input; -1: none now */
uint64_t plat_random(struct kernel *k); /* from the entropy pool, or from seed=N */
void *plat_pages(size_t n);             /* n bytes, rounded up to pages, zeroed; NULL: none left */
_Noreturn void plat_exit(int status);   /* 0: success */
/* The address a card must be given of n bytes; asserts that cards may have them. */
uint64_t plat_dma(const void *at, size_t n);

#endif
