/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers and memory of paths. The table of paths grows by half, and what is free in it is linked
 * through it, so it costs at most 12 bytes a path. A slim path (inline, up to three stages: what a
 * splice ends as) comes from a slab, without a block of its own; slabs never move and are kept
 * until the kernel ends, like the lines of the flow table.
 */
#include <assert.h>
#include <string.h>

#include "kernel/making.h"

enum { IDS_FIRST = 64, SLAB_PATHS = 128, ID_NONE = PATH_INDEX };

/* An object from a slab. */
enum { SLIM_SIZE = sizeof(struct path) + PATH_SLIM_STAGES * sizeof(void *) };

struct path_slab {
    struct path_slab *next;
    _Alignas(struct path) uint8_t room[SLAB_PATHS][SLIM_SIZE];
};

/* What stands in the room of one that is free. */
struct slim_free {
    struct slim_free *next;
};

static_assert(SLIM_SIZE % _Alignof(struct path) == 0, "they stand side by side");

static void id_link(struct kernel *k, uint32_t index)
{
    k->paths[index].next_free = (uintptr_t)k->paths_free << 1 | 1;
    k->paths_free = index;
}

static status_t ids_grow(struct kernel *k)
{
    uint32_t size = k->paths_size ? k->paths_size + k->paths_size / 2 : IDS_FIRST;
    if (size > ID_NONE)
        size = ID_NONE;
    union path_slot *paths =
        size > k->paths_size ? pool_alloc(&k->pool, size * sizeof *paths) : NULL;
    if (!paths)
        return E_NOMEM;
    if (k->paths_size)
        memcpy(paths, k->paths, k->paths_size * sizeof *paths);
    pool_free(&k->pool, k->paths);
    k->paths = paths;
    k->paths_free = ID_NONE;
    for (uint32_t i = size; i-- > k->paths_size;) /* low numbers are taken first */
        id_link(k, i);
    k->paths_size = size;
    return OK;
}

status_t id_take(struct kernel *k, struct path *p)
{
    if (k->paths_live == k->paths_limit || (k->paths_live == k->paths_size && ids_grow(k) != OK))
        return E_NOMEM;
    uint32_t index = k->paths_free;
    k->paths_free = (uint32_t)(k->paths[index].next_free >> 1);
    k->paths[index].p = p;
    k->paths_live++;
    p->id = k->paths_generation++ << 24 | index;
    return OK;
}

void id_give(struct kernel *k, struct path *p)
{
    id_link(k, path_number(p));
    k->paths_live--;
}

static struct path *slim_make(struct kernel *k)
{
    struct slim_free *room = k->slim.free;
    if (!room) {
        struct path_slab *slab = pool_alloc(&k->pool, sizeof *slab);
        if (!slab)
            return NULL;
        slab->next = k->slim.slabs;
        k->slim.slabs = slab;
        k->slim.nslabs++;
        for (int i = SLAB_PATHS; i-- > 0;) {
            struct slim_free *f = (struct slim_free *)(void *)slab->room[i];
            f->next = room;
            room = f;
            MEM_POISON(f + 1, SLIM_SIZE - sizeof *f);
        }
    }
    k->slim.free = room->next;
    MEM_UNPOISON(room, SLIM_SIZE);
    memset(room, 0, SLIM_SIZE);
    return (struct path *)(void *)room;
}

static void slim_free(struct kernel *k, struct path *p)
{
    struct slim_free *f = (struct slim_free *)(void *)p;
    f->next = k->slim.free;
    k->slim.free = f;
    MEM_POISON(f + 1, SLIM_SIZE - sizeof *f);
}

static struct work *work_make(struct kernel *k, struct path *p)
{
    struct work *w = pool_alloc(&k->pool, sizeof *w);
    if (w) {
        w->limit = PATHQ_MAX;
        w->share = 1;
        w->deadline = 10ULL * MS;
        w->self = p;
    }
    return w;
}

struct path *object_make(struct kernel *k, bool in_line, int nstages)
{
    bool slim = in_line && nstages <= PATH_SLIM_STAGES;
    size_t nstate = slim ? PATH_SLIM_STAGES : in_line ? PATH_INLINE_STAGES : PATH_STAGES;
    struct path *p =
        slim ? slim_make(k) : pool_alloc(&k->pool, sizeof *p + nstate * sizeof p->state[0]);
    if (!p)
        return NULL;
    pool_init(&p->pool, k, k->path_pool_limit);
    p->nstate = (uint8_t)nstate;
    p->flags = in_line ? PATH_INLINE : 0;
    p->work = in_line ? NULL : work_make(k, p);
    if (in_line || p->work)
        return p;
    pool_free(&k->pool, p);
    return NULL;
}

void object_free(struct kernel *k, struct path *p)
{
    pool_end(&p->pool);
    pool_free(&k->pool, p->work);
    if (p->nstate == PATH_SLIM_STAGES)
        slim_free(k, p);
    else
        pool_free(&k->pool, p);
}

void paths_end(struct kernel *k)
{
    while (k->slim.slabs) {
        struct path_slab *slab = k->slim.slabs;
        k->slim.slabs = slab->next;
        MEM_UNPOISON(slab->room, sizeof slab->room);
        pool_free(&k->pool, slab);
    }
    k->slim.free = NULL;
    k->slim.nslabs = 0;
    pool_free(&k->pool, k->paths);
    k->paths = NULL;
    k->paths_size = 0;
}

uint64_t paths_table_bytes(const struct kernel *k)
{
    return (uint64_t)k->paths_size * sizeof k->paths[0] +
           (uint64_t)k->slim.nslabs * sizeof(struct path_slab);
}
