/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nodes around tcp on the bench: `wire`, network and card in one, and `user`, who stands where
 * a proxy would, sends a pattern and checks what arrives against one.
 */
#include "tests/unit/tcp_link.h"

#include <string.h>

#include "kernel/services.h"
#include "modules/wire/cksum.h"
#include "modules/wire/ip4.h"
#include "modules/wire/tcp.h"

enum { MTU = 1500 };

uint8_t tl_byte(uint32_t seed, uint64_t i)
{
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15 + seed;
    return (uint8_t)(x >> 56 ^ x >> 24);
}

/* ---- the wire node: network and link ---- */

struct wire_stage {
    uint32_t local, remote;
};

static uint32_t wire_addr(const struct node *n)
{
    return *(const uint32_t *)n->state;
}

static void datagram(struct node *n, uint32_t src, uint32_t dst, struct msg *m)
{
    uint8_t *h = msg_push(m, IP4_HEADER);
    if (!h) {
        fail_msg("no headroom");
        return;
    }
    memset(h, 0, IP4_HEADER);
    h[IP4_VIHL] = IP4_PLAIN;
    be16_put(h + IP4_LEN, (uint16_t)m->total);
    be16_put(h + IP4_FRAG, IP4_DF);
    h[IP4_TTL] = 64;
    h[IP4_PROTO] = PROTO_TCP;
    be32_put(h + IP4_SRC, src);
    be32_put(h + IP4_DST, dst);
    be16_put(h + IP4_CKSUM, (uint16_t)~cksum_fold(cksum_add(0, h, IP4_HEADER)));
    assert_true(m->total <= MTU);
    netdev_send(n->k->devs[0], m);
}

static void wire_in(struct path *p, int at, struct msg *m, enum dir d)
{
    m->net = m->data;
    msg_trim(m, be16_get(m->data + IP4_LEN));
    assert_non_null(msg_pop(m, IP4_HEADER));
    pass(p, at, d, m);
}

static void wire_in_ab(struct path *p, int at, struct msg *m)
{
    wire_in(p, at, m, AB);
}

static void wire_in_ba(struct path *p, int at, struct msg *m)
{
    wire_in(p, at, m, BA);
}

static void wire_out(struct path *p, int at, struct msg *m)
{
    const struct wire_stage *s = p->state[at];
    datagram(p->shape->at[at].node, s->local, s->remote, m);
}

static const struct stage_ops wire_up = {.deliver = {wire_in_ab, wire_out}};
static const struct stage_ops wire_down = {.deliver = {wire_out, wire_in_ba}};

static status_t wire_create_stage(struct node *n, struct node *from, struct attrs *a,
                                  struct path *p, struct hop *h)
{
    struct wire_stage *s = pool_alloc(&p->pool, sizeof *s);
    struct endpoint e;
    if (!s)
        return E_NOMEM;
    s->local = attrs_endpoint(a, ATTR_LOCAL, &e) == OK ? netaddr_to_ip4(&e.addr) : 0;
    s->remote = attrs_endpoint(a, ATTR_REMOTE, &e) == OK ? netaddr_to_ip4(&e.addr) : 0;
    h->state = s;
    h->ops = from ? &wire_down : &wire_up;
    h->next = from ? NULL : node_bound(n, PROTO_TCP);
    attrs_set_number(a, ATTR_MTU, MTU);
    return OK;
}

static struct node *wire_demux(struct node *n, struct demux *d)
{
    const uint8_t *h = d->m->data;
    if (d->m->len < IP4_HEADER + PORTS_LEN || h[IP4_VIHL] != IP4_PLAIN ||
        cksum_fold(cksum_add(0, h, IP4_HEADER)) != 0xffff || be16_get(h + IP4_LEN) > d->m->total ||
        be32_get(h + IP4_DST) != wire_addr(n)) {
        d->why = DROP_IP_CKSUM;
        return DEMUX_DROP;
    }
    const struct flow *f =
        flow_find(&n->k->flows, flow_key_ip4(FLOW_CONN, 0, PROTO_TCP, be32_get(h + IP4_SRC),
                                             be32_get(h + IP4_DST), be16_get(h + IP4_HEADER),
                                             be16_get(h + IP4_HEADER + 2)));
    if (!f)
        return node_bound(n, PROTO_TCP);
    d->path = flow_path(n->k, f);
    d->dir = (enum dir)f->dir;
    return DEMUX_FOUND;
}

static status_t wire_route(struct node *n, const struct netaddr *to, struct route *out)
{
    if (netaddr_to_ip4(to) >> 24 != 10)
        return E_NOENT;
    *out =
        (struct route){.link = n, .nexthop = *to, .source = netaddr_ip4(wire_addr(n)), .mtu = MTU};
    return OK;
}

static bool wire_is_local(struct node *n, const struct netaddr *a)
{
    return netaddr_to_ip4(a) == wire_addr(n);
}

static void wire_send(struct node *n, const struct netaddr *from, const struct netaddr *to,
                      uint8_t proto, uint8_t ttl, struct msg *m)
{
    assert_int_equal(proto, PROTO_TCP);
    (void)ttl;
    datagram(n, netaddr_to_ip4(from), netaddr_to_ip4(to), m);
}

static status_t wire_init(struct node *n)
{
    *(uint32_t *)n->state = netaddr_to_ip4(conf_addr(&n->conf, "addr"));
    n->k->devs[0]->node = n;
    return OK;
}

static status_t wire_start(struct node *n)
{
    struct attrs a = {0};
    struct path *p;
    attrs_set_number(&a, ATTR_KIND, PATH_LOCAL);
    status_t status = path_create(n->k, n, &a, false, &p);
    if (status == OK)
        node_bound(n, PROTO_TCP)->passive[0] = p;
    return status;
}

static const struct network_ops wire_ops = {
    .route = wire_route, .is_local = wire_is_local, .send = wire_send};
const struct module tl_wire_module = {.name = "wire",
                                      .node_size = sizeof(uint32_t),
                                      .ops = &wire_ops,
                                      .init = wire_init,
                                      .start = wire_start,
                                      .create_stage = wire_create_stage,
                                      .demux = wire_demux};
const struct setting tl_wire_settings[] = {
    {.name = "addr", .type = SET_ADDR, .value = "10.0.0.1", .help = "ours"}, {.name = NULL}};

/* ---- the user node ---- */

static enum dir towards_tcp(const struct tl_conn *c)
{
    return c->at == 0 ? AB : BA;
}

void tl_send_more(struct tl_conn *c)
{
    while (c->p && c->opened && !c->shut && c->tx < c->tx_goal &&
           path_room(c->p, c->at, towards_tcp(c)) > 0) {
        uint64_t n = c->chunk ? c->chunk : 1400;
        if (n > c->tx_goal - c->tx)
            n = c->tx_goal - c->tx;
        struct msg *m = msg_alloc(&c->p->pool, MSG_HEADROOM, (size_t)n);
        if (!m)
            return;
        uint8_t *at = msg_put(m, (size_t)n);
        for (uint64_t i = 0; i < n; i++)
            at[i] = tl_byte(c->tx_seed, c->tx + i);
        c->tx += n;
        pass(c->p, c->at, towards_tcp(c), m);
    }
    if (c->p && c->opened && c->shut_after && !c->shut && c->tx == c->tx_goal)
        tl_shut(c);
}

static void user_deliver(struct path *p, int at, struct msg *m)
{
    struct tl_conn *c = p->state[at];
    uint8_t bytes[4096];
    c->late |= c->closed || c->eof || !c->opened;
    for (uint32_t off = 0; off < m->total;) {
        uint32_t n = m->total - off < sizeof bytes ? m->total - off : (uint32_t)sizeof bytes;
        assert_true(msg_peek(m, off, bytes, n));
        for (uint32_t i = 0; i < n; i++)
            c->rx_bad += bytes[i] != tl_byte(c->rx_seed, c->rx++);
        off += n;
    }
    msg_free(m);
}

static uint32_t user_room(struct path *p, int at)
{
    const struct tl_conn *c = p->state[at];
    return c->stopped ? 0 : 65536;
}

static void user_event(struct path *p, int at, enum event ev)
{
    struct tl_conn *c = p->state[at];
    c->late |= c->closed != 0;
    switch (ev) {
    case EVENT_OPENED:
        c->opened++;
        tl_send_more(c);
        break;
    case EVENT_EOF:
        c->late |= c->eof != 0;
        c->eof++;
        if (c->shut_on_eof && !c->shut)
            tl_shut(c);
        break;
    case EVENT_RESET:
        c->reset++;
        break;
    case EVENT_READY:
        c->ready++;
        tl_send_more(c);
        break;
    case EVENT_CLOSED:
        c->closed++;
        c->p = NULL;
        path_destroy(p);
        break;
    default:
        break;
    }
}

static status_t user_establish(struct path *p, int at)
{
    struct tl_conn *c = p->state[at];
    struct tl_user *u = p->shape->at[at].node->state;
    c->p = p;
    c->at = at;
    if (at == 0)
        return OK;
    if (u->refuse)
        return E_INVAL;
    c->accepted++;
    if (!u->hold)
        tl_answer(c);
    return OK;
}

static void user_destroy(struct path *p, int at)
{
    struct tl_conn *c = p->state[at];
    if (c->p == p)
        c->p = NULL;
}

static const struct stage_ops user_stage = {.deliver = {user_deliver, user_deliver},
                                            .room = {user_room, user_room},
                                            .event = {user_event, user_event},
                                            .establish = user_establish,
                                            .destroy = user_destroy};

static status_t user_create_stage(struct node *n, struct node *from, struct attrs *a,
                                  struct path *p, struct hop *h)
{
    struct tl_user *u = n->state;
    struct tl_conn *c = attrs_pointer(a, ATTR_CONN);
    (void)p;
    (void)from;
    if (c) {
        h->next = n->down[0];
    } else {
        if (u->n == TL_CONNS)
            return E_NOMEM;
        c = &u->conn[u->n++];
        *c = u->model;
        c->k = n->k;
    }
    h->ops = &user_stage;
    h->state = c;
    return OK;
}

static bool user_listens(struct node *n, const struct endpoint *local, bool *transparent)
{
    (void)n;
    *transparent = false;
    return local->port == TL_PORT;
}

static const struct proxy_ops user_ops = {.listens = user_listens};
const struct module tl_user_module = {.name = "user",
                                      .node_size = sizeof(struct tl_user),
                                      .ops = &user_ops,
                                      .create_stage = user_create_stage};
