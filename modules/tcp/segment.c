/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TCP header on the wire: checked and read once when a segment arrives, written once when one
 * leaves. Called by the stages and by whoever sends. Owns nothing; a failed check changes nothing.
 */
#include "modules/tcp/segment.h"

#include <string.h>

#include "modules/wire/cksum.h"
#include "modules/wire/ip4.h"
#include "modules/wire/tcp.h"

bool segment_parse(struct msg *m, struct segment *g, enum drop *why)
{
    const uint8_t *h = m->data;
    *why = DROP_TCP_HEADER;
    if (m->len < TCP_HEADER)
        return false;
    uint32_t hlen = (uint32_t)(h[TCP_AT_OFFSET] >> 4) * 4;
    if (hlen < TCP_HEADER || hlen > m->len)
        return false;
    g->src = be32_get(m->net + IP4_SRC);
    g->dst = be32_get(m->net + IP4_DST);
    *why = DROP_TCP_CKSUM;
    if (!(m->flags & MSG_CSUM_VALID) &&
        cksum_fold(cksum_msg(cksum_pseudo(g->src, g->dst, PROTO_TCP, m->total), m, 0)) != 0xffff)
        return false;
    g->sport = be16_get(h + TCP_AT_SPORT);
    g->dport = be16_get(h + TCP_AT_DPORT);
    *why = DROP_TCP_PORT;
    if (!g->sport || !g->dport)
        return false;
    *why = DROP_TCP_DST; /* RFC 9293 MUST-57: silently */
    if (m->flags & MSG_BROADCAST || g->dst >> 28 >= 14)
        return false;
    g->seq = be32_get(h + TCP_AT_SEQ);
    g->ack = be32_get(h + TCP_AT_ACK);
    g->wnd = be16_get(h + TCP_AT_WINDOW);
    g->urgent = be16_get(h + TCP_AT_URGENT);
    g->flags = h[TCP_AT_FLAGS] & 0x3f;
    g->hlen = (uint8_t)hlen;
    g->len = m->total - hlen;
    options_parse(h + TCP_HEADER, hlen - TCP_HEADER, g->flags & TCP_SYN, &g->o);
    return msg_pop(m, hlen) != NULL;
}

bool segment_build(struct msg *m, const struct segment *g, const uint8_t *opt, uint32_t nopt,
                   uint32_t pseudo)
{
    uint32_t hlen = TCP_HEADER + nopt;
    uint8_t *h = msg_push(m, hlen);
    if (!h)
        return false;
    be16_put(h + TCP_AT_SPORT, g->sport);
    be16_put(h + TCP_AT_DPORT, g->dport);
    be32_put(h + TCP_AT_SEQ, g->seq);
    be32_put(h + TCP_AT_ACK, g->flags & TCP_ACK ? g->ack : 0);
    h[TCP_AT_OFFSET] = (uint8_t)(hlen / 4 << 4);
    h[TCP_AT_FLAGS] = g->flags;
    be16_put(h + TCP_AT_WINDOW, g->wnd);
    be16_put(h + TCP_AT_CKSUM, 0);
    be16_put(h + TCP_AT_URGENT, g->urgent);
    if (nopt)
        memcpy(h + TCP_HEADER, opt, nopt);
    be16_put(h + TCP_AT_CKSUM, (uint16_t)~cksum_fold(cksum_msg(pseudo + m->total, m, 0)));
    return true;
}
