/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_ATTRS_H
#define KERNEL_ATTRS_H
/*
 * Typed attributes: what is known about a path while it is being created. A module reads those it
 * understands and adds what the next one needs. A set holds ATTRS_MAX of them; setting one that is
 * there replaces it. Getting one that is absent: E_NOENT, *out untouched.
 */
#include "kernel/netaddr.h"
#include "kernel/types.h"

enum attr_key {
    ATTR_KIND,      /* number: enum path_kind, what the path is for */
    ATTR_ETHERTYPE, /* number: what the node above eth is bound to */
    ATTR_PROTO,    /* number: IP protocol the node above ip is bound to; absent: ip ends the path */
    ATTR_LOCAL,    /* endpoint: ours on this connection (transparent: the far host's) */
    ATTR_REMOTE,   /* endpoint: the host on the wire */
    ATTR_NEXTHOP,  /* address: the neighbour a descending eth stage sends to */
    ATTR_IN_NODE,  /* node: link the path's A end receives from */
    ATTR_OUT_NODE, /* node: link the path's B end sends on */
    ATTR_PROXY,    /* node: proxy module on top */
    ATTR_CONN,     /* pointer: proxy's connection object */
    ATTR_SYN,      /* pointer: parsed SYN that opens the path (tcp's own) */
    ATTR_DST,      /* address: destination a router path was made for */
    ATTR_MTU,      /* number: bytes of IP datagram the link carries; set by eth, read by tcp */
};

/* What a path is for; the modules' create_stage choose their stage by it. */
enum path_kind {
    PATH_LOCAL,  /* ends in a module of the box: arp, icmp, udp, tcp's passive path */
    PATH_BRIDGE, /* eth to eth */
    PATH_ROUTER, /* eth ip eth */
    PATH_CONN,   /* one TCP connection and the proxy on top of it */
};

struct attr {
    enum attr_key key;
    union {
        uint64_t number;
        struct netaddr addr;
        struct endpoint endpoint;
        struct node *node;
        void *pointer;
    } v;
};

enum { ATTRS_MAX = 12 };

struct attrs {
    int n;
    struct attr a[ATTRS_MAX];
};

void attrs_set_number(struct attrs *a, enum attr_key key, uint64_t v);
void attrs_set_addr(struct attrs *a, enum attr_key key, const struct netaddr *v);
void attrs_set_endpoint(struct attrs *a, enum attr_key key, const struct endpoint *v);
void attrs_set_node(struct attrs *a, enum attr_key key, struct node *v);
void attrs_set_pointer(struct attrs *a, enum attr_key key, void *v);

MUST_CHECK status_t attrs_number(const struct attrs *a, enum attr_key key, uint64_t *out);
MUST_CHECK status_t attrs_addr(const struct attrs *a, enum attr_key key, struct netaddr *out);
MUST_CHECK status_t attrs_endpoint(const struct attrs *a, enum attr_key key, struct endpoint *out);
struct node *attrs_node(const struct attrs *a, enum attr_key key); /* NULL: absent */
void *attrs_pointer(const struct attrs *a, enum attr_key key);     /* NULL: absent */
/* The number, or `otherwise` when it is absent. */
uint64_t attrs_number_or(const struct attrs *a, enum attr_key key, uint64_t otherwise);

#endif
