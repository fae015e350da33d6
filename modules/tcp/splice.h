/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_SPLICE_H
#define MODULES_TCP_SPLICE_H
/*
 * Splicing: the public face of the tcp module for the rules in paths/rules/. A splice joins the
 * flow that comes in on one connection to the flow that goes out on another (spec flow-splicing
 * 1.2); it is one direction, the opposite one is a splice of its own or none. What a segment says
 * about its own flow (data, FIN) and what it says about the opposite one (acknowledgement, window)
 * are handled apart.
 *
 * Failure: splice_start changes nothing when it fails. Whatever happens to a splice, bytes that we
 * have acknowledged are delivered once and in order, or both hosts get a RST.
 */
#include "kernel/path.h"
#include "kernel/types.h"
#include "modules/wire/record.h"

enum splice_state { /* spec flow-splicing 3.1 */
                    SPLICE_UNSPLICED,
                    SPLICE_PENDING,     /* bytes that we acknowledged wait to be sent */
                    SPLICE_FORWARDING,  /* they were sent, and not all acknowledged */
                    SPLICE_ESTABLISHED, /* nothing of the flow is here */
                    SPLICE_WAITING,     /* its FIN is acknowledged */
                    SPLICE_STATES
};

enum splice_drain { DRAIN_ABSORB, DRAIN_HOLD, DRAIN_CONCURRENT }; /* spec decisions 1 */
enum splice_stop { STOP_WAIT, STOP_COPY };                        /* spec splicing 5 */

enum splice_event {
    SPLICE_START_BUFFERED, /* unsent bytes, or a window gap */
    SPLICE_START_UNACKED,
    SPLICE_START_CLEAN,
    SPLICE_SENT,       /* the last buffered byte was sent, the gap is closed */
    SPLICE_SENT_ACKED, /* and all of it is acknowledged */
    SPLICE_ACKED,      /* the last buffered byte was acknowledged */
    SPLICE_FIN_TAKEN,  /* FIN while PENDING: we took it in order, and close the other side */
    SPLICE_FIN_ACKED,
    SPLICE_FIN_ABSORBED,
    SPLICE_STOPPED,
    SPLICE_BROKEN, /* one connection has died, the other one goes on (absorb) */
    SPLICE_EXPIRED,
    SPLICE_EVENTS
};

/* How often each happened; with bytes in the receive buffer, the proxy, the send buffer. */
struct splice_stats {
    uint64_t count[SPLICE_STATES][SPLICE_EVENTS];
    uint64_t with[SPLICE_STATES][SPLICE_EVENTS][3];
    uint64_t forwarded, acks, held, dropped;
};

struct splice_conf {
    enum splice_drain drain;
    bool absorb_fin; /* the FIN ends the inbound flow only: the outbound one stays ours */
    uint64_t limit;  /* stops by itself when more bytes come than that; UINT64_MAX: none */
    struct msgq
        *held; /* bytes between the two connections, in the proxy: taken over; may be NULL */
};

/* The stage that both connections of a path share while both flows are spliced: preliminary FWD. */
extern const struct stage_ops tcp_fwd_stage;
/* The stage of a connection whose host is at that end of the path. */
const struct stage_ops *tcp_stage_of(enum dir d);

/* --- one flow: `from` and `to` are paths with a tcp stage, or tcp_fwd_stage, at that index --- */

/* May the flow from the host of stage (p, at) to that of (q, to) be spliced now? */
bool splice_possible(const struct path *p, int at, const struct path *q, int to);
/* E_EXIST: a flow is spliced already in that role (R-FLOW-8). E_INVAL: not possible. E_NOMEM. */
MUST_CHECK status_t splice_start(struct path *p, int at, struct path *q, int to,
                                 const struct splice_conf *conf);
/* Back to control. New bytes of the flow come to the proxy when all that was forwarded has been
 * acknowledged (STOP_WAIT; what arrives meanwhile comes again), or is held here (STOP_COPY). The
 * proxy's stage hears EVENT_BACK then. d: the end of the path where the flow comes from. */
void splice_stop(struct path *p, int at, enum dir d, enum splice_stop how);
/* The end was asked for and has not come: it goes on as if nothing had been. False: nothing to do.
 */
bool splice_is_stopped(const struct path *p, int at, enum dir d);
bool splice_resume(struct path *p, int at, enum dir d);
/* A splice with a limit that was reached ends now, not when more bytes come. */
void splice_return(struct path *p, int at, enum dir d);
/* The proxy's stage is back: it hears of a FIN that went past it while it was away. */
void splice_catch_up(struct path *p, int at, enum dir d);
/* Nothing of the flow waits here out of order. */
bool splice_is_quiet(const struct path *p, int at, enum dir d);
/* It is about to end. */
bool splice_is_due(const struct path *p, int at, enum dir d);
enum splice_state splice_state_of(const struct path *p, int at, enum dir d);
const char *splice_state_name(unsigned state);
const struct splice_stats *splice_stats_of(const struct node *tcp);

/* --- both flows: what the rules do with a joined path `.. tcp proxy tcp ..` --- */

/* The state of a tcp_fwd_stage that stands for the stages at..at+2; conn is the proxy's, ended by
 * `end` if the path dies. The shape is the caller's business, and so is undoing it. NULL: no
 * memory. */
void *fwd_make(struct path *p, int at, void *conn, void (*end)(void *conn));
void fwd_unmake(struct path *p, void *state);
/* The other way round: states of the stages tcp, proxy, tcp. */
void fwd_split(const struct path *p, int at, void *state[3]);
void *fwd_conn(const struct path *p, int at);

/* Neither connection is over: there is something to go back for. */
bool fwd_is_alive(const struct path *p, int at);
/* One of the flows is to be the proxy's again, so the path needs a place for it. */
bool fwd_wants_control(const struct path *p, int at);
/* Both directions are ESTABLISHED (or WAITING) and may become records. */
bool fwd_is_settled(const struct path *p, int at);
/* Writes the records and limits of segment size, and ends both connections: state was a
 * tcp_fwd_stage's until now. How long neither host has sent anything, ns. */
uint64_t fwd_settle(struct path *p, void *state, struct splice_kept *out);
/* The connections again, from the records, both flows ESTABLISHED. kept may be NULL;
 * due: that flow's limit was reached, what comes behind waits for the proxy. silent_ns: how long
 * neither host has sent anything. The new state
 * of the stage, which must become a tcp_fwd_stage. NULL: no memory, no change. */
void *fwd_unsettle(struct path *p, struct node *tcp, void *conn, void (*end)(void *conn),
                   const struct splice_kept *kept, const bool due[2], uint64_t silent_ns);
/* Undoes fwd_unsettle: the records are as good as before. */
void fwd_drop(struct path *p, void *state);

#endif
