/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/evict: who goes when there is no room for all, spliced and proxied alike. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fwd_bench.h"

/* The kinds of connection, in the order in which they go. BUSY never does. */
enum kind { HALF_OPEN, RST_SEEN, HALF_CLOSED, EMPTY, OLD, NEWER, BUSY };

enum { BUSY_ONES = 56, FIRST_PORT = 20000, ROOMS = 4 /* of 64 to 79 paths a sixteenth is kept */ };

#define COMMON "paths=80 crowded=90 plug.backlog=1000 "

static const struct plan merged = {
    .cmdline = COMMON, .stamps = true, .scale = {7, 2}, .mss = {1460, 1460}};
static const struct plan apart = {
    .cmdline = COMMON "fwd.merge=off", .stamps = true, .scale = {7, 2}, .mss = {1460, 1460}};
static const struct plan proxied = {
    .cmdline = COMMON "plug.splice=off", .stamps = true, .scale = {7, 2}, .mss = {1460, 1460}};

struct scene {
    struct duo *first; /* whose hosts and kernel all share */
    struct duo *of[BUSY];
    struct duo *busy[BUSY_ONES];
    uint16_t port;
};

static struct kernel *kernel_of(const struct scene *s)
{
    return s->first->w->f->k;
}

static struct duo *another(struct scene *s)
{
    return duo_another(s->first, s->port++);
}

static bool is_there(const struct duo *d)
{
    const struct kernel *k = d->w->f->k;
    const struct host *h = &d->host[A];
    struct flow_key key = flow_key_ip4(FLOW_CONN, 0, P_TCP, h->addr, h->peer, h->port, h->pport);
    return flow_find(&k->flows, key) != NULL;
}

/* A byte from the client, which the server acknowledges: whoever stands between. */
static void chat(struct duo *d)
{
    struct host *a = &d->host[A], *b = &d->host[B];
    duo_send(d, A,
             &(struct tcp){.seq = a->seq++, .ack = a->ack, .data = "x", .n = 1, .flags = T_ACK});
    duo_send(d, B, &(struct tcp){.seq = b->seq, .ack = ++b->ack});
}

static void half_close(struct duo *d)
{
    struct host *a = &d->host[A], *b = &d->host[B];
    duo_send(d, A, &(struct tcp){.seq = a->seq++, .ack = a->ack, .flags = T_FIN | T_ACK});
    duo_send(d, B, &(struct tcp){.seq = b->seq, .ack = ++b->ack});
}

static void keep_busy(struct scene *s)
{
    for (int i = 0; i < BUSY_ONES; i++)
        chat(s->busy[i]);
}

/* Each kind once, among many that are in use. Who goes first was heard last, but for the kind. */
static struct scene *scene_make(const struct plan *plan)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->port = FIRST_PORT;
    s->first = s->of[OLD] = duo_make(plan);
    chat(s->of[OLD]);
    net_run(s->first->w, 100 * SECOND);
    for (int kind = NEWER; kind > RST_SEEN; kind--)
        if (kind != OLD)
            s->of[kind] = another(s);
    chat(s->of[NEWER]);
    half_close(s->of[HALF_CLOSED]);
    for (int i = 0; i < BUSY_ONES; i++)
        s->busy[i] = another(s);
    for (int t = 0; t < 70; t += 5) {
        keep_busy(s);
        net_run(s->first->w, 5 * SECOND);
    }
    if (plan != &proxied) { /* a proxy ends both connections at once */
        s->of[RST_SEEN] = another(s);
        struct host *h = &s->of[RST_SEEN]->host[A];
        duo_send(s->of[RST_SEEN], A, &(struct tcp){.seq = h->seq, .ack = h->ack, .flags = T_RST});
    }
    s->of[HALF_OPEN] = duo_syn(s->first, s->port++); /* the server does not answer */
    kernel_of(s)->paths_limit = kernel_of(s)->paths_live + ROOMS;
    evict_newcomer(
        kernel_of(s)); /* it is crowded, but there is room: the hand begins to go round */
    net_run(s->first->w, 2 * SECOND);
    keep_busy(s);
    return s;
}

static void scene_end(struct scene *s)
{
    kernel_of(s)->paths_limit = 80;
    for (int i = HALF_OPEN; i < BUSY; i++)
        if (i != OLD)
            free(s->of[i]);
    for (int i = 0; i < BUSY_ONES; i++)
        free(s->busy[i]);
    duo_end(s->first);
    free(s);
}

/* One room is missing, and somebody comes. */
static void squeeze(struct scene *s)
{
    struct kernel *k = kernel_of(s);
    k->paths_limit = k->paths_live + ROOMS - 1;
    net_clear(s->first->w);
    evict_newcomer(k);
    net_run(s->first->w, 20 * MS);
}

static uint64_t count(struct scene *s, const char *name)
{
    return fixture_value(s->first->w->f, "show mem", name);
}

/* The hosts of a connection that may still be in use are told; a SYN just comes again. */
static void expect_told(struct scene *s, enum kind kind)
{
    bool told[2] = {false, false};
    for (int i = 0; i < s->first->w->nframes; i++) {
        struct tcp got;
        duo_read(&s->first->w->frame[i], &got);
        const struct host *h = &s->of[kind]->host[got.card];
        if (!(got.flags & T_RST))
            continue;
        assert_int_equal(got.dport, h->port);
        assert_int_equal(got.seq, h->ack);
        told[got.card] = true;
    }
    assert_int_equal(told[A], kind >= HALF_CLOSED);
    assert_int_equal(told[B], kind >= HALF_CLOSED);
}

static void in_order(const struct plan *plan)
{
    static const char *const counts[BUSY] = {"evicted_half_open",   "evicted_over",
                                             "evicted_half_closed", "evicted_empty",
                                             "evicted_idle",        "evicted_idle"};
    struct scene *s = scene_make(plan);
    for (int kind = HALF_OPEN; kind < BUSY; kind++) {
        if (!s->of[kind])
            continue;
        uint64_t before = count(s, counts[kind]);
        for (int i = kind; i < BUSY; i++)
            assert_true(!s->of[i] || is_there(s->of[i]));
        squeeze(s);
        for (int i = kind; i < BUSY; i++)
            assert_int_equal(s->of[i] && is_there(s->of[i]), s->of[i] && i != kind);
        assert_int_equal(count(s, counts[kind]), before + 1);
        expect_told(s, (enum kind)kind);
        for (int i = 0; i < BUSY_ONES; i++)
            assert_true(is_there(s->busy[i]));
    }
    /* Now all are in use. */
    for (int i = 0; i < 20; i++)
        squeeze(s);
    for (int i = 0; i < BUSY_ONES; i++)
        assert_true(is_there(s->busy[i]));
    net_none(s->first->w);
    keep_busy(s);
    struct kernel *k = kernel_of(s);
    k->paths_limit = k->paths_live;
    uint64_t refused = net_drops(s->first->w, DROP_PATH_LIMIT);
    free(duo_syn(s->first, s->port++));
    assert_int_equal(net_drops(s->first->w, DROP_PATH_LIMIT), refused + 1);
    scene_end(s);
}

static void order_merged(void **state)
{
    (void)state;
    in_order(&merged);
}

static void order_apart(void **state)
{
    (void)state;
    in_order(&apart);
}

static void order_proxied(void **state)
{
    (void)state;
    in_order(&proxied);
}

/* Three connections say nothing. How long the first lives, in per cent of what it may, when so many
 * tenths of the paths are in use and time-outs shrink from `crowded` per cent on: and what is
 * right. */
static void lives(const char *cmdline, uint32_t tenths, uint32_t crowded)
{
    enum { IDLE = 1000, GRAIN = 60 }; /* seconds; how coarsely the sweep counts */
    struct plan plan = {.cmdline = cmdline, .stamps = true, .scale = {7, 2}, .mss = {1460, 1460}};
    struct duo *d = duo_make(&plan), *more[2];
    struct kernel *k = d->w->f->k;
    for (int i = 0; i < 2; i++)
        more[i] = duo_another(d, (uint16_t)(FIRST_PORT + i));
    chat(d);
    chat(more[0]);
    chat(more[1]);
    uint64_t begun = k->now;
    uint32_t live = k->paths_live;
    k->paths_limit = live * 10 / tenths;
    evict_newcomer(k); /* it refuses nobody yet, but sees how full it is */
    while (k->paths_live == live && k->now - begun < 2 * IDLE * SECOND)
        net_run(d->w, SECOND);
    uint64_t lived = (k->now - begun) / SECOND;
    uint32_t limit = k->paths_limit, start = limit * crowded / 100;
    double share = live <= start ? 1 : (double)(limit - live) / (limit - limit * crowded / 100.0);
    uint64_t right = (uint64_t)(IDLE * share);
    print_message("    %s, %u of %u paths: %u s, %u by the formula\n", cmdline, live, limit,
                  (unsigned)lived, (unsigned)right);
    assert_in_range(lived, right - 2, right + GRAIN);
    k->paths_limit = 1000;
    free(more[0]);
    free(more[1]);
    duo_end(d);
}

/* pf's adaptive time-outs: linear between two points, here 60 % and 100 % of the limit. */
static void shrinking(void **state)
{
    static const char *const cmdlines[] = {"plug.splice=off tcp.idle=1000s", "fwd.idle=1000s",
                                           "fwd.idle=1000s fwd.merge=off"};
    (void)state;
    for (uint32_t tenths = 5; tenths < 10; tenths++)
        for (int i = 0; i < 3; i++)
            lives(cmdlines[i], tenths, 60);
    lives("fwd.idle=1000s crowded=80", 8, 80);
    lives("fwd.idle=1000s crowded=80", 9, 80);
}

/* What a talk needs of a million: a newcomer costs looks at a few paths, whatever there is. */
static void bounded(void **state)
{
    (void)state;
    struct scene *s = scene_make(&merged);
    struct kernel *k = kernel_of(s);
    for (int i = 0; i < 1000; i++) {
        k->paths_limit = k->paths_live;
        uint32_t hand = k->evict.hand;
        evict_newcomer(k);
        net_run(s->first->w, 2 * MS);
        assert_true((k->evict.hand + k->paths_size - hand) % k->paths_size <= 32 * 3);
    }
    scene_end(s);
}

/* RFC 6429: a host that takes nothing goes when, and only when, what waits for it is needed. */
static void zero_window(void **state)
{
    static const struct plan plan = {
        .cmdline = "plug.splice=off", .scale = {0, 0}, .mss = {1460, 1460}};
    (void)state;
    struct duo *d = duo_make(&plan), *other = duo_another(d, FIRST_PORT);
    struct kernel *k = d->w->f->k;
    struct host *a = &d->host[A], *b = &d->host[B];
    duo_send(d, A, &(struct tcp){.seq = a->seq, .ack = a->ack, .flags = T_ACK, .bare = true});
    static uint8_t bytes[1400];
    for (int i = 0; i < 20; i++) { /* the server sends, the client's window is shut */
        duo_send(d, B,
                 &(struct tcp){.seq = b->seq, .ack = b->ack, .data = bytes, .n = sizeof bytes});
        b->seq += sizeof bytes;
    }
    for (int i = 0; i < 300; i++) { /* ten minutes: probed and kept open (RFC 9293 3.8.6.1) */
        net_clear(d->w);
        net_run(d->w, 2 * SECOND);
        if (d->w->nframes)
            duo_send(d, A,
                     &(struct tcp){.seq = a->seq, .ack = a->ack, .flags = T_ACK, .bare = true});
    }
    assert_true(is_there(d));
    chat(other);
    assert_true(is_there(d));
    uint32_t limit = k->msgs.limit[MSG_FULL];
    k->msgs.limit[MSG_FULL] = k->msgs.live[MSG_FULL];
    assert_int_equal(fixture_value(d->w->f, "show mem", "evicted_stuck"), 0);
    for (int i = 0; i < 3; i++)
        chat(other);
    k->msgs.limit[MSG_FULL] = limit;
    net_run(d->w, 20 * MS);
    assert_int_equal(fixture_value(d->w->f, "show mem", "evicted_stuck"), 1);
    assert_false(is_there(d));
    assert_true(is_there(other));
    chat(other);
    free(other);
    duo_end(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-ATK-4 eviction: half open, RST seen, half closed, empty, idle longest; never "
                   "who is busy: ipfwd",
                   order_merged),
        PLAIN_TEST("R-ATK-4 the same order of spliced connections at fwd", order_apart),
        PLAIN_TEST("R-ATK-4 the same order of proxied connections", order_proxied),
        PLAIN_TEST("R-ATK-4 time-outs shrink in proportion from 60 % of the limit", shrinking),
        PLAIN_TEST("R-ATK-4 a newcomer costs looks at a few paths", bounded),
        PLAIN_TEST(
            "R-ATK-4 R-BAD-56 RFC 6429: a shut window is the first victim when buffers run out",
            zero_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
