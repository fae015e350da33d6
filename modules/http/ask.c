/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request's way: gathered, understood, routed, written anew to the server it belongs to, its
 * body passed on. Nothing of it is sent before all of its head was found good.
 */
#include "modules/http/exchange.h"

static bool same(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && netaddr_equal(&a->addr, &b->addr);
}

static void connect_to(struct exchange *x, const struct endpoint *to)
{
    struct http *http = http_of(x);
    if (x->server && same(&x->at, to) && proxy_is_open(x->c, SIDE_B) && !x->finished[BA]) {
        http->reused++;
        return;
    }
    server_leave(x);
    x->server = true;
    x->at = *to;
    http->connects++;
    if (proxy_connect(x->c, to, NULL) != OK) {
        x->server = false;
        exchange_fail(x, 503);
    }
}

static void understood(struct exchange *x)
{
    struct http *http = http_of(x);
    const struct head *h = x->head[AB];
    int status = head_parse_request(x->head[AB]);
    if (status == 0)
        status = request_read(h, &x->request);
    if (status) {
        exchange_fail(x, status);
        return;
    }
    const struct route_entry *e =
        routes_find(&http->routes, x->request.host, head_at(h, x->request.path), x->request.path.n);
    if (!e) {
        exchange_fail(x, 404);
        return;
    }
    http->requests++;
    x->asking = ASK_READY;
    x->begun = false;
    exchange_wait(x, "wait");
    connect_to(x, &e->to);
}

static bool read_head(struct exchange *x)
{
    if (x->answering != ANSWER_NONE)
        return false;
    bool idle = !x->head[AB];
    int is = head_gather(x, AB);
    if (is == HEAD_WHOLE) {
        understood(x);
    } else if (is != HEAD_MORE) {
        exchange_fail(x, is);
    } else if (x->finished[AB]) {
        if (x->head[AB])
            exchange_fail(x, 400);
        else
            exchange_end(x);
    } else {
        if (idle && x->head[AB])
            exchange_wait(x, "headtime");
        return false;
    }
    return true;
}

static bool send_head(struct exchange *x)
{
    struct http *http = http_of(x);
    if (!proxy_is_open(x->c, SIDE_B) || proxy_room(x->c, AB) == 0)
        return false;
    size_t n = request_write(x->head[AB], &x->request, http->out);
    head_free(x, AB);
    if (proxy_write(x->c, AB, http->out, n) != OK) {
        exchange_abort(x);
        return true;
    }
    x->answering = ANSWER_HEAD;
    x->asking = x->request.body == BODY_NONE ? ASK_SENT : ASK_BODY;
    if (x->asking == ASK_BODY)
        timer_cancel(proxy_node(x->c)->k, &x->timer);
    chunks_init(&x->chunks[AB], true);
    x->started = false;
    return true;
}

static bool send_body(struct exchange *x)
{
    bool moved = false;
    bool end = x->request.body == BODY_LENGTH;
    if (end && !x->started) {
        /* A client that waits for 100 will get it soon: not yet worth a splice. */
        if (x->request.expect && !x->begun && !proxy_held(x->c, AB)->head && !x->finished[AB])
            return false;
        x->started = true;
        pass_bytes(x, AB, x->request.length);
        moved = true;
    }
    if (x->passing[AB] && !passed_bytes(x, AB, &moved)) {
        if (!exchange_ended(x, AB))
            return moved;
        exchange_abort(x); /* the client has promised more */
        return true;
    }
    if (!end) {
        enum chunk_is is = pass_chunks(x, AB, &moved);
        end = is == CHUNK_END;
        if (is == CHUNK_BAD || (is == CHUNK_MORE && exchange_ended(x, AB))) {
            exchange_fail(x, 400);
            return true;
        }
    }
    if (end) {
        x->asking = ASK_SENT;
        if (x->answering == ANSWER_HEAD)
            exchange_wait(x, "wait");
    }
    return moved || end;
}

bool ask_step(struct exchange *x)
{
    switch (x->asking) {
    case ASK_HEAD:
        return read_head(x);
    case ASK_READY:
        return send_head(x);
    case ASK_BODY:
        return send_body(x);
    case ASK_OVER:
        if (proxy_held(x->c, AB)->head)
            proxy_consume(x->c, AB, proxy_held(x->c, AB)->bytes);
        return false;
    default:
        return false;
    }
}
