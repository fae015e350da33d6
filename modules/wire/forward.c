/* SPDX-License-Identifier: BSD-2-Clause */
/* What forward.h does not do for every segment. */
#include "modules/wire/forward.h"

/* Bytes of the pseudo header or of the end; in the machine's own order (RFC 1071 2.B). */
static inline flow_product_t raw_words(const uint8_t *at, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, at, n);
    return v;
}

bool forward_header_is_good(const uint8_t *ip, const uint8_t *tcp, uint32_t hlen)
{
    uint8_t rest[4] = {0, PROTO_TCP, 0, (uint8_t)hlen};
    flow_product_t sum = raw_words(ip + IP4_SRC, 8) + raw_words(rest, 4);
    sum += raw_words(tcp, 8) + raw_words(tcp + 8, 8) + raw_words(tcp + 16, 4);
    if (hlen == TCP_STAMPED)
        sum += raw_words(tcp + 20, 4) + raw_words(tcp + 24, 8);
    uint64_t low = (uint64_t)sum, carries = (uint64_t)(sum >> 64);
    low += carries;
    return patch_fold(low + (low < carries)) == 0xffff;
}

void forward_prepare_patch(struct path *p)
{
    const struct flow_table *t = &p->pool.k->flows;
    struct flow *f = flow_line(t, p->flow);
    p->flags &= (uint16_t)~PATH_UNITS;
    for (int i = 0; i < 2; i++, f = flow_line(t, f->next)) {
        const struct record *r = flow_record(f);
        int d = f->dir;
        uint64_t moved = forward_moved(f, r);
        uint64_t ports = (uint64_t)r->sport + r->dport - (uint32_t)f->key.w[1];
        uint8_t raw[2];
        be16_put(raw, patch_fold(moved - 0x100)); /* the time to live falls by one */
        memcpy(&p->ip_patch[d], raw, sizeof raw);
        if ((r->scale ^ r->scale >> 4) & 15)
            p->flags |= PATH_UNITS;
        p->tcp_patch[d] = patch_fold(moved + PATCH_BIAS + ports + r->seq_off - r->ack_off);
    }
}

uint32_t forward_window(uint8_t *tcp, uint8_t scale)
{
    uint16_t wnd = be16_get(tcp + TCP_AT_WINDOW), told = rewrite_window(wnd, scale);
    be16_put(tcp + TCP_AT_WINDOW, told);
    return told + (0xffffU ^ wnd);
}

/* at += n: n in ones' complement, less one for a wrap. */
static uint32_t add(uint8_t *at, uint32_t n)
{
    uint32_t old = be32_get(at), out = old + n;
    be32_put(at, out);
    return (n >> 16) + (n & 0xffff) - (out < old);
}

uint32_t forward_stamps(uint8_t *tcp, const struct record *r)
{
    uint8_t *at = tcp + TCP_HEADER_MIN + 4;
    return add(at, r->ts_off) + add(at + 4, -r->ecr_off);
}
