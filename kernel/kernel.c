/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main loop. One turn polls the cards in bursts, runs what became ready, and fires timers; when
 * nothing is left to do, interrupts are switched on and the machine sleeps. Frames leave at the end
 * of the burst that made them, so a burst costs one doorbell.
 */
#include "kernel/kernel.h"

#include <assert.h>
#include <string.h>

#include "kernel/plat.h"
#include "kernel/show.h"
#include "kernel/stock.h"

enum { RUN_BUDGET = 64, TURN_PATHS = 256 };

status_t kernel_init(struct kernel *k, uint64_t memory)
{
    pool_init(&k->pool, k, UINT32_MAX);
    k->now = plat_now(k);
    timer_wheel_init(&k->timers, k->now);
    uint64_t buffers = memory / 2 / (MSG_FULL_ROOM + 2 * MSG_SMALL_ROOM);
    msg_store_init(k, buffers > 1U << 20 ? 1U << 20 : (uint32_t)buffers);
    k->paths_limit = 1024; /* until the settings are read */
    k->path_pool_limit = 1U << 20;
    evict_init(k);
    return buffers < 64 ? E_NOMEM : OK;
}

status_t kernel_boot(struct kernel *k, const struct graph *g, const char *cmdline)
{
    k->now = plat_now(k);
    log_note(k, "graph %s: %s", g->name, g->purpose);
    status_t status = graph_init(k, g, cmdline);
    if (status != OK)
        return status;
    k->now = plat_now(k);
    log_note(k, "ready");
    return OK;
}

static void cards_flush(struct kernel *k)
{
    for (int i = 0; i < k->ndevs; i++)
        if (k->devs[i]->ntx)
            netdev_flush(k->devs[i]);
}

/* All frames of the card belong to one path (netdev.h: all). Not inlined: it wants registers. */
__attribute__((noinline)) static void burst_bridge(struct kernel *k, struct netdev *d,
                                                   struct msg **burst, int n)
{
    struct path *p = d->all;
    int at = p->shape->enter[d->all_dir].at;
    deliver_fn *deliver = p->shape->enter[d->all_dir].deliver;
    k->running = p;
    for (struct msg **end = burst + n; burst < end; burst++) {
        struct msg *m = *burst;
        m->in_dev = d->index;
        d->stats.rx_bytes += m->total;
        deliver(p, at, m);
    }
    k->running = NULL;
}

void frame_input(struct netdev *d, struct msg *m)
{
    struct demux demux = {.m = m, .link = d->node};
    m->in_dev = d->index;
    if (LIKELY(classify(demux.link, &demux)))
        path_input(demux.path, demux.dir, m);
}

static void burst_classify(struct netdev *d, struct msg **burst, int n)
{
    for (int i = 0; i < n; i++) {
        d->stats.rx_bytes += burst[i]->total;
        frame_input(d, burst[i]);
    }
}

static int card_poll(struct kernel *k, struct netdev *d)
{
    struct msg *burst[NETDEV_BURST];
    int n = d->ops->rx(d, burst, NETDEV_BURST);
    if (d->all)
        burst_bridge(k, d, burst, n);
    else if (d->lane)
        d->lane(d, burst, n);
    else
        burst_classify(d, burst, n);
    if (n) {
        if (UNLIKELY(notes_wait(k)))
            notes_run(k);
        d->stats.rx += (uint64_t)n;
        d->stats.bursts++;
        cards_flush(k);
    }
    return n;
}

static bool paths_run(struct kernel *k)
{
    struct path *p;
    for (int i = 0; i < TURN_PATHS && (p = sched_next(k)); i++)
        path_run(p, RUN_BUDGET);
    if (notes_wait(k))
        notes_run(k);
    cards_flush(k);
    return k->sched.head || k->sched.nheap;
}

bool kernel_poll(struct kernel *k)
{
    bool more = false;
    k->now = plat_now(k);
    k->polls++;
    for (int i = 0; i < k->ndevs; i++) {
        struct netdev *d = k->devs[i];
        if (d->started)
            more |= card_poll(k, d) > 0;
        if (UNLIKELY(d->broken))
            netdev_mend(d);
    }
    more |= paths_run(k);
    timer_run(k, k->now);
    if (k->dying)
        path_reap(k);
    cards_flush(k);
    /* A command may stop the kernel or wake paths, so what follows it is another turn, not sleep.
     */
    more |= console_turn(k);
    return more || k->sched.head || k->sched.nheap || k->dying || notes_wait(k);
}

uint64_t kernel_next(struct kernel *k)
{
    return timer_next(&k->timers);
}

/* Interrupts on, one more look for frames that came in between, and sleep. */
static void kernel_sleep(struct kernel *k)
{
    bool pending = false;
    for (int i = 0; i < k->ndevs; i++) {
        struct netdev *d = k->devs[i];
        if (!d->started)
            continue;
        if (d->ops->reclaim)
            d->ops->reclaim(d);
        d->ops->irq(d, true);
        pending |= d->ops->pending(d);
    }
    if (!pending) {
        k->waits++;
        plat_wait(k, kernel_next(k));
    }
    for (int i = 0; i < k->ndevs; i++)
        if (k->devs[i]->started)
            k->devs[i]->ops->irq(k->devs[i], false);
}

/* Tell both ends of every connection, unless told to be silent; what they answer is not waited for.
 */
static void paths_stop(struct kernel *k)
{
    for (uint32_t i = 0; i < k->paths_size; i++) {
        struct path *p = path_at(k, i);
        if (!p || p->flags & PATH_DYING)
            continue;
        for (int at = 0; at < p->shape->n && !k->stop_now; at++) {
            const struct stage_ops *ops = p->shape->at[at].ops;
            if (ops->stop)
                ops->stop(p, at);
        }
        path_destroy(p);
    }
    path_reap(k);
    msgq_drop(k, &k->held, DROP_SHUTDOWN);
    cards_flush(k);
}

int kernel_run(struct kernel *k)
{
    while (!k->stopping)
        if (!kernel_poll(k))
            kernel_sleep(k);
    return k->exit_status;
}

void kernel_end(struct kernel *k)
{
    paths_stop(k);
    timer_cancel(k, &k->evict.t);
    graph_stop(k);
    path_reap(k);
    shapes_end(k);
    flow_table_end(k);
    pool_free(&k->pool, k->sched.heap);
    paths_end(k);
    log_note(k, "end: %u paths, %u timers, %u messages, %u bytes not given back", k->paths_live,
             k->timers.armed, k->msgs.live[MSG_SMALL] + k->msgs.live[MSG_FULL], k->pool.used);
    assert(k->paths_live == 0 && k->timers.armed == 0);
    assert(k->msgs.live[MSG_SMALL] == 0 && k->msgs.live[MSG_FULL] == 0);
    pool_end(&k->pool);
    stock_end(k);
}
