/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_FWD_INSIDE_H
#define MODULES_FWD_INSIDE_H
/*
 * The inside of the fwd module. stage.c forwards what is plain; all else comes to odd.c, which asks
 * end.c about SYN, FIN and RST, fit.c about what is too long, fragment.c about fragments. sweep.c
 * ends paths, icmp.c translates errors, emit.c makes segments of our own from the records.
 *
 * The stage at `at` is `merged` when it is ipfwd_stage: m->data is the IP header then, else the TCP
 * header, and m->net is the IP header as received.
 */
#include "kernel/kernel.h"
#include "kernel/services.h"
#include "modules/fwd/fwd.h"
#include "modules/wire/forward.h"
#include "modules/wire/ip4.h"

enum {
    FWD_TRAINS = 256,     /* fragmented datagrams that are passed on at a time */
    FWD_CHALLENGES = 256, /* connections whose last challenge is remembered */
    FWD_TTL = 64,         /* of what we make ourselves */
    FWD_IP_TCP = IP4_HEADER + TCP_HEADER_MIN,
    AGE_SHIFT = 8, /* the high byte of a path's flags is its age */
    AGE_MAX = 255,
};

enum fwd_stat {
    FWD_CHALLENGED,
    FWD_RESETS,  /* that were believed */
    FWD_FIRED,   /* triggers */
    FWD_CLOSED,  /* paths that ended after FIN both ways */
    FWD_EXPIRED, /* by idle times; RST both ways */
    FWD_ICMP,    /* errors translated */
    FWD_CUT,     /* datagrams fragmented */
    FWD_TOLD,    /* fragmentation needed, said to a sender */
    FWD_TRAINS_PASSED,
    FWD_STATS
};

/* A datagram whose fragments pass one by one, found by what they have in common. */
struct train {
    uint32_t src, dst; /* as they arrive */
    uint16_t id;
    uint32_t path; /* id */
    uint32_t base; /* in: number of the first byte behind the IP header */
    uint64_t until;
};

struct challenge {
    uint32_t path; /* id */
    uint64_t ns;   /* of the last one */
};

enum limit { LIMIT_IDLE, LIMIT_HALFIDLE, LIMIT_RST, LIMIT_WAITING, LIMITS };

struct sweep {
    struct timer t;
    uint32_t next;  /* index of a path */
    uint32_t found; /* paths of ours in this round */
    uint32_t round;
    uint64_t period; /* ns a round takes */
    struct {
        bool counts;   /* a silent path gets older in this round */
        uint32_t each; /* rounds that a year of its age has */
        uint32_t most; /* age at which it ends */
    } limit[LIMITS];
    const struct shape *shape; /* of the last path: where its stage is; -1: not ours */
    int at;
};

struct fwd_node {
    struct node *self, *ip;
    struct sweep sweep;
    uint64_t seed;
    uint64_t stat[FWD_STATS];
    struct challenge challenge[FWD_CHALLENGES];
    struct train train[FWD_TRAINS];
};

/* One segment and what is known about it. */
struct seg {
    struct path *p;
    int at;
    enum dir d;
    bool merged;
    struct msg *m;
    const uint8_t *ip; /* its header as received */
    uint8_t *tcp;
    struct record *r, *back; /* of its direction, of the opposite one */
    uint32_t hlen, payload, seq, ack, end;
    uint8_t flags;
    bool sure; /* its checksum is right */
};

static inline struct record *fwd_record(const struct path *p, enum dir d)
{
    return flow_record(path_flow(p, d));
}

static inline struct fwd_node *fwd_of(const struct path *p, int at)
{
    return fwd_node_of(p->shape->at[at].node)->state;
}

/* sweep.c: stage_ops.worth and .evict */
void sweep_worth(const struct path *p, int at, struct standing *out);
void sweep_evict(struct path *p, int at);

/* stage.c */
/* Rewrites the IP header in place. */
void fwd_rewrite_ip(uint8_t *h, const struct record *r);

/* odd.c; consumes m */
void fwd_odd(struct path *p, int at, enum dir d, struct msg *m, bool merged);
/* Restores the frame as received, which waits for the rules and is classified again. */
void fwd_hold(struct seg *s);
/* Rewrites and sends on; consumes s->m. */
void fwd_go(struct seg *s);

/* end.c; the first two consume s->m */
void end_syn(struct seg *s);
void end_rst(struct seg *s);
/* The numbers of a segment that is about to be forwarded, FIN and acknowledgement of FIN included.
 */
void end_note(struct seg *s);
/* Records written by somebody else: what they say about the end. */
void end_moved(struct path *p);

/* emit.c: segments without payload, made from the records */
/* To the host that s came from, as the other one would send it now. */
void emit_answer(const struct seg *s);
void emit_resets(struct path *p, int at); /* both */

/* fit.c; the last two consume s->m */
bool fit_is_long(const struct seg *s);
bool fit_is_refused(const struct seg *s); /* too long, and not to be fragmented */
void fit_refuse(struct seg *s);
void fit_cut(struct seg *s); /* rewrites and sends on in fragments */
/* The same for a later fragment, which is rewritten already. */
void fit_pass(struct path *p, int at, enum dir d, struct msg *m);

/* train.c */
/* The flow of a fragment, if its path takes it as it is (forward_ops). */
const struct flow *train_flow(struct node *n, const struct msg *m);
void train_note(struct seg *s); /* the first fragment of a datagram is sent on */
void train_pass(struct path *p, int at, enum dir d, struct msg *m); /* a later one; consumes m */

/* icmp.c */
bool fwd_icmp(struct path *p, int at, enum dir d, struct msg *m);

/* sweep.c */
void sweep_init(struct node *n);
void sweep_start(struct fwd_node *f);
void sweep_stop(struct node *n);

#endif
