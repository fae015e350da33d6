/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MILLION_BOX_H
#define TESTS_MILLION_BOX_H
/*
 * One kernel in this process between the two halves of a crowd, which are its two cards, in virtual
 * time; and, if there is one, a SYN flood on the clients' side. Nothing fails but box_boot.
 */
#include "boot/hosted/ground.h"
#include "kernel/kernel.h"
#include "tests/million/bogus.h"
#include "tests/million/crowd.h"

struct box {
    struct kernel *k;
    struct ground ground;
    uint64_t clock; /* ns */
    struct crowd *crowd;
    struct bogus *bogus; /* NULL: no flood */
    uint64_t bogus_due;  /* SYNs that are to have been sent by now */
    struct netdev card[2];
    bool aloud; /* the console is printed */
};

extern struct box box;

struct accounts {                  /* what is in use */
    uint64_t kernel, paths, nodes; /* bytes */
    uint32_t live, flows, timers, messages;
    uint32_t final, queues; /* paths: `eth0 ipfwd eth1`, and those with queues */
};

bool box_boot(const char *graph, const char *words);
void box_end(void);
/* A turn of the main loop; with nothing to do time jumps to the next timer. False: nothing more. */
bool box_turn(void);
struct accounts box_accounts(void);

#endif
