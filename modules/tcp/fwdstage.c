/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The preliminary FWD stage of the paper: while both flows of a path are spliced and bytes of ours
 * are still on their way, it stands for tcp proxy tcp and owns both connections. Segments of either
 * side go to the connection of that side; the splices do the rest. The rules `splice`, `settle` and
 * `unsplice` put it in and take it out. Also what a connection tells to whoever is above it.
 */
#include "kernel/show.h"
#include "modules/tcp/spliced.h"

struct tcb *fwd_side(const void *state, enum dir d)
{
    const struct tcb_pair *both = state;
    return both->c[d];
}

static void from_a(struct path *p, int at, struct msg *m)
{
    tcb_receive(tcb_there(p, at, AB), m);
}

static void from_b(struct path *p, int at, struct msg *m)
{
    tcb_receive(tcb_there(p, at, BA), m);
}

/* What the proxy would have done: a reset on one side is one on the other, and the path ends when
 * both connections have. */
static void both_told(struct tcb *c, enum event ev)
{
    struct tcb_pair *both = c->p->state[c->at];
    struct tcb *other = both->c[both->c[0] == c];
    if (ev == EVENT_RESET)
        tcb_abort(other);
    if ((ev == EVENT_CLOSED || ev == EVENT_RESET) && both->c[0]->told_closed &&
        both->c[1]->told_closed)
        path_destroy(c->p);
}

void tcb_tell(struct tcb *c, enum event ev)
{
    if (ev == EVENT_EOF && c->sp_in && c->sp_in->state == SPLICE_PENDING)
        splice_eof(c);
    if (tcb_is_paired(c))
        both_told(c, ev);
    else
        path_event(c->p, c->at, (enum dir)c->up, ev);
}

static void moved(struct path *p, int at)
{
    for (int d = AB; d <= BA; d++)
        tcb_moved(tcb_there(p, at, (enum dir)d), p, at);
}

static void destroy(struct path *p, int at)
{
    for (int d = AB; d <= BA; d++)
        tcb_destroy(tcb_there(p, at, (enum dir)d));
    struct tcb_pair *both = p->state[at];
    if (both->conn)
        both->end(both->conn);
    fwd_unmake(p, both);
}

static void stop(struct path *p, int at)
{
    for (int d = AB; d <= BA; d++)
        if (tcb_synchronised(tcb_there(p, at, (enum dir)d)))
            tcp_send_reset(tcb_there(p, at, (enum dir)d));
}

static void show(const struct path *p, int at, struct show *out)
{
    for (int d = AB; d <= BA; d++)
        tcb_show(tcb_there(p, at, (enum dir)d), out);
}

static void worth(const struct path *p, int at, struct standing *out)
{
    struct standing b;
    tcb_worth(tcb_there(p, at, AB), out);
    tcb_worth(tcb_there(p, at, BA), &b);
    *out = standing_both(*out, b);
}

static void evict(struct path *p, int at)
{
    tcb_evict(tcb_there(p, at, AB)); /* which ends the other */
}

const struct stage_ops tcp_fwd_stage = {
    .name = "fwd",
    .deliver = {from_a, from_b},
    .moved = moved,
    .destroy = destroy,
    .stop = stop,
    .show = show,
    .worth = worth,
    .evict = evict,
};

void *fwd_pair(struct path *p, struct tcb *a, struct tcb *b, void *conn, void (*end)(void *))
{
    struct tcb_pair *both = pool_alloc(&p->pool, sizeof *both);
    if (both)
        *both = (struct tcb_pair){.c = {a, b}, .conn = conn, .end = end};
    return both;
}

void *fwd_make(struct path *p, int at, void *conn, void (*end)(void *conn))
{
    return fwd_pair(p, tcb_at(p, at), tcb_at(p, at + 2), conn, end);
}

bool fwd_is_alive(const struct path *p, int at)
{
    return !tcb_there(p, at, AB)->told_closed && !tcb_there(p, at, BA)->told_closed;
}

bool fwd_wants_control(const struct path *p, int at)
{
    for (int d = AB; d <= BA; d++) {
        const struct splice *s = tcb_there(p, at, (enum dir)d)->sp_in;
        if (s && s->due)
            return true;
    }
    return false;
}

void fwd_unmake(struct path *p, void *state)
{
    pool_free(&p->pool, state);
}

void fwd_split(const struct path *p, int at, void *state[3])
{
    struct tcb_pair *both = p->state[at];
    state[0] = both->c[0];
    state[1] = both->conn;
    state[2] = both->c[1];
}

void *fwd_conn(const struct path *p, int at)
{
    const struct tcb_pair *both = p->state[at];
    return both->conn;
}
