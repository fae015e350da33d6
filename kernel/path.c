/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a path: made in four phases, destroyed. Running it is run.c, rewriting it reshape.c.
 * A path that fails half way is undone by the same code that ends a living one.
 */
#include <assert.h>

#include "kernel/path.h"

#include "kernel/making.h"

static struct path *path_alloc(struct kernel *k, bool in_line)
{
    struct path *p = object_make(k, in_line, in_line ? PATH_INLINE_STAGES : PATH_STAGES);
    if (p && id_take(k, p) == OK)
        return p;
    if (p)
        object_free(k, p);
    return NULL;
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
    object_free(k, p);
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

void path_destroy(struct path *p)
{
    struct kernel *k = p->pool.k;
    if (p->flags & PATH_DYING)
        return;
    p->flags |= PATH_DYING;
    flow_remove_all(k, p);
    sched_remove(k, p);
    p->reap = k->dying;
    k->dying = path_number(p) + 1;
}

void path_reap(struct kernel *k)
{
    while (k->dying) {
        struct path *p = path_at(k, k->dying - 1);
        assert(p); /* it is freed here and nowhere else */
        k->dying = p->reap;
        path_free(k, p);
    }
}
