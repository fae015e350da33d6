/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_NODE_H
#define KERNEL_NODE_H
/*
 * A module is code; a node is one configured instance of it in the graph. tools/mkgraph.py turns a
 * graph file into the tables below; graph_init brings the nodes up in an order in which everything
 * a node uses is up before it. A module's init returns a status_t and logs one clear line when it
 * fails; the boot stops then.
 */
#include "kernel/attrs.h"
#include "kernel/classify.h"
#include "kernel/conf.h"
#include "kernel/netdev.h"
#include "kernel/path.h"
#include "kernel/types.h"

enum { NODE_DOWN = 8, NODE_UP = 16 };

struct module {
    const char *name;
    size_t node_size; /* of the module's own state, node->state, zeroed */
    const void *ops;  /* interface of the service it provides (services.h); NULL: none */
    status_t (*init)(struct node *n);
    status_t (*start)(struct node *n); /* all nodes are up, paths may be created; may be NULL */
    /* Grow a path by one stage. `from`: the node asked before, NULL at the first. */
    status_t (*create_stage)(struct node *n, struct node *from, struct attrs *a, struct path *p,
                             struct hop *h);
    struct node *(*demux)(struct node *n, struct demux *d); /* narrows; never writes */
    void (*show)(const struct node *n, struct show *out);   /* some lines: never a table */
    /* Behind them, of a table: entry i. False: there is none, nor behind it. May be NULL. */
    bool (*show_item)(const struct node *n, struct show *out, uint32_t i);
    void (*stop)(struct node *n); /* free what node's pool does not */
    bool filter; /* stands between two others: what is bound to it is bound to what is below it */
};

/* An edge as the graph file states it: `upper` uses `lower`, under number `key` of lower's space.
 */
struct node_binding {
    uint32_t key; /* EtherType, IP protocol; 0: everything that has no binding of its own */
    struct node *upper;
};

struct node {
    const char *name;
    const struct module *module;
    struct kernel *k;
    void *state;
    struct node *down[NODE_DOWN]; /* nodes this one uses, in the order of the graph file */
    int ndown;
    struct node_binding up[NODE_UP]; /* nodes that use this one */
    int nup;
    struct path *passive[NETDEV_MAX]; /* per card: path that ends here and takes what has no own */
    struct conf conf;
    struct pool pool; /* the node's own account */
};

struct node *node_bound(const struct node *lower,
                        uint32_t key); /* exact key, else key 0, else NULL */
/* The same, through filters. */
struct node *node_above(const struct node *lower, uint32_t key);
struct node *node_find(struct kernel *k, const char *name);
/* `from` is below n: a path that comes from there climbs. NULL counts as below. */
bool node_climbs(const struct node *n, const struct node *from);

/* What mkgraph.py writes. */
struct graph_node {
    const char *name;
    const struct module *module;
    const struct setting *settings; /* the module's, ends with a NULL name */
    const char *const *values;      /* the graph file's, per setting; NULL: the module's default */
    struct {
        uint8_t node; /* index of the node used */
        uint32_t key;
    } down[NODE_DOWN];
    uint8_t ndown;
};

/* Who creates which path: paths/NAME.c. Called in order when all nodes have started. */
struct path_maker {
    const char *name;
    status_t (*start)(struct kernel *k);
};

struct graph {
    const char *name;
    const char *purpose;
    const struct graph_node *nodes; /* in init order */
    int nnodes;
    const struct path_maker *const *makers; /* NULL ends */
    const struct rule *const *rules;        /* NULL ends; in the order they are tried */
    const struct setting *settings;         /* of the kernel itself: seed, sched, buffers, ... */
    const char *const *values;
};

extern const struct graph graph; /* the one linked into this image */

/* cmdline: words `name=value` or `node.name=value` that override. Says why when it fails. */
MUST_CHECK status_t graph_init(struct kernel *k, const struct graph *g, const char *cmdline);
void graph_stop(struct kernel *k);

#endif
