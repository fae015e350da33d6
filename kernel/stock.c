/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the stock comes from and goes to: malloc. */
#include "kernel/stock.h"

#include <stdlib.h>

void *stock_more(uint32_t size)
{
    uint32_t class = stock_class(size);
    return calloc(1, class < STOCK_CLASSES ? (class + 1) * STOCK_STEP : size);
}

void stock_less(void *mem)
{
    free(mem);
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
