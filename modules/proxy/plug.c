/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plug: the smallest proxy (class 1: control only at set-up). Whoever connects to `listen` is
 * connected to `to`. The server is opened first and the client answered with what it said, so a
 * refusal is a refusal. `transparent=on`: the box stands in the middle and neither host sees its
 * addresses; without `to`, the client reaches whom it asked for.
 */
#include "kernel/conf.h"
#include "kernel/node.h"
#include "kernel/services.h"
#include "kernel/show.h"
#include "modules/proxy/proxy.h"

struct plug {
    uint64_t accepted, refused;
};

static status_t plug_accept(struct conn *c)
{
    struct node *n = proxy_node(c);
    struct plug *plug = n->state;
    const struct endpoint *to = conf_endpoint(&n->conf, "to");
    bool transparent = conf_bool(&n->conf, "transparent");
    status_t status =
        proxy_connect(c, to->port ? to : proxy_local(c), transparent ? proxy_client(c) : NULL);
    plug->accepted += status == OK;
    plug->refused += status != OK;
    return status;
}

static void plug_opened(struct conn *c, enum side s)
{
    if (s == SIDE_B)
        proxy_answer(c);
}

static const struct proxy_code plug_code = {
    .accept = plug_accept,
    .opened = plug_opened,
};

static status_t plug_init(struct node *n)
{
    bool transparent = conf_bool(&n->conf, "transparent");
    if (conf_endpoint(&n->conf, "to")->port == 0 && !transparent) {
        log_error(n->k, "%s.to: a server is needed unless transparent=on", n->name);
        return E_INVAL;
    }
    return proxy_init(n);
}

static status_t plug_create_stage(struct node *n, struct node *from, struct attrs *a,
                                  struct path *p, struct hop *h)
{
    (void)from;
    return proxy_create_stage(n, &plug_code, a, p, h);
}

static bool plug_listens(struct node *n, const struct endpoint *local, bool *transparent)
{
    const struct endpoint *listen = conf_endpoint(&n->conf, "listen");
    *transparent = conf_bool(&n->conf, "transparent");
    return listen->port == local->port &&
           (netaddr_is_any(&listen->addr) || netaddr_equal(&listen->addr, &local->addr));
}

static uint32_t plug_backlog(struct node *n)
{
    return (uint32_t)conf_number(&n->conf, "backlog");
}

static void plug_show(const struct node *n, struct show *out)
{
    const struct plug *plug = n->state;
    show_printf(out, "  accepted %llu\n  refused %llu\n", (unsigned long long)plug->accepted,
                (unsigned long long)plug->refused);
}

static const struct proxy_ops plug_ops = {plug_listens, plug_backlog, &plug_code};

const struct module plug_module = {
    .name = "plug",
    .node_size = sizeof(struct plug),
    .ops = &plug_ops,
    .init = plug_init,
    .create_stage = plug_create_stage,
    .show = plug_show,
};
