/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Responses: how the body is delimited (RFC 9112 6.3) and whether the server's connection can be
 * used again (9.3). The head goes to the client as it came, since every byte of it was checked.
 */
#include <string.h>

#include "modules/http/message.h"

static int delimited(const struct head *h, struct response *out)
{
    const struct field *length = head_field(h, "Content-Length", 0);
    const struct field *coding = head_field(h, "Transfer-Encoding", 0);
    if (head_field(h, "Content-Length", 1) || head_field(h, "Transfer-Encoding", 1) ||
        (length && coding) || (length && !span_number(h, length->value, &out->length)) ||
        (coding && (h->minor == 0 || !span_is(h, coding->value, "chunked"))))
        return 502;
    out->body = coding        ? BODY_CHUNKED
                : !length     ? BODY_CLOSE
                : out->length ? BODY_LENGTH
                              : BODY_NONE;
    return 0;
}

int response_read(const struct head *h, const struct request *r, struct response *out)
{
    memset(out, 0, sizeof *out);
    if (delimited(h, out) != 0)
        return 502;
    out->interim = h->status < 200;
    if (out->interim && (out->body == BODY_CHUNKED || out->body == BODY_LENGTH))
        return 502;
    if (h->status == 101) {
        if (!r->upgrade)
            return 502;
        out->interim = false;
        out->upgrade = true;
        out->body = BODY_CLOSE;
        return 0;
    }
    if (out->interim || r->head || h->status == 204 || h->status == 304)
        out->body = BODY_NONE;
    bool stays = h->minor ? !head_lists(h, "Connection", "close")
                          : head_lists(h, "Connection", "keep-alive");
    out->close = !out->interim && (!stays || out->body == BODY_CLOSE);
    return 0;
}
