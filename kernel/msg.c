/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: where their storage comes from and goes back to. Storage is carved from the machine's
 * pages, never returned to it, and kept in a free list per class. Operations on the bytes are in
 * msgedit.c.
 */
#include "kernel/msg.h"

#include <assert.h>

#include "kernel/kernel.h"
#include "kernel/plat.h"

static const uint32_t room_of[MSG_CLASSES] = {MSG_SMALL_ROOM, MSG_FULL_ROOM};

static uint32_t size_of(enum msg_class class)
{
    return (uint32_t)(sizeof(struct msg) + room_of[class] + 63) & ~63U;
}

void msg_store_init(struct kernel *k, uint32_t full_limit)
{
    k->msgs.limit[MSG_FULL] = full_limit;
    k->msgs.limit[MSG_SMALL] = 2 * full_limit;
}

/* Carve the next 64 KiB or so into free messages. */
static bool store_grow(struct kernel *k, enum msg_class class)
{
    struct msg_store *s = &k->msgs;
    uint32_t size = size_of(class), n = 65536 / size;
    if (n > s->limit[class] - s->total[class])
        n = s->limit[class] - s->total[class];
    uint8_t *at = n ? plat_pages((size_t)n * size) : NULL;
    if (!at)
        return false;
    s->total[class] += n;
    for (uint32_t i = 0; i < n; i++, at += size) {
        struct msg *m = (struct msg *)(void *)at;
        m->next = s->free[class];
        s->free[class] = m;
        MEM_POISON(m->room, room_of[class]);
    }
    return true;
}

struct msg *msg_alloc_class(struct pool *payer, enum msg_class class)
{
    struct kernel *k = payer->k;
    struct msg_store *s = &k->msgs;
    if (UNLIKELY(!s->free[class] && !store_grow(k, class)))
        return NULL;
    if (UNLIKELY(!pool_charge(payer, size_of(class))))
        return NULL;
    struct msg *m = s->free[class];
    s->free[class] = m->next;
    s->live[class]++;
    MEM_UNPOISON(m->room, MSG_HEADROOM); /* the rest byte by byte, as msg_put gives it out */
    m->next = NULL;
    m->more = NULL;
    m->data = m->room + MSG_HEADROOM;
    m->len = 0;
    m->total = 0;
    m->store = m;
    m->payer = payer;
    m->refs = 1;
    m->class = (uint8_t) class;
    m->flags = 0;
    m->seg_size = 0;
    m->ttl = 0;
    m->net = NULL;
    return m;
}

struct msg *msg_alloc(struct pool *payer, size_t headroom, size_t len)
{
    if (headroom + len > MSG_FULL_ROOM)
        return NULL;
    struct msg *m = msg_alloc_class(payer, headroom + len <= MSG_SMALL_ROOM ? MSG_SMALL : MSG_FULL);
    if (m) {
        m->data = m->room + headroom;
        MEM_UNPOISON(m->room, headroom);
    }
    return m;
}

uint32_t msg_cost(const struct msg *m)
{
    uint32_t sum = 0;
    for (; m; m = m->more)
        sum += size_of(m->class);
    return sum;
}

static void store_put(struct msg *m)
{
    struct kernel *k = m->payer->k;
    struct msg_store *s = &k->msgs;
    pool_refund(m->payer, size_of(m->class));
    MEM_POISON(m->room, room_of[m->class]);
    m->payer = NULL;
    m->next = s->free[m->class];
    s->free[m->class] = m;
    s->live[m->class]--;
}

/* One part less uses this storage. While slices still do, nobody but the kernel pays for it: the
 * path that did may end first. */
static void store_release(struct msg *store, bool by_owner)
{
    assert(store->refs > 0);
    if (--store->refs == 0) {
        store_put(store);
    } else if (by_owner) {
        struct pool *kp = &store->payer->k->pool;
        pool_refund(store->payer, size_of(store->class));
        kp->used += size_of(store->class); /* the kernel's account cannot refuse it */
        store->payer = kp;
    }
}

void msg_free(struct msg *m)
{
    while (m) {
        struct msg *more = m->more, *store = m->store;
        if (store == m) {
            store_release(m, true);
        } else {
            store_release(store, false);
            m->refs = 0;
            store_put(m);
        }
        m = more;
    }
}

void msg_drop(struct kernel *k, struct msg *m, enum drop why)
{
    k->drops[why]++;
    if (k->running && k->running->work)
        k->running->work->drops++;
    msg_free(m);
}

status_t msg_charge(struct msg *m, struct pool *payer)
{
    if (m->payer == payer && !m->more)
        return OK;
    uint32_t sum = 0;
    for (struct msg *part = m; part; part = part->more)
        if (part->payer != payer)
            sum += size_of(part->class);
    if (!pool_charge(payer, sum))
        return E_NOMEM;
    for (struct msg *part = m; part; part = part->more) {
        if (part->payer != payer) {
            pool_refund(part->payer, size_of(part->class));
            part->payer = payer;
        }
    }
    return OK;
}

void msgq_drop_some(struct kernel *k, struct msgq *q, enum drop why)
{
    struct msg *m;
    while ((m = msgq_pop(q)))
        msg_drop(k, m, why);
}

void msgq_free(struct msgq *q)
{
    struct msg *m;
    while ((m = msgq_pop(q)))
        msg_free(m);
}
