/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_TRANSFERS_H
#define TESTS_SIM_TRANSFERS_H
/* The reference transfers: short connections that are cut at each of their events (test_cuts.c). */
#include "tests/sim/scene.h"

enum {              /* how */
       OPTIONS = 1, /* time stamps, SACK, window scaling */
       COPY = 2,    /* fwd.unsplice */
       MERGE = 4,   /* fwd.merge */
       FICKLE = 8,
       TRANSPARENT = 16,
       OUR_CLIENT = 32, /* is our own TCP, not the model */
       OUR_SERVER = 64,
};

struct transfer {
    const char *name, *graph;
    uint32_t client, server; /* bytes that they send */
    uint32_t buffer;         /* of both hosts, for what they receive */
    uint16_t mss;
    int last;       /* who closes only after the other: 0 client, 1 server; -1: nobody */
    uint32_t after; /* bytes before the first splice */
    uint32_t loss_ppm, reorder_ppm;
    unsigned how;
};

enum { TRANSFERS = 20, TRANSFERS_SHORT = 5 /* the first ones: 60 events at most */ };
extern const struct transfer transfers[TRANSFERS];

void transfer_plan(struct scene *s, const struct transfer *t);  /* in place of what the seed says */
void transfer_begin(struct scene *s, const struct transfer *t); /* its links */

#endif
