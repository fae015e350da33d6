/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP responses to each kind of request: gathered in pieces, parsed, understood. */
#include <stdlib.h>

#include "modules/http/message.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 1024 };

static void understood(struct head *h, const struct request *r)
{
    struct response a, b;
    if (head_parse_response(h) != 0 || response_read(h, r, &a) != 0)
        return;
    HOLDS(h->status >= 100 && h->status <= 999, "RFC 9112 4: three digits");
    HOLDS(h->nfields <= HEAD_FIELDS, "no more fields than fit");
    for (int i = 0; i < h->nfields; i++) {
        struct part name = h->field[i].name, value = h->field[i].value;
        HOLDS((uint32_t)name.at + name.n <= h->n && (uint32_t)value.at + value.n <= h->n,
              "fields lie in the text");
        HOLDS(name.n > 0, "a field has a name");
    }
    HOLDS(!(r->head && a.body != BODY_NONE && !a.upgrade), "RFC 9112 6.3: no body after HEAD");
    HOLDS(!(h->status / 100 == 1 && a.body != BODY_NONE && !a.upgrade), "no body after 1xx");
    HOLDS(!((h->status == 204 || h->status == 304) && a.body != BODY_NONE), "nor 204, 304");
    HOLDS(response_read(h, r, &b) == 0 && a.body == b.body && a.length == b.length,
          "twice the same");
}

static void input(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    uint8_t what = bytes_one(&in);
    struct request r = {.head = what & 1, .upgrade = what & 2, .close = what & 4};
    size_t room = what & 8 ? 256 : ROOM, piece = what & 16 ? 7 : SIZE_MAX;
    struct head *h = malloc(head_size((uint32_t)room));
    int is = HEAD_MORE;
    if (!h)
        abort();
    head_init(h, (uint32_t)room);
    while (is == HEAD_MORE && in.n) {
        size_t some = in.n < piece ? in.n : piece;
        size_t took = head_take(h, (const char *)in.at, some, &is);
        HOLDS(took <= some && (took || is != HEAD_MORE), "it takes, or it says why not");
        bytes_some(&in, &took);
    }
    if (is == HEAD_WHOLE)
        understood(h, &r);
    free(h);
}

const struct target target = {0, NULL, input, NULL};
