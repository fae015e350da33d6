/* SPDX-License-Identifier: BSD-2-Clause */
/* The application on our own TCP; see app.h. Memory: each path's own. */
#include "tests/sim/app.h"

#include <string.h>

#include "kernel/plat.h"
#include "kernel/services.h"

enum { HELD_MAX = 16384, PIECE = 1400 };

struct app {
    app_accept_fn *accept;
    void *arg;
};

struct appconn {
    struct path *p;
    int at;
    enum dir away; /* towards the wire */
    struct end *end;
    struct msgq held;
    bool open, fin, fin_told, gone;
    struct timer timer;
};

static void read_some(struct appconn *c)
{
    uint64_t now = c->p->pool.k->now, n, before = c->held.bytes;
    uint8_t bytes[PIECE];
    while ((n = end_takes(c->end, now, c->held.bytes)) > 0) {
        struct msg *m = c->held.head;
        size_t part = n < m->total ? (size_t)n : m->total;
        part = part < sizeof bytes ? part : sizeof bytes;
        if (!msg_peek(m, 0, bytes, part))
            c->end->wrong = "a message without its bytes";
        end_push(c->end, now, bytes, part);
        if (part == m->total) {
            msg_free(msgq_pop(&c->held));
        } else {
            msg_skip(m, part);
            c->held.bytes -= (uint32_t)part;
        }
    }
    if (c->fin && !c->fin_told && !c->held.head) {
        c->fin_told = true;
        end_finished(c->end);
    }
    if (c->held.bytes != before && !c->gone)
        path_event(c->p, c->at, c->away, EVENT_READY);
}

static void write_some(struct appconn *c)
{
    struct kernel *k = c->p->pool.k;
    uint64_t n;
    while (c->open && !c->gone && (n = end_ready(c->end, k->now)) > 0) {
        uint32_t room = path_room(c->p, c->at, c->away);
        n = n < room ? n : room;
        n = n < PIECE ? n : PIECE;
        struct msg *m = n ? msg_alloc(&c->p->pool, MSG_HEADROOM, n) : NULL;
        if (!m)
            return;
        end_pull(c->end, msg_put(m, n), n);
        pass(c->p, c->at, c->away, m);
    }
}

static void end_it(struct appconn *c)
{
    if (!c->end || end_over(c->end))
        return;
    if (c->end->eof && c->end->shut)
        end_closed(c->end);
    else
        end_reset(c->end);
}

static void work(struct appconn *c)
{
    struct kernel *k = c->p->pool.k;
    read_some(c);
    write_some(c);
    if (c->open && !c->gone && end_wants_abort(c->end)) {
        c->end->state = END_ABORTED;
        path_event(c->p, c->at, c->away, EVENT_RESET);
        return;
    }
    if (c->open && !c->gone && end_wants_shut(c->end)) {
        c->end->shut = true;
        path_event(c->p, c->at, c->away, EVENT_EOF);
    }
    if (c->gone && (c->fin_told || !c->fin || end_over(c->end))) {
        end_it(c);
        path_destroy(c->p);
        return;
    }
    uint64_t next = end_next(c->end, k->now);
    if (next != UINT64_MAX)
        timer_arm(k, &c->timer, next);
}

/* Work is done where the path runs. */
static void fire(struct kernel *k, struct timer *t)
{
    struct appconn *c = CONTAINER(t, struct appconn, timer);
    (void)k;
    path_post(c->p, c->away, EVENT_READY);
}

static void deliver(struct path *p, int at, struct msg *m)
{
    struct appconn *c = p->state[at];
    if (msg_charge(m, &p->pool) != OK)
        c->end->wrong = "the path of an application may not pay for what it was given";
    msgq_push(&c->held, m);
    work(c);
}

static void pass_on_ab(struct path *p, int at, struct msg *m)
{
    pass(p, at, AB, m);
}

static void pass_on_ba(struct path *p, int at, struct msg *m)
{
    pass(p, at, BA, m);
}

static uint32_t room(struct path *p, int at)
{
    const struct appconn *c = p->state[at];
    if (p->pool.used > p->pool.limit / 2) /* crumbs cost more than their bytes */
        return 0;
    return c->held.bytes < HELD_MAX ? HELD_MAX - c->held.bytes : 0;
}

static void event(struct path *p, int at, enum event ev, enum dir d)
{
    struct appconn *c = p->state[at];
    if (d == c->away) { /* our own, from the path's queue */
        if (ev == EVENT_READY)
            work(c);
        else
            path_event(p, at, d, ev);
        return;
    }
    switch (ev) {
    case EVENT_OPENED:
        c->open = true;
        end_opened(c->end);
        break;
    case EVENT_EOF:
        c->fin = true;
        break;
    case EVENT_RESET:
        c->open = false;
        c->fin = c->fin && c->end->shut; /* what is still held may be read after a clean end only */
        if (!c->fin)
            end_it(c);
        break;
    case EVENT_CLOSED:
        c->gone = true;
        break;
    default:
        break;
    }
    work(c);
}

static void event_ab(struct path *p, int at, enum event ev)
{
    event(p, at, ev, AB);
}

static void event_ba(struct path *p, int at, enum event ev)
{
    event(p, at, ev, BA);
}

static status_t establish(struct path *p, int at)
{
    struct appconn *c = p->state[at];
    c->at = at;
    if (c->away == BA)
        path_post(p, BA, EVENT_ANSWER);
    return OK;
}

static void destroy(struct path *p, int at)
{
    struct appconn *c = p->state[at];
    timer_cancel(p->pool.k, &c->timer);
    msgq_drop(p->pool.k, &c->held, DROP_PATH_DEAD);
    end_it(c);
}

static const struct stage_ops accepted_stage = {
    .name = "app",
    .deliver = {[AB] = deliver, [BA] = pass_on_ba},
    .room = {[AB] = room},
    .event = {event_ab, event_ba},
    .establish = establish,
    .destroy = destroy,
};

static const struct stage_ops connecting_stage = {
    .name = "app",
    .deliver = {[AB] = pass_on_ab, [BA] = deliver},
    .room = {[BA] = room},
    .event = {event_ab, event_ba},
    .establish = establish,
    .destroy = destroy,
};

static status_t app_create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                                 struct hop *h)
{
    const struct app *app = n->state;
    struct endpoint remote;
    struct appconn *c = pool_alloc(&p->pool, sizeof *c);
    if (!c)
        return E_NOMEM;
    c->p = p;
    c->away = from ? BA : AB;
    c->timer.fire = fire;
    c->end = attrs_pointer(a, ATTR_CONN);
    h->state = c;
    h->ops = from ? &accepted_stage : &connecting_stage;
    h->next = from ? NULL : n->down[0];
    if (!from)
        return OK;
    status_t status = attrs_endpoint(a, ATTR_REMOTE, &remote);
    if (status != OK)
        return status;
    c->end = app->accept ? app->accept(app->arg, remote.port) : NULL;
    return c->end ? OK : E_NOENT;
}

static status_t app_init(struct node *n)
{
    (void)n;
    return OK;
}

static bool app_listens(struct node *n, const struct endpoint *local, bool *transparent)
{
    const struct app *app = n->state;
    (void)local;
    *transparent = false;
    return app->accept != NULL;
}

static uint32_t app_backlog(struct node *n)
{
    (void)n;
    return 128;
}

static const struct proxy_ops app_ops = {app_listens, app_backlog, NULL};

const struct module app_module = {
    .name = "app",
    .node_size = sizeof(struct app),
    .ops = &app_ops,
    .init = app_init,
    .create_stage = app_create_stage,
};

void app_listen(struct kernel *k, app_accept_fn *accept, void *arg)
{
    struct app *app = node_find(k, "app")->state;
    app->accept = accept;
    app->arg = arg;
}

void app_work(struct kernel *k)
{
    for (uint32_t i = 0; i < k->paths_size; i++) {
        struct path *p = path_at(k, i);
        for (int at = 0; p && at < p->shape->n; at++) {
            const struct stage_ops *ops = p->shape->at[at].ops;
            const struct appconn *c = p->state[at];
            if (ops == &accepted_stage || ops == &connecting_stage)
                path_post(p, c->away, EVENT_READY);
        }
    }
}

uint16_t app_connect(struct kernel *k, struct end *e, uint32_t to, uint16_t port)
{
    struct attrs a = {0};
    struct endpoint remote = {netaddr_ip4(to), port}, local = {0};
    struct path *p;
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_endpoint(&a, ATTR_REMOTE, &remote);
    attrs_set_pointer(&a, ATTR_CONN, e);
    k->now = plat_now(k);
    if (path_create(k, node_find(k, "app"), &a, false, &p) != OK ||
        attrs_endpoint(&a, ATTR_LOCAL, &local) != OK)
        end_reset(e);
    return local.port;
}

/* The graph of a host is put together here, so that no image carries a test's module. */
const struct graph *app_graph(const struct graph *like)
{
    static const char *const names[] = {"eth", "arp", "ip", "icmp", "tcp"};
    static struct graph_node nodes[6];
    static struct graph graph_host;
    extern const struct path_maker local_paths;
    static const struct path_maker *const makers[] = {&local_paths, NULL};
    static const struct setting none[] = {{.name = NULL}};
    static const struct {
        uint8_t node;
        uint32_t key;
    } down[] = {{0, 0}, {0, 0x0806}, {0, 0x0800}, {2, 1}, {2, 6}, {4, 0}}; /* eth has none */
    for (int i = 0; i < 5; i++)
        for (int j = like->nnodes - 1; j >= 0; j--)
            if (strcmp(like->nodes[j].module->name, names[i]) == 0)
                nodes[i] = like->nodes[j];
    nodes[5] = (struct graph_node){.name = "app", .module = &app_module, .settings = none};
    for (int i = 0; i < 6; i++) {
        nodes[i].ndown = i > 0;
        nodes[i].down[0].node = down[i].node;
        nodes[i].down[0].key = down[i].key;
    }
    graph_host = *like;
    graph_host.name = "sim-host";
    graph_host.purpose = "a host with an application on our TCP";
    graph_host.nodes = nodes;
    graph_host.nnodes = 6;
    graph_host.makers = makers;
    graph_host.rules = NULL;
    return &graph_host;
}
