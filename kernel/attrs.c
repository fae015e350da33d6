/* SPDX-License-Identifier: BSD-2-Clause */
/* A small set of typed attributes; looked up by walking it, for it holds a dozen at most. */
#include "kernel/attrs.h"

#include <assert.h>

static const struct attr *find(const struct attrs *a, enum attr_key key)
{
    for (int i = 0; i < a->n; i++)
        if (a->a[i].key == key)
            return &a->a[i];
    return NULL;
}

static struct attr *place(struct attrs *a, enum attr_key key)
{
    for (int i = 0; i < a->n; i++)
        if (a->a[i].key == key)
            return &a->a[i];
    assert(a->n < ATTRS_MAX);
    a->a[a->n].key = key;
    return &a->a[a->n++];
}

void attrs_set_number(struct attrs *a, enum attr_key key, uint64_t v)
{
    place(a, key)->v.number = v;
}

void attrs_set_addr(struct attrs *a, enum attr_key key, const struct netaddr *v)
{
    place(a, key)->v.addr = *v;
}

void attrs_set_endpoint(struct attrs *a, enum attr_key key, const struct endpoint *v)
{
    place(a, key)->v.endpoint = *v;
}

void attrs_set_node(struct attrs *a, enum attr_key key, struct node *v)
{
    place(a, key)->v.node = v;
}

void attrs_set_pointer(struct attrs *a, enum attr_key key, void *v)
{
    place(a, key)->v.pointer = v;
}

status_t attrs_number(const struct attrs *a, enum attr_key key, uint64_t *out)
{
    const struct attr *at = find(a, key);
    if (!at)
        return E_NOENT;
    *out = at->v.number;
    return OK;
}

status_t attrs_addr(const struct attrs *a, enum attr_key key, struct netaddr *out)
{
    const struct attr *at = find(a, key);
    if (!at)
        return E_NOENT;
    *out = at->v.addr;
    return OK;
}

status_t attrs_endpoint(const struct attrs *a, enum attr_key key, struct endpoint *out)
{
    const struct attr *at = find(a, key);
    if (!at)
        return E_NOENT;
    *out = at->v.endpoint;
    return OK;
}

struct node *attrs_node(const struct attrs *a, enum attr_key key)
{
    const struct attr *at = find(a, key);
    return at ? at->v.node : NULL;
}

void *attrs_pointer(const struct attrs *a, enum attr_key key)
{
    const struct attr *at = find(a, key);
    return at ? at->v.pointer : NULL;
}

uint64_t attrs_number_or(const struct attrs *a, enum attr_key key, uint64_t otherwise)
{
    const struct attr *at = find(a, key);
    return at ? at->v.number : otherwise;
}
