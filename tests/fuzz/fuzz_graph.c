/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequences of frames into whole graphs, between two hosts that answer: proxies that splice, and
 * some that do not. An input is a graph and its settings, then four bytes a step: which host, how
 * long to wait, and the seed of a random packet (tests/path/random.c), so libFuzzer makes sequences
 * and not checksums. Steps may also be an operator's commands. Afterwards all is given back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/graphs.h"
#include "kernel/kernel.h"
#include "tests/path/random.h"

enum { STEPS = 200, HTTP = 80, PROXY = 8080 };

extern const struct graph graph_firewall, graph_http, graph_firewall_1path, graph_filter,
    graph_login;

static const struct {
    const struct graph *graph;
    uint16_t listens;
} graphs[] = {
    {&graph_firewall, PROXY}, {&graph_firewall, PROXY},       {&graph_firewall, PROXY},
    {&graph_http, HTTP},      {&graph_firewall_1path, PROXY}, {&graph_filter, PROXY},
    {&graph_login, 23},
};

static const char *const settings[] = {
    "",
    "sched=share timestamps=off",
    "sched=edf sack=off",
    "tcp.backlog=0",
    "sndbuf=4k rcvbuf=4k",
    "paths=64",
    "mss=536 wscale=off",
    "miss=drop",
};

static const char *const commands[] = {"splice all", "unsplice all", "show paths", "show nodes",
                                       "show mem"};

static uint64_t runs, frames;

static void count(void)
{
    printf("frames: %llu\n", (unsigned long long)frames);
}

/* One step; which: 2 bits of host and command, 6 of time. */
static void step(struct stage *s, uint8_t which, struct rng *r, bool famine)
{
    if ((which & 3) == 3) {
        s->machine->command(s, commands[rng_below(r, ARRAY_LEN(commands))]);
    } else {
        struct host *h = &s->host[which & 1];
        struct packet p;
        random_packet(r, s, h, &p);
        if (famine)
            random_famine(r, hosted_kernel(s));
        talk_send(s, h, &p);
        free(p.data);
        frames++;
    }
    uint64_t wait = which >> 2;
    wait = wait < 48 ? 0 : wait < 63 ? rng_below(r, 300 * MS) : 20 * SECOND;
    stage_run(s, stage_now(s) + wait);
    for (int i = 0; i < s->nhosts && !*s->why; i++)
        random_hear(r, s, &s->host[i]);
}

static void input(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    uint8_t first = bytes_one(&in), set = bytes_one(&in);
    struct stage *s = calloc(1, sizeof *s);
    char words[200];
    if (!s)
        abort();
    if (!runs++)
        atexit(count);
    s->machine = &machine_hosted;
    stage_host(s, &random_hosts[0]);
    stage_host(s, &random_hosts[1]);
    for (int i = 0; i < DROP_COUNT; i++)
        s->allowed[i] = true;
    s->honest = set & 64;
    s->listens = graphs[first % ARRAY_LEN(graphs)].listens;
    snprintf(words, sizeof words,
             "msl=1s idle=100s halfidle=20s connect=10s giveup=20s seed=1 flows=1024 %s",
             settings[(set & 63) % ARRAY_LEN(settings)]);
    bool good = stage_boot(s, graphs[first % ARRAY_LEN(graphs)].graph, words, NULL);
    for (int i = 0; good && i < STEPS && in.n && !*s->why; i++) {
        struct rng r;
        uint8_t which = bytes_one(&in);
        rng_seed(&r, (uint64_t)bytes_two(&in) << 8 | bytes_one(&in));
        step(s, which, &r, set & 128);
    }
    if (s->up)
        random_plenty(hosted_kernel(s));
    for (int i = 0; i < s->nhosts; i++)
        s->host[i].next = s->host[i].nheard;
    s->over = true; /* nobody listens to what still comes */
    if (!stage_end(s))
        fuzz_fail(s->why, "all is well");
    free(s);
}

const struct target target = {0, NULL, input, NULL};
