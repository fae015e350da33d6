/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small memory that was given back waits here for the next one of about its size: a connection
 * takes and gives a dozen pieces before it is spliced, and malloc's search for each would cost more
 * than their use, the more so the more there are. What is large, or more than a few hundred of a
 * size, is malloc's again. Called by pool.c.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"

struct spare {
    struct spare *next;
};

static inline uint32_t class_of(uint32_t size)
{
    return (size - 1) / STOCK_STEP;
}

void *stock_take(struct kernel *k, uint32_t size)
{
    uint32_t class = class_of(size);
    if (UNLIKELY(class >= STOCK_CLASSES))
        return calloc(1, size);
    struct spare *s = k ? k->stock.spare[class] : NULL;
    if (UNLIKELY(!s))
        return calloc(1, (class + 1) * STOCK_STEP);
    k->stock.spare[class] = s->next;
    k->stock.n[class]--;
    return memset(s, 0, size);
}

void stock_give(struct kernel *k, void *mem, uint32_t size)
{
    uint32_t class = class_of(size);
    if (UNLIKELY(!k || class >= STOCK_CLASSES || k->stock.n[class] >= STOCK_KEEP)) {
        free(mem);
        return;
    }
    struct spare *s = mem;
    s->next = k->stock.spare[class];
    k->stock.spare[class] = s;
    k->stock.n[class]++;
}

void stock_end(struct kernel *k)
{
    for (int class = 0; class < STOCK_CLASSES; class ++) {
        while (k->stock.spare[class]) {
            struct spare *s = k->stock.spare[class];
            k->stock.spare[class] = s->next;
            free(s);
        }
        k->stock.n[class] = 0;
    }
}
