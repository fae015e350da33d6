/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_ETH_ETH_H
#define MODULES_ETH_ETH_H
/* The inside of the eth module: what node.c and stage.c tell each other. */
#include "kernel/kernel.h"
#include "kernel/node.h"
#include "kernel/path.h"
#include "kernel/services.h"
#include "modules/wire/eth.h"

struct eth {
    struct netdev *dev;
    struct node *ip4; /* what most frames go to: node_bound(n, ETHERTYPE_IP4) */
    uint16_t mac_high;
    uint32_t mac_low; /* our address as two numbers */
    uint32_t longest; /* bytes of a frame, header included */
    bool all;         /* frames to other stations too */
};

/* Put a header in front of m, an EtherType's payload, and send it; consumes m. */
void eth_transmit(const struct eth *e, const uint8_t to[ETH_ADDR], uint16_t type, struct msg *m);

/* stage.c */
MUST_CHECK status_t eth_create_stage(struct node *n, struct node *from, struct attrs *a,
                                     struct path *p, struct hop *h);

#endif
