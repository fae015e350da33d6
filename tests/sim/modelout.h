/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_MODELOUT_H
#define TESTS_SIM_MODELOUT_H
/* The sending half of the model host's TCP, for modeltcp.c. None can fail; mconn_make says NULL
 * when the host has MODEL_CONNS connections. */
#include "tests/sim/model.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

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

#endif
