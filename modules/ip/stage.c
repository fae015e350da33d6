/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ip stages of paths that end above: local ones (`eth ip icmp`), which only receive, and those
 * of connections, which receive on one face and send on the other. Also the choice of the stage for
 * every kind of path. Sending puts a header from a template in front; a connection's datagrams are
 * never fragmented, so their identification is 0 (RFC 6864 4.1).
 */
#include <string.h>

#include "kernel/show.h"
#include "modules/ip/ip.h"
#include "modules/wire/cksum.h"

struct ip_conn {
    uint8_t header[IP4_HEADER]; /* length and checksum are missing */
    uint16_t mtu;
    uint32_t sum; /* of the header without them */
};

/* A datagram that only passes by keeps its own time to live. */
static inline uint32_t sum_with_ttl(const struct ip_conn *c, uint8_t ttl)
{
    return c->sum + ((uint32_t)ttl << 8) + (uint16_t) ~((uint32_t)c->header[IP4_TTL] << 8);
}

static void receive(struct path *p, int at, struct msg *m, enum dir d)
{
    uint32_t len = be16_get(m->data + IP4_LEN);
    struct ip_node *ip = p->shape->at[at].node->state;
    if (m->total != len) { /* padding of the frame */
        if (LIKELY(!m->more))
            m->len = m->total = len;
        else
            msg_trim(m, len);
    }
    ip->stat[IP_IN_LOCAL]++;
    msg_pop(m, ip4_header_len(m->data));
    pass(p, at, d, m);
}

static void receive_ab(struct path *p, int at, struct msg *m)
{
    receive(p, at, m, AB);
}

static void receive_ba(struct path *p, int at, struct msg *m)
{
    receive(p, at, m, BA);
}

static void send(struct path *p, int at, struct msg *m, enum dir d)
{
    const struct ip_conn *c = p->state[at];
    struct ip_node *ip = p->shape->at[at].node->state;
    uint8_t *h = msg_push(m, IP4_HEADER);
    if (UNLIKELY(!h || m->total > c->mtu)) {
        msg_drop(p->pool.k, m, h ? DROP_IP_MTU : DROP_NO_BUFFER);
        return;
    }
    memcpy(h, c->header, IP4_HEADER);
    be16_put(h + IP4_LEN, (uint16_t)m->total);
    uint32_t sum = c->sum;
    if (m->ttl) {
        sum = sum_with_ttl(c, m->ttl);
        h[IP4_TTL] = m->ttl;
        m->ttl = 0;
    }
    be16_put(h + IP4_CKSUM, (uint16_t)~cksum_fold(sum + m->total));
    ip->stat[IP_SENT]++;
    pass(p, at, d, m);
}

static void send_ab(struct path *p, int at, struct msg *m)
{
    send(p, at, m, AB);
}

static void send_ba(struct path *p, int at, struct msg *m)
{
    send(p, at, m, BA);
}

/* Modules at the end of a local path answer through network_ops.send: each answer has another
 * destination, and a path has one. */
static void nothing_comes(struct path *p, int at, struct msg *m)
{
    (void)at;
    msg_drop(p->pool.k, m, DROP_IP_ROUTE);
}

static void conn_show(const struct path *p, int at, struct show *out)
{
    const struct ip_conn *c = p->state[at];
    struct netaddr src = netaddr_ip4(be32_get(c->header + IP4_SRC));
    struct netaddr dst = netaddr_ip4(be32_get(c->header + IP4_DST));
    char from[NETADDR_TEXT], to[NETADDR_TEXT];
    show_printf(out, "    from %s to %s mtu %u\n", netaddr_text(&src, from), netaddr_text(&dst, to),
                c->mtu);
}

static void conn_destroy(struct path *p, int at)
{
    pool_free(&p->pool, p->state[at]);
}

static const struct stage_ops local_stage = {.deliver = {receive_ab, nothing_comes}};
static const struct stage_ops conn_up = {
    .deliver = {receive_ab, send_ba}, .destroy = conn_destroy, .show = conn_show};
static const struct stage_ops conn_down = {
    .deliver = {send_ab, receive_ba}, .destroy = conn_destroy, .show = conn_show};

static status_t conn_stage(struct node *n, bool climbing, struct attrs *a, struct path *p,
                           struct hop *h)
{
    const struct ip_node *ip = n->state;
    struct endpoint local, remote;
    if (attrs_endpoint(a, ATTR_LOCAL, &local) != OK ||
        attrs_endpoint(a, ATTR_REMOTE, &remote) != OK || local.addr.family != ADDR_IP4 ||
        remote.addr.family != ADDR_IP4)
        return E_INVAL;
    uint32_t to = netaddr_to_ip4(&remote.addr);
    const struct ip_route *r = route_find(ip, to);
    struct ip_conn *c = pool_alloc(&p->pool, sizeof *c);
    if (!r || !c)
        return r ? E_NOMEM : E_NOENT;
    const struct iface *f = &ip->iface[r->iface];
    c->mtu = f->mtu;
    c->header[IP4_VIHL] = IP4_PLAIN;
    be16_put(c->header + IP4_FRAG, IP4_DF);
    c->header[IP4_TTL] = (uint8_t)conf_number(&n->conf, "ttl");
    c->header[IP4_PROTO] = (uint8_t)attrs_number_or(a, ATTR_PROTO, PROTO_TCP);
    be32_put(c->header + IP4_SRC, netaddr_to_ip4(&local.addr));
    be32_put(c->header + IP4_DST, to);
    c->sum = cksum_add(0, c->header, IP4_HEADER);
    h->state = c;
    h->ops = climbing ? &conn_up : &conn_down;
    attrs_set_number(a, ATTR_MTU, f->mtu);
    if (climbing) {
        h->next = node_bound(n, c->header[IP4_PROTO]);
        return h->next ? OK : E_NOENT;
    }
    struct netaddr hop = netaddr_ip4(r->via ? r->via : to);
    attrs_set_addr(a, ATTR_NEXTHOP, &hop);
    attrs_set_node(a, ATTR_OUT_NODE, f->link);
    h->next = f->link;
    return OK;
}

/* The hop_path is filled in by hop_path_get, which creates these paths. */
static status_t router_stage(struct attrs *a, struct path *p, struct hop *h)
{
    h->ops = &ip_forward_stage;
    h->next = attrs_node(a, ATTR_OUT_NODE);
    h->state = pool_alloc(&p->pool, sizeof(struct hop_path));
    return h->state && h->next ? OK : E_NOMEM;
}

status_t ip_create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                         struct hop *h)
{
    bool climbing = node_climbs(n, from);
    uint32_t proto = (uint32_t)attrs_number_or(a, ATTR_PROTO, 0);
    switch (attrs_number_or(a, ATTR_KIND, PATH_LOCAL)) {
    case PATH_CONN:
        return conn_stage(n, climbing, a, p, h);
    case PATH_ROUTER:
        return climbing ? router_stage(a, p, h) : E_INVAL;
    case PATH_LOCAL:
        h->ops = proto ? &local_stage : &ip_slow_stage;
        h->next = proto ? node_bound(n, proto) : NULL;
        return climbing && (!proto || h->next) ? OK : E_INVAL;
    default:
        return E_INVAL;
    }
}
