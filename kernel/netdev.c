/* SPDX-License-Identifier: BSD-2-Clause */
/* Cards: their list, and the transmit side that gathers a burst for one doorbell. */
#include "kernel/netdev.h"

#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/show.h"

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
