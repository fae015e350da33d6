/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One timer for all spliced connections (spec splicing 3.2: one idle time-out each): it walks the
 * table of paths in slices, so that a million of them never stall anything. A path's age is the
 * number of rounds, or of some rounds, in which no segment came; it is a byte beside the path's
 * flags. What age is too much depends on what the records say (spec decisions 5):
 *
 *   both FINs acknowledged   waiting    silently: 2 * MSL (R-SPL-12, R-FLOW-42)
 *   RST                      rst        silently
 *   one FIN                  halfidle   RST both ways
 *   else                     idle       RST both ways
 *
 * Invariant: a path lives at least as long as its limit says, at most two rounds and two counts
 * more.
 */
#include "modules/fwd/inside.h"

enum {
    SLICE = 512,          /* paths looked at in one go */
    ROUNDS = 8,           /* in the shortest time there is */
    COUNTS = AGE_MAX - 5, /* that a limit may have */
};

static const uint64_t round_least = 2 * MS, round_most = 8 * SECOND;

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t round_ns(const struct node *n)
{
    uint64_t t = least(conf_number(&n->conf, "waiting"), conf_number(&n->conf, "rst"));
    t = least(t, conf_number(&n->conf, "halfidle"));
    t = least(t, conf_number(&n->conf, "idle")) / ROUNDS;
    return t < round_least ? round_least : least(t, round_most);
}

/* What a round needs to know of the settings. */
static void round_begin(struct fwd_node *f)
{
    static const char *const names[LIMITS] = {"idle", "halfidle", "rst", "waiting"};
    struct sweep *s = &f->sweep;
    s->next = s->found = 0;
    s->round++;
    s->period = round_ns(f->self);
    for (int i = 0; i < LIMITS; i++) {
        uint64_t rounds = conf_number(&f->self->conf, names[i]) / s->period + 1;
        uint32_t each = (uint32_t)(rounds / COUNTS + 1); /* rounds in a count, of which the first */
        s->limit[i].counts = s->round % each == 0;
        s->limit[i].each = each;
        s->limit[i].most = (uint32_t)(rounds / each) + (each > 1); /* may be cut short */
    }
}

static enum limit judge(uint8_t a, uint8_t b)
{
    if (a & b & RECORD_DONE)
        return LIMIT_WAITING;
    if ((a | b) & RECORD_RST)
        return LIMIT_RST;
    return (a | b) & RECORD_FIN ? LIMIT_HALFIDLE : LIMIT_IDLE;
}

static uint64_t year_ns(const struct fwd_node *f, uint8_t a, uint8_t b)
{
    return f->sweep.limit[judge(a, b)].each * f->sweep.period;
}

uint64_t fwd_silence(const struct path *p, int at)
{
    const struct record *a = fwd_record(p, AB), *b = fwd_record(p, BA);
    bool seen = (a->flags | b->flags) & RECORD_SEEN;
    return seen ? 0 : (p->flags >> AGE_SHIFT) * year_ns(fwd_of(p, at), a->flags, b->flags);
}

void fwd_silent(struct path *p, int at, uint64_t ns)
{
    if (ns < round_least)
        return;
    struct record *a = fwd_record(p, AB), *b = fwd_record(p, BA);
    uint64_t age = ns / year_ns(fwd_of(p, at), a->flags, b->flags);
    if (!age)
        return;
    a->flags &= (uint8_t)~RECORD_SEEN;
    b->flags &= (uint8_t)~RECORD_SEEN;
    p->flags = (uint16_t)((p->flags & AGE_MAX) | least(age, AGE_MAX) << AGE_SHIFT);
}

/* Its age, of which the first count may have come at once. */
static uint64_t silent_ns(const struct fwd_node *f, uint32_t age, enum limit limit)
{
    return age ? ((age - 1) * (uint64_t)f->sweep.limit[limit].each + 1) * f->sweep.period : 0;
}

void sweep_worth(const struct path *p, int at, struct standing *out)
{
    static const char *const names[LIMITS] = {"idle", "halfidle", "rst", "waiting"};
    static const enum worth worth[LIMITS] = {WORTH_IDLE, WORTH_HALF_CLOSED, WORTH_OVER, WORTH_OVER};
    const struct fwd_node *f = fwd_of(p, at);
    uint8_t a = fwd_record(p, AB)->flags, b = fwd_record(p, BA)->flags;
    enum limit limit = judge(a, b);
    uint32_t age = (a | b) & RECORD_SEEN ? 0 : p->flags >> AGE_SHIFT;
    *out = (struct standing){.worth = worth[limit],
                             .since = p->pool.k->now - silent_ns(f, age, limit),
                             .limit = conf_number(&f->self->conf, names[limit])};
    if (limit == LIMIT_IDLE && p->flags & PATH_EMPTY)
        out->worth = WORTH_EMPTY;
}

static void end(struct fwd_node *f, struct path *p, int at, bool reset)
{
    if (reset)
        emit_resets(p, at);
    f->stat[reset ? FWD_EXPIRED : FWD_CLOSED]++;
    path_destroy(p);
}

void sweep_evict(struct path *p, int at)
{
    emit_resets(p, at);
    path_destroy(p);
}

static void visit(struct fwd_node *f, struct path *p, int at)
{
    struct record *a = fwd_record(p, AB), *b = fwd_record(p, BA);
    uint8_t either = a->flags | b->flags;
    enum limit limit = judge(a->flags, b->flags);
    uint32_t age = p->flags >> AGE_SHIFT;
    if (either & RECORD_SEEN) {
        age = 0;
        p->flags &= (uint16_t)~PATH_EMPTY;
        a->flags &= (uint8_t)~RECORD_SEEN;
        b->flags &= (uint8_t)~RECORD_SEEN;
    } else if (f->sweep.limit[limit].counts && age < AGE_MAX) {
        age++;
    }
    if (either & RECORD_FIN)
        end_moved(p);
    p->flags = (uint16_t)((p->flags & AGE_MAX) | age << AGE_SHIFT);
    if (UNLIKELY(age >= f->sweep.limit[limit].most))
        end(f, p, at, limit < LIMIT_RST);
}

/* Where our stage is in paths of that shape; -1: it is not in them. */
static int stage_of(const struct fwd_node *f, const struct shape *shape)
{
    for (int at = 1; at < shape->n - 1; at++)
        if ((shape->at[at].ops == &fwd_stage || shape->at[at].ops == &ipfwd_stage) &&
            fwd_node_of(shape->at[at].node) == f->self)
            return at;
    return -1;
}

static void slice(struct kernel *k, struct timer *t)
{
    struct fwd_node *f = CONTAINER(CONTAINER(t, struct sweep, t), struct fwd_node, sweep);
    struct sweep *s = &f->sweep;
    for (int i = 0; i < SLICE && s->next < k->paths_size; i++, s->next++) {
        struct path *p = path_at(k, s->next);
        if (!p || p->flags & PATH_DYING)
            continue;
        if (p->shape != s->shape) {
            s->shape = p->shape;
            s->at = stage_of(f, p->shape);
        }
        if (s->at < 0)
            continue;
        s->found++;
        visit(f, p, s->at);
    }
    uint64_t pause = s->period;
    if (s->next < k->paths_size) {
        pause = s->period * SLICE / k->paths_size;
    } else {
        if (!s->found) /* the next path that comes starts it again */
            return;
        if (k->paths_size > SLICE)
            pause = s->period * SLICE / k->paths_size;
        round_begin(f);
    }
    timer_arm(k, t, k->now + (pause < MS ? MS : pause));
}

void sweep_init(struct node *n)
{
    struct fwd_node *f = n->state;
    f->sweep.t.fire = slice;
}

void sweep_start(struct fwd_node *f)
{
    struct sweep *s = &f->sweep;
    struct kernel *k = f->self->k;
    if (timer_armed(&s->t))
        return;
    round_begin(f);
    timer_arm(k, &s->t, k->now + s->period);
}

void sweep_stop(struct node *n)
{
    struct fwd_node *f = n->state;
    timer_cancel(n->k, &f->sweep.t);
}
