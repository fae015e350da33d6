/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shapes: which stages a path has, one object for all paths of the kind, and what the rules may
 * make of it. They are few, and stay until the kernel ends.
 */
#include <string.h>

#include "kernel/making.h"

const char *stage_name(const struct shape *s, int at)
{
    return s->at[at].ops->name ? s->at[at].ops->name : s->at[at].node->name;
}

static bool shape_equal(const struct shape *a, const struct shape *b)
{
    int middle = a->n / 2; /* there most of them differ */
    if (a->n != b->n || a->at[middle].ops != b->at[middle].ops)
        return false;
    for (int i = 0; i < a->n; i++)
        if (a->at[i].ops != b->at[i].ops || a->at[i].node != b->at[i].node)
            return false;
    return true;
}

/* The rules that find their place in s. */
static void turns_find(struct shape *s, const struct rule *const *rules)
{
    s->nturns = 0;
    for (; rules && *rules; rules++) {
        int at = (*rules)->place ? (*rules)->place(s) : 0;
        if (at >= 0)
            s->turns[s->nturns++] = (struct turn){.rule = *rules, .at = at};
    }
}

const struct shape *shape_turned(struct kernel *k, const struct shape *s, const struct turn *t)
{
    struct shape to = *s;
    t->rule->turn(&to, t->at);
    return shape_intern(k, &to);
}

const struct shape *shape_intern(struct kernel *k, const struct shape *want)
{
    if (want->shared == want)
        return want;
    for (uint32_t i = 0; i < k->nshapes; i++)
        if (shape_equal(k->shapes[i], want))
            return k->shapes[i];
    const struct rule *const *rules = k->graph->rules;
    size_t length = 1, nrules = 0;
    while (rules && rules[nrules])
        nrules++;
    for (int i = 0; i < want->n; i++)
        length += strlen(stage_name(want, i)) + 1;
    struct shape *s = pool_alloc(&k->pool, sizeof *s);
    char *name = pool_alloc(&k->pool, length);
    struct turn *turns = pool_alloc(&k->pool, nrules * sizeof *turns);
    struct shape **grown = pool_alloc(&k->pool, (k->nshapes + 1) * sizeof *grown);
    if (!s || !name || !turns || !grown) {
        pool_free(&k->pool, s);
        pool_free(&k->pool, name);
        pool_free(&k->pool, turns);
        pool_free(&k->pool, grown);
        return NULL;
    }
    *s = *want;
    for (int i = 0; i < s->n; i++) {
        strcat(name, i ? " " : "");
        strcat(name, stage_name(s, i));
    }
    s->name = name;
    s->shared = s;
    s->turns = turns;
    turns_find(s, rules);
    for (int d = AB; d <= BA; d++) {
        s->enter[d].at = d == AB ? 0 : s->n - 1;
        s->enter[d].deliver = s->at[s->enter[d].at].ops->deliver[d];
    }
    bool whole = s->n == 3 && s->at[0].ops->link && s->at[2].ops->link;
    s->express = whole ? s->at[1].ops->express : NULL;
    s->records = whole && s->at[1].ops->records;
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
        pool_free(&k->pool, k->shapes[i]->turns);
        pool_free(&k->pool, k->shapes[i]);
    }
    pool_free(&k->pool, k->shapes);
    k->shapes = NULL;
    k->nshapes = 0;
}
