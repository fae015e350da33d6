/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_MODELOUT_H
#define TESTS_SIM_MODELOUT_H
/* The parts of the model host's TCP: what it sends (modelout.c) and
 * when (modelwork.c), for modeltcp.c; ranges of bytes
 * (modelsack.c); what it thinks of the other side (modelwatch.c). None can fail; mconn_make says
 * NULL when the host has MODEL_CONNS connections. */
#include "tests/sim/model.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { SACK_BLOCKS = 4, AT_ONCE = 1000 /* segments owed an acknowledgement */ };

struct segment {
    uint32_t seq, ack, wnd; /* wnd unscaled */
    unsigned flags;
    const uint8_t *data;
    uint32_t len; /* bytes of data */
    uint16_t mss;
    int scale; /* -1: no such option */
    bool stamped, sackok;
    uint32_t tsval, tsecr;
    struct range block[SACK_BLOCKS];
    int nblocks;
};

struct mconn *mconn_make(struct model *m, struct end *e, uint32_t peer, uint16_t peer_port,
                         uint16_t port);
uint32_t mconn_edge(const struct mconn *c); /* of the receive buffer: nothing beyond is taken */
void mconn_ack(struct mconn *c);            /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, at once */
void mconn_resend(struct mconn *c);         /* from SND.UNA on */
void mconn_time_wait(struct mconn *c);
void mconn_end(struct mconn *c, bool reset); /* the connection is forgotten */
void mconn_work(struct mconn *c); /* let the application read and write, send, set timers */
/* Answer to a segment that belongs to no connection (RFC 9293 3.10.7.1). */
void mconn_answer_reset(struct model *m, uint32_t to, uint16_t to_port, uint16_t port, uint32_t seq,
                        uint32_t ack, bool with_ack);
uint32_t mconn_stamp(const struct mconn *c); /* its clock now */
uint64_t mconn_now(const struct mconn *c);
uint32_t mconn_worth(const struct mconn *c); /* by how much an edge has to move to be told */
void mconn_transmit(struct mconn *c, uint32_t seq, unsigned flags, uint32_t len);
bool mconn_quirky(const struct mconn *c);              /* its quirks have not ended */
bool mconn_quirk(const struct mconn *c, uint32_t ppm); /* now? */

/* Bytes out of order are kept in the receive buffer, at their place. */
void mconn_hold(struct mconn *c, uint32_t seq, const uint8_t *data, uint32_t len);
void mconn_held_due(struct mconn *c); /* rcv_nxt has moved: what is in order now? */
void mconn_sacked(struct mconn *c, const struct segment *s);
/* Of our bytes from `at` on: how many lie before the next one that was SACKed; *at moves behind
 * those that were. */
uint32_t mconn_gap(const struct mconn *c, uint32_t *at);
size_t mconn_blocks_put(struct mconn *c, uint8_t *option, size_t room); /* bytes written */

/* May the other side send this? If not, the host says what is wrong. */
void mconn_watch(struct mconn *c, const struct segment *s);

#endif
