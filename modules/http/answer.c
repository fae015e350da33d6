/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The response's way: its head is gathered and read as far as is needed to know where it ends, and
 * goes on as it came; its body passes without a look, in one direction, while the other waits for
 * the client's next byte. That is when a path can be spliced.
 */
#include "modules/http/exchange.h"

static void control_again(struct conn *c, enum dir d)
{
    uint64_t n;
    if (proxy_mode(c, d, &n) != PROXY_CONTROL)
        proxy_control(c, d, 0);
}

/* The response is through: the next request, or the end. A server that has answered before it got
 * all of the request is not asked again. */
static void complete(struct exchange *x)
{
    bool goes_on = !x->response.close && !x->request.close && x->asking == ASK_SENT;
    http_of(x)->passed++;
    x->answering = ANSWER_NONE;
    x->begun = false;
    x->request.head = false;
    control_again(x->c, BA);
    if (!goes_on) {
        exchange_end(x);
        return;
    }
    control_again(x->c, AB);
    x->asking = ASK_HEAD;
    exchange_wait(x, "idle");
}

static void tunnel(struct exchange *x)
{
    x->answering = ANSWER_TUNNEL;
    x->asking = ASK_SENT;
    proxy_forward(x->c, AB);
    proxy_forward(x->c, BA);
}

static void body_begins(struct exchange *x)
{
    x->answering = ANSWER_BODY;
    timer_cancel(proxy_node(x->c)->k, &x->timer);
    if (x->response.upgrade) {
        tunnel(x);
        return;
    }
    if (x->response.body == BODY_LENGTH)
        pass_bytes(x, BA, x->response.length);
    if (x->response.body == BODY_CLOSE)
        pass_bytes(x, BA, UINT64_MAX);
    chunks_init(&x->chunks[BA], false);
}

static bool read_head(struct exchange *x)
{
    if (proxy_room(x->c, BA) == 0)
        return false;
    int is = head_gather(x, BA);
    if (is == HEAD_MORE) {
        if (x->finished[BA])
            exchange_fail(x, 502);
        return x->finished[BA];
    }
    struct head *h = x->head[BA];
    if (is != HEAD_WHOLE || head_parse_response(h) != 0 ||
        response_read(h, &x->request, &x->response) != 0) {
        exchange_fail(x, 502);
        return true;
    }
    x->begun = true;
    if (proxy_write(x->c, BA, h->text, h->n) != OK) {
        exchange_abort(x);
        return true;
    }
    head_free(x, BA);
    if (!x->response.interim)
        body_begins(x);
    else if (x->asking == ASK_SENT)
        exchange_wait(x, "wait");
    return true;
}

static bool send_body(struct exchange *x)
{
    bool moved = false;
    bool end = x->response.body != BODY_CHUNKED;
    if (x->passing[BA] && !passed_bytes(x, BA, &moved)) {
        if (!exchange_ended(x, BA))
            return moved;
        if (x->response.body != BODY_CLOSE) { /* the server has promised more */
            exchange_abort(x);
            return true;
        }
    }
    if (!end) {
        enum chunk_is is = pass_chunks(x, BA, &moved);
        end = is == CHUNK_END;
        if (is == CHUNK_BAD || (is == CHUNK_MORE && exchange_ended(x, BA))) {
            exchange_abort(x);
            return true;
        }
    }
    if (end)
        complete(x);
    return moved || end;
}

/* Bytes that nobody asked for, or the end: that connection is of no use any more. */
static bool unasked(struct exchange *x)
{
    if (!x->server || x->asking == ASK_READY)
        return false;
    if (!proxy_held(x->c, BA)->head && !x->finished[BA])
        return false;
    server_leave(x);
    return true;
}

bool answer_step(struct exchange *x)
{
    switch (x->answering) {
    case ANSWER_NONE:
        return unasked(x);
    case ANSWER_HEAD:
        return read_head(x);
    case ANSWER_BODY:
        return send_body(x);
    default:
        return false;
    }
}
