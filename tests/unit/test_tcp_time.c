/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What TCP does by itself: timers, recovery, probes, and what ICMP may change. One TCP, its peer
 * played by hand on a virtual clock.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/services.h"
#include "modules/wire/be.h"
#include "modules/wire/icmp4.h"
#include "tests/unit/tcp_link.h"

enum { ISN = TL_ISN, WND = TL_WND, MSS = TL_MSS };

/* RFC 9293 3.8.6.1: probes with growing distance, for as long as they are answered; then the rest.
 */
static void persist(void **state)
{
    struct tl_conn *c;
    uint32_t iss, probes = 0;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off sack=off giveup=100s", &c, &iss, false);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, 0, NULL, 0);
    tl_push(c, 3000);
    uint64_t last = 0, gap = 0;
    for (int i = 0; i < 1000; i++) {
        tl_run(t, SECOND);
        const struct tl_seg *s;
        while ((s = tl_next(t))) {
            assert_int_equal(s->seq, iss + 1);
            assert_int_equal(s->len, 1);
            assert_true(s->ns - last + 2 * MS >= gap);
            gap = last ? s->ns - last : 0;
            last = s->ns;
            probes++;
            tl_send(t, TCP_ACK, ISN + 1, iss + 1, 0, NULL, 0);
        }
    }
    assert_true(probes >= 15 && probes <= 30);
    assert_int_equal(c->reset, 0);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
    assert_int_equal(tl_expect(t, TCP_ACK)->len, 1000);
    assert_int_equal(tl_expect(t, TCP_ACK)->len, 1000);
    assert_int_equal(tl_expect(t, TCP_ACK)->len, 1000);
    tl_send(t, TCP_ACK, ISN + 1, iss + 3001, 0, NULL, 0);
    tl_push(c, 10); /* and a peer that does not answer probes is given up */
    tl_run(t, 200 * SECOND);
    assert_int_equal(c->reset, 1);
    tl_forget(t);
    tl_end(t);
}

/* RFC 9293 3.8.6.1, 3.10.4: a FIN takes a place in the window; while that is closed it is the
 * probe, again and again, and one that opens takes it. */
static void persist_fin(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off sack=off", &c, &iss, false);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, 0, NULL, 0);
    tl_shut(c);
    tl_run(t, 3 * MS);
    tl_silence(t);
    tl_run(t, 10 * SECOND);
    int probes = 0;
    for (const struct tl_seg *s; (s = tl_next(t)); probes++) {
        assert_int_equal(s->flags, TCP_ACK | TCP_FIN);
        assert_int_equal(s->seq, iss + 1);
        assert_int_equal(s->len, 0);
    }
    assert_true(probes >= 2);
    tl_send(t, TCP_ACK, ISN + 1, iss + 2, WND, NULL, 0); /* it was taken */
    tl_run(t, 10 * SECOND);
    tl_silence(t);
    tl_finish(t, ISN + 1);
}

/* RFC 9293 3.8.6.2.1: no silly segments into a window that opens by drops. */
static void silly_window(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off sack=off", &c, &iss, false);
    tl_push(c, 10 * MSS);
    tl_run(t, 3 * MS);
    tl_forget(t);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 + 10 * MSS, 0, NULL, 0);
    tl_push(c, 5 * MSS);
    for (uint32_t w = 10; w < 100; w += 10) {
        tl_send(t, TCP_ACK, ISN + 1, iss + 1 + 10 * MSS, w, NULL, 0);
        tl_silence(t);
    }
    tl_send(t, TCP_ACK, ISN + 1, iss + 1 + 10 * MSS, MSS, NULL, 0);
    assert_int_equal(tl_expect(t, TCP_ACK)->len, MSS);
    tl_finish(t, ISN + 1);
}

/* RFC 9293 MUST-58, -59, RFC 5681 4.2 */
static void delayed_ack(void **state)
{
    uint8_t bytes[4000];
    struct tl_conn *c;
    uint32_t iss;
    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = tl_byte(0, i);
    struct tl *t = tl_make_mss("timestamps=off sack=off delack=100ms", &c, &iss, false);
    uint64_t sent = simworld_now(t->world);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, bytes, 1000);
    tl_silence(t);
    tl_run(t, 150 * MS);
    const struct tl_seg *s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->ack, ISN + 1001);
    assert_true(s->ns - sent >= 100 * MS && s->ns - sent < 110 * MS);
    tl_send(t, TCP_ACK, ISN + 1001, iss + 1, WND, bytes + 1000, 1000);
    tl_silence(t);
    tl_send(t, TCP_ACK, ISN + 2001, iss + 1, WND, bytes + 2000, 1000); /* the second */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 3001);
    tl_send(t, TCP_ACK, ISN + 3101, iss + 1, WND, bytes + 3100, 10); /* out of order: at once */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 3001);
    tl_send(t, TCP_ACK, ISN + 3001, iss + 1, WND, bytes + 3000, 100); /* and when filled */
    assert_int_equal(tl_expect(t, TCP_ACK)->ack, ISN + 3111);
    assert_int_equal(c->rx_bad, 0);
    tl_finish(t, ISN + 3111);
}

/* RFC 9293 3.8.4, and the limits of decisions on idle connections. */
static void keepalive_and_idle(void **state)
{
    struct tl_conn *c;
    uint32_t iss;
    const struct tl_seg *s;
    (void)state;
    struct tl *t = tl_make_mss("timestamps=off sack=off keepalive=10s keepintvl=2s keepcount=3", &c,
                               &iss, false);
    tl_run(t, 11 * SECOND);
    s = tl_expect(t, TCP_ACK);
    assert_int_equal(s->seq, iss); /* SND.NXT - 1 */
    assert_int_equal(s->len, 0);
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0); /* alive */
    tl_run(t, 9 * SECOND);
    tl_silence(t);
    tl_run(t, 8 * SECOND); /* 10, 12, 14: three probes; 16: the end */
    for (int i = 0; i < 3; i++)
        assert_int_equal(tl_expect(t, TCP_ACK)->seq, iss);
    tl_expect(t, TCP_RST | TCP_ACK);
    assert_int_equal(c->reset, 1);
    assert_int_equal(c->closed, 1);
    tl_end(t);
    t = tl_make_mss("timestamps=off sack=off idle=100s halfidle=20s", &c, &iss, false);
    tl_run(t, 99 * SECOND);
    tl_silence(t);
    tl_run(t, 3 * SECOND);
    tl_expect(t, TCP_RST | TCP_ACK);
    assert_int_equal(c->closed, 1);
    tl_end(t);
    t = tl_make_mss("timestamps=off sack=off idle=100s halfidle=20s", &c, &iss, false);
    tl_shut(c);
    tl_run(t, 3 * MS);
    tl_expect(t, TCP_ACK | TCP_FIN);
    tl_send(t, TCP_ACK, ISN + 1, iss + 2, WND, NULL, 0);
    assert_int_equal(tl_tcb(c)->state, TCP_FIN_WAIT_2);
    tl_run(t, 19 * SECOND);
    tl_silence(t);
    tl_run(t, 3 * SECOND);
    tl_expect(t, TCP_RST | TCP_ACK);
    assert_int_equal(c->closed, 1);
    tl_end(t);
}

/* A handshake that does not end: ours is repeated by RFC 6298, then the user is told. */
static void handshake_limits(void **state)
{
    struct tl *t = tl_make(1, NULL, "connect=20s");
    uint32_t syns = 0;
    const struct tl_seg *s;
    (void)state;
    struct tl_conn *c = tl_connect(t, 0, TL_PEER, 9);
    tl_run(t, 19 * SECOND);
    assert_int_equal(c->reset, 0);
    tl_run(t, 2 * SECOND);
    while ((s = tl_next(t)))
        syns += s->flags == TCP_SYN;
    assert_int_equal(syns, 5); /* 0, 1, 3, 7, 15 s */
    assert_int_equal(c->reset, 1);
    assert_int_equal(c->closed, 1);
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0); /* the other side of it: a client that vanished */
    assert_int_equal(tl_tcp(t, 0)->half_open[0], 1);
    tl_run(t, 21 * SECOND);
    assert_int_equal(tl_tcp(t, 0)->half_open[0], 0);
    assert_int_equal(tl_user(t, 0)->conn[1].reset, 1);
    assert_int_equal(tl_user(t, 0)->conn[1].opened, 0);
    tl_forget(t);
    tl_end(t);
}

/* The proxy has not answered: nothing leaves; its refusal is a RST, the client's RST ends it. */
static void holding(void **state)
{
    struct tl *t = tl_make(1, NULL, "");
    struct tl_user *u = tl_user(t, 0);
    (void)state;
    u->hold = true;
    for (int i = 0; i < 3; i++) {
        tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
        tl_silence(t);
    }
    assert_int_equal(u->n, 1);
    tl_run(t, 10 * SECOND);
    tl_silence(t);
    tl_answer(&u->conn[0]);
    tl_run(t, 3 * MS);
    uint32_t iss = tl_expect(t, TCP_SYN | TCP_ACK)->seq;
    tl_send(t, TCP_ACK, ISN + 1, iss + 1, WND, NULL, 0);
    assert_int_equal(u->conn[0].opened, 1);
    tl_send(t, TCP_RST, ISN + 1, 0, 0, NULL, 0);
    t->port++;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    tl_reset(&u->conn[1]);
    tl_run(t, 3 * MS);
    assert_int_equal(tl_expect(t, TCP_RST | TCP_ACK)->ack, ISN + 1);
    assert_int_equal(u->conn[1].closed, 1);
    t->port++;
    tl_send(t, TCP_SYN, ISN, 0, WND, NULL, 0);
    tl_send(t, TCP_RST, ISN + 1, 0, 0, NULL, 0);
    assert_int_equal(u->conn[2].reset, 1);
    assert_int_equal(u->conn[2].closed, 1);
    tl_silence(t);
    tl_end(t);
}

/* RFC 9293 figure 8, MUST-10: both SYNs cross. R-BAD-43. */
static void simultaneous_open(void **state)
{
    (void)state;
    for (int answer = 0; answer < 2; answer++) {
        struct tl *t = tl_make(1, NULL, "timestamps=off sack=off wscale=off");
        struct tl_conn *c = tl_connect(t, 0, TL_PEER, TL_PEER_PORT);
        uint8_t h[20] = {0};
        tl_run(t, 3 * MS);
        uint32_t iss = tl_expect(t, TCP_SYN)->seq;
        be16_put(h, TL_PEER_PORT);
        be16_put(h + 2, tl_tcb(c)->local.port);
        be32_put(h + 4, ISN);
        h[12] = 0x50;
        h[13] = TCP_SYN;
        be16_put(h + 14, WND);
        tl_send_raw(t, h, 20, true);
        const struct tl_seg *s = tl_expect(t, TCP_SYN | TCP_ACK);
        assert_int_equal(s->seq, iss);
        assert_int_equal(s->ack, ISN + 1);
        assert_int_equal(c->opened, 0);
        be32_put(h + 4, answer ? ISN : ISN + 1);
        be32_put(h + 8, iss + 1);
        h[13] = answer ? TCP_SYN | TCP_ACK : TCP_ACK; /* figure 8, or an ACK that overtook it */
        tl_send_raw(t, h, 20, true);
        assert_int_equal(c->opened, 1);
        assert_int_equal(tl_tcb(c)->state, TCP_ESTABLISHED);
        be32_put(h + 4, ISN + 1);
        h[13] = TCP_RST;
        tl_send_raw(t, h, 20, true);
        assert_int_equal(c->reset, 1);
        tl_forget(t);
        tl_end(t);
    }
}

static void icmp(struct tl *t, const struct tl_conn *c, uint8_t code, uint32_t mtu, uint32_t seq)
{
    struct node *n = node_find(t->k[0], "tcp");
    const struct transport_ops *ops = n->module->ops;
    const struct tcb *b = tl_tcb(c);
    uint8_t q[8];
    be16_put(q, b->local.port);
    be16_put(q + 2, b->remote.port);
    be32_put(q + 4, seq);
    struct netaddr us = b->local.addr, peer = b->remote.addr;
    t->k[0]->now = simworld_now(t->world);
    ops->icmp(n, ICMP_UNREACHABLE, code, mtu, &us, &peer, q, sizeof q);
    tl_run(t, 3 * MS);
}

/* RFC 1191, RFC 5927; R-BAD-20, R-BAD-21, R-BAD-22 */
static void icmp_rules(void **state)
{
    uint32_t iss;
    (void)state;
    struct tl *t = tl_make(1, NULL, "timestamps=off sack=off");
    uint8_t o[4] = {2, 4, 1460 >> 8, 1460 & 0xff};
    tl_opt(t, o, 4);
    struct tl_conn *c = tl_open(t, ISN, WND, &iss);
    t->nopt = 0;
    c->chunk = 1460;
    tl_push(c, 5 * 1460);
    tl_run(t, 3 * MS);
    tl_forget(t);
    const struct tcb *b = tl_tcb(c);
    static const uint8_t hard[] = {ICMP_NET, ICMP_HOST, 5, ICMP_PROTOCOL, ICMP_PORT};
    for (size_t i = 0; i < sizeof hard; i++)
        icmp(t, c, hard[i], 0, iss + 1);
    assert_int_equal(c->reset, 0);
    icmp(t, c, ICMP_FRAG_NEEDED, 1000, iss);        /* acknowledged */
    icmp(t, c, ICMP_FRAG_NEEDED, 1000, b->snd_max); /* never sent */
    static const uint32_t bad[] = {0, 67, 1500, 9000, 65535};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        icmp(t, c, ICMP_FRAG_NEEDED, bad[i], iss + 1);
    assert_int_equal(b->mss, 1460);
    assert_int_equal(tl_drops(t, DROP_ICMP_STALE), 2);
    tl_silence(t);
    icmp(t, c, ICMP_FRAG_NEEDED, 1000, iss + 1 + 1460);
    assert_int_equal(b->mss, 960);
    const struct tl_seg *s;
    uint32_t next = iss + 1;
    while ((s = tl_next(t))) {
        assert_int_equal(s->seq, next);
        assert_true(s->len <= 960);
        next += s->len;
    }
    assert_int_equal(next, iss + 1 + 5 * 1460);
    icmp(t, c, ICMP_FRAG_NEEDED, 100, iss + 1); /* the floor */
    assert_int_equal(b->mss, 536);
    tl_finish(t, ISN + 1);
    t = tl_make(1, NULL, ""); /* not synchronised: hard is hard */
    c = tl_connect(t, 0, TL_PEER, 9);
    tl_run(t, 3 * MS);
    uint32_t syn = tl_expect(t, TCP_SYN)->seq;
    icmp(t, c, ICMP_HOST, 0, syn);
    assert_int_equal(c->reset, 0);
    icmp(t, c, ICMP_PORT, 0, syn);
    assert_int_equal(c->reset, 1);
    assert_int_equal(c->closed, 1);
    tl_end(t);
}

/* Segments of any kind at a connection in any state, near its numbers: it may end, it may not
 * break. With the sanitizers this is where a wrong read or an endless exchange shows. */
static void any_segment(void **state)
{
    static const uint32_t near[] = {0,          1,          2,          100,
                                    1460,       20000,      131072,     0x7fffffff,
                                    0x80000000, 0xffffffff, 0xfffffffe, 0xffffff00};
    uint64_t x = 88172645463325252ULL;
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct tl *t = tl_make(1, NULL, round % 2 ? "" : "sack=off timestamps=off rcvbuf=4k");
        struct tl_user *u = tl_user(t, 0);
        uint32_t iss = 0;
        uint32_t isn = 0xffffff00U;
        for (int i = 0; i < 300; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            uint32_t r = (uint32_t)(x >> 20);
            struct tl_conn *c = u->n ? &u->conn[u->n - 1] : NULL;
            if (!c || !c->p) {
                if (u->n == TL_CONNS)
                    break;
                t->port++;
                t->nopt = 0;
                tl_opt_ts(t, 1000 + r, 0);
                tl_send(t, TCP_SYN, isn, 0, (uint16_t)r, NULL, 0);
                const struct tl_seg *s = tl_next(t);
                iss = s ? s->seq : 0;
                continue;
            }
            struct tcb *b = tl_tcb(c);
            uint8_t bytes[64];
            for (uint32_t j = 0; j < 64; j++)
                bytes[j] = (uint8_t)(x >> j % 56);
            if (r % 3 == 0)
                tl_opt(t, bytes, r % 40);
            else
                tl_opt_ts(t, b->ts_recent + r % 3, 0);
            if (r % 7 == 0 && c->opened)
                tl_push(c, r % 5000);
            if (r % 41 == 0 && !c->shut && c->p)
                tl_shut(c);
            if (!c->p)
                continue;
            uint8_t flags = (uint8_t)(r % 5 ? TCP_ACK : x >> 40);
            uint32_t seq = b->rcv_nxt + near[x >> 8 & 7] * (uint32_t)(x >> 50 & 1);
            uint32_t ack = (x >> 51 & 1 ? b->snd_max : b->snd_una) +
                           near[(x >> 12) % ARRAY_LEN(near)] * (uint32_t)(x >> 52 & 1);
            tl_send(t, flags, seq, ack, (uint16_t)(x >> 3), bytes, r % 65);
            while (tl_next(t))
                ;
        }
        (void)iss;
        for (int i = 0; i < u->n; i++)
            if (u->conn[i].p)
                tl_reset(&u->conn[i]);
        tl_run(t, SECOND);
        while (tl_next(t))
            ;
        tl_end(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-56, RFC 9293 3.8.6.1: zero-window probes", persist),
        PLAIN_TEST("RFC 9293 3.8.6.1: a FIN at a closed window is the probe", persist_fin),
        PLAIN_TEST("RFC 9293 3.8.6.2.1: silly window", silly_window),
        PLAIN_TEST("RFC 9293 3.8.6.3, RFC 5681 4.2: delayed ACK", delayed_ack),
        PLAIN_TEST("RFC 9293 3.8.4: keep-alive; idle limits", keepalive_and_idle),
        PLAIN_TEST("RFC 9293 3.8.3: handshakes that do not end", handshake_limits),
        PLAIN_TEST("a SYN is held until the proxy answers", holding),
        PLAIN_TEST("R-BAD-43, RFC 9293 figure 8: simultaneous open", simultaneous_open),
        PLAIN_TEST("R-BAD-20, R-BAD-21, R-BAD-22, RFC 5927, RFC 1191: ICMP", icmp_rules),
        PLAIN_TEST("R-BAD-25..58: any segment in any state", any_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
