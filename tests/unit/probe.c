/* SPDX-License-Identifier: BSD-2-Clause */
/* The module for tests of the path machine; see probe.h. */
#include "tests/unit/probe.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/fixture.h"

enum { PROBE_NODES = 8 };

struct probe_plan probe_plan;
char probe_journal[PROBE_JOURNAL];
struct msgq probe_kept[2];

void probe_say(const char *format, ...)
{
    size_t n = strlen(probe_journal);
    va_list args;
    va_start(args, format);
    n += (size_t)snprintf(probe_journal + n, sizeof probe_journal - n, "%s", n ? " " : "");
    vsnprintf(probe_journal + n, sizeof probe_journal - n, format, args);
    va_end(args);
}

void probe_reset(void)
{
    probe_plan = (struct probe_plan){
        .fail_create = -1, .fail_establish = -1, .turn_at = -1, .destroy_at = -1};
    probe_journal[0] = 0;
    probe_kept[AB] = probe_kept[BA] = (struct msgq){NULL, NULL, 0, 0};
}

static void through(struct path *p, int at, enum dir d, struct msg *m)
{
    probe_say("%c%d", d == AB ? '>' : '<', at);
    if (at == probe_plan.destroy_at)
        path_destroy(p);
    if (at == (d == AB ? p->shape->n - 1 : 0))
        msgq_push(&probe_kept[d], m);
    else
        pass(p, at, d, m);
}

static void deliver_ab(struct path *p, int at, struct msg *m)
{
    through(p, at, AB, m);
}

static void deliver_ba(struct path *p, int at, struct msg *m)
{
    through(p, at, BA, m);
}

static void event_ab(struct path *p, int at, enum event ev)
{
    probe_say("ev%d@%d", ev, at);
    if (at < p->shape->n - 1)
        path_event(p, at, AB, ev);
}

static status_t establish(struct path *p, int at)
{
    (void)p;
    probe_say("establish%d", at);
    return at == probe_plan.fail_establish ? E_AGAIN : OK;
}

static void moved(struct path *p, int at)
{
    (void)p;
    probe_say("moved%d", at);
}

static void destroy(struct path *p, int at)
{
    (void)p;
    probe_say("destroy%d", at);
}

static void stop(struct path *p, int at)
{
    (void)p;
    probe_say("stop%d", at);
}

static const struct stage_ops probe_ops = {
    .deliver = {deliver_ab, deliver_ba},
    .event = {event_ab, NULL},
    .establish = establish,
    .moved = moved,
    .destroy = destroy,
    .stop = stop,
};

static struct node *upper(struct node *n)
{
    return n->nup ? n->up[0].upper : NULL;
}

static status_t create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                             struct hop *h)
{
    int i = (int)(n - n->k->nodes);
    (void)a;
    probe_say("create%d%s", i, from ? "" : "!");
    if (i == probe_plan.fail_create)
        return E_INVAL;
    h->ops = &probe_ops;
    h->state = probe_plan.memory ? pool_alloc(&p->pool, probe_plan.memory) : NULL;
    h->next = upper(n);
    return probe_plan.memory && !h->state ? E_NOMEM : OK;
}

static struct node *demux(struct node *n, struct demux *d)
{
    d->path = probe_plan.found;
    if (!d->path && probe_plan.found_id)
        d->path = path_by_id(n->k, *probe_plan.found_id);
    d->dir = AB;
    d->why = DROP_MODULE;
    return d->path ? DEMUX_FOUND : DEMUX_DROP;
}

static const struct module probe_module = {
    .name = "probe",
    .demux = demux,
    .create_stage = create_stage,
};

const struct graph *probe_graph(int n, const struct rule *const *rules)
{
    static const char *const names[PROBE_NODES] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"};
    static struct graph_node nodes[PROBE_NODES];
    static struct graph made;
    assert_in_range(n, 1, PROBE_NODES);
    memset(nodes, 0, sizeof nodes);
    for (int i = 0; i < n; i++) {
        nodes[i].name = names[i];
        nodes[i].module = &probe_module;
        nodes[i].ndown = i > 0;
        nodes[i].down[0].node = (uint8_t)(i ? i - 1 : 0);
    }
    made = fixture_graph_of(nodes, n, rules);
    return &made;
}

struct path *probe_path(struct kernel *k, bool in_line)
{
    struct attrs a = {0};
    struct path *p = NULL;
    assert_int_equal(path_create(k, &k->nodes[0], &a, in_line, &p), OK);
    return p;
}
