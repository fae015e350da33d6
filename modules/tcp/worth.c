/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a connection is worth when there is no room for all (kernel/evict.h, spec R-ATK-4), and how
 * it is ended then: with a RST where the host knows of it. One that is half open goes in silence:
 * its SYN comes again, if it was honest.
 */
#include "modules/tcp/spliced.h"

/* Nothing but the handshake, either way and by whatever hand. */
bool tcb_is_empty(const struct tcb *c)
{
    return c->rcv_nxt == c->irs + 1 && c->snd_max == c->iss + 1;
}

/* RFC 6429: its host has taken nothing for long, and others need what waits for it. */
static bool is_stuck(const struct tcb *c)
{
    const struct kernel *k = tcb_kernel(c);
    return c->rexmt_use == TIMER_PERSIST && c->sndq.head && data_pressure(k) &&
           k->now - c->unacked_since >= conf_number(&k->conf, "busy");
}

void tcb_worth(const struct tcb *c, struct standing *out)
{
    *out = (struct standing){.worth = WORTH_IDLE, .since = c->active_ns, .limit = tcp_silence(c)};
    if (!tcb_alive(c)) { /* the proxy is taking the rest */
        out->worth = WORTH_BUSY;
        out->limit = UINT64_MAX;
    } else if (!tcb_synchronised(c)) {
        out->worth = c->state == TCP_SYN_RECEIVED ? WORTH_HALF_OPEN : WORTH_BUSY;
        out->since = c->began_ns;
        out->limit = conf_number(&c->n->conf, "connect");
    } else if (is_stuck(c)) {
        out->worth = WORTH_STUCK;
        out->since = c->unacked_since;
    } else if (c->state != TCP_ESTABLISHED) {
        out->worth = WORTH_HALF_CLOSED;
    } else if (tcb_is_empty(c)) {
        out->worth = WORTH_EMPTY;
    }
}

void tcb_evict(struct tcb *c)
{
    if (c->state == TCP_SYN_RECEIVED)
        tcb_dead(c, true);
    else
        tcb_give_up(c);
    tcb_end_check(c);
}
