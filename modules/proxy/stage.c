/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The proxy stage: the last of half path A, the first of half path B, or the middle of a joined
 * path. What comes from the tcp stage of the side where a direction begins has arrived at the
 * proxy; what enters a half path through its queue has crossed over and goes on to its tcp stage.
 */
#include "modules/proxy/conn.h"

#include "kernel/kernel.h"
#include "kernel/services.h"
#include "kernel/show.h"

/* A half path B whose proxy has let it go: p->state[at] is NULL. It ends by itself. */
static void orphan_deliver(struct path *p, int at, struct msg *m, enum dir d)
{
    if (d == AB) {
        pass(p, at, d, m); /* said before the FIN */
        return;
    }
    msg_drop(p->pool.k, m, DROP_PROXY_CLOSED); /* RFC 1122 4.2.2.13: a RST is due */
    path_event(p, at, AB, EVENT_RESET);
}

static void orphan_event(struct path *p, int at, enum event ev, enum dir d)
{
    if (d == AB)
        path_event(p, at, d, ev);
    else if (ev == EVENT_OPENED)
        path_event(p, at, AB, EVENT_RESET);
    else if (ev == EVENT_CLOSED)
        path_destroy(p);
}

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
    if (!c) {
        orphan_deliver(p, at, m, d);
        return;
    }
    if (!arrived(c, p, d)) {
        crossed(p, at, m, d);
        return;
    }
    if (c->parting && d == BA) {
        msg_drop(p->pool.k, m, DROP_PROXY_CLOSED);
        conn_tell(c, SIDE_B, EVENT_RESET);
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
    c->flow[d].on_data = false;
    conn_push(c, d);
    if (c->flow[d].held.head)
        conn_data(c, d);
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
    if (!c || (c->parting && d == BA))
        return UINT32_MAX;
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
    conn_data(c, d);
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
    conn_push(c, d);
    if (c->code->eof)
        c->code->eof(c, d);
}

static void lost(struct conn *c, enum side s)
{
    c->side[s].open = false;
    if (c->code->closed)
        c->code->closed(c, s);
    else
        conn_tell(c, s == SIDE_A ? SIDE_B : SIDE_A, EVENT_RESET);
}

/* Bytes went past us while the direction was spliced. */
static void back(struct conn *c, enum side s)
{
    const struct transport_ops *tcp = c->n->down[0]->module->ops;
    struct path *p = c->side[s].p;
    uint64_t n = tcp->passed(p, c->side[s].at + (s == SIDE_A ? -1 : 1));
    proxy_passed(c, s == SIDE_A ? AB : BA, n);
    path_note(c->side[SIDE_A].p, NOTE_MODE);
}

static void event(struct path *p, int at, enum event ev, enum dir d)
{
    struct conn *c = p->state[at];
    enum side s = side_from(d);
    if (!c) {
        orphan_event(p, at, ev, d);
        return;
    }
    if (!arrived(c, p, d)) {
        path_event(p, at, d, ev);
        return;
    }
    if (c->parting && s == SIDE_B && ev != EVENT_CLOSED)
        return;
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
        if (c->parting)
            path_note(p, NOTE_MODE);
        conn_check_end(c);
        break;
    case EVENT_BACK:
        back(c, s);
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

/* What may be spliced offers each host no more than the other one takes. */
static void bind(struct conn *c)
{
    const struct transport_ops *tcp = c->n->down[0]->module->ops;
    struct path *a = c->side[SIDE_A].p, *b = c->side[SIDE_B].p;
    if (c->n->ndown > 1 && tcp && tcp->bind)
        tcp->bind(a, c->side[SIDE_A].at - 1, b, b ? c->side[SIDE_B].at + 1 : 0);
}

/* Half path A exists now: the proxy decides. Half path B's tcp stage will tell when it is open. */
static status_t establish(struct path *p, int at)
{
    struct conn *c = p->state[at];
    if (at)
        c->side[SIDE_A].at = at;
    bind(c);
    return at ? c->code->accept(c) : OK;
}

/* Held bytes are the account's of the path they came by. They are never given up: what the new one
 * cannot pay is the kernel's. */
static void held_charge(const struct conn *c, enum dir d, struct pool *payer)
{
    for (struct msg *m = c->flow[d].held.head; m; m = m->next)
        if (msg_charge(m, payer) != OK && msg_charge(m, &c->n->k->pool) != OK)
            log_error(c->n->k, "%s: bytes nobody pays for", c->n->name);
}

static void moved(struct path *p, int at)
{
    struct conn *c = p->state[at];
    if (!c)
        return;
    bool middle = at > 0 && at < p->shape->n - 1;
    c->away = false;
    for (int s = SIDE_A; s <= SIDE_B; s++) {
        if (!middle && s != (at == 0 ? SIDE_B : SIDE_A))
            continue;
        c->side[s].p = p;
        c->side[s].at = at;
        held_charge(c, s == SIDE_A ? AB : BA, &p->pool);
    }
}

/* Only half A (or the joined path) owns the connection. Either half may end first. */
static void destroy(struct path *p, int at)
{
    struct conn *c = p->state[at];
    if (c && at == 0 && c->side[SIDE_B].p == p) {
        held_charge(c, BA, &p->pool.k->pool);
        c->side[SIDE_B].p = NULL;
    }
    if (at == 0 || c->side[SIDE_A].p != p)
        return;
    proxy_end(c);
}

static void show(const struct path *p, int at, struct show *out)
{
    static const char *const names[] = {"A->B", "B->A"};
    static const char *const modes[] = {"control", "forwarding", "counted", "waiting"};
    const struct conn *c = p->state[at];
    uint64_t n;
    if (!c) {
        show_printf(out, "    let go\n");
        return;
    }
    for (int d = AB; d <= BA; d++)
        show_printf(out, "    %s %s held %u%s%s\n", names[d], modes[proxy_mode(c, (enum dir)d, &n)],
                    c->flow[d].held.bytes, c->flow[d].eof ? " eof" : "",
                    c->flow[d].shut ? " shut" : "");
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
    c->after = conf_number(&n->conf, "after");
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
