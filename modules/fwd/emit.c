/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that we make ourselves on a spliced connection, out of its records: challenges and
 * resets. They carry no options: no clock of either host is known here. A lack of memory is as if
 * one were lost.
 */
#include <string.h>

#include "modules/fwd/inside.h"
#include "modules/wire/cksum.h"

static bool is_merged(const struct path *p, int at)
{
    return p->shape->at[at].ops == &ipfwd_stage;
}

static void tcp_write(uint8_t *h, const struct record *r, uint8_t flags, uint32_t seq, uint32_t ack)
{
    memset(h, 0, TCP_HEADER_MIN);
    be16_put(h + TCP_AT_SPORT, r->sport);
    be16_put(h + TCP_AT_DPORT, r->dport);
    be32_put(h + TCP_AT_SEQ, seq);
    be32_put(h + TCP_AT_ACK, ack);
    h[TCP_AT_OFFSET] = TCP_HEADER_MIN / 4 << 4;
    h[TCP_AT_FLAGS] = flags;
    if (!(flags & TCP_RST))
        be16_put(h + TCP_AT_WINDOW, rewrite_window(r->wnd, r->scale));
    uint32_t sum = cksum_pseudo(r->src, r->dst, PROTO_TCP, TCP_HEADER_MIN);
    be16_put(h + TCP_AT_CKSUM, (uint16_t)~cksum_fold(cksum_add(sum, h, TCP_HEADER_MIN)));
}

static void ip_write(uint8_t *h, const struct record *r)
{
    memset(h, 0, IP4_HEADER);
    h[IP4_VIHL] = IP4_PLAIN;
    be16_put(h + IP4_LEN, FWD_IP_TCP);
    be16_put(h + IP4_FRAG, IP4_DF);
    h[IP4_TTL] = FWD_TTL;
    h[IP4_PROTO] = PROTO_TCP;
    be32_put(h + IP4_SRC, r->src);
    be32_put(h + IP4_DST, r->dst);
    be16_put(h + IP4_CKSUM, (uint16_t)~cksum_fold(cksum_add(0, h, IP4_HEADER)));
}

static void emit(struct path *p, int at, enum dir d, uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct kernel *k = p->pool.k;
    const struct record *r = fwd_record(p, d);
    struct msg *m = msg_alloc(&k->pool, MSG_HEADROOM, TCP_HEADER_MIN);
    uint8_t *h = m ? msg_put(m, TCP_HEADER_MIN) : NULL;
    if (!h) {
        msg_free(m);
        k->drops[DROP_NO_BUFFER]++;
        return;
    }
    tcp_write(h, r, flags, seq, ack);
    uint8_t *ip = is_merged(p, at) ? msg_push(m, IP4_HEADER) : NULL;
    if (ip)
        ip_write(ip, r);
    pass(p, at, d, m);
}

/* As the host that the flow comes from would send it now. */
void emit_ack(struct path *p, int at, enum dir d)
{
    const struct record *r = fwd_record(p, d);
    emit(p, at, d, TCP_ACK, r->seq_max + r->seq_off, r->ack_max - r->ack_off);
}

/* With the number that the host there expects next, as far as it has told (RFC 5961 3.2). */
void emit_resets(struct path *p, int at)
{
    const struct record *r[2] = {fwd_record(p, AB), fwd_record(p, BA)};
    if ((r[0]->flags | r[1]->flags) & RECORD_RST || r[0]->flags & r[1]->flags & RECORD_DONE)
        return; /* both know */
    for (int d = AB; d <= BA; d++)
        emit(p, at, (enum dir)d, TCP_RST | TCP_ACK, r[!d]->ack_max, r[!d]->seq_max);
}
