/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_PROXY_PROXY_H
#define MODULES_PROXY_PROXY_H
/*
 * How to write a proxy. A connection object joins a client (side A) and, once proxy_connect was
 * called, a server (side B). The proxy's code is called back and never blocks. Per direction it is
 * in control mode (it sees the bytes) or in forwarding mode (they go straight to the other side);
 * it says which, and the rules of the path decide what becomes of that.
 *
 * Failure: calls that can run into a limit return a status; after a failure the proxy usually calls
 * proxy_reset. Callbacks come between proxy_connect's return and the last `closed`; afterwards the
 * connection is gone. All memory is charged to the connection's path. plug.c is the smallest proxy.
 */
#include "kernel/msg.h"
#include "kernel/netaddr.h"
#include "kernel/path.h"
#include "kernel/types.h"

enum side { SIDE_A, SIDE_B }; /* the host that opened; the host that we opened to */

struct conn;

struct proxy_code {
    /* A SYN has come; nothing was answered yet. Refuse with a status: the client gets a RST. */
    status_t (*accept)(struct conn *c);
    /* The handshake with that side is complete. */
    void (*opened)(struct conn *c, enum side s);
    /* More bytes are held in that direction (control mode), or room has opened for sending. */
    void (*data)(struct conn *c, enum dir d);
    /* No more bytes will come in that direction. NULL: passed on when all held ones are consumed.
     */
    void (*eof)(struct conn *c, enum dir d);
    /* That side refused, reset or vanished. NULL: the other side is reset too. */
    void (*closed)(struct conn *c, enum side s);
};

struct node *proxy_node(const struct conn *c);
void **proxy_private(struct conn *c); /* a pointer of the proxy's own; allocate from proxy_pool */
struct pool *proxy_pool(struct conn *c);
const struct endpoint *proxy_client(const struct conn *c); /* who opened */
const struct endpoint *proxy_local(const struct conn *c);  /* whom it addressed */
bool proxy_is_open(const struct conn *c, enum side s);

/* Open side B. from: our address there; NULL: chosen by the route. The answer is `opened` or
 * `closed`. */
MUST_CHECK status_t proxy_connect(struct conn *c, const struct endpoint *to,
                                  const struct endpoint *from);
/* Answer the client's SYN; `opened` follows when the handshake is complete. */
void proxy_answer(struct conn *c);

/* Bytes held in that direction, in order; the queue is the connection's. */
const struct msgq *proxy_held(const struct conn *c, enum dir d);
void proxy_consume(struct conn *c, enum dir d, size_t n); /* n <= held bytes: done with them */
/* How much may be sent in that direction now; `data` is called when more room has opened. */
uint32_t proxy_room(struct conn *c, enum dir d);
/* Send bytes in that direction: proxy_send(c, AB, m) to side B. Consumes m. */
void proxy_send(struct conn *c, enum dir d, struct msg *m);
void proxy_shut(struct conn *c, enum dir d); /* after the bytes sent: FIN, once */
void proxy_reset(struct conn *c);            /* RST to both sides */

/* I no longer need the bytes of this direction; held ones go on first. */
void proxy_forward(struct conn *c, enum dir d);
/* I want them again after that many more have passed; 0: now. */
void proxy_control(struct conn *c, enum dir d, uint64_t after);

/* For proxy modules: the callbacks of struct module, which they name in their tables. */
status_t proxy_create_stage(struct node *n, const struct proxy_code *code, struct attrs *a,
                            struct path *p, struct hop *h);

/* For rules: what a path's stage `at` is part of. NULL: not a proxy stage. */
struct conn *proxy_at(const struct path *p, int at);
struct path *proxy_path(const struct conn *c, enum side s);

#endif
