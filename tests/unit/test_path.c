/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/path.c, run.c, rule.c: the life of a path. A path that cannot be made leaves nothing; one
 * that is joined keeps its bytes; one that is destroyed while it runs delivers nothing more.
 */
#include <string.h>

#include "tests/unit/fixture.h"
#include "tests/unit/probe.h"

static struct msg *message(struct pool *payer, size_t n)
{
    struct msg *m = msg_alloc(payer, MSG_HEADROOM, n);
    assert_non_null(m);
    memset(msg_put(m, n), 'x', n);
    return m;
}

static struct fixture *start(int nodes, const struct rule *const *rules)
{
    probe_reset();
    return fixture_make(probe_graph(nodes, rules), 0, NULL);
}

static void end(struct fixture *f)
{
    msgq_free(&probe_kept[AB]);
    msgq_free(&probe_kept[BA]);
    fixture_end(f);
}

static void four_phases(void **state)
{
    (void)state;
    struct fixture *f = start(3, NULL);
    struct path *p = probe_path(f->k, false);
    assert_string_equal(probe_journal, "create0! create1 create2 establish0 establish1 establish2");
    assert_string_equal(p->shape->name, "n0 n1 n2");
    assert_ptr_equal(path_by_id(f->k, p->id), p);
    struct path *q = probe_path(f->k, false);
    assert_ptr_equal(p->shape, q->shape); /* shared by all of the kind */
    assert_int_not_equal(p->id, q->id);
    probe_journal[0] = 0;
    uint32_t id = p->id;
    path_destroy(p);
    path_destroy(p); /* twice is once */
    path_reap(f->k);
    assert_string_equal(probe_journal, "destroy2 destroy1 destroy0");
    assert_null(path_by_id(f->k, id));
    struct path *again = probe_path(f->k, false); /* the number is used again, the id is not */
    assert_int_equal(path_number(again), id & PATH_INDEX);
    assert_int_not_equal(again->id, id);
    path_destroy(q);
    path_destroy(again);
    end(f);
}

static void failure_leaves_nothing(void **state)
{
    (void)state;
    struct fixture *f = start(4, NULL);
    struct path *first = probe_path(f->k, false), *p = NULL; /* the tables have their size now */
    struct attrs a = {0};
    uint32_t used = f->k->pool.used;
    for (int at = 0; at < 4; at++) {
        for (int phase = 0; phase < 2; phase++) {
            probe_reset();
            probe_plan.memory = 1000;
            *(phase ? &probe_plan.fail_establish : &probe_plan.fail_create) = at;
            assert_int_equal(path_create(f->k, &f->k->nodes[0], &a, false, &p),
                             phase ? E_AGAIN : E_INVAL);
            assert_null(p);
            assert_int_equal(f->k->pool.used, used);
            assert_int_equal(f->k->paths_live, 1);
            if (phase) /* every stage that was made is ended, last first */
                assert_non_null(strstr(probe_journal, "destroy3 destroy2 destroy1 destroy0"));
        }
    }
    probe_reset();
    probe_plan.memory = 300000; /* four of them are over the path's limit of 1 MiB */
    assert_int_equal(path_create(f->k, &f->k->nodes[0], &a, false, &p), E_NOMEM);
    assert_int_equal(f->k->pool.used, used);
    path_destroy(first);
    end(f);
}

static void too_many_stages(void **state)
{
    (void)state;
    struct fixture *f = start(5, NULL);
    struct attrs a = {0};
    struct path *p = NULL;
    assert_int_equal(path_create(f->k, &f->k->nodes[0], &a, true, &p), E_INVAL); /* slim: four */
    assert_null(p);
    end(f);
}

static void limit_of_paths(void **state)
{
    (void)state;
    struct fixture *f = start(2, NULL);
    struct path *all[200], *p = NULL;
    struct attrs a = {0};
    f->k->paths_limit = 200;
    for (int i = 0; i < 200; i++)
        all[i] = probe_path(f->k, i % 2);
    assert_int_equal(path_create(f->k, &f->k->nodes[0], &a, false, &p), E_NOMEM);
    assert_null(p);
    path_destroy(all[77]);
    path_reap(f->k);
    all[77] = probe_path(f->k, false);
    for (int i = 0; i < 200; i++) {
        assert_ptr_equal(path_by_id(f->k, all[i]->id), all[i]);
        path_destroy(all[i]);
    }
    end(f);
}

static void runs_in_order(void **state)
{
    (void)state;
    struct fixture *f = start(3, NULL);
    struct path *p = probe_path(f->k, false);
    probe_journal[0] = 0;
    path_wake(p, AB, message(&f->k->pool, 10));
    path_wake(p, AB, message(&f->k->pool, 20));
    path_wake(p, BA, message(&f->k->pool, 30));
    assert_string_equal(probe_journal, ""); /* nothing runs before its turn */
    fixture_run(f, 0);
    assert_string_equal(probe_journal, ">0 >1 >2 <2 <1 <0 >0 >1 >2"); /* the ends alternate */
    assert_int_equal(p->work->msgs[AB], 2);
    assert_int_equal(p->work->bytes[AB], 30);
    assert_int_equal(p->work->bytes[BA], 30);
    assert_int_equal(probe_kept[AB].head->total, 10);
    path_destroy(p);
    end(f);
}

static void inline_runs_at_once(void **state)
{
    (void)state;
    struct fixture *f = start(3, NULL);
    struct path *p = probe_path(f->k, true);
    assert_null(p->work);
    probe_journal[0] = 0;
    path_input(p, BA, message(&f->k->pool, 10));
    assert_string_equal(probe_journal, "<2 <1 <0");
    path_destroy(p);
    end(f);
}

static void queue_limit(void **state)
{
    (void)state;
    struct fixture *f = start(1, NULL);
    struct path *p = probe_path(f->k, false);
    for (int i = 0; i < PATHQ_MAX + 7; i++)
        path_wake(p, AB, message(&f->k->pool, 10));
    assert_int_equal(f->k->drops[DROP_PATH_QUEUE], 7);
    assert_int_equal(p->work->drops, 7);
    fixture_run(f, 0);
    assert_int_equal(probe_kept[AB].count, PATHQ_MAX);
    path_destroy(p);
    end(f);
}

static void destroyed_while_running(void **state)
{
    (void)state;
    struct fixture *f = start(3, NULL);
    struct path *p = probe_path(f->k, false);
    uint32_t id = p->id;
    probe_plan.destroy_at = 1;
    for (int i = 0; i < 5; i++)
        path_wake(p, AB, message(&f->k->pool, 10));
    probe_journal[0] = 0;
    fixture_run(f, 0);
    /* The message on its way arrives, the four behind it do not, and the stages end afterwards. */
    assert_string_equal(probe_journal, ">0 >1 >2 destroy2 destroy1 destroy0");
    assert_int_equal(f->k->drops[DROP_PATH_DEAD], 4);
    assert_null(path_by_id(f->k, id));
    end(f);
}

static void nothing_for_the_dying(void **state)
{
    (void)state;
    struct fixture *f = start(2, NULL);
    struct path *p = probe_path(f->k, false);
    path_destroy(p);
    probe_journal[0] = 0;
    path_wake(p, AB, message(&f->k->pool, 10));
    path_post(p, AB, EVENT_EOF);
    assert_int_equal(f->k->drops[DROP_PATH_DEAD], 1);
    fixture_run(f, 0);
    assert_string_equal(probe_journal, "destroy1 destroy0");
    end(f);
}

static void events_keep_their_place(void **state)
{
    (void)state;
    struct fixture *f = start(2, NULL);
    struct path *p = probe_path(f->k, false);
    probe_journal[0] = 0;
    path_post(p, AB, EVENT_EOF); /* after the bytes, whenever it was posted */
    path_wake(p, AB, message(&f->k->pool, 10));
    path_wake(p, AB, message(&f->k->pool, 10));
    fixture_run(f, 0);
    assert_string_equal(probe_journal, ">0 >1 >0 >1 ev2@0 ev2@1");
    probe_journal[0] = 0;
    path_wake(p, AB, message(&f->k->pool, 10));
    path_post(p, AB, EVENT_RESET); /* before them */
    fixture_run(f, 0);
    assert_string_equal(probe_journal, "ev3@0 ev3@1 >0 >1");
    assert_int_equal(EVENT_EOF, 2);
    assert_int_equal(EVENT_RESET, 3);
    path_destroy(p);
    end(f);
}

static void flows_go_first(void **state)
{
    (void)state;
    struct fixture *f = start(1, NULL);
    struct path *p = probe_path(f->k, false);
    struct flow_key key = {{1, 1}};
    assert_int_equal(flow_insert(f->k, key, p, AB, NULL), OK);
    path_destroy(p);
    assert_null(flow_find(&f->k->flows, key)); /* at once: nobody may find the dying */
    end(f);
}

static void classified_again(void **state)
{
    (void)state;
    struct fixture *f = start(3, NULL);
    struct path *p = probe_path(f->k, false);
    struct node *n = f->k->nodes;
    probe_plan.found = p;
    probe_journal[0] = 0;
    classify_again(&n[0], &n[1], message(&f->k->pool, 10)); /* enters at the stage of that node */
    assert_string_equal(probe_journal, ">1 >2");
    f->k->running = p; /* never back into the path that runs */
    classify_again(&n[0], &n[1], message(&f->k->pool, 10));
    f->k->running = NULL;
    path_destroy(p);
    classify_again(&n[0], &n[1], message(&f->k->pool, 10));
    assert_int_equal(f->k->drops[DROP_PATH_DEAD], 2);
    assert_string_equal(probe_journal, ">1 >2");
    probe_plan.found = NULL;
    classify_again(&n[0], &n[1], message(&f->k->pool, 10));
    assert_int_equal(f->k->drops[DROP_MODULE], 1);
    end(f);
}

static void join_of_large_limits(void **state)
{
    (void)state;
    struct fixture *f = start(3, NULL);
    f->k->path_pool_limit = UINT32_MAX - 5;
    struct path *a = probe_path(f->k, false), *b = probe_path(f->k, false);
    fixture_run(f, 0);
    assert_int_equal(path_join(a, 2, b, 1), OK);
    assert_int_equal(a->pool.limit, UINT32_MAX);
    path_destroy(a);
    end(f);
}

static void join_keeps_bytes_and_flows(void **state)
{
    (void)state;
    struct fixture *f = start(3, NULL);
    struct kernel *k = f->k;
    probe_plan.memory = 500;
    struct path *a = probe_path(k, false), *b = probe_path(k, false);
    struct flow_key ka = {{1, 1}}, kb = {{2, 2}};
    assert_int_equal(flow_insert(k, ka, a, AB, NULL), OK);
    assert_int_equal(flow_insert(k, kb, b, BA, NULL), OK);
    fixture_run(f, 0);
    uint32_t used = a->pool.used + b->pool.used;
    path_wake(b, BA, message(&k->pool, 10));
    path_wake(a, AB, message(&k->pool, 20));
    probe_journal[0] = 0;
    assert_int_equal(path_join(a, 2, b, 1), OK); /* a: n0 n1, b: n1 n2 */
    assert_string_equal(a->shape->name, "n0 n1 n1 n2");
    assert_string_equal(probe_journal, "destroy2 destroy0 moved0 moved1 moved2 moved3");
    assert_int_equal(a->pool.used, used);
    assert_int_equal(flow_find(&k->flows, kb)->path, a->id);
    assert_int_equal(flow_find(&k->flows, kb)->dir, BA);
    probe_journal[0] = 0;
    fixture_run(f, 0);
    assert_string_equal(probe_journal, ">0 >1 >2 >3 <3 <2 <1 <0");
    assert_int_equal(k->paths_live, 1);
    path_destroy(a);
    end(f);
}

static void join_that_fails_changes_nothing(void **state)
{
    (void)state;
    struct fixture *f = start(7, NULL);
    struct path *a = probe_path(f->k, false), *b = probe_path(f->k, false);
    const struct shape *shape = a->shape;
    fixture_run(f, 0);
    probe_journal[0] = 0;
    assert_int_equal(path_join(a, 7, b, 0), E_INVAL); /* 14 stages */
    assert_ptr_equal(a->shape, shape);
    assert_ptr_equal(b->shape, shape);
    assert_string_equal(probe_journal, "");
    path_destroy(a);
    path_destroy(b);
    end(f);
}

/* --- rules --- */

static bool rule_ready;  /* what the guard says */
static int rule_answers; /* E_AGAIN so many times first */

static int second(const struct shape *s)
{
    return s->n > 1 ? 1 : -1;
}

static bool guard(struct path *p, int at)
{
    assert_false(p->flags & PATH_RUNNING); /* between two runs, so nothing is in flight */
    assert_null(p->pool.k->running);
    probe_say("guard");
    assert_int_equal(at, 1);
    return rule_ready;
}

static status_t action(struct path *p, const struct turn *t)
{
    (void)p;
    assert_int_equal(t->at, 1);
    probe_say("action");
    rule_ready = rule_answers > 0;
    return rule_answers-- > 0 ? E_AGAIN : OK;
}

static const struct rule a_rule = {.name = "a-rule",
                                   .inverse = "none: a test",
                                   .when = NOTE_OPENED,
                                   .place = second,
                                   .guard = guard,
                                   .action = action};
static const struct rule *const rules[] = {&a_rule, NULL};

static void rules_between_runs(void **state)
{
    (void)state;
    struct fixture *f = start(2, rules);
    struct path *p = probe_path(f->k, false);
    fixture_run(f, 0);
    rule_ready = true;
    rule_answers = 0;
    probe_journal[0] = 0;
    path_note(p, NOTE_MODE); /* not what this rule waits for */
    fixture_run(f, 0);
    assert_string_equal(probe_journal, "");
    path_wake(p, AB, message(&f->k->pool, 10));
    path_note(p, NOTE_OPENED);
    path_wake(p, AB, message(&f->k->pool, 10));
    fixture_run(f, 0);
    assert_string_equal(probe_journal, ">0 >1 >0 >1 guard action guard");
    assert_int_equal(f->k->nhistory, 1);
    assert_ptr_equal(f->k->history[0].rule, &a_rule);
    assert_int_equal(f->k->history[0].msgs[AB], 2);
    path_destroy(p);
    end(f);
}

static void rule_not_yet(void **state)
{
    (void)state;
    struct fixture *f = start(2, rules);
    struct path *p = probe_path(f->k, false);
    fixture_run(f, 0);
    rule_ready = true;
    rule_answers = 2;
    probe_journal[0] = 0;
    path_note(p, NOTE_OPENED);
    fixture_run(f, 0);
    assert_string_equal(probe_journal, "guard action guard action guard action guard");
    assert_int_equal(f->k->nhistory, 1);
    path_destroy(p);
    end(f);
}

static status_t refusal(struct path *p, const struct turn *t)
{
    (void)p;
    (void)t;
    probe_say("refusal");
    return E_NOMEM;
}

static const struct rule failing_rule = {.name = "failing",
                                         .inverse = "none: a test",
                                         .when = NOTE_OPENED,
                                         .place = second,
                                         .guard = guard,
                                         .action = refusal};
static const struct rule *const failing_rules[] = {&failing_rule, &a_rule, NULL};

static int nowhere(const struct shape *s)
{
    (void)s;
    return -1;
}

static void last_away(struct shape *s, int at)
{
    probe_say("turn");
    assert_int_equal(at, 1);
    s->n--;
}

static bool always(struct path *p, int at)
{
    (void)p, (void)at;
    return true;
}

static status_t shorten(struct path *p, const struct turn *t)
{
    assert_int_equal(t->to->n, 1);
    assert_ptr_equal(t->to, t->to->shared);
    return path_reshape(p, t->to, p->state, false, &p);
}

static const struct rule placeless_rule = {.name = "placeless",
                                           .inverse = "none: a test",
                                           .when = NOTE_OPENED,
                                           .place = nowhere,
                                           .guard = guard,
                                           .action = action};
static const struct rule shorter_rule = {.name = "shorter",
                                         .inverse = "none: a test",
                                         .when = NOTE_OPENED,
                                         .place = second,
                                         .turn = last_away,
                                         .guard = always,
                                         .action = shorten};
static const struct rule *const shape_rules[] = {&placeless_rule, &shorter_rule, NULL};

/* A rule without a place in a shape is not tried; what one makes of it is asked once. */
static void rules_know_shapes(void **state)
{
    (void)state;
    struct fixture *f = start(2, shape_rules);
    struct path *p[3];
    for (int i = 0; i < 3; i++)
        p[i] = probe_path(f->k, false);
    probe_journal[0] = 0;
    for (int i = 0; i < 3; i++) {
        path_note(p[i], NOTE_OPENED);
        fixture_run(f, 0);
        assert_string_equal(p[i]->shape->name, "n0");
        assert_ptr_equal(p[i]->shape, p[0]->shape);
    }
    assert_string_equal(probe_journal, "turn moved0 moved0 moved0");
    assert_int_equal(f->k->nhistory, 3);
    for (int i = 0; i < 3; i++)
        path_destroy(p[i]);
    end(f);
}

static void rule_fails(void **state)
{
    (void)state;
    struct fixture *f = start(2, failing_rules);
    struct path *p = probe_path(f->k, false);
    fixture_run(f, 0);
    rule_ready = true;
    rule_answers = 0;
    probe_journal[0] = 0;
    path_note(p, NOTE_OPENED);
    fixture_run(f, 0);
    /* It is not in the history, the next one has its turn, and nobody asks it again until then. */
    assert_string_equal(probe_journal, "guard refusal guard action guard guard");
    assert_int_equal(f->k->nhistory, 1);
    assert_non_null(strstr(fixture_log, "rule failing: limit reached"));
    path_destroy(p);
    end(f);
}

/* --- the end of the kernel --- */

static void shutdown_tells_the_stages(void **state)
{
    (void)state;
    struct fixture *f = start(2, NULL);
    probe_path(f->k, false);
    fixture_settle(f); /* the path is for kernel_end */
    probe_journal[0] = 0;
    fixture_end(f);
    assert_string_equal(probe_journal, "stop0 stop1 destroy1 destroy0");
    f = start(2, NULL);
    probe_path(f->k, false);
    fixture_settle(f);
    fixture_command(f, "quit now");
    probe_journal[0] = 0;
    fixture_end(f);
    assert_string_equal(probe_journal, "destroy1 destroy0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("path: created in four phases, destroyed last stage first", four_phases),
        PLAIN_TEST("path: a creation that fails anywhere leaves nothing", failure_leaves_nothing),
        PLAIN_TEST("path: more stages than fit are refused", too_many_stages),
        PLAIN_TEST("R-SPL-24: the limit of paths refuses the new one only", limit_of_paths),
        PLAIN_TEST("path: messages run to completion, ends alternate", runs_in_order),
        PLAIN_TEST("path: an inline path runs where it is classified", inline_runs_at_once),
        PLAIN_TEST("path: a full queue drops, counted path.queue", queue_limit),
        PLAIN_TEST("path: destroyed while it runs", destroyed_while_running),
        PLAIN_TEST("path: nothing is delivered to a dying path", nothing_for_the_dying),
        PLAIN_TEST("path: EOF after the bytes, RESET before them", events_keep_their_place),
        PLAIN_TEST("path: its flows go before it", flows_go_first),
        PLAIN_TEST("classify: a datagram put together enters at its node's stage",
                   classified_again),
        PLAIN_TEST("join: limits add up, to the most there is", join_of_large_limits),
        PLAIN_TEST("join: bytes, flows and memory are kept", join_keeps_bytes_and_flows),
        PLAIN_TEST("join: one that fails changes nothing", join_that_fails_changes_nothing),
        PLAIN_TEST("rule: tried between two runs, for the notes it waits for", rules_between_runs),
        PLAIN_TEST("rule: E_AGAIN is tried again", rule_not_yet),
        PLAIN_TEST("rule: what it makes of a shape is asked once", rules_know_shapes),
        PLAIN_TEST("rule: one that fails changes nothing and lets the next one try", rule_fails),
        PLAIN_TEST("end: stages are told, unless it is `quit now`", shutdown_tells_the_stages),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
