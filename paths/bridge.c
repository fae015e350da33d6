/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge: one path `eth eth` between the two cards of the graph, for every frame of both,
 * so their frames need no classification (struct netdev: all). It is the floor under all other
 * paths: what it costs, drivers and kernel cost. Filters that the graph puts
 * on a card are in the path. The eth nodes must be promiscuous. Fails unless there are two.
 */
#include "kernel/kernel.h"
#include "kernel/show.h"

/* Where a path that ends at card n is entered from above. */
static struct node *top(struct node *n)
{
    for (struct node *up = node_bound(n, 0); up; up = node_bound(n, 0))
        n = up;
    return n;
}

static status_t bridge_start(struct kernel *k)
{
    struct netdev *end[2] = {NULL, NULL};
    int n = 0;
    for (int i = 0; i < k->ndevs; i++)
        if (k->devs[i]->node && n++ < 2)
            end[n - 1] = k->devs[i];
    if (n != 2) {
        log_error(k, "a bridge has two cards; the graph uses %d", n);
        return E_INVAL;
    }
    struct attrs a = {0};
    struct path *p;
    attrs_set_number(&a, ATTR_KIND, PATH_BRIDGE);
    attrs_set_node(&a, ATTR_IN_NODE, end[0]->node);
    attrs_set_node(&a, ATTR_OUT_NODE, top(end[1]->node));
    status_t status = path_create(k, end[0]->node, &a, true, &p);
    if (status != OK)
        return status;
    for (int i = 0; i < 2; i++) {
        end[i]->all = p;
        end[i]->all_dir = i ? BA : AB;
    }
    return OK;
}

const struct path_maker bridge_paths = {.name = "bridge", .start = bridge_start};
