/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: cutting, sharing and copying their bytes. Everything here keeps
 * m->total == m->len + the sum of the parts, and leaves m unchanged when it fails.
 */
#include <assert.h>
#include <string.h>

#include "kernel/msg.h"

/* A part that shows n bytes of another's storage. */
static struct msg *slice(struct pool *payer, struct msg *of, uint8_t *data, uint32_t n)
{
    struct msg *s = msg_alloc_class(payer, MSG_SMALL);
    if (!s)
        return NULL;
    s->store = of->store;
    s->store->refs++;
    s->data = data;
    s->len = n;
    s->total = n;
    return s;
}

/* The part that holds byte `off`, which becomes the offset in it. off < m->total. */
static struct msg *part_at(struct msg *m, size_t *off)
{
    while (*off >= m->len) {
        *off -= m->len;
        m = m->more;
    }
    return m;
}

/* Slices of n bytes from off, linked by more; NULL: no memory (or n is 0). */
static struct msg *slices(struct pool *payer, struct msg *m, size_t off, size_t n)
{
    struct msg *first = NULL, **link = &first;
    size_t left = n;
    for (struct msg *part = n ? part_at(m, &off) : NULL; left; part = part->more, off = 0) {
        size_t take = part->len - off < left ? part->len - off : left;
        if (take == 0)
            continue;
        *link = slice(payer, part, part->data + off, (uint32_t)take);
        if (!*link) {
            msg_free(first);
            return NULL;
        }
        link = &(*link)->more;
        left -= take;
    }
    return first;
}

struct msg *msg_clone(struct pool *payer, struct msg *m, size_t off, size_t len)
{
    if (off + len > m->total)
        return NULL;
    struct msg *head = msg_alloc_class(payer, MSG_SMALL);
    if (!head)
        return NULL;
    if (len) {
        head->more = slices(payer, m, off, len);
        if (!head->more) {
            msg_free(head);
            return NULL;
        }
        head->total = (uint32_t)len;
    }
    head->data = head->room + MSG_HEADROOM;
    return head;
}

struct msg *msg_copy(struct pool *payer, const struct msg *m, size_t off, size_t len)
{
    if (off + len > m->total)
        return NULL;
    struct msg *copy = msg_alloc(payer, MSG_HEADROOM, len);
    if (!copy)
        return NULL;
    uint8_t *to = msg_put(copy, len);
    assert(to); /* there is as much room as was asked for */
    if (!msg_peek(m, off, to, len)) {
        msg_free(copy);
        return NULL;
    }
    return copy;
}

static size_t room_behind(const struct msg *m)
{
    size_t room = m->class == MSG_SMALL ? MSG_SMALL_ROOM : MSG_FULL_ROOM;
    return (size_t)(m->room + room - (m->data + m->len));
}

uint8_t *msg_put(struct msg *m, size_t n)
{
    if (m->store != m || m->more || room_behind(m) < n)
        return NULL;
    uint8_t *at = m->data + m->len;
    MEM_UNPOISON(at, n);
    m->len += (uint32_t)n;
    m->total += (uint32_t)n;
    return at;
}

void msg_trim(struct msg *m, size_t n)
{
    assert(n <= m->total);
    m->total = (uint32_t)n;
    while (m->len < n) {
        n -= m->len;
        m = m->more;
    }
    m->len = (uint32_t)n;
    msg_free(m->more);
    m->more = NULL;
}

void msg_skip(struct msg *m, size_t n)
{
    assert(n <= m->total);
    m->total -= (uint32_t)n;
    for (struct msg *part = m; n; part = part->more) {
        uint32_t take = part->len < n ? part->len : (uint32_t)n;
        part->data += take;
        part->len -= take;
        n -= take;
    }
    while (m->more && m->more->len == 0) { /* emptied parts need not be carried on */
        struct msg *empty = m->more;
        m->more = empty->more;
        empty->more = NULL;
        msg_free(empty);
    }
}

struct msg *msg_split(struct msg *m, size_t n)
{
    if (n >= m->total)
        return NULL;
    struct msg *rest = msg_clone(m->payer, m, n, m->total - n);
    if (!rest)
        return NULL;
    rest->flags = m->flags;
    rest->in_dev = m->in_dev;
    msg_trim(m, n);
    return rest;
}

void msg_append(struct msg *a, struct msg *b)
{
    a->total += b->total;
    while (a->more)
        a = a->more;
    a->more = b;
}

bool msg_peek(const struct msg *m, size_t off, void *to, size_t n)
{
    if (off > m->total || n > m->total - off)
        return false;
    uint8_t *out = to;
    for (; n; m = m->more) {
        if (off >= m->len) {
            off -= m->len;
            continue;
        }
        size_t take = m->len - off < n ? m->len - off : n;
        memcpy(out, m->data + off, take);
        out += take;
        n -= take;
        off = 0;
    }
    return true;
}
