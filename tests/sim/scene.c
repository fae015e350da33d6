/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulated run: built, driven to its end, judged. See scene.h; what happens is plan.c's choice.
 */
#include "tests/sim/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/proxy/proxy.h"
#include "modules/tcp/tcp.h"
#include "tests/graphs.h"
#include "tests/sim/alloc.h"
#include "tests/sim/fickle.h"

enum {
    MEMORY = 16 << 20,
    WARM_S = 60,
    SETTLE_S = 900,
    LOOSE_S = 7200, /* idle limit when a reset may have been lost */
    CALM_S = 200,   /* then what was on its way has arrived */
    LIMIT_S = 300000,
    STUCK_S = 10000,        /* that long without a byte */
    STUCK_FAULTS_S = 40000, /* who has been silent for hours may still come */
    LIMIT_LOST_S = 20000,   /* when a reset may have been lost */
    AT_ONCE_S = 5,
    SERVER_PORT = 8080,
    BOX_ADDR = 0x0a000101,
    SERVER_ADDR = 0x0a000202
};

const char *scene_settings = "";

void scene_fail(struct scene *s, const char *what, const char *who, int i)
{
    if (!s->why[0] && !s->forgiving)
        snprintf(s->why, sizeof s->why, "%s%s%.0d: %s", who, i ? " " : "", i, what);
}

static void fail(struct scene *s, const char *what, const char *who, int i)
{
    scene_fail(s, what, who, i);
}

/* --- building --- */

static void machine_make(struct scene *s, struct machine *h, const struct graph *g,
                         const char *words, int first_link, int nlinks)
{
    h->k = calloc(1, sizeof *h->k);
    if (!h->k) {
        fprintf(stderr, "sim: no memory\n");
        exit(1);
    }
    ground_init(&h->ground, h->k, h == &s->box ? &h->clock : simworld_clock(s->world));
    ground_seed(&h->ground, rng_next(&s->random));
    if (h == &s->box)
        simworld_own_clock(s->world, h->k, &h->clock, s->faults.ahead_ns);
    if (kernel_init(h->k, MEMORY) != OK)
        fail(s, "kernel_init", g->name, 0);
    for (int i = 0; i < nlinks; i++) /* the forwarder is on the inner ends of the links */
        simlink_end(s->link[first_link + i], h->k, nlinks == 2 ? !i : first_link);
    if (!s->why[0] && kernel_boot(h->k, g, words) != OK)
        fail(s, "does not boot", g->name, 0);
}

/* Which connection the forwarder's segment from that port belongs to: it is asked. */
static struct pair *pair_of(struct scene *s, uint16_t port)
{
    const struct kernel *k = s->box.k;
    for (uint32_t i = 0; i < k->paths_size; i++) {
        const struct path *p = path_at(k, i);
        for (int at = 0; p && at < p->shape->n; at++) {
            const struct tcb *c = tcb_at(p, at);
            if (!c || c->local.port != port || c->remote.port != SERVER_PORT)
                continue;
            const struct conn *conn = at ? proxy_at(p, at - 1) : NULL;
            for (int j = 0; conn && j <= SCENE_CONNS; j++)
                if (s->pair[j].client_port == proxy_client(conn)->port)
                    return &s->pair[j];
        }
    }
    return NULL;
}

static struct end *accepted(void *arg, uint16_t peer_port)
{
    struct scene *s = arg;
    struct pair *p = pair_of(s, peer_port);
    if (!p || p->taken || p->rebooted || (s->story == STORY_REFUSED && p != &s->pair[SCENE_CONNS]))
        return NULL;
    for (int i = 0; i <= SCENE_CONNS; i++) /* an older connection may have had the port */
        if (s->pair[i].box_port == peer_port)
            s->pair[i].box_port = 0;
    p->taken = true;
    p->box_port = peer_port;
    return &p->server;
}

static void peer_make(struct scene *s, int side, const struct graph *like)
{
    struct peer *p = &s->peer[side];
    char words[256];
    if (p->is_model) {
        struct model_conf conf = p->model.conf;
        model_init(&p->model, &conf, s->world, s->link[side], side);
        p->model.accept = side ? accepted : NULL;
        p->model.arg = s;
        return;
    }
    snprintf(words, sizeof words,
             "ip.addr=eth0=10.0.%d.2/24 ip.route=default=10.0.%d.1 paths=64 flows=256 msl=120s "
             "connect=3600s giveup=%s idle=%s halfidle=%s%s",
             side + 1, side + 1, s->story >= STORY_CLIENT_GONE ? "120s" : "90h",
             s->story == STORY_PLAIN ? "90h" : "400s", s->story == STORY_PLAIN ? "90h" : "400s",
             s->faults.any ? " keepalive=400s keepintvl=200s" : "");
    machine_make(s, &p->machine, app_graph(like), words, side, 1);
    if (!s->why[0] && side)
        app_listen(p->machine.k, accepted, s);
}

/* "firewall/hold" */
static const struct graph *graph_find(struct scene *s)
{
    size_t n = strcspn(s->graph, "/");
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)n, s->graph);
    for (int t = TREAT_OFF; s->graph[n] && t < TREAT_COUNT; t++)
        if (strcmp(s->graph + n + 1, treatment_name((enum treatment)t)) == 0)
            s->treatment = (enum treatment)t;
    const struct graph *g = graph_named(name);
    if (!g || (s->graph[n] && !s->treatment))
        fail(s, "no such graph or treatment", s->graph, 0);
    return g && s->whims.fickle ? fickle_graph(s, g) : g;
}

static void tap(void *arg, int end, bool arrives, const uint8_t *frame, size_t n)
{
    const struct faults_side *side = arg;
    struct scene *s = side->scene;
    uint64_t where = (uint64_t)side->link << 2 | (uint64_t)end << 1 | arrives;
    s->hash = (s->hash ^ where ^ simworld_now(s->world)) * 0x100000001b3ULL;
    for (size_t i = 0; i < n; i++)
        s->hash = (s->hash ^ frame[i]) * 0x100000001b3ULL; /* FNV-1a */
    wire_tap(&s->wire.side[side->link], end, arrives, frame, n);
}

static void build(struct scene *s)
{
    const char *trace = s->job->trace;
    const struct graph *g = graph_find(s);
    char words[768], name[256];
    if (s->why[0])
        return;
    s->world = simworld_make();
    whims_init(s);
    for (int l = 0; l < 2; l++) {
        s->side[l] = (struct faults_side){s, l};
        struct simlink_conf c = {.world = s->world,
                                 .seed = rng_next(&s->random),
                                 .tap = tap,
                                 .tap_arg = &s->side[l],
                                 .too_long = narrow_answer,
                                 .too_long_arg = &s->side[l]};
        snprintf(name, sizeof name, "%s-%s.pcap", trace ? trace : "", l ? "server" : "client");
        if (trace && pcapfile_write(&s->trace[l], name) == OK)
            c.trace = &s->trace[l];
        s->link[l] = simlink_make(&c);
    }
    plan_links_clean(s);
    plan_box(s, words, sizeof words);
    faults_words(s, words + strlen(words), sizeof words - strlen(words));
    snprintf(words + strlen(words), sizeof words - strlen(words), " %s", scene_settings);
    machine_make(s, &s->box, g, words, 0, 2);
    peer_make(s, 0, g);
    peer_make(s, 1, g);
}

/* --- driving --- */

static void connect_now(void *arg)
{
    struct pair *p = arg;
    struct peer *from = &p->scene->peer[0];
    if (from->is_model ? from->model.gone : !from->machine.k)
        return;
    uint32_t to = p->scene->transparent ? SERVER_ADDR : BOX_ADDR;
    p->client_port = from->is_model ? model_connect(&from->model, &p->client, to, SERVER_PORT)
                                    : app_connect(from->machine.k, &p->client, to, SERVER_PORT);
}

static void begin(struct scene *s, struct pair *p)
{
    p->scene = s;
    p->begun = true;
    simworld_at(s->world, simworld_now(s->world) + p->start_ns, connect_now, p);
}

void scene_begin(struct scene *s)
{
    for (int i = 0; i < s->npairs; i++)
        if (!s->pair[i].begun)
            begin(s, &s->pair[i]);
}

void scene_run_for(struct scene *s, uint64_t ns)
{
    if (!s->why[0] && !simworld_run(s->world, simworld_now(s->world) + ns))
        fail(s, "time stands still", "world", 0);
}

int scene_gone(const struct scene *s)
{
    return s->story == STORY_CLIENT_GONE ? 0 : s->story == STORY_SERVER_GONE ? 1 : -1;
}

static void host_vanish(struct scene *s, int side)
{
    for (int e = 0; e < 2; e++)
        simlink_way(s->link[side], e)->down = true;
    s->dead[side] = true;
    s->peer[side].model.gone = true;
    if (!s->peer[side].is_model)
        simworld_remove(s->world, s->peer[side].machine.k);
}

static void vanish(void *arg)
{
    host_vanish(arg, scene_gone(arg));
}

static bool over(const struct scene *s, int first, int n)
{
    int gone = scene_gone(s);
    for (int i = first; i < first + n; i++) {
        const struct pair *p = &s->pair[i];
        if (gone != 0 && !end_over(&p->client))
            return false;
        if (gone != 1 && p->taken && !end_over(&p->server))
            return false;
    }
    return true;
}

bool scene_over(const struct scene *s)
{
    return over(s, 0, s->npairs);
}

/* Changes whenever anything does at an end. */
static uint64_t progress(const struct scene *s)
{
    uint64_t sum = 0;
    for (int i = 0; i <= SCENE_CONNS; i++) {
        const struct end *c = &s->pair[i].client, *v = &s->pair[i].server;
        sum += c->got + c->sent + v->got + v->sent + (uint64_t)c->state + (uint64_t)v->state +
               c->eof + v->eof + c->shut + v->shut;
    }
    return sum;
}

static void run_until_over(struct scene *s, int first, int n, uint64_t seconds)
{
    uint64_t begun = simworld_now(s->world), step = SECOND, moved = begun, before = progress(s);
    uint64_t stuck = s->faults.any ? STUCK_FAULTS_S : STUCK_S;
    scene_run_for(s, 600 * MS); /* all have begun */
    while (!s->why[0] && !over(s, first, n) && simworld_now(s->world) - begun < seconds * SECOND &&
           simworld_now(s->world) - moved < stuck * SECOND) {
        scene_run_for(s, step);
        step = simworld_now(s->world) - begun > 100 * SECOND ? 10 * SECOND : SECOND;
        moved = progress(s) != before ? simworld_now(s->world) : moved;
        before = progress(s);
    }
}

static void count(struct scene *s, struct totals *t)
{
    t->runs++;
    t->story[s->story]++;
    t->rules += s->box.k->nhistory;
    t->models += s->peer[0].is_model + s->peer[1].is_model;
    for (int l = 0; l < 2; l++)
        for (int e = 0; e < 2; e++) {
            const struct simlink_stats *x = simlink_stats(s->link[l], e);
            t->frames += x->sent;
            t->lost += x->lost;
            t->doubled += x->doubled;
            t->damaged += x->damaged;
            t->reordered += x->reordered;
            t->overflowed += x->overflowed;
        }
    for (int i = 0; i < s->npairs; i++) {
        const struct pair *p = &s->pair[i];
        t->conns++;
        t->bytes += p->client.got + p->server.got;
        t->closed += p->client.state == END_CLOSED;
        t->reset += p->client.state == END_RESET;
        t->aborted += p->client.state == END_ABORTED;
        if (s->story == STORY_PLAIN && !s->faults.loose && !p->rebooted)
            t->sum += s->seed * (p->client.got * 3 + p->server.got * 5 + (uint64_t)p->client.state);
    }
    for (int i = 0; i < FAULT_COUNT; i++)
        t->struck[i] += s->faults.struck[i];
    t->hash += s->seed * s->hash;
    whims_count(s, t);
}

/* --- all of it --- */

static void warm_up(struct scene *s)
{
    plan_warm(s);
    begin(s, &s->pair[SCENE_CONNS]);
    run_until_over(s, SCENE_CONNS, 1, WARM_S);
    scene_run_for(s, SETTLE_S * SECOND);
    judge_pair(s, &s->pair[SCENE_CONNS], SCENE_CONNS);
    s->pair[SCENE_CONNS].client_port = s->pair[SCENE_CONNS].box_port = 0; /* others may use them */
    if (!s->why[0] && s->box.k->graph->rules && *s->box.k->graph->rules && !s->box.k->nhistory)
        fail(s, "no rule has fired", "forwarder", 0);
    machine_note(&s->box);
    for (int i = 0; i < 2; i++)
        machine_note(&s->peer[i].machine);
}

/* The connections of one wave, to their ends. */
void scene_wave(struct scene *s)
{
    bool at_once = s->story == STORY_REFUSED && !s->faulty && !s->faults.any;
    int first = s->faults.on[FAULT_REBOOT] ? s->npairs / 2 : s->npairs;
    if (s->job->begun)
        s->job->begun(s);
    for (int i = 0; i < first; i++)
        begin(s, &s->pair[i]);
    whims_begin(s);
    if (s->faults.any) {
        faults_begin(s);
        scene_run_for(s, s->faults.calm_ns + CALM_S * SECOND);
    }
    run_until_over(s, 0, s->npairs,
                   at_once                                    ? AT_ONCE_S
                   : s->story == STORY_PLAIN || s->faults.any ? LIMIT_S
                                                              : LIMIT_LOST_S);
    for (int i = 0; i < s->npairs; i++)
        judge_pair(s, &s->pair[i], i);
}

static void drive(struct scene *s)
{
    if (!s->why[0])
        warm_up(s);
    if (s->why[0])
        return;
    plan_links(s);
    if (s->story == STORY_SERVER_DOWN)
        s->dead[1] = simlink_way(s->link[1], 0)->down = simlink_way(s->link[1], 1)->down = true;
    if (scene_gone(s) >= 0)
        simworld_at(s->world, simworld_now(s->world) + s->gone_ns, vanish, s);
    s->forgiving = s->faults.forged;
    if (s->job->soak_hours)
        scene_soak(s);
    else
        scene_wave(s);
    for (int i = 0; i < 2 && s->faults.forged; i++)
        host_vanish(s, i); /* they may go on for ever, each sure of something else */
    bool long_idle = s->faults.loose || s->faults.on[FAULT_REBOOT];
    scene_run_for(s, (long_idle ? SETTLE_S + LOOSE_S + 0ULL : SETTLE_S) * SECOND);
    s->forgiving = false;
    machine_check(s, &s->box, "forwarder");
    if (!s->faults.forged)
        judge_peers(s);
}

static void tear_down(struct scene *s)
{
    if (s->box.k)
        kernel_end(s->box.k);
    for (int i = 0; i < 2; i++)
        if (s->peer[i].machine.k)
            kernel_end(s->peer[i].machine.k);
    if (s->world)
        simworld_free(s->world);
    ground_pages_free();
    free(s->box.k);
    for (int i = 0; i < 2; i++) {
        free(s->peer[i].machine.k);
        if (s->peer[i].is_model)
            model_free(&s->peer[i].model);
        if (s->trace[i].f)
            pcapfile_close(&s->trace[i]);
    }
}

bool scene_run(struct scene *s, uint64_t seed, const struct scene_job *job, struct totals *t)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->job = job;
    s->graph = job->graph;
    s->faults.any = job->faults;
    rng_seed(&s->random, seed);
    plan_draw(s);
    if (job->faults)
        faults_draw(s);
    if (job->planned)
        job->planned(s);
    if (job->soak_hours) /* each wave ends by itself */
        s->story = STORY_PLAIN;
    if (job->bytes)
        plan_long(s, job->bytes);
    plan_units(s);
    plan_limits(s);
    build(s);
    drive(s);
    if (s->box.k)
        count(s, t);
    allocs.k = NULL;
    tear_down(s);
    return !s->why[0];
}
