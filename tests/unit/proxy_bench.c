/* SPDX-License-Identifier: BSD-2-Clause */
/* The bench that proxies are tested on, see proxy_bench.h. */
#include "tests/unit/proxy_bench.h"

#include <stdlib.h>
#include <string.h>

struct holder { /* the stage's state: side is the bench's, this the path's */
    struct bench_side *side;
};

static struct bench_side *side_at(const struct path *p, int at)
{
    return ((struct holder *)p->state[at])->side;
}

static void maybe_over(struct bench_side *s)
{
    if (s->closed || !s->p || s->p->flags & PATH_DYING)
        return;
    if (!s->reset && !(s->fin_told && s->shut))
        return;
    s->closed = true;
    path_event(s->p, s->at, s->up, EVENT_CLOSED);
}

static void give(struct bench_side *s)
{
    while (s->open && s->in.head && !s->closed && path_room(s->p, s->at, s->up)) {
        struct msg *m = msgq_pop(&s->in);
        s->given += m->total;
        pass(s->p, s->at, s->up, m);
    }
    if (s->open && s->fin && !s->fin_told && !s->in.head && !s->closed) {
        s->fin_told = true;
        path_event(s->p, s->at, s->up, EVENT_EOF);
    }
    maybe_over(s);
}

static void from_host(struct path *p, int at, struct msg *m)
{
    struct bench_side *s = side_at(p, at);
    if (s->closed || s->reset) {
        msg_free(m);
        return;
    }
    msgq_push(&s->in, m);
    give(s);
}

static void host_says(struct path *p, int at, enum event ev)
{
    struct bench_side *s = side_at(p, at);
    if (s->closed)
        return;
    if (ev == EVENT_OPENED)
        s->open = true;
    if (ev == EVENT_EOF)
        s->fin = true;
    if (ev == EVENT_RESET) {
        s->reset = true;
        msgq_free(&s->in);
    }
    if (ev == EVENT_OPENED || ev == EVENT_RESET || ev == EVENT_READY)
        path_event(p, at, s->up, ev);
    give(s);
}

static void from_proxy(struct path *p, int at, struct msg *m)
{
    struct bench_side *s = side_at(p, at);
    (void)p;
    assert_true(s->open && !s->shut && !s->closed);
    assert_true(s->n + m->total < BENCH_OUT);
    assert_true(msg_peek(m, 0, s->out + s->n, m->total));
    s->n += m->total;
    s->out[s->n] = 0;
    if (!s->endless)
        s->room -= m->total < s->room ? m->total : s->room;
    msg_free(m);
}

static uint32_t room_to_host(struct path *p, int at)
{
    struct bench_side *s = side_at(p, at);
    uint32_t room = s->open && !s->shut && !s->closed ? s->room : 0;
    s->want_room |= room == 0;
    return room;
}

static void proxy_says(struct path *p, int at, enum event ev)
{
    struct bench_side *s = side_at(p, at);
    if (s->closed)
        return;
    switch (ev) {
    case EVENT_ANSWER:
        s->answered = true;
        path_post(p, s->up, EVENT_OPENED);
        break;
    case EVENT_EOF:
        assert_false(s->shut);
        s->shut = true;
        maybe_over(s);
        break;
    case EVENT_RESET:
        s->reset = true;
        msgq_free(&s->in);
        maybe_over(s);
        break;
    case EVENT_READY:
        give(s);
        break;
    default:
        break;
    }
}

static status_t establish(struct path *p, int at)
{
    struct bench_side *s = side_at(p, at);
    s->p = p;
    s->at = at;
    if (s->up == BA && !s->b->silent)
        path_post(p, BA, s->b->refuse ? EVENT_RESET : EVENT_OPENED);
    return OK;
}

static void moved(struct path *p, int at)
{
    struct bench_side *s = side_at(p, at);
    s->p = p;
    s->at = at;
}

static void destroy(struct path *p, int at)
{
    struct bench_side *s = side_at(p, at);
    msgq_free(&s->in);
    s->p = NULL;
    s->closed = true;
    pool_free(&p->pool, p->state[at]);
}

static const struct stage_ops up_stage = {
    .name = "net",
    .deliver = {from_host, from_proxy},
    .room = {[BA] = room_to_host},
    .event = {host_says, proxy_says},
    .establish = establish,
    .moved = moved,
    .destroy = destroy,
};

static const struct stage_ops down_stage = {
    .name = "net",
    .deliver = {from_proxy, from_host},
    .room = {[AB] = room_to_host},
    .event = {proxy_says, host_says},
    .establish = establish,
    .moved = moved,
    .destroy = destroy,
};

static status_t create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                             struct hop *h)
{
    struct bench *b = *(struct bench **)n->state;
    struct holder *holder = pool_alloc(&p->pool, sizeof *holder);
    bool down = from != NULL;
    int *count = down ? &b->nservers : &b->nclients;
    assert_true(*count < BENCH_SIDES);
    struct bench_side *s = down ? &b->server[(*count)++] : &b->client[(*count)++];
    free(s->out);
    *s = (struct bench_side){.b = b, .up = down ? BA : AB, .room = UINT32_MAX, .endless = true};
    s->out = calloc(1, BENCH_OUT);
    assert_non_null(holder);
    assert_non_null(s->out);
    assert_int_equal(attrs_endpoint(a, ATTR_REMOTE, &s->to), OK);
    holder->side = s;
    h->state = holder;
    h->ops = down ? &down_stage : &up_stage;
    h->next = down ? NULL : b->proxy;
    return OK;
}

const struct module bench_net_module = {
    .name = "net",
    .node_size = sizeof(struct bench *),
    .create_stage = create_stage,
};

static const struct setting *settings_of(const struct module *m)
{
    for (const struct graph *const *g = graph_list; *g; g++)
        for (int i = 0; i < (*g)->nnodes; i++)
            if (strcmp((*g)->nodes[i].module->name, m->name) == 0)
                return (*g)->nodes[i].settings;
    fail_msg("no graph has a node of module %s", m->name);
    return NULL;
}

static struct graph_node nodes[2];

static struct graph graph_with(const struct module *m, const struct rule *const *rules)
{
    nodes[0] = (struct graph_node){.name = "net", .module = &bench_net_module};
    nodes[1] = (struct graph_node){
        .name = "proxy", .module = m, .settings = settings_of(m), .down = {{0, 0}}, .ndown = 1};
    static const struct setting none = {0};
    nodes[0].settings = &none;
    return fixture_graph_of(nodes, 2, rules);
}

struct bench *bench_make(const struct module *m, const char *cmdline,
                         const struct rule *const *rules)
{
    static struct graph g;
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    g = graph_with(m, rules);
    b->f = fixture_make(&g, 0, cmdline);
    b->proxy = node_find(b->f->k, "proxy");
    b->net = node_find(b->f->k, "net");
    *(struct bench **)b->net->state = b;
    return b;
}

status_t bench_refused(const struct module *m, const char *cmdline)
{
    static struct graph g;
    g = graph_with(m, NULL);
    return fixture_refused(&g, 0, cmdline);
}

void bench_end(struct bench *b)
{
    bench_run(b);
    fixture_end(b->f);
    for (int i = 0; i < BENCH_SIDES; i++) {
        free(b->client[i].out);
        free(b->server[i].out);
    }
    free(b);
}

void bench_run(struct bench *b)
{
    fixture_run(b->f, 0);
}

void bench_wait(struct bench *b, uint64_t ns)
{
    fixture_run(b->f, ns);
}

struct bench_side *bench_client(struct bench *b)
{
    struct attrs a = {0};
    struct path *p;
    struct endpoint local = *conf_endpoint(&b->proxy->conf, "listen");
    struct endpoint remote = {netaddr_ip4(0x0a000102), (uint16_t)(40000 + b->nclients)};
    if (netaddr_is_any(&local.addr))
        local.addr = netaddr_ip4(0x0a000101);
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_endpoint(&a, ATTR_LOCAL, &local);
    attrs_set_endpoint(&a, ATTR_REMOTE, &remote);
    struct bench_side *s = &b->client[b->nclients];
    if (path_create(b->f->k, b->net, &a, false, &p) != OK)
        return NULL;
    bench_run(b);
    return s;
}

void bench_bytes(struct bench_side *s, const void *bytes, size_t n)
{
    struct kernel *k = s->b->f->k;
    size_t piece = s->b->piece && s->b->piece < 1400 ? s->b->piece : 1400;
    for (size_t done = 0, part; done < n && s->p; done += part) {
        part = n - done < piece ? n - done : piece;
        struct msg *m = msg_alloc(&k->pool, MSG_HEADROOM, part);
        assert_non_null(m);
        memcpy(msg_put(m, part), (const char *)bytes + done, part);
        path_wake(s->p, s->up, m);
        bench_run(s->b);
    }
}

void bench_put(struct bench_side *s, const char *text)
{
    bench_bytes(s, text, strlen(text));
}

void bench_fin(struct bench_side *s)
{
    if (s->p)
        path_post(s->p, s->up, EVENT_EOF);
    bench_run(s->b);
}

void bench_rst(struct bench_side *s)
{
    if (s->p)
        path_post(s->p, s->up, EVENT_RESET);
    bench_run(s->b);
}

void bench_got(struct bench_side *s, const char *text)
{
    if (s->n != strlen(text) || memcmp(s->out, text, s->n) != 0)
        fail_msg("the host got:\n%s\nexpected:\n%s", s->out, text);
    s->n = 0;
    s->out[0] = 0;
}

bool bench_has(const struct bench_side *s, const char *text)
{
    return strstr(s->out, text) != NULL;
}

void bench_room(struct bench_side *s, uint32_t room)
{
    s->endless = false;
    s->room = room;
    if (s->want_room && s->p) {
        s->want_room = false;
        path_post(s->p, s->up, EVENT_READY);
    }
    bench_run(s->b);
}
