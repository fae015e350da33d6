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
#include "kernel/services.h"
#include "kernel/types.h"

enum side { SIDE_A, SIDE_B }; /* the host that opened; the host that we opened to */

struct conn;

struct proxy_code {
    /* A SYN has come; nothing was answered yet. Refuse with a status: the client gets a RST. */
    status_t (*accept)(struct conn *c);
    /* The handshake with that side is complete. */
    void (*opened)(struct conn *c, enum side s);
    /* More bytes are held in that direction (control mode), or room has opened for sending. Never
     * called out of itself. */
    void (*data)(struct conn *c, enum dir d);
    /* No more bytes will come in that direction. NULL, or in forwarding mode: passed on when all
     * held ones have gone. */
    void (*eof)(struct conn *c, enum dir d);
    /* That side refused, reset or vanished. NULL: the other side is reset too. */
    void (*closed)(struct conn *c, enum side s);
    /* The last call: free what the pool does not (timers). NULL: nothing is left. */
    void (*ended)(struct conn *c);
};

struct node *proxy_node(const struct conn *c);
void **proxy_private(struct conn *c); /* a pointer of the proxy's own; allocate from proxy_pool */
struct pool *proxy_pool(struct conn *c);
const struct endpoint *proxy_client(const struct conn *c); /* who opened */
const struct endpoint *proxy_local(const struct conn *c);  /* whom it addressed */
const struct endpoint *
proxy_server(const struct conn *c); /* side B, once proxy_connect was called */
bool proxy_is_open(const struct conn *c, enum side s);

/* Open side B. from: our address there; NULL: chosen by the route. The answer is `opened` or
 * `closed`. */
MUST_CHECK status_t proxy_connect(struct conn *c, const struct endpoint *to,
                                  const struct endpoint *from);
/* Let side B go: a FIN follows what was sent, what it still says is thrown away, no callback about
 * it comes any more, both directions are in control mode, and proxy_connect may be called again. */
void proxy_disconnect(struct conn *c);
/* Answer the client's SYN; `opened` follows when the handshake is complete. */
void proxy_answer(struct conn *c);

/* Bytes held in that direction, in order; the queue is the connection's. */
const struct msgq *proxy_held(const struct conn *c, enum dir d);
void proxy_consume(struct conn *c, enum dir d, size_t n); /* n <= held bytes: done with them */
/* How much may be sent in that direction now; `data` is called when more room has opened. */
uint32_t proxy_room(struct conn *c, enum dir d);
/* Send bytes in that direction: proxy_send(c, AB, m) to side B. Consumes m. */
void proxy_send(struct conn *c, enum dir d, struct msg *m);
/* The first message held, at most n of its bytes, which are no longer held. NULL: none, no memory.
 */
struct msg *proxy_take(struct conn *c, enum dir d, size_t n);
/* The first bytes held, over messages, at most n of them; returns how many. */
size_t proxy_peek(const struct conn *c, enum dir d, void *to, size_t n);
/* Send a copy of the bytes; whether there is room is the caller's business. */
MUST_CHECK status_t proxy_write(struct conn *c, enum dir d, const void *bytes, size_t n);
void proxy_shut(struct conn *c, enum dir d); /* after the bytes sent: FIN, once */
void proxy_reset(struct conn *c);            /* RST to both sides */

/* I no longer need the bytes of this direction; held ones go on first. */
void proxy_forward(struct conn *c, enum dir d);
/* I want them again after that many more have passed; 0: now. PROXY_ON_DATA: the next byte is mine,
 * but until it comes the direction may be spliced, with a trigger. Either is good for one time:
 * then the direction is in control mode. */
void proxy_control(struct conn *c, enum dir d, uint64_t after);
#define PROXY_ON_DATA (UINT64_MAX - 1)

/* For proxy modules: the callbacks of struct module, which they name in their tables. */
status_t proxy_create_stage(struct node *n, const struct proxy_code *code, struct attrs *a,
                            struct path *p, struct hop *h);
/* Checks the settings that all proxies share: `listen`, `splice`, `after`, `only`. Says what is
 * wrong. */
MUST_CHECK status_t proxy_init(struct node *n);
/* For its struct proxy_ops: what the settings `listen` and `backlog` say; not transparent. */
bool proxy_listens(struct node *n, const struct endpoint *local, bool *transparent);
uint32_t proxy_backlog(struct node *n);
/* The next item of a list in a setting, `name=value` or `name`, as text; value is empty when there
 * is none. False: the end. Too long: cut, so that the word is wrong. */
enum { PROXY_WORD = 256 };
bool proxy_item(const char **list, char name[PROXY_WORD], char value[PROXY_WORD]);

extern const struct stage_ops proxy_stage;
/* For rules: what a path's stage `at` is part of. NULL: not a proxy stage. */
struct conn *proxy_at(const struct path *p, int at);
struct path *proxy_path(const struct conn *c, enum side s);
enum proxy_mode {
    PROXY_CONTROL, /* every byte goes to the proxy */
    PROXY_FORWARD, /* none, for ever */
    PROXY_COUNTED, /* none until *n more have passed */
    PROXY_WAITING, /* PROXY_ON_DATA, and nothing is held */
};
enum proxy_mode proxy_mode(const struct conn *c, enum dir d, uint64_t *n);
/* Side B was let go and its connection is over, but its stages are still in the client's path. */
bool proxy_parted(const struct conn *c);
void proxy_alone(struct conn *c); /* now they are not */
/* A rule took its stage out of the path, which is p now, until it is put in again: no bytes come,
 * none can be sent, and all it can say is proxy_reset. */
void proxy_away(struct conn *c, struct path *p);
/* The bytes held in that direction, for a splice to take. */
struct msgq *proxy_pending(struct conn *c, enum dir d);
/* May the proxy ever want to see bytes again? If not, a spliced path can do without its object.
 * A proxy that forwards for ever and has no private state any more does not. */
bool proxy_returns(const struct conn *c);
/* The object of a proxy that had been ended for that reason, both sides open, both directions
 * forwarding: from the path's two flows. NULL: no memory. */
struct conn *proxy_revive(struct path *p, struct node *n);
/* A connection whose stages a rule took out of the path ends: its memory goes. */
void proxy_end(struct conn *c);
/* So many bytes went past the proxy while the direction was spliced. */
void proxy_passed(struct conn *c, enum dir d, uint64_t n);
/* The operator's criteria: `splice`, `after` bytes of both directions, `only` towards servers. When
 * the answer changes, NOTE_MODE comes (not for `splice`, which is set by hand). */
bool proxy_may_splice(const struct conn *c);

#endif
