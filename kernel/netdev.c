/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cards: their list, the transmit side that gathers a burst for one doorbell, and what is done
 * about cards that are out of their mind. Such a card is reset, which loses what lay on its rings,
 * and started again a while later; a while, so that a card which never comes to its senses costs
 * little.
 */
#include "kernel/netdev.h"

#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/show.h"

enum { RESTART_NS = 100 * MS };
#define PATIENCE_NS (2 * SECOND) /* a frame that has not left after it never will */

status_t netdev_add(struct kernel *k, struct netdev *d)
{
    if (k->ndevs == NETDEV_MAX) {
        log_error(k, "more than %d network cards: %s at %s is not used", NETDEV_MAX, d->ops->model,
                  d->where);
        return E_NOMEM;
    }
    d->k = k;
    d->kernel_pool = &k->pool;
    d->index = (uint16_t)k->ndevs;
    snprintf(d->name, sizeof d->name, "net%d", k->ndevs);
    k->devs[k->ndevs++] = d;
    log_note(k, "%s: %s at %s, %02x:%02x:%02x:%02x:%02x:%02x", d->name, d->ops->model, d->where,
             d->mac[0], d->mac[1], d->mac[2], d->mac[3], d->mac[4], d->mac[5]);
    return OK;
}

void netdev_charge(struct netdev *d, struct msg *m)
{
    status_t status = msg_charge(m, d->kernel_pool);
    (void)status; /* the kernel's own account has no limit */
}

void netdev_flush(struct netdev *d)
{
    int n = d->ntx, sent = 0;
    if (!n)
        return;
    d->ntx = 0;
    if (LIKELY(d->started))
        sent = d->ops->tx(d, d->txq, n);
    d->mixed = false;
    d->stats.tx += (uint64_t)sent;
    for (int i = sent; i < n; i++) {
        d->stats.tx_bytes -= d->txq[i]->total;
        d->stats.tx_full++;
        msg_drop(d->k, d->txq[i], d->link ? DROP_NIC_RING : DROP_NIC_DOWN);
    }
}

static void watch(struct kernel *k, struct timer *t);

static void watch_next(struct netdev *d, uint64_t ns)
{
    d->watch.timer.fire = watch;
    timer_arm(d->k, &d->watch.timer, d->k->now + ns);
}

status_t netdev_start(struct netdev *d)
{
    status_t status = d->ops->start(d);
    if (status != OK)
        return status;
    d->started = true;
    d->watch.busy = false;
    if (d->ops->busy)
        watch_next(d, PATIENCE_NS);
    return OK;
}

void netdev_stop(struct netdev *d)
{
    timer_cancel(d->k, &d->watch.timer);
    if (d->started)
        d->ops->stop(d);
    d->started = false;
}

void netdev_mend(struct netdev *d)
{
    d->started = d->broken = false; /* so it is not waited for: nothing leaves any more */
    d->ops->stop(d);
    d->link = false;
    d->stats.restarts++;
    if (d->stats.restarts == 1)
        log_error(d->k, "%s: the card's rings make no sense: it is started anew", d->name);
    watch_next(d, RESTART_NS);
}

/* Busy at two looks, and nothing came back in between: what was there at the first is there still.
 */
static bool stuck(struct netdev *d)
{
    if (d->ops->reclaim)
        d->ops->reclaim(d);
    bool was = d->watch.busy && d->watch.taken == d->taken;
    d->watch.busy = d->link && d->ops->busy(d);
    d->watch.taken = d->taken;
    return was && d->watch.busy;
}

static void watch(struct kernel *k, struct timer *t)
{
    struct netdev *d = CONTAINER(t, struct netdev, watch.timer);
    if (!d->started) {
        if (netdev_start(d) != OK)
            watch_next(d, PATIENCE_NS);
    } else if (stuck(d)) {
        k->drops[DROP_NIC_BAD]++;
        netdev_mend(d);
    } else {
        watch_next(d, PATIENCE_NS);
    }
}
