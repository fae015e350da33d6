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
#include "tests/sim/fickle.h"

enum {
    MEMORY = 16 << 20,
    WARM_S = 60,
    SETTLE_S = 900,
    LIMIT_S = 300000,
    STUCK_S = 10000,      /* that long without a byte */
    LIMIT_LOST_S = 20000, /* when a reset may have been lost */
    AT_ONCE_S = 5,
    SERVER_PORT = 8080,
    BOX_ADDR = 0x0a000101,
    SERVER_ADDR = 0x0a000202
};

const char *scene_settings = "";

void scene_fail(struct scene *s, const char *what, const char *who, int i)
{
    if (!s->why[0])
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
    ground_init(&h->ground, h->k, simworld_clock(s->world));
    ground_seed(&h->ground, rng_next(&s->random));
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
    if (!p || p->taken || (s->story == STORY_REFUSED && p != &s->pair[SCENE_CONNS]))
        return NULL;
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
             "connect=3600s giveup=%s idle=%s halfidle=%s",
             side + 1, side + 1, s->story >= STORY_CLIENT_GONE ? "120s" : "90h",
             s->story == STORY_PLAIN ? "90h" : "400s", s->story == STORY_PLAIN ? "90h" : "400s");
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

static void build(struct scene *s, const char *trace)
{
    const struct graph *g = graph_find(s);
    char words[768], name[256];
    if (s->why[0])
        return;
    s->world = simworld_make();
    whims_init(s);
    for (int l = 0; l < 2; l++) {
        struct simlink_conf c = {.world = s->world,
                                 .seed = rng_next(&s->random),
                                 .tap = wire_tap,
                                 .tap_arg = &s->wire.side[l]};
        snprintf(name, sizeof name, "%s-%s.pcap", trace ? trace : "", l ? "server" : "client");
        if (trace && pcapfile_write(&s->trace[l], name) == OK)
            c.trace = &s->trace[l];
        s->link[l] = simlink_make(&c);
    }
    plan_links_clean(s);
    plan_box(s, words, sizeof words);
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
    simworld_at(s->world, simworld_now(s->world) + p->start_ns, connect_now, p);
}

static void run_for(struct scene *s, uint64_t ns)
{
    if (!s->why[0] && !simworld_run(s->world, simworld_now(s->world) + ns))
        fail(s, "time stands still", "world", 0);
}

static int gone_side(const struct scene *s)
{
    return s->story == STORY_CLIENT_GONE ? 0 : s->story == STORY_SERVER_GONE ? 1 : -1;
}

static void vanish(void *arg)
{
    struct scene *s = arg;
    int side = gone_side(s);
    for (int e = 0; e < 2; e++)
        simlink_way(s->link[side], e)->down = true;
    s->peer[side].model.gone = true;
    if (!s->peer[side].is_model)
        simworld_remove(s->world, s->peer[side].machine.k);
}

static bool over(const struct scene *s, int first, int n)
{
    int gone = gone_side(s);
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
    run_for(s, 600 * MS); /* all have begun */
    while (!s->why[0] && !over(s, first, n) && simworld_now(s->world) - begun < seconds * SECOND &&
           simworld_now(s->world) - moved < STUCK_S * SECOND) {
        run_for(s, step);
        step = simworld_now(s->world) - begun > 100 * SECOND ? 10 * SECOND : SECOND;
        moved = progress(s) != before ? simworld_now(s->world) : moved;
        before = progress(s);
    }
}

/* --- judging --- */

static uint64_t path_bytes(const struct kernel *k)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < k->paths_size; i++)
        sum += path_at(k, i) ? path_at(k, i)->pool.used : 0;
    return sum;
}

static void machine_note(struct machine *h)
{
    struct kernel *k = h->k;
    if (!k)
        return;
    h->paths = k->paths_live;
    h->flows = k->flows.count;
    h->timers = k->timers.armed;
    h->small = k->msgs.live[MSG_SMALL];
    h->full = k->msgs.live[MSG_FULL];
    h->path_bytes = path_bytes(k);
}

static void path_show(struct kernel *k, uint32_t number)
{
    char line[32];
    snprintf(line, sizeof line, "show path %u\n", number);
    for (const char *c = line; *c; c++)
        kernel_console(k, *c);
}

static void machine_check(struct scene *s, const struct machine *h, const char *who)
{
    const struct kernel *k = h->k;
    char text[256];
    if (!k || (k->paths_live == h->paths && k->flows.count == h->flows &&
               k->timers.armed == h->timers && k->msgs.live[MSG_SMALL] == h->small &&
               k->msgs.live[MSG_FULL] == h->full && path_bytes(k) == h->path_bytes))
        return;
    snprintf(text, sizeof text,
             "not back at its start: paths %u (%u) flows %u (%u) timers %u (%u) messages %u+%u "
             "(%u+%u) bytes of paths %llu (%llu)",
             k->paths_live, h->paths, k->flows.count, h->flows, k->timers.armed, h->timers,
             k->msgs.live[MSG_SMALL], k->msgs.live[MSG_FULL], h->small, h->full,
             (unsigned long long)path_bytes(k), (unsigned long long)h->path_bytes);
    fail(s, text, who, 0);
    for (uint32_t i = 0; i < k->paths_size; i++) /* for the log of who looks for it */
        if (i >= h->paths && path_at(k, i))
            path_show(h->k, i);
}

/* Everything sent has arrived, both directions ended. */
static void check_closed(struct scene *s, const struct end *e, const struct end *from,
                         const char *who, int i)
{
    char text[200];
    if (e->state == END_CLOSED && e->got == from->out_bytes && e->sent == e->out_bytes)
        return;
    snprintf(text, sizeof text, "state %d sent %llu of %llu got %llu of %llu%s%s", (int)e->state,
             (unsigned long long)e->sent, (unsigned long long)e->out_bytes,
             (unsigned long long)e->got, (unsigned long long)from->out_bytes,
             e->shut ? " shut" : "", e->eof ? " eof" : "");
    fail(s, text, who, i + 1);
}

static void check_over(struct scene *s, const struct end *e, const struct peer *peer,
                       const char *who, int i)
{
    /* A reset that got lost is not sent again, and a model that waits has no timer. */
    if (!end_over(e) && e->state != END_NEW && !(peer->is_model && s->faulty))
        fail(s, "its connection did not end", who, i + 1);
}

static void check_pair(struct scene *s, struct pair *p, int i)
{
    struct end *c = &p->client, *v = &p->server;
    if (c->wrong)
        fail(s, c->wrong, "client", i + 1);
    if (v->wrong)
        fail(s, v->wrong, "server", i + 1);
    if (c->got > v->sent || v->got > c->sent)
        fail(s, "more bytes than were sent", "connection", i + 1);
    switch (i == SCENE_CONNS ? STORY_PLAIN : s->story) {
    case STORY_PLAIN:
        check_closed(s, c, v, "client", i);
        check_closed(s, v, c, "server", i);
        break;
    case STORY_REFUSED:
    case STORY_SERVER_DOWN:
        if (c->state != END_RESET || c->got)
            fail(s, "not told that there is no server", "client", i + 1);
        break;
    default:
        if (gone_side(s) != 0)
            check_over(s, c, &s->peer[0], "client", i);
        if (gone_side(s) != 1 && p->taken)
            check_over(s, v, &s->peer[1], "server", i);
        break;
    }
}

static void check_peers(struct scene *s)
{
    static const char *const names[] = {"client", "server"};
    for (int i = 0; i < 2; i++) {
        struct peer *p = &s->peer[i];
        if (p->is_model && p->model.wrong)
            fail(s, p->model.wrong, i ? "forwarder, says server" : "forwarder, says client", 0);
        if (!p->is_model && gone_side(s) != i)
            machine_check(s, &p->machine, names[i]);
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
        if (s->story == STORY_PLAIN)
            t->sum += s->seed * (p->client.got * 3 + p->server.got * 5 + (uint64_t)p->client.state);
    }
    whims_count(s, t);
}

/* --- all of it --- */

static void warm_up(struct scene *s)
{
    plan_warm(s);
    begin(s, &s->pair[SCENE_CONNS]);
    run_until_over(s, SCENE_CONNS, 1, WARM_S);
    run_for(s, SETTLE_S * SECOND);
    check_pair(s, &s->pair[SCENE_CONNS], SCENE_CONNS);
    if (!s->why[0] && s->box.k->graph->rules && *s->box.k->graph->rules && !s->box.k->nhistory)
        fail(s, "no rule has fired", "forwarder", 0);
    machine_note(&s->box);
    for (int i = 0; i < 2; i++)
        machine_note(&s->peer[i].machine);
}

static void drive(struct scene *s)
{
    if (!s->why[0])
        warm_up(s);
    if (s->why[0])
        return;
    plan_links(s);
    if (s->story == STORY_SERVER_DOWN)
        simlink_way(s->link[1], 0)->down = simlink_way(s->link[1], 1)->down = true;
    if (gone_side(s) >= 0)
        simworld_at(s->world, simworld_now(s->world) + s->gone_ns, vanish, s);
    for (int i = 0; i < s->npairs; i++)
        begin(s, &s->pair[i]);
    whims_begin(s);
    bool at_once = s->story == STORY_REFUSED && !s->faulty;
    run_until_over(s, 0, s->npairs,
                   at_once                   ? AT_ONCE_S
                   : s->story == STORY_PLAIN ? LIMIT_S
                                             : LIMIT_LOST_S);
    for (int i = 0; i < s->npairs; i++)
        check_pair(s, &s->pair[i], i);
    run_for(s, SETTLE_S * SECOND);
    machine_check(s, &s->box, "forwarder");
    check_peers(s);
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

bool scene_run(struct scene *s, uint64_t seed, const char *name, const char *trace,
               struct totals *t)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->graph = name;
    rng_seed(&s->random, seed);
    plan_draw(s);
    build(s, trace);
    drive(s);
    if (s->box.k)
        count(s, t);
    tear_down(s);
    return !s->why[0];
}
