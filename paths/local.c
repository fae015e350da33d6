/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * local: the paths that end in the box, made once at boot for every card: `eth arp`, `eth ip` (what
 * the flow table does not know), and `eth ip X` for every module above ip. Each is noted in its
 * last node's passive[], where demux finds it. They have queues, so a flood is shed at the path it
 * is for, and the others go on.
 */
#include "kernel/kernel.h"

static status_t local_path(struct kernel *k, struct netdev *d, uint32_t type, uint32_t proto)
{
    struct attrs a = {0};
    struct path *p;
    attrs_set_number(&a, ATTR_KIND, PATH_LOCAL);
    attrs_set_node(&a, ATTR_IN_NODE, d->node);
    attrs_set_number(&a, ATTR_ETHERTYPE, type);
    if (proto)
        attrs_set_number(&a, ATTR_PROTO, proto);
    status_t status = path_create(k, d->node, &a, false, &p);
    if (status == OK)
        p->shape->at[p->shape->n - 1].node->passive[d->index] = p;
    return status;
}

/* The numbers under which n has users, through filters; proto 0 is n itself. */
static status_t local_above(struct kernel *k, struct netdev *d, uint32_t type)
{
    struct node *n = node_above(d->node, type);
    status_t status = n ? local_path(k, d, type, 0) : E_NOENT;
    for (int i = 0; status == OK && i < n->nup; i++)
        if (n->up[i].key && n->up[i].key < 256) /* else no header has it: it takes no paths */
            status = local_path(k, d, type, n->up[i].key);
    return status;
}

static status_t link_paths(struct kernel *k, struct netdev *d, const struct node *below)
{
    status_t status = OK;
    for (int i = 0; status == OK && i < below->nup; i++) {
        const struct node_binding *up = &below->up[i];
        if (up->key)
            status = local_above(k, d, up->key);
        else if (up->upper->module->filter) /* who is bound to the filter is bound to the card */
            status = link_paths(k, d, up->upper);
    }
    return status;
}

static status_t local_start(struct kernel *k)
{
    status_t status = OK;
    for (int i = 0; status == OK && i < k->ndevs; i++)
        if (k->devs[i]->node)
            status = link_paths(k, k->devs[i], k->devs[i]->node);
    return status;
}

const struct path_maker local_paths = {.name = "local", .start = local_start};
