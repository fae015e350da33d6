/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which ready path runs next: first come first served, weighted share (stride scheduling: the path
 * with the least virtual time; each run advances it by 1/share), or earliest deadline. Chosen by
 * the setting `sched`. The heap has room for every path there is, so making one ready cannot fail.
 */
#include <assert.h>
#include <string.h>

#include "kernel/kernel.h"

static const uint64_t stride = 1 << 20;

static bool before(const struct path *a, const struct path *b)
{
    return a->work->key < b->work->key;
}

static void heap_up(struct path **heap, uint32_t i)
{
    for (; i && before(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2) {
        struct path *t = heap[i];
        heap[i] = heap[(i - 1) / 2];
        heap[(i - 1) / 2] = t;
    }
}

static void heap_down(struct path **heap, uint32_t n, uint32_t i)
{
    for (;;) {
        uint32_t least = i;
        for (uint32_t c = 2 * i + 1; c <= 2 * i + 2 && c < n; c++)
            if (before(heap[c], heap[least]))
                least = c;
        if (least == i)
            return;
        struct path *t = heap[i];
        heap[i] = heap[least];
        heap[least] = t;
        i = least;
    }
}

/* As many places as there are path numbers; false leaves the old heap, and the path joins late. */
static bool heap_fits(struct kernel *k)
{
    struct sched *s = &k->sched;
    if (s->nheap < s->heap_size)
        return true;
    struct path **heap = pool_alloc(&k->pool, k->paths_size * sizeof(struct path *));
    if (!heap)
        return false;
    if (s->nheap)
        memcpy(heap, s->heap, s->nheap * sizeof(struct path *));
    pool_free(&k->pool, s->heap);
    s->heap = heap;
    s->heap_size = k->paths_size;
    return true;
}

static void fifo_push(struct sched *s, struct path *p)
{
    p->work->next = NULL;
    if (s->tail)
        s->tail->work->next = p;
    else
        s->head = p;
    s->tail = p;
}

void sched_ready(struct kernel *k, struct path *p)
{
    struct sched *s = &k->sched;
    struct work *w = p->work;
    if (w->ready || p->flags & (PATH_DYING | PATH_RUNNING))
        return; /* a running path is looked at again when its run ends */
    w->ready = 1;
    if (s->policy == SCHED_FIFO || !heap_fits(k)) {
        fifo_push(s, p);
        return;
    }
    if (s->policy == SCHED_EDF)
        w->key = k->now + w->deadline;
    else if (w->key < s->clock)
        w->key = s->clock; /* no credit is saved up while idle */
    s->heap[s->nheap] = p;
    heap_up(s->heap, s->nheap++);
}

static void heap_remove(struct sched *s, uint32_t i)
{
    s->heap[i] = s->heap[--s->nheap];
    if (i < s->nheap) {
        heap_up(s->heap, i);
        heap_down(s->heap, s->nheap, i);
    }
}

struct path *sched_next(struct kernel *k)
{
    struct sched *s = &k->sched;
    struct path *p = s->head;
    if (p) {
        s->head = p->work->next;
        if (!s->head)
            s->tail = NULL;
    } else if (s->nheap) {
        p = s->heap[0];
        heap_remove(s, 0);
        if (s->policy == SCHED_SHARE) {
            s->clock = p->work->key;
            p->work->key += stride / (p->work->share ? p->work->share : 1U);
        }
    } else {
        return NULL;
    }
    p->work->ready = 0;
    return p;
}

void sched_remove(struct kernel *k, struct path *p)
{
    struct sched *s = &k->sched;
    if (!p->work || !p->work->ready)
        return;
    p->work->ready = 0;
    for (uint32_t i = 0; i < s->nheap; i++) {
        if (s->heap[i] == p) {
            heap_remove(s, i);
            return;
        }
    }
    struct path *previous = NULL;
    for (struct path *q = s->head; q; previous = q, q = q->work->next) {
        if (q != p)
            continue;
        if (previous)
            previous->work->next = p->work->next;
        else
            s->head = p->work->next;
        if (s->tail == p)
            s->tail = previous;
        return;
    }
    assert(false); /* a ready path is in a list */
}
