/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP options, read and written. The walk advances by at least one byte a step and never looks
 * beyond the header; an option of impossible length ends the walk (its end cannot be known), one
 * of the wrong length for its kind is skipped (RFC 9293 MUST-5, MUST-6, MUST-7; spec R-BAD-28..33).
 */
#include "modules/tcp/segment.h"
#include "modules/tcp/seq.h"
#include "modules/wire/be.h"

enum { KIND_END, KIND_NOP, KIND_MSS, KIND_WSCALE, KIND_SACK_OK, KIND_SACK, KIND_TS = 8 };
enum { LEN_MSS = 4, LEN_WSCALE = 3, LEN_SACK_OK = 2, LEN_TS = 10 };

static void blocks_parse(const uint8_t *at, uint32_t len, struct tcp_opts *o)
{
    if (len < 10 || (len - 2) % 8 != 0 || o->nsack)
        return;
    for (uint32_t i = 2; i < len && o->nsack < TCP_SACK_BLOCKS; i += 8) {
        struct tcp_range r = {be32_get(at + i), be32_get(at + i + 4)};
        if (seq_lt(r.left, r.right))
            o->sack[o->nsack++] = r;
    }
}

static void option_parse(const uint8_t *at, uint32_t len, bool syn, struct tcp_opts *o)
{
    switch (at[0]) {
    case KIND_MSS: /* the first counts, and only in a SYN */
        if (syn && len == LEN_MSS && !o->mss)
            o->mss = be16_get(at + 2) ? be16_get(at + 2) : 1;
        break;
    case KIND_WSCALE: /* RFC 7323 2.3: above 14 is 14 */
        if (syn && len == LEN_WSCALE && o->wscale == TCP_WSCALE_NONE)
            o->wscale = at[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : at[2];
        break;
    case KIND_SACK_OK:
        if (syn && len == LEN_SACK_OK)
            o->sack_ok = true;
        break;
    case KIND_SACK:
        if (!syn)
            blocks_parse(at, len, o);
        break;
    case KIND_TS:
        if (len == LEN_TS && !o->has_ts) {
            o->has_ts = true;
            o->tsval = be32_get(at + 2);
            o->tsecr = be32_get(at + 6);
        }
        break;
    default: /* unknown ones are ignored */
        break;
    }
}

void options_parse(const uint8_t *at, uint32_t n, bool syn, struct tcp_opts *o)
{
    *o = (struct tcp_opts){.wscale = TCP_WSCALE_NONE};
    if (n == 12 && be32_get(at) == 0x0101080a) { /* NOP NOP TS: nearly every segment */
        o->has_ts = true;
        o->tsval = be32_get(at + 4);
        o->tsecr = be32_get(at + 8);
        return;
    }
    for (uint32_t i = 0; i < n;) {
        if (at[i] == KIND_END)
            return;
        if (at[i] == KIND_NOP) {
            i++;
            continue;
        }
        if (i + 1 >= n || at[i + 1] < 2 || at[i + 1] > n - i)
            return;
        option_parse(at + i, at[i + 1], syn, o);
        i += at[i + 1];
    }
}

static uint32_t put_ts(uint8_t *out, const struct tcp_opts *o)
{
    be32_put(out, 0x0101080a);
    be32_put(out + 4, o->tsval);
    be32_put(out + 8, o->tsecr);
    return 12;
}

uint32_t options_build_syn(uint8_t *out, const struct tcp_opts *o)
{
    uint32_t n = 4;
    be32_put(out, (uint32_t)KIND_MSS << 24 | (uint32_t)LEN_MSS << 16 | o->mss);
    if (o->wscale != TCP_WSCALE_NONE) {
        be32_put(out + n, 0x01000000U | (uint32_t)KIND_WSCALE << 16 | LEN_WSCALE << 8 | o->wscale);
        n += 4;
    }
    if (o->sack_ok) {
        be32_put(out + n, 0x01010000U | KIND_SACK_OK << 8 | LEN_SACK_OK);
        n += 4;
    }
    if (o->has_ts)
        n += put_ts(out + n, o);
    return n;
}

uint32_t options_build(uint8_t *out, const struct tcp_opts *o)
{
    uint32_t n = o->has_ts ? put_ts(out, o) : 0;
    uint32_t fit = (TCP_OPTIONS_MAX - n - 4) / 8; /* RFC 2018 3: three beside time stamps */
    uint32_t blocks = o->nsack < fit ? o->nsack : fit;
    if (!blocks)
        return n;
    be32_put(out + n, 0x01010000U | (uint32_t)KIND_SACK << 8 | (2 + 8 * blocks));
    n += 4;
    for (uint32_t i = 0; i < blocks; i++, n += 8) {
        be32_put(out + n, o->sack[i].left);
        be32_put(out + n + 4, o->sack[i].right);
    }
    return n;
}
