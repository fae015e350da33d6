/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table, and the walk over the graph that ends in a path. Open addressing with linear
 * probing and deletion by shifting back, so no tombstones grow. At most 3/4 full; a quarter
 * larger then.
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

void flow_table_end(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    for (uint32_t i = 0; i < t->nchunks; i++)
        pool_free(&k->pool, t->chunks[i]);
    pool_free(&k->pool, t->chunks);
    pool_free(&k->pool, t->slots);
    *t = (struct flow_table){0};
}

struct flow *flow_find_on(const struct flow_table *t, struct flow_key key, uint32_t tag,
                          uint32_t slot)
{
    for (; t->slots[slot].line; slot = flow_after(t, slot)) {
        if (t->slots[slot].tag != tag)
            continue;
        struct flow *f = flow_line(t, t->slots[slot].line);
        if (f->key.w[0] == key.w[0] && f->key.w[1] == key.w[1])
            return f;
    }
    return NULL;
}

uint64_t flow_table_bytes(const struct kernel *k)
{
    const struct flow_table *t = &k->flows;
    return (uint64_t)t->nslots * sizeof *t->slots +
           (uint64_t)t->nchunks * FLOW_CHUNK * sizeof(struct flow);
}

/* Is there room in the list for one more chunk? */
static bool chunks_fit(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    if (t->nchunks < t->room)
        return true;
    uint32_t room = t->room + t->room / 2 + 8;
    struct flow **chunks = pool_alloc(&k->pool, room * sizeof(struct flow *));
    if (!chunks)
        return false;
    if (t->nchunks)
        memcpy(chunks, t->chunks, t->nchunks * sizeof(struct flow *));
    pool_free(&k->pool, t->chunks);
    t->chunks = chunks;
    t->room = room;
    return true;
}

/* Lines come in chunks, which never move. */
static bool chunk_add(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    struct flow *chunk = chunks_fit(k) ? pool_alloc(&k->pool, FLOW_CHUNK * sizeof *chunk) : NULL;
    if (!chunk)
        return false;
    t->chunks[t->nchunks] = chunk;
    uint32_t base = t->nchunks++ * FLOW_CHUNK;
    for (uint32_t i = FLOW_CHUNK; i-- > (base ? 0 : 1);) { /* line 0 means none */
        chunk[i].next = t->free & FLOW_LINE;
        t->free = base + i;
    }
    return true;
}

status_t flow_table_init(struct kernel *k, uint32_t limit)
{
    struct flow_table *t = &k->flows;
    *t = (struct flow_table){.limit = limit, .nslots = SLOTS_FIRST};
    t->slots = pool_alloc(&k->pool, (SLOTS_FIRST + 1) * sizeof *t->slots);
    seed_draw(k);
    t->source_seed = plat_random(k);
    return t->slots && chunk_add(k) ? OK : E_NOMEM;
}

static uint32_t line_take(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    if (!t->free && !chunk_add(k))
        return 0;
    uint32_t line = t->free;
    t->free = flow_line(t, line)->next;
    return line;
}

static void line_give(struct flow_table *t, uint32_t line)
{
    struct flow *f = flow_line(t, line);
    memset(f, 0, sizeof *f);
    f->next = t->free & FLOW_LINE;
    t->free = line;
}

/* Returns the number of slots looked at. */
static uint32_t slot_put(struct flow_table *t, uint64_t hash, uint32_t line)
{
    uint32_t i = flow_home(t, hash), probes = 1;
    for (; t->slots[i].line; i = flow_after(t, i))
        probes++;
    t->slots[i] = (struct flow_slot){flow_tag(hash), line};
    return probes;
}

/* All flows into a table of that many slots under the present seed. False: no memory, no change. */
static bool table_rebuild(struct kernel *k, uint32_t nslots)
{
    struct flow_table *t = &k->flows;
    struct flow_slot *slots = pool_alloc(&k->pool, (nslots + 1) * sizeof *slots), *old = t->slots;
    uint32_t nold = t->nslots;
    if (!slots)
        return false;
    t->slots = slots;
    t->nslots = nslots;
    for (uint32_t i = 0; i < nold; i++)
        if (old[i].line)
            slot_put(t, flow_hash(t, flow_line(t, old[i].line)->key), old[i].line);
    pool_free(&k->pool, old);
    return true;
}

/* A long probe is chance or malice: another key ends both. It costs as much as the table is large,
 * so it must have been paid for by as many insertions. */
static void table_rekey(struct kernel *k)
{
    struct flow_table *t = &k->flows;
    uint64_t seed[2] = {t->seed[0], t->seed[1]};
    seed_draw(k);
    if (table_rebuild(k, t->nslots)) {
        t->rekeys++;
        t->patience = t->nslots;
    } else {
        t->seed[0] = seed[0];
        t->seed[1] = seed[1];
    }
}

uint32_t *flow_source(struct flow_table *t, uint32_t src)
{
    return &t->of_source[(src ^ t->source_seed) * (t->source_seed | 1) >> 52];
}

/* n is 1 or -1. */
static void source_count(struct flow_table *t, struct flow_key key, int n)
{
    if (key.w[1] >> 56 == FLOW_CONN)
        *flow_source(t, (uint32_t)(key.w[0] >> 32)) += (uint32_t)n;
}

status_t flow_insert(struct kernel *k, struct flow_key key, struct path *p, enum dir d,
                     struct flow **out)
{
    struct flow_table *t = &k->flows;
    if (flow_find(t, key))
        return E_EXIST;
    if (t->count >= t->limit)
        return E_NOMEM;
    uint32_t n = t->nslots;
    if (t->count + 1 > n / 4 * 3 && !table_rebuild(k, n + n / 4) && t->count + 2 > n)
        return E_NOMEM;
    uint32_t line = line_take(k);
    if (!line)
        return E_NOMEM;
    struct flow *f = flow_line(t, line);
    *f = (struct flow){.key = key, .path = p->id, .next = p->flow & FLOW_LINE, .dir = d == BA};
    p->flow = line;
    t->count++;
    source_count(t, key, 1);
    uint32_t probes = slot_put(t, flow_hash(t, key), line);
    if (t->patience)
        t->patience--;
    else if (probes > PROBE_LONG)
        table_rekey(k);
    if (out)
        *out = f;
    return OK;
}

static uint32_t slots_between(const struct flow_table *t, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + t->nslots - from;
}

static void slot_remove(struct flow_table *t, struct flow_key key, uint32_t line)
{
    uint32_t i = flow_home(t, flow_hash(t, key));
    while (t->slots[i].line != line) {
        assert(t->slots[i].line);
        i = flow_after(t, i);
    }
    /* Shift back what probed over the hole (Knuth 6.4, algorithm R). */
    for (uint32_t j = flow_after(t, i); t->slots[j].line; j = flow_after(t, j)) {
        uint32_t home = flow_home(t, flow_hash(t, flow_line(t, t->slots[j].line)->key));
        if (slots_between(t, home, j) >= slots_between(t, i, j)) {
            t->slots[i] = t->slots[j];
            i = j;
        }
    }
    t->slots[i].line = 0;
}

static void flow_forget(struct flow_table *t, uint32_t line)
{
    source_count(t, flow_line(t, line)->key, -1);
    slot_remove(t, flow_line(t, line)->key, line);
    line_give(t, line);
    t->count--;
}

void flow_remove(struct kernel *k, struct path *p, struct flow_key key)
{
    struct flow_table *t = &k->flows;
    struct flow *before = NULL;
    for (uint32_t line = p->flow; line; line = before->next) {
        struct flow *f = flow_line(t, line);
        if (f->key.w[0] == key.w[0] && f->key.w[1] == key.w[1]) {
            if (before)
                before->next = f->next;
            else
                p->flow = f->next;
            flow_forget(t, line);
            return;
        }
        before = f;
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
        f->next = to->flow & FLOW_LINE;
        f->path = to->id;
        f->dir = same ? f->dir : !f->dir;
        to->flow = line;
    }
}

/* Where messages of direction d that begin with n's header enter p. -1: nowhere. */
static int entrance(const struct path *p, const struct node *n, enum dir d)
{
    int first = d == AB ? 0 : p->shape->n - 1, step = d == AB ? 1 : -1;
    for (int at = first; at >= 0 && at < p->shape->n; at += step)
        if (p->shape->at[at].node == n)
            return at;
    for (int at = first; at >= 0 && at < p->shape->n; at += step)
        if (p->shape->at[at].ops->network)
            return at;
    return -1;
}

void classify_again(struct node *link, struct node *n, struct msg *m)
{
    struct kernel *k = link->k;
    struct demux d = {.m = m, .link = link};
    if (!classify(n, &d))
        return;
    struct path *p = d.path, *outer = k->running;
    int at = entrance(p, n, d.dir);
    if (at < 0 || p->flags & PATH_DYING || p == outer) {
        msg_drop(k, m, DROP_PATH_DEAD);
        return;
    }
    k->running = p;
    p->shape->at[at].ops->deliver[d.dir](p, at, m);
    k->running = outer;
}
