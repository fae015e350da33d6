/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_HTTP_HEAD_H
#define MODULES_HTTP_HEAD_H
/*
 * The head of a message: from its first byte to the empty line. It is gathered into a text of
 * bounded size, looked over byte by byte by us, parsed by llhttp, and what both agree on is left as
 * a table of fields. Memory: the caller's. Failure: the status code of the answer it deserves.
 */
#include "kernel/types.h"

enum {
    HEAD_FIELDS = 100,
    HEAD_MAX = 32768, /* above any setting: offsets have 16 bits */
};

struct part { /* of the text */
    uint16_t at, n;
};

struct field {
    struct part name, value;
};

struct head {
    /* found by parsing */
    struct part target; /* request */
    uint8_t method;     /* llhttp's number */
    uint8_t major, minor;
    uint16_t status; /* response */
    uint16_t nfields;
    struct field field[HEAD_FIELDS];
    /* gathering */
    uint16_t lines; /* that have ended */
    uint16_t bare;  /* bytes of the line being gathered */
    uint32_t n, max;
    char text[]; /* max bytes */
};

enum { HEAD_MORE = 0, HEAD_WHOLE = 1 }; /* else a status code */

static inline size_t head_size(uint32_t max)
{
    return sizeof(struct head) + max;
}

void head_init(struct head *h, uint32_t max);
/* Takes of n bytes those up to the end of the head; returns how many. *is: HEAD_MORE, HEAD_WHOLE,
 * or 400 (a line does not end with CRLF, a control character), 414, 431 (too long). */
size_t head_take(struct head *h, const char *from, size_t n, int *is);
/* 0, or the status code: 400, 431, 501 (method), 505 (version). */
int head_parse_request(struct head *h);
/* 0, or 502. */
int head_parse_response(struct head *h);
const char *head_method(const struct head *h);

static inline const char *head_at(const struct head *h, struct part s)
{
    return h->text + s.at;
}

/* Letter by letter, in either case. */
bool span_is(const struct head *h, struct part s, const char *word);
/* The i-th field of that name; NULL: there are not so many. */
const struct field *head_field(const struct head *h, const char *name, int i);
/* The next element of a comma-separated list; false: the end. Empty ones are skipped. */
bool span_item(const struct head *h, struct part *list, struct part *item);
bool head_lists(const struct head *h, const char *name, const char *item); /* in any such field */
/* 1*DIGIT and not absurd (below 10^18). */
bool span_number(const struct head *h, struct part s, uint64_t *out);

#endif
