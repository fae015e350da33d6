/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The proxy stage: the last of half path A, the first of half path B, or the middle of a joined
 * path. What comes from the tcp stage of the side where a direction begins has arrived at the
 * proxy; what enters a half path through its queue has crossed over and goes on to its tcp stage.
 */
#include "modules/proxy/conn.h"

#include "kernel/kernel.h"
#include "kernel/show.h"

static bool arrived(const struct conn *c, const struct path *p, enum dir d)
{
    return c->side[side_from(d)].p == p;
}

static void ready(struct conn *c, enum side s);

/* What has crossed over goes on. When the queue between the halves had been too full, the tcp stage
 * here may never have been, so nobody else will say that there is room again. */
static void crossed(struct path *p, int at, struct msg *m, enum dir d)
{
    struct conn *c = p->state[at];
    pass(p, at, d, m);
    if (c->flow[d].crowded && p->work->in[d].count == 0) {
        c->flow[d].crowded = false;
        ready(c, side_to(d));
    }
}

static void deliver(struct path *p, int at, struct msg *m, enum dir d)
{
    struct conn *c = p->state[at];
    if (!arrived(c, p, d)) {
        crossed(p, at, m, d);
        return;
    }
    if (c->flow[d].forward == UINT64_MAX && !c->flow[d].held.head && proxy_room(c, d)) {
        proxy_send(c, d, m);
        return;
    }
    if (msg_charge(m, &p->pool) != OK) { /* acknowledged bytes must not be lost in silence */
        msg_drop(p->pool.k, m, DROP_TCP_MEM);
        proxy_reset(c);
        return;
    }
    msgq_push(&c->flow[d].held, m);
    conn_push(c, d);
    if (c->flow[d].held.head && c->code->data && c->flow[d].forward == 0)
        c->code->data(c, d);
}

static void deliver_ab(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, AB);
}

static void deliver_ba(struct path *p, int at, struct msg *m)
{
    deliver(p, at, m, BA);
}

static uint32_t room(struct path *p, int at, enum dir d)
{
    struct conn *c = p->state[at];
    /* Storage counts too: the window must close before one-byte segments use up the path's pool. */
    uint32_t held = c->flow[d].held.bytes + c->flow[d].held.count * MSG_SMALL_ROOM;
    if (c->flow[d].forward == UINT64_MAX)
        return held ? 0 : proxy_room(c, d);
    return held < PROXY_HELD_MAX ? PROXY_HELD_MAX - held : 0;
}

static uint32_t room_ab(struct path *p, int at)
{
    return room(p, at, AB);
}

static uint32_t room_ba(struct path *p, int at)
{
    return room(p, at, BA);
}

/* The tcp stage of side `s` can take more: what waits for it may move. */
static void ready(struct conn *c, enum side s)
{
    enum dir d = s == SIDE_A ? BA : AB; /* the direction that ends there */
    conn_push(c, d);
    if (c->code->data && c->flow[d].forward == 0)
        c->code->data(c, d);
    if (!c->flow[d].held.head)
        conn_tell(c, side_from(d), EVENT_READY);
}

static void opened(struct conn *c, enum side s)
{
    c->side[s].open = true;
    if (c->code->opened)
        c->code->opened(c, s);
    if (proxy_is_open(c, SIDE_A) && proxy_is_open(c, SIDE_B)) {
        path_note(c->side[SIDE_A].p, NOTE_OPENED);
        ready(c, SIDE_A);
        ready(c, SIDE_B);
    }
}

static void finished(struct conn *c, enum dir d)
{
    c->flow[d].eof = true;
    if (c->code->eof)
        c->code->eof(c, d);
    else
        conn_push(c, d);
}

static void lost(struct conn *c, enum side s)
{
    c->side[s].open = false;
    if (c->code->closed)
        c->code->closed(c, s);
    else
        conn_tell(c, s == SIDE_A ? SIDE_B : SIDE_A, EVENT_RESET);
}

static void event(struct path *p, int at, enum event ev, enum dir d)
{
    struct conn *c = p->state[at];
    enum side s = side_from(d);
    if (!arrived(c, p, d)) {
        path_event(p, at, d, ev);
        return;
    }
    switch (ev) {
    case EVENT_OPENED:
        opened(c, s);
        break;
    case EVENT_EOF:
        finished(c, d);
        break;
    case EVENT_RESET:
        lost(c, s);
        break;
    case EVENT_READY:
        ready(c, s);
        break;
    case EVENT_CLOSED:
        c->side[s].closed = true;
        conn_check_end(c);
        break;
    case EVENT_ANSWER:
    case EVENT_COUNT:
        break;
    }
}

static void event_ab(struct path *p, int at, enum event ev)
{
    event(p, at, ev, AB);
}

static void event_ba(struct path *p, int at, enum event ev)
{
    event(p, at, ev, BA);
}

/* Half path A exists now: the proxy decides. Half path B's tcp stage will tell when it is open. */
static status_t establish(struct path *p, int at)
{
    struct conn *c = p->state[at];
    if (at == 0)
        return OK;
    c->side[SIDE_A].at = at;
    return c->code->accept(c);
}

static void moved(struct path *p, int at)
{
    struct conn *c = p->state[at];
    bool middle = at > 0 && at < p->shape->n - 1;
    for (int s = SIDE_A; s <= SIDE_B; s++) {
        if (!middle && s != (at == 0 ? SIDE_B : SIDE_A))
            continue;
        c->side[s].p = p;
        c->side[s].at = at;
    }
}

/* Only half A (or the joined path) owns the connection; half B may outlive its memory. */
static void destroy(struct path *p, int at)
{
    struct conn *c = p->state[at];
    if (at == 0 || c->side[SIDE_A].p != p)
        return;
    msgq_drop(p->pool.k, &c->flow[AB].held, DROP_PATH_DEAD);
    msgq_drop(p->pool.k, &c->flow[BA].held, DROP_PATH_DEAD);
}

static void show(const struct path *p, int at, struct show *out)
{
    static const char *const names[] = {"A->B", "B->A"};
    const struct conn *c = p->state[at];
    for (int d = AB; d <= BA; d++)
        show_printf(out, "    %s %s held %u%s%s\n", names[d],
                    c->flow[d].forward ? "forwarding" : "control", c->flow[d].held.bytes,
                    c->flow[d].eof ? " eof" : "", c->flow[d].shut ? " shut" : "");
}

const struct stage_ops proxy_stage = {
    .name = "proxy",
    .deliver = {deliver_ab, deliver_ba},
    .room = {room_ab, room_ba},
    .event = {event_ab, event_ba},
    .establish = establish,
    .moved = moved,
    .destroy = destroy,
    .show = show,
};

struct conn *proxy_at(const struct path *p, int at)
{
    return p->shape->at[at].ops == &proxy_stage ? p->state[at] : NULL;
}

static status_t create_server_side(struct conn *c, struct path *p, struct hop *h)
{
    if (c->side[SIDE_B].p)
        return E_EXIST;
    c->side[SIDE_B].p = p;
    c->side[SIDE_B].at = 0;
    h->state = c;
    h->next = c->n->down[0];
    return OK;
}

status_t proxy_create_stage(struct node *n, const struct proxy_code *code, struct attrs *a,
                            struct path *p, struct hop *h)
{
    h->ops = &proxy_stage;
    if (attrs_pointer(a, ATTR_CONN))
        return create_server_side(attrs_pointer(a, ATTR_CONN), p, h);
    struct conn *c = pool_alloc(&p->pool, sizeof *c);
    if (!c)
        return E_NOMEM;
    c->n = n;
    c->code = code;
    c->side[SIDE_A].p = p;
    h->state = c;
    status_t status = attrs_endpoint(a, ATTR_REMOTE, &c->client);
    if (status == OK)
        status = attrs_endpoint(a, ATTR_LOCAL, &c->local);
    for (int d = AB; d <= BA; d++)
        c->flow[d].forward = code->data ? 0 : UINT64_MAX;
    return status;
}
