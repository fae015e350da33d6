/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_SERVICES_H
#define KERNEL_SERVICES_H
/*
 * The services that modules provide to each other across an edge of the graph, as tables of calls
 * on the control plane (node->module->ops). Only like services connect; mkgraph.py checks it from
 * the .module files: link (eth), resolve (arp), network (ip), transport (tcp), forward (fwd), proxy
 * (plug ...).
 * Bytes never go this way: they go along paths.
 */
#include "kernel/netaddr.h"
#include "kernel/types.h"

struct flow;
struct msgq;
struct netdev;

/* link: eth. Below: a card. */
struct link_ops {
    struct netdev *(*dev)(struct node *n);
    /* Send m (an EtherType's payload) to `mac` at once; consumes m. For arp and bridges. */
    void (*send)(struct node *n, const uint8_t mac[6], uint16_t type, struct msg *m);
};

/* A neighbour on a link. Owned by the resolver; users hold a reference and read it. */
struct neigh {
    struct node *link;  /* eth node */
    struct netdev *dev; /* its card */
    struct netaddr addr;
    uint8_t header[14]; /* of a frame to it: its MAC, ours, the resolver's protocol */
    bool valid;         /* the header may be used */
    uint16_t index;     /* in the resolver's table */
    uint32_t refs;      /* paths that use it: it is probed before it expires */
};

/* resolve: arp, later nd. */
struct resolve_ops {
    /* The neighbour entry for addr on that link, made if need be; takes a reference. NULL: full. */
    struct neigh *(*get)(struct node *n, struct node *link, const struct netaddr *addr);
    void (*put)(struct node *n, struct neigh *g);
    /* m (an IP datagram) waits for the answer, or is dropped arp.unresolved; consumes m. */
    void (*wait)(struct node *n, struct neigh *g, struct msg *m);
};

struct route {
    struct node *link;      /* eth node to send on */
    struct netaddr nexthop; /* the destination itself when it is on the link */
    struct netaddr source;  /* our address on that link */
    uint16_t mtu;           /* of the link */
};

/* network: ip. */
struct network_ops {
    MUST_CHECK status_t (*route)(struct node *n, const struct netaddr *to, struct route *out);
    bool (*is_local)(struct node *n, const struct netaddr *a);
    /* Path MTU to that host as learnt from ICMP, at most the link's; 0: unknown, use the link's. */
    uint16_t (*path_mtu)(struct node *n, const struct netaddr *to);
    /* Send m (transport header and payload, checksummed) as a datagram of its own, outside any
     * path: replies to unmatched segments, ICMP. `ttl` 0: default. Consumes m. */
    void (*send)(struct node *n, const struct netaddr *from, const struct netaddr *to,
                 uint8_t proto, uint8_t ttl, struct msg *m);
    /* An ICMP error about the datagram whose IP header is at m->data. Consumes nothing. Says
     * nothing where RFC 1122 3.2.2 and RFC 1812 4.3.2 forbid it or the rate is used up. */
    void (*error)(struct node *n, uint8_t type, uint8_t code, uint32_t info, struct msg *m);
    /* The i-th address of ours on the link of that card; false: there are only i. */
    bool (*address)(struct node *n, struct node *card, int i, struct netaddr *out);
    /* A router says that datagrams to that host may not be longer. Who calls has checked that the
     * message is about something we sent. */
    void (*learn_mtu)(struct node *n, const struct netaddr *to, uint16_t mtu);
    /* May an ICMP error be sent to that host now, be it ours or one that is passed on? Counts. */
    bool (*may_tell)(struct node *n, const struct netaddr *to);
    /* Cut the datagram m (m->data at its IP header) into pieces for that MTU, appended to out;
     * consumes m. */
    void (*fragment)(struct node *n, struct msg *m, uint16_t mtu, struct msgq *out);
    /* What enters p in direction d by card[d] goes as a router's datagrams do from now on. All of
     * p's flows, or E_NOMEM and none. */
    MUST_CHECK status_t (*adopt)(struct node *n, struct path *p, struct node *const card[2]);
};

/* transport: tcp. What an ICMP error tells it; quoted: the transport header as far as quoted. */
struct transport_ops {
    void (*icmp)(struct node *n, uint8_t type, uint8_t code, uint32_t mtu,
                 const struct netaddr *quoted_src, const struct netaddr *quoted_dst,
                 const uint8_t *quoted, size_t len);
    /* Is a segment without a flow this node's to answer, though it is addressed to somebody else?
     * For transparent listeners, and for what is left of their connections. Ports in host order. */
    bool (*takes)(struct node *n, const struct endpoint *from, const struct endpoint *to);
    /* The connections at these stages are the two sides of a proxy that may splice them: none
     * offers its host more than the other's host takes. q NULL: the other side is not known yet. */
    void (*bind)(struct path *p, int at, struct path *q, int to);
    /* Bytes of that connection's host that went past the proxy since the last call. */
    uint64_t (*passed)(struct path *p, int at);
};

/* forward: fwd. */
struct forward_ops {
    /* The flow of a fragment (m->net is its IP header) whose path takes fragments one by one. NULL:
     * it must be reassembled. */
    const struct flow *(*fragment)(struct node *n, const struct msg *m);
};

/* proxy: what tcp asks the node above it when a SYN arrives for a listener. */
struct proxy_ops {
    /* Does this proxy listen on that address and port? transparent: the address need not be ours.
     */
    bool (*listens)(struct node *n, const struct endpoint *local, bool *transparent);
    uint32_t (*backlog)(struct node *n); /* half-open connections at most; above: SYN cookies */
    const void *code; /* struct proxy_code, for connections that a rule gives back */
};

#endif
