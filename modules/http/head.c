/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathering and parsing heads, see head.h. The bytes are checked here first, so that what llhttp
 * would forgive (bare LF, folded lines, spaces in odd places) never gets as far (RFC 9112 2.2, 5.1,
 * 5.2); then llhttp parses, and its fields must be as many as there are lines.
 */
#include "modules/http/head.h"

#include <llhttp.h>
#include <string.h>

enum { CR = 13, LF = 10, HT = 9, SP = 32, DEL = 127 };

void head_init(struct head *h, uint32_t max)
{
    memset(h, 0, sizeof *h);
    h->max = max;
}

/* Control characters have no place in a head, but for CR in front of LF, and HT in values. */
static bool byte_fits(const struct head *h, unsigned char c)
{
    bool after_cr = h->n && h->text[h->n - 1] == CR;
    if (c == LF || after_cr)
        return c == LF && after_cr;
    return c == CR || c == HT || (c >= SP && c != DEL);
}

static bool line_ended(struct head *h)
{
    bool empty = h->bare == 0;
    h->bare = 0;
    if (!empty) {
        h->lines++;
    } else if (h->lines == 0) {
        h->n = 0; /* RFC 9112 2.2: empty lines before the first are skipped */
        h->max -= h->max > 2 ? 2 : h->max;
        return false;
    }
    return empty;
}

size_t head_take(struct head *h, const char *from, size_t n, int *is)
{
    *is = HEAD_MORE;
    for (size_t i = 0; i < n; i++) {
        if (h->n >= h->max) {
            *is = h->lines ? 431 : 414;
            return i;
        }
        if (!byte_fits(h, (unsigned char)from[i])) {
            *is = 400;
            return i;
        }
        h->text[h->n++] = from[i];
        if (from[i] == LF) {
            if (line_ended(h)) {
                *is = HEAD_WHOLE;
                return i + 1;
            }
        } else if (from[i] != CR) {
            h->bare++;
        }
    }
    return n;
}

static bool is_token(unsigned char c) /* RFC 9110 5.6.2 */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Every line but the first is a token, a colon, and anything. */
static bool lines_fit(const struct head *h)
{
    const char *line = memchr(h->text, LF, h->n), *end = h->text + h->n - 2;
    for (line++; line < end; line = (const char *)memchr(line, LF, (size_t)(end - line)) + 1) {
        const char *c = line;
        while (is_token((unsigned char)*c))
            c++;
        if (c == line || *c != ':')
            return false;
    }
    return true;
}

/* A token, a space, no space, a space, no space (RFC 9112 3): only then an unknown method is one.
 */
static bool request_line_fits(const struct head *h)
{
    const char *c = h->text;
    int spaces = 0;
    while (is_token((unsigned char)*c))
        c++;
    if (c == h->text || *c != SP)
        return false;
    for (; *c != CR; c++) {
        if (*c == HT || (*c == SP && (c[1] == SP || c[1] == CR)))
            return false;
        if (*c == SP && ++spaces == 2 && strncmp(c + 1, "HTTP/", 5) != 0)
            return false;
    }
    return spaces == 2;
}

static struct part span_of(const struct head *h, const char *at, size_t n)
{
    return (struct part){(uint16_t)(at - h->text), (uint16_t)n};
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    struct head *h = p->data;
    h->target = span_of(h, at, n);
    return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
    struct head *h = p->data;
    if (h->nfields == HEAD_FIELDS)
        return HPE_USER;
    h->field[h->nfields].name = span_of(h, at, n);
    h->field[h->nfields].value = (struct part){0, 0};
    h->nfields++;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct head *h = p->data;
    if (h->nfields == 0 || h->field[h->nfields - 1].value.n)
        return HPE_USER; /* in two pieces: it was folded */
    while (n && (at[n - 1] == SP || at[n - 1] == HT))
        n--;
    h->field[h->nfields - 1].value = span_of(h, at, n);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    (void)p;
    return HPE_PAUSED; /* the body is not its business */
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_complete,
};

static llhttp_errno_t parse(struct head *h, llhttp_type_t type, llhttp_t *p)
{
    h->nfields = 0;
    llhttp_init(p, type, &callbacks);
    p->data = h;
    llhttp_errno_t error = llhttp_execute(p, h->text, h->n);
    h->method = p->method;
    h->major = p->http_major;
    h->minor = p->http_minor;
    h->status = p->status_code;
    return error;
}

int head_parse_request(struct head *h)
{
    llhttp_t p;
    if (h->lines > HEAD_FIELDS + 1)
        return 431;
    if (!request_line_fits(h) || !lines_fit(h))
        return 400;
    llhttp_errno_t error = parse(h, HTTP_REQUEST, &p);
    if (error == HPE_INVALID_METHOD)
        return 501;
    if (error == HPE_INVALID_VERSION)
        return 505;
    if (error == HPE_PAUSED_H2_UPGRADE || (error == HPE_PAUSED && h->major > 1))
        return 505;
    if (error != HPE_PAUSED || h->nfields != h->lines - 1 || h->major != 1 || h->minor > 1)
        return 400;
    return 0;
}

int head_parse_response(struct head *h)
{
    llhttp_t p;
    if (h->lines > HEAD_FIELDS + 1 || !lines_fit(h) || parse(h, HTTP_RESPONSE, &p) != HPE_PAUSED)
        return 502;
    return h->nfields != h->lines - 1 || h->major != 1 || h->minor > 1 || h->status < 100 ? 502 : 0;
}

const char *head_method(const struct head *h)
{
    return llhttp_method_name((llhttp_method_t)h->method);
}
