/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two final forwarding stages (spec splicing 3). What is here runs for nearly every segment
 * (of merged paths: that ip's lane has not taken, modules/wire/forward.h) and looks at one line of
 * the flow table: filter, numbers seen, rewriting. It never touches the payload, so one byte costs
 * as much as 1460. Whatever is not plain goes to odd.c unchanged. Segments without payload are
 * verified first (spec decisions 4). Of others, unless the card has done it, the acknowledgement is
 * passed on but not believed; now and then one of them is verified in odd.c.
 */
#include "kernel/show.h"
#include "modules/fwd/inside.h"

/* A segment of len bytes, hlen of them header. Rewritten: how the addresses change; 0: nothing was
 * changed. */
__attribute__((always_inline)) static inline uint64_t
forward(struct path *p, enum dir d, const struct msg *m, const uint8_t *ip, uint8_t *tcp,
        uint32_t len, struct flow *f, bool stamped)
{
    struct record *r = flow_record(f);
    uint32_t hlen = stamped ? TCP_STAMPED : TCP_HEADER_MIN;
    uint32_t seq = be32_get(tcp + TCP_AT_SEQ), ack = be32_get(tcp + TCP_AT_ACK);
    uint8_t want = stamped ? RECORD_TS : 0;
    if (UNLIKELY((r->flags & (RECORD_ODD | want)) != want || len - TCP_HEADER_MIN > p->own[d]))
        return 0;
    bool sure = m->flags & MSG_CSUM_VALID;
    if (UNLIKELY(!within_reach(seq, r->seq_max) || !within_trust(ack, r->ack_max)))
        return 0;
    if (len == hlen && !sure && !(sure = forward_header_is_good(ip, tcp, hlen)))
        return 0;
    uint64_t moved = forward_moved(f, r);
    record_move(r, seq + len - hlen, ack, be16_get(tcp + TCP_AT_WINDOW), sure);
    rewrite_plain(tcp, r, (uint32_t)f->key.w[1], moved, stamped);
    return moved;
}

/* `have` bytes are in one piece. */
__attribute__((always_inline)) static inline uint64_t plain(struct path *p, enum dir d,
                                                            const struct msg *m, const uint8_t *ip,
                                                            uint8_t *tcp, uint32_t len,
                                                            uint32_t have, struct flow *f)
{
    if (LIKELY(have >= TCP_STAMPED && rewrite_is_stamped(tcp)))
        return forward(p, d, m, ip, tcp, len, f, true);
    return rewrite_is_plain(tcp) ? forward(p, d, m, ip, tcp, len, f, false) : 0;
}

__attribute__((always_inline)) static inline void fwd(struct path *p, int at, struct msg *m,
                                                      enum dir d)
{
    const uint8_t *ip = m->net;
    if (UNLIKELY(m->len < TCP_HEADER_MIN || ip[IP4_TTL] <= 1 || m->flags & MSG_CSUM_PARTIAL ||
                 !plain(p, d, m, ip, m->data, m->total, m->len, path_flow(p, d)))) {
        fwd_odd(p, at, d, m, false);
        return;
    }
    m->ttl = (uint8_t)(ip[IP4_TTL] - 1);
    pass(p, at, d, m);
}

static inline void ip_rewrite(uint8_t *h, const struct record *r, uint64_t moved)
{
    be32_put(h + IP4_SRC, r->src);
    be32_put(h + IP4_DST, r->dst);
    h[IP4_TTL]--;
    be16_put(h + IP4_CKSUM, patch_cksum(be16_get(h + IP4_CKSUM), moved - 0x100));
}

void fwd_rewrite_ip(uint8_t *h, const struct record *r)
{
    uint64_t moved = patch_addresses(r, be32_get(h + IP4_SRC), be32_get(h + IP4_DST));
    ip_rewrite(h, r, moved);
}

/* Bytes of a datagram that is no fragment, without options, and all of the frame; 0: something
 * else. */
static inline uint32_t whole_len(const uint8_t *h, const struct msg *m)
{
    uint32_t n = be16_get(h + IP4_LEN);
    return LIKELY(h[IP4_VIHL] == IP4_PLAIN && !ip4_is_fragment(h) && h[IP4_TTL] > 1 &&
                  m->total == n && n >= FWD_IP_TCP && m->len >= FWD_IP_TCP &&
                  !(m->flags & MSG_CSUM_PARTIAL))
               ? n
               : 0;
}

__attribute__((always_inline)) static inline void ipfwd(struct path *p, int at, struct msg *m,
                                                        enum dir d)
{
    uint8_t *h = m->data, *tcp = h + IP4_HEADER;
    struct flow *f = path_flow(p, d);
    uint32_t n = whole_len(h, m), have = n < m->len ? n : m->len;
    uint64_t moved = LIKELY(n) ? plain(p, d, m, h, tcp, n - IP4_HEADER, have - IP4_HEADER, f) : 0;
    if (UNLIKELY(!moved)) {
        fwd_odd(p, at, d, m, true);
        return;
    }
    ip_rewrite(h, flow_record(f), moved);
    pass(p, at, d, m);
}

static void fwd_ab(struct path *p, int at, struct msg *m)
{
    fwd(p, at, m, AB);
}

static void fwd_ba(struct path *p, int at, struct msg *m)
{
    fwd(p, at, m, BA);
}

static void ipfwd_ab(struct path *p, int at, struct msg *m)
{
    ipfwd(p, at, m, AB);
}

static void ipfwd_ba(struct path *p, int at, struct msg *m)
{
    ipfwd(p, at, m, BA);
}

static void moved(struct path *p, int at)
{
    const struct fwd_keep *keep = p->state[at];
    if (keep && keep->moved)
        keep->moved(keep->conn, p);
    sweep_start(fwd_of(p, at));
}

static void ipfwd_moved(struct path *p, int at)
{
    moved(p, at);
    forward_prepare_patch(p);
}

static void show_record(const struct path *p, enum dir d, struct show *out)
{
    static const char *const names[8] = {"seen", "ts",   "sack", "trigger",
                                         "fin",  "done", "rst",  "pass_syn"};
    const struct flow *f = path_flow(p, d);
    const struct record *r = fwd_record(p, d);
    struct netaddr from = netaddr_ip4((uint32_t)(f->key.w[0] >> 32)), to = netaddr_ip4(r->dst);
    char a[NETADDR_TEXT], b[NETADDR_TEXT];
    show_printf(out, "    %s:%u to %s:%u seq %+d ack %+d ts %+d", netaddr_text(&from, a),
                (unsigned)(uint16_t)(f->key.w[1] >> 16), netaddr_text(&to, b), r->dport,
                (int32_t)r->seq_off, -(int32_t)r->ack_off, (int32_t)r->ts_off);
    show_printf(out, " seen %u acked %u wnd %u own %u", r->seq_max, r->ack_max,
                (unsigned)r->wnd << (r->scale & 15), p->own[d]);
    for (int i = 0; i < 8; i++)
        if (r->flags >> i & 1)
            show_printf(out, " %s", names[i]);
    show_printf(out, "\n");
}

static void show(const struct path *p, int at, struct show *out)
{
    (void)at;
    if (p->flags & PATH_DYING) /* its flows are gone */
        return;
    show_record(p, AB, out);
    show_record(p, BA, out);
}

static void destroy(struct path *p, int at)
{
    struct fwd_keep *keep = p->state[at];
    if (keep && keep->end)
        keep->end(keep->conn);
    pool_free(&p->pool, keep);
}

const struct stage_ops fwd_stage = {
    .name = "fwd",
    .deliver = {fwd_ab, fwd_ba},
    .moved = moved,
    .destroy = destroy,
    .stop = emit_resets,
    .show = show,
    .icmp = fwd_icmp,
    .worth = sweep_worth,
    .evict = sweep_evict,
};

const struct stage_ops ipfwd_stage = {
    .name = "ipfwd",
    .deliver = {ipfwd_ab, ipfwd_ba},
    .moved = ipfwd_moved,
    .destroy = destroy,
    .stop = emit_resets,
    .show = show,
    .icmp = fwd_icmp,
    .worth = sweep_worth,
    .evict = sweep_evict,
    .network = true,
    .records = true,
};
