/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simplified state machine of a spliced connection (spec splicing 3.2, flow-splicing 7): SYN,
 * FIN and RST, as far as the records show it. A path ends by the sweep, but for a SYN that finds a
 * connection known to be over: that one is served at once.
 *
 * RST (spec R-ATK-1): one with the number that the far host expects ends the connection for both,
 * so the path is remembered for a short while only; while segments still pass, the RST was not
 * believed after all. Within the window but inexact: the far host judges (RFC 5961 3.2). Outside:
 * dropped.
 */
#include "modules/fwd/inside.h"

static const uint64_t challenge_ns = SECOND / 2;

/* At most one in 500 ms, for SYNs of one connection (spec R-ATK-2, R-ATK-8). Who shares a slot with
 * another one waits as well: the limit holds, whatever an attacker does. */
static bool may_challenge(struct fwd_node *f, const struct path *p)
{
    struct challenge *c = &f->challenge[path_number(p) % FWD_CHALLENGES];
    uint64_t now = p->pool.k->now;
    if (c->path && now - c->ns < challenge_ns)
        return false;
    *c = (struct challenge){.path = p->id, .ns = now};
    return true;
}

/* RFC 6191 2 for one that waits: a number above all that were used. */
static bool is_over(const struct seg *s)
{
    const struct record *r = s->r, *back = s->back;
    if ((r->flags | back->flags) & RECORD_RST)
        return true;
    return r->flags & back->flags & RECORD_DONE && before(r->seq_max, s->seq);
}

void end_syn(struct seg *s)
{
    struct fwd_node *f = fwd_of(s->p, s->at);
    struct kernel *k = s->p->pool.k;
    if (s->r->flags & RECORD_PASS_SYN) {
        fwd_go(s);
    } else if (is_over(s) && !(s->flags & TCP_ACK)) {
        struct path *p = s->p;
        fwd_hold(s);
        path_destroy(p);
    } else {
        if (may_challenge(f, s->p)) {
            f->stat[FWD_CHALLENGED]++;
            emit_answer(s);
        }
        msg_drop(k, s->m, DROP_FWD_SYN);
    }
}

/* What the far host expects, at least. */
static uint32_t una_of(const struct record *back)
{
    return back->ack_max - back->ack_off;
}

static uint32_t window_of(const struct record *back)
{
    return (uint32_t)back->wnd << (back->scale & 15);
}

void end_rst(struct seg *s)
{
    struct record *r = s->r;
    const struct record *back = s->back;
    uint32_t una = una_of(back);
    bool beyond = !before(s->seq, una + window_of(back)) && before(r->seq_max, s->seq);
    if (before(s->seq, una) || (beyond && s->seq != una)) {
        msg_drop(s->p->pool.k, s->m, DROP_FWD_WINDOW);
        return;
    }
    bool waits = r->flags & back->flags & RECORD_DONE; /* RFC 1337: not cut short */
    if ((s->seq == una || s->seq == r->seq_max) && !waits) {
        r->flags |= RECORD_RST;
        fwd_of(s->p, s->at)->stat[FWD_RESETS]++;
    }
    if (!waits) /* nor made longer: who answers our challenges would keep it for ever */
        r->flags |= RECORD_SEEN;
    fwd_go(s);
}

/* A FIN that the far host may take: its segment goes on where what was sent ends, or it lies in the
 * window. What was acknowledged may not be known yet, so the window begins behind what was sent;
 * and one from before may have been heard last, so what goes on need not fit. Any other FIN says
 * nothing: else a single forged number would end the connection. */
static bool fin_counts(const struct seg *s)
{
    uint32_t at = s->seq + s->payload, sent = s->r->seq_max;
    if (!(s->flags & TCP_FIN) || s->r->flags & RECORD_FIN)
        return false;
    bool next = !before(sent, s->seq) && !before(at, sent);
    return next || (!before(at, una_of(s->back)) && before(at, sent + window_of(s->back)));
}

void end_note(struct seg *s)
{
    struct record *r = s->r, *back = s->back;
    bool fin = fin_counts(s);
    uint32_t end = fin ? s->end : s->seq + s->payload;
    if (r->flags & RECORD_FIN && before(r->seq_max, end))
        end = r->seq_max; /* nothing is behind a FIN */
    record_move(r, end, s->ack, be16_get(s->tcp + TCP_AT_WINDOW), s->sure);
    if (fin) {
        r->flags |= RECORD_FIN;
        r->seq_max = end;
        back->flags |= RECORD_TRIGGER; /* its acknowledgement comes there */
    }
    if (back->flags & RECORD_FIN && s->ack - r->ack_off == back->seq_max)
        back->flags |= RECORD_DONE;
}

void end_moved(struct path *p)
{
    for (int d = AB; d <= BA; d++)
        if (fwd_record(p, (enum dir)d)->flags & RECORD_FIN)
            fwd_record(p, dir_reverse((enum dir)d))->flags |= RECORD_TRIGGER;
}
