/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that we make ourselves on a spliced connection, out of its records: challenges and
 * resets. No clock of either host is known here, but a segment that is answered has one stamp from
 * each: without them the answer would be dropped (RFC 7323 3.2). A lack of memory is as if one were
 * lost.
 */
#include <string.h>

#include "modules/fwd/inside.h"
#include "modules/wire/cksum.h"

static bool is_merged(const struct path *p, int at)
{
    return p->shape->at[at].ops == &ipfwd_stage;
}

/* stamps: those of the segment that is answered, or NULL. */
static void tcp_write(uint8_t *h, const struct record *r, uint8_t flags, uint32_t seq, uint32_t ack,
                      const uint8_t *stamps)
{
    uint32_t len = stamps ? TCP_STAMPED : TCP_HEADER_MIN;
    memset(h, 0, TCP_HEADER_MIN);
    be16_put(h + TCP_AT_SPORT, r->sport);
    be16_put(h + TCP_AT_DPORT, r->dport);
    be32_put(h + TCP_AT_SEQ, seq);
    be32_put(h + TCP_AT_ACK, ack);
    h[TCP_AT_OFFSET] = (uint8_t)(len / 4 << 4);
    h[TCP_AT_FLAGS] = flags;
    if (!(flags & TCP_RST))
        be16_put(h + TCP_AT_WINDOW, rewrite_window(r->wnd, r->scale));
    if (stamps) {
        be32_put(h + TCP_HEADER_MIN, TCP_OPT_STAMPS);
        be32_put(h + TCP_HEADER_MIN + 4, be32_get(stamps + 4));
        be32_put(h + TCP_HEADER_MIN + 8, be32_get(stamps));
    }
    uint32_t sum = cksum_pseudo(r->src, r->dst, PROTO_TCP, len);
    be16_put(h + TCP_AT_CKSUM, (uint16_t)~cksum_fold(cksum_add(sum, h, len)));
}

static void ip_write(uint8_t *h, const struct record *r, uint32_t payload)
{
    memset(h, 0, IP4_HEADER);
    h[IP4_VIHL] = IP4_PLAIN;
    be16_put(h + IP4_LEN, (uint16_t)(IP4_HEADER + payload));
    be16_put(h + IP4_FRAG, IP4_DF);
    h[IP4_TTL] = FWD_TTL;
    h[IP4_PROTO] = PROTO_TCP;
    be32_put(h + IP4_SRC, r->src);
    be32_put(h + IP4_DST, r->dst);
    be16_put(h + IP4_CKSUM, (uint16_t)~cksum_fold(cksum_add(0, h, IP4_HEADER)));
}

static void emit(struct path *p, int at, enum dir d, uint8_t flags, uint32_t seq, uint32_t ack,
                 const uint8_t *stamps)
{
    struct kernel *k = p->pool.k;
    const struct record *r = fwd_record(p, d);
    uint32_t len = stamps ? TCP_STAMPED : TCP_HEADER_MIN;
    struct msg *m = msg_alloc(&k->pool, MSG_HEADROOM, len);
    uint8_t *h = m ? msg_put(m, len) : NULL;
    if (!h) {
        msg_free(m);
        k->drops[DROP_NO_BUFFER]++;
        return;
    }
    tcp_write(h, r, flags, seq, ack, stamps);
    uint8_t *ip = is_merged(p, at) ? msg_push(m, IP4_HEADER) : NULL;
    if (ip)
        ip_write(ip, r, len);
    pass(p, at, d, m);
}

/* A SYN without ACK echoes nothing: a host that is alive drops the answer, one that has forgotten
 * resets the connection, and that is what it is for. */
void emit_answer(const struct seg *s)
{
    const struct record *r = s->back;
    bool stamped = r->flags & RECORD_TS && s->flags & TCP_ACK;
    emit(s->p, s->at, dir_reverse(s->d), TCP_ACK, r->seq_max + r->seq_off, r->ack_max - r->ack_off,
         stamped ? rewrite_stamps(s->tcp, s->hlen) : NULL);
}

/* With the number that the host there expects next, as far as it has told (RFC 5961 3.2). */
void emit_resets(struct path *p, int at)
{
    const struct record *r[2] = {fwd_record(p, AB), fwd_record(p, BA)};
    if ((r[0]->flags | r[1]->flags) & RECORD_RST || r[0]->flags & r[1]->flags & RECORD_DONE)
        return; /* both know */
    for (int d = AB; d <= BA; d++)
        emit(p, at, (enum dir)d, TCP_RST | TCP_ACK, r[!d]->ack_max, r[!d]->seq_max, NULL);
}
