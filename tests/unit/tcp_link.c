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

uint64_t tl_seed = 7;

static enum dir towards_tcp(const struct tl_conn *c)
{
    return c->at == 0 ? AB : BA;
}

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
    s->port = be16_get(h + 2);
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
    struct simlink_conf c = {.world = t->world, .name = "link", .seed = tl_seed, .mtu = MTU};
    c.way[0] = c.way[1] = way ? *way : usual;
    t->link = simlink_make(&c);
    for (int i = 0; i < nkernels; i++) {
        struct graph_node nodes[3] = {
            {.name = "wire",
             .module = &tl_wire_module,
             .settings = tl_wire_settings,
             .values = addrs[i]},
            {.name = "tcp",
             .module = &tcp_module,
             .settings = tcp_settings(),
             .down = {{0, PROTO_TCP}},
             .ndown = 1},
            {.name = "user", .module = &tl_user_module, .down = {{1, 0}}, .ndown = 1},
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
        for (unsigned s = 0; s < TCP_STATES; s++)
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
    tl_send_more(c);
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

struct tl *tl_plain(void)
{
    return tl_make(1, NULL, "timestamps=off sack=off wscale=off");
}

struct tl *tl_make_mss(const char *cmdline, struct tl_conn **c, uint32_t *iss, bool sack)
{
    struct tl *t = tl_make(1, NULL, cmdline);
    uint8_t o[8] = {2, 4, TL_MSS >> 8, TL_MSS & 0xff, 4, 2, 1, 1};
    tl_opt(t, o, sack ? 8 : 4);
    *c = tl_open(t, TL_ISN, TL_WND, iss);
    (*c)->chunk = TL_MSS;
    t->nopt = 0;
    return t;
}

void tl_forget(struct tl *t)
{
    while (tl_next(t))
        ;
}

void tl_finish(struct tl *t, uint32_t seq)
{
    tl_send(t, TCP_RST, seq, 0, 0, NULL, 0);
    tl_forget(t);
    tl_end(t);
}
