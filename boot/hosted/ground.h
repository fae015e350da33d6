/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_HOSTED_GROUND_H
#define BOOT_HOSTED_GROUND_H
/*
 * What a kernel stands on when it is a Linux program: one struct ground per kernel, at k->plat.
 * The program (main.c) has one kernel on the real clock; tests have several on a clock that only
 * their owner moves. Cannot fail, but for ground_pages running out (plat_pages says NULL).
 */
#include "drivers/hosted/rng.h"
#include "kernel/types.h"

struct ground {
    struct kernel *k;
    uint64_t *clock;    /* virtual time in ns, moved by its owner; NULL: the real clock */
    uint64_t own_clock; /* what clock points to under --virtual-clock */
    uint64_t start;     /* ns of CLOCK_MONOTONIC when the kernel's clock said 0 */
    uint64_t end;       /* ns on the kernel's clock at which it stops; UINT64_MAX: never */
    bool console;       /* reads standard input */
    bool eof;           /* standard input has ended */
    bool readable;      /* the last wait saw input */
    uint64_t looked;    /* ns: last look at standard input while busy */
    char typed[256];
    uint32_t ntyped, at;
    bool seeded; /* random numbers by `random`, not by Linux */
    struct rng random;
    uint64_t entropy[32]; /* from Linux, used from the end */
    uint32_t nentropy;
};

/* clock: see struct ground. Sets k->plat; g must outlive the kernel. */
void ground_init(struct ground *g, struct kernel *k, uint64_t *clock);
void ground_seed(struct ground *g, uint64_t seed);
/* Where plat_puts goes, for all kernels of the process; NULL: standard output. */
void ground_console(void (*put)(const char *s, size_t n));
/* Output waits for its reader, who was just tried again; and the file it waits for. */
bool ground_console_waits(void);
int ground_console_file(void);
uint64_t ground_console_patience(void); /* ns: when a command no longer waits for him */
/* SIGINT and SIGTERM stop the kernel cleanly; the second one ends the program at once. */
void ground_signals(void);
int ground_signal_file(void); /* readable once a signal has come; -1: ground_signals not called */
void ground_check(struct ground *g); /* stops the kernel when a signal or its end has come */

/* Bytes handed out by plat_pages. Nobody gives pages back, so their life ends with the last
 * kernel's: free them when all kernels of the process have ended. */
size_t ground_pages_used(void);
void ground_pages_free(void);

#endif
