/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments that are longer than the far host, or the way to it, takes (spec splicing 4, decisions
 * 4; R-SPL-13): with DF the sender is told, in a quotation of its own numbers, what fits; without,
 * the datagram is fragmented. path.own[] is an MSS: it counts options as well as payload (RFC
 * 6691).
 */
#include <string.h>

#include "modules/fwd/inside.h"
#include "modules/wire/cksum.h"
#include "modules/wire/icmp4.h"

static uint16_t mtu_of(const struct path *p, enum dir d)
{
    return (uint16_t)(p->own[d] + FWD_IP_TCP);
}

bool fit_is_long(const struct seg *s)
{
    return s->hlen - TCP_HEADER_MIN + s->payload > s->p->own[s->d];
}

bool fit_is_refused(const struct seg *s)
{
    return fit_is_long(s) && be16_get(s->ip + IP4_FRAG) & IP4_DF;
}

void fit_refuse(struct seg *s)
{
    struct fwd_node *f = fwd_of(s->p, s->at);
    const struct network_ops *ops = f->ip->module->ops;
    struct msg *m = s->m;
    if (s->merged || msg_push(m, (uint32_t)(m->data - s->ip)))
        ops->error(f->ip, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, mtu_of(s->p, s->d), m);
    f->stat[FWD_TOLD]++;
    msg_drop(s->p->pool.k, m, DROP_IP_MTU);
}

/* The header that ip's stage would write, but for DF. */
static bool header_put(const struct seg *s, struct msg *m)
{
    uint8_t tos = s->ip[IP4_TOS], ttl = s->ip[IP4_TTL];
    uint16_t id = be16_get(s->ip + IP4_ID);
    uint8_t *h = msg_push(m, IP4_HEADER);
    if (!h)
        return false;
    memset(h, 0, IP4_HEADER);
    h[IP4_VIHL] = IP4_PLAIN;
    h[IP4_TOS] = tos;
    be16_put(h + IP4_LEN, (uint16_t)m->total);
    be16_put(h + IP4_ID, id);
    h[IP4_TTL] = (uint8_t)(ttl - 1);
    h[IP4_PROTO] = PROTO_TCP;
    be32_put(h + IP4_SRC, s->r->src);
    be32_put(h + IP4_DST, s->r->dst);
    be16_put(h + IP4_CKSUM, (uint16_t)~cksum_fold(cksum_add(0, h, IP4_HEADER)));
    return true;
}

static void cut(struct path *p, int at, enum dir d, struct node *ip, struct msg *m)
{
    const struct network_ops *ops = ip->module->ops;
    struct msgq pieces = {0};
    ops->fragment(ip, m, mtu_of(p, d), &pieces);
    while ((m = msgq_pop(&pieces)))
        pass(p, at, d, m);
}

void fit_cut(struct seg *s)
{
    struct fwd_node *f = fwd_of(s->p, s->at);
    struct msg *m = s->m;
    uint64_t patch = patch_addresses(s->r, be32_get(s->ip + IP4_SRC), be32_get(s->ip + IP4_DST));
    int behind = s->at; /* ip's stage has nothing left to do */
    rewrite_any(s->tcp, s->hlen, s->r, patch);
    f->stat[FWD_CUT]++;
    if (s->merged) {
        fwd_rewrite_ip(m->data, s->r);
    } else {
        behind += s->d == AB ? 1 : -1;
        if (!header_put(s, m)) {
            msg_drop(s->p->pool.k, m, DROP_NO_BUFFER);
            return;
        }
    }
    cut(s->p, behind, s->d, f->ip, m);
}

void fit_pass(struct path *p, int at, enum dir d, struct msg *m)
{
    struct fwd_node *f = fwd_of(p, at);
    if (m->total <= mtu_of(p, d))
        pass(p, at, d, m);
    else
        cut(p, at, d, f->ip, m);
}
