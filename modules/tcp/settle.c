/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From two connections to two forwarding records, and back. It is possible whenever nothing of ours
 * is left in either direction, because then a connection is nothing but numbers that both ways of
 * forwarding share (spec splicing 3, 5). Going back changes no state of the flows: they are
 * ESTABLISHED before and after, and unsplicing is stop.c's business again.
 */
#include "kernel/kernel.h"
#include "modules/tcp/spliced.h"
#include "modules/wire/cksum.h"
#include "modules/wire/ip4.h"

/* What src's host was promised is what dst's host offers, but for the rounding. */
static bool gap_is_closed(const struct splice *s)
{
    int32_t gap = (int32_t)(s->src->rcv_adv + s->delta - splice_edge(s->dst));
    return gap < (int32_t)(1U << s->src->rcv_scale);
}

static bool settled(const struct tcb *src, const struct tcb *dst)
{
    const struct splice *s = src->sp_in;
    if (dst->ts_stamped && !tcb_can_echo(src)) /* our stamps may be ahead: RFC 7323 5.3 */
        return false;
    if (!s || s->dst != dst || s->state < SPLICE_ESTABLISHED || s->absorb)
        return false;
    return (!s->stopping || s->stopping == STOPPING_KEEP) && !s->due && gap_is_closed(s) &&
           tcb_alive(src) && tcb_alive(dst) && !dst->ack_now;
}

bool fwd_is_settled(const struct path *p, int at)
{
    const struct tcb *a = tcb_there(p, at, AB), *b = tcb_there(p, at, BA);
    return settled(a, b) && settled(b, a);
}

static struct record *record_of(const struct tcb *c)
{
    return flow_record(path_flow(c->p, (enum dir)c->up));
}

static uint8_t flags_of(const struct splice *s)
{
    uint8_t flags = RECORD_SEEN;
    flags |= s->dst->ts_ok ? RECORD_TS : 0;
    flags |= s->dst->sack_ok ? RECORD_SACK : 0;
    flags |= s->fin ? RECORD_FIN : 0;
    flags |= s->src->sp_out->fin ? RECORD_TRIGGER : 0; /* acknowledgements of it come this way */
    flags |= s->state == SPLICE_WAITING ? RECORD_DONE : 0;
    return flags;
}

/* Stamps of src's host go on where ours are, which may have been made in between (RFC 7323 5.3). */
static void stamps_go_on(struct splice *s)
{
    uint32_t next = s->src->ts_recent + s->ts_off;
    if (s->dst->ts_stamped && !s->dst->ts_lost && seq_gt(s->dst->ts_sent, next))
        s->ts_off += s->dst->ts_sent - next;
}

static void record_write(const struct splice *s)
{
    const struct tcb *src = s->src, *dst = s->dst;
    const struct splice *back = src->sp_out;
    *record_of(src) = (struct record){
        .src = netaddr_to_ip4(&dst->local.addr),
        .dst = netaddr_to_ip4(&dst->remote.addr),
        .sport = dst->local.port,
        .dport = dst->remote.port,
        .seq_off = s->delta,
        .ack_off = back->delta,
        .ts_off = s->ts_off,
        .ecr_off = back->ts_off,
        .seq_max = s->max - s->delta,
        .ack_max = src->snd_una,
        .wnd = (uint16_t)(src->snd_wnd >> src->snd_scale),
        .scale = (uint8_t)(src->snd_scale | dst->rcv_scale << 4),
        .flags = flags_of(s),
    };
}

/* The flows stay: they are the records' now. */
void fwd_drop(struct path *p, void *state)
{
    tcb_destroy(fwd_side(state, AB));
    tcb_destroy(fwd_side(state, BA));
    fwd_unmake(p, state);
}

uint64_t fwd_settle(struct path *p, void *state, struct splice_kept *out)
{
    struct tcb *c[2] = {fwd_side(state, AB), fwd_side(state, BA)};
    uint64_t last = c[AB]->active_ns > c[BA]->active_ns ? c[AB]->active_ns : c[BA]->active_ns;
    bool empty = tcb_is_empty(c[AB]) && tcb_is_empty(c[BA]);
    stamps_go_on(c[AB]->sp_in);
    stamps_go_on(c[BA]->sp_in);
    for (int d = AB; d <= BA; d++) {
        const struct splice *s = c[d]->sp_in;
        const struct tcb *dst = s->dst;
        uint32_t fits = dst->mtu - 40U;
        record_write(s);
        p->own[d] = (uint16_t)(dst->peer_mss < fits ? dst->peer_mss : fits);
        out->ts_offset[d] = c[d]->ts_offset;
        out->begun[d] = s->begun;
        out->stops[d] = s->stopping == STOPPING_KEEP;
        out->stop[d] = s->stop - s->delta;
    }
    for (int d = AB; d <= BA && empty; d++) /* so that the next segment is the first seen */
        record_of(c[d])->flags &= (uint8_t)~RECORD_SEEN;
    p->flags = (uint16_t)(empty ? p->flags | PATH_EMPTY : p->flags & ~PATH_EMPTY);
    fwd_drop(p, state);
    return p->pool.k->now - last;
}

/* The host's address and port come first in the key, ours second. */
static void endpoints(const struct flow *f, struct endpoint *local, struct endpoint *remote)
{
    *remote = (struct endpoint){.addr = netaddr_ip4((uint32_t)(f->key.w[0] >> 32)),
                                .port = (uint16_t)(f->key.w[1] >> 16)};
    *local = (struct endpoint){.addr = netaddr_ip4((uint32_t)f->key.w[0]),
                               .port = (uint16_t)f->key.w[1]};
}

static enum tcp_state state_of(const struct record *in, const struct record *out)
{
    bool heard = in->flags & RECORD_DONE, sent = out->flags & RECORD_FIN;
    bool acked = out->flags & RECORD_DONE;
    if (heard)
        return sent ? TCP_LAST_ACK : TCP_CLOSE_WAIT;
    return acked ? TCP_FIN_WAIT_2 : sent ? TCP_FIN_WAIT_1 : TCP_ESTABLISHED;
}

/* in: what comes from the connection's host; out: what goes to it. */
static void tcb_restore(struct tcb *c, struct path *p, enum dir d, const struct record *in,
                        const struct record *out)
{
    struct kernel *k = p->pool.k;
    uint32_t shift = in->scale & 15U;
    uint32_t offer = (uint32_t)out->wnd << (out->scale & 15);
    c->up = (uint8_t)d;
    c->answered = c->told_open = c->flow = c->established = true;
    endpoints(path_flow(p, d), &c->local, &c->remote);
    c->pseudo =
        cksum_pseudo(netaddr_to_ip4(&c->local.addr), netaddr_to_ip4(&c->remote.addr), PROTO_TCP, 0);
    c->ts_ok = in->flags & RECORD_TS;
    c->sack_ok = out->flags & RECORD_SACK;
    c->ws_ok = true;
    c->snd_scale = (uint8_t)shift;
    c->rcv_scale = out->scale >> 4;
    c->snd_una = in->ack_max;
    c->snd_nxt = c->snd_max = out->seq_max + out->seq_off;
    c->snd_una = seq_min(c->snd_una, c->snd_max);
    c->iss = c->recover = c->high_rxt = c->snd_una;
    c->snd_wnd = c->max_wnd = (uint32_t)in->wnd << shift;
    c->snd_wl1 = out->ack_max - in->seq_off; /* seq_max may be what a damaged segment said */
    c->snd_wl2 = in->ack_max;
    c->irs = c->rcv_nxt = c->last_ack_sent = out->ack_max - in->seq_off;
    uint32_t field = offer >> c->rcv_scale;
    field = field > 65535 ? 65535 : field || !offer ? field : 1; /* as it was rewritten */
    c->rcv_adv = c->rcv_nxt + (field << c->rcv_scale);
    c->fin_seen = in->flags & RECORD_DONE;
    c->fin_seq = c->rcv_nxt - 1;
    c->told_eof = c->fin_seen;
    c->shut = c->fin_sent = out->flags & RECORD_FIN;
    c->peer_mss = p->own[dir_reverse(d)];
    c->began_ns = c->active_ns = c->sent_at = k->now;
    tcb_set_mtu(c, (uint16_t)(p->own[dir_reverse(d)] + 40));
    c->cw.smss = c->mss;
    c->cc->init(&c->cw, tcb_node(c)->initial_window);
    tcb_node(c)->state[TCP_CLOSED]++;
    tcb_state(c, state_of(in, out));
}

static void splice_restore(struct splice *s, struct tcb *src, struct tcb *dst,
                           const struct record *r)
{
    *s = (struct splice){.src = src,
                         .dst = dst,
                         .state = r->flags & RECORD_DONE ? SPLICE_WAITING : SPLICE_ESTABLISHED,
                         .fin = r->flags & RECORD_FIN,
                         .unheard = true,
                         .delta = r->seq_off,
                         .max = r->seq_max + r->seq_off,
                         .fin_src = r->seq_max - 1,
                         .ts_off = r->ts_off};
    s->cut = dst->snd_una; /* all before it has been acknowledged: R-ATK-9 */
    s->begun = r->seq_max;
    s->waiting.fire = splice_expire;
    if (s->state == SPLICE_WAITING)
        timer_arm(tcb_kernel(src), &s->waiting,
                  tcb_kernel(src)->now + 2 * conf_number(&src->n->conf, "msl"));
    src->sp_in = s;
    dst->sp_out = s;
}

void *fwd_unsettle(struct path *p, struct node *tcp, void *conn, void (*end)(void *conn),
                   const struct splice_kept *kept, const bool due[2], uint64_t silent_ns)
{
    struct tcb *c[2] = {tcb_make(tcp, p), tcb_make(tcp, p)};
    struct splice *s[2] = {pool_alloc(&p->pool, sizeof **s), pool_alloc(&p->pool, sizeof **s)};
    struct record *r[2] = {flow_record(path_flow(p, AB)), flow_record(path_flow(p, BA))};
    void *both = fwd_pair(p, c[AB], c[BA], conn, end);
    if (!c[AB] || !c[BA] || !s[AB] || !s[BA] || !both) {
        for (int d = AB; d <= BA; d++) {
            pool_free(&p->pool, c[d]);
            pool_free(&p->pool, s[d]);
        }
        pool_free(&p->pool, both);
        return NULL;
    }
    for (int d = AB; d <= BA; d++) {
        tcb_restore(c[d], p, (enum dir)d, r[d], r[!d]);
        c[d]->ts_lost = c[d]->ts_new = c[d]->ts_ok;
        c[d]->ts_bound = kept != NULL;
        c[d]->active_ns -= silent_ns;
        if (kept)
            c[d]->ts_offset = kept->ts_offset[d] + STAMPS_UNDER_WAY;
    }
    for (int d = AB; d <= BA; d++) {
        splice_restore(s[d], c[d], c[!d], r[d]);
        if (kept)
            s[d]->begun = kept->begun[d];
        if (kept && kept->stops[d]) {
            s[d]->stopping = STOPPING_KEEP;
            s[d]->stop = kept->stop[d] + s[d]->delta;
            s[d]->due = due[d];
        }
        tcp_life_arm(c[d]);
    }
    return both;
}
