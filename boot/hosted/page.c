/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages, from malloc so that the sanitizers see their borders. They are listed, because the kernel
 * never returns them and a process of tests makes thousands of kernels.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/hosted/ground.h"
#include "kernel/plat.h"

enum { PAGE = 4096 };

struct pages {
    struct pages *next;
    void *at;
};

static struct pages *pages_list;
static size_t pages_used;

void *plat_pages(size_t n)
{
    if (n == 0 || n > SIZE_MAX - PAGE)
        return NULL;
    n = (n + PAGE - 1) & ~(size_t)(PAGE - 1);
    struct pages *p = malloc(sizeof *p);
    void *at = p ? aligned_alloc(PAGE, n) : NULL;
    if (!at) {
        free(p);
        return NULL;
    }
    *p = (struct pages){pages_list, memset(at, 0, n)};
    pages_list = p;
    pages_used += n;
    return at;
}

size_t ground_pages_used(void)
{
    return pages_used;
}

void ground_pages_free(void)
{
    while (pages_list) {
        struct pages *p = pages_list;
        pages_list = p->next;
        free(p->at);
        free(p);
    }
    pages_used = 0;
}

uint64_t plat_dma(const void *at, size_t n)
{
    (void)n;
    return (uint64_t)(uintptr_t)at; /* no card is given it */
}
