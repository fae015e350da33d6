/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection comes into being: its stage for a path that climbs (a SYN has arrived) or descends
 * (the proxy connects), what both sides agree on in their SYNs, and sending ours. Fails when memory
 * or ports run out, without a route, and when the tuple is taken.
 */
#include "kernel/services.h"
#include "modules/tcp/tcp.h"
#include "modules/wire/cksum.h"
#include "modules/wire/ip4.h"

enum { ETHERTYPE_IP4 = 0x0800, HEADERS = 40, MSS_MAX = 2048, MTU_MIN = 256 };

static const struct cc_ops *const controls[] = {&cc_cubic, &cc_newreno};

/* A host's window goes to the other one through a splice, so the shift is not for our buffers
 * alone: 8 MB, as far as RECORD_REACH goes. */
enum { SPLICE_SCALE = 7 };

uint8_t tcp_rcv_scale(const struct node *n)
{
    for (int i = 0; i < n->nup; i++)
        if (n->up[i].upper->ndown > 1)
            return SPLICE_SCALE;
    const struct tcp_node *tn = n->state;
    uint8_t scale = 0;
    while (scale < TCP_WSCALE_MAX && tn->rcvbuf >> scale > 65535)
        scale++;
    return scale;
}

struct tcb *tcb_make(struct node *n, struct path *p)
{
    const struct tcp_node *tn = n->state;
    struct tcb *c = pool_alloc(&p->pool, sizeof *c);
    if (!c)
        return NULL;
    c->p = p;
    c->n = n;
    c->sndbuf = (uint32_t)conf_number(&n->conf, "sndbuf");
    c->rcvbuf = tn->rcvbuf;
    c->cc = controls[conf_number(&n->conf, "cc")];
    c->sack_ok = tn->sack;
    c->ts_ok = tn->timestamps;
    c->ws_ok = tn->wscale;
    c->peer_mss = TCP_MSS_DEFAULT;
    c->began_ns = n->k->now;
    c->active_ns = n->k->now;
    c->rcv_scale = c->ws_ok ? tcp_rcv_scale(n) : 0;
    tcp_timers_init(c);
    tcp_rtt_init(c);
    return c;
}

void tcb_set_mtu(struct tcb *c, uint16_t mtu)
{
    uint32_t fits = mtu > MTU_MIN ? mtu - HEADERS : MTU_MIN - HEADERS;
    uint32_t mss = c->peer_mss < fits ? c->peer_mss : fits;
    if (mss < TCP_MSS_MIN)
        mss = TCP_MSS_MIN;
    if (mss > MSS_MAX) /* a segment is gathered in one buffer */
        mss = MSS_MAX;
    c->mtu = mtu;
    c->mss = (uint16_t)(c->ts_ok ? mss - 12 : mss);
    c->cw.smss = c->mss;
}

/* The peer's SYN: what it does not offer is not used. */
void tcb_negotiate(struct tcb *c, const struct tcp_opts *o)
{
    struct kernel *k = tcb_kernel(c);
    c->peer_mss = o->mss ? o->mss : TCP_MSS_DEFAULT; /* tcb_set_mtu clamps it */
    c->sack_ok = c->sack_ok && o->sack_ok;
    c->ts_ok = c->ts_ok && o->has_ts;
    c->ws_ok = c->ws_ok && o->wscale != TCP_WSCALE_NONE;
    c->snd_scale = c->ws_ok ? o->wscale : 0;
    if (!c->ws_ok)
        c->rcv_scale = 0;
    if (c->ts_ok) {
        c->ts_recent = o->tsval;
        c->ts_recent_ns = k->now;
    }
    tcb_set_mtu(c, c->mtu);
}

static void identify(struct tcb *c, const struct endpoint *local, const struct endpoint *remote,
                     uint32_t link_mtu)
{
    struct node *ip = tcp_network(c->n);
    const struct network_ops *ops = ip->module->ops;
    c->local = *local;
    c->remote = *remote;
    c->pseudo =
        cksum_pseudo(netaddr_to_ip4(&local->addr), netaddr_to_ip4(&remote->addr), PROTO_TCP, 0);
    c->ts_offset = tcp_ts_offset(c->n, local, remote);
    uint16_t learnt = ops->path_mtu ? ops->path_mtu(ip, &remote->addr) : 0;
    tcb_set_mtu(c, (uint16_t)(learnt && learnt < link_mtu ? learnt : link_mtu));
}

static void start_at(struct tcb *c, uint32_t iss)
{
    c->iss = iss;
    c->snd_una = c->snd_nxt = c->snd_max = iss;
    c->high_rxt = c->recover = iss;
}

static status_t create_up(struct node *n, struct attrs *a, struct path *p, struct hop *h)
{
    const struct tcp_syn *syn = attrs_pointer(a, ATTR_SYN);
    struct endpoint local, remote;
    if (!syn || attrs_endpoint(a, ATTR_LOCAL, &local) != OK ||
        attrs_endpoint(a, ATTR_REMOTE, &remote) != OK)
        return E_INVAL;
    struct tcb *c = tcb_make(n, p);
    if (!c)
        return E_NOMEM;
    c->up = AB;
    c->listener = syn->listener;
    c->cookie = syn->cookie;
    identify(c, &local, &remote, (uint32_t)attrs_number_or(a, ATTR_MTU, 1500));
    uint32_t iss = syn->cookie ? syn->iss : tcp_isn(n, &local, &remote);
    if (syn->reuse && seq_le(iss, syn->iss)) /* RFC 6191 2, RFC 9293 MAY-2 */
        iss = syn->iss + 250000;
    start_at(c, iss);
    c->irs = syn->g.seq;
    c->rcv_nxt = c->rcv_adv = c->last_ack_sent = c->irs + 1;
    tcb_negotiate(c, &syn->g.o);
    c->snd_wnd = c->max_wnd = syn->g.wnd;
    c->snd_wl1 = syn->g.seq;
    c->snd_wl2 = iss;
    if (c->cookie) { /* our SYN-ACK was sent, and promised what its window said */
        c->snd_nxt = c->snd_max = iss + 1;
        c->rcv_adv = c->rcv_nxt + (c->rcvbuf < 65535 ? c->rcvbuf : 65535);
        c->ts_offset = syn->ts_offset;
        c->ts_sent = syn->g.o.tsecr;
        c->ts_stamped = c->ts_ok;
    }
    h->ops = &tcp_up_stage;
    h->state = c;
    h->next = syn->listener;
    return OK;
}

static status_t create_down(struct node *n, struct attrs *a, struct path *p, struct hop *h)
{
    struct node *ip = tcp_network(n);
    const struct network_ops *ops = ip->module->ops;
    struct endpoint local = {0}, remote;
    struct route r;
    status_t status = attrs_endpoint(a, ATTR_REMOTE, &remote);
    if (status == OK)
        status = ops->route(ip, &remote.addr, &r);
    if (status != OK)
        return status;
    if (attrs_endpoint(a, ATTR_LOCAL, &local) != OK || netaddr_is_any(&local.addr))
        local.addr = r.source;
    if (!local.port && (status = tcp_port_choose(n, &remote, &local)) != OK) {
        n->k->drops[DROP_CONN_LIMIT]++;
        return status;
    }
    struct tcb *c = tcb_make(n, p);
    if (!c)
        return E_NOMEM;
    c->up = BA;
    c->answered = true;
    identify(c, &local, &remote, r.mtu);
    start_at(c, tcp_isn(n, &local, &remote));
    attrs_set_endpoint(a, ATTR_LOCAL, &local);
    attrs_set_number(a, ATTR_PROTO, PROTO_TCP);
    attrs_set_number(a, ATTR_ETHERTYPE, ETHERTYPE_IP4);
    h->ops = &tcp_down_stage;
    h->state = c;
    h->next = n->down[0];
    return OK;
}

/* The last stage of `eth ip tcp`, where segments without a connection end. */
static status_t create_listen(struct hop *h)
{
    h->ops = &tcp_listen_stage;
    return OK;
}

status_t tcp_create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                          struct hop *h)
{
    if (attrs_number_or(a, ATTR_KIND, PATH_CONN) == PATH_LOCAL)
        return create_listen(h);
    return node_climbs(n, from) ? create_up(n, a, p, h) : create_down(n, a, p, h);
}

/* The other host's windows are passed on in the unit that it uses itself, so none is rounded. Once
 * it is said it stays. */
static void scale_as_bound(struct tcb *c)
{
    const struct tcb *b = c->bound;
    if (c->snd_max == c->iss && b && b->state >= TCP_SYN_RECEIVED && b->snd_scale < c->rcv_scale)
        c->rcv_scale = b->snd_scale;
}

bool tcp_send_syn(struct tcb *c)
{
    struct kernel *k = tcb_kernel(c);
    bool answer = c->state == TCP_SYN_RECEIVED;
    scale_as_bound(c);
    if (c->snd_max == c->iss && !c->syn_resent) {
        c->timing = true;
        c->rtt_start = k->now;
        c->rtt_seq = c->iss;
        c->unacked_since = k->now;
    } else {
        c->timing = false;
    }
    bool went = tcp_transmit(c, c->iss, 0, (uint8_t)(TCP_SYN | (answer ? TCP_ACK : 0)));
    c->snd_nxt = c->snd_max = c->iss + 1; /* not gone for lack of memory: as good as lost */
    tcp_rexmt_arm(c, TIMER_RTO);
    return went;
}
