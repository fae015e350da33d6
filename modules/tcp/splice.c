/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One splice's life: may it begin, its states and what moves it from one to the next, its end. The
 * table below is the specification's (flow-splicing 3.2): splice_event looks the next state up and
 * a combination that the table does not have is a defect of ours. Bytes in between are drain.c's.
 */
#include <assert.h>

#include "kernel/show.h"
#include "modules/tcp/spliced.h"

static const char *const state_names[SPLICE_STATES] = {"UNSPLICED", "PENDING", "FORWARDING",
                                                       "ESTABLISHED", "WAITING"};

static const struct transition {
    uint8_t from, event, to;
    const char *when;
} transitions[] = {
    {SPLICE_UNSPLICED, SPLICE_START_BUFFERED, SPLICE_PENDING,
     "spliced: unsent bytes or a window gap"},
    {SPLICE_UNSPLICED, SPLICE_START_UNACKED, SPLICE_FORWARDING,
     "spliced: all sent, not all acknowledged"},
    {SPLICE_UNSPLICED, SPLICE_START_CLEAN, SPLICE_ESTABLISHED, "spliced: nothing buffered"},
    {SPLICE_PENDING, SPLICE_SENT, SPLICE_FORWARDING, "last buffered byte sent, window gap closed"},
    {SPLICE_PENDING, SPLICE_SENT_ACKED, SPLICE_ESTABLISHED, "the same, and all acknowledged"},
    {SPLICE_PENDING, SPLICE_FIN_TAKEN, SPLICE_UNSPLICED, "FIN taken in order: ordinary close"},
    {SPLICE_PENDING, SPLICE_STOPPED, SPLICE_UNSPLICED, "unspliced"},
    {SPLICE_FORWARDING, SPLICE_ACKED, SPLICE_ESTABLISHED, "last buffered byte acknowledged"},
    {SPLICE_FORWARDING, SPLICE_STOPPED, SPLICE_UNSPLICED, "unspliced, nothing left in flight"},
    {SPLICE_ESTABLISHED, SPLICE_FIN_ACKED, SPLICE_WAITING, "FIN acknowledged by the far host"},
    {SPLICE_ESTABLISHED, SPLICE_FIN_ABSORBED, SPLICE_UNSPLICED,
     "FIN absorbed, all before it acknowledged"},
    {SPLICE_ESTABLISHED, SPLICE_STOPPED, SPLICE_UNSPLICED, "unspliced, nothing left in flight"},
    {SPLICE_PENDING, SPLICE_BROKEN, SPLICE_UNSPLICED, "RST, absorbed"},
    {SPLICE_FORWARDING, SPLICE_BROKEN, SPLICE_UNSPLICED, "RST, absorbed"},
    {SPLICE_ESTABLISHED, SPLICE_BROKEN, SPLICE_UNSPLICED, "RST, absorbed"},
    {SPLICE_WAITING, SPLICE_BROKEN, SPLICE_UNSPLICED, "RST, absorbed"},
    {SPLICE_WAITING, SPLICE_EXPIRED, SPLICE_UNSPLICED, "2 MSL after the last segment"},
};

const char *splice_state_name(unsigned state)
{
    return state < SPLICE_STATES ? state_names[state] : "?";
}

void splice_event(struct splice *s, enum splice_event ev)
{
    struct splice_stats *stats = &tcb_node(s->dst)->splices;
    const struct transition *t = transitions;
    while (t->from != s->state || t->event != ev) {
        t++;
        assert(t < transitions + ARRAY_LEN(transitions));
    }
    stats->count[t->from][ev]++;
    stats->with[t->from][ev][0] += s->had[0];
    stats->with[t->from][ev][1] += s->had[1];
    stats->with[t->from][ev][2] += s->had[2];
    s->state = t->to;
    if (t->to == SPLICE_ESTABLISHED || t->to == SPLICE_WAITING)
        path_note(s->src->p, NOTE_DRAINED);
}

void splice_free(struct splice *s)
{
    struct kernel *k = tcb_kernel(s->src);
    timer_cancel(k, &s->waiting);
    drain_held_drop(s);
    if (s->copy) {
        reass_drop(k, s->copy, DROP_FWD_STOP);
        pool_free(&s->src->p->pool, s->copy);
    }
    if (s->state >= SPLICE_FORWARDING) /* a RST of ours must not be old */
        s->dst->snd_max = seq_max(s->dst->snd_max, s->max);
    s->src->sp_in = NULL;
    s->dst->sp_out = NULL;
    pool_free(&s->src->p->pool, s);
}

void splice_detach(struct tcb *c)
{
    bool whole = c->fin_seen && c->rcv_nxt == c->fin_seq + 1 && !c->reset;
    bool ours = c->sp_in && c->sp_in->state == SPLICE_PENDING && whole;
    if (ours && !c->rcvq.head)
        splice_eof(c); /* both ends of it are closed at once: nobody else will tell dst */
    if (c->sp_in && !(ours && c->rcvq.head)) /* behind a limit they wait for the proxy */
        splice_free(c->sp_in);
    if (c->sp_out)
        splice_free(c->sp_out);
    if (c->bound)
        c->bound->bound = NULL;
    c->bound = NULL;
}

void splice_catch_up(struct path *p, int at, enum dir d)
{
    struct tcb *c = tcb_from(p, at, d);
    if (c && c->told_eof && !c->told_closed)
        path_event(p, at, d, EVENT_EOF);
}

static bool can_receive(const struct tcb *c)
{
    bool reads =
        c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2;
    return reads && c->told_open && !c->fin_seen && !c->delivering;
}

static bool can_send(const struct tcb *c)
{
    return (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT) && !c->shut;
}

/* Time stamps that only one side has cannot be mapped (spec decisions 3). */
static bool fits(const struct tcb *src, const struct tcb *dst)
{
    return can_receive(src) && can_send(dst) && src->ts_ok == dst->ts_ok;
}

bool splice_possible(const struct path *p, int at, const struct path *q, int to)
{
    const struct tcb *src = tcb_at(p, at), *dst = tcb_at(q, to);
    return src && dst && !src->sp_in && !dst->sp_out && fits(src, dst);
}

status_t splice_start(struct path *p, int at, struct path *q, int to,
                      const struct splice_conf *conf)
{
    struct tcb *src = tcb_at(p, at), *dst = tcb_at(q, to);
    if (!src || !dst)
        return E_INVAL;
    if (src->sp_in || dst->sp_out)
        return E_EXIST;
    if (!fits(src, dst) || conf->limit < src->rcvq.bytes)
        return E_INVAL;
    struct splice *s = pool_alloc(&p->pool, sizeof *s);
    if (!s)
        return E_NOMEM;
    s->src = src;
    s->dst = dst;
    s->waiting.fire = splice_expire;
    s->drain = (uint8_t)conf->drain;
    s->absorb = conf->absorb_fin;
    src->sp_in = s;
    dst->sp_out = s;
    splice_begin(s, conf);
    return OK;
}

bool splice_is_quiet(const struct path *p, int at, enum dir d)
{
    const struct tcb *c = tcb_from(p, at, d);
    return c && !c->rcvq.head && !(c->reass && c->reass->n);
}

bool splice_is_due(const struct path *p, int at, enum dir d)
{
    const struct tcb *c = tcb_from(p, at, d);
    return c && c->sp_in && c->sp_in->due;
}

enum splice_state splice_state_of(const struct path *p, int at, enum dir d)
{
    const struct tcb *c = tcb_from(p, at, d);
    return c && c->sp_in ? (enum splice_state)c->sp_in->state : SPLICE_UNSPLICED;
}

const struct splice_stats *splice_stats_of(const struct node *tcp)
{
    const struct tcp_node *tn = tcp->state;
    return &tn->splices;
}

void splice_show(const struct splice *s, struct show *out)
{
    static const char *const drains[] = {"absorb", "hold", "concurrent"};
    show_printf(out,
                "    spliced %s %s%s delta %u cut %u max %u segments %llu bytes %llu acks %llu\n",
                splice_state_name(s->state), drains[s->drain], s->stopping ? " stopping" : "",
                s->delta, s->cut, s->max, (unsigned long long)s->segments,
                (unsigned long long)s->bytes, (unsigned long long)s->acks);
}

void splice_show_table(const struct splice_stats *stats, struct show *out)
{
    for (size_t i = 0; i < ARRAY_LEN(transitions); i++) {
        const struct transition *t = &transitions[i];
        show_printf(out, "  %s -> %s: %s: %llu\n", state_names[t->from], state_names[t->to],
                    t->when, (unsigned long long)stats->count[t->from][t->event]);
    }
}
