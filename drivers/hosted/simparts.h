/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_HOSTED_SIMPARTS_H
#define DRIVERS_HOSTED_SIMPARTS_H
/* The inside of a simulated world, for world.c and sim.c. */
#include "drivers/hosted/card.h"
#include "drivers/hosted/rng.h"
#include "drivers/hosted/sim.h"

enum { SIM_KERNELS = 32, SIM_RING = 1024, SIM_TXRING = 256, FRAME_MAX = 16384 };

struct simevent {
    uint64_t ns, order;
    void (*fn)(void *arg); /* NULL: a frame arrives */
    void *arg;
    struct simlink *link;
    uint8_t *frame; /* owned */
    uint32_t len;
    int end; /* where it arrives */
};

struct simkernel {
    struct kernel *k;
    uint64_t *clock;        /* its own, `ahead` of the world's; NULL: it reads the world's */
    uint64_t ahead, asleep; /* ns; asleep: until then it is not polled */
    void (*turned)(void *arg);
    void *arg;
};

struct simworld {
    uint64_t now, order;
    struct simevent *events; /* heap */
    size_t nevents, room;
    struct simkernel kernels[SIM_KERNELS];
    int nkernels;
    struct simlink *links;
    uint32_t nlinks;
};

struct simframe {
    uint8_t *bytes; /* owned */
    uint32_t len;
};

struct simcard {
    struct card card;
    struct simlink *link;
    int end;
    bool alone; /* the program's own sim: card, which nobody but its kernel moves on */
    struct simframe ring[SIM_RING];
    uint32_t head, tail; /* frames taken and put */
    uint32_t slots;      /* of the ring that are in use */
    /* What simcard_* asked for. */
    uint64_t deaf_until, stuck_until; /* ns */
    uint32_t lies_ppm;
    struct msg *txring[SIM_TXRING]; /* while nothing is sent */
    uint32_t ntx;
};

struct simlink {
    struct simlink *next;
    struct simlink_conf conf;
    uint32_t number;
    char name[24];
    struct rng random;
    struct {
        void (*fn)(void *arg, const uint8_t *frame, size_t n);
        void *arg;
        struct simcard *card;
        uint64_t busy; /* ns until which the wire is taken */
        uint64_t last; /* ns of the last arrival in order */
        uint64_t gone; /* frames of a burst that are still to be lost */
        struct simlink_stats stats;
    } end[2];
};

void *sim_alloc(size_t n);
void simworld_push(struct simworld *w, const struct simevent *e);
void simlink_arrive(struct simevent *e); /* consumes the frame */
void simlink_free(struct simlink *l);
/* simcard.c's: a frame has come; false: no room, and it is still the caller's. */
bool simcard_take(struct simcard *c, uint8_t *frame, uint32_t n);
void simcard_empty(struct simcard *c); /* all that waits in its rings is lost */

#endif
