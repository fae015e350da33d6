/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_FWD_FWD_H
#define MODULES_FWD_FWD_H
/*
 * The final forwarding stages of spliced connections, for the rules in paths/rules/. Both work on
 * two forwarding records (modules/wire/record.h) and nothing else:
 *
 *   fwd     in `eth ip fwd ip eth`: segments; ip reassembles before and writes headers behind
 *   ipfwd   in `eth ipfwd eth`: datagrams, rewritten where they lie
 *
 * Their node in a shape is the proxy's, so the way back to control knows it. Nothing here fails.
 */
#include "kernel/node.h"
#include "kernel/path.h"
#include "modules/wire/record.h"

/* What matters only if the proxy may see bytes of the connection again: the state of both stages,
 * or NULL when it never will. From the path's pool; who makes the stage fills it in. By the
 * direction of the flow. */
struct fwd_keep {
    void *conn;                                /* the proxy's connection object */
    void (*end)(void *conn);                   /* when the path dies */
    void (*moved)(void *conn, struct path *p); /* when its object is another one */
    uint32_t trigger[2];     /* in: a segment whose end passes it is held; if kept.stops[] */
    bool fired[2];           /* such a segment came */
    struct splice_kept kept; /* tcp's own */
};

extern const struct module fwd_module;
extern const struct stage_ops fwd_stage, ipfwd_stage;

/* The fwd node that a proxy's node stands on; NULL: its connections are never spliced. */
struct node *fwd_node_of(const struct node *proxy);
/* Stage `at` of p is one of the two, and the connection must be the proxy's again. */
bool fwd_wants_back(const struct path *p, int at);
/* ns since the last segment, counted coarsely; and that so many have passed already, when the stage
 * is new. Rewriting a path does not make its connection younger. */
uint64_t fwd_silence(const struct path *p, int at);
void fwd_silent(struct path *p, int at, uint64_t ns);
/* Both records change nothing: the path does what a router does. */
bool fwd_is_identity(const struct path *p);

#endif
