/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A million spliced connections in one process: opened by handshake, spliced by the rules, used,
 * closed by both ends; no record is written directly. The kernel's two cards are the crowd itself;
 * time is virtual.
 *
 *     run [--graph G] [--conns N] [--width W] [--size BYTES] [--console 1] [name=value]...
 *
 * Without arguments it is the test: graph `firewall`, 20,000 connections, with TEST_LONG=1 a
 * million (under a sanitizer a tenth of both). Prints time per phase and bytes per connection;
 * nanoseconds are printed, never asserted.
 */
#define _GNU_SOURCE /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/graphs.h"
#include "tests/million/box.h"

enum { KICKS = 100, BUDGET = 256 };

static int failed;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(bool good, const char *name, const char *why)
{
    printf(good ? "ok %s\n" : "not ok %s: %s\n", name, why);
    failed += !good;
}

/* Runs the work to its end. False: it stands still although what is unanswered was said again. */
static bool work(const struct crowd_work *w, const char *name)
{
    double began = seconds();
    const struct crowd_stats *s = crowd_stats(box.crowd);
    uint64_t before = s->sent[0] + s->sent[1];
    int kicks = 0;
    crowd_start(box.crowd, w);
    for (uint64_t last = box.clock, seen = 0; !crowd_done(box.crowd) && kicks < KICKS;) {
        uint64_t arrived = s->arrived[0] + s->arrived[1];
        bool more = box_turn();
        if (arrived != seen) {
            seen = arrived;
            last = box.clock;
        } else if (!more || box.clock - last > SECOND) {
            crowd_kick(box.crowd);
            last = box.clock;
            kicks++;
        }
    }
    double took = seconds() - began;
    uint64_t segments = s->sent[0] + s->sent[1] - before;
    printf("%-28s %9llu done %9llu segments %7.2f s %7.0f ns/segment  bad %llu wrong %llu "
           "resent %llu reset %llu\n",
           name, (unsigned long long)s->finished, (unsigned long long)segments, took,
           segments ? took * 1e9 / (double)segments : 0.0, (unsigned long long)s->bad,
           (unsigned long long)s->wrong, (unsigned long long)s->resent,
           (unsigned long long)s->resets);
    fflush(stdout);
    return kicks < KICKS;
}

static void account_print(const char *when, const struct accounts *a)
{
    printf("%-28s kernel %llu paths %llu nodes %llu bytes; %u paths (%u eth0 ipfwd eth1, %u with "
           "queues) %u flows %u timers %u messages\n",
           when, (unsigned long long)a->kernel, (unsigned long long)a->paths,
           (unsigned long long)a->nodes, a->live, a->final, a->queues, a->flows, a->timers,
           a->messages);
}

struct options {
    const char *graph;
    uint32_t conns, width;
    uint16_t size;
    bool splices; /* the graph has a forwarding node */
    char words[1024];
};

static bool phases(const struct options *o)
{
    struct crowd_work w = {.first = 0, .n = 1, .width = 1, .size = o->size};
    w.phase = CROWD_OPEN;
    if (!work(&w, "open the first"))
        return false;
    w = (struct crowd_work){CROWD_DATA, 0, 1, 100000, 32, o->size, true};
    if (!work(&w, "data, 1 connection"))
        return false;
    w = (struct crowd_work){CROWD_OPEN, 1, o->conns - 1, 0, o->width, o->size, true};
    if (!work(&w, "open the others"))
        return false;
    w = (struct crowd_work){CROWD_DATA, 0,   1000 < o->conns ? 1000 : o->conns, 100000, 32,
                            o->size,    true};
    if (!work(&w, "data, 1000 connections"))
        return false;
    w = (struct crowd_work){CROWD_DATA, 0, o->conns, o->conns, 32, o->size, true};
    return work(&w, "data, all connections");
}

static void close_all(const struct options *o, const struct accounts *before)
{
    struct crowd_work w = {CROWD_CLOSE, 0, o->conns, 0, BUDGET, o->size, true};
    const struct crowd_stats *s = crowd_stats(box.crowd);
    char why[160];
    bool done = work(&w, "close all");
    while (box.k->paths_live > before->live && box_turn())
        ;
    struct accounts after = box_accounts();
    account_print("at the end", &after);
    snprintf(why, sizeof why, "%llu closed, %llu reset; %u paths, %u flows, %llu bytes of paths",
             (unsigned long long)s->closed, (unsigned long long)s->resets, after.live, after.flows,
             (unsigned long long)after.paths);
    check(done && s->closed == o->conns && !s->resets && after.live == before->live &&
              after.flows <= before->flows + 256 && after.paths == before->paths,
          "R-SPL-12 FIN both ways ends every spliced path; nothing is left of them", why);
}

static int run(const struct options *o)
{
    struct crowd_conf conf = {.conns = o->conns,
                              .gateway = {0x0a000101, 0x0a000201},
                              .service = 0x0a000101,
                              .server = 0x0a000202,
                              .port = 8080};
    char why[160];
    box.crowd = crowd_make(&conf);
    if (!box_boot(o->graph, o->words)) {
        printf("not ok million: %s does not boot with %s\n", o->graph, o->words);
        return 1;
    }
    struct accounts before = box_accounts();
    account_print("before", &before);
    bool done = phases(o);
    struct accounts with = box_accounts();
    account_print("with all of them", &with);
    const struct crowd_stats *s = crowd_stats(box.crowd);
    snprintf(why, sizeof why, "%llu opened, %u spliced, %llu wrong, %llu bad",
             (unsigned long long)s->opened, with.final, (unsigned long long)s->wrong,
             (unsigned long long)s->bad);
    check(done && s->opened == o->conns && (!o->splices || with.final == o->conns) && !s->wrong &&
              !s->bad,
          "R-SPL-4 all connections are open, in their final state, and carry their own bytes", why);
    double each = (double)(with.kernel + with.paths + with.nodes - before.kernel - before.paths -
                           before.nodes) /
                  o->conns;
    printf("%.1f bytes per connection by the accounts\n", each);
    snprintf(why, sizeof why, "%.1f", each);
    check(!o->splices || each <= 256,
          "R-SPL-21 a spliced connection takes at most 256 bytes, everything included", why);
    close_all(o, &before);
    box_end();
    return failed;
}

#ifdef POOL_POISON /* pool.h: the address sanitizer is on */
enum { SHRINK = 10 };
#else
enum { SHRINK = 1 };
#endif

static bool has_node(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->nnodes; i++)
        if (strcmp(g->nodes[i].name, name) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *aim = getenv("TEST_LONG");
    struct options o = {.graph = "firewall", .width = 64, .size = 64};
    o.conns = (aim && *aim == '1' ? 1000000U : 20000U) / SHRINK;
    int at = 1;
    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        unsigned long n = strtoul(argv[at + 1], NULL, 10);
        if (strcmp(argv[at], "--graph") == 0)
            o.graph = argv[at + 1];
        else if (strcmp(argv[at], "--conns") == 0)
            o.conns = (uint32_t)n;
        else if (strcmp(argv[at], "--width") == 0)
            o.width = (uint32_t)n;
        else if (strcmp(argv[at], "--size") == 0)
            o.size = (uint16_t)n;
        else if (strcmp(argv[at], "--console") == 0)
            box.aloud = n;
    }
    if (o.conns < 2 || o.conns > CROWD_CONNS || !o.width || !o.size || o.size > CROWD_SIZE) {
        fprintf(stderr, "usage: see the head of tests/million/run.c\n");
        return 2;
    }
    const struct graph *g = graph_named(o.graph);
    o.splices = g && has_node(g, "fwd");
    snprintf(o.words, sizeof o.words, "%s%s",
             "plug.transparent=on paths=1100000 flows=2200000 buffers=4096 msl=1s",
             o.splices ? " waiting=1s" : "");
    for (; at < argc; at++)
        snprintf(o.words + strlen(o.words), sizeof o.words - strlen(o.words), " %s", argv[at]);
    return run(&o) ? 1 : 0;
}
