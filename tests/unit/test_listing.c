/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that go through a table of 10,000 paths: a turn of the main loop does a little of them
 * and forwards in between, paths may go and come meanwhile, and what was typed behind waits its
 * turn.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/net.h"

enum {
    PATHS = 10000,
    TURN_LINES = 64,  /* that one turn may say; all of them take 40 s at 115200 baud */
    TURN_TABLE = 4096 /* entries that one turn may pass when it says nothing of them */
};

static struct {
    struct net *w;
    uint8_t frame[128];
    size_t n;
    bool churn;
    uint32_t made[PATHS]; /* ids */
    uint32_t turns, lines, most, total, walked, at;
    int passed; /* frames, while the command ran */
    char said[4096];
} look; /* the end of what was said */

static void said(const char *text, size_t n)
{
    size_t have = strlen(look.said);
    for (size_t i = 0; i < n; i++)
        look.lines += text[i] == '\n';
    if (have + n >= sizeof look.said) {
        memmove(look.said, look.said + have / 2, have - have / 2 + 1);
        have = strlen(look.said);
    }
    snprintf(look.said + have, sizeof look.said - have, "%.*s", (int)n, text);
}

static uint32_t path_new(struct kernel *k)
{
    struct attrs a = {0};
    struct path *p;
    attrs_set_number(&a, ATTR_KIND, PATH_LOCAL);
    attrs_set_number(&a, ATTR_PROTO, P_ICMP);
    assert_int_equal(path_create(k, node_find(k, "eth0"), &a, false, &p), OK);
    return p->id;
}

static void path_gone(struct kernel *k, uint32_t i)
{
    struct path *p = path_by_id(k, look.made[i]);
    assert_non_null(p);
    path_destroy(p);
}

/* Where the listing is, and elsewhere. */
static void path_changes(struct kernel *k)
{
    uint32_t i = look.turns % 2 ? (k->listing.at + 1) % PATHS : look.turns * 37 % PATHS;
    path_gone(k, i);
    path_reap(k);
    look.made[i] = path_new(k);
}

static void turned(void *unused)
{
    struct fixture *f = look.w->f;
    struct kernel *k = f->k;
    (void)unused;
    look.turns++;
    look.total += look.lines;
    look.most = look.lines > look.most ? look.lines : look.most;
    look.lines = 0;
    if (!k->listing.step)
        return;
    if (k->listing.at < look.at) /* the next command */
        look.at = 0;
    if (k->listing.at - look.at > look.walked)
        look.walked = k->listing.at - look.at;
    look.at = k->listing.at;
    simworld_due(f->world, simworld_now(f->world)); /* the cables are as fast as the kernel */
    look.passed += f->nsent - f->taken;
    fixture_take(f, f->nsent);
    if (look.churn)
        path_changes(k);
    fixture_frame(f, 0, look.frame, look.n);
}

static void begin(void)
{
    uint8_t body[8] = {0}, top[64];
    memset(&look, 0, sizeof look);
    look.w = net_make("router", 2, "paths=11000");
    struct fixture *f = look.w->f;
    size_t n = net_udp(top, CLIENT, SERVER, 4000, 9, body, sizeof body);
    struct dgram d = {.data = top, .n = n};
    net_send(look.w, 0, &d); /* neighbours are known from now on */
    look.n = net_build(look.w, 0, &d, look.frame);
    for (int i = 0; i < PATHS; i++)
        look.made[i] = path_new(f->k);
    fixture_run(f, 0);
    f->ground.console = f->ground.eof = true; /* nothing but what is in `typed` */
    ground_console(said);
    simworld_watch(f->world, f->k, turned, NULL);
}

static void type(const char *text)
{
    struct fixture *f = look.w->f;
    look.turns = look.most = look.total = look.walked = look.at = 0;
    look.passed = 0;
    look.said[0] = 0;
    f->ground.ntyped = (uint32_t)snprintf(f->ground.typed, sizeof f->ground.typed, "%s", text);
    f->ground.at = 0;
    fixture_run(f, 0);
    fixture_take(f, f->nsent);
    assert_int_equal(f->ground.at, f->ground.ntyped);
    assert_null(f->k->listing.step);
    assert_true(look.most <= TURN_LINES);
    assert_true(look.walked <= TURN_TABLE);
}

static void end(void)
{
    struct net *w = look.w;
    simworld_watch(w->f->world, w->f->k, NULL, NULL);
    for (uint32_t i = 0; i < PATHS; i++)
        path_gone(w->f->k, i);
    path_reap(w->f->k);
    net_end(w);
}

static const char *behind(const char *text)
{
    const char *at = strstr(look.said, text);
    if (!at)
        fail_msg("'%s' was not said: %s", text, look.said);
    return at;
}

static void paths(void **state)
{
    (void)state;
    begin();
    type("show paths\nset ip.ttl=65\n");
    assert_true(look.total >= 2 * PATHS);
    assert_true(look.turns >= 2 * PATHS / TURN_LINES);
    assert_true(look.passed >= (int)look.turns - 8); /* a frame each turn */
    assert_true(behind("ip.ttl=65\n") > behind(" limit 11000\n\ntowpath> "));
    end();
}

static void churn(void **state)
{
    (void)state;
    begin();
    look.churn = true;
    type("show paths\nshow mem\nsplice all\nunsplice all\n");
    assert_true(look.turns >= 2 * PATHS / TURN_LINES);
    behind("unsplice: 100"); /* and those of the router's own */
    end();
}

static void walks(void **state)
{
    static const char *const all[] = {"show mem\n", "splice all\n", "unsplice all\n"};
    (void)state;
    begin();
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        type(all[i]);
        assert_true(look.turns >= PATHS / TURN_TABLE + 1 && look.passed >= 1);
    }
    end();
}

/* The other tables: each entry is a step. */
static void others(void **state)
{
    static const char *const all[] = {"show nodes\n", "show settings\n", "show log\n"};
    (void)state;
    begin();
    for (int i = 0; i < LOG_LINES; i++)
        log_note(look.w->f->k, "line %d", i);
    look.lines = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        type(all[i]);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST(
            "R-ATK-17 `show paths` of 10,000: 64 lines a turn, and a frame forwarded in each",
            paths),
        PLAIN_TEST("R-ATK-17 paths that go and come while commands go through them", churn),
        PLAIN_TEST("R-ATK-17 commands that walk over 10,000 paths pass 4,096 of them a turn",
                   walks),
        PLAIN_TEST("R-ATK-17 `show nodes`, `show settings`, `show log`: so many lines a turn",
                   others),
    };
    return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
