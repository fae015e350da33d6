/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a proxy can say about its connection (proxy.h). Bytes and events reach the other side along
 * the path when both sides share one, and through the other path's queue when they do not.
 */
#include "modules/proxy/conn.h"

#include <assert.h>

#include "kernel/kernel.h"

struct node *proxy_node(const struct conn *c)
{
    return c->n;
}

void **proxy_private(struct conn *c)
{
    return &c->private;
}

struct pool *proxy_pool(struct conn *c)
{
    return &c->side[SIDE_A].p->pool;
}

const struct endpoint *proxy_client(const struct conn *c)
{
    return &c->client;
}

const struct endpoint *proxy_local(const struct conn *c)
{
    return &c->local;
}

bool proxy_is_open(const struct conn *c, enum side s)
{
    return c->side[s].open && !c->side[s].closed;
}

struct path *proxy_path(const struct conn *c, enum side s)
{
    return c->side[s].p;
}

const struct msgq *proxy_held(const struct conn *c, enum dir d)
{
    return &c->flow[d].held;
}

/* A path may be entered directly by who runs in it, or when it is the only one of the connection.
 */
static bool entered(const struct conn *c, const struct path *p)
{
    return conn_joined(c) || c->n->k->running == p;
}

void conn_tell(struct conn *c, enum side s, enum event ev)
{
    struct path *p = c->side[s].p;
    enum dir d = s == SIDE_A ? BA : AB;
    if (!p || c->side[s].closed)
        return;
    if (entered(c, p))
        path_event(p, c->side[s].at, d, ev);
    else
        path_post(p, d, ev);
}

uint32_t proxy_room(struct conn *c, enum dir d)
{
    enum side to = side_to(d);
    struct path *p = c->side[to].p;
    if (!p || !proxy_is_open(c, to) || c->flow[d].shut)
        return 0;
    uint32_t room = path_room(p, c->side[to].at, d);
    if (conn_joined(c))
        return room;
    const struct msgq *crossing = &p->work->in[d];
    if (crossing->count >= p->work->limit / 2 || crossing->bytes >= room) {
        c->flow[d].crowded = crossing->count > 0;
        return 0;
    }
    return room - crossing->bytes;
}

void proxy_send(struct conn *c, enum dir d, struct msg *m)
{
    enum side to = side_to(d);
    struct path *p = c->side[to].p;
    if (!p || c->side[to].closed || c->flow[d].shut)
        msg_drop(c->n->k, m, DROP_PROXY_CLOSED);
    else if (entered(c, p))
        pass(p, c->side[to].at, d, m);
    else if (msg_charge(m, &c->n->k->pool) != OK) /* in transit: either path may end first */
        msg_drop(c->n->k, m, DROP_TCP_MEM);       /* cannot be: the kernel has no limit */
    else
        path_wake(p, d, m);
}

void proxy_shut(struct conn *c, enum dir d)
{
    if (c->flow[d].shut)
        return;
    c->flow[d].shut = true;
    conn_tell(c, side_to(d), EVENT_EOF);
}

void proxy_reset(struct conn *c)
{
    msgq_drop(c->n->k, &c->flow[AB].held, DROP_PROXY_CLOSED);
    msgq_drop(c->n->k, &c->flow[BA].held, DROP_PROXY_CLOSED);
    conn_tell(c, SIDE_A, EVENT_RESET);
    conn_tell(c, SIDE_B, EVENT_RESET);
}

void proxy_answer(struct conn *c)
{
    conn_tell(c, SIDE_A, EVENT_ANSWER);
}

void proxy_consume(struct conn *c, enum dir d, size_t n)
{
    struct msgq *q = &c->flow[d].held;
    assert(n <= q->bytes);
    while (n) {
        struct msg *m = q->head;
        if (m->total > n) {
            msg_skip(m, n);
            q->bytes -= (uint32_t)n;
            break;
        }
        n -= m->total;
        msg_free(msgq_pop(q));
    }
    conn_tell(c, side_from(d), EVENT_READY);
}

/* At most the bytes still to be forwarded go; the message is cut where the proxy wants to look. */
static struct msg *held_take(struct conn *c, enum dir d)
{
    struct msg *m = c->flow[d].held.head;
    if (m->total > c->flow[d].forward) {
        struct msg *rest = msg_split(m, (size_t)c->flow[d].forward);
        if (!rest)
            return NULL;
        struct msgq *q = &c->flow[d].held;
        rest->next = m->next;
        q->head = rest;
        if (q->tail == m)
            q->tail = rest;
        q->bytes -= m->total;
        m->next = NULL;
    } else {
        m = msgq_pop(&c->flow[d].held);
    }
    if (c->flow[d].forward != UINT64_MAX)
        c->flow[d].forward -= m->total;
    return m;
}

void conn_push(struct conn *c, enum dir d)
{
    while (c->flow[d].held.head && c->flow[d].forward && proxy_room(c, d)) {
        struct msg *m = held_take(c, d);
        if (!m)
            break; /* no memory for the cut: the next event tries again */
        proxy_send(c, d, m);
    }
    if (c->flow[d].eof && !c->flow[d].held.head && !c->code->eof)
        proxy_shut(c, d);
}

void proxy_forward(struct conn *c, enum dir d)
{
    c->flow[d].forward = UINT64_MAX;
    conn_push(c, d);
    conn_tell(c, side_from(d), EVENT_READY);
    path_note(c->side[SIDE_A].p, NOTE_MODE);
}

void proxy_control(struct conn *c, enum dir d, uint64_t after)
{
    c->flow[d].forward = after;
    path_note(c->side[SIDE_A].p, NOTE_MODE);
}

status_t proxy_connect(struct conn *c, const struct endpoint *to, const struct endpoint *from)
{
    struct attrs a = {0};
    struct path *p;
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_endpoint(&a, ATTR_REMOTE, to);
    attrs_set_pointer(&a, ATTR_CONN, c);
    if (from)
        attrs_set_endpoint(&a, ATTR_LOCAL, from);
    return path_create(c->n->k, c->n, &a, false, &p);
}

void conn_check_end(struct conn *c)
{
    struct path *a = c->side[SIDE_A].p, *b = c->side[SIDE_B].p;
    if (!c->side[SIDE_A].closed || (b && !c->side[SIDE_B].closed))
        return;
    if (b && b != a)
        path_destroy(b);
    path_destroy(a);
}
