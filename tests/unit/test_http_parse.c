/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the HTTP proxy makes of single heads, bodies and paths: tables of what RFC 9110 and 9112
 * allow and of what smugglers send. Nothing here runs a kernel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/hosted/sim.h"
#include "modules/http/message.h"
#include "tests/unit/fixture.h"

enum { MAX = 16384 };
#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static struct head *head;
static struct request request;
static size_t taken; /* bytes of the last head */

/* The status a request deserves; 0: it is good. -1: not whole. */
static int status_of_n(const char *text, size_t n, size_t piece)
{
    int is = HEAD_MORE;
    free(head);
    head = malloc(head_size(MAX));
    assert_non_null(head);
    head_init(head, MAX);
    taken = 0;
    while (is == HEAD_MORE && taken < n) {
        size_t part = n - taken < piece ? n - taken : piece;
        taken += head_take(head, text + taken, part, &is);
    }
    if (is != HEAD_WHOLE)
        return is == HEAD_MORE ? -1 : is;
    is = head_parse_request(head);
    return is ? is : request_read(head, &request);
}

static int status_of(const char *text)
{
    return status_of_n(text, strlen(text), SIZE_MAX);
}

static void expect(int status, const char *text)
{
    for (size_t piece = 1; piece < 3; piece++) {
        int is = status_of_n(text, strlen(text), piece);
        if (is != status)
            fail_msg("%d, expected %d:\n%s", is, status, text);
    }
    if (status_of(text) != status)
        fail_msg("%d in one piece, expected %d:\n%s", status_of(text), status, text);
}

static void good(void **state)
{
    (void)state;
    static const char *const all[] = {
        GET "\r\n",
        "\r\n" GET "\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /a?b=c&d=/../x HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a.example/x HTTP/1.1\r\nHost: A.Example\r\n\r\n",
        "DELETE /x HTTP/1.1\r\nHost:a\r\nX:\r\nY: \t z \t\r\n\r\n",
        POST "Content-Length: 5\r\n\r\n",
        POST "content-length:\t005 \r\n\r\n",
        POST "Transfer-Encoding: Chunked\r\n\r\n",
        POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        GET "X: \xc3\xa4\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        expect(0, all[i]);
    expect(-1, "GET / HTTP/1.1\r\nHost: a\r\n");
}

static void meaning(void **state)
{
    (void)state;
    expect(0, "POST /p?q HTTP/1.1\r\nHost: WWW.Example.ORG:81\r\nContent-Length: 12\r\n\r\n");
    assert_string_equal(request.host, "www.example.org");
    assert_int_equal(request.path.n, 4);
    assert_int_equal(request.body, BODY_LENGTH);
    assert_int_equal(request.length, 12);
    assert_false(request.close || request.head || request.upgrade);
    expect(0, "HEAD / HTTP/1.0\r\n\r\n");
    assert_true(request.close && request.head);
    expect(0, "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n");
    assert_false(request.close);
    expect(0, GET "Connection: close\r\n\r\n");
    assert_true(request.close);
    expect(0, GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_true(request.upgrade);
    expect(0, GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n");
    assert_false(request.upgrade);
    expect(0, GET "Upgrade: websocket\r\n\r\n");
    assert_false(request.upgrade);
    expect(0, "GET http://b.example:80/z HTTP/1.1\r\nHost: b.example:80\r\n\r\n");
    assert_string_equal(request.host, "b.example");
    assert_memory_equal(head_at(head, request.path), "/z", 2);
}

static void bad_syntax(void **state)
{
    (void)state;
    static const char *const all[] = {
        "GET /\r\n\r\n",                           /* HTTP/0.9 */
        "GET / HTTP/1.1\nHost: a\n\n",             /* bare LF */
        "GET / HTTP/1.1\r\nHost: a\n\r\n",         /* one of them */
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",     /* CR CR LF */
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", /* bare CR */
        GET "X: a\r\n b\r\n\r\n",                  /* obs-fold */
        GET "X: a\r\n\tb\r\n\r\n",
        GET " X: a\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        GET "X : a\r\n\r\n", /* space before the colon */
        GET "X\t: a\r\n\r\n",
        GET ": a\r\n\r\n", /* empty name */
        GET "X\r\n\r\n",   /* no colon */
        GET "X(: a\r\n\r\n",
        GET "\"X\": a\r\n\r\n",
        GET "X: a\x01\r\n\r\n",
        GET "X: a\x7f\r\n\r\n",
        GET "X: a\x0b\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/ 1.1\r\nHost: a\r\n\r\n",
        "GET / RTSP/1.0\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET \xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /?a#x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/. HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        expect(400, all[i]);
    static const char nul[] = GET "X: a\0b\r\n\r\n";
    assert_int_equal(status_of_n(nul, sizeof nul - 1, SIZE_MAX), 400);
}

static void bad_hosts(void **state)
{
    (void)state;
    static const char *const all[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        GET "Host: a\r\n\r\n",
        GET "host: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n",
        "GET http://a.example:81/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\n\r\n",
        "GET http://u@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        expect(400, all[i]);
}

static void lengths(void **state)
{
    (void)state;
    static const char *const all[] = {
        "+5",
        "-1",
        "0x5",
        "5_0",
        "5 5",
        "5,5",
        "5, 5",
        "5;5",
        "18446744073709551616",
        "9999999999999999999",
        "1e3",
        "",
        "five",
        "5\t5",
        "\"5\"",
        "5.0",
    };
    char text[256];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        snprintf(text, sizeof text, POST "Content-Length: %s\r\n\r\n", all[i]);
        expect(400, text);
    }
    expect(400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n");
    expect(400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n");
    expect(400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect(400, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n");
    expect(400, POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/* Each byte that could stand where nothing should, before and after each part of the field. */
static void codings(void **state)
{
    (void)state;
    static const char *const values[] = {
        "xchunked",
        "chunkedx",
        "chunked, chunked",
        "chunked,",
        "chunked, identity",
        "identity",
        "identity, chunked",
        "gzip, chunked",
        "gzip",
        "cow",
        "",
        "\"chunked\"",
        "chunked;a=b",
        "chunked chunked",
        "chunk",
        "chunke",
        "'chunked'",
        "chunked;",
        ",chunked",
        "chu nked",
    };
    static const char *const whole[] = {
        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST "Transfer-Encoding\r\n : chunked\r\n\r\n",
        POST "Transfer-Encoding: x\r\n chunked\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST "Foo: bar\rTransfer-Encoding: chunked\r\n\r\n",
        POST "Foo: bar\nTransfer-Encoding: chunked\r\n\r\n",
        POST "Foo: bar\r\n\rTransfer-Encoding: chunked\r\n\r\n",
    };
    char text[256];
    int variants = 0;
    for (size_t i = 0; i < ARRAY_LEN(values); i++, variants++) {
        snprintf(text, sizeof text, POST "Transfer-Encoding: %s\r\n\r\n", values[i]);
        expect(400, text);
    }
    for (size_t i = 0; i < ARRAY_LEN(whole); i++, variants++)
        expect(400, whole[i]);
    for (int byte = 0; byte < 256; byte++)
        for (int place = 0; place < 4; place++) {
            static const char *const form[] = {POST "%cTransfer-Encoding: chunked\r\n\r\n",
                                               POST "Transfer-Encoding%c: chunked\r\n\r\n",
                                               POST "Transfer-Encoding:%cchunked\r\n\r\n",
                                               POST "Transfer-Encoding: chunked%c\r\n\r\n"};
            int n = snprintf(text, sizeof text, form[place], byte);
            int is = status_of_n(text, (size_t)n, SIZE_MAX);
            /* Good is what is exactly that coding, or plainly another field. */
            bool coding = is == 0 && request.body == BODY_CHUNKED;
            bool blank = byte == ' ' || byte == '\t';
            bool named = is == 0 && place < 2 && request.body == BODY_NONE && head->nfields == 2;
            bool colon = place == 1 && byte == ':'; /* the value begins with a colon */
            if (coding && !(place >= 2 && blank) && !colon)
                fail_msg("byte %#x at place %d is taken for chunked", (unsigned)byte, place);
            if (is != 400 && !coding && !named && !(place == 0 && is == -1))
                fail_msg("byte %#x at place %d: %d", (unsigned)byte, place, is);
            variants++;
        }
    assert_true(variants > 134);
}

static void refused_otherwise(void **state)
{
    (void)state;
    expect(501, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    expect(501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(501, "get / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n");
    expect(505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n");
    expect(505, "GET / HTTP/1.1x\r\nHost: a\r\n\r\n");
    expect(505, "GET / HTTP/9.9\r\nHost: a\r\n\r\n");
    expect(400, "PRI * HTTP/2.0\r\n\r\n");
    expect(417, POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n");
    expect(400, GET "Connection: close, host\r\n\r\n");
    expect(400, POST "Connection: content-length\r\nContent-Length: 1\r\n\r\n");
    expect(400, POST "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void limits(void **state)
{
    (void)state;
    static char text[MAX * 3];
    size_t n = (size_t)sprintf(text, "GET /");
    memset(text + n, 'x', MAX);
    assert_int_equal(status_of(text), 414);
    n = (size_t)sprintf(text, GET "X: ");
    memset(text + n, 'x', MAX);
    assert_int_equal(status_of(text), 431);
    for (int fields = 99; fields <= 102; fields++) {
        n = (size_t)sprintf(text, GET);
        for (int i = 1; i < fields; i++)
            n += (size_t)sprintf(text + n, "X: y\r\n");
        sprintf(text + n, "\r\n");
        assert_int_equal(status_of(text), fields <= HEAD_FIELDS ? 0 : 431);
    }
    memset(text, 0, sizeof text);
    for (int i = 0; i < MAX; i++)
        strcpy(text + 2 * i, "\r\n");
    assert_int_equal(status_of(text), 414);
}

static void written(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } all[] = {
        {GET "\r\n", GET "Via: 1.1 towpath\r\n\r\n"},
        {"GET http://A/b HTTP/1.1\r\nX:  y \r\nHOST:a\r\n\r\n",
         "GET /b HTTP/1.1\r\nHost: A\r\nX: y\r\nVia: 1.1 towpath\r\n\r\n"},
        {"GET http://a:81/b HTTP/1.0\r\n\r\n",
         "GET /b HTTP/1.0\r\nHost: a:81\r\nVia: 1.0 towpath\r\n\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nVia: 1.0 towpath\r\n\r\n"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
         "GET / HTTP/1.0\r\nConnection: keep-alive\r\nVia: 1.0 towpath\r\n\r\n"},
        {GET "Connection: close, X-One\r\nX-One: 1\r\nX-Two: 2\r\nTE: trailers\r\nKeep-Alive: "
             "5\r\n\r\n",
         GET "X-Two: 2\r\nConnection: close\r\nVia: 1.1 towpath\r\n\r\n"},
        {GET "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
         GET "Upgrade: websocket\r\nConnection: upgrade\r\nVia: 1.1 towpath\r\n\r\n"},
        {GET "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
         GET "Via: 1.1 towpath\r\n\r\n"},
    };
    char to[4096];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_int_equal(status_of(all[i].in), 0);
        size_t n = request_write(head, &request, to);
        assert_true(n <= head->n + REQUEST_MORE);
        to[n] = 0;
        assert_string_equal(to, all[i].out);
        assert_int_equal(status_of(to), 0); /* and it reads the same */
    }
    size_t n = (size_t)sprintf(to, "GET / HTTP/1.0\r\nConnection:keep-alive\r\n");
    for (int i = 1; i < HEAD_FIELDS; i++)
        n += (size_t)sprintf(to + n, "X:y\r\n");
    sprintf(to + n, "\r\n");
    assert_int_equal(status_of(to), 0); /* what grows most */
    uint32_t before = head->n;
    n = request_write(head, &request, to);
    assert_true(n > before && n <= before + REQUEST_MORE);
}

/* Whatever we take, the server reads the same: one head, the same body, nothing behind it. */
static void mutants(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\nX: y\r\n\r\n",
        POST "Content-Length: 15\r\nX: y\r\n\r\n",
        POST "Transfer-Encoding: chunked\r\nConnection: close, te\r\nTE: trailers\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    };
    static const char *const words[] = {
        "\r\n",
        "\n",
        "\r",
        "\t",
        " ",
        ":",
        ",",
        "0",
        "Content-Length: 7\r\n",
        "chunked",
        "Transfer-Encoding: chunked\r\n",
        "Host: b\r\n",
        "HTTP/1.0",
        "/",
        "\r\n ",
        "\x01",
        "\x80",
        "Connection: x\r\n",
        "\r\n\r\n",
    };
    struct rng r;
    int taken_in = 0;
    rng_seed(&r, 11);
    for (int run = 0; run < 200000; run++) {
        char text[512], to[512 + REQUEST_MORE];
        size_t n =
            (size_t)snprintf(text, sizeof text, "%s", seeds[rng_below(&r, ARRAY_LEN(seeds))]);
        for (uint64_t i = 1 + rng_below(&r, 3); i > 0; i--) {
            size_t at = rng_below(&r, n), cut = rng_below(&r, 3);
            const char *word = words[rng_below(&r, ARRAY_LEN(words))];
            size_t add = rng_below(&r, 3) ? strlen(word) : 0;
            cut = cut > n - at ? n - at : cut;
            memmove(text + at + add, text + at + cut, n - at - cut);
            memcpy(text + at, word, add);
            n = n - cut + add;
        }
        if (status_of_n(text, n, SIZE_MAX) != 0)
            continue;
        struct request first = request;
        n = request_write(head, &first, to);
        char path[512];
        snprintf(path, sizeof path, "%.*s", first.path.n, head_at(head, first.path));
        taken_in++;
        assert_int_equal(status_of_n(to, n, SIZE_MAX), 0);
        assert_int_equal(taken, n);
        assert_string_equal(request.host, first.host);
        assert_int_equal(request.body, first.body);
        assert_int_equal(request.length, first.length);
        assert_int_equal(request.close, first.close);
        assert_int_equal(request.path.n, strlen(path));
        assert_memory_equal(head_at(head, request.path), path, strlen(path));
        to[n] = 0;
        for (const char *c = to; *c; c++) /* no line ends but by CRLF */
            assert_true((*c == '\n') == (c > to && c[-1] == '\r'));
    }
    assert_true(taken_in > 10000);
}

static int answer_of(const char *text, const struct request *r, struct response *out)
{
    int is = HEAD_MORE;
    free(head);
    head = malloc(head_size(MAX));
    assert_non_null(head);
    head_init(head, MAX);
    (void)head_take(head, text, strlen(text), &is);
    if (is != HEAD_WHOLE)
        return is == HEAD_MORE ? -1 : 502;
    is = head_parse_response(head);
    return is ? is : response_read(head, r, out);
}

static void responses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool head, upgrade;
        enum body body;
        uint64_t length;
        bool close, interim;
    } all[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 0, 0, BODY_LENGTH, 7, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, 0, BODY_NONE, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 1, 0, BODY_NONE, 7, 0, 0},
        {"HTTP/1.1 204 No\r\n\r\n", 0, 0, BODY_NONE, 0, 0, 0},
        {"HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", 0, 0, BODY_NONE, 7, 0, 0},
        {"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", 0, 0, BODY_CHUNKED, 0, 0, 0},
        {"HTTP/1.1 200 OK\r\n\r\n", 0, 0, BODY_CLOSE, 0, 1, 0},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\n", 0, 0, BODY_LENGTH, 7,
         1, 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", 0, 0, BODY_LENGTH, 7, 1, 0},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 7\r\n\r\n", 0, 0,
         BODY_LENGTH, 7, 0, 0},
        {"HTTP/1.1 100 Continue\r\n\r\n", 0, 0, BODY_NONE, 0, 0, 1},
        {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", 0, 0, BODY_NONE, 0, 0, 1},
        {"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 0, 1, BODY_CLOSE,
         0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct request r = {.head = all[i].head, .upgrade = all[i].upgrade};
        struct response a;
        if (answer_of(all[i].text, &r, &a) != 0)
            fail_msg("refused: %s", all[i].text);
        assert_int_equal(a.body, all[i].body);
        assert_int_equal(a.length, all[i].length);
        assert_int_equal(a.close, all[i].close);
        assert_int_equal(a.interim, all[i].interim);
        assert_int_equal(a.upgrade, all[i].upgrade);
    }
}

static void bad_responses(void **state)
{
    (void)state;
    static const char *const all[] = {
        "hello\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 1\n\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 100 Go\r\nContent-Length: 5\r\n\r\n",
    };
    struct request r = {0};
    struct response a;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (answer_of(all[i], &r, &a) != 502)
            fail_msg("taken: %s", all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 9112: requests that are good", good),
        PLAIN_TEST("RFC 9112: what they mean", meaning),
        PLAIN_TEST(
            "R-BAD-67 bare CR and LF, NUL, folded lines, spaces before the colon, empty names",
            bad_syntax),
        PLAIN_TEST("RFC 9112 3.2: Host is one, well-formed, and agrees with the target", bad_hosts),
        PLAIN_TEST("R-BAD-65 lengths: two, with a coding, +5, 0x5, 5_0, -1, 2^64, empty", lengths),
        PLAIN_TEST("R-BAD-66 codings: more than 134 variants", codings),
        PLAIN_TEST("methods, versions and expectations that are refused", refused_otherwise),
        PLAIN_TEST("R-BAD-69 heads too long, too many fields", limits),
        PLAIN_TEST("R-ATK-11 the head is written from what was parsed, and reads the same",
                   written),
        PLAIN_TEST("R-ATK-11 random mutants: what is taken is read the same by the next", mutants),
        PLAIN_TEST("RFC 9112 6.3: where responses end", responses),
        PLAIN_TEST("responses that are none", bad_responses),
    };
    int failed = cmocka_run_group_tests_name("http_parse", tests, NULL, NULL);
    free(head);
    return failed;
}
