/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How rules rewrite paths, between two runs: two become one, or one gets other stages, and a path
 * with queues becomes one without or the other way round. Whatever can fail comes first; then
 * nothing can, so a rewrite is done wholly or not at all.
 */
#include <assert.h>
#include <string.h>

#include "kernel/making.h"

void stages_moved(struct path *p)
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

/* q is p from now on: its number, flows, account. p has nothing left but messages that its stages
 * hold, which they charge anew when they are told that they moved. */
static void object_replace(struct path *p, struct path *q)
{
    q->pool.limit = p->pool.limit;
    status_t status = pool_join(&q->pool, &p->pool);
    (void)status;
    assert(status == OK); /* the limit is the same, and nothing was used of it */
    q->flags |= (uint16_t)(p->flags & (PATH_PLAIN | PATH_EMPTY | PATH_AGE));
    q->own[AB] = p->own[AB];
    q->own[BA] = p->own[BA];
    q->id = p->id;
    q->flow = p->flow;
    p->pool.k->paths[path_number(q)].p = q;
    if (q->work)
        path_carried(p, q->work->msgs, q->work->bytes);
}

/* Frames in a queue must outlive the account they may be charged to. */
static void queue_charge(struct kernel *k, const struct msgq *q)
{
    for (struct msg *m = q->head; m; m = m->next) {
        status_t status = msg_charge(m, &k->pool);
        (void)status; /* the kernel's own account has no limit */
    }
}

static void drain_events(struct path *q, struct work *w, unsigned which)
{
    for (int d = AB; d <= BA; d++) {
        events_deliver(q, (enum dir)d, w->events[d] & which);
        w->events[d] &= (uint8_t)~which;
    }
}

static bool work_waits(const struct work *w)
{
    return w->in[AB].head || w->in[BA].head || w->events[AB] || w->events[BA];
}

/* What waited goes through q, which has no queues, in the order of path_run: aborts, messages from
 * alternating ends, the other events. */
static void work_drain(struct kernel *k, struct work *w, struct path *q)
{
    k->running = q;
    drain_events(q, w, EVENTS_URGENT);
    while (w->in[AB].count || w->in[BA].count) {
        for (int d = AB; d <= BA; d++) {
            struct msg *m = msgq_pop(&w->in[d]);
            if (m && q->flags & PATH_DYING)
                msg_drop(k, m, DROP_PATH_DEAD);
            else if (m)
                path_input(q, (enum dir)d, m);
        }
    }
    drain_events(q, w, ~0U);
    k->running = NULL;
}

status_t path_reshape(struct path *p, const struct shape *to, void *const state[], bool in_line,
                      struct path **out)
{
    struct kernel *k = p->pool.k;
    struct path *q = p;
    assert(!k->running && !(p->flags & (PATH_RUNNING | PATH_DYING)));
    if (to->n < 1 || to->n > (in_line ? PATH_INLINE_STAGES : PATH_STAGES))
        return E_INVAL;
    const struct shape *shared = shape_intern(k, to);
    if (!shared)
        return E_NOMEM;
    if (in_line != !p->work || to->n > p->nstate)
        q = object_make(k, in_line, to->n);
    if (!q)
        return E_NOMEM;
    if (state != q->state)
        memcpy(q->state, state, (size_t)to->n * sizeof state[0]);
    q->shape = shared;
    q->flags &= (uint16_t)~PATH_RECORDS;
    if (in_line && shared->records)
        q->flags |= PATH_RECORDS;
    *out = q;
    if (q == p) {
        stages_moved(q);
        return OK;
    }
    struct work *w = p->work;
    unsigned notes = p->notes;
    if (w) {
        queue_charge(k, &w->in[AB]);
        queue_charge(k, &w->in[BA]);
        sched_remove(k, p);
    }
    object_replace(p, q);
    stages_moved(q);
    p->work = NULL;
    for (int i = 0; i < k->ndevs; i++) /* frames that wait for the burst to end are still p's */
        if (k->devs[i]->ntx)
            netdev_flush(k->devs[i]);
    object_free(k, p);
    if (notes)
        path_note(q, (enum note)notes);
    if (w && !q->work && work_waits(w))
        work_drain(k, w, q);
    pool_free(&k->pool, w);
    return OK;
}
