/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP proxy when something is wrong: with requests, with servers, with time. */
#include <stdlib.h>

#include "tests/unit/http_bench.h"

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *status;
    } all[] = {
        {"GET /\r\n\r\n", "400"},
        {GET("/", "a.example") " folded\r\n\r\n", "400"},
        {GET("/", "a.example") "X : y\r\n\r\n", "400"},
        {GET("/", "a.example") "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "400"},
        {GET("/", "a.example") "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400"},
        {GET("/", "a.example") "Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n", "400"},
        {"GET / HTTP/1.1\n", "400"},
        {"\x16\x03\x01\x02", "400"},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "501"},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {GET("/", "a.example") "Expect: x\r\n\r\n", "417"},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct bench *b = http_make("");
        struct bench_side *c = bench_client(b);
        char want[32];
        bench_put(c, all[i].request);
        snprintf(want, sizeof want, "HTTP/1.1 %s ", all[i].status);
        if (strncmp(c->out, want, strlen(want)) != 0)
            fail_msg("%s instead of %s for\n%s", c->out, want, all[i].request);
        assert_true(c->shut && !c->reset);
        bench_put(c, GET("/", "a.example") "\r\n"); /* what follows is not looked at */
        assert_int_equal(b->nservers, 0);
        over(b, c);
    }
}

static void no_route(void **state)
{
    (void)state;
    struct bench *b = http_make("proxy.routes=a.example/x=10.0.2.1:80");
    struct bench_side *c = bench_client(b);
    bench_put(c, GET("/", "a.example") "\r\n");
    assert_true(bench_has(c, "404 Not Found"));
    assert_int_equal(b->nservers, 0);
    over(b, c);
}

static void too_long(void **state)
{
    (void)state;
    char line[1500];
    for (int field = 0; field < 2; field++) {
        struct bench *b = http_make("proxy.head=1k");
        struct bench_side *c = bench_client(b);
        memset(line, 'x', sizeof line);
        bench_put(c, field ? GET("/", "a.example") "X: " : "GET /");
        bench_bytes(c, line, sizeof line);
        assert_true(bench_has(c, field ? "431 " : "414 "));
        assert_int_equal(b->nservers, 0);
        over(b, c);
    }
}

static void slow_head(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    for (int i = 0; i < 3 && !c->shut; i++) { /* a byte every few seconds */
        bench_put(c, "G");
        bench_wait(b, 4 * SECOND);
    }
    assert_true(bench_has(c, "408 "));
    assert_true(c->shut);
    bench_wait(b, 6 * SECOND);
    assert_true(c->closed); /* though it never closed */
    bench_end(b);
}

static void idle(void **state)
{
    (void)state;
    struct bench *b = http_make("proxy.idle=20s");
    struct bench_side *c = bench_client(b);
    bench_put(c, GET("/", "a.example") "\r\n");
    bench_put(&b->server[0], OK_5 "hello");
    bench_wait(b, 15 * SECOND);
    assert_false(c->shut);
    bench_wait(b, 6 * SECOND);
    bench_got(c, OK_5 "hello"); /* without a word */
    assert_true(c->shut);
    over(b, c);
}

static void servers_fail(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    b->refuse = true;
    bench_put(c, GET("/", "a.example") "\r\n");
    assert_true(bench_has(c, "HTTP/1.1 502 "));
    over(b, c);

    b = http_make("proxy.wait=5s");
    b->silent = true;
    c = bench_client(b);
    bench_put(c, GET("/", "a.example") "\r\n");
    bench_wait(b, 6 * SECOND);
    assert_true(bench_has(c, "HTTP/1.1 504 "));
    over(b, c);

    b = http_make("proxy.wait=5s");
    c = bench_client(b);
    bench_put(c, GET("/", "a.example") "\r\n");
    bench_wait(b, 6 * SECOND);
    assert_true(bench_has(c, "HTTP/1.1 504 "));
    over(b, c);

    static const char *const garbage[] = {
        "SSH-2.0\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\nX: y\n\n",
        "HTTP/1.1 101 Go\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        b = http_make("");
        c = bench_client(b);
        bench_put(c, GET("/", "a.example") "\r\n");
        bench_put(&b->server[0], garbage[i]);
        bench_fin(&b->server[0]);
        if (strncmp(c->out, "HTTP/1.1 502 ", 13) != 0)
            fail_msg("%s for %s", c->out, garbage[i]);
        over(b, c);
    }
}

static void truncated(void **state)
{
    (void)state;
    static const char *const all[] = {
        OK_5 "hell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (int reset = 0; reset < 2; reset++) {
            struct bench *b = http_make("");
            struct bench_side *c = bench_client(b);
            bench_put(c, GET("/", "a.example") "\r\n");
            bench_put(&b->server[0], all[i]);
            if (reset)
                bench_rst(&b->server[0]);
            else
                bench_fin(&b->server[0]);
            assert_true(c->reset && c->closed);
            bench_end(b);
        }
}

static void request_cut_short(void **state)
{
    (void)state;
    static const char *const all[] = {
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nhalf",
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct bench *b = http_make("");
        struct bench_side *c = bench_client(b);
        bench_put(c, all[i]);
        bench_fin(c);
        bench_wait(b, 20 * SECOND);
        bench_fin(&b->server[0]);
        bench_run(b);
        assert_true(c->closed);
        bench_end(b);
    }
}

static void bad_chunk(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    bench_put(c, "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    bench_put(c, "3\r\nabc\r\n0\r\nGET /smuggled HTTP/1.1\r\nHost: b.example\r\n\r\n");
    assert_true(bench_has(c, "400 "));
    assert_false(bench_has(&b->server[0], "smuggled"));
    assert_int_equal(b->nservers, 1);
    assert_true(b->server[0].shut || b->server[0].reset);
    over(b, c);
}

static void server_closes_idle(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    for (int i = 0; i < 4; i++) {
        bench_put(c, GET("/", "a.example") "\r\n");
        is_server(b, i, 1, 80);
        bench_put(&b->server[i], OK_5 "hello");
        bench_got(c, OK_5 "hello");
        switch (i) {
        case 0:
            bench_fin(&b->server[i]);
            break;
        case 1:
            bench_rst(&b->server[i]);
            break;
        case 2:
            bench_put(&b->server[i], "nobody asked");
            break;
        }
        assert_false(c->shut || c->reset);
    }
    bench_got(c, "");
    over(b, c);
}

static void early_answer(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    bench_put(c, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\nsome");
    bench_put(&b->server[0], "HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n");
    bench_got(c, "HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n");
    assert_true(c->shut);
    bench_put(c, GET("/smuggled", "b.example") "\r\n");
    assert_int_equal(b->nservers, 1);
    over(b, c);
}

static void settings(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "proxy.routes=",
        "proxy.routes=a=10.0.2.1:80",
        "proxy.routes=/=10.0.2.1:80",
        "proxy.routes=a/=10.0.2.1",
        "proxy.routes=a/=*:80",
        "proxy.routes=a/=10.0.2.1:0",
        "proxy.routes=a/../=10.0.2.1:80",
        "proxy.routes=a/=10.0.2.1:80,b",
        "proxy.head=100",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (bench_refused(&http_module, wrong[i]) == OK)
            fail_msg("%s is taken", wrong[i]);
}

static void leaving(void **state)
{
    (void)state;
    static const char ask[] = POST_4 "\r\nGET " GET("/2", "b.example") "\r\n";
    static const char answer[] = "HTTP/1.1 100 Go\r\n\r\n" OK_5 "hello";
    for (size_t asked = 0; asked < sizeof ask; asked++)
        for (size_t answered = 0; answered < sizeof answer; answered += 3)
            for (int how = 0; how < 4; how++) {
                struct bench *b = http_make("");
                struct bench_side *c = bench_client(b);
                bench_bytes(c, ask, asked);
                if (b->nservers)
                    bench_bytes(&b->server[0], answer, answered);
                struct bench_side *leaves = how & 1 && b->nservers ? &b->server[0] : c;
                if (how & 2)
                    bench_rst(leaves);
                else
                    bench_fin(leaves);
                over(b, c);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-65 R-BAD-66 R-BAD-67 bad requests are answered and reach no server",
                   refusals),
        PLAIN_TEST("http: no route, no server", no_route),
        PLAIN_TEST("R-BAD-69 heads that are too long", too_long),
        PLAIN_TEST("R-BAD-69 heads that come too slowly", slow_head),
        PLAIN_TEST("http: idle connections are closed", idle),
        PLAIN_TEST("http: servers that refuse, are silent, or talk garbage: 502, 504",
                   servers_fail),
        PLAIN_TEST("http: responses cut short are reset", truncated),
        PLAIN_TEST("http: requests cut short leave nothing behind", request_cut_short),
        PLAIN_TEST("R-BAD-68 nothing behind a bad chunk reaches a server", bad_chunk),
        PLAIN_TEST("http: a server that closes between requests is asked anew", server_closes_idle),
        PLAIN_TEST("http: an answer before the request was complete ends the connection",
                   early_answer),
        PLAIN_TEST("http: hosts that leave at any byte", leaving),
        PLAIN_TEST("http: settings that mean nothing are refused", settings),
    };
    return http_run("http_bad", tests, ARRAY_LEN(tests));
}
