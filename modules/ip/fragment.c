/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cutting a datagram that is too long for a link (RFC 791 3.2, RFC 1812 5.2.6). The pieces share
 * the payload; each has a header of its own. What is a fragment already may be cut again. All
 * pieces are made or none.
 */
#include <string.h>

#include "modules/ip/ip.h"

/* The header of all fragments but the first: options without the copied bit are left out. */
static uint32_t later_header(const uint8_t *h, uint8_t out[IP4_HEADER_MAX])
{
    uint32_t hlen = ip4_header_len(h), n = IP4_HEADER;
    memcpy(out, h, IP4_HEADER);
    for (uint32_t i = IP4_HEADER; i < hlen && h[i] != IP4_OPT_END;) {
        uint32_t len = h[i] == IP4_OPT_NOP ? 1 : h[i + 1]; /* the walk of demux.c found it good */
        if (h[i] & IP4_OPT_COPIED) {
            memcpy(out + n, h + i, len);
            n += len;
        }
        i += len;
    }
    while (n % 4)
        out[n++] = IP4_OPT_END;
    out[IP4_VIHL] = (uint8_t)(0x40 | n / 4);
    return n;
}

static struct msg *piece(struct node *n, struct msg *m, const uint8_t *header, uint32_t hlen,
                         uint32_t from, uint32_t len, uint16_t frag)
{
    struct msg *f = msg_clone(&n->k->pool, m, from, len);
    uint8_t *h = f ? msg_push(f, hlen) : NULL;
    if (!h) {
        msg_free(f);
        return NULL;
    }
    f->in_dev = m->in_dev;
    memcpy(h, header, hlen);
    be16_put(h + IP4_LEN, (uint16_t)(hlen + len));
    be16_put(h + IP4_FRAG, frag);
    ip_header_sum(h);
    return f;
}

void ip_fragment(struct node *n, struct msg *m, uint16_t mtu, struct msgq *out)
{
    struct ip_node *ip = n->state;
    uint8_t first[IP4_HEADER_MAX], later[IP4_HEADER_MAX];
    uint32_t hlen = ip4_header_len(m->data), later_len = later_header(m->data, later);
    uint16_t frag = be16_get(m->data + IP4_FRAG);
    uint32_t end = m->total;
    struct msgq made = {0};
    memcpy(first, m->data, hlen);
    for (uint32_t at = hlen; at < end;) {
        bool is_first = at == hlen;
        uint32_t head = is_first ? hlen : later_len;
        uint32_t len = (mtu - head) & ~7U, rest = end - at;
        bool last = rest <= mtu - head;
        if (last)
            len = rest;
        uint32_t offset = (frag & IP4_OFFSET) + (at - hlen) / 8;
        uint16_t more = last ? frag & IP4_MF : IP4_MF;
        struct msg *f = piece(n, m, is_first ? first : later, head, at, len,
                              (uint16_t)((frag & IP4_DF) | more | offset));
        if (!f) {
            msgq_free(&made);
            msg_drop(n->k, m, DROP_NO_BUFFER);
            return;
        }
        msgq_push(&made, f);
        at += len;
    }
    msg_free(m);
    ip->stat[IP_FRAGMENTS_OUT] += made.count;
    while ((m = msgq_pop(&made)))
        msgq_push(out, m);
}
