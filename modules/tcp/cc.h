/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_CC_H
#define MODULES_TCP_CC_H
/*
 * Congestion control: how much may be in flight. Loss detection and what is sent when (recover.c)
 * are not its business; it is told what happened and sets cwnd and ssthresh, in bytes. An algorithm
 * is one table of these calls in a file of its own.
 */
#include "kernel/types.h"

struct cc {
    uint32_t cwnd, ssthresh;
    uint32_t smss;    /* sender's maximum segment size, payload */
    uint32_t counted; /* towards the next growth of cwnd, in the algorithm's own unit */
    struct cubic {
        uint64_t epoch;      /* ns: where t of RFC 9438 4.2 is 0; 0: yet to be found */
        uint64_t updated;    /* ns: when cwnd last could grow */
        uint64_t w_est;      /* Reno's window, 1/65536 byte */
        uint32_t w_max;      /* bytes: the window to come back to */
        uint32_t cwnd_prior; /* bytes: cwnd when ssthresh was last set */
        uint32_t k;          /* ms: when W_cubic is w_max */
    } cubic;
};

enum { CWND_MAX = 1 << 30 };

struct cc_ops {
    const char *name;
    void (*init)(struct cc *w, uint32_t initial_segments);
    /* `acked` new bytes were acknowledged outside recovery, and cwnd was what limited sending. */
    void (*acked)(struct cc *w, uint32_t acked, uint64_t now, uint64_t srtt);
    void (*loss)(struct cc *w, uint32_t flight); /* entering recovery: sets ssthresh and cwnd */
    void (*timeout)(struct cc *w, uint32_t flight, bool again); /* again: not the first in a row */
    void (*idle)(struct cc *w, uint32_t initial_segments);      /* nothing was sent for an RTO */
};

extern const struct cc_ops cc_newreno, cc_cubic;

#endif
