/* SPDX-License-Identifier: BSD-2-Clause */
/* The login proxy: its dialogue, whom it lets pass and where to, and TELNET. */
#include <string.h>

#include "modules/login/login.h"
#include "tests/unit/proxy_bench.h"

extern const struct module login_module;
extern const struct rule join_rule;
static const struct rule *const joining[] = {&join_rule, NULL};

/* From Python's hashlib.pbkdf2_hmac("sha256", password, salt, 1000). */
#define GUEST \
    "guest=746f7770617468:4a4423df4bb2a4ec09b375f222ec8f356bb5ac649363d6a0c1a4339e699e4c22"
#define ANNA "anna=00ff:febcc727cb9851ef7b90cda4eec6fb1d08b319b2eab78574052e6efed2039261"
#define CONF                                                                  \
    "proxy.listen=10.0.1.1:23 proxy.users=" GUEST "," ANNA " proxy.time=60s " \
    "proxy.hosts=shell=10.0.2.2:23,other=10.0.2.3:2323"
#define GREETING "towpath\r\nlogin: "
#define PASSWORD "\xff\xfb\x01password: "
#define QUIET    "\xff\xfc\x01\r\n"

static struct bench *make(const char *more, const struct rule *const *rules)
{
    static char words[1024];
    snprintf(words, sizeof words, "%s %s", CONF, more);
    return bench_make(&login_module, words, rules);
}

static void close_both(struct bench *b, struct bench_side *client, struct bench_side *server)
{
    bench_fin(client);
    bench_fin(server);
    bench_run(b);
    assert_true(client->closed && server->closed);
}

static void is_server(const struct bench *b, int i, uint32_t addr, uint16_t port)
{
    assert_true(b->nservers > i);
    assert_int_equal(netaddr_to_ip4(&b->server[i].to.addr), addr);
    assert_int_equal(b->server[i].to.port, port);
}

static void passes(const struct rule *const *rules)
{
    struct bench *b = make("", rules);
    struct bench_side *c = bench_client(b);
    bench_got(c, GREETING);
    bench_put(c, "guest\r\n");
    bench_got(c, PASSWORD);
    bench_put(c, "guest\r\n");
    bench_got(c, QUIET "host: ");
    assert_int_equal(b->nservers, 0);
    bench_put(c, "shell\r\n");
    is_server(b, 0, 0x0a000202, 23);
    bench_got(c, "Connected.\r\n");
    bench_put(&b->server[0], "welcome");
    bench_got(c, "welcome");
    bench_put(c, "ls\xff\xfd\x03\n"); /* nobody looks at it any more */
    bench_got(&b->server[0], "ls\xff\xfd\x03\n");
    close_both(b, c, &b->server[0]);
    bench_end(b);
}

static void good_login(void **state)
{
    (void)state;
    passes(NULL);
    passes(joining);
}

static void content_is_route(void **state)
{
    (void)state;
    struct bench *b = make("", joining);
    struct bench_side *c = bench_client(b);
    bench_put(c, "anna\npass,word=1\nother\n");
    is_server(b, 0, 0x0a000203, 2323);
    close_both(b, c, &b->server[0]);
    bench_end(b);
}

static void modes_for_rules(void **state)
{
    (void)state;
    uint64_t n;
    struct bench *b = make("proxy.only=10.0.2.2/32", NULL);
    struct bench_side *c = bench_client(b), *d;
    struct conn *conn = proxy_at(c->p, 1);
    bench_put(c, "guest\r\nguest\r\n");
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_CONTROL);
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_CONTROL);
    bench_put(c, "shell\r\n");
    assert_int_equal(proxy_mode(conn, AB, &n), PROXY_FORWARD);
    assert_int_equal(proxy_mode(conn, BA, &n), PROXY_FORWARD);
    assert_true(proxy_may_splice(conn));
    (void)fixture_command(b->f, "set proxy.splice=off");
    assert_false(proxy_may_splice(conn));
    (void)fixture_command(b->f, "set proxy.splice=on");
    assert_true(proxy_may_splice(conn));
    d = bench_client(b);
    bench_put(d, "guest\r\nguest\r\nother\r\n");
    assert_false(proxy_may_splice(proxy_at(d->p, 1)));
    close_both(b, c, &b->server[0]);
    close_both(b, d, &b->server[1]);
    bench_end(b);
}

static void after_bytes(void **state)
{
    (void)state;
    struct bench *b = make("proxy.after=1000", NULL);
    struct bench_side *c = bench_client(b);
    struct conn *conn = proxy_at(c->p, 1);
    char bytes[700];
    memset(bytes, 'x', sizeof bytes);
    bench_put(c, "guest\r\nguest\r\nshell\r\n");
    bench_bytes(c, bytes, 700);
    assert_false(proxy_may_splice(conn));
    bench_bytes(&b->server[0], bytes, 700);
    assert_true(proxy_may_splice(conn));
    close_both(b, c, &b->server[0]);
    bench_end(b);
}

static void typed_ahead(void **state)
{
    (void)state;
    static const char all[] = "guest\r\nguest\r\nshell\r\nfirst bytes\r\n";
    for (size_t piece = 1; piece <= sizeof all; piece++)
        for (int joined = 0; joined < 2; joined++) {
            struct bench *b = make("", joined ? joining : NULL);
            struct bench_side *c = bench_client(b);
            b->piece = piece;
            bench_put(c, all);
            bench_fin(c);
            bench_got(&b->server[0], "first bytes\r\n");
            assert_true(b->server[0].shut);
            bench_got(c, GREETING PASSWORD QUIET "host: Connected.\r\n");
            close_both(b, c, &b->server[0]);
            bench_end(b);
        }
}

static void three_tries(void **state)
{
    (void)state;
    struct bench *b = make("", joining);
    struct bench_side *c = bench_client(b);
    bench_put(c, "guest\r\nGuest\r\n");
    bench_got(c, GREETING PASSWORD QUIET "Login incorrect.\r\nlogin: ");
    bench_put(c, "nobody\r\nguest\r\n");
    bench_got(c, PASSWORD QUIET "Login incorrect.\r\nlogin: ");
    assert_false(c->shut);
    bench_put(c, "guest\r\n\r\nguest\r\nguest\r\nshell\r\n");
    bench_got(c, PASSWORD QUIET "Login incorrect.\r\nToo many tries.\r\n");
    assert_true(c->shut);
    assert_int_equal(b->nservers, 0);
    bench_fin(c);
    assert_true(c->closed);
    assert_int_equal(fixture_value(b->f, "show nodes", "wrong"), 3);
    bench_end(b);
}

static void tries_then_lingers(void **state)
{
    (void)state;
    struct bench *b = make("proxy.tries=1", NULL);
    struct bench_side *c = bench_client(b);
    bench_put(c, "x\ny\n");
    assert_true(c->shut && !c->reset);
    bench_wait(b, 6 * SECOND); /* the client never closes */
    assert_true(c->reset && c->closed);
    bench_end(b);
}

static void unknown_host(void **state)
{
    (void)state;
    struct bench *b = make("", NULL);
    struct bench_side *c = bench_client(b);
    bench_put(c, "guest\r\nguest\r\n10.0.2.2:23\r\n");
    assert_true(bench_has(c, "host: Unknown host.\r\nhost: "));
    bench_put(c, "shel\r\n");
    bench_put(c, "shells\r\n");
    assert_true(bench_has(c, "Too many tries."));
    assert_int_equal(b->nservers, 0);
    bench_fin(c);
    bench_end(b);
}

static void open_hosts(void **state)
{
    (void)state;
    struct bench *b = make("proxy.open=on", NULL);
    struct bench_side *c = bench_client(b);
    bench_put(c, "guest\r\nguest\r\n*:80\r\n10.9.8.7:0\r\n10.9.8.7:99\r\n");
    is_server(b, 0, 0x0a090807, 99);
    assert_int_equal(b->nservers, 1);
    close_both(b, c, &b->server[0]);
    bench_end(b);
}

static void no_answer_of_the_host(void **state)
{
    (void)state;
    struct bench *b = make("", joining);
    b->refuse = true;
    struct bench_side *c = bench_client(b);
    bench_put(c, "guest\r\nguest\r\nshell\r\n");
    assert_true(bench_has(c, "host: No connection.\r\n"));
    assert_true(c->shut);
    bench_fin(c);
    assert_true(c->closed);
    bench_end(b);
}

static void too_slow(void **state)
{
    (void)state;
    struct bench *b = make("proxy.time=10s", NULL);
    struct bench_side *c = bench_client(b);
    bench_put(c, "gue");
    bench_wait(b, 9 * SECOND);
    assert_false(c->shut);
    bench_put(c, "st\r\n");
    bench_wait(b, 2 * SECOND);
    assert_true(bench_has(c, "Time is up."));
    assert_true(c->shut);
    bench_wait(b, 6 * SECOND);
    assert_true(c->closed);
    bench_end(b);
}

static void time_stops_after_login(void **state)
{
    (void)state;
    struct bench *b = make("proxy.time=10s", joining);
    struct bench_side *c = bench_client(b);
    bench_put(c, "guest\nguest\nshell\n");
    bench_wait(b, 100 * SECOND);
    assert_false(c->shut || c->reset);
    close_both(b, c, &b->server[0]);
    bench_end(b);
}

static void long_lines(void **state)
{
    (void)state;
    char line[5000];
    struct bench *b = make("", NULL);
    struct bench_side *c = bench_client(b);
    memset(line, 'g', sizeof line);
    for (int i = 0; i < 100; i++)
        bench_bytes(c, line, sizeof line);
    assert_int_equal(c->given, 100 * sizeof line);
    bench_put(c, "\r\nguest\r\n");
    assert_true(bench_has(c, "Login incorrect."));
    bench_put(c, "guest\r\nguest\r\nshell");
    for (int i = 0; i < 200; i++)
        bench_put(c, " ");
    bench_put(c, "\r\n");
    assert_true(bench_has(c, "Unknown host."));
    bench_rst(c);
    assert_int_equal(b->nservers, 0);
    bench_end(b);
}

static void rubbed_out(void **state)
{
    (void)state;
    struct bench *b = make("", NULL);
    struct bench_side *c = bench_client(b);
    bench_put(c, "\b\bgusx\b\x7f"
                 "est\r\nguest\r\nshell\r\n");
    is_server(b, 0, 0x0a000202, 23);
    close_both(b, c, &b->server[0]);
    bench_end(b);
}

/* Options in the middle of words: refused once each; DONT and WONT are not answered. */
static void options_refused(void **state)
{
    (void)state;
    struct bench *b = make("", NULL);
    struct bench_side *c = bench_client(b);
    bench_got(c, GREETING);
    bench_put(c, "gu\xff\xfd\x03"
                 "es\xff\xfb\x18"
                 "t\xff\xfe\x03\xff\xfc\x18");
    bench_got(c, "\xff\xfc\x03\xff\xfe\x18");
    bench_bytes(c, "\xff\xfa\x18\x00xterm\xff\xff\xff\xf0\r\0",
                15); /* SB TERMINAL-TYPE IS .. SE, CR NUL */
    bench_got(c, PASSWORD);
    bench_put(c, "\xff\xfd\x01"
                 "guest\r\n"); /* DO ECHO: that is agreed */
    bench_got(c, QUIET "host: ");
    bench_put(c, "\xff\xfe\x01\xff\xf6shell\r\n"); /* AYT is not answered */
    bench_got(c, "Connected.\r\n");
    close_both(b, c, &b->server[0]);
    bench_end(b);
}

/* A client that asks for options for ever and reads no answer: it is not read either. */
static void options_are_bounded(void **state)
{
    (void)state;
    struct bench *b = make("", NULL);
    struct bench_side *c = bench_client(b);
    bench_room(c, 2000);
    for (int i = 0; i < 3000; i++)
        bench_bytes(c, "\xff\xfd\x05\xff\xfd\x06", 6);
    assert_true(c->n < 2500);
    assert_true(c->given < 6000);
    bench_rst(c);
    bench_end(b);
}

static void ends_of_clients(void **state)
{
    (void)state;
    static const char *const said[] = {"", "gue", "guest\r\n", "guest\r\nguest\r\n"};
    for (int i = 0; i < 4; i++)
        for (int reset = 0; reset < 2; reset++) {
            struct bench *b = make("", NULL);
            struct bench_side *c = bench_client(b);
            bench_put(c, said[i]);
            if (reset)
                bench_rst(c);
            else
                bench_fin(c);
            assert_true(c->closed);
            bench_end(b);
        }
}

static void server_resets(void **state)
{
    (void)state;
    struct bench *b = make("", joining);
    struct bench_side *c = bench_client(b);
    bench_put(c, "guest\r\nguest\r\nshell\r\n");
    bench_rst(&b->server[0]);
    assert_true(c->reset && c->closed);
    bench_end(b);
}

static void settings(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "proxy.users=guest",       "proxy.users=guest=00",   "proxy.users==00:00",
        "proxy.users=guest=zz:00", "proxy.hosts=shell",      "proxy.hosts=shell=10.0.2.2",
        "proxy.hosts==10.0.2.2:1", "proxy.hosts=shell=*:23", "proxy.listen=10.0.1.1:0",
        "proxy.only=10.0.2.2/33",  "proxy.only=10.0.2.2,x",  "proxy.users=" GUEST "0",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(bench_refused(&login_module, wrong[i]), E_INVAL);
}

/* RFC 7914 11: PBKDF2-HMAC-SHA-256, the first 32 octets of both vectors. */
static void hashes(void **state)
{
    (void)state;
    static const uint8_t one[32] = {0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f,
                                    0xec, 0x16, 0x91, 0xc2, 0x25, 0x44, 0xb6, 0x05,
                                    0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde, 0x04, 0x65,
                                    0xe6, 0x8b, 0x9d, 0x57, 0xc2, 0x0d, 0xac, 0xbc};
    static const uint8_t many[32] = {0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21,
                                     0x83, 0x0c, 0xee, 0x5e, 0xf2, 0x27, 0x01, 0xf9,
                                     0x64, 0x1a, 0x44, 0x18, 0xd0, 0x4c, 0x04, 0x14,
                                     0xae, 0xff, 0x08, 0x87, 0x6b, 0x34, 0xab, 0x56};
    uint8_t out[LOGIN_HASH];
    login_hash("passwd", (const uint8_t *)"salt", 4, 1, out);
    assert_memory_equal(out, one, 32);
    login_hash("Password", (const uint8_t *)"NaCl", 4, 80000, out);
    assert_memory_equal(out, many, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 7914 11: vectors of PBKDF2-HMAC-SHA-256", hashes),
        PLAIN_TEST("login: user, password, host, then forwarding, in two paths and in one",
                   good_login),
        PLAIN_TEST("login: the host that was named is the one that is reached", content_is_route),
        PLAIN_TEST("login: control until connected, then both directions forward; `only`, `splice`",
                   modes_for_rules),
        PLAIN_TEST("R-FLOW-63 proxies splice only after so many bytes", after_bytes),
        PLAIN_TEST("login: typed ahead and cut anywhere, the rest is the host's", typed_ahead),
        PLAIN_TEST("login: three wrong passwords close; nothing was connected", three_tries),
        PLAIN_TEST("login: who does not close after that is reset", tries_then_lingers),
        PLAIN_TEST("login: hosts that are not in the list are refused", unknown_host),
        PLAIN_TEST("login: with open=on an address and a port will do", open_hosts),
        PLAIN_TEST("login: a host that refuses", no_answer_of_the_host),
        PLAIN_TEST("login: the time is limited", too_slow),
        PLAIN_TEST("login: but not after it", time_stops_after_login),
        PLAIN_TEST("login: lines are bounded", long_lines),
        PLAIN_TEST("login: characters are rubbed out", rubbed_out),
        PLAIN_TEST("RFC 854, 855: options are refused, subnegotiations skipped", options_refused),
        PLAIN_TEST("login: answers to options are bounded", options_are_bounded),
        PLAIN_TEST("login: clients that leave at any step", ends_of_clients),
        PLAIN_TEST("login: RST of the host reaches the client", server_resets),
        PLAIN_TEST("login: settings that mean nothing are refused", settings),
    };
    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
