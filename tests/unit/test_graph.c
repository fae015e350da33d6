/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/graph.c, command.c, show.c: a boot with wrong words stops with one clear line and gives
 * everything back; every subject of the console answers; every graph comes up and goes down.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/fixture.h"

static int cards_of(const struct graph *g)
{
    int n = 0;
    for (int i = 0; i < g->nnodes; i++)
        n += strcmp(g->nodes[i].module->name, "eth") == 0;
    return n;
}

static unsigned errors_in_log(void)
{
    unsigned n = 0;
    for (const char *at = fixture_log; (at = strstr(at, "error: ")); at++)
        n++;
    return n;
}

static void refused(const char *words, const char *says)
{
    const struct graph *g = fixture_graph("router");
    if (fixture_refused(g, 2, words) == OK)
        fail_msg("booted with '%s'", words);
    if (!strstr(fixture_log, says) || errors_in_log() != 1)
        fail_msg("'%s' says:\n%snot one line with: %s", words, fixture_log, says);
}

static void wrong_words(void **state)
{
    (void)state;
    refused("nonsense", "setting 'nonsense': expected name=value");
    refused("nope=1", "setting nope: neither the kernel nor a node of graph router has it");
    refused("ip.nope=1", "setting ip.nope: no such setting");
    refused("nonode.ttl=1", "setting nonode.ttl: graph router has no node nonode");
    refused("ttl=0", "expected 1 to 255");
    refused("ip.ttl=256", "expected 1 to 255");
    refused("ip.ttl=x", "is not a number");
    refused("fragtime=5", "a time with its unit");
    refused("sched=best", "expected one of fifo share edf");
    refused("ip.forward=maybe", "on or off");
    refused("ttl=7 ttl=", "ttl");
    refused("=1", "setting");
    refused(".=1", "setting");
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    refused(longest, "longer than");
}

static void wrong_values_of_modules(void **state)
{
    (void)state;
    refused("ip.addr=rubbish", "ip");
    refused("ip.addr=eth0=10.0.1.1/33", "ip");
    refused("ip.addr=eth9=10.0.1.1/24", "eth9");
    refused("ip.route=default=nowhere", "ip");
    refused("ip.mtu=eth0=1", "ip");
}

static void missing_cards(void **state)
{
    (void)state;
    const struct graph *g = fixture_graph("router");
    assert_int_not_equal(fixture_refused(g, 0, NULL), OK);
    assert_int_equal(errors_in_log() > 0, true);
    assert_int_not_equal(fixture_refused(g, 1, NULL), OK);
    assert_non_null(strstr(fixture_log, "eth1"));
    struct fixture *f = fixture_make(g, 3, NULL); /* one too many is no harm */
    assert_non_null(strstr(fixture_log, "net2: not used by graph router"));
    fixture_end(f);
}

static void words_override(void **state)
{
    (void)state;
    struct fixture *f =
        fixture_make(fixture_graph("router"), 2, "  ttl=33\tip.errors=7  paths=777 sched=edf ");
    assert_int_equal(conf_number(&node_find(f->k, "ip")->conf, "ttl"), 33);
    assert_int_equal(conf_number(&node_find(f->k, "ip")->conf, "errors"), 7);
    assert_int_equal(f->k->paths_limit, 777);
    assert_int_equal(f->k->sched.policy, SCHED_EDF);
    assert_non_null(strstr(fixture_command(f, "show settings"), "ip.ttl=33\n"));
    fixture_end(f);
}

static void set_while_running(void **state)
{
    (void)state;
    struct fixture *f = fixture_make(fixture_graph("router"), 2, NULL);
    assert_string_equal(fixture_command(f, "set ip.ttl=9"), "ip.ttl=9\n");
    assert_string_equal(fixture_command(f, "set ttl=10"), "ip.ttl=10\n");
    assert_int_equal(conf_number(&node_find(f->k, "ip")->conf, "ttl"), 10);
    assert_non_null(strstr(fixture_command(f, "set ip.ttl=0"), "expected 1 to 255"));
    assert_non_null(strstr(fixture_command(f, "set cache=100"), "read at boot only"));
    assert_non_null(strstr(fixture_command(f, "set nope=1"), "no such setting"));
    assert_non_null(strstr(fixture_command(f, "set no.pe=1"), "no such setting"));
    assert_non_null(strstr(fixture_command(f, "set"), "NAME=VALUE"));
    assert_non_null(strstr(fixture_command(f, "set ="), "no such setting"));
    assert_int_equal(conf_number(&node_find(f->k, "ip")->conf, "ttl"), 10);
    fixture_end(f);
}

static void secrets(void **state)
{
    (void)state;
    /* A hash is missing: the message names the user and no more. */
    assert_int_not_equal(fixture_refused(fixture_graph("login"), 2, "users=eve=00ff:"), OK);
    assert_non_null(strstr(fixture_log, "login.users: eve"));
    assert_null(strstr(fixture_log, "00ff"));
    struct fixture *f = fixture_make(fixture_graph("login"), 2, NULL);
    const char *users = conf_text(&node_find(f->k, "login")->conf, "users");
    assert_non_null(strstr(users, "guest=746f77"));
    assert_non_null(strstr(fixture_command(f, "show settings"), "login.users=(secret)\n"));
    assert_null(strstr(f->text, "746f77"));
    fixture_end(f);
}

static void subjects(void **state)
{
    (void)state;
    struct fixture *f = fixture_make(fixture_graph("firewall-1path"), 2, NULL);
    static const struct {
        const char *line, *says;
    } all[] = {
        {"help", "every path"},
        {"show paths", "eth0 ip tcp"},
        {"show path", "eth0 ip tcp"},
        {"show path 0", "stage 0"},
        {"show path 99999", "no path"},
        {"show path x", "no path"},
        {"show nodes", "node plug plug -> tcp"},
        {"show settings", "plug.listen="},
        {"show stats", "net0.rx 0"},
        {"show mem", "flows 0"},
        {"show timers", "timers "},
        {"show log", "ready"},
        {"show rules", "rule join"},
        {"show", "show what?"},
        {"show nothing", "show what?"},
        {"  show   mem  ", "flows 0"},
        {"rubbish", "unknown command"},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!strstr(fixture_command(f, all[i].line), all[i].says))
            fail_msg("'%s' does not say '%s': %s", all[i].line, all[i].says, f->text);
    assert_string_equal(fixture_command(f, ""), "");
    fixture_end(f);
}

static void typing(void **state)
{
    (void)state;
    struct fixture *f = fixture_make(NULL, 0, NULL);
    struct rng r;
    rng_seed(&r, 11);
    for (int i = 0; i < 200000; i++) /* any bytes at all */
        kernel_console(f->k, (int)rng_below(&r, 256));
    kernel_console(f->k, '\n');
    for (const char *c = "qx\bui\x7ft\r"; *c; c++)
        kernel_console(f->k, *c);
    assert_false(f->k->stopping); /* that was `quit` with one letter too few */
    for (const char *c = "qx\buit\r"; *c; c++)
        kernel_console(f->k, *c);
    assert_true(f->k->stopping);
    fixture_end(f);
}

static void every_graph(void **state)
{
    (void)state;
    for (const struct graph *const *g = graph_list; *g; g++) {
        struct fixture *f = fixture_make(*g, cards_of(*g), NULL);
        fixture_run(f, 100 * SECOND);
        assert_int_equal(errors_in_log(), 0);
        fixture_settle(f);
        fixture_end(f);
        for (int i = 0; i < 3; i++) { /* with hardly any memory it says so, or works */
            static const char *const small[] = {"buffers=1", "paths=64", "flows=64"};
            if (fixture_refused(*g, cards_of(*g), small[i]) != OK)
                assert_true(errors_in_log() > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("boot: a wrong word stops it with one clear line", wrong_words),
        PLAIN_TEST("boot: so does a value that a module cannot use", wrong_values_of_modules),
        PLAIN_TEST("boot: no card, one card, a third card", missing_cards),
        PLAIN_TEST("boot: words override the graph file", words_override),
        PLAIN_TEST("console: set changes what may change", set_while_running),
        PLAIN_TEST("console: every subject answers", subjects),
        PLAIN_TEST("R-HARD-15 secrets are neither shown nor logged", secrets),
        PLAIN_TEST("console: any bytes may be typed", typing),
        PLAIN_TEST("every graph comes up, idles and goes down", every_graph),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
