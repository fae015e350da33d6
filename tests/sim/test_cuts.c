/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each of the reference transfers is cut at each of its events, which are the turns in which the
 * forwarder did something: there an operator splices or unsplices, a host closes or resets. And
 * each of the forwarder's allocations fails once. Whatever comes of it: every stream is exact, both
 * ends end, and everything is given back.
 *
 *     test_cuts [--one TRANSFER:EVENT:ACT[:EVENT:ACT] | --one TRANSFER:alloc:N] [--trace PREFIX]
 *
 * TEST_LONG=1: also all pairs of cuts of the shortest ones, and every allocation. What fails is run
 * again by itself, for its captures under build/test/sim/.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/alloc.h"
#include "tests/sim/transfers.h"

enum act {
    ACT_SPLICE,
    ACT_UNSPLICE,
    ACT_CLIENT_FIN,
    ACT_SERVER_FIN,
    ACT_CLIENT_RST,
    ACT_SERVER_RST,
    ACT_COUNT
};
enum { CUTS = 2, SEED = 7, ALLOCATIONS = 200, EVENTS_MAX = 400 };

static const char *const act_names[] = {"splice",     "unsplice",   "client-fin",
                                        "server-fin", "client-rst", "server-rst"};

static struct {
    int transfer, n;
    struct {
        uint32_t at;
        enum act act;
    } cut[CUTS];
    uint64_t nth; /* allocation that fails; 0: none */
    uint32_t events;
    bool came[CUTS];
} now;

static struct scene scene;
static const char *program, *trace;
static bool alone;

static void quiet(const char *text, size_t n)
{
    (void)text;
    (void)n;
}

/* --- one run --- */

static void host_work(void *arg)
{
    struct scene *s = arg;
    for (int i = 0; i < 2; i++)
        if (s->peer[i].is_model)
            model_work(&s->peer[i].model);
        else if (s->peer[i].machine.k)
            app_work(s->peer[i].machine.k);
}

static void act(struct scene *s, enum act what)
{
    struct pair *p = &s->pair[0];
    bool server = what == ACT_SERVER_FIN || what == ACT_SERVER_RST;
    struct end *e = server ? &p->server : &p->client;
    switch (what) {
    case ACT_SPLICE:
        scene_say(s, "splice all");
        return;
    case ACT_UNSPLICE:
        scene_say(s, "unsplice all");
        return;
    case ACT_CLIENT_FIN:
    case ACT_SERVER_FIN:
        e->out_bytes = e->sent;
        e->shut_last = false;
        break;
    default:
        e->abort_sent = (int64_t)(e->sent < e->out_bytes ? e->sent : e->out_bytes);
        p->loose = true;
        for (int i = 0; i < 4; i++) /* a reset that is lost is not sent again */
            simlink_way(s->link[i / 2], i % 2)->loss_ppm = 0;
        break;
    }
    simworld_at(s->world, simworld_now(s->world), host_work, s);
}

static void turned(void *arg)
{
    struct scene *s = arg;
    if (scene_over(s))
        return;
    now.events++;
    for (int i = 0; i < now.n; i++)
        if (now.cut[i].at == now.events) {
            now.came[i] = true;
            act(s, now.cut[i].act);
        }
}

static void planned(struct scene *s)
{
    transfer_plan(s, &transfers[now.transfer]);
}

static void begun(struct scene *s)
{
    transfer_begin(s, &transfers[now.transfer]);
    now.events = 0;
    memset(now.came, 0, sizeof now.came);
    simworld_watch(s->world, s->box.k, turned, s);
    allocs = (struct allocs){.k = s->box.k, .nth = now.nth};
    s->pair[0].loose = now.nth != 0;
}

static bool run(void)
{
    static struct totals t;
    struct scene_job job = {
        .graph = transfers[now.transfer].graph, .planned = planned, .begun = begun, .trace = trace};
    return scene_run(&scene, SEED + (uint64_t)now.transfer, &job, &t);
}

/* --- what failed --- */

static void spell(char *text, size_t n)
{
    int used = snprintf(text, n, "%d", now.transfer);
    if (now.nth)
        snprintf(text + used, n - (size_t)used, ":alloc:%llu", (unsigned long long)now.nth);
    for (int i = 0; i < now.n; i++)
        used += snprintf(text + used, n - (size_t)used, ":%u:%s", now.cut[i].at,
                         act_names[now.cut[i].act]);
}

static void again(const char *why)
{
    char which[100], prefix[140], line[600];
    spell(which, sizeof which);
    snprintf(prefix, sizeof prefix, "build/test/sim/cut-%s", which);
    for (char *c = prefix; *c; c++)
        *c = *c == ':' ? '-' : *c;
    printf("  %s %s; again: %s --one %s --trace %s\n", which, why, program, which, prefix);
    fflush(stdout);
    snprintf(line, sizeof line, "mkdir -p build/test/sim; %s --one %s --trace %s >%s.log 2>&1",
             program, which, prefix, prefix);
    if (system(line) < 0)
        printf("  and that could not be run\n");
}

static void died(int number)
{
    signal(number, SIG_DFL);
    if (!alone) {
        again("died");
        printf("not ok R-SIM-2 cuts: died of signal %d\n", number);
    }
    fflush(NULL); /* the captures, too */
    raise(number);
}

/* --- all of them --- */

struct sum {
    unsigned runs, failed;
    char why[SCENE_TEXT];
};

static void one(struct sum *sum)
{
    sum->runs++;
    if (run())
        return;
    if (sum->failed++ == 0) {
        snprintf(sum->why, sizeof sum->why, "%s", scene.why);
        again(sum->why);
    }
}

static bool verdict(const char *id, const char *what, const struct sum *sum, unsigned points)
{
    const struct transfer *t = &transfers[now.transfer];
    printf("%s %s %s, %s: %s at each of %u: every stream exact, everything given back%s%s\n",
           sum->failed ? "not ok" : "ok", id, t->name, t->graph, what, points,
           sum->failed ? ": " : "", sum->failed ? sum->why : "");
    fflush(stdout);
    return !sum->failed;
}

static uint32_t events_of(int transfer, struct sum *sum)
{
    memset(&now, 0, sizeof now);
    now.transfer = transfer;
    one(sum);
    return now.events < EVENTS_MAX ? now.events : EVENTS_MAX;
}

static bool singles(int transfer)
{
    struct sum sum = {0};
    uint32_t events = events_of(transfer, &sum);
    now.n = 1;
    for (uint32_t at = 1; at <= events; at++)
        for (int a = 0; a < ACT_COUNT; a++) {
            now.cut[0].at = at;
            now.cut[0].act = (enum act)a;
            one(&sum);
        }
    return verdict("R-SIM-2", "splice, unsplice, FIN, RST", &sum, events);
}

static bool pairs(int transfer)
{
    struct sum sum = {0};
    uint32_t events = events_of(transfer, &sum);
    now.n = 2;
    for (uint32_t i = 1; i <= events; i++)
        for (uint32_t j = i; j <= events + 4; j++)
            for (int a = 0; a < ACT_COUNT * ACT_COUNT; a++) {
                now.cut[0].at = i;
                now.cut[0].act = (enum act)(a / ACT_COUNT);
                now.cut[1].at = j;
                now.cut[1].act = (enum act)(a % ACT_COUNT);
                one(&sum);
            }
    return verdict("R-SIM-2", "all pairs of splice, unsplice, FIN, RST", &sum, events);
}

static bool allocations(int transfer, bool all)
{
    struct sum sum = {0};
    memset(&now, 0, sizeof now);
    now.transfer = transfer;
    bool more = true;
    while (more && (all || now.nth < ALLOCATIONS)) {
        now.nth++;
        one(&sum);
        more = allocs.refused > 0;
    }
    return verdict("R-SIM-3", "an allocation fails", &sum, (unsigned)now.nth - !more);
}

static bool parse(const char *text)
{
    char *end;
    now.transfer = (int)strtol(text, &end, 10);
    if (now.transfer < 0 || now.transfer >= TRANSFERS)
        return false;
    if (strncmp(end, ":alloc:", 7) == 0) {
        now.nth = strtoull(end + 7, NULL, 10);
        return now.nth > 0;
    }
    while (*end == ':' && now.n < CUTS) {
        now.cut[now.n].at = (uint32_t)strtoul(end + 1, &end, 10);
        int a = 0;
        size_t n = *end == ':' ? strcspn(++end, ":") : 0;
        while (a < ACT_COUNT && (strlen(act_names[a]) != n || strncmp(act_names[a], end, n) != 0))
            a++;
        if (a == ACT_COUNT)
            return false;
        now.cut[now.n++].act = (enum act)a;
        end += n;
    }
    return *end == 0;
}

int main(int argc, char **argv)
{
    const char *is_long = getenv("TEST_LONG");
    bool all = is_long && *is_long == '1', good = true;
    program = argv[0];
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--trace") == 0)
            trace = argv[i + 1];
        else if (strcmp(argv[i], "--one") == 0 && (alone = parse(argv[i + 1])))
            continue;
        else
            return fprintf(stderr, "usage: test_cuts [--one TRANSFER:EVENT:ACT | --one "
                                   "TRANSFER:alloc:N] [--trace PREFIX]\n"),
                   2;
    }
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    if (alone) {
        good = run();
        printf("%s%s\n", good ? "ok" : "not ok: ", good ? "" : scene.why);
        return !good;
    }
    ground_console(quiet);
    for (int t = 0; t < TRANSFERS; t++)
        good &= singles(t);
    for (int t = 0; t < TRANSFERS; t++)
        good &= allocations(t, all);
    for (int t = 0; all && t < TRANSFERS_SHORT; t++)
        good &= pairs(t);
    return !good;
}
