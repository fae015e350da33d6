/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP requests: gathered in pieces, parsed, understood, and written again as the server gets
 * them. What was written must be understood as the same request, or somebody could be smuggled in.
 * What follows the head goes through the reader of chunks.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/http/message.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 1024 };

/* Takes from `in` in pieces; a buffer of exactly its size. NULL: it is not whole, or refused. */
static struct head *head_of(struct bytes *in, size_t piece, size_t room)
{
    struct head *h = malloc(head_size((uint32_t)room));
    int is = HEAD_MORE;
    if (!h)
        abort();
    head_init(h, (uint32_t)room);
    while (is == HEAD_MORE && in->n) {
        size_t n = in->n < piece ? in->n : piece;
        size_t took = head_take(h, (const char *)in->at, n, &is);
        HOLDS(took <= n && (took || is != HEAD_MORE), "it takes, or it says why not");
        HOLDS(h->n <= room, "no more than fits");
        in->at += took;
        in->n -= took;
    }
    if (is == HEAD_WHOLE)
        return h;
    free(h);
    return NULL;
}

static void chunks(struct bytes *in, bool strict)
{
    struct chunks c;
    chunks_init(&c, strict);
    for (enum chunk_is is = CHUNK_MORE; in->n && is != CHUNK_END && is != CHUNK_BAD;) {
        size_t took = chunks_take(&c, in->at, in->n, &is);
        HOLDS(took <= in->n, "no more than there is");
        in->at += took;
        in->n -= took;
        if (is == CHUNK_DATA) {
            uint64_t n = c.left < in->n ? c.left : in->n;
            HOLDS(c.left > 0, "data of no bytes");
            chunks_passed(&c, n);
            in->at += n;
            in->n -= n;
        } else {
            HOLDS(took || is != CHUNK_MORE, "it advances");
        }
    }
}

static void same_again(const struct head *h, const struct request *r)
{
    char *text = malloc(h->n + REQUEST_MORE);
    struct request again;
    if (!text)
        abort();
    size_t n = request_write(h, r, text);
    HOLDS(n <= h->n + REQUEST_MORE, "it fits");
    struct bytes in = {(const uint8_t *)text, n};
    struct head *two = head_of(&in, SIZE_MAX, n + 1);
    HOLDS(two && !in.n, "what was written is one whole head");
    HOLDS(head_parse_request(two) == 0, "what was written is a head");
    HOLDS(request_read(two, &again) == 0, "what was written is a request");
    HOLDS(again.body == r->body && again.length == r->length, "the same body");
    HOLDS(strcmp(again.host, r->host) == 0, "the same host");
    HOLDS(again.path.n == r->path.n &&
              memcmp(head_at(two, again.path), head_at(h, r->path), r->path.n) == 0,
          "the same path");
    HOLDS(again.head == r->head && two->method == h->method, "the same method");
    free(two);
    free(text);
}

static void input(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    uint8_t what = bytes_one(&in);
    struct request r;
    struct head *h =
        head_of(&in, what & 3 ? (size_t)1 << (what & 3) * 2 : SIZE_MAX, what & 4 ? 256 : ROOM);
    if (h && head_parse_request(h) == 0 && request_read(h, &r) == 0)
        same_again(h, &r);
    free(h);
    chunks(&in, what & 8);
}

const struct target target = {0, NULL, input, NULL};
