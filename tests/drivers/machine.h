/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_DRIVERS_MACHINE_H
#define TESTS_DRIVERS_MACHINE_H
/*
 * A machine with network cards for the drivers of drivers/, which run here as they are: what they
 * do to ports and registers comes to a model of the card. A model does what its manual says until
 * it is told to lie. Time is the machine's own and goes on when the test or a driver waits.
 */
/* clang-format off: cmocka wants these four before it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "boot/hosted/ground.h"
#include "drivers/hosted/rng.h"
#include "drivers/ring.h"
#include "kernel/kernel.h"

enum { CARDS = 2, WIRE = 4096, CONFIG_WORDS = 64, BAR = 0x10000000, BAR_STEP = 0x1000000 };

enum lie {
    LIE_EMPTY,   /* a received frame of no bytes */
    LIE_LONG,    /* one of 16 KB */
    LIE_ENDLESS, /* a chain of descriptors without end */
    LIE_JUMP,    /* more descriptors done than the card was given */
    LIE_RANDOM,  /* any words in both rings */
    LIE_STUCK,   /* what is to be sent is not, until the next reset */
    LIE_GONE,    /* no answer: registers read as ones */
    LIES,
};

struct card;

struct model {
    const char *name;
    uint16_t vendor, device;
    void (*init)(struct card *c);
    uint32_t (*read)(struct card *c, uint32_t at, unsigned bytes);
    void (*write)(struct card *c, uint32_t at, uint32_t v, unsigned bytes);
    bool (*receive)(struct card *c, const uint8_t *frame, size_t n); /* false: no descriptor */
    void (*lie)(struct card *c, enum lie what);
};

struct card {
    const struct model *model;
    struct netdev *dev; /* of the driver that took it */
    uint32_t config[CONFIG_WORDS];
    uint32_t reg[0x6000 / 4]; /* by the model */
    uint32_t rx, tx;          /* the model's places in its rings */
    bool stuck, gone;
    uint32_t bell; /* virtio: where it says its doorbells are */
    uint32_t resets;
    uint32_t sent; /* frames that left by the wire; their first words after the header: */
    uint32_t tag[WIRE];
};

struct machine {
    struct kernel *k;
    struct ground ground;
    uint64_t clock;
    struct rng random;
    struct card card[CARDS];
};

extern struct machine machine;
extern const struct model model_e1000, model_e1000e, model_tulip, model_virtio;

/* Two such cards, a bridge between them. Fails the test when it does not boot. */
void machine_start(const struct model *model, uint64_t seed);
void machine_end(void); /* asserts that everything was given back */
void machine_run(uint64_t ns);
/* A frame of n bytes with `tag` in it comes by the wire of a card. */
bool machine_frame(int card, uint32_t tag, size_t n);
/* For models: a frame leaves. */
void card_sends(struct card *c, const uint8_t *frame, size_t n);

/* What a card writes into a ring is not atomic and not in its struct's types. */
static inline void *dma_at(uint64_t addr)
{
    return (void *)(uintptr_t)addr;
}

#endif
