/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What waits for rules. An inline path has no turn after which its rules could be tried, so its
 * notes are worked off between two bursts. A message that a rule has to come before is held until
 * then and classified anew; order is kept per path. Both are bounded: when the list of noted paths
 * is full the whole table is gone through instead, some paths a turn, and what cannot be held is
 * dropped.
 */
#include <assert.h>
#include <string.h>

#include "kernel/making.h"

enum {
    HELD_MAX = 256,      /* messages, of all paths */
    HELD_DIRECTION = 32, /* of one direction of a path: 64 of a path */
    HOLDS = 3,           /* of one message */
    NOTES_A_TURN = 256,  /* paths of the table that are looked at in one turn */
};

void note_later(struct kernel *k, const struct path *p)
{
    if (k->noted.n < NOTED_MAX)
        k->noted.id[k->noted.n++] = p->id;
    else
        k->noted.scan = k->paths_size;
}

static void notes_of(struct kernel *k, struct path *p)
{
    if (!p || p->work || !p->notes || p->flags & PATH_DYING)
        return;
    unsigned notes = p->notes;
    p->notes = 0;
    rule_try(k, p, notes);
}

static bool is_full(const struct kernel *k, uint32_t id, enum dir d)
{
    uint32_t mine = 0;
    for (const struct msg *m = k->held.head; m; m = m->next)
        mine += m->cb[0] == id && m->cb[1] == (uint32_t)d;
    return k->held.count >= HELD_MAX || mine >= HELD_DIRECTION;
}

void path_hold(struct path *p, enum dir d, struct msg *m)
{
    struct kernel *k = p->pool.k;
    /* No rule wants what was held before: its sender will send it again. */
    if (m->flags / MSG_HELD >= HOLDS || is_full(k, p->id, d)) {
        msg_drop(k, m, DROP_PATH_QUEUE);
    } else {
        status_t status = msg_charge(m, &k->pool);
        (void)status; /* the kernel's own account has no limit */
        m->flags += MSG_HELD;
        m->cb[0] = p->id;
        m->cb[1] = (uint32_t)d;
        msgq_push(&k->held, m);
    }
    if (!(p->flags & PATH_DYING))
        path_note(p, NOTE_TRIGGER);
}

static void frame_enter(struct kernel *k, struct msg *m)
{
    struct demux demux = {.m = m, .link = k->devs[m->in_dev]->node};
    if (classify(demux.link, &demux))
        path_input(demux.path, demux.dir, m);
}

static void queue_append(struct msgq *q, struct msgq *behind)
{
    struct msg *m;
    while ((m = msgq_pop(behind)))
        msgq_push(q, m);
}

/* Are there rules yet to be tried for what it holds? */
static struct path *still_noted(const struct kernel *k, uint32_t id)
{
    struct path *p = path_by_id(k, id);
    return p && !(p->flags & PATH_DYING) && p->notes & NOTE_TRIGGER ? p : NULL;
}

void held_release(struct kernel *k, uint32_t id)
{
    struct path *p = path_by_id(k, id);
    struct msgq later[2] = {{0}, {0}};
    if (still_noted(k, id))
        return;
    for (int d = AB; d <= BA && p && p->work; d++) {
        later[d] = p->work->in[d];
        p->work->in[d] = (struct msgq){0};
    }
    for (uint32_t n = k->held.count; n; n--) {
        struct msg *m = msgq_pop(&k->held);
        assert(m); /* entering a frame takes none from here */
        if (m->cb[0] == id)
            frame_enter(k, m);
        else
            msgq_push(&k->held, m);
    }
    for (int d = AB; d <= BA && p && p->work; d++)
        queue_append(&p->work->in[d], &later[d]);
}

void notes_run(struct kernel *k)
{
    struct noted *list = &k->noted;
    uint32_t n = list->n;
    for (uint32_t i = 0; i < n; i++)
        notes_of(k, path_by_id(k, list->id[i]));
    list->n -= n; /* what these have noted comes next time */
    memmove(list->id, list->id + n, list->n * sizeof list->id[0]);
    for (n = 0; n < NOTES_A_TURN && list->scan; n++)
        notes_of(k, path_at(k, --list->scan));
    for (struct msg *m = k->held.head; m;) {
        if (still_noted(k, m->cb[0])) {
            m = m->next;
            continue;
        }
        held_release(k, m->cb[0]);
        m = k->held.head; /* at least one is gone */
    }
}
