/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walking a chunked body: only sizes, line ends and trailers are looked at, data is counted. A size
 * has at most 15 digits, so nothing overflows; a line ends with CRLF and nothing else; extensions
 * and trailers are bounded, and in requests not allowed at all.
 */
#include "modules/http/message.h"

enum {
    IN_SIZE,
    IN_EXTENSION,
    IN_SIZE_LF,
    IN_DATA,
    IN_DATA_CR,
    IN_DATA_LF,
    IN_TRAILER,
    IN_FIELD,
    IN_FIELD_LF,
    IN_END_LF,
    IN_NOTHING
};
enum { CR = 13, LF = 10, HT = 9, SP = 32, DEL = 127, DIGITS = 15, EXTRA_MAX = 8192 };

void chunks_init(struct chunks *c, bool strict)
{
    *c = (struct chunks){.strict = strict};
}

static int digit_of(uint8_t b)
{
    if (b >= '0' && b <= '9')
        return b - '0';
    b |= 0x20;
    return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

static bool text(struct chunks *c, uint8_t b)
{
    return !c->strict && ++c->extra <= EXTRA_MAX && (b == HT || (b >= SP && b != DEL));
}

static bool size(struct chunks *c, uint8_t b)
{
    int digit = digit_of(b);
    if (digit >= 0) {
        c->left = c->left << 4 | (unsigned)digit;
        return ++c->digits <= DIGITS;
    }
    if (c->digits == 0)
        return false;
    c->state = b == CR ? IN_SIZE_LF : IN_EXTENSION;
    return b == CR || ((b == ';' || b == SP || b == HT) && text(c, b));
}

static bool step(struct chunks *c, uint8_t b)
{
    switch (c->state) {
    case IN_SIZE:
        return size(c, b);
    case IN_EXTENSION:
        if (b == CR)
            c->state = IN_SIZE_LF;
        return b == CR || text(c, b);
    case IN_SIZE_LF:
        c->state = c->left ? IN_DATA : IN_TRAILER;
        c->digits = 0;
        return b == LF;
    case IN_DATA_CR:
        c->state = IN_DATA_LF;
        return b == CR;
    case IN_DATA_LF:
        c->state = IN_SIZE;
        return b == LF;
    case IN_TRAILER:
        c->state = b == CR ? IN_END_LF : IN_FIELD;
        return b == CR || (b != SP && b != HT && text(c, b));
    case IN_FIELD:
        if (b == CR)
            c->state = IN_FIELD_LF;
        return b == CR || text(c, b);
    case IN_FIELD_LF:
        c->state = IN_TRAILER;
        return b == LF;
    case IN_END_LF:
        c->state = IN_NOTHING;
        return b == LF;
    default:
        return false;
    }
}

size_t chunks_take(struct chunks *c, const uint8_t *from, size_t n, enum chunk_is *is)
{
    size_t i = 0;
    *is = CHUNK_MORE;
    while (i < n && *is == CHUNK_MORE) {
        if (!step(c, from[i++]))
            *is = CHUNK_BAD;
        else if (c->state == IN_DATA)
            *is = CHUNK_DATA;
        else if (c->state == IN_NOTHING)
            *is = CHUNK_END;
    }
    return i;
}

void chunks_passed(struct chunks *c, uint64_t n)
{
    c->left -= n < c->left ? n : c->left;
    if (c->left == 0 && c->state == IN_DATA)
        c->state = IN_DATA_CR;
}
