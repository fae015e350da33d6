/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rewriting of any TCP header; the common ones are done in rewrite.h. Values may stand at odd
 * bytes here. The walk over options advances by at least one byte a step.
 */
#include "modules/wire/rewrite.h"

enum { /* options, RFC 9293 3.1, RFC 7323, RFC 2018 */
       OPT_END = 0,
       OPT_NOP = 1,
       OPT_MSS = 2,
       OPT_WSCALE = 3,
       OPT_SACK_OK = 4,
       OPT_SACK = 5,
       OPT_TS = 8,
       TS_LEN = 10,
       SACK_BLOCK = 8,
};

struct header {
    uint8_t *at;
    uint64_t patch;
    const struct record *r;
    bool ack, syn;
};

static void set8(struct header *h, uint32_t off, uint8_t v)
{
    uint64_t change = (uint64_t)v - h->at[off];
    h->patch += off & 1 ? change : change << 8;
    h->at[off] = v;
}

static void set16(struct header *h, uint32_t off, uint16_t v) /* of the fixed part: even */
{
    h->patch += (uint64_t)v - be16_get(h->at + off);
    be16_put(h->at + off, v);
}

static void add32(struct header *h, uint32_t off, uint32_t n)
{
    uint32_t old = be32_get(h->at + off), new = old + n;
    uint64_t change = (uint64_t) new - old;
    h->patch += off & 1 ? change << 8 : change;
    be32_put(h->at + off, new);
}

static void blank(struct header *h, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        set8(h, i, OPT_NOP);
}

static void option(struct header *h, uint32_t off, uint32_t len)
{
    const struct record *r = h->r;
    uint8_t kind = h->at[off];
    uint32_t blocks = len - 2;
    if (kind == OPT_TS && len == TS_LEN && r->flags & RECORD_TS) {
        add32(h, off + 2, r->ts_off);
        add32(h, off + 6, h->ack ? -r->ecr_off : 0);
    } else if (kind == OPT_SACK && blocks && blocks % SACK_BLOCK == 0 && r->flags & RECORD_SACK) {
        for (uint32_t i = off + 2; i < off + len; i += 4)
            add32(h, i, h->ack ? -r->ack_off : 0);
    } else if (!h->syn || (kind != OPT_MSS && kind != OPT_WSCALE && kind != OPT_SACK_OK)) {
        blank(h, off, off + len);
    }
}

/* Bytes of the option that begins there; 0: it is malformed. */
static uint32_t option_len(const uint8_t *at, uint32_t left)
{
    if (*at == OPT_NOP)
        return 1;
    return left < 2 || at[1] < 2 || at[1] > left ? 0 : at[1];
}

static void options(struct header *h, uint32_t hlen)
{
    for (uint32_t len, i = TCP_HEADER_MIN; i < hlen && h->at[i] != OPT_END; i += len) {
        len = option_len(h->at + i, hlen - i);
        if (!len) {
            blank(h, i, hlen);
            return;
        }
        if (len > 1)
            option(h, i, len);
    }
}

const uint8_t *rewrite_stamps(const uint8_t *tcp, uint32_t hlen)
{
    for (uint32_t len, i = TCP_HEADER_MIN; i < hlen && tcp[i] != OPT_END; i += len) {
        len = option_len(tcp + i, hlen - i);
        if (!len)
            break;
        if (tcp[i] == OPT_TS && len == TS_LEN)
            return tcp + i + 2;
    }
    return NULL;
}

void rewrite_any(uint8_t *tcp, uint32_t hlen, const struct record *r, uint64_t patch)
{
    struct header h = {.at = tcp,
                       .patch = patch,
                       .r = r,
                       .ack = tcp[TCP_AT_FLAGS] & TCP_ACK,
                       .syn = tcp[TCP_AT_FLAGS] & TCP_SYN};
    set16(&h, TCP_AT_SPORT, r->sport);
    set16(&h, TCP_AT_DPORT, r->dport);
    add32(&h, TCP_AT_SEQ, r->seq_off);
    add32(&h, TCP_AT_ACK, h.ack ? -r->ack_off : 0);
    if (!h.syn)
        set16(&h, TCP_AT_WINDOW, rewrite_window(be16_get(tcp + TCP_AT_WINDOW), r->scale));
    options(&h, hlen);
    be16_put(tcp + TCP_AT_CKSUM, patch_cksum(be16_get(tcp + TCP_AT_CKSUM), h.patch));
}
