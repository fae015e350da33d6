/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H
/*
 * A host, written from RFC 9293, 1122, 2018, 2883, 7323 and 826 and from nothing of this tree: one
 * address, one link, ARP, and a TCP that is as simple as a correct one can be (go-back-N over what
 * was not SACKed, a fixed number of segments under way). It checks what the other side does
 * (modelwatch.c): whoever acknowledges what was never sent, sends beyond the edge of the window or
 * takes a window back is wrong. Used by scene.c.
 */
#include "drivers/hosted/rng.h"
#include "drivers/hosted/sim.h"
#include "tests/sim/end.h"

enum { MODEL_CONNS = 64, MODEL_RANGES = 16 };

/* What is allowed, but seldom done; until calm_ns. */
struct quirks {
    uint64_t calm_ns;
    uint32_t shrink_ppm; /* of its segments offer less than was promised */
    uint32_t old_ppm;    /* of its segments have an old time stamp */
    uint32_t divide;     /* acknowledgements for what is acknowledged at once; 0: one */
    uint32_t stretch;    /* segments that are acknowledged together; 0: two */
    bool silly;          /* tells of each byte that its window grows */
    bool bare;           /* its SYN has no options */
    uint64_t keep_ns;    /* between two probes of a silent peer, also when it is calm; 0: none */
};

enum { KEEP_PROBES = 9 }; /* unanswered: the peer is gone */

/* How this host's TCP is set up; by the scene. */
struct model_conf {
    uint32_t ip, gateway;
    uint8_t mac[6];
    uint16_t mss;
    uint32_t buffer;     /* bytes of the receive buffer: the largest window */
    uint32_t flight;     /* segments under way at most */
    uint32_t patience;   /* retransmissions in a row before it gives up; 0: never */
    uint64_t delack_ns;  /* longest delay of an acknowledgement; 0: none */
    bool wscale, stamps; /* RFC 7323 */
    uint8_t scale;       /* shift at least, when wscale */
    uint32_t clock;      /* first time stamp */
    uint64_t tick_ns;    /* of the clock for time stamps */
    bool sackok, dsack;  /* RFC 2018; says what came twice, RFC 2883 */
    bool keeps;          /* what comes out of order, though it may not be able to say so */
    bool crooked;        /* options are laid out as seldom as is right: SACK first, NOPs behind */
    uint32_t iss;        /* of the first connection */
    uint64_t msl_ns;
    struct quirks quirks;
    /* What its checks may rely on. */
    bool ordered;    /* no frame overtakes or comes twice, on any link between the hosts */
    bool undamaged;  /* none is damaged */
    uint32_t slack;  /* bytes: units of windows, by which rounding may move an edge */
    uint32_t beyond; /* bytes: a window of less than that may have been rounded up on its way */
    bool fitful;     /* the other host takes windows back, or sends old time stamps */
    bool late;       /* ICMP errors may be about segments of a connection that is no more */
    bool leaps;      /* the forwarder's clock does, and with it the stamps that it makes */
};

struct model;

struct range { /* of sequence numbers */
    uint32_t left, right;
};

enum mstate {
    M_CLOSED,
    M_SYN_SENT,
    M_SYN_RECEIVED,
    M_ESTABLISHED,
    M_FIN_WAIT_1,
    M_FIN_WAIT_2,
    M_CLOSE_WAIT,
    M_CLOSING,
    M_LAST_ACK,
    M_TIME_WAIT,
    M_UNREAD, /* no connection any more, but bytes that the application has not read */
};

struct mconn {
    struct model *host;
    struct end *end;
    enum mstate state;
    uint32_t peer;
    uint16_t port, peer_port;
    uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2;
    uint32_t irs, rcv_nxt, rcv_edge; /* edge: the furthest that was ever offered */
    uint32_t unread;                 /* bytes in the receive buffer */
    uint8_t *buffer;
    uint16_t mss;
    uint8_t snd_scale, rcv_scale;
    bool stamps, scaled, fin_got, fin_told;
    uint32_t ts_recent, first_stamp;
    bool sack;
    struct range held[MODEL_RANGES]; /* of the peer's bytes, out of order; the newest first */
    struct range twice;              /* came again, to be told once; empty: none */
    struct range had[MODEL_RANGES];  /* of ours, SACKed by the peer; in order */
    int nheld, nhad;
    unsigned tries, again, dups, owed; /* for the next time-out; in a row; equal ACKs; to ack */
    unsigned kept;                     /* probes without an answer */
    uint32_t told, ack_back;           /* the last acknowledgement sent; bytes not in it yet */
    uint32_t went_back;                /* snd_una when it last went back for equal ACKs */
    uint64_t rto_at, ack_at, wait_at, keep_at; /* ns; 0: not armed */
    uint64_t event_at; /* ns of the earliest event that is asked for; 0: none */
    struct {           /* modelwatch.c's: what the peer has said so far */
        bool any, stamped;
        uint32_t ack, edge; /* highest; right edge ever */
        uint32_t stamp;     /* newest */
    } said;
};

struct model {
    struct model_conf conf;
    struct simworld *world;
    struct simlink *link;
    int end;
    uint8_t gateway_mac[6];
    bool resolved;
    uint64_t asked; /* ns of the last ARP request */
    uint16_t ident, next_port;
    uint32_t iss;
    struct rng random;                                    /* for quirks */
    struct end *(*accept)(void *arg, uint16_t peer_port); /* NULL: refused */
    void *arg;
    struct mconn conn[MODEL_CONNS];
    int nconn;
    bool gone;         /* the host has been switched off */
    const char *wrong; /* the first thing that the other side must not do */
    char text[200];    /* of it */
};

/* m is the caller's and outlives the world. accept may be NULL. */
void model_init(struct model *m, const struct model_conf *c, struct simworld *w, struct simlink *l,
                int end);
uint16_t model_connect(struct model *m, struct end *e, uint32_t to, uint16_t port); /* our port */
void model_free(struct model *m);
/* It has forgotten everything; its next port is one that a connection of its had. */
void model_reboot(struct model *m);
void model_work(struct model *m);       /* the plan of an application has changed */
bool model_idle(const struct model *m); /* no connection, not even TIME-WAIT */

/* model.c's, for modeltcp.c: a TCP segment (header and payload) goes out in a datagram. */
void model_send(struct model *m, uint32_t to, uint8_t *segment, size_t n);
/* modeltcp.c's, for model.c: a segment of ours was longer than that MTU allows (its first 8 bytes).
 */
void mconn_too_long(struct model *m, uint32_t to, const uint8_t *quoted, unsigned mtu);
/* A segment with a good checksum has come. */
void mconn_input(struct model *m, uint32_t from, const uint8_t *segment, size_t n);

#endif
