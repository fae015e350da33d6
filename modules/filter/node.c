/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter: a proxy of class 4, in control of both directions for ever, so it is never spliced. What
 * the server says is searched for `find`, which becomes `replace`; what the client says only
 * passes. Whoever connects to `listen` is connected to `to`, as by plug.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/show.h"
#include "modules/filter/filter.h"
#include "modules/proxy/proxy.h"

enum { PIECE = 512, PIECE_OUT = REPLACE_MAX + PIECE * (1 + REPLACE_MAX) };

struct filter { /* a node's */
    struct replace replace;
    uint64_t accepted, replaced;
    uint8_t out[PIECE_OUT]; /* one piece, on its way out */
};

struct filtered { /* a connection's */
    uint8_t kept;
    bool finished[2]; /* no more comes from that side */
};

static struct filter *filter_of(const struct conn *c)
{
    return proxy_node(c)->state;
}

static bool give(struct conn *c, const void *bytes, size_t n)
{
    if (proxy_write(c, BA, bytes, n) == OK)
        return true;
    proxy_reset(c);
    return false;
}

/* As many bytes at a time as leave room for what they may become; at least one. */
static void change(struct conn *c, struct filtered *state)
{
    struct filter *f = filter_of(c);
    uint8_t piece[PIECE];
    uint32_t room;
    size_t n;
    while ((room = proxy_room(c, BA))) {
        size_t most = PIECE;
        while (most > 1 && replace_bound(&f->replace, most) > room)
            most /= 2;
        n = proxy_peek(c, BA, piece, most);
        if (n == 0)
            break;
        size_t out = replace_run(&f->replace, &state->kept, piece, n, f->out, &f->replaced);
        proxy_consume(c, BA, n);
        if (!give(c, f->out, out))
            break;
    }
}

static void pass_on(struct conn *c)
{
    struct msg *m;
    while (proxy_room(c, AB) && (m = proxy_take(c, AB, SIZE_MAX)))
        proxy_send(c, AB, m);
}

static void data(struct conn *c, enum dir d)
{
    struct filtered *state = *proxy_private(c);
    if (d == BA)
        change(c, state);
    else
        pass_on(c);
    if (!state->finished[d] || proxy_held(c, d)->head)
        return;
    if (d == BA && state->kept) {
        size_t n = state->kept;
        state->kept = 0;
        (void)give(c, filter_of(c)->replace.find, n);
    }
    proxy_shut(c, d);
}

static void eof(struct conn *c, enum dir d)
{
    struct filtered *state = *proxy_private(c);
    state->finished[d] = true;
    data(c, d);
}

static status_t accept(struct conn *c)
{
    struct filtered *state = pool_alloc(proxy_pool(c), sizeof *state);
    if (!state)
        return E_NOMEM;
    *proxy_private(c) = state;
    filter_of(c)->accepted++;
    return proxy_connect(c, conf_endpoint(&proxy_node(c)->conf, "to"), NULL);
}

static void opened(struct conn *c, enum side s)
{
    if (s == SIDE_B)
        proxy_answer(c);
}

static const struct proxy_code filter_code = {
    .accept = accept, .opened = opened, .data = data, .eof = eof};

static status_t filter_create_stage(struct node *n, struct node *from, struct attrs *a,
                                    struct path *p, struct hop *h)
{
    (void)from;
    return proxy_create_stage(n, &filter_code, a, p, h);
}

static status_t filter_init(struct node *n)
{
    struct filter *f = n->state;
    const char *find = conf_text(&n->conf, "find"), *by = conf_text(&n->conf, "replace");
    if (!find[0] || strlen(find) > REPLACE_MAX || strlen(by) > REPLACE_MAX) {
        log_error(n->k, "%s.find, %s.replace: expected 1 to %d bytes to find, at most %d instead",
                  n->name, n->name, REPLACE_MAX, REPLACE_MAX);
        return E_INVAL;
    }
    if (conf_endpoint(&n->conf, "to")->port == 0) {
        log_error(n->k, "%s.to: a server is needed", n->name);
        return E_INVAL;
    }
    replace_init(&f->replace, find, strlen(find), by, strlen(by));
    return proxy_init(n);
}

static void filter_show(const struct node *n, struct show *out)
{
    const struct filter *f = n->state;
    show_printf(out, "  accepted %llu\n  replaced %llu\n", (unsigned long long)f->accepted,
                (unsigned long long)f->replaced);
}

static const struct proxy_ops filter_ops = {proxy_listens, proxy_backlog, &filter_code};

const struct module filter_module = {
    .name = "filter",
    .node_size = sizeof(struct filter),
    .ops = &filter_ops,
    .init = filter_init,
    .create_stage = filter_create_stage,
    .show = filter_show,
};
