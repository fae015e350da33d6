/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udp: the end of the paths `eth ip udp`. Checks a datagram, finds who listens on its port, and
 * tells the sender when nobody does (RFC 1122 4.1.3.1). Services are lines of a table; the one
 * there is, echo, answers in the buffer it got and never to another echo, so two cannot be set upon
 * each other.
 */
#include "kernel/kernel.h"
#include "kernel/node.h"
#include "kernel/services.h"
#include "kernel/show.h"
#include "modules/wire/cksum.h"
#include "modules/wire/icmp4.h"
#include "modules/wire/ip4.h"
#include "modules/wire/udp.h"

enum { PORT_ECHO = 7, PORT_SERVICES = 1024 };

struct udp {
    uint64_t in, echoes;
};

/* What m->data is: the UDP header, checked; consumes m. */
typedef void service_fn(struct node *n, struct msg *m);

struct service {
    uint16_t port;
    const char *setting; /* on or off */
    service_fn *serve;
};

/* Swapping addresses and ports leaves the checksum as it is. */
static void echo(struct node *n, struct msg *m)
{
    struct node *ip = n->down[0];
    struct udp *udp = n->state;
    const struct network_ops *ops = ip->module->ops;
    uint8_t *h = m->data;
    uint16_t client = be16_get(h + UDP_SPORT);
    struct netaddr to = netaddr_ip4(be32_get(m->net + IP4_SRC));
    struct netaddr from = netaddr_ip4(be32_get(m->net + IP4_DST));
    if (client < PORT_SERVICES || m->flags & MSG_BROADCAST) {
        msg_drop(n->k, m, DROP_UDP_PORT);
        return;
    }
    be16_put(h + UDP_SPORT, be16_get(h + UDP_DPORT));
    be16_put(h + UDP_DPORT, client);
    udp->echoes++;
    ops->send(ip, &from, &to, PROTO_UDP, 0, m);
}

static const struct service services[] = {
    {PORT_ECHO, "echo", echo},
};

static service_fn *service_at(const struct node *n, uint16_t port)
{
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        if (services[i].port == port && conf_bool(&n->conf, services[i].setting))
            return services[i].serve;
    return NULL;
}

/* A length of less than the datagram's leaves padding, more is a lie. A checksum of 0: none. */
static bool is_sane(struct msg *m)
{
    const uint8_t *h = m->data;
    if (m->len < UDP_HEADER)
        return false;
    uint32_t len = be16_get(h + UDP_LEN);
    if (len < UDP_HEADER || len > m->total)
        return false;
    if (len < m->total)
        msg_trim(m, len);
    uint32_t pseudo =
        cksum_pseudo(be32_get(m->net + IP4_SRC), be32_get(m->net + IP4_DST), PROTO_UDP, len);
    return be16_get(h + UDP_CKSUM) == 0 || m->flags & MSG_CSUM_VALID ||
           cksum_fold(cksum_msg(pseudo, m, 0)) == 0xffff;
}

/* The error quotes the datagram from its IP header on, which is still in front of m. */
static void nobody(struct node *n, struct msg *m)
{
    struct node *ip = n->down[0];
    const struct network_ops *ops = ip->module->ops;
    if (msg_push(m, (uint32_t)(m->data - m->net)))
        ops->error(ip, ICMP_UNREACHABLE, ICMP_PORT, 0, m);
    msg_drop(n->k, m, DROP_UDP_PORT);
}

static void receive(struct path *p, int at, struct msg *m)
{
    struct node *n = p->shape->at[at].node;
    struct udp *udp = n->state;
    if (!is_sane(m)) {
        msg_drop(n->k, m, DROP_UDP_MALFORMED);
        return;
    }
    service_fn *serve = service_at(n, be16_get(m->data + UDP_DPORT));
    udp->in++;
    if (serve)
        serve(n, m);
    else
        nobody(n, m);
}

static void nothing_comes(struct path *p, int at, struct msg *m)
{
    (void)at;
    msg_drop(p->pool.k, m, DROP_IP_ROUTE);
}

static const struct stage_ops udp_stage = {.deliver = {receive, nothing_comes}};

static status_t udp_create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                                 struct hop *h)
{
    (void)a, (void)p;
    h->ops = &udp_stage;
    return node_climbs(n, from) ? OK : E_INVAL;
}

static struct node *udp_demux(struct node *n, struct demux *d)
{
    d->path = n->passive[d->m->in_dev];
    d->dir = AB;
    d->why = DROP_IP_PROTO;
    return d->path ? DEMUX_FOUND : DEMUX_DROP;
}

static void udp_show(const struct node *n, struct show *out)
{
    const struct udp *udp = n->state;
    show_printf(out, "  in %llu\n  echoes %llu\n", (unsigned long long)udp->in,
                (unsigned long long)udp->echoes);
}

const struct module udp_module = {
    .name = "udp",
    .node_size = sizeof(struct udp),
    .create_stage = udp_create_stage,
    .demux = udp_demux,
    .show = udp_show,
};
