/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold in a simulated run, and at its end. */
#include <stdio.h>

#include "tests/sim/scene.h"

static uint64_t path_bytes(const struct kernel *k)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < k->paths_size; i++)
        sum += path_at(k, i) ? path_at(k, i)->pool.used : 0;
    return sum;
}

void machine_note(struct machine *h)
{
    const struct kernel *k = h->k;
    if (!k)
        return;
    for (int c = 0; c < MSG_CLASSES; c++)
        h->msgs_limit[c] = k->msgs.limit[c];
    h->paths_limit = k->paths_limit;
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

void machine_check(struct scene *s, const struct machine *h, const char *who)
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
    scene_fail(s, text, who, 0);
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
    scene_fail(s, text, who, i + 1);
}

/* Both directions may have ended by a reset, but what ended by FIN was all of it. */
static void check_loose(struct scene *s, const struct end *e, const char *who, int i)
{
    if (!end_over(e))
        scene_fail(s, "its connection neither closed nor broke", who, i + 1);
    if (e->state == END_CLOSED && !e->eof)
        scene_fail(s, "closed before the end of the stream", who, i + 1);
}

static void check_over(struct scene *s, const struct end *e, const struct peer *peer,
                       const char *who, int i)
{
    /* A reset that got lost is not sent again, and a model that waits has no timer. */
    if (!end_over(e) && e->state != END_NEW && !(peer->is_model && s->faulty && !s->faults.any))
        scene_fail(s, "its connection did not end", who, i + 1);
}

void judge_pair(struct scene *s, struct pair *p, int i)
{
    struct end *c = &p->client, *v = &p->server;
    if (c->wrong)
        scene_fail(s, c->wrong, "client", i + 1);
    if (v->wrong)
        scene_fail(s, v->wrong, "server", i + 1);
    if (c->got > v->sent || v->got > c->sent)
        scene_fail(s, "more bytes than were sent", "connection", i + 1);
    if ((c->eof && c->got != v->out_bytes) || (v->eof && v->got != c->out_bytes))
        scene_fail(s, "an end before the last byte", "connection", i + 1);
    switch (i == SCENE_CONNS ? STORY_PLAIN : s->story) {
    case STORY_PLAIN:
        if (i < SCENE_CONNS && (s->faults.loose || p->rebooted || p->loose)) {
            check_loose(s, c, "client", i);
            if (p->taken)
                check_loose(s, v, "server", i);
            break;
        }
        check_closed(s, c, v, "client", i);
        check_closed(s, v, c, "server", i);
        break;
    case STORY_REFUSED:
    case STORY_SERVER_DOWN:
        if (c->state != END_RESET || c->got)
            scene_fail(s, "not told that there is no server", "client", i + 1);
        break;
    default:
        if (scene_gone(s) != 0)
            check_over(s, c, &s->peer[0], "client", i);
        if (scene_gone(s) != 1 && p->taken)
            check_over(s, v, &s->peer[1], "server", i);
        break;
    }
}

void judge_peers(struct scene *s)
{
    static const char *const names[] = {"client", "server"};
    for (int i = 0; i < 2; i++) {
        struct peer *p = &s->peer[i];
        if (p->is_model && p->model.wrong)
            scene_fail(s, p->model.wrong, i ? "forwarder, says server" : "forwarder, says client",
                       0);
        if (!p->is_model && scene_gone(s) != i)
            machine_check(s, &p->machine, names[i]);
    }
}
