/* SPDX-License-Identifier: BSD-2-Clause */
/* drivers/loop.c: the contract of kernel/netdev.h, on a card that needs no hardware. */
#include "drivers/loop.h"

#include <string.h>

#include "tests/unit/fixture.h"

enum { FRAME = 100 };

static struct netdev *add(struct fixture *f, int n)
{
    int first = f->k->ndevs;
    assert_int_equal(loop_add(f->k, n), OK);
    assert_int_equal(f->k->ndevs, first + n);
    for (int i = first; i < first + n; i++)
        assert_int_equal(f->k->devs[i]->ops->start(f->k->devs[i]), OK);
    return f->k->devs[first];
}

static void stop(struct fixture *f)
{
    for (int i = 0; i < f->k->ndevs; i++)
        f->k->devs[i]->ops->stop(f->k->devs[i]);
}

static struct msg *frame(struct fixture *f, size_t n, int fill)
{
    struct msg *m = msg_alloc_class(&f->k->pool, MSG_FULL);
    assert_non_null(m);
    memset(msg_put(m, n), fill, n);
    return m;
}

static int send(struct netdev *d, struct msg *m)
{
    return d->ops->tx(d, &m, 1);
}

static struct msg *receive(struct netdev *d)
{
    struct msg *m = NULL;
    return d->ops->rx(d, &m, 1) ? m : NULL;
}

static void pair(void **state)
{
    struct fixture *f = *state;
    struct netdev *a = add(f, 2), *b = f->k->devs[1];
    struct msg *m = frame(f, FRAME, 7);
    assert_int_equal(send(a, m), 1);
    assert_false(a->ops->pending(a));
    assert_true(b->ops->pending(b));
    assert_null(receive(a));
    assert_ptr_equal(receive(b), m); /* the same buffer: no copy */
    assert_int_equal(m->total, FRAME);
    assert_null(receive(b));
    assert_int_equal(send(b, m), 1);
    assert_ptr_equal(receive(a), m);
    msg_free(m);
    stop(f);
}

static void single(void **state)
{
    struct fixture *f = *state;
    struct netdev *d = add(f, 1);
    struct msg *burst[3] = {frame(f, 60, 1), frame(f, 61, 2), frame(f, 62, 3)}, *got[4];
    assert_int_equal(d->ops->tx(d, burst, 3), 3);
    assert_int_equal(d->ops->rx(d, got, 4), 3);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(got[i], burst[i]);
        msg_free(got[i]);
    }
    stop(f);
}

/* Old bytes behind the frame must not leave. */
static void padding(void **state)
{
    struct fixture *f = *state;
    struct netdev *d = add(f, 1);
    static const uint8_t zeros[60];
    struct msg *m = frame(f, 200, 0xee);
    msg_trim(m, 14);
    assert_int_equal(send(d, m), 1);
    m = receive(d);
    assert_int_equal(m->total, 60);
    assert_int_equal(m->data[13], 0xee);
    assert_memory_equal(m->data + 14, zeros, 46);
    msg_free(m);
    stop(f);
}

/* Parts and shared bytes arrive as one buffer that is the receiver's own. */
static void parts(void **state)
{
    struct fixture *f = *state;
    struct netdev *d = add(f, 1);
    struct msg *kept = frame(f, 1000, 3), *m = msg_clone(&f->k->pool, kept, 0, 1000);
    memset(msg_push(m, 14), 4, 14);
    assert_int_equal(send(d, m), 1);
    memset(kept->data, 9, 1000);
    m = receive(d);
    assert_null(m->more);
    assert_int_equal(m->len, 1014);
    assert_int_equal(m->data[13], 4);
    assert_int_equal(m->data[14], 3);
    assert_int_equal(m->data[1013], 3);
    msg_free(m);
    msg_free(kept);
    stop(f);
}

/* A full ring takes fewer than it is offered, and the rest stay the caller's. */
static void full(void **state)
{
    struct fixture *f = *state;
    struct netdev *d = add(f, 1);
    int sent = 0;
    struct msg *m = frame(f, FRAME, 0);
    while (send(d, m)) {
        sent++;
        m = frame(f, FRAME, 0);
    }
    assert_int_equal(sent, LOOP_QUEUE);
    assert_int_equal(m->total, FRAME);
    msg_free(receive(d));
    assert_int_equal(send(d, m), 1);
    stop(f);
}

static void refused(void **state)
{
    struct fixture *f = *state;
    struct netdev *d = add(f, 1);
    assert_int_equal(send(d, frame(f, 1523, 0)), 1);
    assert_int_equal(send(d, frame(f, 13, 0)), 1);
    assert_int_equal(f->k->drops[DROP_NIC_BAD], 2);
    assert_null(receive(d));
    struct msg *m = frame(f, FRAME, 0);
    d->link = false;
    assert_int_equal(send(d, m), 0);
    msg_free(m);
    stop(f);
}

static void numbers(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_add(f->k, 0), E_INVAL);
    assert_int_equal(loop_add(f->k, 3), E_INVAL);
    for (int i = 0; i < NETDEV_MAX - 1; i++)
        assert_int_equal(loop_add(f->k, 1), OK);
    assert_int_equal(loop_add(f->k, 2), E_NOMEM);
    assert_int_equal(f->k->ndevs, NETDEV_MAX - 1);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST("loop: a frame crosses to the twin in the buffer it was sent in", pair),
        FIXTURE_TEST("loop: a single card hears itself, in order", single),
        FIXTURE_TEST("loop: a short frame is padded with zeros", padding),
        FIXTURE_TEST("loop: a frame in parts arrives in one, not shared", parts),
        FIXTURE_TEST("loop: a full ring takes no more, the rest stay the caller's", full),
        FIXTURE_TEST("loop: frames of impossible length are nic.bad, none go without a link",
                     refused),
        FIXTURE_TEST("loop: one card or two, as many as a kernel holds", numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
