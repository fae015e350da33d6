/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H
/*
 * A kernel for a unit test: virtual clock, seeded random numbers, cards whose wires end in the
 * test. fixture_end asserts that paths, flows and messages are back where they were after the boot,
 * and kernel_end that the rest is given back, so every test that uses a kernel looks for leaks.
 *
 *     struct fixture *f = fixture_make(fixture_graph("router"), 2, "eth0.mtu=1400");
 *     fixture_frame(f, 0, bytes, n);      a frame arrives at card 0
 *     fixture_run(f, 10 * MS);            and time goes on
 *     fixture_sent(f, 0)->bytes           the oldest frame that the kernel sent
 *     fixture_end(f);
 */
/* clang-format off: cmocka wants these four before it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "boot/hosted/ground.h"
#include "drivers/hosted/sim.h"
#include "kernel/kernel.h"
#include "kernel/show.h"
#include "tests/graphs.h"

enum { FIXTURE_SENT = 4096, FIXTURE_TEXT = 65536 };

struct fixture_frame {
    uint64_t ns;
    int card;
    size_t n;
    uint8_t *bytes;
};

struct fixture {
    struct kernel *k;
    struct ground ground;
    struct simworld *world;
    struct simlink *link[NETDEV_MAX]; /* end 0: the kernel's card, end 1: the test */
    struct fixture_frame sent[FIXTURE_SENT];
    int nsent, taken;
    char text[FIXTURE_TEXT]; /* what the last fixture_command said */
    struct {
        uint32_t paths, flows, small, full;
    } start;
};

/* The log and console of all kernels of the test program, from the last fixture_make on. */
extern char fixture_log[FIXTURE_TEXT];

extern uint64_t fixture_seed; /* of the random numbers of kernels made from now on */
/* A graph of config/ by its name; fails the test when there is none. */
const struct graph *fixture_graph(const char *name);
/* g NULL: a kernel without nodes. Fails the test when it does not boot. */
struct fixture *fixture_make(const struct graph *g, int ncards, const char *cmdline);
/* The same, but the boot is expected to fail: what it said is in fixture_log, nothing is left. */
status_t fixture_refused(const struct graph *g, int ncards, const char *cmdline);
void fixture_end(struct fixture *f);
/* Takes the present numbers for the start: what fixture_end compares with. */
void fixture_settle(struct fixture *f);

void fixture_run(struct fixture *f, uint64_t ns); /* so much time goes by */
void fixture_frame(struct fixture *f, int card, const uint8_t *frame, size_t n);
/* The i-th frame sent that was not taken yet; NULL: there are not so many. */
const struct fixture_frame *fixture_sent(const struct fixture *f, int i);
void fixture_take(struct fixture *f, int n); /* forget the oldest n */
/* A console command; its answer, good until the next. */
const char *fixture_command(struct fixture *f, const char *line);
uint64_t fixture_value(struct fixture *f, const char *line, const char *name); /* of `name value` */

/* A graph made by hand: nodes as mkgraph.py would write them; no makers; rules may be NULL. */
struct graph fixture_graph_of(const struct graph_node *nodes, int n,
                              const struct rule *const *rules);

/* For cmocka: *state is a kernel without nodes. The name is what the test proves, for people. */
#define FIXTURE_TEST(name, function)                          \
    {                                                         \
        name, function, fixture_setup, fixture_teardown, NULL \
    }
#define PLAIN_TEST(name, function)       \
    {                                    \
        name, function, NULL, NULL, NULL \
    }
int fixture_setup(void **state);
int fixture_teardown(void **state);

#endif
