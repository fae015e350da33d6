/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests: what they mean, and what of them a server gets to see. The head is written anew from
 * the parsed fields: one spelling of the target, one Host, no fields that are only for us (RFC 9110
 * 7.6.1), a Via (7.6.3). What is ambiguous was refused before (RFC 9112 3.2, 6.3, 11.2).
 */
#include <stdio.h>
#include <string.h>

#include "modules/http/message.h"

/* They mean something to us and the client only, and are written anew where need be. */
static const char *const hop_fields[] = {
    "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "HTTP2-Settings", "Host"};
/* A client may not have these taken out by naming them in Connection. */
static const char *const kept_fields[] = {"Host",   "Content-Length", "Transfer-Encoding",
                                          "Cookie", "Authorization",  "Via",
                                          "Expect", "Content-Type"};

static bool one_of(const struct head *h, struct part s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(h, s, words[i]))
            return true;
    return false;
}

static bool is_host_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
}

/* NAME or NAME:PORT, in lower case, without the port; RFC 3986 3.2 without user and brackets. */
static bool authority(const char *s, size_t n, char host[HOST_MAX + 1], const char **port,
                      size_t *nport)
{
    size_t i = 0;
    for (; i < n && s[i] != ':'; i++) {
        char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 'a' - 'A') : s[i];
        if (i == HOST_MAX || !is_host_char(c))
            return false;
        host[i] = c;
    }
    host[i] = 0;
    *port = s + i;
    *nport = n - i;
    if (i < n && n - i > 6)
        return false;
    for (size_t j = i + 1; j < n; j++)
        if (s[j] < '0' || s[j] > '9')
            return false;
    return i > 0;
}

/* Exactly one Host from HTTP/1.1 on (RFC 9112 3.2); what an absolute target says must agree. */
static int read_host(const struct head *h, struct request *r)
{
    const struct field *host = head_field(h, "Host", 0);
    const char *port = "";
    size_t nport = 0;
    if (head_field(h, "Host", 1) || (!host && h->minor))
        return 400;
    if (host && !authority(head_at(h, host->value), host->value.n, r->host, &port, &nport))
        return 400;
    if (host)
        r->authority = host->value;
    const char *target = head_at(h, h->target);
    size_t n = h->target.n;
    if (n == 0)
        return 400;
    if (target[0] == '/' || (n == 1 && target[0] == '*')) {
        r->path = h->target;
        return target[0] == '*' && strcmp(head_method(h), "OPTIONS") != 0 ? 400 : 0;
    }
    char named[HOST_MAX + 1];
    const char *other;
    size_t nother, skip = strlen("http://");
    if (n <= skip || !span_is(h, (struct part){h->target.at, (uint16_t)skip}, "http://"))
        return 400;
    const char *path = memchr(target + skip, '/', n - skip);
    if (!path || !authority(target + skip, (size_t)(path - target) - skip, named, &other, &nother))
        return 400;
    if (host && (strcmp(named, r->host) != 0 || nother != nport || memcmp(other, port, nport) != 0))
        return 400;
    memcpy(r->host, named, sizeof named);
    r->authority =
        (struct part){(uint16_t)(h->target.at + skip), (uint16_t)((size_t)(path - target) - skip)};
    r->path = (struct part){(uint16_t)(path - h->text), (uint16_t)(n - (size_t)(path - target))};
    return 0;
}

/* RFC 9112 6.3, without the cases in which somebody else might choose otherwise. */
static int read_body(const struct head *h, struct request *r)
{
    const struct field *length = head_field(h, "Content-Length", 0);
    const struct field *coding = head_field(h, "Transfer-Encoding", 0);
    r->body = BODY_NONE;
    if (head_field(h, "Content-Length", 1) || head_field(h, "Transfer-Encoding", 1) ||
        (length && coding) || (coding && h->minor == 0))
        return 400;
    if (coding) {
        r->body = BODY_CHUNKED;
        return span_is(h, coding->value, "chunked") ? 0 : 400;
    }
    if (length && !span_number(h, length->value, &r->length))
        return 400;
    if (r->length)
        r->body = BODY_LENGTH;
    return 0;
}

static int read_connection(const struct head *h, struct request *r)
{
    const struct field *f;
    for (int i = 0; (f = head_field(h, "Connection", i)) != NULL; i++) {
        struct part list = f->value, item;
        while (span_item(h, &list, &item))
            if (one_of(h, item, kept_fields, sizeof kept_fields / sizeof *kept_fields))
                return 400;
    }
    bool close = head_lists(h, "Connection", "close");
    r->close = close || (h->minor == 0 && !head_lists(h, "Connection", "keep-alive"));
    r->upgrade = h->minor && head_lists(h, "Connection", "upgrade") &&
                 head_field(h, "Upgrade", 0) && !head_lists(h, "Upgrade", "h2c");
    return 0;
}

int request_read(const struct head *h, struct request *r)
{
    memset(r, 0, sizeof *r);
    const struct field *expect = head_field(h, "Expect", 0);
    if (strcmp(head_method(h), "CONNECT") == 0)
        return 501;
    int status = read_host(h, r);
    if (status == 0 && !path_fits(head_at(h, r->path), r->path.n))
        status = 400;
    if (status == 0)
        status = read_body(h, r);
    if (status == 0)
        status = read_connection(h, r);
    if (status == 0 && expect && !span_is(h, expect->value, "100-continue"))
        status = 417;
    r->expect = expect != NULL;
    r->head = strcmp(head_method(h), "HEAD") == 0;
    return status;
}

static size_t put(char *to, size_t n, const char *from, size_t len)
{
    memcpy(to + n, from, len);
    return n + len;
}

static size_t put_field(const struct head *h, const struct field *f, char *to, size_t n)
{
    n = put(to, n, head_at(h, f->name), f->name.n);
    n = put(to, n, ": ", 2);
    n = put(to, n, head_at(h, f->value), f->value.n);
    return put(to, n, "\r\n", 2);
}

static bool named_in_connection(const struct head *h, const struct field *f)
{
    const struct field *c;
    for (int i = 0; (c = head_field(h, "Connection", i)) != NULL; i++) {
        struct part list = c->value, item;
        while (span_item(h, &list, &item))
            if (item.n == f->name.n)
                for (uint16_t j = 0;
                     (head_at(h, item)[j] | 0x20) == (head_at(h, f->name)[j] | 0x20);)
                    if (++j == item.n)
                        return true;
    }
    return false;
}

size_t request_write(const struct head *h, const struct request *r, char *to)
{
    const struct field *upgrade = head_field(h, "Upgrade", 0);
    const char *method = head_method(h);
    size_t n = put(to, 0, method, strlen(method));
    n = put(to, n, " ", 1);
    n = put(to, n, head_at(h, r->path), r->path.n);
    n = put(to, n, h->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n", 11);
    if (r->authority.n) {
        n = put(to, n, "Host: ", 6);
        n = put(to, n, head_at(h, r->authority), r->authority.n);
        n = put(to, n, "\r\n", 2);
    }
    for (uint16_t i = 0; i < h->nfields; i++)
        if (!one_of(h, h->field[i].name, hop_fields, sizeof hop_fields / sizeof *hop_fields) &&
            !named_in_connection(h, &h->field[i]))
            n = put_field(h, &h->field[i], to, n);
    if (r->upgrade)
        n = put_field(h, upgrade, to, n);
    const char *connection = r->upgrade               ? "Connection: upgrade\r\n"
                             : r->close && h->minor   ? "Connection: close\r\n"
                             : !r->close && !h->minor ? "Connection: keep-alive\r\n"
                                                      : "";
    n = put(to, n, connection, strlen(connection));
    const char *via = h->minor ? "Via: 1.1 towpath\r\n\r\n" : "Via: 1.0 towpath\r\n\r\n";
    return put(to, n, via, strlen(via));
}
