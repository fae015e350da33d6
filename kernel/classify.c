/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table, and the walk over the graph that ends in a path. Open addressing with linear
 * probing and deletion by shifting back, so no tombstones grow. At most 3/4 full; doubled then.
 */
#include "kernel/classify.h"

#include <assert.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/plat.h"

/* At 3/4 full a random key probes more than 384 slots once in 10^7 insertions or less. */
enum { SLOTS_FIRST = 1024, PROBE_LONG = 384 };

static void seed_draw(struct kernel *k)
{
    k->flows.seed[0] = plat_random(k);
    k->flows.seed[1] = plat_random(k);
}

status_t flow_table_init(struct kernel *k, uint32_t limit)
{
    struct flow_table *t = &k->flows;
    *t = (struct flow_table){.limit = limit, .mask = SLOTS_FIRST - 1};
    t->slots = pool_alloc(&k->pool, SLOTS_FIRST * sizeof *t->slots);
    seed_draw(k);
    return t->slots ? OK : E_NOMEM;
}

void flow_table_end(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    for (uint32_t i = 0; i < t->nchunks; i++)
        pool_free(&k->pool, t->chunks[i]);
    pool_free(&k->pool, t->chunks);
    pool_free(&k->pool, t->slots);
    *t = (struct flow_table){0};
}

/* Lines, from chunks that never move. */
static uint32_t line_take(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    if (!t->free) {
        struct flow **chunks = pool_alloc(&k->pool, (t->nchunks + 1) * sizeof(struct flow *));
        struct flow *chunk = pool_alloc(&k->pool, FLOW_CHUNK * sizeof *chunk);
        if (!chunks || !chunk) {
            pool_free(&k->pool, chunks);
            pool_free(&k->pool, chunk);
            return 0;
        }
        if (t->nchunks)
            memcpy(chunks, t->chunks, t->nchunks * sizeof(struct flow *));
        pool_free(&k->pool, t->chunks);
        t->chunks = chunks;
        t->chunks[t->nchunks] = chunk;
        uint32_t base = t->nchunks++ * FLOW_CHUNK;
        for (uint32_t i = FLOW_CHUNK; i-- > (base ? 0 : 1);) { /* line 0 means none */
            chunk[i].next = t->free;
            t->free = base + i;
        }
    }
    uint32_t line = t->free;
    t->free = flow_line(t, line)->next;
    return line;
}

static void line_give(struct flow_table *t, uint32_t line)
{
    struct flow *f = flow_line(t, line);
    memset(f, 0, sizeof *f);
    f->next = t->free;
    t->free = line;
}

/* Returns the number of slots looked at. */
static uint32_t slot_put(struct flow_slot *slots, uint32_t mask, uint64_t hash, uint32_t line)
{
    uint32_t i = (uint32_t)hash & mask, probes = 1;
    for (; slots[i].line; i = (i + 1) & mask)
        probes++;
    slots[i] = (struct flow_slot){(uint32_t)(hash >> 32), line};
    return probes;
}

/* All flows into a table of that many slots under the present seed. False: no memory, no change. */
static bool table_rebuild(struct kernel *k, uint32_t nslots)
{
    struct flow_table *t = &k->flows;
    struct flow_slot *slots = pool_alloc(&k->pool, nslots * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i <= t->mask; i++)
        if (t->slots[i].line)
            slot_put(slots, nslots - 1, flow_hash(t, flow_line(t, t->slots[i].line)->key),
                     t->slots[i].line);
    pool_free(&k->pool, t->slots);
    t->slots = slots;
    t->mask = nslots - 1;
    return true;
}

/* A long probe is chance or malice: another key ends both. It costs as much as the table is large,
 * so it must have been paid for by as many insertions. */
static void table_rekey(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    uint64_t seed[2] = {t->seed[0], t->seed[1]};
    seed_draw(k);
    if (table_rebuild(k, t->mask + 1)) {
        t->rekeys++;
        t->patience = t->mask + 1;
    } else {
        t->seed[0] = seed[0];
        t->seed[1] = seed[1];
    }
}

status_t flow_insert(struct kernel *k, struct flow_key key, struct path *p, enum dir d,
                     struct flow **out)
{
    struct flow_table *t = &k->flows;
    if (flow_find(t, key))
        return E_EXIST;
    if (t->count >= t->limit)
        return E_NOMEM;
    uint32_t nslots = t->mask + 1;
    if (t->count + 1 > nslots / 4 * 3 && !table_rebuild(k, nslots * 2) && t->count + 2 > nslots)
        return E_NOMEM;
    uint32_t line = line_take(k);
    if (!line)
        return E_NOMEM;
    struct flow *f = flow_line(t, line);
    *f = (struct flow){.key = key, .path = p->id, .next = p->flow, .dir = (uint8_t)d};
    p->flow = line;
    t->count++;
    uint32_t probes = slot_put(t->slots, t->mask, flow_hash(t, key), line);
    if (t->patience)
        t->patience--;
    else if (probes > PROBE_LONG)
        table_rekey(k);
    if (out)
        *out = f;
    return OK;
}

static void slot_remove(struct flow_table *t, struct flow_key key, uint32_t line)
{
    uint32_t i = (uint32_t)flow_hash(t, key) & t->mask;
    while (t->slots[i].line != line) {
        assert(t->slots[i].line);
        i = (i + 1) & t->mask;
    }
    /* Shift back what probed over the hole (Knuth 6.4, algorithm R). */
    for (uint32_t j = (i + 1) & t->mask; t->slots[j].line; j = (j + 1) & t->mask) {
        uint32_t home = (uint32_t)flow_hash(t, flow_line(t, t->slots[j].line)->key) & t->mask;
        if (((j - home) & t->mask) >= ((j - i) & t->mask)) {
            t->slots[i] = t->slots[j];
            i = j;
        }
    }
    t->slots[i].line = 0;
}

static void flow_forget(struct flow_table *t, uint32_t line)
{
    slot_remove(t, flow_line(t, line)->key, line);
    line_give(t, line);
    t->count--;
}

void flow_remove(struct kernel *k, struct path *p, struct flow_key key)
{
    struct flow_table *t = &k->flows;
    uint32_t *link = &p->flow;
    while (*link) {
        struct flow *f = flow_line(t, *link);
        if (f->key.w[0] == key.w[0] && f->key.w[1] == key.w[1]) {
            uint32_t line = *link;
            *link = f->next;
            flow_forget(t, line);
            return;
        }
        link = &f->next;
    }
}

void flow_remove_all(struct kernel *k, struct path *p)
{
    struct flow_table *t = &k->flows;
    while (p->flow) {
        uint32_t line = p->flow;
        p->flow = flow_line(t, line)->next;
        flow_forget(t, line);
    }
}

void flow_move(struct kernel *k, struct path *from, struct path *to, bool same)
{
    struct flow_table *t = &k->flows;
    while (from->flow) {
        uint32_t line = from->flow;
        struct flow *f = flow_line(t, line);
        from->flow = f->next;
        f->next = to->flow;
        f->path = to->id;
        f->dir = (uint8_t)(same ? f->dir : !f->dir);
        to->flow = line;
    }
}

void classify_again(struct node *link, struct node *n, struct msg *m)
{
    struct kernel *k = link->k;
    struct demux d = {.m = m, .link = link};
    if (!classify(n, &d))
        return;
    struct path *p = d.path, *outer = k->running;
    int at = d.dir == AB ? 0 : p->shape->n - 1;
    while (at >= 0 && at < p->shape->n && p->shape->at[at].node != n)
        at += d.dir == AB ? 1 : -1;
    if (at < 0 || at >= p->shape->n || p->flags & PATH_DYING || p == outer) {
        msg_drop(k, m, DROP_PATH_DEAD);
        return;
    }
    k->running = p;
    p->shape->at[at].ops->deliver[d.dir](p, at, m);
    k->running = outer;
}
