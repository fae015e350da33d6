/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seeded simulation's program: a forwarder between a client and a server over bad links.
 *
 *     run [--graph G] [--seed N | --seeds FIRST:COUNT] [--faults all|LIST] [--soak HOURS]
 *         [--bytes N] [--trace PREFIX] [--set WORDS]
 *
 * Without --graph even seeds take firewall-1path and odd ones firewall-2path; G may name a
 * treatment (firewall/off, /absorb, /hold, /concurrent). A failing seed prints one line `failed
 * seed N GRAPH: why`; the last line is `ran ...` with what happened in all. A seed that kills the
 * process is reported by the signal's handler. Exit status 1: a seed has failed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/scene.h"

enum { CONSOLE = 8192 };

static struct scene scene;
static char console[CONSOLE];
static size_t nconsole;
static bool aloud;

/* The kernels' logs, of which the end is printed when a seed fails. */
static void console_put(const char *text, size_t n)
{
    if (aloud) {
        fwrite(text, 1, n, stdout);
        return;
    }
    if (n > CONSOLE / 2)
        return;
    if (nconsole + n > CONSOLE) {
        memmove(console, console + CONSOLE / 2, nconsole - CONSOLE / 2);
        nconsole -= CONSOLE / 2;
    }
    memcpy(console + nconsole, text, n);
    nconsole += n;
}

static void died(int number)
{
    char text[128];
    int n = snprintf(text, sizeof text, "\nfailed seed %llu %s: signal %d\n",
                     (unsigned long long)scene.seed, scene.graph, number);
    if (n > 0 && write(1, text, (size_t)n) < 0)
        _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static const char *graph_of(uint64_t seed, const char *wanted)
{
    return wanted ? wanted : seed % 2 ? "firewall-2path" : "firewall-1path";
}

static void summary(const struct totals *t)
{
    printf("ran %llu seeds (", (unsigned long long)t->runs);
    for (int i = 0; i < STORY_COUNT; i++)
        printf("%s%s %llu", i ? ", " : "", story_name((enum story)i),
               (unsigned long long)t->story[i]);
    printf("), %llu model hosts of %llu; %llu connections (closed %llu, reset %llu, aborted %llu), "
           "%llu bytes, %llu rules; %llu frames: lost %llu, doubled %llu, damaged %llu, "
           "reordered %llu, overflowed %llu\n",
           (unsigned long long)t->models, (unsigned long long)t->runs * 2,
           (unsigned long long)t->conns, (unsigned long long)t->closed,
           (unsigned long long)t->reset, (unsigned long long)t->aborted,
           (unsigned long long)t->bytes, (unsigned long long)t->rules,
           (unsigned long long)t->frames, (unsigned long long)t->lost,
           (unsigned long long)t->doubled, (unsigned long long)t->damaged,
           (unsigned long long)t->reordered, (unsigned long long)t->overflowed);
}

/* Which transitions of the splice machine there were, and with how many bytes of ours where. */
static void summary_splices(const struct totals *t)
{
    static const char *const events[SPLICE_EVENTS] = {"start buffered",
                                                      "start unacknowledged",
                                                      "start clean",
                                                      "sent",
                                                      "sent and acknowledged",
                                                      "acknowledged",
                                                      "FIN taken",
                                                      "FIN acked",
                                                      "FIN absorbed",
                                                      "stopped",
                                                      "broken",
                                                      "expired"};
    for (int from = 0; from < SPLICE_STATES; from++)
        for (int ev = 0; ev < SPLICE_EVENTS; ev++)
            if (t->splices.count[from][ev])
                printf("transition %s, %s: %llu, with bytes received %llu, in the proxy %llu, "
                       "to be sent %llu\n",
                       splice_state_name((unsigned)from), events[ev],
                       (unsigned long long)t->splices.count[from][ev],
                       (unsigned long long)t->splices.with[from][ev][0],
                       (unsigned long long)t->splices.with[from][ev][1],
                       (unsigned long long)t->splices.with[from][ev][2]);
    printf("spliced segments %llu, held %llu, dropped %llu; commands splice %llu, unsplice %llu\n",
           (unsigned long long)t->splices.forwarded, (unsigned long long)t->splices.held,
           (unsigned long long)t->splices.dropped, (unsigned long long)t->commands[0],
           (unsigned long long)t->commands[1]);
    printf("streams %016llx\ntrace %016llx\n", (unsigned long long)t->sum,
           (unsigned long long)t->hash);
    for (int i = 0; i < FAULT_COUNT; i++)
        if (t->struck[i])
            printf("fault %s: %llu\n", fault_name((enum fault)i), (unsigned long long)t->struck[i]);
}

static void faults_print(void)
{
    int n = 0;
    for (int i = 0; i < FAULT_COUNT; i++)
        if (scene.faults.on[i])
            printf("%s%s", n++ ? "," : " (faults ", fault_name((enum fault)i));
    printf("%s\n", n ? ")" : "");
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    struct scene_job job = {0};
    uint64_t first = 1, number = 100;
    struct totals t = {0};
    bool good = true;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--graph") == 0) {
            only = argv[i + 1];
        } else if (strcmp(argv[i], "--trace") == 0) {
            job.trace = argv[i + 1];
        } else if (strcmp(argv[i], "--faults") == 0) {
            job.faults = true;
            faults_only = strcmp(argv[i + 1], "all") == 0 ? NULL : argv[i + 1];
        } else if (strcmp(argv[i], "--soak") == 0) {
            job.soak_hours = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--bytes") == 0) {
            job.bytes = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--set") == 0) {
            scene_settings = argv[i + 1];
        } else if (strcmp(argv[i], "--seed") == 0) {
            first = strtoull(argv[i + 1], NULL, 10);
            number = 1;
            aloud = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            char *colon;
            first = strtoull(argv[i + 1], &colon, 10);
            number = *colon == ':' ? strtoull(colon + 1, NULL, 10) : 1;
        } else {
            fprintf(stderr, "usage: run [--graph G] [--seed N | --seeds FIRST:COUNT] "
                            "[--faults all|LIST] [--soak HOURS] [--bytes N] "
                            "[--trace PREFIX] [--set WORDS]\n");
            return 2;
        }
    }
    ground_console(console_put);
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    for (uint64_t seed = first; seed < first + number; seed++) {
        nconsole = 0;
        job.graph = graph_of(seed, only);
        if (!scene_run(&scene, seed, &job, &t)) {
            good = false;
            printf("failed seed %llu %s: %s, %s%s%s", (unsigned long long)seed, scene.graph,
                   story_name(scene.story), scene.why, scene.faulty ? " (bad links)" : "",
                   scene.transparent ? " (transparent)" : "");
            faults_print();
        }
        fflush(stdout);
    }
    summary_splices(&t);
    summary(&t);
    return good ? 0 : 1;
}
