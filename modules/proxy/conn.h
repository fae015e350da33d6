/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_PROXY_CONN_H
#define MODULES_PROXY_CONN_H
/*
 * The connection object behind proxy.h, shared by stage.c and conn.c. Its memory is side A's
 * path's. With two paths, each half has a proxy stage that points here; joined, the one stage
 * stands between the two tcp stages, and both sides name the same path.
 */
#include "modules/proxy/proxy.h"

#include "kernel/node.h"

enum { PROXY_HELD_MAX = 65536 }; /* bytes held per direction before the window closes */

struct conn {
    struct node *n;
    const struct proxy_code *code;
    void *private;
    struct endpoint client, local;
    struct {
        struct path *p; /* NULL: never opened */
        int at;         /* index of the proxy stage there */
        bool open, closed;
    } side[2];
    struct {
        struct msgq held;
        uint64_t forward; /* bytes that pass before the proxy wants to see them again */
        bool eof;         /* the sender has finished */
        bool shut;        /* and the receiver was told */
        bool crowded;     /* what crosses over filled the queue: say when it has emptied */
    } flow[2];
};

static inline enum side side_from(enum dir d)
{
    return d == AB ? SIDE_A : SIDE_B;
}

static inline enum side side_to(enum dir d)
{
    return d == AB ? SIDE_B : SIDE_A;
}

static inline bool conn_joined(const struct conn *c)
{
    return c->side[SIDE_A].p == c->side[SIDE_B].p;
}

/* The event reaches the tcp stage of that side. */
void conn_tell(struct conn *c, enum side s, enum event ev);
/* Give held bytes that may be forwarded to the other side, and the end of the stream after them. */
void conn_push(struct conn *c, enum dir d);
/* Both sides are gone: so is the connection. */
void conn_check_end(struct conn *c);

extern const struct stage_ops proxy_stage;

#endif
