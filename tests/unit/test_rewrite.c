/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/rule.c, hold.c: rules that put another object in a path's place, rules for inline paths,
 * and messages that wait for them.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/keeper.h"

static bool merge_wanted, unmerge_wanted;

static bool merge_guard(struct path *p, int at)
{
    (void)at;
    assert_null(p->pool.k->running);
    assert_ptr_equal(path_by_id(p->pool.k, p->id), p);
    return p->work && merge_wanted;
}

static status_t merge_action(struct path *p, const struct turn *t)
{
    (void)t;
    probe_say("merge");
    return keep(p, NULL, true, &p);
}

static bool unmerge_guard(struct path *p, int at)
{
    (void)at;
    assert_null(p->pool.k->running);
    assert_ptr_equal(path_by_id(p->pool.k, p->id), p);
    return !p->work && unmerge_wanted;
}

static status_t unmerge_action(struct path *p, const struct turn *t)
{
    (void)t;
    probe_say("unmerge");
    unmerge_wanted = false;
    trigger = false;
    return keep(p, NULL, false, &p);
}

static const struct rule merge_rule = {.name = "merge",
                                       .inverse = "unmerge",
                                       .when = NOTE_OPENED,
                                       .guard = merge_guard,
                                       .action = merge_action};
static const struct rule unmerge_rule = {.name = "unmerge",
                                         .inverse = "merge",
                                         .when = NOTE_TRIGGER | NOTE_MODE,
                                         .guard = unmerge_guard,
                                         .action = unmerge_action};
static const struct rule *const rules[] = {&merge_rule, &unmerge_rule, NULL};

static void rules_replace_the_object(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, rules);
    struct path *p = probe_path(s.k, false);
    uint32_t id = p->id;
    fixture_run(s.f, 0);
    merge_wanted = true;
    unmerge_wanted = false;
    path_wake(p, AB, message(s.k, 10));
    path_wake(p, BA, message(s.k, 5));
    path_note(p, NOTE_OPENED);
    fixture_run(s.f, 0);
    p = path_by_id(s.k, id);
    assert_null(p->work);
    merge_wanted = false;
    unmerge_wanted = true;
    path_input(p, AB, message(s.k, 1000)); /* nobody counts this one */
    path_note(p, NOTE_MODE);
    path_note(p, NOTE_MODE); /* is listed already */
    assert_int_equal(s.k->noted.n, 1);
    fixture_run(s.f, 0);
    p = path_by_id(s.k, id);
    assert_non_null(p->work);
    assert_int_equal(s.k->nhistory, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(s.k->history[i].path, id);
        assert_int_equal(s.k->history[i].msgs[AB], 1);
        assert_int_equal(s.k->history[i].bytes[AB], 10);
        assert_int_equal(s.k->history[i].bytes[BA], 5);
    }
    assert_int_equal(p->work->bytes[BA], 5); /* and it goes on counting from there */
    path_destroy(p);
    scene_end(&s);
}

/* The next rule of the same row sees the object that the last one has made. */
static void rules_in_a_row(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, rules);
    struct path *p = probe_path(s.k, false);
    uint32_t id = p->id;
    fixture_run(s.f, 0);
    merge_wanted = unmerge_wanted = true;
    probe_journal[0] = 0;
    path_note(p, NOTE_OPENED);
    path_note(p, NOTE_MODE);
    fixture_run(s.f, 0);
    assert_string_equal(probe_journal, "merge moved0 moved-keeper1 moved2 "
                                       "unmerge moved0 moved-keeper1 moved2 "
                                       "merge moved0 moved-keeper1 moved2");
    assert_int_equal(s.k->nhistory, 3);
    assert_null(path_by_id(s.k, id)->work);
    path_destroy(path_by_id(s.k, id));
    scene_end(&s);
}

static void history_of_inline(void **state)
{
    struct scene s;
    char line[32];
    (void)state;
    scene_make(&s, rules);
    struct path *p = probe_path(s.k, false);
    uint32_t id = p->id;
    merge_wanted = true;
    path_note(p, NOTE_OPENED);
    fixture_run(s.f, 0);
    p = path_by_id(s.k, id);
    assert_null(p->work);
    snprintf(line, sizeof line, "show path %u", path_number(p));
    const char *text = fixture_command(s.f, line);
    assert_non_null(strstr(text, "inline"));
    assert_non_null(strstr(text, "rule merge at 0.000000s after 0 messages 0 bytes"));
    assert_non_null(strstr(text, "stage 1 keeper"));
    assert_non_null(strstr(fixture_command(s.f, "show rules"), "rule unmerge inverse merge\n"));
    path_destroy(p);
    scene_end(&s);
}

static uint32_t tries;

static bool counting_guard(struct path *p, int at)
{
    (void)at;
    tries += !p->work;
    return false;
}

static status_t never(struct path *p, const struct turn *t)
{
    (void)p, (void)t;
    fail();
    return OK;
}

static const struct rule counting_rule = {.name = "counting",
                                          .inverse = "none: a test",
                                          .when = NOTE_MODE,
                                          .guard = counting_guard,
                                          .action = never};
static const struct rule *const counting_rules[] = {&counting_rule, NULL};

/* More than the list has room for. */
static void all_are_noted(void **state)
{
    enum { MANY = 4 * NOTED_MAX + 1 };
    struct scene s;
    static uint32_t id[MANY];
    (void)state;
    scene_make(&s, counting_rules);
    for (int i = 0; i < MANY; i++)
        id[i] = kept_path(&s, true)->id;
    for (int round = 0; round < 2; round++) {
        tries = 0;
        assert_non_null(strstr(fixture_command(s.f, "unsplice all"), "unsplice: 1025 paths\n"));
        assert_int_equal(tries, 0); /* not while a command runs */
        fixture_run(s.f, 0);
        assert_int_equal(tries, MANY);
        assert_int_equal(s.k->noted.n, 0);
        assert_int_equal(s.k->noted.scan, 0);
    }
    for (int i = 0; i < MANY; i++) {
        struct path *p = path_by_id(s.k, id[i]);
        assert_int_equal(p->notes, 0);
        if (i % 2)
            path_note(p, NOTE_MODE); /* and nothing happens to those that end meanwhile */
        path_destroy(p);
    }
    fixture_run(s.f, 0);
    assert_int_equal(tries, MANY);
    scene_end(&s);
}

static void commands(void **state)
{
    struct scene s;
    char line[32];
    (void)state;
    scene_make(&s, NULL);
    struct path *p = kept_path(&s, true), *q = probe_path(s.k, false);
    fixture_run(s.f, 0);
    snprintf(line, sizeof line, "unsplice %u", path_number(p));
    fixture_command(s.f, line);
    assert_true(p->flags & PATH_PLAIN);
    assert_int_equal(p->notes, NOTE_MODE);
    assert_false(q->flags & PATH_PLAIN);
    fixture_command(s.f, "unsplice all");
    assert_true(q->flags & PATH_PLAIN);
    assert_int_equal(q->notes, NOTE_MODE);
    fixture_run(s.f, 0);
    fixture_command(s.f, line + 2); /* splice */
    assert_false(p->flags & PATH_PLAIN);
    assert_int_equal(p->notes, NOTE_MODE);
    assert_true(q->flags & PATH_PLAIN);
    fixture_command(s.f, "splice all");
    assert_false(q->flags & PATH_PLAIN);
    static const char *const bad[] = {"splice 99", "splice 1x", "splice -1", "unsplice x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_non_null(strstr(fixture_command(s.f, bad[i]), "no path '"));
    assert_non_null(strstr(fixture_command(s.f, "unsplice"), "unsplice all; `show paths`"));
    assert_non_null(strstr(fixture_command(s.f, "help"), "unsplice N|all"));
    fixture_run(s.f, 0);
    path_destroy(p);
    path_destroy(q);
    scene_end(&s);
}

/* --- messages that wait for a rule --- */

static void held_for_the_rule(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, rules);
    struct path *p = kept_path(&s, true);
    uint32_t id = p->id;
    trigger = unmerge_wanted = true;
    merge_wanted = false;
    probe_journal[0] = 0;
    for (size_t n = 1; n <= 3; n++)
        path_input(p, AB, message(s.k, n));
    assert_string_equal(probe_journal, ">0 hold1 >0 hold2 >0 hold3");
    assert_int_equal(s.k->held.count, 3);
    probe_journal[0] = 0;
    probe_plan.found_id = &id; /* the rule puts another object in its place */
    fixture_run(s.f, 0);
    p = path_by_id(s.k, id);
    assert_non_null(p->work);
    assert_string_equal(probe_journal, "unmerge moved0 moved-keeper1 moved2 "
                                       ">0 >K >2 >0 >K >2 >0 >K >2");
    for (uint32_t n = 1; n <= 3; n++) {
        struct msg *m = msgq_pop(&probe_kept[AB]);
        assert_int_equal(m->total, n);
        msg_free(m);
    }
    assert_int_equal(s.k->held.count, 0);
    path_destroy(p);
    scene_end(&s);
}

static bool hold_guard(struct path *p, int at)
{
    (void)at;
    return p->work && trigger;
}

static status_t hold_action(struct path *p, const struct turn *t)
{
    (void)p, (void)t;
    trigger = false;
    return OK;
}

static const struct rule hold_rule = {.name = "hold",
                                      .inverse = "none: a test",
                                      .when = NOTE_TRIGGER,
                                      .guard = hold_guard,
                                      .action = hold_action};
static const struct rule *const hold_rules[] = {&hold_rule, NULL};

/* A path with queues: what was held goes in front of what waited behind it. */
static void held_goes_first(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, hold_rules);
    struct path *p = kept_path(&s, false);
    uint32_t id = p->id;
    fixture_run(s.f, 0);
    trigger = true;
    probe_plan.found_id = &id;
    for (size_t n = 1; n <= 5; n++)
        path_wake(p, AB, message(s.k, n));
    path_run(p, 2); /* two are held, the rule is tried, three wait */
    assert_false(trigger);
    fixture_run(s.f, 0);
    for (uint32_t n = 1; n <= 5; n++) {
        struct msg *m = msgq_pop(&probe_kept[AB]);
        assert_int_equal(m->total, n);
        msg_free(m);
    }
    path_destroy(p);
    scene_end(&s);
}

static void hold_is_bounded(void **state)
{
    struct scene s;
    struct path *p[10];
    (void)state;
    scene_make(&s, NULL);
    for (int i = 0; i < 10; i++)
        p[i] = kept_path(&s, true);
    trigger = true;
    for (int n = 0; n < 100; n++)
        path_input(p[0], AB, message(s.k, 10));
    assert_int_equal(s.k->held.count, 32);
    assert_int_equal(s.k->drops[DROP_PATH_QUEUE], 68);
    for (int n = 0; n < 100; n++) /* one direction does not take the other's room */
        path_input(p[0], BA, message(s.k, 10));
    assert_int_equal(s.k->held.count, 64);
    for (int i = 1; i < 10; i++)
        for (int n = 0; n < 32; n++)
            path_input(p[i], AB, message(s.k, 10));
    assert_int_equal(s.k->held.count, 256);
    assert_int_equal(s.k->drops[DROP_PATH_QUEUE], 68 + 68 + 96);
    trigger = false;
    for (int i = 0; i < 10; i++)
        path_destroy(p[i]);
    fixture_run(s.f, 0); /* nothing takes them now: each is counted */
    assert_int_equal(s.k->held.count, 0);
    assert_int_equal(s.k->drops[DROP_MODULE], 256);
    scene_end(&s);
}

/* No rule ends the trigger. The kernel must not turn round it for ever. */
static void hold_gives_up(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    for (int in_line = 0; in_line < 2; in_line++) {
        struct path *p = kept_path(&s, in_line);
        uint32_t id = p->id;
        probe_plan.found_id = &id;
        trigger = true;
        probe_journal[0] = 0;
        path_input(p, AB, message(s.k, 10));
        fixture_run(s.f, 0);
        assert_string_equal(probe_journal, ">0 hold10 >0 hold10 >0 hold10 >0 hold10");
        assert_int_equal(s.k->drops[DROP_PATH_QUEUE], in_line + 1);
        assert_int_equal(s.k->held.count, 0);
        trigger = false;
        path_destroy(p);
        fixture_run(s.f, 0);
    }
    scene_end(&s);
}

static void hold_of_the_dead(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    struct path *p = kept_path(&s, true), *q = kept_path(&s, true);
    trigger = true;
    uint32_t id = q->id;
    path_input(p, AB, message(s.k, 10));
    trigger = false;
    path_destroy(p);
    probe_plan.found_id = &id; /* another one has its tuple now */
    probe_journal[0] = 0;
    fixture_run(s.f, 0);
    assert_string_equal(probe_journal, ">0 >k >2 destroy2 destroy0");
    path_destroy(q);
    scene_end(&s);
}

static void shutdown_with_held(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    trigger = true;
    path_input(kept_path(&s, true), AB, message(s.k, 10));
    assert_int_equal(s.k->held.count, 1);
    s.f->start.paths = 1; /* the rest is for kernel_end, which asserts that nothing is left */
    s.f->start.small = 1;
    fixture_end(s.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("rule: it may replace the object, and what was carried stays known",
                   rules_replace_the_object),
        PLAIN_TEST("rule: the next one in a row sees the new object", rules_in_a_row),
        PLAIN_TEST("rule: `show path N` tells an inline path's history", history_of_inline),
        PLAIN_TEST("rule: inline paths that were noted are tried once, however many",
                   all_are_noted),
        PLAIN_TEST("R-SPL-18: `splice` and `unsplice` mark paths and wake rules", commands),
        PLAIN_TEST("R-SPL-18: what fires a trigger waits for the rule, in order",
                   held_for_the_rule),
        PLAIN_TEST("R-SPL-18: what fires a trigger comes before what is queued", held_goes_first),
        PLAIN_TEST("hold: bounded, dropped path.queue", hold_is_bounded),
        PLAIN_TEST("hold: a message that no rule wants is dropped in the end", hold_gives_up),
        PLAIN_TEST("hold: what a dead path held is classified anew", hold_of_the_dead),
        PLAIN_TEST("hold: the end of the kernel", shutdown_with_held),
    };
    return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}
