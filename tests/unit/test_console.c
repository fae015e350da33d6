/* SPDX-License-Identifier: BSD-2-Clause */
/* The console under somebody who types too much: what is kept is bounded, and frames go on. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/net.h"

enum { LINE = 65536, COMMANDS = 1000 };

static uint32_t count(const char *text, const char *what)
{
    uint32_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void type(struct kernel *k, const char *text)
{
    for (; *text; text++)
        kernel_console(k, *text);
}

static void long_line(void **state)
{
    struct net *w = net_make("router", 2, "");
    struct kernel *k = w->f->k;
    uint32_t used = k->pool.used;
    (void)state;
    uint32_t before = count(fixture_log, "unknown command");
    for (int i = 0; i < LINE; i++) {
        kernel_console(k, 'a');
        assert_true(k->ninput < sizeof k->input);
    }
    kernel_console(k, '\n');
    assert_int_equal(k->ninput, 0);
    assert_int_equal(count(fixture_log, "unknown command"), before + 1);
    type(k, "show rules\n"); /* and the next line is a line */
    assert_int_equal(count(fixture_log, "unknown command"), before + 1);
    assert_int_equal(k->pool.used, used);
    net_end(w);
}

/* All at once, between two frames; each is answered, and the frames pass. A client that goes in the
 * middle of a line leaves it unfinished: nothing of it is done. */
static void pipelined(void **state)
{
    struct net *w = net_make("router", 2, "");
    struct kernel *k = w->f->k;
    uint32_t used = k->pool.used, prompts = count(fixture_log, "towpath> ");
    uint8_t body[8] = {0}, top[64];
    size_t n = net_udp(top, CLIENT, SERVER, 4000, 9, body, sizeof body);
    (void)state;
    for (int i = 0; i < COMMANDS; i++) {
        type(k, "set ip.ttl=64\n");
        if (i % 100 == 0) {
            net_clear(w);
            net_send(w, 0, &(struct dgram){.data = top, .n = n});
            net_only(w);
        }
    }
    assert_int_equal(count(fixture_log, "towpath> ") - prompts, COMMANDS);
    assert_true(k->pool.used <= used + 4096); /* what was learnt to forward */
    type(k, "quit");
    net_run(w, SECOND);
    assert_false(k->stopping);
    net_end(w);
}

/* A setting that is wrong changes nothing: R-BAD-73 for a kernel that runs. */
static void wrong_setting(void **state)
{
    static const char *const wrong[] = {"set ip.ttl=0",
                                        "set ip.ttl=256",
                                        "set ip.ttl=6q",
                                        "set ip.ttl=",
                                        "set ip.ttl",
                                        "set ip.fragtime=5",
                                        "set ip.fragtime=99999999999999999999s",
                                        "set nobody=1"};
    struct net *w = net_make("router", 2, "ip.ttl=77");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_true(strlen(fixture_command(w->f, wrong[i])) > 10); /* it says why not */
        const char *all = fixture_command(w->f, "show settings");
        assert_non_null(strstr(all, "ttl=77"));
        assert_non_null(strstr(all, "fragtime=15s"));
    }
    net_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-74: a line of 64 KB at the console", long_line),
        PLAIN_TEST("R-BAD-74: 1,000 commands at once; one that is never finished", pipelined),
        PLAIN_TEST("R-BAD-73: a wrong setting leaves the old one", wrong_setting),
    };
    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
