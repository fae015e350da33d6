/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounts over stock.h: each block knows its pool, each pool lists its blocks, so a path that ends
 * (or was only half made) gives everything back without anybody keeping score. Called on the
 * control plane; messages have free lists of their own (msg.c) and only charge an account.
 */
#include "kernel/pool.h"

#include <assert.h>

#include "kernel/stock.h"

struct block {
    struct block *next;
    struct block **prev;
    struct pool *pool;
    uint32_t size; /* header included */
    uint32_t unused;
};

static struct block *block_of(void *mem)
{
    return (struct block *)mem - 1;
}

static void block_link(struct pool *pool, struct block *b)
{
    b->pool = pool;
    b->next = pool->blocks;
    b->prev = &pool->blocks;
    if (b->next)
        b->next->prev = &b->next;
    pool->blocks = b;
}

void pool_init(struct pool *pool, struct kernel *k, uint32_t limit)
{
    *pool = (struct pool){.k = k, .limit = limit};
}

void *pool_alloc(struct pool *pool, size_t n)
{
    if (n > UINT32_MAX / 2)
        return NULL;
    uint32_t size = (uint32_t)(n + sizeof(struct block));
    if (!pool_charge(pool, size))
        return NULL;
    struct block *b = stock_take(pool->k, size);
    if (!b) {
        pool_refund(pool, size);
        return NULL;
    }
    b->size = size;
    block_link(pool, b);
    return b + 1;
}

static void block_free(struct block *b)
{
    *b->prev = b->next;
    if (b->next)
        b->next->prev = b->prev;
    pool_refund(b->pool, b->size);
    stock_give(b->pool->k, b, b->size);
}

void pool_free(struct pool *pool, void *mem)
{
    if (!mem)
        return;
    assert(block_of(mem)->pool == pool);
    block_free(block_of(mem));
}

void pool_end(struct pool *pool)
{
    while (pool->blocks)
        block_free(pool->blocks);
    assert(pool->used == 0);
}

status_t pool_join(struct pool *into, struct pool *from)
{
    uint32_t sum = 0;
    for (struct block *b = from->blocks; b; b = b->next)
        sum += b->size;
    if (!pool_charge(into, sum))
        return E_NOMEM;
    pool_refund(from, sum);
    while (from->blocks) {
        struct block *b = from->blocks;
        from->blocks = b->next;
        block_link(into, b);
    }
    return OK;
}
