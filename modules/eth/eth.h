/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_ETH_ETH_H
#define MODULES_ETH_ETH_H
/* The inside of the eth module: what node.c and stage.c tell each other. */
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/node.h"
#include "kernel/path.h"
#include "kernel/services.h"
#include "modules/wire/eth.h"

struct eth {
    struct netdev *dev;
    struct node *ip4;       /* what most frames go to: node_bound(n, ETHERTYPE_IP4) */
    uint64_t mac, mac_bits; /* the first 8 bytes of a frame to us: our address, where it stands */
    uint32_t longest;       /* bytes of a frame, header included */
    uint32_t payload;       /* bytes of a frame without it */
    bool all;               /* frames to other stations too */
};

/* The same when m has no room for a header; consumes m. */
void eth_transmit_copy(const struct eth *e, const uint8_t *header, struct msg *m);

/* Put the header in front of m, an EtherType's payload, and send it; consumes m. */
static inline void eth_transmit(const struct eth *e, const uint8_t header[ETH_HEADER],
                                struct msg *m)
{
    struct netdev *d = e->dev;
    uint8_t *h = msg_push(m, ETH_HEADER);
    if (UNLIKELY(!h)) {
        eth_transmit_copy(e, header, m);
        return;
    }
    if (UNLIKELY(m->total > e->longest)) {
        msg_drop(d->k, m, DROP_ETH_LONG);
        return;
    }
    memcpy(h, header, ETH_HEADER);
    netdev_send(d, m);
}

/* stage.c */
MUST_CHECK status_t eth_create_stage(struct node *n, struct node *from, struct attrs *a,
                                     struct path *p, struct hop *h);

#endif
