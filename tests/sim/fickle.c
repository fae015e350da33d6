/* SPDX-License-Identifier: BSD-2-Clause */
/* The fickle proxy; see fickle.h. One scene at a time. */
#include "tests/sim/fickle.h"

#include <stdio.h>
#include <string.h>

#include "kernel/services.h"
#include "modules/fwd/fwd.h"
#include "modules/proxy/proxy.h"
#include "modules/tcp/splice.h"
#include "tests/sim/scene.h"

static void wake(void *arg);

enum { PIECE = 1400, SURE = 8 /* bytes that are found at one place only */, RETRY_MS = 10 };

struct fickle {
    struct conn *c;
    struct pair *pair;
    uint64_t retry_ns;
    struct {
        uint64_t at;   /* of the next byte that it sees; lost: at least */
        uint64_t from; /* at least so far it had come when it let the last ones go */
        uint64_t see;  /* bytes until it changes its mind */
        bool lost, stalled, eof;
    } way[2];
};

static struct scene *scene;

static const struct end *sender(const struct fickle *f, enum dir d)
{
    return d == AB ? &f->pair->client : &f->pair->server;
}

/* The object of a connection that had been given up is a new one: it may be anywhere. */
static struct fickle *fickle_of(struct conn *c)
{
    struct fickle *f = *proxy_private(c);
    if (f)
        return f;
    f = pool_alloc(proxy_pool(c), sizeof *f);
    if (!f)
        return NULL;
    *f = (struct fickle){.c = c};
    for (int i = 0; i <= SCENE_CONNS; i++)
        if (scene->pair[i].client_port == proxy_client(c)->port)
            f->pair = &scene->pair[i];
    for (int d = AB; d <= BA; d++)
        f->way[d].lost = true;
    *proxy_private(c) = f;
    return f->pair ? f : NULL;
}

static void wrong(const struct fickle *f, enum dir d, const char *what)
{
    scene_fail(scene, what, d == AB ? "proxy, from client" : "proxy, from server",
               (int)(f->pair - scene->pair) + 1);
}

static bool is_slice(const struct end *e, uint64_t at, const uint8_t *bytes, size_t n)
{
    uint8_t true_ones[PIECE];
    end_peek(e, at, true_ones, n);
    return memcmp(true_ones, bytes, n) == 0;
}

/* The first place where these bytes can be. */
static bool find(const struct end *e, uint64_t *at, const uint8_t *bytes, size_t n)
{
    while (*at + n <= e->sent)
        if (is_slice(e, *at, bytes, n < SURE ? n : SURE) && is_slice(e, *at, bytes, n))
            return true;
        else
            ++*at;
    return false;
}

static void check(struct fickle *f, enum dir d, const uint8_t *bytes, size_t n)
{
    const struct end *e = sender(f, d);
    if (!f->way[d].lost && !is_slice(e, f->way[d].at, bytes, n))
        wrong(f, d, "is shown bytes from another place of the stream");
    if (f->way[d].lost && !find(e, &f->way[d].at, bytes, n))
        wrong(f, d, "is shown bytes that are not of the stream, or come again");
    if (n >= SURE)
        f->way[d].lost = false;
    f->way[d].at += n;
}

static void wake(void *arg)
{
    struct pair *pair = arg;
    if (pair->scene->box.k)
        fickle_change(pair->scene, pair, scene_path(pair->scene, pair));
}

static void choose(struct fickle *f, enum dir d)
{
    struct rng *r = &scene->whims.random;
    f->way[d].from = f->way[d].at;
    uint64_t what = rng_below(r, 100), n = rng_below(r, rng_below(r, 2) ? 100 : 20000) + 1;
    f->way[d].see = rng_below(r, 5000) + 1;
    if (what < 40)
        return;          /* goes on seeing */
    if (f->way[d].eof) { /* nothing more will come that it could wait for */
        f->way[d].lost = true;
        proxy_forward(f->c, d);
    } else if (what < 60) {
        f->way[d].at += n;
        proxy_control(f->c, d, n);
    } else if (what < 75) {
        proxy_control(f->c, d, PROXY_ON_DATA);
    } else if (what < 85) {
        f->way[d].stalled = true;
        simworld_at(scene->world, simworld_now(scene->world) + rng_below(r, 3000) * MS, wake,
                    f->pair);
    } else {
        f->way[d].lost = true;
        proxy_forward(f->c, d);
    }
}

/* Once, however often it is asked meanwhile. */
static void try_again(struct fickle *f)
{
    uint64_t now = simworld_now(scene->world);
    if (f->retry_ns > now)
        return;
    f->retry_ns = now + RETRY_MS * MS;
    simworld_at(scene->world, f->retry_ns, wake, f->pair);
}

/* Moves on what it may see and what there is room for. */
static void work(struct fickle *f, enum dir d)
{
    uint8_t bytes[PIECE];
    uint64_t n, forwarded;
    while (!f->way[d].stalled && proxy_mode(f->c, d, &forwarded) == PROXY_CONTROL &&
           (n = proxy_peek(f->c, d, bytes, sizeof bytes)) > 0) {
        uint32_t room = proxy_room(f->c, d);
        n = n < room ? n : room;
        n = n < f->way[d].see ? n : f->way[d].see;
        if (!n)
            return;
        if (proxy_write(f->c, d, bytes, n) != OK) { /* no memory now */
            try_again(f);
            return;
        }
        check(f, d, bytes, n);
        f->way[d].see -= n;
        proxy_consume(f->c, d, n);
        if (!f->way[d].see)
            choose(f, d);
    }
    if (f->way[d].eof && !proxy_held(f->c, d)->head)
        proxy_shut(f->c, d);
}

static void data(struct conn *c, enum dir d)
{
    struct fickle *f = fickle_of(c);
    if (f && f->way[d].see == 0)
        choose(f, d);
    if (f)
        work(f, d);
}

static void eof(struct conn *c, enum dir d)
{
    struct fickle *f = fickle_of(c);
    uint64_t n;
    if (!f)
        return;
    f->way[d].eof = true;
    if (proxy_mode(c, d, &n) == PROXY_CONTROL) {
        work(f, d);
    } else {
        f->way[d].at = f->way[d].from;
        f->way[d].lost = true;
        proxy_forward(c, d);
    }
}

static status_t accept(struct conn *c)
{
    struct node *n = proxy_node(c);
    const struct endpoint *to = conf_endpoint(&n->conf, "to");
    bool transparent = conf_bool(&n->conf, "transparent");
    status_t status =
        proxy_connect(c, to->port ? to : proxy_local(c), transparent ? proxy_client(c) : NULL);
    struct fickle *f = status == OK ? fickle_of(c) : NULL;
    if (!f)
        return status == OK ? E_NOMEM : status;
    f->way[AB].lost = f->way[BA].lost = false;
    f->way[AB].see = f->way[BA].see = 1;
    return OK;
}

static void opened(struct conn *c, enum side s)
{
    if (s == SIDE_B)
        proxy_answer(c);
    for (int d = AB; s == SIDE_A && d <= BA; d++)
        if (rng_below(&scene->whims.random, 2))
            choose(fickle_of(c), (enum dir)d);
}

static const struct proxy_code fickle_code = {
    .accept = accept, .opened = opened, .data = data, .eof = eof};

static struct conn *conn_of(const struct path *p)
{
    int final = scene_final(p);
    const struct fwd_keep *keep = final < 0 ? NULL : p->state[final];
    if (keep)
        return keep->conn;
    for (int at = 0; at < p->shape->n; at++) {
        if (proxy_at(p, at))
            return proxy_at(p, at);
        if (p->shape->at[at].ops == &tcp_fwd_stage)
            return fwd_conn(p, at);
    }
    return NULL;
}

void fickle_change(struct scene *s, struct pair *pair, struct path *p)
{
    struct conn *c = p ? conn_of(p) : NULL;
    struct fickle *f = c && s->whims.fickle ? fickle_of(c) : NULL;
    uint64_t n;
    (void)pair;
    for (int d = AB; f && d <= BA; d++) {
        enum proxy_mode mode = proxy_mode(c, (enum dir)d, &n);
        bool never = rng_below(&s->whims.random, 2);
        f->way[d].stalled = false;
        if (mode == PROXY_FORWARD && !never)
            proxy_control(c, (enum dir)d, rng_below(&s->whims.random, 2) ? 0 : PROXY_ON_DATA);
        else if (mode == PROXY_WAITING && !never)
            proxy_control(c, (enum dir)d, 0);
        else if (mode == PROXY_CONTROL)
            data(c, (enum dir)d);
    }
}

static status_t fickle_create_stage(struct node *n, struct node *from, struct attrs *a,
                                    struct path *p, struct hop *h)
{
    (void)from;
    return proxy_create_stage(n, &fickle_code, a, p, h);
}

const struct graph *fickle_graph(struct scene *s, const struct graph *g)
{
    static struct graph_node nodes[16];
    static struct graph fickle;
    static struct module module;
    static struct proxy_ops ops;
    scene = s;
    fickle = *g;
    for (int i = 0; i < g->nnodes && i < (int)ARRAY_LEN(nodes); i++) {
        nodes[i] = g->nodes[i];
        if (strcmp(g->nodes[i].module->name, "plug") != 0)
            continue;
        module = *g->nodes[i].module; /* it listens, and is set up, as plug does */
        ops = *(const struct proxy_ops *)module.ops;
        ops.code = &fickle_code;
        module.ops = &ops;
        module.create_stage = fickle_create_stage;
        module.show = NULL;
        nodes[i].module = &module;
    }
    fickle.nodes = nodes;
    return &fickle;
}
