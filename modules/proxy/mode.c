/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a proxy wants to see of each direction, as the rules read it, and whether its operator lets
 * a connection be spliced at all: the criteria of flow-splicing that every proxy shares. Each
 * proxy's .module file declares `splice`, `after` and `only`.
 */
#include "kernel/kernel.h"
#include "kernel/show.h"
#include "modules/proxy/conn.h"

enum proxy_mode proxy_mode(const struct conn *c, enum dir d, uint64_t *n)
{
    uint64_t forward = c->flow[d].forward;
    bool held = c->flow[d].held.head != NULL;
    *n = forward;
    if (forward == UINT64_MAX)
        return PROXY_FORWARD;
    if (forward)
        return PROXY_COUNTED;
    return c->flow[d].on_data && !held ? PROXY_WAITING : PROXY_CONTROL;
}

void proxy_passed(struct conn *c, enum dir d, uint64_t n)
{
    uint64_t *forward = &c->flow[d].forward;
    c->passed += n;
    if (*forward != UINT64_MAX)
        *forward -= n < *forward ? n : *forward;
}

/* 10.0.2.0/24 or 10.0.3.1 */
static bool prefix_read(const char *text, struct prefix *out)
{
    out->len = 32;
    return netaddr_parse(text, &out->addr) == OK || prefix_parse(text, out) == OK;
}

static bool list_has(const char *list, const struct netaddr *a)
{
    char name[PROXY_WORD], value[PROXY_WORD];
    struct prefix p;
    while (proxy_item(&list, name, value))
        if (prefix_read(name, &p) && prefix_contains(&p, a))
            return true;
    return false;
}

status_t proxy_init(struct node *n)
{
    char name[PROXY_WORD], value[PROXY_WORD];
    const char *list = conf_text(&n->conf, "only");
    struct prefix p;
    if (conf_endpoint(&n->conf, "listen")->port == 0) {
        log_error(n->k, "%s.listen: a port is needed", n->name);
        return E_INVAL;
    }
    while (proxy_item(&list, name, value))
        if (!prefix_read(name, &p)) {
            log_error(n->k, "%s.only: '%s': expected 10.0.2.0/24 or 10.0.3.1", n->name, name);
            return E_INVAL;
        }
    return OK;
}

bool proxy_may_splice(const struct conn *c)
{
    const char *only = conf_text(&c->n->conf, "only");
    return conf_bool(&c->n->conf, "splice") && c->passed >= c->after &&
           (!*only || list_has(only, &c->server.addr));
}
