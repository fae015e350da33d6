/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_TCP_H
#define MODULES_TCP_TCP_H
/*
 * The inside of the tcp module: the transmission control block (struct tcb) of one connection and
 * what the files of this folder tell each other. Nobody outside includes this but the unit tests;
 * other modules see stages and struct transport_ops.
 *
 * A segment that arrives goes  segment.c -> stage.c -> in.c (-> ack.c, data.c) -> out.c. Everything
 * a connection owns is charged to its path.
 */
#include <assert.h>

#include "kernel/kernel.h"
#include "kernel/node.h"
#include "kernel/path.h"
#include "kernel/timer.h"
#include "modules/tcp/cc.h"
#include "modules/tcp/reass.h"
#include "modules/tcp/segment.h"
#include "modules/tcp/seq.h"
#include "modules/tcp/splice.h"
#include "modules/tcp/wait.h"

enum tcp_state { /* RFC 9293 3.3.2; LISTEN is the passive stage, TIME-WAIT the table of wait.c */
                 TCP_CLOSED,
                 TCP_SYN_SENT,
                 TCP_SYN_RECEIVED,
                 TCP_ESTABLISHED,
                 TCP_FIN_WAIT_1,
                 TCP_FIN_WAIT_2,
                 TCP_CLOSE_WAIT,
                 TCP_CLOSING,
                 TCP_LAST_ACK,
                 TCP_STATES
};

/* What the passive stage hands to the stage that is created for it (ATTR_SYN). */
struct tcp_syn {
    struct segment g;
    struct node *listener; /* the node above us on the way to it */
    uint32_t iss;          /* cookie: the sequence number the client has acknowledged */
    uint32_t ts_offset;    /* cookie: of our time stamps, the SYN-ACK had one */
    bool cookie;           /* the handshake is complete already */
    bool reuse;            /* iss is to be above the TIME-WAIT connection's (RFC 6191) */
};

enum tcp_stat {
    STAT_ACTIVE,
    STAT_PASSIVE,
    STAT_RETRANSMIT,
    STAT_FAST,
    STAT_RTO,
    STAT_DUPACK,
    STAT_CHALLENGE,
    STAT_PROBE,
    STAT_KEEPALIVE,
    STAT_COOKIE_SENT,
    STAT_COOKIE_GOOD,
    STAT_COOKIE_BAD,
    STAT_PAWS,
    STAT_RST_IN,
    STAT_RST_OUT,
    STAT_OOO,
    STAT_GIVEUP,
    STAT_IDLE,
    STAT_REFUSED,
    STAT_WAIT_REUSED,
    STAT_WAIT_EVICTED,
    STAT_PMTU,
    STAT_COUNT
};

struct tcp_node {
    uint64_t secret[2];
    uint64_t stat[STAT_COUNT];
    uint64_t segs_in, segs_out;
    uint32_t state[TCP_STATES]; /* connections in each */
    uint32_t half_open[NODE_UP];
    uint64_t cookie_ns;             /* when the last cookie was sent; 0: never */
    uint64_t delack_ns, rto_min_ns; /* settings that every segment needs */
    uint32_t initial_window;        /* segments */
    uint32_t backlog, rcvbuf;       /* settings that every SYN needs */
    bool timestamps, sack, wscale, cookies;
    uint16_t port_low, port_high;
    uint64_t port_next; /* never wraps: who searches sees each port once */
    struct wait_table waits;
    struct splice_stats splices;
};

enum timer_use { TIMER_NONE, TIMER_START, TIMER_RTO, TIMER_PERSIST }; /* START: the SYN */

enum recovery { RECOVER_NONE, RECOVER_FAST, RECOVER_SACK, RECOVER_RTO };

struct scoreboard;

struct tcb {
    struct path *p;
    struct node *n;
    int at;
    uint8_t up;        /* enum dir: towards the proxy */
    uint8_t state;     /* enum tcp_state */
    uint8_t rexmt_use; /* enum timer_use */
    uint8_t recovery;  /* enum recovery */

    bool answered : 1;  /* the proxy has said EVENT_ANSWER, or it is an active open */
    bool told_open : 1; /* EVENT_OPENED was sent */
    bool told_eof : 1;  /* EVENT_EOF was sent */
    bool told_closed : 1;
    bool shut : 1;     /* the proxy has no more to send: FIN after the queue */
    bool fin_sent : 1; /* snd_max includes it */
    bool fin_seen : 1; /* fin_seq is valid */
    bool ack_now : 1;
    bool want_room : 1;  /* the proxy was told there is too little */
    bool delivering : 1; /* in the loop of data_deliver */
    bool ts_ok : 1;
    bool sack_ok : 1;
    bool ws_ok : 1;
    bool timing : 1;  /* rtt_seq is being timed */
    bool rescued : 1; /* RFC 6675: the rescue retransmission was used */
    bool syn_resent : 1;
    bool half : 1;        /* counted in half_open */
    bool flow : 1;        /* the flow is in the table */
    bool established : 1; /* establish has counted it */
    bool reset : 1;       /* dead at once: nobody waits for the queues */
    bool cookie : 1;      /* the handshake was made with a SYN cookie */
    bool in_input : 1;
    bool ts_stamped : 1; /* ts_sent is valid */
    bool ts_lost : 1;    /* made from a record: what its host heard last is not known yet */
    bool ts_bound : 1;   /* our clock with ts_offset is ahead of all that it heard */
    bool ts_echoed : 1;  /* ts_sent is what it has echoed: there may be later ones */
    bool ts_new : 1;     /* and nor is what it said: nothing is older than ts_recent */
    bool ts_heard : 1;   /* but the other host has echoed ts_recent */

    struct endpoint local, remote;
    uint32_t pseudo; /* sum of the pseudo header's addresses and protocol */
    struct node *listener;

    /* Send sequence space, RFC 9293 3.3.1. snd_una <= snd_nxt <= snd_max; snd_nxt goes back to
     * snd_una at a time-out, snd_max never does. */
    uint32_t iss, snd_una, snd_nxt, snd_max;
    uint32_t snd_wnd, snd_wl1, snd_wl2, max_wnd;
    uint8_t snd_scale, rcv_scale;
    uint16_t peer_mss;         /* what it announced */
    uint16_t mtu;              /* of the path, as known */
    uint16_t mss;              /* header and options off: payload of a full segment without SACK */
    struct msgq sndq;          /* [snd_una (+1 with SYN), ...): cb[0] of each is its first number */
    struct msg *cursor;        /* last one sent from; NULL: start at the head */
    uint32_t snd_cost, sndbuf; /* charged bytes; limit of payload bytes */

    /* Congestion control and loss recovery. */
    const struct cc_ops *cc;
    struct cc cw;
    uint32_t recover; /* RFC 6582 recover, RFC 6675 RecoveryPoint */
    uint32_t high_rxt, rescue_rxt;
    uint32_t dupacks;
    struct scoreboard *board; /* allocated when the first block comes */

    /* Round trip time, RFC 6298; ns. */
    uint64_t srtt, rttvar, rto, rtt_start;
    uint32_t rtt_seq;
    uint32_t backoff; /* time-outs in a row */
    uint64_t
        unacked_since; /* when the oldest unacknowledged was first sent, or the probing began */
    uint64_t sent_at;  /* last segment with data */

    /* Receive sequence space. rcv_adv is the right edge promised; it never moves left. */
    uint32_t irs, rcv_nxt, rcv_adv, fin_seq;
    struct msgq rcvq;
    uint32_t rcv_cost, rcvbuf;
    struct reass *reass; /* out of order; allocated when the first comes */
    uint32_t max_seg;    /* largest payload seen: what the peer's full segment is */

    /* Time stamps, RFC 7323. */
    uint32_t ts_offset, ts_recent, last_ack_sent;
    uint64_t ts_recent_ns;

    uint64_t challenge_ns; /* when the last challenge was answered */
    uint64_t active_ns;    /* when the last acceptable segment came */
    uint64_t began_ns;
    uint32_t probes; /* keep-alive probes unanswered */

    /* Splicing (splice.h). */
    struct splice *sp_in;  /* our inbound flow goes to another connection */
    struct splice *sp_out; /* our outbound flow comes from another connection */
    struct tcb *bound;     /* the other side's connection: what we offer fits its window */
    bool capped;           /* there will be one: offer little until then */
    uint32_t ts_sent;      /* largest time stamp sent */
    uint64_t passed;       /* bytes that went past the proxy, for it to ask */

    struct timer rexmt, delack, life;
    uint64_t segs_in, segs_out, bytes_in, bytes_out, retransmits;
};

static inline struct kernel *tcb_kernel(const struct tcb *c)
{
    return c->n->k;
}

static inline struct tcp_node *tcb_node(const struct tcb *c)
{
    return c->n->state;
}

static inline void tcb_count(const struct tcb *c, enum tcp_stat what)
{
    tcb_node(c)->stat[what]++;
}

static inline bool tcb_alive(const struct tcb *c)
{
    return c->state != TCP_CLOSED && !(c->p->flags & PATH_DYING);
}

/* A SYN of ours has been acknowledged: data may flow. */
static inline bool tcb_synchronised(const struct tcb *c)
{
    return c->state >= TCP_ESTABLISHED;
}

/* Behind the last byte in the send queue; the FIN has this number. */
static inline uint32_t tcb_queue_end(const struct tcb *c)
{
    if (c->sndq.tail)
        return c->sndq.tail->cb[0] + c->sndq.tail->total;
    return tcb_synchronised(c) ? c->snd_max - c->fin_sent : c->iss + 1;
}

/* The number of the next segment that goes out: behind all that we or a splice have sent. */
uint32_t tcb_seq_now(const struct tcb *c);

/* node.c */
extern const struct module tcp_module;
struct node *tcp_listener(struct node *n, const struct endpoint *local, bool *transparent);
struct node *tcp_network(const struct node *n); /* the ip node, below whatever filters there are */

/* stage.c */
extern const struct stage_ops tcp_up_stage, tcp_down_stage;
/* State of tcp_fwd_stage (fwdstage.c). */
struct tcb_pair {
    struct tcb *c[2];        /* by the end of the path where the host is */
    void *conn;              /* the proxy's, for the way back; may be NULL */
    void (*end)(void *conn); /* ends it when the path dies */
};
/* NULL: not a tcp stage. */
static inline struct tcb *tcb_at(const struct path *p, int at)
{
    const struct stage_ops *ops = p->shape->at[at].ops;
    return ops == &tcp_up_stage || ops == &tcp_down_stage ? p->state[at] : NULL;
}
/* The connection whose host is at that end of the path; also of a stage that has two. */
static inline struct tcb *tcb_from(const struct path *p, int at, enum dir d)
{
    if (p->shape->at[at].ops != &tcp_fwd_stage)
        return tcb_at(p, at);
    const struct tcb_pair *both = p->state[at];
    return both->c[d];
}
/* The same, of a stage that is known to be tcp's. */
static inline struct tcb *tcb_there(const struct path *p, int at, enum dir d)
{
    struct tcb *c = tcb_from(p, at, d);
    assert(c);
    return c;
}
/* What happens to a connection when its path moves, dies, or the machine stops. */
void tcb_moved(struct tcb *c, struct path *p, int at);
void tcb_destroy(struct tcb *c);
void tcb_show(const struct tcb *c, struct show *out);
void tcb_receive(struct tcb *c, struct msg *m); /* a segment, header first */
/* Towards the proxy, or whoever stands in its place. */
void tcb_tell(struct tcb *c, enum event ev);
struct tcb *tcb_of_flow(struct node *n, uint32_t local, uint16_t lport, uint32_t remote,
                        uint16_t rport);
struct flow_key tcb_key(const struct tcb *c);

/* worth.c: for stages with one connection, and for those with two */
bool tcb_is_empty(const struct tcb *c);
void tcb_worth(const struct tcb *c, struct standing *out);
void tcb_evict(struct tcb *c);

/* create.c: a connection comes into being */
MUST_CHECK status_t tcp_create_stage(struct node *n, struct node *from, struct attrs *a,
                                     struct path *p, struct hop *h);
struct tcb *tcb_make(struct node *n, struct path *p); /* NULL: no memory */
uint8_t tcp_rcv_scale(const struct node *n);          /* what we shift our windows by */
void tcb_negotiate(struct tcb *c, const struct tcp_opts *o);
void tcb_set_mtu(struct tcb *c, uint16_t mtu);

/* listen.c: segments without a connection */
extern const struct stage_ops tcp_listen_stage;

/* in.c, ack.c, data.c */
void tcp_segment(struct tcb *c, struct msg *m, struct segment *g);
void tcp_challenge(struct tcb *c);
uint32_t tcb_room(const struct tcb *c); /* bytes the send queue may still take */
/* False: the segment is to be dropped and challenged. */
bool tcp_ack_acceptable(const struct tcb *c, const struct segment *g);
void tcp_ack(struct tcb *c, const struct segment *g); /* an acceptable one */
void tcp_data(struct tcb *c, struct msg *m, const struct segment *g);
void data_deliver(struct tcb *c);
void data_resume(struct tcb *c); /* rcv_nxt was moved: what waited behind it may be due */
bool data_pressure(const struct kernel *k); /* three quarters of the buffers are in use */
bool data_critical(const struct kernel *k); /* fifteen of sixteen */
uint32_t data_window(const struct tcb *c);
/* m joins the queue, squeezed into its last message when small; `payer` pays, or the kernel. */
void queue_add(struct msgq *q, struct msg *m, struct pool *payer, uint32_t *cost);
struct msg *queue_take(struct msgq *q, uint32_t *cost);

/* state.c */
const char *tcp_state_name(unsigned state);
void tcb_state(struct tcb *c, enum tcp_state to);
void tcb_established(struct tcb *c);
void tcb_fin_acked(struct tcb *c);
void tcb_fin_received(struct tcb *c);
/* The connection is dead: the proxy is told (reset: EVENT_RESET first) and the TCB is CLOSED. */
void tcb_dead(struct tcb *c, bool reset);
void tcb_abort(struct tcb *c);   /* RST to the peer, and dead; says EVENT_CLOSED only */
void tcb_give_up(struct tcb *c); /* RST both ways */
void tcb_end_check(struct tcb *c);
void tcb_answered(struct tcb *c); /* the proxy says: answer the SYN */

/* out.c, xmit.c */
void tcp_output(struct tcb *c); /* send what may be sent, and an ACK when one is due */
/* A stamp of that value has gone to the peer, by way of a splice. */
void tcp_stamp_learn(struct tcb *c, uint32_t value);
/* Send [seq, seq + len) with these flags; false: no memory, nothing was sent. */
bool tcp_transmit(struct tcb *c, uint32_t seq, uint32_t len, uint8_t flags);
/* The same for a payload from elsewhere; consumes m. as: the segment it came in, whose time stamp
 * and urgent pointer it keeps; NULL: our own. */
bool tcp_emit(struct tcb *c, struct msg *m, uint32_t seq, uint8_t flags, const struct segment *as);
bool tcp_send_syn(struct tcb *c); /* or SYN-ACK, by the state; also again */
void tcp_fin_goes(struct tcb *c); /* the FIN is on its way for the first time */
void tcp_send_ack(struct tcb *c);
void tcp_send_reset(struct tcb *c);
void tcp_window_update(struct tcb *c);
/* A RST in answer to a segment that has no connection (RFC 9293 3.10.7.1). */
void tcp_reply_reset(struct node *n, const struct segment *g);
/* The answer g to a segment: its ports are filled in here. */
void tcp_reply(struct node *n, const struct segment *to, struct segment *g, const uint8_t *opt,
               uint32_t nopt);

/* timer.c */
void tcp_timers_init(struct tcb *c);
void tcp_timers_stop(struct tcb *c);
void tcp_rexmt_arm(struct tcb *c, enum timer_use use);
void tcp_rexmt_stop(struct tcb *c);
void tcp_delack_arm(struct tcb *c);
void tcp_life_arm(struct tcb *c);
uint64_t tcp_silence(const struct tcb *c); /* ns that the peer may be silent */
/* rtt.c */
void tcp_rtt_sample(struct tcb *c, uint64_t rtt_ns);
void tcp_rtt_init(struct tcb *c);

/* recover.c, sack.c */
void recover_ack(struct tcb *c, uint32_t acked);
void recover_dupack(struct tcb *c, bool sacked_more);
void recover_timeout(struct tcb *c);
void recover_send(struct tcb *c);
/* One segment of new data (or of what a time-out left), if windows allow; false: none went. */
bool output_segment(struct tcb *c);
uint32_t tcp_full_segment(const struct tcb *c); /* payload of one, SACK blocks allowed for */
/* Takes in the blocks of an ACK; true: something above snd_una was newly SACKed. */
bool sack_update(struct tcb *c, const struct tcp_opts *o);
void sack_trim(struct tcb *c); /* snd_una has moved */
void sack_forget(struct tcb *c);
bool sack_is_lost(const struct tcb *c, uint32_t seq);
uint32_t sack_pipe(const struct tcb *c);
/* SACKed octets below seq. */
uint32_t sack_below(const struct tcb *c, uint32_t seq);
uint32_t sack_skip(const struct tcb *c, uint32_t seq, uint32_t *gap);
bool sack_next_lost(const struct tcb *c, uint32_t *seq, uint32_t *len, bool any);

/* Of a connection made from a record: can it send a stamp that its host will not take for old, and
 * echo one that its host has sent? Always, of any other. */
static inline bool tcb_can_stamp(const struct tcb *c)
{
    return !c->ts_lost || c->ts_bound;
}

static inline bool tcb_can_echo(const struct tcb *c)
{
    return !c->ts_new || c->ts_heard;
}

/* What a connection of a splice asks the engine: spliced.h and the files named there. */
bool splice_forwards(const struct tcb *c); /* bytes that come in are not ours to acknowledge */
bool splice_acceptable(const struct tcb *c, const struct segment *g);
void splice_reset(struct tcb *c, struct msg *m, const struct segment *g);
bool splice_ack_acceptable(const struct tcb *c, const struct segment *g);
void splice_ack(struct tcb *c, const struct segment *g);
void splice_data(struct tcb *c, struct msg *m, const struct segment *g);
bool splice_takes(const struct tcb *c);
void splice_take(struct tcb *c, struct msg *m); /* PENDING: bytes in order go straight on */
void splice_eof(struct tcb *c);
void splice_check(struct tcb *c);  /* after anything that may have moved a splice on */
void splice_broken(struct tcb *c); /* it was reset: what becomes of those spliced to it */
void splice_detach(struct tcb *c); /* the connection is over */
uint32_t splice_window(const struct tcb *c, uint32_t own); /* what of our own window may be told */
/* The header's field for a window of that many bytes. */
uint32_t splice_field(const struct tcb *c, uint32_t wnd, uint8_t scale);
bool splice_sacked(struct tcb *c, const struct tcp_range *x); /* above the cut: new? */
void tcp_bind(struct path *p, int at, struct path *q, int to);
uint64_t tcp_passed(struct path *p, int at);

/* isn.c, port.c, cookie.c, icmp.c */
uint64_t tcp_siphash(const uint64_t key[2], const void *data, size_t n);
uint64_t tcp_tuple_hash(const struct node *n, uint8_t purpose, const struct endpoint *local,
                        const struct endpoint *remote, uint32_t more);
uint32_t tcp_isn(const struct node *n, const struct endpoint *l, const struct endpoint *r);
uint32_t tcp_ts_offset(const struct node *n, const struct endpoint *l, const struct endpoint *r);
uint32_t tcp_ts_clock(const struct kernel *k);
MUST_CHECK status_t tcp_port_choose(struct node *n, const struct endpoint *remote,
                                    struct endpoint *local);
MUST_CHECK status_t tcp_ports_parse(struct node *n);
void cookie_answer(struct node *n, const struct segment *syn, uint16_t mtu);
bool cookie_check(struct node *n, const struct segment *ack, struct tcp_syn *out);
void tcp_icmp(struct node *n, uint8_t type, uint8_t code, uint32_t mtu, const struct netaddr *src,
              const struct netaddr *dst, const uint8_t *quoted, size_t len);

#endif
