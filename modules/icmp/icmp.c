/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * icmp: the end of the paths `eth ip icmp`. Echo requests are answered in the buffer they came in
 * (RFC 1122 3.2.2.6). Errors are checked, as far as that needs no connection, and handed to the
 * transport that their quotation names (RFC 1122 3.2.2; spec R-BAD-18 to -24). All other types are
 * ignored, redirects and source quenches among them (RFC 9293 MUST-55, RFC 6633). Errors that we
 * send are made in modules/ip/error.c.
 */
#include "kernel/kernel.h"
#include "kernel/node.h"
#include "kernel/services.h"
#include "kernel/show.h"
#include "modules/wire/cksum.h"
#include "modules/wire/icmp4.h"
#include "modules/wire/ip4.h"
#include "modules/wire/tcp.h"

enum { QUOTED_MIN = 8 }; /* bytes behind a quoted header: ports and a sequence number (RFC 792) */

struct icmp {
    uint64_t echoes, errors;
};

/* The answer has the same bytes but for the type, and no options: the header is a new one. */
static void echo(struct node *n, struct msg *m)
{
    struct node *ip = n->down[0];
    struct icmp *icmp = n->state;
    const struct network_ops *ops = ip->module->ops;
    struct netaddr to = netaddr_ip4(be32_get(m->net + IP4_SRC));
    struct netaddr from = netaddr_ip4(be32_get(m->net + IP4_DST));
    if (m->flags & MSG_BROADCAST || !ops->is_local(ip, &from) || !conf_bool(&n->conf, "echo")) {
        msg_drop(n->k, m, DROP_ICMP_TYPE); /* spec R-BAD-19 */
        return;
    }
    uint8_t *h = m->data;
    h[ICMP_TYPE] = ICMP_ECHO_REPLY;
    /* An echo of nothing but zeros sums up to 0, not to 0xffff (RFC 1624 3); for all others the two
     * are the same. */
    uint16_t sum = cksum_patch(be16_get(h + ICMP_CKSUM), ICMP_ECHO << 8, 0);
    be16_put(h + ICMP_CKSUM, sum ? sum : 0xffff);
    icmp->echoes++;
    ops->send(ip, &from, &to, PROTO_ICMP, 0, m);
}

struct quote {
    const uint8_t *header, *transport;
    uint32_t len; /* of the transport's header, as far as quoted */
    struct netaddr src, dst;
    uint8_t proto;
};

/* spec R-BAD-23 */
static bool quote_read(const struct msg *m, struct quote *q)
{
    const uint8_t *h = m->data + ICMP_HEADER;
    uint32_t len = m->len - ICMP_HEADER, hlen;
    if (len < IP4_HEADER || h[IP4_VIHL] >> 4 != 4)
        return false;
    hlen = ip4_header_len(h);
    if (hlen < IP4_HEADER || len < hlen + QUOTED_MIN || ip4_offset(h))
        return false;
    if (h[IP4_PROTO] == PROTO_ICMP && icmp_is_error(h[hlen + ICMP_TYPE]))
        return false;
    *q = (struct quote){.header = h,
                        .transport = h + hlen,
                        .len = len - hlen,
                        .src = netaddr_ip4(be32_get(h + IP4_SRC)),
                        .dst = netaddr_ip4(be32_get(h + IP4_DST)),
                        .proto = h[IP4_PROTO]};
    return true;
}

/* The flow of ours that has those addresses and ports, seen from the other side. */
static const struct flow *quoted_flow(const struct kernel *k, const struct quote *q)
{
    struct flow_key key =
        flow_key_ip4(FLOW_CONN, 0, q->proto, netaddr_to_ip4(&q->dst), netaddr_to_ip4(&q->src),
                     be16_get(q->transport + TCP_AT_DPORT), be16_get(q->transport + TCP_AT_SPORT));
    return flow_find(&k->flows, key);
}

static void error(struct node *n, struct msg *m)
{
    struct node *ip = n->down[0];
    struct icmp *icmp = n->state;
    uint8_t type = m->data[ICMP_TYPE], code = m->data[ICMP_CODE];
    struct quote q;
    if (!quote_read(m, &q)) {
        msg_drop(n->k, m, DROP_ICMP_QUOTE);
        return;
    }
    struct node *upper = node_bound(ip, q.proto);
    const struct transport_ops *transport = upper ? upper->module->ops : NULL;
    const struct flow *f = quoted_flow(n->k, &q);
    if (!transport || !transport->icmp || !f) {
        msg_drop(n->k, m, DROP_ICMP_STALE);
        return;
    }
    uint16_t mtu = 0; /* RFC 1191 4: in the low half */
    if (type == ICMP_UNREACHABLE && code == ICMP_FRAG_NEEDED) {
        mtu = be16_get(m->data + ICMP_INFO + 2);
        if (mtu < IP4_MTU_MIN || mtu >= be16_get(q.header + IP4_LEN)) { /* spec R-BAD-22 */
            msg_drop(n->k, m, DROP_ICMP_STALE);
            return;
        }
    }
    icmp->errors++;
    if (path_icmp(flow_path(n->k, f), (enum dir)f->dir,
                  m)) /* a splice's: the far host's business */
        return;
    /* The transport knows whether it is in flight, and learns the MTU then. */
    transport->icmp(upper, type, code, mtu, &q.src, &q.dst, q.transport, q.len);
    msg_free(m);
}

static void receive(struct path *p, int at, struct msg *m)
{
    struct node *n = p->shape->at[at].node;
    if (m->len < ICMP_HEADER || cksum_fold(cksum_msg(0, m, 0)) != 0xffff) {
        msg_drop(n->k, m, DROP_ICMP_MALFORMED); /* spec R-BAD-18 */
        return;
    }
    switch (m->data[ICMP_TYPE]) {
    case ICMP_ECHO:
        echo(n, m);
        break;
    case ICMP_UNREACHABLE:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETER:
        error(n, m);
        break;
    default: /* spec R-BAD-24 */
        msg_drop(n->k, m, DROP_ICMP_TYPE);
        break;
    }
}

static void nothing_comes(struct path *p, int at, struct msg *m)
{
    (void)at;
    msg_drop(p->pool.k, m, DROP_IP_ROUTE);
}

static const struct stage_ops icmp_stage = {.deliver = {receive, nothing_comes}};

static status_t icmp_create_stage(struct node *n, struct node *from, struct attrs *a,
                                  struct path *p, struct hop *h)
{
    (void)a, (void)p;
    h->ops = &icmp_stage;
    return node_climbs(n, from) ? OK : E_INVAL;
}

static struct node *icmp_demux(struct node *n, struct demux *d)
{
    d->path = n->passive[d->m->in_dev];
    d->dir = AB;
    d->why = DROP_IP_PROTO;
    return d->path ? DEMUX_FOUND : DEMUX_DROP;
}

static void icmp_show(const struct node *n, struct show *out)
{
    const struct icmp *icmp = n->state;
    show_printf(out, "  echoes %llu\n  errors %llu\n", (unsigned long long)icmp->echoes,
                (unsigned long long)icmp->errors);
}

const struct module icmp_module = {
    .name = "icmp",
    .node_size = sizeof(struct icmp),
    .create_stage = icmp_create_stage,
    .demux = icmp_demux,
    .show = icmp_show,
};
