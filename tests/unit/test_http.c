/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP proxy at work: routes, pipelines, bodies, and what it wants to see. */
#include <stdlib.h>

#include "tests/unit/http_bench.h"

static void one_request(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    bench_put(c, GET("/index", "a.example") "\r\n");
    is_server(b, 0, 1, 80);
    bench_got(&b->server[0], SENT("/index", "a.example"));
    bench_put(&b->server[0], OK_5 "hello");
    bench_got(c, OK_5 "hello");
    over(b, c);
}

static void routes(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint8_t last;
        uint16_t port;
    } all[] = {
        {GET("/", "a.example") "\r\n", 1, 80},
        {GET("/", "A.EXAMPLE:8080") "\r\n", 1, 80},
        {GET("/img/x", "a.example") "\r\n", 2, 81},
        {GET("/%69mg/x", "a.example") "\r\n", 2, 81},
        {GET("/images", "a.example") "\r\n", 1, 80},
        {GET("/img", "b.example") "\r\n", 3, 82},
        {GET("/", "c.example") "\r\n", 4, 83},
        {GET("/x/y?z", "c.example") "\r\n", 5, 84},
        {GET("/x/y", "a.example") "\r\n", 1, 80},
        {"GET / HTTP/1.0\r\n\r\n", 4, 83},
        {"GET http://b.example/q HTTP/1.1\r\nHost: b.example\r\n\r\n", 3, 82},
        {"OPTIONS * HTTP/1.1\r\nHost: b.example\r\n\r\n", 3, 82},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct bench *b = http_make("");
        struct bench_side *c = bench_client(b);
        bench_put(c, all[i].request);
        is_server(b, 0, all[i].last, all[i].port);
        over(b, c);
    }
}

static void two_servers(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    uint32_t used = 0;
    for (int i = 0; i < BENCH_SIDES; i++) {
        bool first = i % 2 == 0;
        bench_put(c, first ? GET("/", "a.example") "\r\n" : GET("/img", "a.example") "\r\n");
        is_server(b, i, first ? 1 : 2, first ? 80 : 81);
        bench_got(&b->server[i], first ? SENT("/", "a.example") : SENT("/img", "a.example"));
        bench_put(&b->server[i], OK_5 "hello");
        bench_got(c, OK_5 "hello");
        if (i == 1)
            used = c->p->pool.used;
        if (i > 1) /* what was the old server's has been given back */
            assert_int_equal(c->p->pool.used, used);
        assert_true(c->p->pool.limit <= 2 * b->f->k->path_pool_limit);
        if (i) /* the one before was let go */
            assert_true(b->server[i - 1].shut || b->server[i - 1].reset || b->server[i - 1].closed);
    }
    over(b, c);
}

static void kept_alive(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    for (int i = 0; i < 50; i++) {
        bench_put(c, GET("/", "a.example") "\r\n");
        bench_got(&b->server[0], SENT("/", "a.example"));
        bench_put(&b->server[0], OK_5 "hello");
        bench_got(c, OK_5 "hello");
    }
    assert_int_equal(b->nservers, 1);
    over(b, c);
}

/* Three requests for two servers, and a body, in one piece or in many: R-ATK-10. */
static void pipelined(void **state)
{
    (void)state;
    static const char all[] =
        GET("/1", "a.example") "\r\n" POST_4 "\r\nGET " GET("/2", "b.example") "\r\n";
    for (size_t piece = 1; piece < sizeof all; piece++) {
        struct bench *b = http_make("");
        struct bench_side *c = bench_client(b);
        b->piece = piece;
        bench_put(c, all);
        b->piece = 0;
        bench_got(&b->server[0], SENT("/1", "a.example")); /* the second waits */
        bench_put(&b->server[0], OK_5 "first");
        bench_got(&b->server[0], POST_4 "Via: 1.1 towpath\r\n\r\nGET ");
        assert_int_equal(b->nservers, 1);
        bench_put(&b->server[0], OK_5 "secnd");
        is_server(b, 1, 3, 82);
        bench_got(&b->server[1], SENT("/2", "b.example"));
        bench_put(&b->server[1], OK_5 "third");
        bench_got(c, OK_5 "first" OK_5 "secnd" OK_5 "third");
        over(b, c);
    }
}

/* Responses of each kind, cut anywhere; after each the connection goes on as it should. */
static void response_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *request, *response;
        bool goes_on;
    } all[] = {
        {GET("/", "a.example"), OK_5 "hello", true},
        {GET("/", "a.example"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
        {GET("/", "a.example"), "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", true},
        {GET("/", "a.example"), "HTTP/1.1 204 None\r\n\r\n", true},
        {"HEAD / HTTP/1.1\r\nHost: a.example\r\n", OK_5, true},
        {GET("/", "a.example"), "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 100 Go\r\n\r\n" OK_5 "hello",
         true},
        {GET("/", "a.example"),
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n3\r\nyou\r\n0\r\nX: "
         "y\r\n\r\n",
         true},
        {GET("/", "a.example") "Connection: close\r\n", OK_5 "hello", false},
        {GET("/", "a.example"),
         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", false},
        {GET("/", "a.example"), "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
        {"GET / HTTP/1.0\r\nHost: a.example\r\n", OK_5 "hello", false},
        {"GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n",
         "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t piece = 1; piece < 120; piece += piece < 12 ? 1 : 17) {
            struct bench *b = http_make("");
            struct bench_side *c = bench_client(b);
            bench_put(c, all[i].request);
            bench_put(c, "\r\n");
            b->piece = piece;
            bench_put(&b->server[0], all[i].response);
            b->piece = 0;
            bench_got(c, all[i].response);
            if (c->shut == all[i].goes_on)
                fail_msg("%s after %s", c->shut ? "closed" : "open", all[i].response);
            bench_put(c, GET("/again", "a.example") "\r\n");
            assert_int_equal(bench_has(&b->server[0], "/again"), all[i].goes_on);
            over(b, c);
        }
}

static void until_close(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    bench_put(c, GET("/", "a.example") "\r\n");
    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\n\r\nso much");
    bench_put(c, GET("/never", "a.example") "\r\n");
    bench_put(&b->server[0], " and more");
    assert_false(c->shut);
    bench_fin(&b->server[0]);
    bench_got(c, "HTTP/1.1 200 OK\r\n\r\nso much and more");
    assert_true(c->shut && !c->reset);
    bench_got(&b->server[0], SENT("/", "a.example"));
    over(b, c);
}

static void request_bodies(void **state)
{
    (void)state;
    static const char chunked[] =
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n";
    static const char body[] = "5\r\nhello\r\nc\r\nGET / HTTP/1\r\n0\r\n\r\n";
    for (size_t piece = 1; piece < 120; piece++) {
        struct bench *b = http_make("");
        struct bench_side *c = bench_client(b);
        char want[512];
        b->piece = piece;
        bench_put(c, chunked);
        bench_put(c, "\r\n");
        bench_put(c, body);
        snprintf(want, sizeof want, "%sVia: 1.1 towpath\r\n\r\n%s", chunked, body);
        b->piece = 0;
        bench_got(&b->server[0], want);
        bench_put(&b->server[0], OK_5 "hello");
        bench_put(c, GET("/", "a.example") "\r\n");
        bench_got(&b->server[0], SENT("/", "a.example"));
        over(b, c);
    }
}

/* What is cut short must not look whole. */
/* A chunk in the middle of a body turns out to be bad: R-BAD-68. */
static void half_closed_client(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    bench_put(c, GET("/", "a.example") "\r\n");
    bench_fin(c);
    assert_false(c->shut);
    bench_put(&b->server[0], OK_5 "hello");
    bench_got(c, OK_5 "hello");
    assert_true(c->shut && !c->reset);
    over(b, c);
}

static void upgraded(void **state)
{
    (void)state;
    static const char go[] = "HTTP/1.1 101 Go\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n";
    uint64_t n;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    struct conn *conn = proxy_at(c->p, 1);
    bench_put(c, GET("/", "a.example") "Connection: upgrade\r\nUpgrade: chat\r\n\r\n");
    assert_true(bench_has(&b->server[0], "Upgrade: chat\r\n"));
    bench_got(&b->server[0], b->server[0].out);
    bench_put(&b->server[0], go);
    bench_got(c, go);
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_FORWARD);
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_FORWARD);
    bench_put(c, "any bytes\n\n");
    bench_put(&b->server[0], "and back\r");
    bench_got(&b->server[0], "any bytes\n\n");
    bench_got(c, "and back\r");
    bench_fin(c);
    assert_true(b->server[0].shut);
    over(b, c);
}

/* What rules see: decisions about splicing are made from these. */
static void modes(void **state)
{
    (void)state;
    static char large[20000];
    uint64_t n;
    struct bench *b = http_make("proxy.large=10000");
    struct bench_side *c = bench_client(b);
    struct conn *conn = proxy_at(c->p, 1);
    bench_put(c, GET("/", "a.example") "\r\n");
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);
    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n");
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_WAITING);
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_COUNTED);
    assert_int_equal(n, 20000);
    memset(large, 'x', sizeof large);
    bench_bytes(&b->server[0], large, 19999);
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_COUNTED);
    assert_int_equal(n, 1);
    bench_bytes(&b->server[0], large, 1);
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_CONTROL);
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);

    bench_put(c, GET("/", "a.example") "\r\n"); /* small ones stay proxied */
    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n");
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_CONTROL);
    bench_bytes(&b->server[0], large, 9999);

    bench_put(c,
              GET("/", "a.example") "\r\n" GET("/", "a.example") "\r\n"); /* and pipelined ones */
    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n");
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);
    bench_bytes(&b->server[0], large, 20000);

    /* a large chunk, then the client's next byte in the middle of it */
    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n");
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_COUNTED);
    assert_int_equal(n, 20000);
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_WAITING);
    bench_put(c, "G");
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);
    bench_bytes(&b->server[0], large, 20000);
    bench_put(&b->server[0], "\r\n0\r\n\r\n");
    bench_put(c, "ET / HTTP/1.1\r\nHost: a.example\r\n\r\n");

    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\n\r\n"); /* until close */
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_FORWARD);
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_WAITING);
    bench_bytes(&b->server[0], large, 20000);
    bench_fin(&b->server[0]);
    assert_true(c->shut);
    over(b, c);
}

/* A client that waits for 100 is not spliced before it came; then its body is, until the server's
 * next byte. */
static void uploads(void **state)
{
    (void)state;
    static char large[20000];
    uint64_t n;
    struct bench *b = http_make("proxy.large=10000");
    struct bench_side *c = bench_client(b);
    struct conn *conn = proxy_at(c->p, c->at + 1);
    for (int expects = 0; expects < 2; expects++) {
        bench_put(c, "PUT /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20000\r\n");
        bench_put(c, expects ? "Expect: 100-continue\r\n\r\n" : "\r\n");
        if (expects) {
            assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);
            bench_put(&b->server[0], "HTTP/1.1 100 Continue\r\n\r\n");
            bench_got(c, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        assert_int_equal(proxy_mode(conn, AB, &n), PROXY_COUNTED);
        assert_int_equal(n, 20000);
        assert_int_equal(proxy_mode(conn, BA, &n), PROXY_WAITING);
        memset(large, 'x', sizeof large);
        bench_bytes(c, large, sizeof large);
        assert_true(b->server[0].n > sizeof large);
        assert_memory_equal(b->server[0].out + b->server[0].n - sizeof large, large, sizeof large);
        bench_put(&b->server[0], "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        bench_got(c, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);
        assert_int_equal(proxy_mode(conn, BA, &n), PROXY_CONTROL);
    }
    assert_int_equal(b->nservers, 1);
    over(b, c);
}

/* The rules count what went past: the next request is read when the response has gone. */
static void passed_by(void **state)
{
    (void)state;
    uint64_t n;
    struct bench *b = http_make("proxy.large=1000");
    struct bench_side *c = bench_client(b);
    struct conn *conn = proxy_at(c->p, 1);
    bench_put(c, GET("/", "a.example") "\r\n");
    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n");
    proxy_passed(conn, BA, 20000); /* as if spliced */
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_WAITING);
    bench_put(c, GET("/img", "a.example") "\r\n");
    is_server(b, 1, 2, 81);
    bench_got(&b->server[1], SENT("/img", "a.example"));
    over(b, c);
}

static void slow_client(void **state)
{
    (void)state;
    struct bench *b = http_make("");
    struct bench_side *c = bench_client(b);
    char *body = malloc(300001), *want = malloc(400000);
    for (int i = 0; i < 300000; i++)
        body[i] = (char)('a' + i % 26);
    body[300000] = 0;
    bench_room(c, 0);
    bench_put(c, GET("/", "a.example") "\r\n" GET("/", "a.example") "\r\n");
    bench_put(&b->server[0], "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    bench_put(&b->server[0], body);
    assert_int_equal(c->n, 0);
    assert_true(b->server[0].given < 140000);
    for (int i = 0; i < 1000; i++)
        bench_room(c, 700);
    sprintf(want, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n%s", body);
    bench_got(c, want);
    bench_got(&b->server[0], SENT("/", "a.example") SENT("/", "a.example"));
    free(body);
    free(want);
    over(b, c);
}

/* Hosts that leave at any byte of an exchange. */

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("http: a request and its response", one_request),
        PLAIN_TEST("http: host and path decide which server it is", routes),
        PLAIN_TEST("R-FLOW-61 requests of one connection to two servers in turn", two_servers),
        PLAIN_TEST("http: a server's connection is used again", kept_alive),
        PLAIN_TEST(
            "R-BAD-70 R-ATK-10 pipelined requests, cut at every byte, each to its own server",
            pipelined),
        PLAIN_TEST("http: responses of every kind, cut anywhere", response_kinds),
        PLAIN_TEST("http: a response that ends with the connection", until_close),
        PLAIN_TEST("http: chunked requests, cut at every byte", request_bodies),
        PLAIN_TEST("http: a client may close its side and still get the response",
                   half_closed_client),
        PLAIN_TEST("http: 101 makes both directions forward", upgraded),
        PLAIN_TEST("http: large bodies may be spliced, small and pipelined ones not", modes),
        PLAIN_TEST("http: large uploads may be spliced, after the 100 that was waited for",
                   uploads),
        PLAIN_TEST("http: bytes that went past count", passed_by),
        PLAIN_TEST("http: a client without room holds the server back", slow_client),
    };
    return http_run("http", tests, ARRAY_LEN(tests));
}
