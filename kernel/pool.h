/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_POOL_H
#define KERNEL_POOL_H
/*
 * Accounts. Whoever allocates names the payer: a path or the kernel. A pool has a limit, knows what
 * was taken from it, and gives everything back when it ends. pool_alloc returns NULL when the limit
 * or the machine's memory is reached; nothing else here can fail. Freeing what another pool paid is
 * a broken invariant and asserts.
 */
#include "kernel/types.h"

struct spare;
struct block; /* header in front of each allocation, private to pool.c */

struct pool {
    struct kernel *k;
    uint32_t used;  /* bytes: allocations, their headers, and charged messages */
    uint32_t limit; /* bytes; used <= limit */
    struct block *blocks;
};

void pool_init(struct pool *pool, struct kernel *k, uint32_t limit);
void *pool_alloc(struct pool *pool, size_t n); /* zeroed, aligned to 16 */
void pool_free(struct pool *pool, void *mem);  /* NULL: nothing */
void pool_end(struct pool *pool);              /* frees all blocks; charged messages must be gone */
/* Everything `from` paid for by pool_alloc is now `into`'s; E_NOMEM: over its limit, no change. */
MUST_CHECK status_t pool_join(struct pool *into, struct pool *from);

/* Bytes that are not pool_alloc's: messages. pool_charge: false, and no change, above the limit. */
static inline bool pool_charge(struct pool *pool, uint32_t n)
{
    if (UNLIKELY(pool->limit - pool->used < n))
        return false;
    pool->used += n;
    return true;
}

static inline void pool_refund(struct pool *pool, uint32_t n)
{
    pool->used -= n;
}

/* Memory that was given back, by size (stock.h). */
enum { STOCK_STEP = 64, STOCK_CLASSES = 16 };

struct stock {
    struct spare *spare[STOCK_CLASSES];
    int n[STOCK_CLASSES];
};

/* Freed memory that waits in a free list is off limits to the address sanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define POOL_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISON 1
#endif
#endif
#ifdef POOL_POISON
void __asan_poison_memory_region(void const volatile *addr, size_t size);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#define MEM_POISON(at, n)   __asan_poison_memory_region(at, n)
#define MEM_UNPOISON(at, n) __asan_unpoison_memory_region(at, n)
/* Nothing waits in the stock: what is used after it was given back shall be found. */
enum { STOCK_KEEP = 0 };
#else
#define MEM_POISON(at, n)   ((void)(at), (void)(n))
#define MEM_UNPOISON(at, n) ((void)(at), (void)(n))
enum { STOCK_KEEP = 256 }; /* of each size */
#endif

#endif
