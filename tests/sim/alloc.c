/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocations that fail; see alloc.h. The names are the linker's: --wrap. */
#include "tests/sim/alloc.h"

#include "kernel/msg.h"

struct allocs allocs;

void *__real_pool_alloc(struct pool *pool, size_t n);
void *__wrap_pool_alloc(struct pool *pool, size_t n);
struct msg *__real_msg_alloc(struct pool *payer, size_t headroom, size_t len);
struct msg *__wrap_msg_alloc(struct pool *payer, size_t headroom, size_t len);
struct msg *__real_msg_alloc_class(struct pool *payer, enum msg_class class);
struct msg *__wrap_msg_alloc_class(struct pool *payer, enum msg_class class);

static bool refuses(const struct pool *pool)
{
    if (!allocs.k || pool->k != allocs.k)
        return false;
    bool no = ++allocs.count == allocs.nth || rng_chance(&allocs.random, allocs.ppm);
    allocs.refused += no;
    return no;
}

void *__wrap_pool_alloc(struct pool *pool, size_t n)
{
    return refuses(pool) ? NULL : __real_pool_alloc(pool, n);
}

struct msg *__wrap_msg_alloc(struct pool *payer, size_t headroom, size_t len)
{
    return refuses(payer) ? NULL : __real_msg_alloc(payer, headroom, len);
}

struct msg *__wrap_msg_alloc_class(struct pool *payer, enum msg_class class)
{
    return refuses(payer) ? NULL : __real_msg_alloc_class(payer, class);
}
