/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RAM: the largest free piece below 4 GiB (cards with 32-bit addresses must reach all of it) is the
 * machine's memory. malloc grows into it from below, plat_pages takes from above and gives nothing
 * back, and where they meet there is none left. The image, the loader's data (copied out by now)
 * and what lies below 1 MiB are not part of it.
 */
#include <assert.h>
#include <string.h>

#include "boot/x86_64/ground.h"
#include "kernel/plat.h"

enum { PAGE = 4096 };

static struct {
    uintptr_t first, low, high, last; /* [first, low) malloc's, [high, last) given as pages */
} heap;

extern char image_data[], image_end[];

uint64_t memory_init(const struct boot_info *boot)
{
    for (int i = 0; i < boot->nram; i++) {
        uint64_t at = boot->ram[i].at, end = at + boot->ram[i].n;
        if (at < (uintptr_t)image_end)
            at = (uintptr_t)image_end;
        if (end > 1ULL << 32)
            end = 1ULL << 32;
        at = (at + PAGE - 1) / PAGE * PAGE;
        end = end / PAGE * PAGE;
        if (!boot->ram[i].free || at >= end || end - at <= heap.last - heap.first)
            continue;
        heap.first = heap.low = (uintptr_t)at;
        heap.high = heap.last = (uintptr_t)end;
    }
    return heap.last - heap.first;
}

void *memory_break(ptrdiff_t n)
{
    uintptr_t old = heap.low;
    if (n > 0 ? (uintptr_t)n > heap.high - heap.low : (uintptr_t)-n > heap.low - heap.first)
        return NULL;
    heap.low += (uintptr_t)n;
    return (void *)old;
}

void *plat_pages(size_t n)
{
    if (!n || n > heap.high - heap.low)
        return NULL;
    n = (n + PAGE - 1) / PAGE * PAGE;
    if (n > heap.high - heap.low)
        return NULL;
    heap.high -= n;
    return memset((void *)heap.high, 0, n);
}

bool memory_holds(const void *at, size_t n)
{
    uintptr_t a = (uintptr_t)at, end = a + n;
    return end >= a && ((a >= (uintptr_t)image_data && end <= (uintptr_t)image_end) ||
                        (a >= heap.first && end <= heap.last));
}

/* A card may write what is data or heap, never code or constants. */
uint64_t plat_dma(const void *at, size_t n)
{
    assert(memory_holds(at, n));
    return (uintptr_t)at;
}
