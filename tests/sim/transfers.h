/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_TRANSFERS_H
#define TESTS_SIM_TRANSFERS_H
/* The reference transfers: short connections that are cut at each of their events (test_cuts.c). */
#include "tests/sim/scene.h"

struct transfer {
    const char *name, *graph;
    uint32_t bytes[2]; /* that the client and the server send */
    uint32_t buffer;   /* of both hosts, for what they receive */
    uint16_t mss;
    bool options;   /* time stamps, SACK, window scaling */
    int last;       /* who closes only after the other: 0 client, 1 server; -1: nobody */
    bool ours[2];   /* that host is our own TCP, not the model */
    uint32_t after; /* bytes before the first splice */
    bool copy, merge, fickle, transparent;
    uint32_t loss_ppm, reorder_ppm;
};

enum { TRANSFERS = 20, TRANSFERS_SHORT = 5 /* the first ones: 60 events at most */ };
extern const struct transfer transfers[TRANSFERS];

void transfer_plan(struct scene *s, const struct transfer *t);  /* in place of what the seed says */
void transfer_begin(struct scene *s, const struct transfer *t); /* its links */

#endif
