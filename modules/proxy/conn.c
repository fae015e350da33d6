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

const struct endpoint *proxy_server(const struct conn *c)
{
    return &c->server;
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
    if (c->away)
        conn_tell_away(c, ev);
    else if (entered(c, p))
        path_event(p, c->side[s].at, d, ev);
    else
        path_post(p, d, ev);
}

uint32_t proxy_room(struct conn *c, enum dir d)
{
    enum side to = side_to(d);
    struct path *p = c->side[to].p;
    if (!p || c->away || !proxy_is_open(c, to) || c->flow[d].shut)
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
    c->passed += m->total;
    if (c->passed >= c->after && c->passed - m->total < c->after)
        path_note(c->side[SIDE_A].p, NOTE_MODE);
    if (!p || c->away || c->side[to].closed || c->flow[d].shut || (c->parting && to == SIDE_B))
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

/* The message is cut where the proxy wants to look. */
static struct msg *held_take(struct msgq *q, uint64_t n)
{
    struct msg *m = q->head;
    if (m->total > n) {
        struct msg *rest = msg_split(m, (size_t)n);
        if (!rest)
            return NULL;
        rest->next = m->next;
        q->head = rest;
        if (q->tail == m)
            q->tail = rest;
        q->bytes -= m->total;
        m->next = NULL;
    } else {
        m = msgq_pop(q);
    }
    return m;
}

struct msg *proxy_take(struct conn *c, enum dir d, size_t n)
{
    struct msg *m = n && c->flow[d].held.head ? held_take(&c->flow[d].held, n) : NULL;
    if (m)
        conn_tell(c, side_from(d), EVENT_READY);
    return m;
}

/* At most the bytes still to be forwarded go. */
void conn_push(struct conn *c, enum dir d)
{
    while (c->flow[d].held.head && c->flow[d].forward && proxy_room(c, d)) {
        struct msg *m = held_take(&c->flow[d].held, c->flow[d].forward);
        if (!m)
            break; /* no memory for the cut: the next event tries again */
        if (c->flow[d].forward != UINT64_MAX)
            c->flow[d].forward -= m->total;
        bool last = c->flow[d].forward == 0;
        proxy_send(c, d, m);
        if (last)
            conn_data(c, d);
    }
    if (c->flow[d].eof && !c->flow[d].held.head &&
        (!c->code->eof || c->flow[d].forward == UINT64_MAX))
        proxy_shut(c, d);
}

void conn_data(struct conn *c, enum dir d)
{
    if (!c->code->data || c->flow[d].forward)
        return;
    c->again |= (uint8_t)(1U << d);
    if (c->telling)
        return;
    c->telling = true;
    while (c->again) {
        d = c->again & 1U << AB ? AB : BA;
        c->again &= (uint8_t) ~(1U << d);
        if (c->flow[d].forward == 0)
            c->code->data(c, d);
    }
    c->telling = false;
}

void proxy_forward(struct conn *c, enum dir d)
{
    c->flow[d].on_data = false;
    c->flow[d].forward = UINT64_MAX;
    conn_push(c, d);
    conn_tell(c, side_from(d), EVENT_READY);
    path_note(c->side[SIDE_A].p, NOTE_MODE);
}

void proxy_control(struct conn *c, enum dir d, uint64_t after)
{
    c->flow[d].on_data = after == PROXY_ON_DATA;
    c->flow[d].forward = after == PROXY_ON_DATA ? 0 : after;
    if (c->flow[d].forward) {
        conn_push(c, d);
        conn_tell(c, side_from(d), EVENT_READY);
    }
    path_note(c->side[SIDE_A].p, NOTE_MODE);
}

status_t proxy_connect(struct conn *c, const struct endpoint *to, const struct endpoint *from)
{
    struct attrs a = {0};
    struct path *p;
    c->server = *to;
    if (c->parting) {
        conn_part(c, to, from);
        return OK;
    }
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_endpoint(&a, ATTR_REMOTE, to);
    attrs_set_pointer(&a, ATTR_CONN, c);
    if (from)
        attrs_set_endpoint(&a, ATTR_LOCAL, from);
    status_t status = path_create(c->n->k, c->n, &a, false, &p);
    if (status != OK)
        c->side[SIDE_B].p = NULL; /* what the stage had noted is gone */
    return status;
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

void proxy_end(struct conn *c)
{
    struct path *p = c->side[SIDE_A].p, *b = c->side[SIDE_B].p;
    if (b && b != p)
        b->state[c->side[SIDE_B].at] = NULL;
    if (c->code->ended)
        c->code->ended(c);
    msgq_drop(p->pool.k, &c->flow[AB].held, DROP_PATH_DEAD);
    msgq_drop(p->pool.k, &c->flow[BA].held, DROP_PATH_DEAD);
    pool_free(&p->pool, c);
}
