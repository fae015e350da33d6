/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/fwd: SYN, FIN, RST, silence. How spliced connections end, and how they do not. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fwd_bench.h"

enum { SYN_GAP = 600 }; /* ms: more than between two challenges */

static void close_side(struct duo *d, enum side s)
{
    struct host *from = &d->host[s], *to = &d->host[!s];
    struct tcp got;
    duo_send(d, s, &(struct tcp){.seq = from->seq, .ack = from->ack, .flags = T_FIN | T_ACK});
    duo_only(d, &got);
    assert_int_equal(got.flags, T_FIN | T_ACK);
    assert_int_equal(got.seq, to->ack);
    from->seq++;
    to->ack++;
    duo_send(d, !s, &(struct tcp){.seq = to->seq, .ack = to->ack});
    duo_only(d, &got);
    assert_int_equal(got.ack, from->seq);
}

static void closing(struct duo *d)
{
    duo_talk(d, A, "request", 7);
    close_side(d, A);
    duo_talk(d, B, "half-closed, and goes on", 24); /* R-FLOW-47 */
    close_side(d, B);
    for (int i = 0; i < 4; i++) { /* the last acknowledgement was lost: FIN comes again */
        struct tcp got;
        struct host *b = &d->host[B];
        net_run(d->w, 50 * SECOND);
        assert_int_equal(duo_flows(d), 2);
        duo_send(d, B, &(struct tcp){.seq = b->seq - 1, .ack = b->ack, .flags = T_FIN | T_ACK});
        duo_only(d, &got);
        assert_int_equal(got.flags, T_FIN | T_ACK);
    }
    net_run(d->w, 59 * SECOND);
    assert_int_equal(duo_flows(d), 2);
    net_run(d->w, 30 * SECOND);
    assert_int_equal(duo_flows(d), 0);
    assert_int_equal(duo_stat(d, "closed"), 1);
    assert_int_equal(duo_stat(d, "expired"), 0);
}

static void fins(void **state)
{
    (void)state;
    duo_each(closing);
}

/* FIN with data, both at once, acknowledged late; and nothing is believed to lie behind a FIN. */
static void crossing_fins(struct duo *d)
{
    struct host *a = &d->host[A], *b = &d->host[B];
    struct tcp got;
    duo_send(
        d, A,
        &(struct tcp){.seq = a->seq, .ack = a->ack, .data = "end", .n = 3, .flags = T_FIN | T_ACK});
    duo_only(d, &got);
    assert_int_equal(got.seq, b->ack);
    duo_send(d, B, &(struct tcp){.seq = b->seq, .ack = b->ack, .flags = T_FIN | T_ACK});
    duo_only(d, &got);
    duo_send(d, A, &(struct tcp){.seq = a->seq + 3, .ack = a->ack + 1, .data = "more", .n = 4});
    duo_only(d, &got);
    duo_send(d, A, &(struct tcp){.seq = a->seq + 4, .ack = a->ack + 1});
    duo_only(d, &got);
    net_run(d->w, 100 * SECOND); /* one FIN is not acknowledged: it does not end yet */
    assert_int_equal(duo_flows(d), 2);
    duo_send(d, B, &(struct tcp){.seq = b->seq + 1, .ack = b->ack + 4});
    duo_only(d, &got);
    net_run(d->w, 90 * SECOND);
    assert_int_equal(duo_flows(d), 0);
}

static void both_fins(void **state)
{
    (void)state;
    duo_each(crossing_fins);
}

/* The window that was heard last may be from before, so a true FIN can lie beyond it. Its segment
 * goes on where the last one ended, so the host takes it, and it counts. */
static void fin_beyond(struct duo *d)
{
    static const uint8_t bytes[1000];
    struct host *a = &d->host[A], *b = &d->host[B];
    struct tcp got, last = {.data = bytes, .n = sizeof bytes, .flags = T_FIN | T_ACK};
    duo_send(d, B, &(struct tcp){.seq = b->seq, .ack = b->ack, .wnd = 1});
    duo_only(d, &got);
    last.seq = a->seq;
    last.ack = a->ack;
    duo_send(d, A, &last);
    duo_only(d, &got);
    assert_int_equal(got.flags, T_FIN | T_ACK);
    a->seq += sizeof bytes + 1;
    b->ack += sizeof bytes + 1;
    duo_send(d, B, &(struct tcp){.seq = b->seq, .ack = b->ack});
    duo_only(d, &got);
    close_side(d, B);
    net_run(d->w, 100 * SECOND);
    assert_int_equal(duo_flows(d), 0);
    assert_int_equal(duo_stat(d, "closed"), 1);
}

static void late_fin(void **state)
{
    (void)state;
    duo_each(fin_beyond);
}

/* The two RSTs that tell the hosts, with the numbers that they expect. */
static void expect_resets(struct duo *d)
{
    bool told[2] = {false, false};
    for (int i = 0; i < d->w->nframes; i++) {
        struct tcp got;
        duo_read(&d->w->frame[i], &got);
        if (!(got.flags & T_RST))
            continue;
        struct host *h = &d->host[got.card];
        told[got.card] = true;
        assert_int_equal(got.wrong, 0);
        assert_int_equal(got.seq, h->ack);
        assert_int_equal(got.ack, h->seq);
        assert_int_equal(got.dst, h->addr);
        assert_int_equal(got.dport, h->port);
    }
    assert_true(told[A] && told[B]);
}

static void silent(struct duo *d)
{
    duo_talk(d, A, "x", 1);
    duo_talk(d, B, "y", 1);
    net_clear(d->w);
    net_run(d->w, 7400 * SECOND);
    assert_int_equal(duo_flows(d), 2);
    net_none(d->w);
    net_run(d->w, 200 * SECOND);
    assert_int_equal(duo_flows(d), 0);
    expect_resets(d);
    assert_int_equal(duo_stat(d, "expired"), 1);
}

static void idle(void **state)
{
    (void)state;
    duo_each(silent);
}

static void half_silent(struct duo *d)
{
    close_side(d, B);
    net_clear(d->w);
    net_run(d->w, 239 * SECOND);
    assert_int_equal(duo_flows(d), 2);
    net_run(d->w, 30 * SECOND);
    assert_int_equal(duo_flows(d), 0);
    expect_resets(d);
}

static void halfidle(void **state)
{
    (void)state;
    duo_each(half_silent);
}

/* Exact: it ends soon, but not for who goes on talking. */
static void exact_reset(struct duo *d)
{
    struct tcp got;
    struct host *a = &d->host[A];
    duo_talk(d, A, "x", 1);
    duo_send(d, A, &(struct tcp){.seq = a->seq, .ack = a->ack, .flags = T_RST | T_ACK});
    duo_only(d, &got);
    assert_int_equal(got.flags, T_RST | T_ACK);
    assert_int_equal(got.seq, d->host[B].ack);
    assert_int_equal(duo_stat(d, "resets"), 1);
    net_run(d->w, 200 * SECOND);
    duo_talk(d, B, "forged, then", 12);
    net_run(d->w, 200 * SECOND);
    assert_int_equal(duo_flows(d), 2);
    net_clear(d->w);
    net_run(d->w, 60 * SECOND);
    assert_int_equal(duo_flows(d), 0);
    net_none(d->w); /* both know */
}

static void resets(void **state)
{
    (void)state;
    duo_each(exact_reset);
}

/* The operator wants all connections back: one that was reset is over, and is not made alive again.
 */
static void reset_kept(struct duo *d)
{
    struct tcp got;
    struct host *a = &d->host[A];
    duo_talk(d, A, "x", 1);
    duo_send(d, A, &(struct tcp){.seq = a->seq, .ack = a->ack, .flags = T_RST | T_ACK});
    duo_only(d, &got);
    duo_only(d, &got);
    net_clear(d->w);
    fixture_command(d->w->f, "unsplice all");
    net_run(d->w, SECOND);
    fixture_command(d->w->f, "splice all");
    net_run(d->w, 290 * SECOND);
    assert_int_equal(duo_flows(d), 0);
    net_none(d->w);
}

static void reset_unspliced(void **state)
{
    (void)state;
    duo_each(reset_kept);
}

/* 10,000 RSTs of somebody who knows the ports but not the numbers: none changes anything. */
static void blind_resets(struct duo *d)
{
    uint64_t dice = 1, dropped = 0;
    struct host *a = &d->host[A], *b = &d->host[B];
    duo_talk(d, A, "x", 1);
    for (int i = 0; i < 10000; i++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        uint32_t seq = (uint32_t)(dice >> 32);
        uint64_t before = net_drops(d->w, DROP_FWD_WINDOW);
        if (seq == a->seq)
            continue;
        duo_send(d, A, &(struct tcp){.seq = seq, .flags = T_RST, .bare = true});
        dropped += net_drops(d->w, DROP_FWD_WINDOW) - before;
    }
    assert_true(dropped > 9900);
    assert_int_equal(duo_stat(d, "resets"), 0);
    struct tcp got; /* in the window of B, but not exact: B judges */
    duo_send(d, A, &(struct tcp){.seq = a->seq + 100, .flags = T_RST, .bare = true});
    duo_only(d, &got);
    assert_int_equal(got.seq, b->ack + 100);
    assert_int_equal(got.ack, 0); /* without the flag it means nothing */
    assert_int_equal(duo_stat(d, "resets"), 0);
    for (int i = 0; i < 20; i++)
        duo_talk(d, i % 2 ? B : A, "the transfer completes", 22);
}

static void forged(void **state)
{
    (void)state;
    duo_each(blind_resets);
}

static void send_syn(struct duo *d, uint32_t seq)
{
    static const uint8_t mss[4] = {2, 4, 5, 0xb4};
    duo_send(d, A, &(struct tcp){.seq = seq, .flags = T_SYN, .opt = mss, .nopt = sizeof mss});
}

/* The client has lost its memory and opens the same connection again (R-ATK-2). */
static void reborn(struct duo *d)
{
    struct tcp got;
    struct host *a = &d->host[A];
    duo_talk(d, A, "before", 6);
    duo_talk(d, B, "before", 6);
    for (int i = 0; i < 3; i++) {
        send_syn(d, 1000);
        duo_only(d, &got);
        assert_int_equal(got.card, A);
        assert_int_equal(got.flags, T_ACK);
        assert_int_equal(got.seq, a->ack);
        assert_int_equal(got.ack, a->seq);
        for (int j = 0; j < 5; j++) { /* at most one in 500 ms (R-ATK-8) */
            send_syn(d, 1000);
            net_none(d->w);
        }
        net_run(d->w, SYN_GAP * MS);
    }
    assert_int_equal(net_drops(d->w, DROP_FWD_SYN), 18);
    duo_talk(d, A, "a forged one harms nobody", 25);
    send_syn(d, 1000);
    duo_only(d, &got);
    /* RFC 9293 3.10.7.3: what is not expected is reset with the number that it acknowledges */
    duo_send(d, A, &(struct tcp){.seq = got.ack, .flags = T_RST, .bare = true});
    duo_only(d, &got);
    assert_int_equal(got.card, B);
    assert_int_equal(got.flags, T_RST);
    assert_int_equal(got.seq, d->host[B].ack);
    send_syn(d, 1000);
    bool opened = false; /* the proxy opens the new one on the other side */
    for (int i = 0; i < d->w->nframes; i++) {
        duo_read(&d->w->frame[i], &got);
        opened = opened || (got.card == B && got.flags == T_SYN);
    }
    assert_true(opened);
    assert_int_equal(net_drops(d->w, DROP_FWD_SYN), 19);
}

static void syns(void **state)
{
    (void)state;
    duo_each(reborn);
}

/* The kernel stops: both hosts hear it. */
static void stopping(struct duo *d)
{
    duo_talk(d, A, "x", 1);
    net_clear(d->w);
    struct path *p = duo_path(d);
    for (int at = 0; at < p->shape->n; at++)
        if (p->shape->at[at].ops->stop)
            p->shape->at[at].ops->stop(p, at);
    net_run(d->w, 5 * MS);
    expect_resets(d);
}

static void stops(void **state)
{
    (void)state;
    duo_each(stopping);
}

/* All that came to A is stamped no earlier than that; how many there were. */
static int stamps_go_on(const struct duo *d, uint32_t heard)
{
    int n = 0;
    for (int i = 0; i < d->w->nframes; i++) {
        struct tcp got;
        duo_read(&d->w->frame[i], &got);
        if (got.card != A || got.dport != d->host[A].port)
            continue;
        assert_true(got.stamped && (int32_t)(got.tsval - heard) >= 0);
        n++;
    }
    return n;
}

/* Opened by a SYN cookie and spliced: what comes to the client is not older than the SYN-ACK was
 * (RFC 7323 5.3), or it would throw all of it away. */
static void by_cookie(void **state)
{
    enum {
        WND = 33000
    }; /* of B a little more than the SYN-ACK promised: no update of ours goes first */
    static const struct plan plans[] = {{.cmdline = "plug.backlog=1",
                                         .stamps = true,
                                         .sack = true,
                                         .cookie = true,
                                         .scale = {7, 1},
                                         .mss = {1460, 1460}},
                                        {.cmdline = "plug.backlog=1 fwd.merge=off",
                                         .stamps = true,
                                         .cookie = true,
                                         .scale = {7, 1},
                                         .mss = {1460, 1460}}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct plan first = plans[i];
        first.cookie = false;
        struct duo *d = duo_make(&first), *half = duo_syn(d, 30000);
        d->plan = &plans[i];
        for (uint16_t port = 30001; port < 30009; port++) {
            net_run(d->w, 777 * MS);
            struct duo *c = duo_another(d, port);
            uint32_t heard = c->host[A].echo;
            struct host *x = &c->host[A], *y = &c->host[B];
            int seen = 0;
            for (int round = 0; round < 3; round++) {
                duo_send(c, B,
                         &(struct tcp){
                             .seq = y->seq, .ack = y->ack, .wnd = WND, .data = "tell", .n = 4});
                seen += stamps_go_on(c, heard);
                y->seq += 4;
                x->ack += 4;
                duo_send(
                    c, A,
                    &(struct tcp){.seq = x->seq, .ack = x->ack, .wnd = WND, .data = "ask", .n = 3});
                seen += stamps_go_on(c, heard);
                x->seq += 3;
                y->ack += 3;
                duo_send(c, A, &(struct tcp){.seq = x->seq, .ack = x->ack, .wnd = WND});
            }
            assert_true(seen >= 3);
            assert_true(i || !duo_path(c)->work); /* spliced */
            free(c);
        }
        assert_true(duo_stat(d, "cookies-valid") == 8);
        free(half);
        duo_end(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-SPL-12 R-FLOW-41 R-FLOW-42 R-FLOW-43 R-FLOW-47 FIN both ways, WAITING", fins),
        PLAIN_TEST("R-SPL-12 FINs that cross; each is waited for", both_fins),
        PLAIN_TEST("R-SPL-12 R-FLOW-41 a FIN beyond the window that was heard last counts",
                   late_fin),
        PLAIN_TEST("R-SPL-12 silence: RST both ways with the right numbers", idle),
        PLAIN_TEST("R-SPL-12 silence after one FIN ends it sooner", halfidle),
        PLAIN_TEST("R-ATK-1 R-FLOW-48 an exact RST: the path is remembered for a while", resets),
        PLAIN_TEST("R-SPL-12 unspliced after a RST: it still ends after a while", reset_unspliced),
        PLAIN_TEST("R-ATK-1 R-ATK-3 10,000 RSTs from outside end nothing", forged),
        PLAIN_TEST("R-ATK-2 R-ATK-8 R-BAD-48 R-FLOW-34 SYN: challenged, then served", syns),
        PLAIN_TEST("R-SPL-14 R-BAD-44 opened by a SYN cookie: stamps go on from the SYN-ACK's",
                   by_cookie),
        PLAIN_TEST("R-SPL-12 who stops tells both hosts", stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
