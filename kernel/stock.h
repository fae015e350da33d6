/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_STOCK_H
#define KERNEL_STOCK_H
/*
 * Small memory that was given back waits here for the next one of about its size: a connection
 * takes and gives a dozen pieces before it is spliced, and malloc's search for each would cost more
 * than their use, the more so the more there are. What is large, or more than a few hundred of a
 * size, is malloc's again. For pool.c, which says the same size both times; taking fails with NULL.
 */
#include <string.h>

#include "kernel/kernel.h"

struct spare {
    struct spare *next;
};

/* stock.c: from malloc and back to it. */
void *stock_more(uint32_t size);
void stock_less(void *mem);
void stock_end(struct kernel *k);

static inline uint32_t stock_class(uint32_t size)
{
    return (size - 1) / STOCK_STEP;
}

/* Zeroed. k NULL: from malloc. */
static inline void *stock_take(struct kernel *k, uint32_t size)
{
    uint32_t class = stock_class(size);
    struct spare *s = LIKELY(k && class < STOCK_CLASSES) ? k->stock.spare[class] : NULL;
    if (UNLIKELY(!s))
        return stock_more(size);
    k->stock.spare[class] = s->next;
    k->stock.n[class]--;
    return memset(s, 0, size);
}

static inline void stock_give(struct kernel *k, void *mem, uint32_t size)
{
    uint32_t class = stock_class(size);
    if (UNLIKELY(!k || class >= STOCK_CLASSES || k->stock.n[class] >= STOCK_KEEP)) {
        stock_less(mem);
        return;
    }
    struct spare *s = mem;
    s->next = k->stock.spare[class];
    k->stock.spare[class] = s;
    k->stock.n[class]++;
}

#endif
