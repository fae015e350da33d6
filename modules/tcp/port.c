/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ephemeral ports: RFC 6056 3.3.3 (algorithm 3, simple hash-based): an offset that depends on the
 * destination under the secret, and a counter, so that ports to one destination are not reused
 * soon and cannot be foreseen from another. A port is taken when the tuple has a flow or waits in
 * TIME-WAIT. E_NOMEM: none found in PORT_TRIES steps; the caller counts conn.limit.
 */
#include <stdlib.h>

#include "modules/tcp/tcp.h"

enum { PORT_TRIES = 2048 };

status_t tcp_ports_parse(struct node *n)
{
    struct tcp_node *tn = n->state;
    char *end;
    unsigned long low = strtoul(conf_text(&n->conf, "ports"), &end, 10), high = 0;
    if (*end == '-')
        high = strtoul(end + 1, &end, 10);
    if (*end || low < 1 || low > high || high > 65535)
        return E_INVAL;
    tn->port_low = (uint16_t)low;
    tn->port_high = (uint16_t)high;
    return OK;
}

static bool port_free(struct node *n, const struct endpoint *l, const struct endpoint *r)
{
    const struct tcp_node *tn = n->state;
    uint32_t local = netaddr_to_ip4(&l->addr), remote = netaddr_to_ip4(&r->addr);
    if (flow_find(&n->k->flows, flow_key_ip4(FLOW_CONN, 0, 6, remote, local, r->port, l->port)))
        return false;
    return !wait_find(&tn->waits, local, l->port, remote, r->port);
}

status_t tcp_port_choose(struct node *n, const struct endpoint *remote, struct endpoint *local)
{
    struct tcp_node *tn = n->state;
    uint32_t range = tn->port_high - tn->port_low + 1U;
    struct endpoint any = *local;
    any.port = 0;
    uint32_t offset = (uint32_t)tcp_tuple_hash(n, 'p', &any, remote, 0);
    for (uint32_t i = 0; i < PORT_TRIES && i < range; i++) {
        local->port = (uint16_t)(tn->port_low + (offset + tn->port_next++) % range);
        if (port_free(n, local, remote))
            return OK;
    }
    return E_NOMEM;
}
