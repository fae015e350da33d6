/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_HTTP_EXCHANGE_H
#define MODULES_HTTP_EXCHANGE_H
/*
 * A client's connection and the request that is being answered on it; one at a time, so that
 * pipelined ones wait where they are held. ask.c moves the request, answer.c the response, node.c
 * runs both whenever something has changed. Memory is the connection's path's.
 */
#include "kernel/kernel.h"
#include "modules/http/message.h"
#include "modules/http/route.h"
#include "modules/proxy/proxy.h"

struct http { /* a node's */
    struct routes routes;
    uint64_t requests, refused, failed, connects, reused, passed;
    char out[HEAD_MAX + REQUEST_MORE]; /* a head on its way out */
};

enum asking {
    ASK_HEAD,  /* between requests, or in the head of one */
    ASK_READY, /* it waits for the server */
    ASK_BODY,
    ASK_SENT, /* until the response has gone nothing more is read */
    ASK_OVER, /* what still comes is thrown away */
};

enum answering {
    ANSWER_NONE, /* nothing was asked */
    ANSWER_HEAD,
    ANSWER_BODY,
    ANSWER_TUNNEL, /* 101: no longer ours */
};

enum passing { /* bytes of a body */
               PASS_NONE,
               PASS_OURSELVES,
               PASS_FORWARDED, /* the connection does it, and may be spliced; proxy_mode says how
                                  far it is */
};

struct exchange {
    struct timer timer;
    struct conn *c;
    uint8_t asking, answering;
    bool running, again;  /* node.c: never in itself */
    bool finished[2];     /* by direction: FIN has come */
    uint8_t passing[2];   /* by direction: enum passing */
    uint64_t left[2];     /* PASS_OURSELVES: bytes */
    bool begun;           /* the client has got a part of the response */
    bool started;         /* the request's body of known length is on its way */
    bool server;          /* there is one, or will be */
    struct endpoint at;   /* it */
    struct head *head[2]; /* by direction: while it is gathered; NULL: no byte of it */
    struct chunks chunks[2];
    struct request request;
    struct response response;
};

static inline struct http *http_of(const struct exchange *x)
{
    return proxy_node(x->c)->state;
}

/* Nothing more comes from there. */
static inline bool exchange_ended(const struct exchange *x, enum dir d)
{
    return x->finished[d] && !proxy_held(x->c, d)->head;
}

/* Each moves what it can and says whether anything changed. */
bool ask_step(struct exchange *x);
bool answer_step(struct exchange *x);

/* Gather a head in that direction. HEAD_MORE: not yet. HEAD_WHOLE, or the status of a refusal. */
int head_gather(struct exchange *x, enum dir d);
void head_free(struct exchange *x, enum dir d);
/* n bytes of a body go on. A large lot is forwarded, if nobody waits in the other direction. */
void pass_bytes(struct exchange *x, enum dir d, uint64_t n);
/* Moves what it can; true: they have gone. */
bool passed_bytes(struct exchange *x, enum dir d, bool *moved);
/* Chunked body: moves what it can. CHUNK_DATA: pass_bytes is under way. */
enum chunk_is pass_chunks(struct exchange *x, enum dir d, bool *moved);

/* The client gets that status, unless it has got something already, and the connection ends. */
void exchange_fail(struct exchange *x, int status);
void exchange_end(struct exchange *x); /* the client gets a FIN after what was sent */
void exchange_abort(struct exchange *x);
void exchange_wait(struct exchange *x, const char *setting); /* no longer than that */
void server_leave(struct exchange *x);

#endif
