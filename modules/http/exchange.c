/* SPDX-License-Identifier: BSD-2-Clause */
/* What both ways share: heads are gathered, bodies pass, exchanges end. See exchange.h. */
#include "modules/http/exchange.h"

#include <stdio.h>
#include <string.h>

enum { PIECE = 512 };
static const uint64_t LINGER = 5 * SECOND; /* for the client to close after our FIN */

int head_gather(struct exchange *x, enum dir d)
{
    char piece[PIECE];
    int is = HEAD_MORE;
    size_t n;
    while (is == HEAD_MORE && (n = proxy_peek(x->c, d, piece, sizeof piece)) != 0) {
        if (!x->head[d]) {
            uint32_t max = (uint32_t)conf_number(&proxy_node(x->c)->conf, "head");
            x->head[d] = pool_alloc(proxy_pool(x->c), head_size(max));
            if (!x->head[d])
                return 503;
            head_init(x->head[d], max);
        }
        proxy_consume(x->c, d, head_take(x->head[d], piece, n, &is));
    }
    return is;
}

void head_free(struct exchange *x, enum dir d)
{
    pool_free(proxy_pool(x->c), x->head[d]);
    x->head[d] = NULL;
}

/* The other direction may be spliced, too, until a byte comes in it, if nothing is left to do. */
static bool other_is_quiet(const struct exchange *x, enum dir d)
{
    enum dir o = d == AB ? BA : AB;
    bool done = d == BA ? x->asking == ASK_SENT : x->answering == ANSWER_HEAD && !x->head[BA];
    return done && !proxy_held(x->c, o)->head;
}

void pass_bytes(struct exchange *x, enum dir d, uint64_t n)
{
    x->left[d] = n;
    x->passing[d] = PASS_OURSELVES;
    if (n < conf_number(&proxy_node(x->c)->conf, "large") || !other_is_quiet(x, d))
        return;
    x->passing[d] = PASS_FORWARDED;
    proxy_control(x->c, d == AB ? BA : AB, PROXY_ON_DATA);
    if (n == UINT64_MAX)
        proxy_forward(x->c, d);
    else
        proxy_control(x->c, d, n);
}

static bool forwarded(const struct exchange *x, enum dir d)
{
    uint64_t n;
    enum proxy_mode mode = proxy_mode(x->c, d, &n);
    return mode != PROXY_COUNTED && mode != PROXY_FORWARD;
}

static bool pass_ourselves(struct exchange *x, enum dir d, bool *moved)
{
    struct msg *m;
    while (x->left[d] && proxy_room(x->c, d) && (m = proxy_take(x->c, d, x->left[d])) != NULL) {
        if (x->left[d] != UINT64_MAX)
            x->left[d] -= m->total;
        proxy_send(x->c, d, m);
        *moved = true;
    }
    return x->left[d] == 0;
}

bool passed_bytes(struct exchange *x, enum dir d, bool *moved)
{
    bool done = x->passing[d] == PASS_FORWARDED ? forwarded(x, d) : pass_ourselves(x, d, moved);
    if (!done)
        return false;
    x->passing[d] = PASS_NONE;
    chunks_passed(&x->chunks[d], x->chunks[d].left);
    *moved = true;
    return true;
}

enum chunk_is pass_chunks(struct exchange *x, enum dir d, bool *moved)
{
    uint8_t piece[PIECE];
    enum chunk_is is = CHUNK_MORE;
    size_t n;
    while (is == CHUNK_MORE && proxy_room(x->c, d) &&
           (n = proxy_peek(x->c, d, piece, sizeof piece)) != 0) {
        n = chunks_take(&x->chunks[d], piece, n, &is);
        proxy_consume(x->c, d, n);
        *moved = true;
        if (is != CHUNK_BAD && proxy_write(x->c, d, piece, n) != OK)
            is = CHUNK_BAD;
    }
    if (is == CHUNK_DATA)
        pass_bytes(x, d, x->chunks[d].left);
    return is;
}

void server_leave(struct exchange *x)
{
    if (x->server)
        proxy_disconnect(x->c);
    x->server = false;
    x->finished[BA] = false;
    x->passing[AB] = x->passing[BA] = PASS_NONE;
    head_free(x, BA);
}

void exchange_wait(struct exchange *x, const char *setting)
{
    const struct node *n = proxy_node(x->c);
    timer_arm(n->k, &x->timer, n->k->now + conf_number(&n->conf, setting));
}

void exchange_end(struct exchange *x)
{
    struct kernel *k = proxy_node(x->c)->k;
    x->asking = ASK_OVER;
    x->answering = ANSWER_NONE;
    head_free(x, AB);
    server_leave(x);
    timer_arm(k, &x->timer, k->now + LINGER);
    proxy_shut(x->c, BA);
}

void exchange_abort(struct exchange *x)
{
    x->asking = ASK_OVER;
    x->answering = ANSWER_NONE;
    proxy_reset(x->c);
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } all[] = {
        {400, "Bad Request"},
        {404, "Not Found"},
        {408, "Request Timeout"},
        {414, "URI Too Long"},
        {417, "Expectation Failed"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].status == status)
            return all[i].text;
    return "Error";
}

void exchange_fail(struct exchange *x, int status)
{
    char text[256];
    const char *why = reason(status);
    if (status < 500)
        http_of(x)->refused++;
    else
        http_of(x)->failed++;
    if (x->begun) {
        exchange_abort(x);
        return;
    }
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s%s",
                     status, why, strlen(why) + 1, x->request.head ? "" : why,
                     x->request.head ? "" : "\n");
    if (proxy_write(x->c, BA, text, (size_t)n) != OK)
        exchange_abort(x);
    else
        exchange_end(x);
}
