/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that are not plain: other flags, other options, a record that asks to look closer, or
 * something wrong. The order of the checks is that of RFC 9293 3.10.7.4, as far as somebody who
 * stands in the middle can make them. A segment is dropped for what it is, never because of where
 * the hosts are, so that nobody off the path learns numbers from it (spec R-ATK-3).
 *
 * Old data: what lies at or before the highest acknowledgement is passed like all within reach of
 * it. Bytes from before the splice have numbers of which the far host has acknowledged the last, so
 * it takes them for duplicates and acknowledges again; they reach no reader (spec R-ATK-9).
 */
#include "modules/fwd/inside.h"
#include "modules/wire/cksum.h"
#include "modules/wire/eth.h"
#include "modules/wire/icmp4.h"

static bool lives_on(struct path *p, int at, struct msg *m, bool merged)
{
    struct fwd_node *f = fwd_of(p, at);
    const struct network_ops *ops = f->ip->module->ops;
    if (m->net[IP4_TTL] > 1)
        return true;
    if (merged || msg_push(m, (uint32_t)(m->data - m->net))) /* R-FLOW-57 */
        ops->error(f->ip, ICMP_TIME_EXCEEDED, ICMP_IN_TRANSIT, 0, m);
    msg_drop(p->pool.k, m, DROP_IP_TTL);
    return false;
}

/* The header is there, and it is one. */
static bool seg_read(struct seg *s, struct path *p, int at, enum dir d, struct msg *m, bool merged)
{
    uint32_t off = merged ? ip4_header_len(m->data) : 0;
    if (m->len < off + TCP_HEADER_MIN || m->flags & MSG_CSUM_PARTIAL)
        return false;
    uint8_t *tcp = m->data + off;
    uint32_t len = m->total - off, hlen = (uint32_t)(tcp[TCP_AT_OFFSET] >> 4) * 4;
    if (hlen < TCP_HEADER_MIN || hlen > m->len - off)
        return false;
    *s = (struct seg){.p = p,
                      .at = at,
                      .d = d,
                      .merged = merged,
                      .m = m,
                      .ip = merged ? m->data : m->net,
                      .tcp = tcp,
                      .r = fwd_record(p, d),
                      .back = fwd_record(p, dir_reverse(d)),
                      .hlen = hlen,
                      .payload = len - hlen,
                      .seq = be32_get(tcp + TCP_AT_SEQ),
                      .ack = be32_get(tcp + TCP_AT_ACK),
                      .flags = tcp[TCP_AT_FLAGS]};
    s->end = s->seq + s->payload + !!(s->flags & TCP_FIN);
    return true;
}

/* Must its numbers be true? Of the first fragment of a datagram nobody can tell. */
static bool matters(const struct seg *s)
{
    bool ends = s->flags & (TCP_FIN | TCP_RST | TCP_SYN) || s->back->flags & RECORD_FIN;
    bool far = !within_trust(s->ack, s->r->ack_max) && !ip4_is_fragment(s->ip);
    return !s->payload || ends || far;
}

static bool is_verified(struct seg *s)
{
    const struct msg *m = s->m;
    uint32_t off = (uint32_t)(s->tcp - m->data);
    s->sure = m->flags & MSG_CSUM_VALID;
    if (s->sure || !matters(s))
        return true;
    uint32_t sum = cksum_pseudo(be32_get(s->ip + IP4_SRC), be32_get(s->ip + IP4_DST), PROTO_TCP,
                                m->total - off);
    s->sure = cksum_fold(cksum_msg(sum, m, off)) == 0xffff;
    return s->sure;
}

static bool fires(const struct seg *s)
{
    struct fwd_keep *keep = s->p->state[s->at];
    if (!keep || !keep->kept.stops[s->d] || !before(keep->trigger[s->d], s->end))
        return false;
    keep->fired[s->d] = true;
    fwd_of(s->p, s->at)->stat[FWD_FIRED]++;
    return true;
}

/* Back to the frame that came. */
void fwd_hold(struct seg *s)
{
    struct msg *m = s->m;
    uint32_t back = (uint32_t)(m->data - m->net) + ETH_HEADER;
    if (msg_push(m, back))
        path_hold(s->p, s->d, m);
    else
        msg_drop(s->p->pool.k, m, DROP_NO_BUFFER);
}

void fwd_go(struct seg *s)
{
    struct msg *m = s->m;
    uint32_t src = be32_get(s->ip + IP4_SRC), dst = be32_get(s->ip + IP4_DST);
    rewrite_any(s->tcp, s->hlen, s->r, patch_addresses(s->r, src, dst));
    if (s->merged)
        fwd_rewrite_ip(m->data, s->r);
    else
        m->ttl = (uint8_t)(s->ip[IP4_TTL] - 1);
    pass(s->p, s->at, s->d, m);
}

static void forward(struct seg *s)
{
    end_note(s);
    if (s->merged && ip4_is_fragment(s->ip))
        train_note(s);
    if (fit_is_long(s))
        fit_cut(s);
    else
        fwd_go(s);
}

static enum drop check(struct seg *s)
{
    if (!is_verified(s))
        return DROP_TCP_CKSUM;
    if (s->flags & TCP_SYN)
        return s->flags & (TCP_RST | TCP_FIN) ? DROP_TCP_FLAGS : DROP_COUNT;
    if (!(s->flags & (TCP_ACK | TCP_RST)))
        return DROP_TCP_FLAGS;
    if (!within_reach(s->seq, s->r->seq_max) ||
        (s->flags & TCP_ACK && !within_reach(s->ack, s->r->ack_max)))
        return DROP_FWD_WINDOW;
    return DROP_COUNT;
}

static void segment(struct seg *s)
{
    enum drop why = check(s);
    if (why != DROP_COUNT)
        msg_drop(s->p->pool.k, s->m, why);
    else if (s->flags & TCP_SYN)
        end_syn(s);
    else if (s->flags & TCP_RST)
        end_rst(s);
    else if (fires(s))
        fwd_hold(s);
    else if (fit_is_refused(s))
        fit_refuse(s);
    else
        forward(s);
}

__attribute__((noinline)) void fwd_odd(struct path *p, int at, enum dir d, struct msg *m,
                                       bool merged)
{
    struct seg s;
    uint32_t len = be16_get(m->net + IP4_LEN);
    if (merged && m->total != len) /* padding of the frame */
        msg_trim(m, len);
    if (!lives_on(p, at, m, merged))
        return;
    if (merged && ip4_offset(m->data))
        train_pass(p, at, d, m);
    else if (seg_read(&s, p, at, d, m, merged))
        segment(&s);
    else
        msg_drop(p->pool.k, m, DROP_TCP_HEADER);
}
