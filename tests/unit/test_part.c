/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letting a server go while the client stays, seen from a proxy made for it: bytes that begin with
 * `>` switch servers, `-` lets go, `!` resets, everything else is passed on.
 */
#include <string.h>

#include "tests/unit/proxy_bench.h"

extern const struct rule join_rule, split_rule;
extern const struct module plug_module;

static uint32_t lost[2], data_calls, depth;

static void data(struct conn *c, enum dir d)
{
    static const struct endpoint other = {{ADDR_IP4, {10, 0, 2, 9}}, 90};
    struct msg *m;
    char first;
    assert_int_equal(depth++, 0); /* never out of itself */
    data_calls++;
    while (proxy_room(c, d) || d == AB) {
        bool order = d == AB && proxy_peek(c, AB, &first, 1) && strchr(">-!", first);
        if (order) {
            proxy_consume(c, AB, 1);
            if (first == '!')
                proxy_reset(c);
            else
                proxy_disconnect(c);
            if (first == '>' && proxy_connect(c, &other, NULL) != OK)
                proxy_reset(c);
        } else if (!proxy_room(c, d) || !(m = proxy_take(c, d, 1))) {
            break;
        } else {
            proxy_send(c, d, m);
        }
    }
    depth--;
}

static status_t accept(struct conn *c)
{
    return proxy_connect(c, conf_endpoint(&proxy_node(c)->conf, "to"), NULL);
}

static void opened(struct conn *c, enum side s)
{
    if (s == SIDE_B)
        proxy_answer(c);
}

static void closed(struct conn *c, enum side s)
{
    lost[s]++;
    if (s == SIDE_A)
        proxy_reset(c);
}

static const struct proxy_code code = {
    .accept = accept, .opened = opened, .data = data, .closed = closed};

static status_t create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                             struct hop *h)
{
    (void)from;
    return proxy_create_stage(n, &code, a, p, h);
}

static const struct proxy_ops ops = {proxy_listens, proxy_backlog, &code};
static const struct rule *const both_rules[] = {&join_rule, &split_rule, NULL};
static const struct rule *const *rules;

/* plug's settings, our code. */
static struct module switcher(void)
{
    struct module m = plug_module;
    m.ops = &ops;
    m.create_stage = create_stage;
    m.show = NULL;
    return m;
}

static struct module module;

static struct bench *make(struct bench_side **c)
{
    module = switcher();
    lost[SIDE_A] = lost[SIDE_B] = depth = 0;
    struct bench *b = bench_make(&module, "proxy.listen=10.0.1.1:80 proxy.to=10.0.2.2:80", rules);
    *c = bench_client(b);
    return b;
}

static void over(struct bench *b, struct bench_side *c)
{
    bench_rst(c);
    for (int i = 0; i < b->nservers; i++)
        bench_rst(&b->server[i]);
    assert_true(c->closed);
    bench_end(b);
}

static void switches(void **state)
{
    (void)state;
    struct bench_side *c;
    struct bench *b = make(&c);
    for (int i = 0; i < BENCH_SIDES - 1; i++) {
        bench_put(c, "hello");
        bench_got(&b->server[i], "hello");
        bench_put(&b->server[i], "you");
        bench_got(c, "you");
        bench_put(c, ">hello"); /* the rest is the next one's */
        assert_int_equal(b->nservers, i + 2);
        assert_int_equal(b->server[i + 1].to.port, 90);
        bench_got(&b->server[i], "");
        bench_got(&b->server[i + 1], "hello");
        bench_fin(&b->server[i]);
        assert_true(b->server[i].closed);
    }
    assert_int_equal(lost[SIDE_B], 0);
    over(b, c);
}

/* What the old one still says reaches nobody, and it is told so. */
static void old_ones_talk(void **state)
{
    (void)state;
    struct bench_side *c;
    struct bench *b = make(&c);
    bench_put(c, "before");
    bench_put(c, "-");
    assert_true(b->server[0].shut);
    bench_got(&b->server[0], "before");
    bench_put(&b->server[0], "too late");
    assert_true(b->server[0].reset);
    bench_put(c, ">");
    bench_put(&b->server[1], "fresh");
    bench_got(c, "fresh");
    assert_int_equal(lost[SIDE_B], 0);
    over(b, c);
}

/* Bytes for the old one that still wait for room are sent before its FIN. */
static void said_before(void **state)
{
    (void)state;
    struct bench_side *c;
    struct bench *b = make(&c);
    bench_put(c, "0123456789-");
    bench_got(&b->server[0], "0123456789");
    assert_true(b->server[0].shut && !b->server[0].reset);
    bench_fin(&b->server[0]);
    assert_true(b->server[0].closed && !c->closed);
    over(b, c);
}

static void client_leaves(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct bench_side *c;
        struct bench *b = make(&c);
        bench_put(c, "-");
        if (reset)
            bench_rst(c);
        else
            bench_fin(c);
        bench_fin(&b->server[0]);
        over(b, c);
    }
}

static void next_one_refuses(void **state)
{
    (void)state;
    struct bench_side *c;
    struct bench *b = make(&c);
    b->refuse = true;
    bench_put(c, ">");
    bench_fin(&b->server[0]);
    assert_int_equal(lost[SIDE_B], 1);
    assert_false(c->closed);
    b->refuse = false;
    bench_put(c, ">again");
    bench_got(&b->server[2], "again");
    over(b, c);
}

/* Let go before it has answered at all. */
static void silent_ones(void **state)
{
    (void)state;
    struct bench_side *c;
    struct bench *b = make(&c);
    b->silent = true;
    for (int i = 1; i < 10; i++) {
        bench_put(c, ">");
        assert_int_equal(b->nservers, i + 1);
        bench_fin(&b->server[i - 1]);
        assert_true(i == 1 || b->server[i - 1].reset);
    }
    b->silent = false;
    bench_put(c, ">here");
    bench_got(&b->server[10], "here");
    over(b, c);
}

static void server_was_gone(void **state)
{
    (void)state;
    struct bench_side *c;
    struct bench *b = make(&c);
    bench_rst(&b->server[0]);
    assert_int_equal(lost[SIDE_B], 1);
    assert_false(c->closed);
    bench_put(c, ">here");
    bench_got(&b->server[1], "here");
    over(b, c);
}

static void reset_at_once(void **state)
{
    (void)state;
    struct bench_side *c;
    struct bench *b = make(&c);
    bench_put(c, "-!");
    assert_true(c->closed);
    bench_rst(&b->server[0]);
    bench_end(b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        PLAIN_TEST("a client goes from server to server", switches),
        PLAIN_TEST("RFC 1122 4.2.2.13: servers that were let go and still talk", old_ones_talk),
        PLAIN_TEST("what was said to a server comes before its FIN", said_before),
        PLAIN_TEST("the client leaves while its server is let go", client_leaves),
        PLAIN_TEST("the next server refuses, the one after it does not", next_one_refuses),
        PLAIN_TEST("servers are let go before they have answered", silent_ones),
        PLAIN_TEST("a server that was gone is followed by another", server_was_gone),
        PLAIN_TEST("let go and reset in one breath", reset_at_once),
    };
    int failed = cmocka_run_group_tests_name("part", tests, NULL, NULL);
    rules = both_rules;
    return failed + cmocka_run_group_tests_name("part_1path", tests, NULL, NULL);
}
