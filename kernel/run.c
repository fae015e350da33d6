/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a path: its queues, one message at a time from alternating ends, each to completion.
 * Called by the main loop (kernel.c); an inline path has no queues and runs where it is classified.
 */
#include <assert.h>

#include "kernel/making.h"
#include "kernel/plat.h"

static int end_of(const struct path *p, enum dir d)
{
    return d == AB ? 0 : p->shape->n - 1;
}

uint32_t path_room(struct path *p, int at, enum dir d)
{
    at += d == AB ? 1 : -1;
    const struct stage_ops *ops = p->shape->at[at].ops;
    return ops->room[d] ? ops->room[d](p, at) : UINT32_MAX;
}

/* An end that knows no events ends the journey: there is nobody beyond it to tell. */
void path_event(struct path *p, int at, enum dir d, enum event ev)
{
    for (at += d == AB ? 1 : -1; at >= 0 && at < p->shape->n; at += d == AB ? 1 : -1) {
        const struct stage_ops *ops = p->shape->at[at].ops;
        if (ops->event[d]) {
            ops->event[d](p, at, ev);
            return;
        }
    }
}

bool path_icmp(struct path *p, enum dir d, struct msg *m)
{
    struct kernel *k = p->pool.k;
    struct path *outer = k->running;
    bool consumed = false;
    if (p->flags & PATH_DYING)
        return false;
    k->running = p;
    for (int at = 0; at < p->shape->n && !consumed; at++)
        if (p->shape->at[at].ops->icmp)
            consumed = p->shape->at[at].ops->icmp(p, at, d, m);
    k->running = outer;
    return consumed;
}

void path_wake(struct path *p, enum dir d, struct msg *m)
{
    struct kernel *k = p->pool.k;
    struct work *w = p->work;
    assert(w);
    if (UNLIKELY(p->flags & PATH_DYING)) {
        msg_drop(k, m, DROP_PATH_DEAD);
        return;
    }
    if (UNLIKELY(w->in[d].count >= w->limit)) {
        w->drops++;
        msg_drop(k, m, DROP_PATH_QUEUE);
        return;
    }
    msgq_push(&w->in[d], m);
    sched_ready(k, p);
}

void path_post(struct path *p, enum dir d, enum event ev)
{
    if (p->flags & PATH_DYING)
        return;
    p->work->events[d] |= (uint8_t)(1U << ev);
    sched_ready(p->pool.k, p);
}

void events_deliver(struct path *p, enum dir d, unsigned events)
{
    for (int ev = 0; events >> ev; ev++) {
        int at = end_of(p, d);
        if (!(events >> ev & 1) || p->flags & PATH_DYING)
            continue;
        if (p->shape->at[at].ops->event[d])
            p->shape->at[at].ops->event[d](p, at, (enum event)ev);
        else
            path_event(p, at, d, (enum event)ev);
    }
}

static bool run_events(struct path *p, enum dir d, unsigned which)
{
    unsigned due = p->work->events[d] & which;
    if (LIKELY(!due))
        return false;
    p->work->events[d] &= (uint8_t)~due;
    events_deliver(p, d, due);
    return true;
}

static void run_msg(struct path *p, enum dir d, struct msg *m)
{
    struct work *w = p->work;
    unsigned i = w->nlast++ % PATH_LAST;
    w->last[i].ns = p->pool.k->now;
    w->last[i].len = (uint16_t)m->total;
    w->last[i].dir = (uint16_t)d;
    w->msgs[d]++;
    w->bytes[d] += m->total;
    int at = end_of(p, d);
    p->shape->at[at].ops->deliver[d](p, at, m);
}

/* One step of one direction: an urgent event, a message, or an event that waited for the bytes. */
static bool run_step(struct path *p, enum dir d)
{
    if (p->flags & PATH_DYING)
        return false;
    if (p->work->events[d] & EVENTS_URGENT)
        return run_events(p, d, EVENTS_URGENT);
    struct msg *m = msgq_pop(&p->work->in[d]);
    if (m) {
        run_msg(p, d, m);
        return true;
    }
    return run_events(p, d, ~0U);
}

static bool path_has_work(const struct path *p)
{
    const struct work *w = p->work;
    return w->in[AB].count || w->in[BA].count || w->events[AB] || w->events[BA] || p->notes;
}

/* Rules may have put another object in p's place, which is returned. */
static struct path *run_rules(struct kernel *k, struct path *p)
{
    uint32_t id = p->id;
    unsigned notes = p->notes;
    p->notes = 0;
    rule_try(k, p, notes);
    if (UNLIKELY(k->held.head))
        held_release(k, id);
    return path_by_id(k, id);
}

int path_run(struct path *p, int budget)
{
    struct kernel *k = p->pool.k;
    struct work *w = p->work;
    uint64_t begin = plat_cycles();
    int done = 0;
    assert(!k->running && !(p->flags & PATH_RUNNING));
    p->flags |= PATH_RUNNING;
    k->running = p;
    for (bool any = true; any && done < budget;) {
        bool ab = run_step(p, AB), ba = run_step(p, BA);
        done += ab + ba;
        any = ab || ba;
    }
    k->running = NULL;
    p->flags &= (uint16_t)~PATH_RUNNING;
    w->runs++;
    w->cycles += plat_cycles() - begin;
    if (p->notes && !(p->flags & PATH_DYING))
        p = run_rules(k, p);
    if (p && p->work && path_has_work(p))
        sched_ready(k, p);
    return done;
}
