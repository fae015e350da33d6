/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H
/*
 * The faults of a run beyond its plan (`run --faults`): each is drawn or not, with its rate, so all
 * occur together. faults.c says what a seed stands for; strike.c does what happens at a moment;
 * the rest lasts. All stop at one virtual time, the calm; what lives then must come to its end.
 */
#include "drivers/hosted/rng.h"

struct scene;

/* X(name, what it is called, chance in %) */
#define FAULTS(X)                   \
    X(BURST, "burst-loss", 15)      \
    X(CUT, "truncation", 10)        \
    X(SWAP, "good-checksum", 3)     \
    X(NARROW, "mtu-drop", 12)       \
    X(DOWN, "link-down", 15)        \
    X(CLOG, "swizzle-clog", 10)     \
    X(REBOOT, "reboot", 10)         \
    X(ZERO, "zero-window", 10)      \
    X(SHRINK, "window-shrinks", 12) \
    X(SILLY, "silly-window", 12)    \
    X(DELACK, "late-ack", 12)       \
    X(DIVIDE, "ack-division", 10)   \
    X(STRETCH, "stretch-ack", 12)   \
    X(OLD, "old-stamps", 10)        \
    X(BARE, "no-options", 10)       \
    X(HALF, "half-close", 6)        \
    X(RST, "rst-for-fin", 10)       \
    X(KEEP, "keep-alive", 20)       \
    X(NTH, "nth-allocation", 10)    \
    X(RATE, "allocations", 8)       \
    X(STORE, "buffers-limit", 10)   \
    X(POOL, "pool-limit", 8)        \
    X(PATHS, "paths-limit", 8)      \
    X(PORTS, "ports-range", 6)      \
    X(RING, "ring-overrun", 10)     \
    X(DEAF, "lost-interrupt", 12)   \
    X(STORM, "interrupt-storm", 8)  \
    X(STUCK, "tx-stuck", 12)        \
    X(LIES, "descriptor-lies", 10)  \
    X(RESET, "card-reset", 10)      \
    X(FLAP, "link-flap", 10)        \
    X(SLEEP, "tick-lost", 12)       \
    X(JUMP, "clock-jump", 10)       \
    X(WRAP, "clock-wrap", 12)       \
    X(SET, "settings", 12)          \
    X(SPLICES, "splice-storm", 8)

#define FAULT_ID(name, word, chance) FAULT_##name,
enum fault { FAULTS(FAULT_ID) FAULT_COUNT };

enum { FAULT_LINKS = 2, NTH_MAX = 3000 };

struct faults {
    bool any; /* wanted at all */
    bool on[FAULT_COUNT];
    uint64_t struck[FAULT_COUNT]; /* how often */
    struct rng random;            /* of the moments */
    uint64_t calm_ns;             /* from the start of the connections */
    uint64_t calm_at;             /* ns; 0: not begun */
    uint64_t every_ns;            /* between two moments on average */
    uint64_t reboot_ns;           /* of the host `rebooter`, from the start of the connections */
    int rebooter;
    uint64_t ahead_ns; /* of the forwarder's clock */
    bool calm;
    /* What it means for the verdict. */
    bool loose;  /* connections may be refused, or end by a reset */
    bool forged; /* bytes may be others than were sent, and no checksum tells */
};

extern const char *faults_only; /* "link-down,reboot": these and no others; NULL: all */
const char *fault_name(enum fault f);

/* After plan_draw. */
void faults_draw(struct scene *s);
/* Settings of the forwarder that the faults ask for. */
void faults_words(const struct scene *s, char *words, size_t n);
void faults_begin(struct scene *s); /* with the connections */
void faults_moments(struct scene *s);
void faults_memory_back(void *scene);
void faults_calm(struct scene *s);
/* For struct simlink_conf, with a struct faults_side: a frame was too long for its link. */
struct faults_side {
    struct scene *scene;
    int link;
};
void narrow_answer(void *arg, int end, const uint8_t *frame, size_t n);

#endif
