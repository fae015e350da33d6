/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random packets at whole graphs: fields at their edges, options of any bytes, lengths that lie,
 * checksums repaired, numbers near those of connections that are open, answers to what the kernel
 * sends, and with odd seeds memory that runs out. Nothing may crash, hang or leak, and every frame
 * that comes out must be whole (stage.c looks at each). A run is a function of its seed: test_fuzz
 * [GRAPH SEED]
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/graphs.h"
#include "tests/path/random.h"

enum { FRAMES_PER_RUN = 1500, SEEDS = 40, SEEDS_LONG = 2000 };

static const char *const settings = "msl=1s idle=100s halfidle=20s connect=10s giveup=20s keep=5s";

static bool run(const char *name, uint64_t seed)
{
    struct stage *s = calloc(1, sizeof *s);
    struct rng r;
    char trace[128], words[128];
    if (!s)
        abort();
    s->machine = &machine_hosted;
    rng_seed(&r, seed);
    const struct graph *g = graph_named(name);
    bool single = strcmp(name, "echo") == 0;
    stage_host(s, &random_hosts[0]);
    if (!single)
        stage_host(s, &random_hosts[1]);
    bool tcp = strncmp(name, "firewall", 8) == 0 || strcmp(name, "http") == 0;
    s->honest = seed / 2 % 2;
    s->listens = strcmp(name, "http") == 0 ? 80 : 8080;
    static const char *const policies[] = {"fifo", "share", "edf"};
    snprintf(words, sizeof words, "%s seed=%llu sched=%s", tcp ? settings : "",
             (unsigned long long)seed % 1000000 + 1, policies[seed % 3]);
    snprintf(trace, sizeof trace, "build/test/fuzz-%s-%llu-%ld.pcap", name,
             (unsigned long long)seed, (long)getpid());
    for (int i = 0; i < DROP_COUNT; i++)
        s->allowed[i] = true;
    bool good = stage_boot(s, g, words, trace);
    for (int i = 0; good && i < FRAMES_PER_RUN; i++) {
        struct host *h = &s->host[rng_below(&r, (uint64_t)s->nhosts)];
        struct packet p;
        random_packet(&r, s, h, &p);
        if (seed % 2)
            random_famine(&r, hosted_kernel(s));
        talk_send(s, h, &p);
        free(p.data);
        uint64_t wait = rng_below(&r, 8)     ? 0
                        : rng_below(&r, 100) ? rng_below(&r, 300 * MS)
                                             : 20 * SECOND;
        good = stage_run(s, stage_now(s) + wait);
        for (int j = 0; good && j < s->nhosts; j++)
            random_hear(&r, s, &s->host[j]);
        good = good && !*s->why;
    }
    random_plenty(hosted_kernel(s));
    for (int j = 0; j < s->nhosts; j++)
        s->host[j].next = s->host[j].nheard;
    if (good && getenv("FUZZ_SHOW")) {
        s->machine->command(s, "show nodes");
        printf("%s\n", s->text);
    }
    s->over = true; /* nobody listens to what still comes */
    good = stage_end(s);
    if (good)
        remove(trace);
    else
        printf("not ok fuzz: %s: %s; again by: test_fuzz %s %llu; frames in %s\n", name, s->why,
               name, (unsigned long long)seed, trace);
    free(s);
    return good;
}

int main(int argc, char **argv)
{
    static const char *const graphs[] = {"echo",           "router",   "bridge", "firewall-2path",
                                         "firewall-1path", "firewall", "http"};
    const char *is_long = getenv("TEST_LONG");
    uint64_t seeds = is_long && *is_long == '1' ? SEEDS_LONG : SEEDS;
    int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("build", 0777);
    mkdir("build/test", 0777);
    if (argc == 3)
        return !run(argv[1], strtoull(argv[2], NULL, 10));
    for (size_t g = 0; g < ARRAY_LEN(graphs); g++) {
        int bad = 0;
        for (uint64_t seed = 1; seed <= seeds && bad < 3; seed++)
            bad += !run(graphs[g], seed);
        if (!bad)
            printf("ok fuzz: %s, %llu seeds, %d random packets each\n", graphs[g],
                   (unsigned long long)seeds, FRAMES_PER_RUN);
        failed += bad;
    }
    return failed != 0;
}
