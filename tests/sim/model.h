/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H
/*
 * A host, written from RFC 9293, 1122, 7323 and 826 and from nothing of this tree: one address, one
 * link, ARP, and a TCP that is as simple as a correct one can be (go-back-N, no reassembly, a fixed
 * number of segments under way). It checks what the other side does: whoever acknowledges what was
 * never sent, or sends beyond the edge of the window, is wrong. Used by scene.c.
 */
#include "drivers/hosted/sim.h"
#include "tests/sim/end.h"

enum { MODEL_CONNS = 64 };

/* How this host's TCP is set up; by the scene. */
struct model_conf {
    uint32_t ip, gateway;
    uint8_t mac[6];
    uint16_t mss;
    uint32_t buffer;     /* bytes of the receive buffer: the largest window */
    uint32_t flight;     /* segments under way at most */
    uint64_t delack_ns;  /* longest delay of an acknowledgement; 0: none */
    bool wscale, stamps; /* RFC 7323 */
    bool sackok;         /* says that it would read SACK blocks */
    uint64_t msl_ns;
};

struct model;

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
    uint32_t ts_recent;
    unsigned tries, dups, owed;       /* retransmissions in a row; equal ACKs; segments to ack */
    uint32_t went_back;               /* snd_una when it last went back for equal ACKs */
    uint64_t rto_at, ack_at, wait_at; /* ns; 0: not armed */
    uint64_t event_at;                /* ns of the earliest event that is asked for; 0: none */
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
    struct end *(*accept)(void *arg, uint16_t peer_port); /* NULL: refused */
    void *arg;
    struct mconn conn[MODEL_CONNS];
    int nconn;
    bool gone;         /* the host has been switched off */
    const char *wrong; /* the first thing that the other side must not do */
};

/* m is the caller's and outlives the world. accept may be NULL. */
void model_init(struct model *m, const struct model_conf *c, struct simworld *w, struct simlink *l,
                int end);
uint16_t model_connect(struct model *m, struct end *e, uint32_t to, uint16_t port); /* our port */
void model_free(struct model *m);
bool model_idle(const struct model *m); /* no connection, not even TIME-WAIT */

/* model.c's, for modeltcp.c: a TCP segment (header and payload) goes out in a datagram. */
void model_send(struct model *m, uint32_t to, uint8_t *segment, size_t n);
/* modeltcp.c's, for model.c: a segment with a good checksum has come. */
void mconn_input(struct model *m, uint32_t from, const uint8_t *segment, size_t n);

#endif
