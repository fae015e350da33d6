/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/msg.c and msgedit.c: every operation against a model that is a plain array of bytes. After
 * each step the bytes, the lengths and the account must agree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fixture.h"

enum { PACKETS = 8, MODEL_MAX = 8192, STEPS = 40000 };

struct model {
    struct msg *m; /* NULL: none */
    size_t n;
    uint8_t bytes[MODEL_MAX];
};

static void agrees(const struct model *t)
{
    uint8_t bytes[MODEL_MAX];
    uint32_t sum = 0;
    for (const struct msg *part = t->m; part; part = part->more)
        sum += part->len;
    assert_int_equal(t->m->total, t->n);
    assert_int_equal(sum, t->n);
    assert_true(msg_peek(t->m, 0, bytes, t->n));
    assert_memory_equal(bytes, t->bytes, t->n);
    assert_false(msg_peek(t->m, 0, bytes, t->n + 1));
}

static void fresh(struct model *t, struct pool *pool, struct rng *r)
{
    size_t n = rng_below(r, 2048);
    t->m = msg_alloc(pool, MSG_HEADROOM, n);
    t->n = 0;
    if (!t->m)
        return;
    uint8_t *at = msg_put(t->m, n);
    assert_non_null(at);
    for (size_t i = 0; i < n; i++)
        at[i] = t->bytes[i] = (uint8_t)rng_next(r);
    t->n = n;
}

static void push(struct model *t, struct rng *r)
{
    uint32_t n = (uint32_t)rng_below(r, 60);
    if (t->m->refs > 1) /* a clone may show bytes that were popped: not to be written over */
        return;
    uint8_t *at = t->n + n <= MODEL_MAX ? msg_push(t->m, n) : NULL;
    if (!at)
        return;
    memmove(t->bytes + n, t->bytes, t->n);
    for (uint32_t i = 0; i < n; i++)
        at[i] = t->bytes[i] = (uint8_t)rng_next(r);
    t->n += n;
}

static void forget_front(struct model *t, size_t n)
{
    memmove(t->bytes, t->bytes + n, t->n - n);
    t->n -= n;
}

static void pop(struct model *t, struct rng *r)
{
    uint32_t n = (uint32_t)rng_below(r, 60), first = t->m->len;
    uint8_t *at = msg_pop(t->m, n);
    assert_int_equal(at != NULL, n <= first);
    if (!at)
        return;
    assert_memory_equal(at, t->bytes, n);
    forget_front(t, n);
}

static void share(struct model *t, struct model *into, struct pool *pool, struct rng *r, bool copy)
{
    size_t off = rng_below(r, t->n + 1), n = rng_below(r, t->n - off + 1);
    if (copy && n > 2048 - MSG_HEADROOM)
        n = 2048 - MSG_HEADROOM;
    struct msg *m = copy ? msg_copy(pool, t->m, off, n) : msg_clone(pool, t->m, off, n);
    assert_null(msg_clone(pool, t->m, off, t->n - off + 1));
    if (!m)
        return;
    assert_true(m->store == m && (size_t)(m->data - m->room) >= MSG_HEADROOM);
    into->m = m;
    into->n = n;
    memcpy(into->bytes, t->bytes + off, n);
}

static void split(struct model *t, struct model *into, struct rng *r)
{
    size_t n = rng_below(r, t->n + 1);
    struct msg *rest = msg_split(t->m, n);
    if (!rest)
        return;
    into->m = rest;
    into->n = t->n - n;
    memcpy(into->bytes, t->bytes + n, into->n);
    t->n = n;
}

static void append(struct model *t, struct model *b)
{
    if (t->n + b->n > MODEL_MAX)
        return;
    msg_append(t->m, b->m);
    memcpy(t->bytes + t->n, b->bytes, b->n);
    t->n += b->n;
    b->m = NULL;
}

static void cut(struct model *t, struct rng *r, bool front)
{
    size_t n = rng_below(r, t->n + 1);
    if (front) {
        msg_skip(t->m, n);
        forget_front(t, n);
    } else {
        msg_trim(t->m, n);
        t->n = n;
    }
}

static void recharge(struct model *t, struct pool *pool)
{
    struct pool *before = t->m->payer;
    uint32_t used = pool->used;
    if (msg_charge(t->m, pool) == OK) {
        for (const struct msg *part = t->m; part; part = part->more)
            assert_ptr_equal(part->payer, pool);
    } else {
        assert_int_equal(pool->used, used);
        assert_ptr_equal(t->m->payer, before);
    }
}

static void step(struct model *all, struct pool *pools, struct rng *r)
{
    struct model *t = &all[rng_below(r, PACKETS)], *other = &all[rng_below(r, PACKETS)];
    struct pool *pool = &pools[rng_below(r, 2)];
    if (!t->m) {
        fresh(t, pool, r);
        return;
    }
    switch (rng_below(r, 10)) {
    case 0:
        push(t, r);
        break;
    case 1:
        pop(t, r);
        break;
    case 2:
    case 3:
        if (!other->m)
            share(t, other, pool, r, false);
        break;
    case 4:
        if (!other->m)
            share(t, other, pool, r, true);
        break;
    case 5:
        if (!other->m)
            split(t, other, r);
        break;
    case 6:
        if (other->m && other != t)
            append(t, other);
        break;
    case 7:
        cut(t, r, rng_below(r, 2));
        break;
    case 8:
        recharge(t, pool);
        break;
    default:
        msg_free(t->m);
        t->m = NULL;
    }
}

static void model_run(struct fixture *f, uint64_t seed)
{
    static struct model all[PACKETS];
    struct pool pools[2];
    struct rng r;
    memset(all, 0, sizeof all);
    rng_seed(&r, seed);
    pool_init(&pools[0], f->k, 200000);
    pool_init(&pools[1], f->k, 60000); /* too small now and then: failing must change nothing */
    for (int i = 0; i < STEPS; i++) {
        step(all, pools, &r);
        for (int j = 0; j < PACKETS; j++)
            if (all[j].m)
                agrees(&all[j]);
    }
    for (int j = 0; j < PACKETS; j++)
        msg_free(all[j].m);
    assert_int_equal(pools[0].used, 0);
    assert_int_equal(pools[1].used, 0);
    assert_int_equal(f->k->msgs.live[MSG_SMALL] + f->k->msgs.live[MSG_FULL], 0);
}

static void random_operations(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++)
        model_run(*state, seed);
}

static void clone_outlives(void **state)
{
    struct fixture *f = *state;
    struct pool path;
    pool_init(&path, f->k, 10000);
    struct msg *m = msg_alloc(&path, MSG_HEADROOM, 1000);
    memset(msg_put(m, 1000), 7, 1000);
    struct msg *again = msg_clone(&f->k->pool, m, 100, 500);
    uint32_t cost = msg_cost(m), kernel = f->k->pool.used, clone = msg_cost(again);
    uint8_t bytes[500];
    msg_free(m);
    assert_int_equal(path.used, 0); /* the path may end now */
    assert_int_equal(f->k->pool.used, kernel + cost);
    pool_end(&path);
    assert_true(msg_peek(again, 0, bytes, 500));
    assert_int_equal(bytes[0] + bytes[499], 14);
    msg_free(again);
    assert_int_equal(f->k->pool.used, kernel - clone);
}

static void clones_share_no_header(void **state)
{
    struct fixture *f = *state;
    struct pool *pool = &f->k->pool;
    struct msg *m = msg_alloc(pool, MSG_HEADROOM, 100);
    memset(msg_put(m, 100), 1, 100);
    struct msg *a = msg_clone(pool, m, 0, 100), *b = msg_clone(pool, m, 0, 100);
    memset(msg_push(a, 60), 2, 60);
    memset(msg_push(b, 60), 3, 60);
    memset(msg_push(m, 60), 4, 60);
    uint8_t bytes[160];
    assert_true(msg_peek(a, 0, bytes, 160));
    assert_int_equal(bytes[0] * 100 + bytes[59] * 10 + bytes[60], 221);
    assert_true(msg_peek(b, 0, bytes, 160));
    assert_int_equal(bytes[0] * 100 + bytes[59] * 10 + bytes[60], 331);
    msg_free(m);
    msg_free(a);
    msg_free(b);
}

static void slices_have_no_headroom(void **state)
{
    struct fixture *f = *state;
    struct msg *m = msg_alloc(&f->k->pool, MSG_HEADROOM, 100);
    msg_put(m, 100);
    struct msg *clone = msg_clone(&f->k->pool, m, 50, 50);
    assert_null(msg_push(clone->more, 1)); /* it would write into m's bytes */
    assert_null(msg_put(clone->more, 1));
    assert_null(msg_push(m, MSG_HEADROOM + 1));
    assert_non_null(msg_push(m, MSG_HEADROOM));
    msg_free(clone);
    msg_free(m);
}

static void store_limit(void **state)
{
    struct fixture *f = *state;
    struct msgq q = {NULL, NULL, 0, 0};
    struct msg *m;
    f->k->msgs.limit[MSG_FULL] = 100;
    while ((m = msg_alloc_class(&f->k->pool, MSG_FULL)))
        msgq_push(&q, m);
    assert_int_equal(q.count, 100);
    msg_free(msgq_pop(&q));
    assert_non_null(m = msg_alloc_class(&f->k->pool, MSG_FULL));
    msgq_push(&q, m);
    msgq_drop(f->k, &q, DROP_SHUTDOWN);
    assert_int_equal(f->k->drops[DROP_SHUTDOWN], 100);
    assert_null(msg_alloc(&f->k->pool, MSG_HEADROOM, MSG_FULL_ROOM));
}

static void payer_limit(void **state)
{
    struct fixture *f = *state;
    struct pool path;
    pool_init(&path, f->k, 5000);
    struct msg *a = msg_alloc(&path, MSG_HEADROOM, 1500), *b = msg_alloc(&path, MSG_HEADROOM, 1500);
    assert_true(a && b);
    assert_null(msg_alloc(&path, MSG_HEADROOM, 1500));
    assert_int_equal(path.used, msg_cost(a) + msg_cost(b));
    msg_free(a);
    msg_free(b);
    pool_end(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST("msg: random operations agree with an array of bytes", random_operations),
        FIXTURE_TEST("msg: a clone outlives the message and its path", clone_outlives),
        FIXTURE_TEST("msg: clones share payload but no header", clones_share_no_header),
        FIXTURE_TEST("msg: a slice cannot be pushed into", slices_have_no_headroom),
        FIXTURE_TEST("msg: the store's limit holds, and drops are counted", store_limit),
        FIXTURE_TEST("msg: the payer's limit holds", payer_limit),
    };
    return cmocka_run_group_tests_name("msg", tests, NULL, NULL);
}
