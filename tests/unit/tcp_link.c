/* SPDX-License-Identifier: BSD-2-Clause */
/* The bench that TCP is tested on, see tcp_link.h. */
#include "tests/unit/tcp_link.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/plat.h"
#include "kernel/services.h"
#include "modules/wire/cksum.h"
#include "modules/wire/ip4.h"
#include "modules/wire/tcp.h"

enum { MEMORY = 32 << 20, MTU = 1500 };

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
static const struct module wire_module = {.name = "wire",
                                          .node_size = sizeof(uint32_t),
                                          .ops = &wire_ops,
                                          .init = wire_init,
                                          .start = wire_start,
                                          .create_stage = wire_create_stage,
                                          .demux = wire_demux};
static const struct setting wire_settings[] = {
    {.name = "addr", .type = SET_ADDR, .value = "10.0.0.1", .help = "ours"}, {.name = NULL}};

/* ---- the user node ---- */

static enum dir towards_tcp(const struct tl_conn *c)
{
    return c->at == 0 ? AB : BA;
}

static void send_more(struct tl_conn *c)
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
        send_more(c);
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
        send_more(c);
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
static const struct module user_module = {.name = "user",
                                          .node_size = sizeof(struct tl_user),
                                          .ops = &user_ops,
                                          .create_stage = user_create_stage};

/* ---- the bench ---- */

/* The settings that the build has made of tcp.module. */
static const struct setting *tcp_settings(void)
{
    for (const struct graph *const *g = graph_list; *g; g++)
        for (int i = 0; i < (*g)->nnodes; i++)
            if ((*g)->nodes[i].module == &tcp_module)
                return (*g)->nodes[i].settings;
    fail_msg("no graph has a tcp node");
    return NULL;
}

static void frame_came(void *arg, const uint8_t *f, size_t n)
{
    struct tl *t = arg;
    if (t->nseg == TL_SEGS)
        fail_msg("more than %d segments", TL_SEGS);
    struct tl_seg *s = &t->seg[t->nseg++];
    memset(s, 0, sizeof *s);
    assert_true(n >= 40 && n == be16_get(f + IP4_LEN));
    const uint8_t *h = f + IP4_HEADER;
    uint32_t hlen = (uint32_t)(h[12] >> 4) * 4, total = (uint32_t)n - IP4_HEADER;
    s->ns = simworld_now(t->world);
    s->cksum_ok = cksum_fold(cksum_add(
                      cksum_pseudo(be32_get(f + IP4_SRC), be32_get(f + IP4_DST), PROTO_TCP, total),
                      h, total)) == 0xffff;
    s->seq = be32_get(h + 4);
    s->ack = be32_get(h + 8);
    s->flags = h[13];
    s->wnd = be16_get(h + 14);
    s->len = total - hlen;
    s->wscale = -1;
    memcpy(s->data, h + hlen, s->len);
    for (uint32_t i = 20; i < hlen && h[i];) {
        if (h[i] == 1) {
            i++;
            continue;
        }
        assert_true(i + 1 < hlen && h[i + 1] >= 2 && i + h[i + 1] <= hlen);
        if (h[i] == 2)
            s->mss = be16_get(h + i + 2);
        else if (h[i] == 3)
            s->wscale = h[i + 2];
        else if (h[i] == 4)
            s->sack_ok = true;
        else if (h[i] == 5)
            for (uint32_t j = 2; j < h[i + 1]; j += 4)
                s->sack[(j - 2) / 8][(j - 2) / 4 % 2] = be32_get(h + i + j), s->nsack = (int)j / 8;
        else if (h[i] == 8) {
            s->ts = true;
            s->tsval = be32_get(h + i + 2);
            s->tsecr = be32_get(h + i + 6);
        }
        i += h[i + 1];
    }
    assert_true(s->cksum_ok);
}

static void quiet(const char *s, size_t n)
{
    (void)s;
    (void)n;
}

struct tl *tl_make(int nkernels, const struct simway *way, const char *cmdline)
{
    static const char *const addrs[2][1] = {{"10.0.0.1"}, {"10.0.0.2"}};
    struct simway usual = {.delay_ns = MS};
    struct tl *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->nkernels = nkernels;
    ground_console(quiet);
    t->world = simworld_make();
    t->port = TL_PEER_PORT;
    t->src = TL_PEER;
    struct simlink_conf c = {.world = t->world, .name = "link", .seed = 7, .mtu = MTU};
    c.way[0] = c.way[1] = way ? *way : usual;
    t->link = simlink_make(&c);
    for (int i = 0; i < nkernels; i++) {
        struct graph_node nodes[3] = {
            {.name = "wire", .module = &wire_module, .settings = wire_settings, .values = addrs[i]},
            {.name = "tcp",
             .module = &tcp_module,
             .settings = tcp_settings(),
             .down = {{0, PROTO_TCP}},
             .ndown = 1},
            {.name = "user", .module = &user_module, .down = {{1, 0}}, .ndown = 1},
        };
        static struct graph graphs[2];
        static struct graph_node kept[2][3];
        memcpy(kept[i], nodes, sizeof nodes);
        graphs[i] = fixture_graph_of(kept[i], 3, NULL);
        t->k[i] = calloc(1, sizeof *t->k[i]);
        assert_non_null(t->k[i]);
        ground_init(&t->ground[i], t->k[i], simworld_clock(t->world));
        ground_seed(&t->ground[i], (uint64_t)i + 1);
        assert_int_equal(kernel_init(t->k[i], MEMORY), OK);
        simlink_end(t->link, t->k[i], i);
        assert_int_equal(kernel_boot(t->k[i], &graphs[i], cmdline), OK);
    }
    if (nkernels == 1)
        simlink_attach(t->link, 1, frame_came, t);
    tl_run(t, MS);
    return t;
}

void tl_end(struct tl *t)
{
    for (int i = 0; i < t->nkernels; i++) {
        struct kernel *k = t->k[i];
        uint32_t conns = 0;
        path_reap(k);
        for (unsigned s = 1; s < TCP_STATES; s++)
            conns += tl_tcp(t, i)->state[s];
        if (k->paths_live != 1 || k->flows.count != 0 || conns)
            fail_msg("kernel %d: %u paths, %u flows, %u connections left", i, k->paths_live - 1,
                     k->flows.count, conns);
        assert_int_equal(tl_tcp(t, i)->half_open[0], 0);
        assert_int_equal(k->msgs.live[MSG_SMALL], 0);
        for (int c = 0; c < tl_user(t, i)->n; c++)
            assert_false(tl_user(t, i)->conn[c].late);
        kernel_end(k);
        free(k);
    }
    simworld_free(t->world);
    ground_pages_free();
    free(t);
}

struct tl_user *tl_user(struct tl *t, int kernel)
{
    return node_find(t->k[kernel], "user")->state;
}

struct tcp_node *tl_tcp(struct tl *t, int kernel)
{
    return node_find(t->k[kernel], "tcp")->state;
}

void tl_run(struct tl *t, uint64_t ns)
{
    assert_true(simworld_run(t->world, simworld_now(t->world) + ns));
}

struct tl_conn *tl_connect(struct tl *t, int kernel, uint32_t to, uint16_t port)
{
    struct tl_user *u = tl_user(t, kernel);
    struct endpoint remote = {netaddr_ip4(to), port};
    struct attrs a = {0};
    struct path *p;
    assert_true(u->n < TL_CONNS);
    struct tl_conn *c = &u->conn[u->n++];
    *c = (struct tl_conn){.k = t->k[kernel]};
    t->k[kernel]->now = plat_now(t->k[kernel]);
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_endpoint(&a, ATTR_REMOTE, &remote);
    attrs_set_pointer(&a, ATTR_CONN, c);
    if (path_create(t->k[kernel], node_find(t->k[kernel], "user"), &a, false, &p) != OK)
        return NULL;
    return c;
}

struct tcb *tl_tcb(const struct tl_conn *c)
{
    return c->p ? tcb_at(c->p, c->at == 0 ? 1 : c->at - 1) : NULL;
}

/* We call from outside the main loop, which else keeps the kernel's clock. */
static void now(struct tl_conn *c)
{
    c->k->now = plat_now(c->k);
}

void tl_push(struct tl_conn *c, uint64_t bytes)
{
    now(c);
    c->tx_goal += bytes;
    send_more(c);
}

void tl_shut(struct tl_conn *c)
{
    now(c);
    c->shut = true;
    path_event(c->p, c->at, towards_tcp(c), EVENT_EOF);
}

void tl_reset(struct tl_conn *c)
{
    now(c);
    path_event(c->p, c->at, towards_tcp(c), EVENT_RESET);
}

void tl_answer(struct tl_conn *c)
{
    now(c);
    path_event(c->p, c->at, towards_tcp(c), EVENT_ANSWER);
}

void tl_go(struct tl_conn *c)
{
    now(c);
    c->stopped = false;
    path_event(c->p, c->at, towards_tcp(c), EVENT_READY);
}

void tl_send_raw(struct tl *t, const uint8_t *tcp, uint32_t n, bool good_cksum)
{
    uint8_t f[2048];
    memset(f, 0, IP4_HEADER);
    f[IP4_VIHL] = IP4_PLAIN;
    be16_put(f + IP4_LEN, (uint16_t)(IP4_HEADER + n));
    f[IP4_TTL] = 64;
    f[IP4_PROTO] = PROTO_TCP;
    be32_put(f + IP4_SRC, t->src);
    be32_put(f + IP4_DST, TL_US);
    be16_put(f + IP4_CKSUM, (uint16_t)~cksum_fold(cksum_add(0, f, IP4_HEADER)));
    memcpy(f + IP4_HEADER, tcp, n);
    if (good_cksum && n >= 20) {
        be16_put(f + IP4_HEADER + 16, 0);
        uint32_t sum = cksum_pseudo(t->src, TL_US, PROTO_TCP, n);
        be16_put(f + IP4_HEADER + 16, (uint16_t)~cksum_fold(cksum_add(sum, f + IP4_HEADER, n)));
    }
    simlink_send(t->link, 1, f, IP4_HEADER + n);
    if (!t->at_once)
        tl_run(t, 3 * MS);
}

void tl_send(struct tl *t, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t wnd,
             const void *data, uint32_t len)
{
    uint8_t h[2000] = {0};
    uint32_t hlen = 20 + t->nopt;
    be16_put(h, t->port);
    be16_put(h + 2, TL_PORT);
    be32_put(h + 4, seq);
    be32_put(h + 8, ack);
    h[12] = (uint8_t)(hlen / 4 << 4);
    h[13] = flags;
    be16_put(h + 14, (uint16_t)wnd);
    memcpy(h + 20, t->opt, t->nopt);
    if (data)
        memcpy(h + hlen, data, len);
    tl_send_raw(t, h, hlen + len, true);
}

const struct tl_seg *tl_next(struct tl *t)
{
    if (t->taken < t->nseg)
        return &t->seg[t->taken++];
    t->taken = t->nseg = 0;
    return NULL;
}

const struct tl_seg *tl_expect(struct tl *t, uint8_t flags)
{
    const struct tl_seg *s = tl_next(t);
    if (!s)
        fail_msg("expected a segment with flags %02x, none came", flags);
    else if ((s->flags & ~TCP_PSH) != flags)
        fail_msg("expected flags %02x, got %02x seq %u ack %u len %u", flags, s->flags, s->seq,
                 s->ack, s->len);
    return s;
}

void tl_silence(struct tl *t)
{
    const struct tl_seg *s = tl_next(t);
    if (s)
        fail_msg("expected silence, got flags %02x seq %u ack %u len %u", s->flags, s->seq, s->ack,
                 s->len);
}

void tl_opt(struct tl *t, const uint8_t *opt, uint32_t n)
{
    memset(t->opt, 0, sizeof t->opt);
    memcpy(t->opt, opt, n);
    t->nopt = (n + 3) / 4 * 4;
}

void tl_opt_ts(struct tl *t, uint32_t val, uint32_t ecr)
{
    uint8_t o[12] = {1, 1, 8, 10};
    be32_put(o + 4, val);
    be32_put(o + 8, ecr);
    tl_opt(t, o, 12);
}

struct tl_conn *tl_open(struct tl *t, uint32_t isn, uint32_t wnd, uint32_t *iss)
{
    struct tl_user *u = tl_user(t, 0);
    int i = u->n;
    tl_send(t, TCP_SYN, isn, 0, wnd, NULL, 0);
    const struct tl_seg *s = tl_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(s->ack, isn + 1);
    *iss = s->seq;
    if (s->ts)
        tl_opt_ts(t, 1000, s->tsval);
    else
        t->nopt = 0;
    tl_send(t, TCP_ACK, isn + 1, *iss + 1, wnd, NULL, 0);
    assert_int_equal(u->conn[i].opened, 1);
    return &u->conn[i];
}

uint64_t tl_drops(const struct tl *t, enum drop why)
{
    return t->k[0]->drops[why];
}
