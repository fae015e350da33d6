/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_SPLICED_H
#define MODULES_TCP_SPLICED_H
/*
 * The inside of the splice engine. One struct splice is one direction: src is the connection its
 * bytes come from, dst the one they leave by. `src space` and `dst space` are the sequence numbers
 * of these; delta is dst space minus src space of the same byte (spec flow-splicing 0, 5).
 *
 * Who owns which field of a TCB (spec flow-splicing 2.3): until PENDING ends all are ordinary
 * TCP's. From FORWARDING on src->rcv_nxt is what the far host has acknowledged, src->rcv_adv its
 * window's edge; dst->snd_* belong to TCP while bytes below the cut are unacknowledged, then they
 * follow what is forwarded, so that each segment that either connection builds is right by itself.
 */
#include "modules/tcp/splice.h"
#include "modules/tcp/tcp.h"

enum { CAP_WINDOW = 32768, LIMIT_MOST = 1 << 30 };

enum stopping { STOPPING_NOT, STOPPING_WAIT, STOPPING_COPY, STOPPING_KEEP };

/* ms: how far a stamp that passed here may be ahead of our clock, which was set by one that had
 * been under way for an unknown time. */
enum { STAMPS_UNDER_WAY = 4096 };

struct splice {
    struct tcb *src, *dst;
    uint8_t state;    /* enum splice_state */
    uint8_t drain;    /* enum splice_drain */
    uint8_t stopping; /* KEEP: bytes behind the stop wait in src's out-of-order queue */
    bool due;         /* and it shall end as soon as that is possible */
    bool absorb;      /* FIN mode */
    bool fin;         /* src's host has sent its FIN */
    bool unheard;     /* made from a record, and dst's host has not spoken since */
    bool has_echo, has_first;
    bool had[3]; /* when it began: bytes in receive buffer, proxy, send buffer */
    uint32_t delta;
    uint32_t cut;      /* dst space: first byte that is forwarded, not buffered here */
    uint32_t max;      /* dst space: behind the highest byte forwarded, FIN included */
    uint32_t stop;     /* dst space: first byte that is not forwarded any more */
    uint32_t fin_src;  /* src space: number of the FIN */
    uint32_t ts_off;   /* added to time stamps of src's host */
    uint32_t ts_first; /* src's: no echo of an earlier one is told to it */
    uint32_t echo;     /* time stamp echo for src's host: what dst's host echoed, mapped */
    uint32_t sacked;   /* dst space: highest end of a SACK block above the cut */
    uint32_t held_cost;
    uint32_t begun;                         /* src space: where it began */
    struct tcp_range sack[TCP_SACK_BLOCKS]; /* src space: goes with the next acknowledgement */
    uint8_t nsack;
    struct msgq held;   /* DRAIN_HOLD: segments that wait; cb: see drain.c */
    struct reass *copy; /* STOPPING_COPY: bytes from the stop on, src space */
    struct timer waiting;
    uint64_t asked_ns; /* when dst's host was asked to speak */
    uint64_t segments, bytes, acks;
};

/* splice.c */
void splice_event(struct splice *s, enum splice_event ev);
void splice_free(struct splice *s);
void splice_show(const struct splice *s, struct show *out);
void splice_show_table(const struct splice_stats *stats, struct show *out);

/* drain.c: PENDING, and the way out of it */
void splice_begin(struct splice *s, const struct splice_conf *conf);
void drain_check(struct splice *s);
void drain_hold(struct splice *s, struct msg *m, const struct segment *g);
/* What waits is forwarded, as far as there is room for it now. */
void drain_release(struct splice *s);
void drain_held_drop(struct splice *s);
/* Behind the right edge of dst's host, dst space. */
static inline uint32_t splice_edge(const struct tcb *dst)
{
    return dst->snd_una + dst->snd_wnd;
}

/* forward.c, reverse.c */
void splice_forward(struct splice *s, struct msg *m, const struct segment *g);
void splice_window_moved(struct splice *s);
void splice_established(struct splice *s);
void splice_expire(struct kernel *k, struct timer *t); /* fires 2 MSL after the last segment */

/* Both connections of the path share one stage: there is no proxy. */
static inline bool tcb_is_paired(const struct tcb *c)
{
    return c->p->shape->at[c->at].ops == &tcp_fwd_stage;
}

/* fwdstage.c: state of the stage for these two; NULL: no memory. And one of the two. */
struct tcb *fwd_side(const void *state, enum dir d);
void *fwd_pair(struct path *p, struct tcb *a, struct tcb *b, void *conn, void (*end)(void *conn));

/* stop.c */
void stop_check(struct splice *s);
/* What of m may go on now; NULL: nothing. */
/* STOPPING_KEEP: the FIN with that number has come. */
void stop_at_fin(struct splice *s, uint32_t number);
/* STOPPING_COPY: it is about to be forwarded. */
void stop_copy(struct splice *s, const struct msg *m, uint32_t seq);
struct msg *stop_cut(struct splice *s, struct msg *m, uint32_t seq);
void stop_finish(struct splice *s, enum splice_event ev);

#endif
