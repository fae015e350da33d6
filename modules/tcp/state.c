/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states of a connection and what happens between them: figure 5 of RFC 9293. Each function is
 * one edge of it. A connection ends in exactly one EVENT_CLOSED, the last thing the proxy hears,
 * after all bytes and the EOF were taken, or at once after a RST.
 */
#include "modules/tcp/tcp.h"

const char *tcp_state_name(unsigned state)
{
    static const char *const names[TCP_STATES] = {
        "CLOSED",     "SYN-SENT",   "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
        "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",      "LAST-ACK",
    };
    return state < TCP_STATES ? names[state] : "?";
}

void tcb_state(struct tcb *c, enum tcp_state to)
{
    struct tcp_node *tn = tcb_node(c);
    tn->state[c->state]--;
    tn->state[to]++;
    c->state = (uint8_t)to;
    if (c->half && to != TCP_SYN_RECEIVED) {
        c->half = false;
        for (int i = 0; i < c->n->nup; i++)
            tn->half_open[i] -= c->n->up[i].upper == c->listener;
    }
    /* the limit on silence differs while half closed */
    if (to == TCP_FIN_WAIT_2 || to == TCP_CLOSE_WAIT)
        tcp_life_arm(c);
}

static void tell_open(struct tcb *c)
{
    if (c->told_open || !c->answered || !tcb_synchronised(c))
        return;
    c->told_open = true;
    tcb_tell(c, EVENT_OPENED);
}

void tcb_established(struct tcb *c)
{
    tcb_state(c, TCP_ESTABLISHED);
    c->active_ns = tcb_kernel(c)->now;
    c->cw.smss = c->mss;
    c->cc->init(&c->cw, tcb_node(c)->initial_window);
    if (c->syn_resent) {
        c->cw.cwnd = c->cw.smss; /* RFC 5681 3.1: a SYN was lost */
        if (c->srtt == 0)
            c->rto = 3 * SECOND; /* RFC 6298 5.7 */
    }
    c->backoff = 0;
    c->recover = c->snd_una;
    tcp_life_arm(c);
    tell_open(c);
}

void tcb_answered(struct tcb *c)
{
    if (c->answered || !tcb_alive(c))
        return;
    c->answered = true;
    if (c->state == TCP_SYN_RECEIVED && !c->cookie)
        (void)tcp_send_syn(c);
    tell_open(c);
    data_deliver(c);
}

/* The connection leaves the flow table: what still comes for it finds TIME-WAIT, or nothing. */
static void leave(struct tcb *c)
{
    splice_detach(c);
    tcp_timers_stop(c);
    if (c->flow)
        flow_remove(tcb_kernel(c), c->p, tcb_key(c));
    c->flow = false;
    c->cursor = NULL;
    msgq_drop(tcb_kernel(c), &c->sndq, DROP_PROXY_CLOSED);
    c->snd_cost = 0;
    if (c->reass)
        reass_drop(tcb_kernel(c), c->reass, DROP_TCP_LATE);
    tcb_state(c, TCP_CLOSED);
}

/* 2 MSL are waited out in a record of the node's table; the path may go. */
static void time_wait(struct tcb *c)
{
    if (c->ack_now)
        tcp_send_ack(c);
    wait_add(&tcb_node(c)->waits, c);
    leave(c);
}

void tcb_fin_acked(struct tcb *c)
{
    switch (c->state) {
    case TCP_FIN_WAIT_1:
        tcb_state(c, TCP_FIN_WAIT_2);
        break;
    case TCP_CLOSING:
        time_wait(c);
        break;
    case TCP_LAST_ACK:
        leave(c);
        break;
    default:
        break;
    }
}

void tcb_fin_received(struct tcb *c)
{
    switch (c->state) {
    case TCP_ESTABLISHED:
        tcb_state(c, TCP_CLOSE_WAIT);
        break;
    case TCP_FIN_WAIT_1:
        tcb_state(c, TCP_CLOSING);
        break;
    case TCP_FIN_WAIT_2:
        time_wait(c);
        break;
    default:
        break;
    }
}

void tcb_end_check(struct tcb *c)
{
    if (c->state != TCP_CLOSED || c->told_closed || c->p->flags & PATH_DYING)
        return;
    if (!c->reset && (c->rcvq.head || !c->told_eof))
        return;
    c->told_closed = true;
    tcb_tell(c, EVENT_CLOSED);
}

void tcb_dead(struct tcb *c, bool reset)
{
    if (c->state == TCP_CLOSED && c->told_closed)
        return;
    if (reset) {
        c->reset = true;
        splice_broken(c);
    }
    if (c->state != TCP_CLOSED)
        leave(c);
    if (!reset)
        return; /* tcb_end_check follows when the proxy has taken the rest */
    msgq_drop(tcb_kernel(c), &c->rcvq, DROP_PROXY_CLOSED);
    c->rcv_cost = 0;
    if (!c->told_closed && !(c->p->flags & PATH_DYING))
        tcb_tell(c, EVENT_RESET);
}

/* A RST where the peer has heard of us at all. */
static void reset_peer(struct tcb *c)
{
    if (c->state == TCP_SYN_RECEIVED || tcb_synchronised(c))
        tcp_send_reset(c);
}

void tcb_give_up(struct tcb *c)
{
    reset_peer(c);
    tcb_dead(c, true);
}

/* The proxy wants it ended: it hears no RESET of its own making, only the CLOSED. */
void tcb_abort(struct tcb *c)
{
    if (c->told_closed)
        return;
    splice_broken(c);
    if (c->state != TCP_CLOSED) {
        if (!c->reset) /* else its peer has ended it: this is the echo from the other side */
            reset_peer(c);
        leave(c);
    }
    c->reset = true;
    msgq_drop(tcb_kernel(c), &c->rcvq, DROP_PROXY_CLOSED);
    c->rcv_cost = 0;
    tcb_end_check(c);
}
