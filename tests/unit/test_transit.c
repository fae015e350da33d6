/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What modules do for paths that only pass segments on: ip sends with the time to live of what
 * came, icmp offers errors to the path they are about, datagrams that were put together enter a
 * path that has no stage of the node which did it. The path here is `transit ip eth`, towards the
 * server.
 */
#include <string.h>

#include "kernel/attrs.h"
#include "kernel/services.h"
#include "tests/unit/net.h"

static struct {
    int icmps, segments;
    bool consume;
    enum dir dir;
    uint8_t type;
    uint32_t from; /* the outer source */
    uint32_t len;
} seen;

static void transit_ab(struct path *p, int at, struct msg *m)
{
    pass(p, at, AB, m);
}

static void transit_ba(struct path *p, int at, struct msg *m)
{
    (void)p, (void)at;
    seen.segments++;
    seen.len = m->total;
    msg_free(m);
}

static bool transit_icmp(struct path *p, int at, enum dir d, struct msg *m)
{
    (void)at;
    assert_ptr_equal(p->pool.k->running, p); /* what it costs is counted as its own */
    seen.icmps++;
    seen.dir = d;
    seen.type = m->data[0];
    seen.from = get32(m->net + 12);
    seen.len = m->total;
    if (seen.consume)
        msg_free(m);
    return seen.consume;
}

static const struct stage_ops transit_ops = {
    .name = "transit",
    .deliver = {transit_ab, transit_ba},
    .icmp = transit_icmp,
};
static const struct stage_ops network_ops = {
    .name = "transit",
    .deliver = {transit_ab, transit_ba},
    .network = true,
};

static struct hop stage_of(struct node *n, struct node *above, struct attrs *a, struct path *p)
{
    struct hop h = {0};
    assert_int_equal(n->module->create_stage(n, above, a, p, &h), OK);
    return h;
}

/* The stages towards the server are made as a connection's are. */
static struct path *transit(struct net *w, const struct stage_ops *ops)
{
    struct kernel *k = w->f->k;
    struct node *ip = node_find(k, "ip"), *tcp = node_find(k, "tcp"), *eth = node_find(k, "eth1");
    struct endpoint local = {netaddr_ip4(CLIENT), 4000}, remote = {netaddr_ip4(SERVER), 8080};
    struct attrs local_path = {0}, a = {0};
    struct path *p = NULL;
    attrs_set_number(&local_path, ATTR_KIND, PATH_LOCAL);
    attrs_set_number(&local_path, ATTR_PROTO, P_ICMP);
    assert_int_equal(path_create(k, node_find(k, "eth0"), &local_path, false, &p), OK);
    fixture_run(w->f, 0);
    attrs_set_number(&a, ATTR_KIND, PATH_CONN);
    attrs_set_number(&a, ATTR_PROTO, P_TCP);
    attrs_set_endpoint(&a, ATTR_LOCAL, &local);
    attrs_set_endpoint(&a, ATTR_REMOTE, &remote);
    struct hop down = stage_of(ip, tcp, &a, p), out = stage_of(eth, ip, &a, p);
    struct shape to = {.n = 3, .at = {{ops, tcp}, {down.ops, ip}, {out.ops, eth}}};
    void *states[3] = {NULL, down.state, out.state};
    assert_int_equal(path_reshape(p, &to, states, true, &p), OK);
    memset(&seen, 0, sizeof seen);
    return p;
}

static struct net *start(void)
{
    struct net *w = net_make("firewall-1path", 2, "");
    uint8_t icmp[64];
    /* Both hosts are known from now on. */
    for (int card = 0; card < 2; card++) {
        struct dgram d = {.src = card ? SERVER : CLIENT, .dst = card ? BOX2 : BOX, .proto = P_ICMP};
        d.data = icmp;
        d.n = net_icmp(icmp, 8, 0, 1, "ping", 4);
        net_send(w, card, &d);
    }
    net_clear(w);
    return w;
}

static void own_ttl(void **state)
{
    struct net *w = start();
    struct path *p = transit(w, &transit_ops);
    struct kernel *k = w->f->k;
    (void)state;
    for (unsigned ttl = 0; ttl < 256; ttl++) {
        struct msg *m = msg_alloc(&k->pool, MSG_HEADROOM, 20);
        memset(msg_put(m, 20), 0x55, 20);
        assert_int_equal(m->ttl, 0);
        m->ttl = (uint8_t)ttl;
        path_input(p, AB, m);
        assert_int_equal(m->ttl, 0); /* it waits for its card, which may use the buffer again */
        net_clear(w);
        netdev_flush(k->devs[1]);
        net_run(w, MS);
        const struct frame *f = net_only(w);
        net_check_ip(f);
        assert_int_equal(f->b[22], ttl ? ttl : 64);
        assert_int_equal(get32(f->b + 26), CLIENT);
        assert_int_equal(get32(f->b + 30), SERVER);
    }
    path_destroy(p);
    net_end(w);
}

/* An error of the server's about a segment that went there: its answer would have entered BA. */
static size_t error_build(uint8_t *icmp, uint8_t code, uint32_t info)
{
    uint8_t quote[28] = {0x45, 0, 5, 0xdc, 0, 0, 0x40, 0, 64, P_TCP};
    put32(quote + 12, CLIENT);
    put32(quote + 16, SERVER);
    put16(quote + 20, 4000);
    put16(quote + 22, 8080);
    put32(quote + 24, 12345);
    return net_icmp(icmp, 3, code, info, quote, sizeof quote);
}

static void errors_are_offered(void **state)
{
    struct net *w = start();
    struct path *p = transit(w, &transit_ops);
    struct kernel *k = w->f->k;
    uint8_t icmp[128];
    struct dgram d = {.src = IP(10, 0, 2, 9), .dst = CLIENT, .proto = P_ICMP, .data = icmp};
    (void)state;
    assert_int_equal(
        flow_insert(k, flow_key_ip4(FLOW_CONN, 0, P_TCP, SERVER, CLIENT, 8080, 4000), p, BA, NULL),
        OK);
    for (int consume = 1; consume >= 0; consume--) {
        memset(&seen, 0, sizeof seen);
        seen.consume = consume;
        d.n = error_build(icmp, 4, 1400);
        net_send(w, 1, &d);
        assert_int_equal(seen.icmps, 1);
        assert_int_equal(seen.dir, BA);
        assert_int_equal(seen.type, 3);
        assert_int_equal(seen.from, IP(10, 0, 2, 9));
        assert_int_equal(seen.len, d.n);
        /* Not consumed: it is tcp's, which knows of no such connection. */
        assert_int_equal(net_drops(w, DROP_ICMP_STALE), !consume);
        /* It is not forwarded besides, nor does it reach the host that it is addressed to. */
        net_none(w);
    }
    seen.icmps = 0; /* an MTU that cannot be is nobody's */
    d.n = error_build(icmp, 4, 1500);
    net_send(w, 1, &d);
    assert_int_equal(seen.icmps, 0);
    assert_int_equal(net_drops(w, DROP_ICMP_STALE), 2);
    struct msg *m = msg_alloc(&k->pool, MSG_HEADROOM, 8);
    msg_put(m, 8);
    path_destroy(p);
    assert_false(path_icmp(p, BA, m)); /* nor is anything the dying one's */
    assert_int_equal(seen.icmps, 0);
    msg_free(m);
    net_end(w);
}

/* Fragments: ip puts them together and finds a path without a stage of its own. */
static void enters_at_the_network(void **state)
{
    static const struct stage_ops *const all[] = {&network_ops, &transit_ops};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct net *w = start();
        struct kernel *k = w->f->k;
        struct path *p = transit(w, all[i]);
        struct shape to = *p->shape;
        to.at[1].node = to.at[2].node; /* no stage is ip's */
        assert_int_equal(path_reshape(p, &to, p->state, true, &p), OK);
        assert_int_equal(flow_insert(k, flow_key_ip4(FLOW_CONN, 0, P_TCP, SERVER, BOX2, 8080, 4000),
                                     p, BA, NULL),
                         OK);
        uint8_t bytes[1200] = {0x1f, 0x90, 0x0f, 0xa0};
        uint32_t pseudo = (SERVER >> 16) + (SERVER & 0xffff) + (BOX2 >> 16) + (BOX2 & 0xffff);
        put16(bytes + 16, net_sum(pseudo + P_TCP + sizeof bytes, bytes, sizeof bytes));
        struct dgram first = {.src = SERVER, .dst = BOX2, .proto = P_TCP, .id = 7, .frag = 0x2000};
        struct dgram second = {.src = SERVER, .dst = BOX2, .proto = P_TCP, .id = 7, .frag = 100};
        first.data = bytes;
        first.n = 800;
        second.data = bytes + 800;
        second.n = 400;
        net_send(w, 1, &first);
        net_send(w, 1, &second);
        assert_int_equal(seen.segments, all[i]->network);
        assert_int_equal(seen.len, all[i]->network ? 1220 : 0);
        assert_int_equal(net_drops(w, DROP_PATH_DEAD), !all[i]->network);
        path_destroy(p);
        net_end(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-SPL-15: an ICMP error is offered to the path that it is about",
                   errors_are_offered),
        PLAIN_TEST("R-SPL-16: what was put together enters where the network header is wanted",
                   enters_at_the_network),
        PLAIN_TEST("ip: a datagram that passes by keeps its own time to live", own_ttl),
    };
    return cmocka_run_group_tests_name("transit", tests, NULL, NULL);
}
