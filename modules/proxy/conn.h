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
    struct endpoint client, local, server;
    bool away;              /* a rule took our stage out of the path */
    bool parting;           /* side B was let go; joined, its stages are still there */
    bool connecting;        /* and proxy_connect was called since */
    struct endpoint from;   /* for it; no family: chosen by the route */
    bool telling;           /* the proxy's `data` runs */
    uint8_t again;          /* bit per direction: it is to be called once more */
    uint64_t passed, after; /* bytes sent on, both ways; so many before it may be spliced */
    struct {
        struct path *p; /* NULL: never opened */
        int at;         /* index of the proxy stage there */
        bool open, closed;
    } side[2];
    struct {
        struct msgq held;
        uint64_t forward; /* bytes that pass before the proxy wants to see them again */
        bool on_data;     /* the proxy waits for the next byte, and only for that */
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

/* Away from the path, there is one thing to say: RST to both hosts. */
void conn_tell_away(struct conn *c, enum event ev);
/* The event reaches the tcp stage of that side. */
void conn_tell(struct conn *c, enum side s, enum event ev);
/* Give held bytes that may be forwarded to the other side, and the end of the stream after them. */
void conn_push(struct conn *c, enum dir d);
/* The proxy's `data`, in control mode. */
void conn_data(struct conn *c, enum dir d);
/* part.c: connect again when the stages of the old side B are out of the way. */
void conn_part(struct conn *c, const struct endpoint *to, const struct endpoint *from);
/* Both sides are gone: so is the connection. */
void conn_check_end(struct conn *c);

#endif
