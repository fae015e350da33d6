/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/reshape.c, table.c: paths that get other stages, queues, or lose them; what one that a
 * splice has ended as costs.
 */
#include <string.h>

#include "tests/unit/keeper.h"

static struct flow_key key_of(uint32_t i)
{
    return flow_key_ip4(FLOW_CONN, 0, 6, 0x0a000102 + i / 1000, 0x0a000101, (uint16_t)i, 80);
}

/* All of the ways between with queues and inline; 0: no, 1: yes. */
static const struct {
    bool from, to;
} ways[] = {{false, false}, {false, true}, {true, false}, {true, true}};

static void keeps_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct scene s;
        scene_make(&s, NULL);
        struct path *p = kept_path(&s, ways[i].from), *q = NULL;
        struct flow *line[2];
        uint32_t id = p->id, live = s.k->paths_live;
        for (uint32_t d = AB; d <= BA; d++)
            assert_int_equal(flow_insert(s.k, key_of(d), p, (enum dir)d, &line[d]), OK);
        struct keeper *keeper = pool_alloc(&p->pool, sizeof *keeper);
        assert_non_null(keeper);
        keeper->m = msg_alloc(&p->pool, MSG_HEADROOM, 100);
        uint32_t used = p->pool.used, limit = p->pool.limit;
        p->own[AB] = 1460;
        p->own[BA] = 536;
        p->flags |= PATH_PLAIN;
        p->notes = NOTE_MODE;
        probe_journal[0] = 0;
        assert_int_equal(keep(p, keeper, ways[i].to, &q), OK);
        assert_string_equal(probe_journal, "moved0 moved-keeper1 moved2"); /* none is destroyed */
        assert_int_equal(q == p, ways[i].from == ways[i].to);
        assert_int_equal(!q->work, ways[i].to);
        assert_int_equal(!!(q->flags & PATH_INLINE), ways[i].to);
        assert_true(q->flags & PATH_PLAIN);
        assert_int_equal(q->id, id);
        assert_ptr_equal(path_by_id(s.k, id), q);
        assert_int_equal(s.k->paths_live, live);
        assert_int_equal(q->pool.used, used);
        assert_int_equal(q->pool.limit, limit);
        assert_ptr_equal(keeper->m->payer, &q->pool);
        assert_int_equal(q->own[AB], 1460);
        assert_int_equal(q->own[BA], 536);
        assert_int_equal(q->notes, NOTE_MODE);
        assert_string_equal(q->shape->name, "n0 keeper n2");
        assert_ptr_equal(q->state[1], keeper);
        for (uint32_t d = AB; d <= BA; d++) {
            assert_ptr_equal(flow_find(&s.k->flows, key_of(d)), line[d]);
            assert_ptr_equal(flow_path(s.k, line[d]), q);
            assert_int_equal(line[d]->dir, d);
        }
        path_destroy(q); /* its flows are its own to end */
        assert_null(flow_find(&s.k->flows, key_of(AB)));
        scene_end(&s);
    }
}

static void queued_messages_go_through(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    struct path *p = probe_path(s.k, false), *q = NULL;
    fixture_run(s.f, 0);
    for (size_t n = 1; n <= 3; n++)
        path_wake(p, AB, message(s.k, n));
    struct msg *paid = message(s.k, 7);
    assert_int_equal(msg_charge(paid, &p->pool), OK); /* one that the path pays for */
    path_wake(p, BA, paid);
    path_post(p, AB, EVENT_EOF);
    path_post(p, AB, EVENT_READY);
    probe_journal[0] = 0;
    assert_int_equal(keep(p, NULL, true, &q), OK);
    assert_string_equal(probe_journal, "moved0 moved-keeper1 moved2 ev4@0 ev4@2 >0 >k >2 <2 <k <0 "
                                       ">0 >k >2 >0 >k >2 ev2@0 ev2@2");
    for (uint32_t n = 1; n <= 3; n++) {
        struct msg *m = msgq_pop(&probe_kept[AB]);
        assert_int_equal(m->total, n);
        msg_free(m);
    }
    assert_ptr_equal(probe_kept[BA].head->payer, &s.k->pool);
    assert_null(sched_next(s.k)); /* the old one is nobody's any more */
    path_destroy(q);
    scene_end(&s);
}

static void a_drain_may_end_it(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    struct path *p = probe_path(s.k, false), *q = NULL;
    fixture_run(s.f, 0);
    for (int i = 0; i < 4; i++)
        path_wake(p, AB, message(s.k, 10));
    path_post(p, AB, EVENT_EOF);
    probe_plan.destroy_at = 2;
    probe_journal[0] = 0;
    assert_int_equal(keep(p, NULL, true, &q), OK);
    assert_string_equal(probe_journal, "moved0 moved-keeper1 moved2 >0 >k >2");
    assert_int_equal(s.k->drops[DROP_PATH_DEAD], 3);
    scene_end(&s);
}

static void queues_stay_in_place(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    struct path *p = probe_path(s.k, false), *q = NULL;
    fixture_run(s.f, 0);
    path_wake(p, AB, message(s.k, 1));
    path_post(p, AB, EVENT_EOF);
    assert_int_equal(keep(p, NULL, false, &q), OK);
    probe_journal[0] = 0;
    fixture_run(s.f, 0);
    assert_string_equal(probe_journal, ">0 >K >2 ev2@0 ev2@2");
    path_destroy(q);
    scene_end(&s);
}

/* The kernel's account is given one byte more each time, until it is enough. */
static void all_or_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct scene s;
        scene_make(&s, NULL);
        struct path *p = probe_path(s.k, false), *q = NULL;
        p->notes = 0;
        if (ways[i].from)
            assert_int_equal(path_reshape(p, p->shape, p->state, true, &p), OK);
        struct shape before = *p->shape;
        uint32_t id = p->id, used = s.k->pool.used, failed = 0;
        void *memory = pool_alloc(&p->pool, 100);
        uint32_t own = p->pool.used;
        status_t status = E_NOMEM;
        probe_journal[0] = 0;
        for (uint32_t limit = s.k->pool.used; status != OK; limit++, failed++) {
            s.k->pool.limit = limit;
            status = keep(p, NULL, ways[i].to, &q);
            if (status == OK)
                break;
            assert_int_equal(status, E_NOMEM);
            assert_null(q);
            assert_string_equal(p->shape->name, before.name);
            assert_ptr_equal(path_by_id(s.k, id), p);
            assert_int_equal(p->pool.used, own);
            assert_string_equal(probe_journal, "");
            /* The shape may have been made, and waits for the next to use it. */
            assert_in_range(s.k->pool.used, used, used + 1000);
        }
        assert_true(failed > 0);
        s.k->pool.limit = UINT32_MAX;
        pool_free(&q->pool, memory);
        path_destroy(q);
        scene_end(&s);
    }
}

static void too_many_stages(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    struct path *p = probe_path(s.k, false), *q = NULL;
    struct shape to = {.n = PATH_STAGES};
    void *states[PATH_STAGES] = {0};
    for (int i = 0; i < PATH_STAGES; i++)
        to.at[i] = p->shape->at[i % 3];
    assert_int_equal(path_reshape(p, &to, states, true, &q), E_INVAL);
    to.n = PATH_INLINE_STAGES; /* more than is slim, but no more than an inline path may have */
    assert_int_equal(path_reshape(p, &to, states, true, &q), OK);
    assert_int_equal(q->shape->n, PATH_INLINE_STAGES);
    to.n = PATH_STAGES;
    assert_int_equal(path_reshape(q, &to, states, false, &q), OK);
    assert_int_equal(q->shape->n, PATH_STAGES);
    path_destroy(q);
    scene_end(&s);
}

static void slim_grows(void **state)
{
    struct scene s;
    (void)state;
    scene_make(&s, NULL);
    struct path *p = kept_path(&s, true), *q = NULL;
    struct shape to = *p->shape;
    to.at[to.n] = to.at[to.n - 1];
    to.n++;
    void *states[4] = {NULL, NULL, NULL, NULL};
    uint32_t id = p->id;
    assert_int_equal(path_reshape(p, &to, states, true, &q), OK);
    assert_ptr_equal(path_by_id(s.k, id), q);
    assert_null(q->work);
    probe_journal[0] = 0;
    path_input(q, AB, message(s.k, 10));
    assert_string_equal(probe_journal, ">0 >k >2 >3");
    path_destroy(q);
    scene_end(&s);
}

/* --- memory --- */

/* TABLES: from there on the tables' steps of growth are all seen. */
enum { CONNECTIONS = 10000, FROM = 8000, TABLES = 4000 };

static void spliced_costs(void **state)
{
    struct scene s;
    static uint32_t id[CONNECTIONS];
    uint32_t worst = 0, worst_at = 0;
    (void)state;
    scene_make(&s, NULL);
    struct path *first = kept_path(&s, true); /* the shapes */
    s.k->paths_limit = CONNECTIONS + 1;
    uint32_t used = s.k->pool.used;
    assert_int_equal(sizeof(struct flow), 64);
    assert_int_equal(sizeof(struct path) + PATH_SLIM_STAGES * sizeof(void *), 88);
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        struct path *p = kept_path(&s, true);
        id[i] = p->id;
        for (uint32_t d = AB; d <= BA; d++)
            assert_int_equal(flow_insert(s.k, key_of(2 * i + d), p, (enum dir)d, NULL), OK);
        uint32_t each = (s.k->pool.used - used + i) / (i + 1);
        if (i >= FROM && each > worst) {
            worst = each;
            worst_at = i + 1;
        }
        assert_int_equal(p->pool.used, 0);
        if (i >= TABLES) { /* at most 12.6 bytes of the path table, 28 of slots */
            assert_in_range(10 * s.k->paths_size * sizeof s.k->paths[0], 0, 126 * (i + 1));
            assert_in_range(10 * s.k->flows.nslots * sizeof(struct flow_slot), 0, 280 * (i + 1));
        }
    }
    uint32_t each = (s.k->pool.used - used) / CONNECTIONS;
    print_message("# %u bytes each of %d connections; at most %u, of %u\n", each, CONNECTIONS,
                  worst, worst_at);
    assert_in_range(worst, 128 + 88 + 2 * sizeof(struct flow_slot), 256);
    /* `show mem` says the same of the tables. */
    uint64_t paths = fixture_value(s.f, "show mem", "path_table_bytes");
    uint64_t flows = fixture_value(s.f, "show mem", "flow_table_bytes");
    assert_in_range(paths + flows, (uint64_t)each * CONNECTIONS,
                    (uint64_t)(each + 8) * CONNECTIONS);
    assert_int_equal(fixture_value(s.f, "show mem", "path_table_bytes_each"),
                     paths / (CONNECTIONS + 1));
    assert_int_equal(fixture_value(s.f, "show mem", "flow_table_bytes_each"),
                     flows / (2 * CONNECTIONS));
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        path_destroy(path_by_id(s.k, id[i]));
    path_reap(s.k);
    uint32_t high = s.k->pool.used;
    for (uint32_t i = 0; i < CONNECTIONS; i++) { /* again, from what was kept */
        struct path *p = kept_path(&s, true);
        for (uint32_t d = AB; d <= BA; d++)
            assert_int_equal(flow_insert(s.k, key_of(2 * i + d), p, (enum dir)d, NULL), OK);
        path_destroy(p);
        if (i % 64 == 0)
            path_reap(s.k);
    }
    path_reap(s.k);
    assert_int_equal(s.k->pool.used, high);
    path_destroy(first);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("reshape: number, flows, account, notes and states are kept", keeps_what_it_is),
        PLAIN_TEST("reshape: what is queued goes through the new shape",
                   queued_messages_go_through),
        PLAIN_TEST("reshape: what is queued may end the path", a_drain_may_end_it),
        PLAIN_TEST("reshape: a path with queues keeps them", queues_stay_in_place),
        PLAIN_TEST("reshape: any allocation that fails changes nothing", all_or_nothing),
        PLAIN_TEST("reshape: more stages than fit are refused", too_many_stages),
        PLAIN_TEST("reshape: a slim path may grow and stay inline", slim_grows),
        PLAIN_TEST("R-SPL-21: 64 bytes a direction, 256 bytes a connection", spliced_costs),
    };
    return cmocka_run_group_tests_name("reshape", tests, NULL, NULL);
}
