/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN cookies (RFC 4987 3.6): what a connection keeps that was made of one, and for how long one is
 * good. The backlog is 0, so each SYN is answered with a cookie. */
#include <string.h>

#include "modules/wire/tcp.h"
#include "tests/unit/tcp_link.h"

enum { PERIOD_S = 64, ALL = 7, SCALE = 1, SACK = 2, STAMPS = 4 };

static uint32_t syn_options(uint8_t *o, int which)
{
    static const uint8_t mss[] = {2, 4, 1460 >> 8, 1460 & 0xff}, scale[] = {1, 3, 3, 5},
                         sack[] = {1, 1, 4, 2}, stamps[] = {1, 1, 8, 10, 0, 0, 0, 99, 0, 0, 0, 0};
    uint32_t n = sizeof mss;
    memcpy(o, mss, n);
    if (which & SCALE)
        memcpy(o + n, scale, sizeof scale), n += sizeof scale;
    if (which & SACK)
        memcpy(o + n, sack, sizeof sack), n += sizeof sack;
    if (which & STAMPS)
        memcpy(o + n, stamps, sizeof stamps), n += sizeof stamps;
    return n;
}

/* Both must have said it; and without stamps there is no place where it could be remembered. */
static void agreed(const char *settings, int ours, int theirs)
{
    struct tl *t = tl_make(1, NULL, settings);
    struct tl_user *u = tl_user(t, 0);
    uint8_t o[40];
    int both = ours & theirs & STAMPS ? ours & theirs : 0;
    tl_opt(t, o, syn_options(o, theirs));
    tl_send(t, TCP_SYN, TL_ISN, 0, TL_WND, NULL, 0);
    struct tl_seg s = *tl_expect(t, TCP_SYN | TCP_ACK);
    assert_int_equal(u->n, 0);
    assert_int_equal(s.ts, !!(both & STAMPS));
    assert_int_equal(s.sack_ok, !!(both & SACK));
    assert_int_equal(s.wscale >= 0, !!(both & SCALE));
    t->nopt = 0;
    if (s.ts)
        tl_opt_ts(t, 100, s.tsval);
    tl_send(t, TCP_ACK, TL_ISN + 1, s.seq + 1, TL_WND, NULL, 0);
    assert_int_equal(u->n, 1);
    const struct tcb *c = tl_tcb(&u->conn[0]);
    assert_int_equal(c->ts_ok, !!(both & STAMPS));
    assert_int_equal(c->sack_ok, !!(both & SACK));
    assert_int_equal(c->ws_ok, !!(both & SCALE));
    assert_int_equal(c->snd_scale, both & SCALE ? 5 : 0);
    assert_int_equal(c->rcv_scale, both & SCALE ? s.wscale : 0);
    assert_int_equal(c->peer_mss, 1460);
    tl_finish(t, TL_ISN + 1);
}

static void options(void **state)
{
    static const struct {
        const char *settings;
        int ours;
    } all[] = {
        {"backlog=0", ALL},
        {"backlog=0 wscale=off", ALL & ~SCALE},
        {"backlog=0 sack=off", ALL & ~SACK},
        {"backlog=0 timestamps=off", ALL & ~STAMPS},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (int theirs = 0; theirs <= ALL; theirs++)
            agreed(all[i].settings, all[i].ours, theirs);
}

/* RFC 7323 2.2: the window of a SYN is not scaled, so it is at most what fits. */
static void window(void **state)
{
    (void)state;
    for (int small = 0; small <= 1; small++) {
        struct tl *t =
            tl_make(1, NULL, small ? "backlog=0 rcvbuf=20000" : "backlog=0 rcvbuf=200000");
        tl_send(t, TCP_SYN, TL_ISN, 0, TL_WND, NULL, 0);
        assert_int_equal(tl_expect(t, TCP_SYN | TCP_ACK)->wnd, small ? 20000 : 65535);
        tl_end(t);
    }
}

static uint32_t ask(struct tl *t, uint16_t port)
{
    t->port = port;
    tl_send(t, TCP_SYN, TL_ISN, 0, TL_WND, NULL, 0);
    return tl_expect(t, TCP_SYN | TCP_ACK)->seq;
}

static void answer(struct tl *t, uint16_t port, uint32_t cookie, bool good)
{
    struct tl_user *u = tl_user(t, 0);
    u->n = 0;
    t->port = port;
    tl_send(t, TCP_ACK, TL_ISN + 1, cookie + 1, TL_WND, NULL, 0);
    assert_int_equal(u->n, good);
    if (good)
        tl_send(t, TCP_RST, TL_ISN + 1, 0, 0, NULL, 0);
    else
        tl_expect(t, TCP_RST);
    tl_silence(t);
}

/* Good in its period and the next, and never again, nor when the counter in it has gone round;
 * cookies go out in each period, so that they are looked for. */
static void lifetime(void **state)
{
    enum { ROUNDS = 70 };
    struct tl *t = tl_make(1, NULL, "backlog=0");
    uint32_t cookie[ROUNDS];
    (void)state;
    cookie[0] = ask(t, 2000);
    for (uint32_t bits = 1; bits < 32; bits++) /* of another period, also of one before the first */
        answer(t, 2000, cookie[0] ^ bits << 27, false);
    answer(t, 2000, cookie[0], true);
    for (int i = 1; i < ROUNDS; i++) {
        tl_run(t, (uint64_t)PERIOD_S * SECOND - (simworld_now(t->world) % SECOND));
        cookie[i] = ask(t, (uint16_t)(2000 + i));
        answer(t, (uint16_t)(2000 + i), cookie[i], true);
        answer(t, (uint16_t)(2000 + i - 1), cookie[i - 1], true);
        for (int old = 0; old <= i - 2; old++)
            answer(t, (uint16_t)(2000 + old), cookie[old], false);
    }
    tl_end(t);
}

/* Cookies are no way around a limit of connections for each source, nor around a proxy's refusal.
 */
static void limits(void **state)
{
    struct tl *t = tl_make(1, NULL, "backlog=0 persource=1");
    struct tl_user *u = tl_user(t, 0);
    (void)state;
    uint32_t first = ask(t, 2000), second = ask(t, 2001);
    t->port = 2000;
    u->refuse = true;
    tl_send(t, TCP_ACK, TL_ISN + 1, first + 1, TL_WND, NULL, 0);
    tl_expect(t, TCP_RST);
    assert_int_equal(u->conn[0].opened, 0);
    u->refuse = false;
    u->n = 0;
    tl_send(t, TCP_ACK, TL_ISN + 1, first + 1, TL_WND, NULL, 0);
    assert_int_equal(u->n, 1);
    t->port = 2001;
    uint64_t dropped = tl_drops(t, DROP_CONN_LIMIT);
    tl_send(t, TCP_ACK, TL_ISN + 1, second + 1, TL_WND, NULL, 0);
    assert_int_equal(u->n, 1);
    assert_int_equal(tl_drops(t, DROP_CONN_LIMIT), dropped + 1);
    tl_silence(t);
    t->port = 2000;
    tl_finish(t, TL_ISN + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 4987 3.6, RFC 7323 1.3: a cookie's connection has what both ends said",
                   options),
        PLAIN_TEST("RFC 7323 2.2: the window beside a cookie", window),
        PLAIN_TEST("R-ATK-4, RFC 4987: a cookie opens no more than a SYN would have", limits),
        PLAIN_TEST("R-BAD-44, RFC 4987 3.6: a cookie is good for two minutes, not twice", lifetime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
