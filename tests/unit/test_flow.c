/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/classify.c, the flow table, against a model: random insertion, removal and look-up, tables
 * that grow, keys that collide, limits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fixture.h"

enum { KEYS = 60000, OPS = 1000000, PATHS = 2048, CHOSEN = 100000 };

/* What the table uses of a path: its id and its list of flows. Storage and not an array of paths,
 * because a path ends with its stages' states and must not be an element. */
static _Alignas(struct path) uint8_t owners[PATHS][sizeof(struct path)];

static struct path *owner_at(size_t i)
{
    return (struct path *)(void *)owners[i];
}

static void owners_reset(struct kernel *k)
{
    memset(owners, 0, sizeof owners);
    for (uint32_t i = 0; i < PATHS; i++) {
        owner_at(i)->pool.k = k;
        owner_at(i)->id = 7U << 24 | i;
    }
}

static struct flow_key key_of(uint32_t i)
{
    return flow_key_ip4(FLOW_CONN, 0, 6, 0x0a000102 + i / 1000, 0x0a000101, (uint16_t)i, 80);
}

static uint32_t probes(const struct flow_table *t, struct flow_key key)
{
    uint32_t n = 1;
    uint64_t h = flow_hash(t, key);
    for (uint32_t i = flow_home(t, h); t->slots[i].line; i = flow_after(t, i), n++)
        if (t->slots[i].tag == flow_tag(h) &&
            memcmp(&flow_line(t, t->slots[i].line)->key, &key, sizeof key) == 0)
            break;
    return n;
}

static void random_against_model(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    struct rng r;
    uint16_t *model = calloc(KEYS, sizeof *model); /* owner + 1; 0: absent */
    uint32_t count = 0;
    assert_non_null(model);
    owners_reset(k);
    rng_seed(&r, 3);
    for (int n = 0; n < OPS; n++) {
        uint32_t i = (uint32_t)rng_below(&r, KEYS), owner = (uint32_t)rng_below(&r, PATHS);
        uint64_t what = rng_below(&r, 100);
        if (model[i] && rng_below(&r, 8)) /* mostly the right owner, or nothing would be removed */
            owner = (uint32_t)model[i] - 1;
        struct flow *line = flow_find(&k->flows, key_of(i));
        assert_int_equal(line != NULL, model[i] != 0);
        if (line)
            assert_int_equal(line->path, owner_at(model[i] - 1)->id);
        if (what < 55) {
            status_t status = flow_insert(k, key_of(i), owner_at(owner), (enum dir)(n & 1), &line);
            assert_int_equal(status, model[i] ? E_EXIST : OK);
            if (status == OK) {
                assert_int_equal(line->dir, n & 1);
                model[i] = (uint16_t)(owner + 1);
                count++;
            }
        } else if (what < 99) {
            flow_remove(k, owner_at(owner), key_of(i)); /* not its own: nothing */
            if (model[i] == owner + 1) {
                model[i] = 0;
                count--;
            }
        } else if (n % 4096 == 0) {
            flow_remove_all(k, owner_at(owner));
            for (uint32_t j = 0; j < KEYS; j++)
                if (model[j] == owner + 1) {
                    model[j] = 0;
                    count--;
                }
        }
        assert_int_equal(k->flows.count, count);
    }
    for (uint32_t j = 0; j < KEYS; j++)
        assert_int_equal(flow_find(&k->flows, key_of(j)) != NULL, model[j] != 0);
    /* Lines are used again: memory is that of the most flows there were at a time. */
    assert_true(k->flows.nchunks <= KEYS / FLOW_CHUNK + 1);
    for (uint32_t i = 0; i < PATHS; i++)
        flow_remove_all(k, owner_at(i));
    free(model);
}

static void growth_needs_no_rekeying(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    uint64_t sum = 0;
    owners_reset(k);
    for (uint32_t i = 0; i < OPS; i++)
        assert_int_equal(flow_insert(k, key_of(i), owner_at(i % PATHS), AB, NULL), OK);
    for (uint32_t i = 0; i < OPS; i++)
        sum += probes(&k->flows, key_of(i));
    print_message("# %u flows in %u slots: %llu.%02llu slots a look-up, re-keyed %u times\n", OPS,
                  k->flows.nslots, (unsigned long long)(sum / OPS),
                  (unsigned long long)(sum * 100 / OPS % 100), k->flows.rekeys);
    assert_true(sum < 4ULL * OPS);
    /* Honest keys must not pay for the attack: re-keying a table of n costs n. */
    assert_true(k->flows.rekeys <= 2);
    for (uint32_t i = 0; i < PATHS; i++)
        flow_remove_all(k, owner_at(i));
    assert_int_equal(k->flows.count, 0);
}

/* Keys that all collide under the table's present seed, as somebody who knew it would choose them:
 * one factor of the product is zero. */
static void chosen_keys(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    uint64_t zero = k->flows.seed[0], sum = 0;
    uint32_t most = 0;
    owners_reset(k);
    for (uint32_t i = 0; i < CHOSEN; i++) {
        struct flow_key key = {{zero, i}};
        assert_int_equal(flow_insert(k, key, owner_at(i % PATHS), AB, NULL), OK);
    }
    for (uint32_t i = 0; i < CHOSEN; i++) {
        struct flow_key key = {{zero, i}};
        uint32_t n = probes(&k->flows, key);
        assert_non_null(flow_find(&k->flows, key));
        sum += n;
        most = n > most ? n : most;
    }
    print_message("# %u chosen keys: longest probe %u, mean %llu.%02llu, re-keyed %u times\n",
                  CHOSEN, most, (unsigned long long)(sum / CHOSEN),
                  (unsigned long long)(sum * 100 / CHOSEN % 100), k->flows.rekeys);
    assert_true(k->flows.rekeys >= 1);
    assert_true(most < 1024);
    assert_true(sum < 5ULL * CHOSEN);
    for (uint32_t i = 0; i < PATHS; i++)
        flow_remove_all(k, owner_at(i));
}

/* The keys of an attacker who knows the function but not the seed: one bit apart, or whole fields.
 */
static void structured_keys(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    uint64_t sum = 0;
    owners_reset(k);
    for (uint32_t i = 0; i < CHOSEN; i++) {
        struct flow_key key = {{(uint64_t)i << 20, (uint64_t)i << 44}};
        assert_int_equal(flow_insert(k, key, owner_at(0), AB, NULL), OK);
    }
    for (uint32_t i = 0; i < CHOSEN; i++)
        sum += probes(&k->flows, (struct flow_key){{(uint64_t)i << 20, (uint64_t)i << 44}});
    print_message("# structured keys: mean probe %llu.%02llu, re-keyed %u times\n",
                  (unsigned long long)(sum / CHOSEN),
                  (unsigned long long)(sum * 100 / CHOSEN % 100), k->flows.rekeys);
    assert_true(sum < 5ULL * CHOSEN);
    flow_remove_all(k, owner_at(0));
}

static void limit_holds(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    owners_reset(k);
    k->flows.limit = 100;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(flow_insert(k, key_of(i), owner_at(0), AB, NULL), OK);
    assert_int_equal(flow_insert(k, key_of(100), owner_at(0), AB, NULL), E_NOMEM);
    assert_int_equal(flow_insert(k, key_of(5), owner_at(0), AB, NULL), E_EXIST);
    assert_null(flow_find(&k->flows, key_of(100)));
    flow_remove(k, owner_at(0), key_of(5));
    assert_int_equal(flow_insert(k, key_of(100), owner_at(0), AB, NULL), OK);
    flow_remove_all(k, owner_at(0));
}

static void move_keeps_or_turns(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    owners_reset(k);
    assert_int_equal(flow_insert(k, key_of(1), owner_at(0), AB, NULL), OK);
    assert_int_equal(flow_insert(k, key_of(2), owner_at(0), BA, NULL), OK);
    flow_move(k, owner_at(0), owner_at(1), true);
    assert_int_equal(owner_at(0)->flow, 0);
    assert_int_equal(flow_find(&k->flows, key_of(1))->path, owner_at(1)->id);
    assert_int_equal(flow_find(&k->flows, key_of(1))->dir, AB);
    assert_int_equal(flow_find(&k->flows, key_of(2))->dir, BA);
    flow_move(k, owner_at(1), owner_at(2), false);
    assert_int_equal(flow_find(&k->flows, key_of(1))->dir, BA);
    assert_int_equal(flow_find(&k->flows, key_of(2))->dir, AB);
    flow_remove_all(k, owner_at(2));
    assert_int_equal(k->flows.count, 0);
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct flow), 64);
    assert_int_equal(sizeof(struct flow_slot), 8);
    assert_true(sizeof(struct path) + 3 * sizeof(void *) <= 96);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST("flow: a million random operations agree with a model", random_against_model),
        FIXTURE_TEST("flow: a million flows without re-keying", growth_needs_no_rekeying),
        FIXTURE_TEST("R-BAD-61 R-ATK-13: 10^5 keys chosen to collide cost what others cost",
                     chosen_keys),
        FIXTURE_TEST("R-BAD-61: 10^5 keys that differ in few bits", structured_keys),
        FIXTURE_TEST("R-SPL-24: the limit of flows refuses the new one only", limit_holds),
        FIXTURE_TEST("flow: moving to another path keeps or turns directions", move_keeps_or_turns),
        PLAIN_TEST("budget: flow 64 bytes, slot 8, slim path at most 96", sizes),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
