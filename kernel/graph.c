/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the tables that tools/mkgraph.py wrote to living nodes: settings (defaults, graph file,
 * command line), then init bottom up, cards, start, and the makers of the first paths. Everything
 * that is wrong is said in one line, and the boot stops.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/show.h"

struct node *node_bound(const struct node *lower, uint32_t key)
{
    struct node *rest = NULL;
    for (int i = 0; i < lower->nup; i++) {
        if (lower->up[i].key == key)
            return lower->up[i].upper;
        if (lower->up[i].key == 0)
            rest = lower->up[i].upper;
    }
    return rest;
}

struct node *node_above(const struct node *lower, uint32_t key)
{
    struct node *n = node_bound(lower, key);
    while (n && n->module->filter)
        n = node_bound(n, key);
    return n;
}

struct node *node_find(struct kernel *k, const char *name)
{
    for (int i = 0; i < k->nnodes; i++)
        if (strcmp(k->nodes[i].name, name) == 0)
            return &k->nodes[i];
    return NULL;
}

bool node_climbs(const struct node *n, const struct node *from)
{
    for (int i = 0; from && i < n->ndown; i++)
        if (n->down[i] == from)
            return true;
    return !from;
}

static status_t conf_fill(struct kernel *k, struct pool *pool, struct conf *c, const char *owner,
                          const struct setting *settings, const char *const *values)
{
    char why[CONF_WHY];
    c->settings = settings;
    for (c->n = 0; settings && settings[c->n].name; c->n++)
        ;
    c->values = c->n ? pool_alloc(pool, (size_t)c->n * sizeof *c->values) : NULL;
    c->known = c->n ? pool_alloc(pool, CONF_KNOWN * sizeof *c->known) : NULL;
    if (c->n && (!c->values || !c->known))
        return E_NOMEM;
    for (int i = 0; i < c->n; i++) {
        const char *text = values && values[i] ? values[i] : settings[i].value;
        status_t status = conf_set(pool, c, settings[i].name, text, why);
        if (status != OK) {
            log_error(k, "%s.%s", owner, why);
            return status;
        }
    }
    return OK;
}

static bool has_setting(const struct conf *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->settings[i].name, name) == 0)
            return true;
    return false;
}

/* `name` may be node.setting, or a setting of the kernel and of every node that has it. */
static status_t word_set(struct kernel *k, char *name, const char *text)
{
    char why[CONF_WHY];
    char *dot = strchr(name, '.');
    status_t status = E_NOENT;
    int found = 0;
    if (dot) {
        *dot = 0;
        struct node *n = node_find(k, name);
        if (!n) {
            log_error(k, "setting %s.%s: graph %s has no node %s", name, dot + 1, k->graph->name,
                      name);
            return E_NOENT;
        }
        status = conf_set(&n->pool, &n->conf, dot + 1, text, why);
        if (status != OK)
            log_error(k, "setting %s.%s", name, why);
        return status;
    }
    if (has_setting(&k->conf, name)) {
        status = conf_set(&k->pool, &k->conf, name, text, why);
        found++;
    }
    for (int i = 0; i < k->nnodes && (!found || status == OK); i++) {
        if (!has_setting(&k->nodes[i].conf, name))
            continue;
        status = conf_set(&k->nodes[i].pool, &k->nodes[i].conf, name, text, why);
        found++;
    }
    if (!found)
        log_error(k, "setting %s: neither the kernel nor a node of graph %s has it", name,
                  k->graph->name);
    else if (status != OK)
        log_error(k, "setting %s", why);
    return status;
}

status_t settings_apply(struct kernel *k, const char *cmdline)
{
    char word[256];
    while (cmdline && *cmdline) {
        size_t n = strcspn(cmdline, " \t\r\n");
        if (n >= sizeof word) {
            size_t name = strcspn(cmdline, "="); /* its value may be a secret */
            log_error(k, "setting '%.*s': longer than %zu characters", (int)(name < 40 ? name : 40),
                      cmdline, sizeof word - 1);
            return E_INVAL;
        }
        memcpy(word, cmdline, n);
        word[n] = 0;
        cmdline += n + (cmdline[n] != 0);
        if (!n)
            continue;
        char *equals = strchr(word, '=');
        if (!equals) {
            log_error(k, "setting '%s': expected name=value", word);
            return E_INVAL;
        }
        *equals = 0;
        status_t status = word_set(k, word, equals + 1);
        if (status != OK)
            return status;
    }
    return OK;
}

static status_t node_make(struct kernel *k, struct node *n, const struct graph_node *g)
{
    n->name = g->name;
    n->module = g->module;
    n->k = k;
    pool_init(&n->pool, k, UINT32_MAX);
    n->state = pool_alloc(&n->pool, g->module->node_size + 1);
    if (!n->state)
        return E_NOMEM;
    for (int i = 0; i < g->ndown; i++) {
        struct node *lower = &k->nodes[g->down[i].node];
        n->down[n->ndown++] = lower;
        if (lower->nup == NODE_UP) {
            log_error(k, "node %s: more than %d users", lower->name, NODE_UP);
            return E_INVAL;
        }
        lower->up[lower->nup++] = (struct node_binding){g->down[i].key, n};
    }
    return conf_fill(k, &n->pool, &n->conf, n->name, g->settings, g->values);
}

static status_t nodes_make(struct kernel *k)
{
    const struct graph *g = k->graph;
    k->nodes = pool_alloc(&k->pool, (size_t)g->nnodes * sizeof *k->nodes);
    if (!k->nodes)
        return E_NOMEM;
    for (k->nnodes = 0; k->nnodes < g->nnodes; k->nnodes++) {
        status_t status = node_make(k, &k->nodes[k->nnodes], &g->nodes[k->nnodes]);
        if (status != OK) {
            k->nnodes++;
            return status;
        }
    }
    return OK;
}

static status_t nodes_init(struct kernel *k)
{
    for (int i = 0; i < k->nnodes; i++) {
        struct node *n = &k->nodes[i];
        status_t status = n->module->init ? n->module->init(n) : OK;
        if (status != OK) { /* the module has said why */
            log_note(k, "node %s does not start: %s", n->name, status_name(status));
            return status;
        }
    }
    return OK;
}

static status_t cards_start(struct kernel *k)
{
    for (int i = 0; i < k->ndevs; i++) {
        struct netdev *d = k->devs[i];
        if (!d->node) {
            log_note(k, "%s: not used by graph %s", d->name, k->graph->name);
            continue;
        }
        status_t status = netdev_start(d);
        if (status != OK) {
            log_error(k, "%s (%s) does not start: %s", d->name, d->ops->model, status_name(status));
            return status;
        }
    }
    return OK;
}

static status_t makers_start(struct kernel *k)
{
    for (int i = 0; i < k->nnodes; i++) {
        struct node *n = &k->nodes[i];
        status_t status = n->module->start ? n->module->start(n) : OK;
        if (status != OK) { /* the module has said why */
            log_note(k, "node %s does not start: %s", n->name, status_name(status));
            return status;
        }
    }
    for (const struct path_maker *const *m = k->graph->makers; m && *m; m++) {
        status_t status = (*m)->start(k);
        if (status != OK) {
            log_error(k, "paths of kind %s cannot be made: %s", (*m)->name, status_name(status));
            return status;
        }
    }
    return OK;
}

static status_t limits_apply(struct kernel *k)
{
    uint32_t buffers = (uint32_t)conf_number(&k->conf, "buffers");
    k->sched.policy = (enum sched_policy)conf_number(&k->conf, "sched");
    k->paths_limit = (uint32_t)conf_number(&k->conf, "paths");
    k->path_pool_limit = (uint32_t)conf_number(&k->conf, "pathmem");
    if (buffers)
        msg_store_init(k, buffers);
    return flow_table_init(k, (uint32_t)conf_number(&k->conf, "flows"));
}

status_t graph_init(struct kernel *k, const struct graph *g, const char *cmdline)
{
    k->graph = g;
    status_t status = conf_fill(k, &k->pool, &k->conf, "kernel", g->settings, g->values);
    if (status == OK)
        status = nodes_make(k);
    if (status == OK)
        status = settings_apply(k, cmdline);
    if (status == OK)
        status = limits_apply(k);
    if (status == OK)
        status = nodes_init(k);
    if (status == OK)
        status = cards_start(k);
    if (status == OK)
        status = makers_start(k);
    return status;
}

static void conf_end(struct pool *pool, struct conf *c)
{
    for (int i = 0; c->values && i < c->n; i++)
        if (c->values[i].owned)
            pool_free(pool, (void *)(uintptr_t)c->values[i].text);
    pool_free(pool, c->values);
    pool_free(pool, c->known);
}

void graph_stop(struct kernel *k)
{
    for (int i = 0; i < k->ndevs; i++) {
        struct netdev *d = k->devs[i];
        netdev_flush(d);
        netdev_stop(d);
    }
    for (int i = k->nnodes - 1; i >= 0; i--) {
        struct node *n = &k->nodes[i];
        if (n->module->stop && n->state)
            n->module->stop(n);
        pool_end(&n->pool);
    }
    conf_end(&k->pool, &k->conf);
    pool_free(&k->pool, k->nodes);
    k->nodes = NULL;
    k->nnodes = 0;
}
