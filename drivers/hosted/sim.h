/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_HOSTED_SIM_H
#define DRIVERS_HOSTED_SIM_H
/*
 * A simulated world: virtual time, an event queue, kernels, and links between them that delay,
 * lose, double, damage, reorder and queue by seed. A run is a function of what was built and of the
 * seeds. An end of a link is a kernel's card (simlink_end) or a function of a test
 * (simlink_attach).
 *
 * Order: make the world; give each kernel a ground on simworld_clock; kernel_init; simlink_end for
 * its cards; kernel_boot; simworld_run. To end: kernel_end for each kernel, then simworld_free.
 * Running out of memory ends the process; nothing else can fail.
 */
#include "drivers/hosted/pcapfile.h"
#include "kernel/netdev.h"

struct simworld;
struct simlink;

struct simworld *simworld_make(void);
void simworld_free(struct simworld *w); /* links and cards too; after kernel_end of its kernels */
uint64_t *simworld_clock(struct simworld *w); /* virtual ns; for ground_init */
uint64_t simworld_now(const struct simworld *w);
void simworld_add(struct simworld *w,
                  struct kernel *k); /* polled from now on; simlink_end does it */
void simworld_remove(struct simworld *w, struct kernel *k); /* e.g. it crashed */
/* Before kernel_init, in place of simworld_clock: *clock is the world's and that much more. */
void simworld_own_clock(struct simworld *w, struct kernel *k, uint64_t *clock, uint64_t ahead_ns);
void simworld_jump(struct simworld *w, struct kernel *k, uint64_t ns); /* its clock leaps ahead */
/* It is not polled until then: ticks and interrupts are lost. */
void simworld_sleep(struct simworld *w, struct kernel *k, uint64_t until_ns);
/* After each turn of k in which it did something; for who wants to be between
 * any two. */
void simworld_watch(struct simworld *w, struct kernel *k, void (*turned)(void *arg), void *arg);
/* fn(arg) at that time (past: now), after the events of the same time that were asked for before.
 */
void simworld_at(struct simworld *w, uint64_t ns, void (*fn)(void *arg), void *arg);
/* Polls the kernels until none has work, then moves time to the earliest of their timers and the
 * events, and so on until `until_ns`, which the clock then says. False: a million turns without
 * time moving on: something answers itself for ever. */
MUST_CHECK bool simworld_run(struct simworld *w, uint64_t until_ns);
uint64_t simworld_next(const struct simworld *w);       /* ns of the next event; UINT64_MAX: none */
void simworld_due(struct simworld *w, uint64_t now_ns); /* run the events up to then; no kernels */

/* What a link does to the frames of one direction. May be changed while the world runs. */
struct simway {
    uint64_t delay_ns;
    uint64_t jitter_ns;   /* up to that much more, in order all the same */
    uint64_t rate_bps;    /* bits a second, preamble and gap included; 0: no limit */
    uint32_t queue_bytes; /* waiting for a link with a rate; 0: no limit */
    uint32_t loss_ppm, double_ppm;
    uint32_t burst;       /* a loss takes up to so many frames in a row; 0: one */
    uint32_t damage_ppm;  /* one bit behind the Ethernet header is turned: a checksum will tell */
    uint32_t reorder_ppm; /* overtaken: up to reorder_ns late, the others do not wait */
    uint64_t reorder_ns;
    uint32_t cut_ppm;  /* the end of the frame is missing */
    uint32_t swap_ppm; /* two words of a TCP segment change places: no checksum will tell */
    uint32_t mtu;      /* bytes behind the Ethernet header; longer ones go to too_long; 0: any */
    bool down;
};

struct simlink_conf {
    struct simworld *world;
    const char *name; /* for people; may be NULL */
    uint64_t seed;
    bool by_number; /* what befalls a frame is a function of seed, end and its number there: in real
                     * time too, where the two ends' order is not the same again */
    uint16_t mtu;   /* of the cards made by simlink_end; 0: 1500 */
    struct simway way[2];   /* way[e]: what end e sends */
    struct pcapfile *trace; /* NULL, or where each frame goes as it is sent, undamaged */
    /* NULL, or who sees each frame as that end sends it, and as it arrives there. */
    void (*tap)(void *arg, int end, bool arrives, const uint8_t *frame, size_t n);
    void *tap_arg;
    /* NULL, or who hears of a frame of that end that was longer than the way's mtu, and is lost. */
    void (*too_long)(void *arg, int end, const uint8_t *frame, size_t n);
    void *too_long_arg;
};

struct simlink_stats {
    uint64_t sent, bytes, lost, doubled, damaged, reordered, overflowed, arrived, ring_full;
    uint64_t cut, swapped, too_long;
};

struct simlink *simlink_make(const struct simlink_conf *c);
struct simway *simlink_way(struct simlink *l, int end);
const struct simlink_stats *simlink_stats(const struct simlink *l, int end); /* what it sent */
/* A card of k at that end, given to netdev_add; its address is 52:54:00:LL:LL:0E, link and end. */
struct netdev *simlink_end(struct simlink *l, struct kernel *k, int end);
/* What may befall a card that simlink_end made. */
void simcard_deaf(struct simlink *l, int end, uint64_t until_ns); /* interrupts for RX are lost */
void simcard_stuck(struct simlink *l, int end,
                   uint64_t until_ns);                         /* sends nothing; its ring fills */
void simcard_ring(struct simlink *l, int end, uint32_t slots); /* for received frames; at least 1 */
void simcard_lies(struct simlink *l, int end, uint32_t ppm); /* a frame's length: 0, or too much */
void simcard_reset(struct simlink *l, int end);              /* what is in its rings is lost */
void simcard_carrier(struct simlink *l, int end, bool on);
/* fn gets each frame that arrives at that end; the bytes are good during the call. */
void simlink_attach(struct simlink *l, int end,
                    void (*fn)(void *arg, const uint8_t *frame, size_t n), void *arg);
void simlink_send(struct simlink *l, int end, const uint8_t *frame, size_t n);

#endif
