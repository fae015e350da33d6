/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a path: made in four phases, joined, destroyed. Running it is run.c. A path that
 * fails half way is undone by the same code that ends a living one.
 */
#include "kernel/path.h"

#include <assert.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/plat.h"
#include "kernel/show.h"

static status_t id_take(struct kernel *k, struct path *p)
{
    if (k->paths_live == k->paths_limit)
        return E_NOMEM;
    if (k->paths_live == k->paths_size) { /* double both tables */
        uint32_t size = k->paths_size ? 2 * k->paths_size : 64;
        struct path **paths = pool_alloc(&k->pool, size * sizeof *paths);
        uint32_t *free_list = pool_alloc(&k->pool, size * sizeof *free_list);
        if (!paths || !free_list) {
            pool_free(&k->pool, paths);
            pool_free(&k->pool, free_list);
            return E_NOMEM;
        }
        if (k->paths_size)
            memcpy(paths, k->paths, k->paths_size * sizeof *paths);
        for (uint32_t i = k->paths_size; i < size; i++) /* low numbers are taken first */
            free_list[size - 1 - i] = i;
        pool_free(&k->pool, k->paths);
        pool_free(&k->pool, k->paths_free);
        k->paths = paths;
        k->paths_free = free_list;
        k->paths_size = size;
    }
    uint32_t nfree = k->paths_size - k->paths_live++;
    uint32_t index = k->paths_free[nfree - 1];
    p->id = k->paths_generation++ << 24 | index;
    k->paths[index] = p;
    return OK;
}

static void id_give(struct kernel *k, struct path *p)
{
    uint32_t index = p->id & PATH_INDEX;
    k->paths[index] = NULL;
    k->paths_free[k->paths_size - k->paths_live--] = index;
}

static struct work *work_make(struct kernel *k, struct path *p)
{
    struct work *w = pool_alloc(&k->pool, sizeof *w);
    if (w) {
        w->limit = PATHQ_MAX;
        w->share = 1;
        w->deadline = 10ULL * MS;
        w->self = p;
        w->born = k->now;
    }
    return w;
}

static struct path *path_alloc(struct kernel *k, bool in_line)
{
    uint16_t nstate = in_line ? PATH_INLINE_STAGES : PATH_STAGES;
    struct path *p = pool_alloc(&k->pool, sizeof *p + nstate * sizeof p->state[0]);
    if (!p)
        return NULL;
    pool_init(&p->pool, k, k->path_pool_limit);
    p->nstate = nstate;
    p->flags = in_line ? PATH_INLINE : 0;
    p->work = in_line ? NULL : work_make(k, p);
    if ((!in_line && !p->work) || id_take(k, p) != OK) {
        pool_free(&k->pool, p->work);
        pool_free(&k->pool, p);
        return NULL;
    }
    return p;
}

/* End the path now. It is not running, and nobody can find it any more. */
static void path_free(struct kernel *k, struct path *p)
{
    flow_remove_all(k, p);
    sched_remove(k, p);
    for (int at = p->shape ? p->shape->n - 1 : -1; at >= 0; at--)
        if (p->shape->at[at].ops->destroy)
            p->shape->at[at].ops->destroy(p, at);
    if (p->work) {
        msgq_drop(k, &p->work->in[AB], DROP_PATH_DEAD);
        msgq_drop(k, &p->work->in[BA], DROP_PATH_DEAD);
    }
    id_give(k, p);
    pool_end(&p->pool);
    pool_free(&k->pool, p->work);
    pool_free(&k->pool, p);
}

const char *stage_name(const struct shape *s, int at)
{
    return s->at[at].ops->name ? s->at[at].ops->name : s->at[at].node->name;
}

static bool shape_equal(const struct shape *a, const struct shape *b)
{
    if (a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++)
        if (a->at[i].ops != b->at[i].ops || a->at[i].node != b->at[i].node)
            return false;
    return true;
}

/* The shape like `want` that all paths of the kind share. NULL: no memory. */
static const struct shape *shape_intern(struct kernel *k, const struct shape *want)
{
    for (uint32_t i = 0; i < k->nshapes; i++)
        if (shape_equal(k->shapes[i], want))
            return k->shapes[i];
    size_t length = 1;
    for (int i = 0; i < want->n; i++)
        length += strlen(stage_name(want, i)) + 1;
    struct shape *s = pool_alloc(&k->pool, sizeof *s);
    char *name = pool_alloc(&k->pool, length);
    struct shape **grown = pool_alloc(&k->pool, (k->nshapes + 1) * sizeof *grown);
    if (!s || !name || !grown) {
        pool_free(&k->pool, s);
        pool_free(&k->pool, name);
        pool_free(&k->pool, grown);
        return NULL;
    }
    *s = *want;
    for (int i = 0; i < s->n; i++) {
        strcat(name, i ? " " : "");
        strcat(name, stage_name(s, i));
    }
    s->name = name;
    if (k->nshapes)
        memcpy(grown, k->shapes, k->nshapes * sizeof *grown);
    grown[k->nshapes++] = s;
    pool_free(&k->pool, k->shapes);
    k->shapes = grown;
    return s;
}

void shapes_end(struct kernel *k)
{
    for (uint32_t i = 0; i < k->nshapes; i++) {
        pool_free(&k->pool, (void *)(uintptr_t)k->shapes[i]->name);
        pool_free(&k->pool, k->shapes[i]);
    }
    pool_free(&k->pool, k->shapes);
    k->shapes = NULL;
    k->nshapes = 0;
}

/* Phase 1: ask node by node for stages. s says how far it got, also when it failed. */
static status_t path_grow(struct path *p, struct node *from, struct attrs *a, struct shape *s)
{
    struct node *before = NULL;
    for (struct node *n = from; n;) {
        struct hop h = {0};
        if (s->n == p->nstate || !n->module->create_stage)
            return E_INVAL;
        status_t status = n->module->create_stage(n, before, a, p, &h);
        if (status != OK)
            return status;
        s->at[s->n].ops = h.ops;
        s->at[s->n].node = n;
        p->state[s->n++] = h.state;
        before = n;
        n = h.next;
    }
    return OK;
}

static status_t path_establish(struct path *p)
{
    for (int at = 0; at < p->shape->n; at++) {
        if (!p->shape->at[at].ops->establish)
            continue;
        status_t status = p->shape->at[at].ops->establish(p, at);
        if (status != OK)
            return status;
    }
    return OK;
}

status_t path_create(struct kernel *k, struct node *from, struct attrs *a, bool in_line,
                     struct path **out)
{
    struct path *p = path_alloc(k, in_line);
    if (!p)
        return E_NOMEM;
    struct shape grown = {0};
    p->shape = &grown; /* so that path_free undoes what a failure leaves */
    status_t status = path_grow(p, from, a, &grown);
    if (status == OK) {
        const struct shape *shared = shape_intern(k, &grown);
        status = shared ? OK : E_NOMEM;
        p->shape = shared ? shared : &grown;
    }
    if (status == OK)
        status = path_establish(p);
    if (status != OK) {
        path_free(k, p);
        return status;
    }
    if (p->work)
        path_note(p, NOTE_CREATED);
    *out = p;
    return OK;
}

static void stages_moved(struct path *p)
{
    for (int at = 0; at < p->shape->n; at++)
        if (p->shape->at[at].ops->moved)
            p->shape->at[at].ops->moved(p, at);
}

status_t path_join(struct path *a, int a_keep, struct path *b, int b_from)
{
    struct kernel *k = a->pool.k;
    int nb = b->shape->n - b_from;
    assert(!(a->flags & PATH_RUNNING) && !(b->flags & PATH_RUNNING) && a->work && b->work);
    if (a_keep + nb > a->nstate || a_keep > a->shape->n || nb < 0)
        return E_INVAL;
    struct shape want = *a->shape;
    want.n = a_keep + nb;
    for (int i = 0; i < nb; i++)
        want.at[a_keep + i] = b->shape->at[b_from + i];
    const struct shape *shared = shape_intern(k, &want);
    if (!shared)
        return E_NOMEM;
    uint32_t limit = a->pool.limit, queued = b->pool.used;
    a->pool.limit = limit > UINT32_MAX - b->pool.limit ? UINT32_MAX : limit + b->pool.limit;
    if (a->pool.limit - a->pool.used < queued || pool_join(&a->pool, &b->pool) != OK) {
        a->pool.limit = limit;
        return E_NOMEM;
    }
    /* From here on nothing can fail: what b holds fits, for a's limit is now the sum of both. */
    for (int at = a->shape->n - 1; at >= a_keep; at--)
        if (a->shape->at[at].ops->destroy)
            a->shape->at[at].ops->destroy(a, at);
    for (int at = b_from - 1; at >= 0; at--)
        if (b->shape->at[at].ops->destroy)
            b->shape->at[at].ops->destroy(b, at);
    for (int i = 0; i < nb; i++)
        a->state[a_keep + i] = b->state[b_from + i];
    a->shape = shared;
    flow_move(k, b, a, true);
    for (int d = AB; d <= BA; d++) {
        struct msg *m;
        while ((m = msgq_pop(&b->work->in[d]))) /* it will enter at the end it was queued for */
            path_wake(a, (enum dir)d, m);
        a->work->events[d] |= b->work->events[d];
        a->work->msgs[d] += b->work->msgs[d];
        a->work->bytes[d] += b->work->bytes[d];
        a->work->drops += d ? 0 : b->work->drops;
    }
    stages_moved(a);
    static const struct shape none;
    b->shape = &none;
    path_destroy(b);
    return OK;
}

void path_destroy(struct path *p)
{
    struct kernel *k = p->pool.k;
    if (p->flags & PATH_DYING)
        return;
    p->flags |= PATH_DYING;
    flow_remove_all(k, p);
    sched_remove(k, p);
    p->reap = k->dying;
    k->dying = p;
}

void path_reap(struct kernel *k)
{
    while (k->dying) {
        struct path *p = k->dying;
        k->dying = p->reap;
        path_free(k, p);
    }
}
