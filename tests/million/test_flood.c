/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A million bogus SYNs a second beside honest connections, in virtual time: a million SYNs, with
 * TEST_LONG=1 ten million (under a sanitizer a tenth), 200 connections spread over them, each
 * opened by handshake, used for one exchange and closed by both ends. The settings are those that
 * the graph has: the flood fills the backlog at once, and who comes then, comes in by a cookie.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/million/box.h"

enum { SYN_NS = 1000 };

#ifdef POOL_POISON /* pool.h: the address sanitizer is on */
enum { SHRINK = 10 };
#else
enum { SHRINK = 1 };
#endif

enum { HONEST = 200 / SHRINK };

static struct bogus bogus = {.service = 0x0a000101, .port = 8080};
static uint64_t began, total;

/* The flood goes on while time does. */
static bool turn(void)
{
    uint64_t due = (box.clock - began) / SYN_NS;
    box.bogus_due = began ? due < total ? due : total : 0;
    return box_turn();
}

/* False: it is not done within the time, which is less than a client's first time-out. */
static bool honest(enum crowd_phase phase, uint32_t i)
{
    struct crowd_work w = {.phase = phase, .first = i, .n = 1, .width = 1, .size = 64};
    uint64_t end = box.clock + SECOND / 2;
    crowd_start(box.crowd, &w);
    while (!crowd_done(box.crowd) && box.clock < end)
        (void)turn();
    return crowd_done(box.crowd);
}

static void wait_for(uint64_t when)
{
    while (box.clock < when)
        (void)turn();
}

static int check(bool good, const char *name)
{
    printf("%sok %s\n", good ? "" : "not ", name);
    return !good;
}

/* The kernel's own account has a few bytes more or less for what has just come or gone. */
static bool is_flat(const struct accounts *was, const struct accounts *is)
{
    return is->live <= was->live && is->flows <= was->flows && is->paths <= was->paths &&
           is->kernel <= was->kernel && is->nodes <= was->nodes && is->messages <= was->messages;
}

static void print(const char *when, const struct accounts *a)
{
    printf("%s: kernel %" PRIu64 " paths %" PRIu64 " nodes %" PRIu64 " bytes, %u paths %u flows "
           "%u timers %u messages\n",
           when, a->kernel, a->paths, a->nodes, a->live, a->flows, a->timers, a->messages);
}

int main(void)
{
    const char *aim = getenv("TEST_LONG");
    struct crowd_conf conf = {.conns = HONEST + 1,
                              .gateway = {0x0a000101, 0x0a000201},
                              .service = bogus.service,
                              .server = 0x0a000202,
                              .port = bogus.port,
                              .classical = true};
    struct accounts early = {0}, late;
    uint32_t served = 0;
    total = (aim && *aim == '1' ? 10000000U : 1000000U) / SHRINK;
    box.crowd = crowd_make(&conf);
    if (!box_boot("firewall", "ip.route=default=10.0.1.16 waiting=10ms") ||
        !honest(CROWD_OPEN, HONEST) || !honest(CROWD_CLOSE, HONEST) ||
        !crowd_stations(box.crowd, CROWD_CLIENT, bogus.to, bogus.from)) {
        printf("not ok flood: no connection before it\n");
        return 1;
    }
    box.bogus = &bogus;
    began = box.clock;
    for (uint32_t i = 0; i < HONEST; i++) {
        wait_for(began + (i + 1) * (total * SYN_NS / (HONEST + 2)));
        if (i == HONEST / 10)
            early = box_accounts();
        served += honest(CROWD_OPEN, i) && honest(CROWD_CLOSE, i);
    }
    wait_for(began + total * SYN_NS);
    late = box_accounts();
    wait_for(box.clock + 10 * MS);
    const struct crowd_stats *s = crowd_stats(box.crowd);
    print("a tenth", &early);
    print("the end", &late);
    printf("%" PRIu64 " bogus SYNs, %" PRIu64 " answers, %" PRIu64 " wrong; %u of %d connections, "
           "%" PRIu64 " resent %" PRIu64 " bad %" PRIu64 " wrong %" PRIu64 " reset\n",
           bogus.sent, bogus.answered, bogus.wrong, served, HONEST, s->resent, s->bad, s->wrong,
           s->resets);
    int failed = check(bogus.sent == total && bogus.answered >= total && !bogus.wrong,
                       "R-ATK-4 a million bogus SYNs a second: each is answered");
    failed +=
        check(served == HONEST && !s->resent && !s->wrong && !s->resets,
              "R-ATK-4 a million bogus SYNs a second: every connection beside them is served");
    failed +=
        check(is_flat(&early, &late), "R-ATK-4 a million bogus SYNs a second: memory is flat");
    box_end();
    return failed ? 1 : 0;
}
