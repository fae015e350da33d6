/* SPDX-License-Identifier: BSD-2-Clause */
/* The filtering proxy: what it replaces, wherever the pieces are cut. */
#include <stdlib.h>
#include <string.h>

#include "drivers/hosted/sim.h"
#include "modules/filter/filter.h"
#include "tests/unit/proxy_bench.h"

extern const struct module filter_module;
extern const struct rule join_rule;
static const struct rule *const joining[] = {&join_rule, NULL};

#define CONF "proxy.listen=10.0.1.1:80 proxy.to=10.0.2.2:80 proxy.find=secret proxy.replace=###"

/* What strstr makes of it: the expected value is not our automaton's. */
static void naive(const char *text, const char *find, const char *by, char *to)
{
    for (const char *at; (at = strstr(text, find)) != NULL; text = at + strlen(find)) {
        memcpy(to, text, (size_t)(at - text));
        to += at - text;
        strcpy(to, by);
        to += strlen(by);
    }
    strcpy(to, text);
}

static void cut_everywhere(void **state)
{
    (void)state;
    static const char text[] = "a secret, sesecret secretsecret secre";
    static const char want[] = "a ###, se### ###### secre";
    for (size_t piece = 1; piece < sizeof text; piece++)
        for (int joined = 0; joined < 2; joined++) {
            struct bench *b = bench_make(&filter_module, CONF, joined ? joining : NULL);
            struct bench_side *c = bench_client(b);
            b->piece = piece;
            bench_put(c, "ask for the secret");
            bench_got(&b->server[0], "ask for the secret");
            bench_put(&b->server[0], text);
            bench_fin(&b->server[0]); /* what was kept back, then FIN */
            bench_got(c, want);
            assert_true(c->shut);
            bench_fin(c);
            assert_true(c->closed && b->server[0].closed);
            bench_end(b);
        }
}

static void two_pieces(void **state)
{
    (void)state;
    static const char text[] = "xsecresecretx";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct bench *b = bench_make(&filter_module, CONF, joining);
        struct bench_side *c = bench_client(b);
        bench_bytes(&b->server[0], text, cut);
        bench_put(&b->server[0], text + cut);
        bench_got(c, "xsecre###x");
        bench_rst(c);
        bench_end(b);
    }
}

/* A small alphabet, so that patterns overlap themselves. */
static void random_texts(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    for (int run = 0; run < 20000; run++) {
        char find[8] = "", by[8] = "", text[64] = "", want[512], got[1024];
        struct replace rep;
        uint8_t kept = 0, out[1024];
        uint64_t hits = 0;
        size_t n = 1 + rng_below(&r, 6), len = rng_below(&r, 63), ngot = 0;
        for (size_t i = 0; i < n; i++)
            find[i] = (char)('a' + rng_below(&r, 2));
        for (size_t i = rng_below(&r, 7); i > 0; i--)
            by[i - 1] = (char)('A' + rng_below(&r, 2));
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + rng_below(&r, 2));
        naive(text, find, by, want);
        replace_init(&rep, find, n, by, strlen(by));
        for (size_t at = 0, part; at < len; at += part) {
            part = 1 + rng_below(&r, len - at);
            size_t now = replace_run(&rep, &kept, (const uint8_t *)text + at, part, out, &hits);
            assert_true(now <= replace_bound(&rep, part));
            memcpy(got + ngot, out, now);
            ngot += now;
        }
        memcpy(got + ngot, find, kept);
        got[ngot + kept] = 0;
        assert_string_equal(got, want);
    }
}

static void never_spliced(void **state)
{
    (void)state;
    struct bench *b = bench_make(&filter_module, CONF, NULL);
    struct bench_side *c = bench_client(b);
    uint64_t n;
    bench_put(c, "one");
    bench_put(&b->server[0], "two");
    for (int d = AB; d <= BA; d++)
        assert_int_equal(proxy_mode(proxy_at(c->p, 1), (enum dir)d, &n), PROXY_CONTROL);
    bench_rst(&b->server[0]);
    assert_true(c->closed);
    bench_end(b);
}

/* A client that reads slowly: the server waits, nothing is lost or doubled. */
static void small_room(void **state)
{
    (void)state;
    struct bench *b = bench_make(&filter_module, CONF, joining);
    struct bench_side *c = bench_client(b);
    char *text = malloc(200001), *want = malloc(300000);
    for (int i = 0; i < 200000; i++)
        text[i] = "my secret "[i % 10];
    text[200000] = 0;
    naive(text, "secret", "###", want);
    bench_room(c, 0);
    bench_put(&b->server[0], text);
    assert_int_equal(c->n, 0);
    assert_true(b->server[0].given < 70000);
    for (int i = 0; i < 400; i++)
        bench_room(c, 500);
    bench_got(c, want);
    free(text);
    free(want);
    bench_rst(c);
    bench_end(b);
}

static void content_is_refused(void **state)
{
    (void)state;
    struct bench *b = bench_make(&filter_module, CONF, joining);
    struct bench_side *c = bench_client(b);
    bench_put(&b->server[0], "public secret");
    bench_got(c, "public ###");
    assert_int_equal(fixture_value(b->f, "show nodes", "replaced"), 1);
    bench_fin(c);
    bench_fin(&b->server[0]);
    assert_true(c->closed);
    bench_end(b);
}

static void settings(void **state)
{
    (void)state;
    char longer[200] = "proxy.find=";
    memset(longer + 11, 'x', 129);
    assert_int_equal(bench_refused(&filter_module, "proxy.find="), E_INVAL);
    assert_int_equal(bench_refused(&filter_module, longer), E_INVAL);
    assert_int_equal(bench_refused(&filter_module, "proxy.to=none"), E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("filter: replaced wherever the stream is cut, in two paths and in one",
                   cut_everywhere),
        PLAIN_TEST("filter: replaced across the border of two messages", two_pieces),
        PLAIN_TEST("filter: random texts against strstr", random_texts),
        PLAIN_TEST("filter: both directions stay in control", never_spliced),
        PLAIN_TEST("filter: a client without room holds the server back", small_room),
        PLAIN_TEST("filter: what the response contains decides what the client sees",
                   content_is_refused),
        PLAIN_TEST("filter: settings that mean nothing are refused", settings),
    };
    return cmocka_run_group_tests_name("filter_proxy", tests, NULL, NULL);
}
