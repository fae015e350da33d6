/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * router: paths `eth ip eth`. None exists at boot: the slow path of ip (modules/ip/slow.c) makes
 * one when the first datagram for a neighbour comes, so what this maker does is to see that it can,
 * that is, that there is an ip node that may forward and has the paths of paths/local.c.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/show.h"

static bool has_slow_path(const struct node *n)
{
    for (int i = 0; i < NETDEV_MAX; i++)
        if (n->passive[i])
            return true;
    return false;
}

static status_t router_start(struct kernel *k)
{
    for (int i = 0; i < k->nnodes; i++) {
        const struct node *n = &k->nodes[i];
        if (strcmp(n->module->name, "ip") == 0 && has_slow_path(n) &&
            conf_bool(&n->conf, "forward"))
            return OK;
    }
    log_error(k, "a router needs a node of module ip with forward=on, and `path local` before");
    return E_NOENT;
}

const struct path_maker router_paths = {.name = "router", .start = router_start};
