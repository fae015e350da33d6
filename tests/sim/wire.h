/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H
/*
 * An observer at the forwarder's two cards. It reads headers only and counts, in bytes of each
 * stream, what the forwarder has acknowledged to the host that sends it, and what the host has
 * acknowledged that gets it. While a direction is spliced, the first may not be more than the
 * second (spec R-SPL-6, R-FLOW-15): the forwarder vouches for nothing. Used by scene.c; cannot
 * fail.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_LINES = 64 };

struct wire_line { /* a connection on one of the links */
    uint16_t port; /* the client's, or the forwarder's on the server's link */
    bool host_known, box_known;
    uint32_t host_isn, box_isn;
    uint32_t host_ack; /* bytes of the forwarder's that the host has acknowledged, FIN counted */
    uint32_t box_ack;  /* bytes of the host's that the forwarder has acknowledged */
};

struct wire;

struct wire_side { /* of one link */
    struct wire *wire;
    int link; /* 0: the client's */
    struct wire_line line[WIRE_LINES];
    int nlines;
};

struct wire {
    uint16_t server_port;
    struct wire_side side[2];
    /* The forwarder acknowledges bytes to the host of `link` up to `ack`, and more than before. */
    void (*acked)(void *arg, int link, const struct wire_line *line);
    void *arg;
};

void wire_init(struct wire *w, uint16_t server_port,
               void (*acked)(void *arg, int link, const struct wire_line *line), void *arg);
/* For struct simlink_conf, with a struct wire_side as arg. */
void wire_tap(void *arg, int end, bool arrives, const uint8_t *frame, size_t n);
/* The newest connection with that port; NULL: none was seen. */
const struct wire_line *wire_find(const struct wire *w, int link, uint16_t port);

#endif
