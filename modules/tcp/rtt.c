/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The retransmission time-out from measured round trips: RFC 6298 2, its variables under its names.
 * Who measures obeys Karn's algorithm (ack.c); the back-off is timer.c's.
 */
#include "modules/tcp/tcp.h"

static const uint64_t clock_granularity = 1ULL * MS; /* G */
static const uint64_t rto_max = 60 * SECOND;
static const uint64_t rto_initial = 1 * SECOND;

void tcp_rtt_init(struct tcb *c)
{
    c->srtt = 0;
    c->rttvar = 0;
    c->rto = rto_initial; /* (2.1) */
}

void tcp_rtt_sample(struct tcb *c, uint64_t r)
{
    uint64_t least = tcb_node(c)->rto_min_ns;
    if (c->srtt == 0) { /* (2.2) */
        c->srtt = r ? r : 1;
        c->rttvar = r / 2;
    } else { /* (2.3): alpha = 1/8, beta = 1/4 */
        uint64_t off = c->srtt > r ? c->srtt - r : r - c->srtt;
        c->rttvar = c->rttvar - c->rttvar / 4 + off / 4;
        c->srtt = c->srtt - c->srtt / 8 + r / 8;
    }
    uint64_t spread = 4 * c->rttvar;
    c->rto = c->srtt + (spread > clock_granularity ? spread : clock_granularity);
    if (c->rto < least) /* (2.4) */
        c->rto = least;
    if (c->rto > rto_max) /* (2.5) */
        c->rto = rto_max;
}
