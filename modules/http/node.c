/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http: a proxy of class 3. Requests are parsed for ever and routed by host and path, each to its
 * own server; responses pass, and large ones may be spliced. Bad requests are answered here and
 * reach no server.
 */
#include <string.h>

#include "kernel/show.h"
#include "modules/http/exchange.h"

static struct exchange *exchange_of(struct conn *c)
{
    return *proxy_private(c);
}

/* Both ways move until neither does. Callbacks that come meanwhile only have it done once more. */
static void run(struct exchange *x)
{
    if (x->running) {
        x->again = true;
        return;
    }
    x->running = true;
    bool moved;
    do {
        x->again = false;
        moved = answer_step(x);
        moved = ask_step(x) || moved;
    } while (moved || x->again);
    x->running = false;
}

static void fire(struct kernel *k, struct timer *t)
{
    struct exchange *x = (struct exchange *)t;
    (void)k;
    if (x->asking == ASK_OVER)
        proxy_reset(x->c);
    else if (x->asking == ASK_HEAD && !x->head[AB])
        exchange_end(x);
    else if (x->asking == ASK_HEAD)
        exchange_fail(x, 408);
    else
        exchange_fail(x, 504);
}

static status_t accept(struct conn *c)
{
    struct exchange *x = pool_alloc(proxy_pool(c), sizeof *x);
    if (!x)
        return E_NOMEM;
    x->timer.fire = fire;
    x->c = c;
    *proxy_private(c) = x;
    proxy_answer(c);
    return OK;
}

static void opened(struct conn *c, enum side s)
{
    if (s == SIDE_A)
        exchange_wait(exchange_of(c), "headtime");
    run(exchange_of(c));
}

static void data(struct conn *c, enum dir d)
{
    (void)d;
    run(exchange_of(c));
}

static void eof(struct conn *c, enum dir d)
{
    struct exchange *x = exchange_of(c);
    x->finished[d] = true;
    run(x);
}

static void closed(struct conn *c, enum side s)
{
    struct exchange *x = exchange_of(c);
    if (s == SIDE_A || x->answering >= ANSWER_BODY)
        exchange_abort(x);
    else if (x->asking == ASK_READY || x->answering == ANSWER_HEAD)
        exchange_fail(x, 502);
    else
        server_leave(x);
    run(x);
}

static void ended(struct conn *c)
{
    struct exchange *x = exchange_of(c);
    if (x)
        timer_cancel(proxy_node(c)->k, &x->timer);
}

static const struct proxy_code http_code = {accept, opened, data, eof, closed, ended};

static status_t http_create_stage(struct node *n, struct node *from, struct attrs *a,
                                  struct path *p, struct hop *h)
{
    (void)from;
    return proxy_create_stage(n, &http_code, a, p, h);
}

static status_t http_init(struct node *n)
{
    struct http *http = n->state;
    status_t status = routes_read(n, conf_text(&n->conf, "routes"), &http->routes);
    return status == OK ? proxy_init(n) : status;
}

static void http_show(const struct node *n, struct show *out)
{
    const struct http *http = n->state;
    show_printf(out, "  requests %llu\n  responses %llu\n  refused %llu\n  failed %llu\n",
                (unsigned long long)http->requests, (unsigned long long)http->passed,
                (unsigned long long)http->refused, (unsigned long long)http->failed);
    show_printf(out, "  connects %llu\n  reused %llu\n", (unsigned long long)http->connects,
                (unsigned long long)http->reused);
    for (int i = 0; i < http->routes.n; i++) {
        const struct route_entry *e = &http->routes.entry[i];
        char to[NETADDR_TEXT];
        show_printf(out, "  route %s%s to %s\n", e->host, e->prefix, endpoint_text(&e->to, to));
    }
}

static const struct proxy_ops http_ops = {proxy_listens, proxy_backlog, &http_code};

const struct module http_module = {
    .name = "http",
    .node_size = sizeof(struct http),
    .ops = &http_ops,
    .init = http_init,
    .create_stage = http_create_stage,
    .show = http_show,
};
