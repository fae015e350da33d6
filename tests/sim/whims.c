/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to the splices of a run, and what must hold for them: commands of an operator at
 * random moments, proxies that change their minds, and the promise that nobody acknowledges for the
 * far host (spec R-SPL-6). The moments are drawn from the seed and do not depend on the treatment,
 * as far as the same things happen.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/show.h"
#include "modules/tcp/spliced.h"
#include "tests/sim/fickle.h"
#include "tests/sim/scene.h"

enum { CLIENT_ADDR = 0x0a000102, SERVER_PORT = 8080 };

static bool is_of(const struct flow_key *key, const struct pair *p)
{
    uint16_t from = (uint16_t)(key->w[1] >> 16), to = (uint16_t)key->w[1];
    return key->w[0] >> 32 == CLIENT_ADDR ? from == p->client_port && to == SERVER_PORT
                                          : from == SERVER_PORT && to == p->box_port;
}

/* Either connection may be over before the other. */
struct path *scene_path(const struct scene *s, const struct pair *p)
{
    const struct kernel *k = s->box.k;
    for (uint32_t i = 0; i < k->paths_size; i++) {
        struct path *path = path_at(k, i);
        if (!path || path->flags & PATH_DYING)
            continue;
        for (uint32_t line = path->flow; line; line = flow_line(&k->flows, line)->next)
            if (is_of(&flow_line(&k->flows, line)->key, p))
                return path;
    }
    return NULL;
}

/* The first connection of a path from the end where the flow of that direction begins. */
static struct tcb *source_of(const struct path *p, enum dir d)
{
    int n = p->shape->n;
    for (int i = 0; i < n; i++) {
        struct tcb *c = tcb_from(p, d == AB ? i : n - 1 - i, d);
        if (c)
            return c;
    }
    return NULL;
}

int scene_final(const struct path *p)
{
    for (int at = 0; at < p->shape->n; at++) {
        const char *name = stage_name(p->shape, at);
        if (p->shape->at[at].ops != &tcp_fwd_stage &&
            (strcmp(name, "fwd") == 0 || strcmp(name, "ipfwd") == 0))
            return at;
    }
    return -1;
}

/* How far the forwarder may acknowledge for a flow, in bytes of the stream; false: as far as it
 * likes, for it has the bytes. */
static bool limit_of(const struct path *p, enum dir d, const struct wire_line *far, uint32_t *limit)
{
    bool final = scene_final(p) >= 0;
    const struct tcb *c = final ? NULL : source_of(p, d);
    *limit = far->host_ack;
    if (!c)
        return final;
    if (!c->sp_in || c->sp_in->state < SPLICE_FORWARDING)
        return false;
    uint32_t taken =
        c->sp_in->cut - far->box_isn - 1; /* taken over, and still to be acknowledged */
    if (c->sp_in->state == SPLICE_FORWARDING && (int32_t)(taken - *limit) > 0)
        *limit = taken;
    return true;
}

static void acked(void *arg, int link, const struct wire_line *line)
{
    struct scene *s = arg;
    char text[160];
    uint32_t limit;
    for (int i = 0; i <= SCENE_CONNS; i++) {
        struct pair *pair = &s->pair[i];
        if (!pair->box_port || (link ? pair->box_port : pair->client_port) != line->port)
            continue;
        const struct wire_line *far =
            wire_find(&s->wire, !link, link ? pair->client_port : pair->box_port);
        const struct path *p =
            far && (int32_t)(line->box_ack - far->host_ack) > 0 ? scene_path(s, pair) : NULL;
        if (!p || !limit_of(p, link ? BA : AB, far, &limit) ||
            (int32_t)(line->box_ack - limit) <= 0)
            continue;
        snprintf(text, sizeof text,
                 "acknowledges %u bytes to the %s, and the other host has %u of them",
                 line->box_ack, link ? "server" : "client", far->host_ack);
        scene_fail(s, text, "forwarder", 0);
    }
}

/* --- commands --- */

static void quiet(struct show *out, const char *text, size_t n)
{
    (void)out;
    (void)text;
    (void)n;
}

void scene_say(struct scene *s, const char *line)
{
    struct show out = {quiet};
    char copy[64];
    snprintf(copy, sizeof copy, "%s", line);
    command(s->box.k, copy, &out);
}

static void any_command(struct scene *s)
{
    struct rng *r = &s->whims.random;
    const struct path *p = scene_path(s, &s->pair[rng_below(r, (uint64_t)s->npairs)]);
    bool undo = rng_below(r, 2), all = rng_below(r, 20) == 0;
    char line[40];
    if (!p)
        return;
    if (all)
        snprintf(line, sizeof line, "%s all", undo ? "unsplice" : "splice");
    else
        snprintf(line, sizeof line, "%s %u", undo ? "unsplice" : "splice", path_number(p));
    scene_say(s, line);
    s->whims.commands[undo]++;
}

static void next_whim(void *arg)
{
    struct scene *s = arg;
    struct whims *w = &s->whims;
    if (!w->left-- || !s->box.k || scene_over(s))
        return;
    if (w->fickle && rng_below(&w->random, 2)) {
        struct pair *pair = &s->pair[rng_below(&w->random, (uint64_t)s->npairs)];
        fickle_change(s, pair, scene_path(s, pair));
    } else {
        any_command(s);
    }
    simworld_at(s->world, simworld_now(s->world) + rng_below(&w->random, 2 * w->every_ns) + 1,
                next_whim, s);
}

static void begin_late(void *arg)
{
    struct scene *s = arg;
    scene_say(s, "set fwd.splice=on");
    scene_say(s, "splice all");
}

void whims_init(struct scene *s)
{
    wire_init(&s->wire, SERVER_PORT, acked, s);
}

void whims_begin(struct scene *s)
{
    uint64_t now = simworld_now(s->world);
    if (s->treatment <= TREAT_OFF)
        return;
    if (s->whims.late_ns)
        simworld_at(s->world, now + s->whims.late_ns, begin_late, s);
    if (s->whims.every_ns)
        simworld_at(s->world, now + s->whims.every_ns, next_whim, s);
}

const char *treatment_name(enum treatment t)
{
    static const char *const names[] = {"none", "off", "absorb", "hold", "concurrent"};
    return names[t];
}

void whims_count(const struct scene *s, struct totals *t)
{
    const struct node *tcp = node_find(s->box.k, "tcp");
    const struct splice_stats *one = splice_stats_of(tcp);
    for (int i = 0; i < 2; i++)
        t->commands[i] += s->whims.commands[i];
    for (int from = 0; from < SPLICE_STATES; from++)
        for (int ev = 0; ev < SPLICE_EVENTS; ev++) {
            t->splices.count[from][ev] += one->count[from][ev];
            for (int i = 0; i < 3; i++)
                t->splices.with[from][ev][i] += one->with[from][ev][i];
        }
    t->splices.forwarded += one->forwarded;
    t->splices.held += one->held;
    t->splices.dropped += one->dropped;
}
