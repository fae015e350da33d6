/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tcp node: the module's table, what all its connections share, and its counters. init fails
 * when a setting makes no sense or memory is short.
 */
#include "kernel/services.h"

#include "kernel/plat.h"
#include "kernel/show.h"
#include "modules/tcp/spliced.h"

static status_t tcp_init(struct node *n)
{
    struct tcp_node *tn = n->state;
    for (int i = 0; i < 2; i++)
        tn->secret[i] = plat_random(n->k);
    tn->port_next = (uint32_t)plat_random(n->k);
    tn->delack_ns = conf_number(&n->conf, "delack");
    tn->rto_min_ns = conf_number(&n->conf, "rtomin");
    tn->initial_window = (uint32_t)conf_number(&n->conf, "iw");
    tn->backlog = (uint32_t)conf_number(&n->conf, "backlog");
    tn->rcvbuf = (uint32_t)conf_number(&n->conf, "rcvbuf");
    tn->timestamps = conf_bool(&n->conf, "timestamps");
    tn->sack = conf_bool(&n->conf, "sack");
    tn->wscale = conf_bool(&n->conf, "wscale");
    tn->cookies = conf_bool(&n->conf, "cookies");
    if (tcp_ports_parse(n) != OK) {
        log_error(n->k, "%s.ports: expected LOW-HIGH such as 16384-65535", n->name);
        return E_INVAL;
    }
    return wait_init(n, &tn->waits, (uint32_t)conf_number(&n->conf, "waits"));
}

static void tcp_stop(struct node *n)
{
    struct tcp_node *tn = n->state;
    wait_end(&tn->waits);
}

/* Asked by ip for a segment that has no flow: the passive path of the card takes it. */
static struct node *tcp_demux(struct node *n, struct demux *d)
{
    d->path = n->passive[d->m->in_dev];
    d->dir = AB;
    d->why = DROP_TCP_CLOSED;
    return d->path ? DEMUX_FOUND : DEMUX_DROP;
}

static bool is_intercepted(struct node *n, const struct endpoint *server)
{
    bool transparent = false;
    return tcp_listener(n, server, &transparent) && transparent;
}

/* To a server that we stand in for, or from one: the hosts of a transparent connection have never
 * seen each other's numbers, so what comes for it when it is gone must not get through. */
static bool tcp_takes(struct node *n, const struct endpoint *from, const struct endpoint *to)
{
    const struct tcp_node *tn = n->state;
    return is_intercepted(n, to) || is_intercepted(n, from) ||
           wait_find(&tn->waits, netaddr_to_ip4(&to->addr), to->port, netaddr_to_ip4(&from->addr),
                     from->port);
}

static const char *const stat_names[STAT_COUNT] = {
    [STAT_ACTIVE] = "active",
    [STAT_PASSIVE] = "passive",
    [STAT_RETRANSMIT] = "retransmits",
    [STAT_FAST] = "fast-recoveries",
    [STAT_RTO] = "time-outs",
    [STAT_DUPACK] = "duplicate-acks",
    [STAT_CHALLENGE] = "challenges",
    [STAT_PROBE] = "window-probes",
    [STAT_KEEPALIVE] = "keepalives",
    [STAT_COOKIE_SENT] = "cookies-sent",
    [STAT_COOKIE_GOOD] = "cookies-valid",
    [STAT_COOKIE_BAD] = "cookies-invalid",
    [STAT_PAWS] = "paws",
    [STAT_RST_IN] = "resets-in",
    [STAT_RST_OUT] = "resets-out",
    [STAT_OOO] = "out-of-order",
    [STAT_GIVEUP] = "given-up",
    [STAT_IDLE] = "idle-resets",
    [STAT_REFUSED] = "refused",
    [STAT_WAIT_REUSED] = "time-wait-reused",
    [STAT_WAIT_EVICTED] = "time-wait-evicted",
    [STAT_PMTU] = "mtu-lowered",
};

static void tcp_show(const struct node *n, struct show *out)
{
    const struct tcp_node *tn = n->state;
    show_printf(out, "  segments-in %llu\n  segments-out %llu\n", (unsigned long long)tn->segs_in,
                (unsigned long long)tn->segs_out);
    for (unsigned s = TCP_SYN_SENT; s < TCP_STATES; s++)
        show_printf(out, "  %s %u\n", tcp_state_name(s), tn->state[s]);
    show_printf(out, "  TIME-WAIT %u\n", tn->waits.live);
    for (int i = 0; i < STAT_COUNT; i++)
        show_printf(out, "  %s %llu\n", stat_names[i], (unsigned long long)tn->stat[i]);
    splice_show_table(&tn->splices, out);
}

static const struct transport_ops tcp_ops = {
    .icmp = tcp_icmp, .takes = tcp_takes, .bind = tcp_bind, .passed = tcp_passed};

const struct module tcp_module = {
    .name = "tcp",
    .node_size = sizeof(struct tcp_node),
    .ops = &tcp_ops,
    .init = tcp_init,
    .create_stage = tcp_create_stage,
    .demux = tcp_demux,
    .show = tcp_show,
    .stop = tcp_stop,
};
