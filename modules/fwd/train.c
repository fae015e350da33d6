/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments at ipfwd, which does not reassemble (spec splicing 4.7, R-SPL-16). The first fragment
 * has the whole TCP header, which is all that is rewritten; what it has in common with the later
 * ones is remembered for a while, and they follow it with new addresses. The rest goes to ip's
 * reassembly and comes back whole and verified: fragments that come before their first, those with
 * a flag or a trigger that wants the sum verified or the end known, and what finds no place here.
 *
 * A later fragment has no ports. When two connections use one identification at a time, nobody can
 * tell whose it is: none of theirs passes alone (spec R-BAD-17; RFC 4963).
 */
#include "modules/fwd/inside.h"

static const uint64_t keep_ns = 30 * SECOND;

static struct train *slot_of(struct fwd_node *f, const uint8_t *h)
{
    uint64_t key = (uint64_t)be32_get(h + IP4_SRC) << 32 | be32_get(h + IP4_DST);
    uint64_t hash = (key ^ be16_get(h + IP4_ID) ^ f->seed) * 0x9e3779b97f4a7c15ULL;
    return &f->train[(hash >> 32) % FWD_TRAINS];
}

static bool is_of(const struct train *t, const uint8_t *h)
{
    return t->src == be32_get(h + IP4_SRC) && t->dst == be32_get(h + IP4_DST) &&
           t->id == be16_get(h + IP4_ID);
}

/* May a fragment of that flow be passed on alone? */
static bool flow_takes(const struct kernel *k, const struct flow *f)
{
    const struct path *p = flow_path(k, f);
    if (p->flags & PATH_DYING)
        return false;
    for (int i = 0; i < p->shape->n; i++)
        if (p->shape->at[i].ops == &ipfwd_stage)
            return !(fwd_record(p, (enum dir)f->dir)->flags & RECORD_TRIGGER);
    return false;
}

static const struct flow *first_flow(struct fwd_node *f, const struct msg *m)
{
    const struct kernel *k = f->self->k;
    const uint8_t *h = m->net, *tcp = h + ip4_header_len(h);
    struct train *t = slot_of(f, h);
    uint32_t have = (uint32_t)(m->data + m->len - tcp);
    if (have < TCP_HEADER_MIN || have < (uint32_t)(tcp[TCP_AT_OFFSET] >> 4) * 4)
        return NULL;
    if ((tcp[TCP_AT_FLAGS] & (TCP_ACK | TCP_SYN | TCP_FIN | TCP_RST)) != TCP_ACK)
        return NULL;
    if (k->now < t->until && !is_of(t, h))
        return NULL;
    const struct flow *flow =
        flow_find(&k->flows, flow_key_ip4(FLOW_CONN, 0, PROTO_TCP, be32_get(h + IP4_SRC),
                                          be32_get(h + IP4_DST), be16_get(tcp + TCP_AT_SPORT),
                                          be16_get(tcp + TCP_AT_DPORT)));
    if (!flow || !flow_takes(k, flow))
        return NULL;
    if (k->now < t->until && t->path != flow_path(k, flow)->id) {
        t->path = 0;
        return NULL;
    }
    return flow;
}

static const struct flow *later_flow(struct fwd_node *f, const uint8_t *h)
{
    const struct kernel *k = f->self->k;
    const struct train *t = slot_of(f, h);
    const struct path *p = k->now < t->until && is_of(t, h) ? path_by_id(k, t->path) : NULL;
    if (!p || p->flags & PATH_DYING)
        return NULL;
    for (int d = AB; d <= BA; d++) {
        const struct flow *flow = path_flow(p, (enum dir)d);
        if (flow->key.w[0] == ((uint64_t)t->src << 32 | t->dst))
            return flow_takes(k, flow) ? flow : NULL;
    }
    return NULL;
}

const struct flow *train_flow(struct node *n, const struct msg *m)
{
    struct fwd_node *f = n->state;
    if (m->net[IP4_PROTO] != PROTO_TCP)
        return NULL;
    return ip4_offset(m->net) ? later_flow(f, m->net) : first_flow(f, m);
}

void train_note(struct seg *s)
{
    struct fwd_node *f = fwd_of(s->p, s->at);
    *slot_of(f, s->ip) = (struct train){.src = be32_get(s->ip + IP4_SRC),
                                        .dst = be32_get(s->ip + IP4_DST),
                                        .id = be16_get(s->ip + IP4_ID),
                                        .path = s->p->id,
                                        .base = s->seq - s->hlen,
                                        .until = s->p->pool.k->now + keep_ns};
    f->stat[FWD_TRAINS_PASSED]++;
}

void train_pass(struct path *p, int at, enum dir d, struct msg *m)
{
    struct kernel *k = p->pool.k;
    const uint8_t *h = m->data;
    const struct train *t = slot_of(fwd_of(p, at), h);
    struct record *r = fwd_record(p, d);
    if (!is_of(t, h)) {
        msg_drop(k, m, DROP_FRAG_TIME);
        return;
    }
    uint32_t end = t->base + ip4_offset(h) + m->total - ip4_header_len(h);
    if (!within_reach(end, r->seq_max)) {
        msg_drop(k, m, DROP_FWD_WINDOW);
        return;
    }
    if (!(r->flags & RECORD_FIN))
        record_move(r, end, r->ack_max, r->wnd, false);
    fwd_rewrite_ip(m->data, r);
    fit_pass(p, at, d, m);
}
