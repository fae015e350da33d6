/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tcp stage as its path sees it. `up` is the face of a connection that was accepted: AB goes
 * from the wire to the proxy; `down` that of one we opened: AB goes to the wire. Both are thin:
 * what differs is only which direction is which.
 */
#include "kernel/show.h"
#include "modules/tcp/spliced.h"
#include "modules/wire/ip4.h"

struct flow_key tcb_key(const struct tcb *c)
{
    return flow_key_ip4(FLOW_CONN, 0, PROTO_TCP, netaddr_to_ip4(&c->remote.addr),
                        netaddr_to_ip4(&c->local.addr), c->remote.port, c->local.port);
}

struct tcb *tcb_of_flow(struct node *n, uint32_t local, uint16_t lport, uint32_t remote,
                        uint16_t rport)
{
    struct flow_key key = flow_key_ip4(FLOW_CONN, 0, PROTO_TCP, remote, local, rport, lport);
    const struct flow *f = flow_find(&n->k->flows, key);
    const struct path *p = f ? flow_path(n->k, f) : NULL;
    for (int at = 0; p && at < p->shape->n; at++) {
        struct tcb *c = tcb_from(p, at, (enum dir)f->dir);
        struct flow_key own = {{0, 0}};
        if (c)
            own = tcb_key(c);
        if (c && own.w[0] == key.w[0] && own.w[1] == key.w[1])
            return c;
    }
    return NULL;
}

void tcb_receive(struct tcb *c, struct msg *m)
{
    struct segment g;
    enum drop why;
    tcb_node(c)->segs_in++;
    if (UNLIKELY(!segment_parse(m, &g, &why)))
        msg_drop(tcb_kernel(c), m, why);
    else
        tcp_segment(c, m, &g);
}

static void from_wire(struct path *p, int at, struct msg *m)
{
    tcb_receive(p->state[at], m);
}

uint32_t tcb_room(const struct tcb *c)
{
    uint64_t limit = 2ULL * c->sndbuf;
    if (!tcb_synchronised(c) || c->shut || c->sp_out) /* spliced: only the splice writes */
        return 0;
    if (c->sndq.head && data_pressure(tcb_kernel(c))) /* its acknowledgement brings new room */
        return 0;
    uint32_t by_bytes = c->sndbuf > c->sndq.bytes ? c->sndbuf - c->sndq.bytes : 0;
    uint32_t by_storage = limit > c->snd_cost ? (uint32_t)((limit - c->snd_cost) / 2) : 0;
    return by_bytes < by_storage ? by_bytes : by_storage;
}

static uint32_t room_to_wire(struct path *p, int at)
{
    struct tcb *c = p->state[at];
    uint32_t room = tcb_room(c);
    if (room == 0)
        c->want_room = true;
    return room;
}

static void from_proxy(struct path *p, int at, struct msg *m)
{
    struct tcb *c = p->state[at];
    if (!tcb_alive(c) || c->shut) {
        msg_drop(p->pool.k, m, DROP_PROXY_CLOSED);
        return;
    }
    if (m->total == 0) {
        msg_free(m);
        return;
    }
    m->cb[0] = tcb_queue_end(c);
    m->flags = 0;
    queue_add(&c->sndq, m, &p->pool, &c->snd_cost);
    if (tcb_room(c) == 0)
        c->want_room = true;
    if (!c->in_input) /* else what the segment brought is answered together */
        tcp_output(c);
}

static void event_from_proxy(struct path *p, int at, enum event ev)
{
    struct tcb *c = p->state[at];
    switch (ev) {
    case EVENT_ANSWER:
        tcb_answered(c);
        break;
    case EVENT_EOF:
        c->shut = true;
        if (!c->in_input)
            tcp_output(c);
        break;
    case EVENT_RESET:
        tcb_abort(c);
        return;
    case EVENT_READY:
        data_deliver(c);
        if (!c->in_input)
            tcp_window_update(c);
        break;
    default:
        break;
    }
    if (!c->in_input)
        tcb_end_check(c);
}

/* Stages are established from A to B: those between us and the wire may want to be, still. */
static bool below_ready(const struct path *p, int at)
{
    for (int i = at + 1; i < p->shape->n; i++)
        if (p->shape->at[i].ops->establish)
            return false;
    return true;
}

/* Both the tuple and, for a connection we open, the SYN: everything below exists now. */
static status_t establish(struct path *p, int at)
{
    struct tcb *c = p->state[at];
    struct tcp_node *tn = tcb_node(c);
    c->at = at;
    status_t status = flow_insert(p->pool.k, tcb_key(c), p, (enum dir)c->up, NULL);
    if (status != OK)
        return status;
    c->flow = true;
    c->established = true;
    tn->state[TCP_CLOSED]++; /* destroy takes it out again */
    if (c->up == BA) {
        tn->stat[STAT_ACTIVE]++;
        tcb_state(c, TCP_SYN_SENT);
        if (below_ready(p, at))
            (void)tcp_send_syn(c);
        else
            tcp_rexmt_arm(c, TIMER_START);
    } else {
        tn->stat[STAT_PASSIVE]++;
        tcb_state(c, TCP_SYN_RECEIVED);
        c->half = !c->cookie;
        for (int i = 0; i < c->n->nup; i++)
            tn->half_open[i] += c->half && c->n->up[i].upper == c->listener;
    }
    tcp_life_arm(c);
    return OK;
}

void tcb_moved(struct tcb *c, struct path *p, int at)
{
    c->at = at;
    if (c->p == p) /* who pays already */
        return;
    c->p = p;
    struct msgq *queues[] = {&c->sndq, &c->rcvq};
    for (int i = 0; i < 2; i++)
        for (struct msg *m = queues[i]->head; m; m = m->next)
            if (msg_charge(m, &p->pool) != OK && msg_charge(m, &p->pool.k->pool) != OK)
                p->pool.k->drops[DROP_TCP_MEM]++; /* cannot be: the kernel has no limit */
    if (c->reass)
        reass_charge(c->reass, &p->pool);
}

static void moved(struct path *p, int at)
{
    tcb_moved(p->state[at], p, at);
}

void tcb_destroy(struct tcb *c)
{
    struct kernel *k = tcb_kernel(c);
    struct path *p = c->p;
    splice_detach(c);
    if (c->sp_in)
        splice_free(c->sp_in);
    if (c->flow || c->state != TCP_CLOSED) {
        c->flow = false; /* the kernel has removed it */
        tcb_state(c, TCP_CLOSED);
    }
    tcp_timers_stop(c);
    msgq_drop(k, &c->sndq, DROP_PATH_DEAD);
    msgq_drop(k, &c->rcvq, DROP_PATH_DEAD);
    if (c->reass)
        reass_drop(k, c->reass, DROP_PATH_DEAD);
    if (c->established)
        tcb_node(c)->state[TCP_CLOSED]--;
    pool_free(&p->pool, c->board);
    pool_free(&p->pool, c->reass);
    pool_free(&p->pool, c);
}

static void destroy(struct path *p, int at)
{
    tcb_destroy(p->state[at]);
}

/* The machine stops: the peer learns it from us, not from its timers. */
static void stop(struct path *p, int at)
{
    struct tcb *c = p->state[at];
    if (c->state == TCP_SYN_RECEIVED || tcb_synchronised(c))
        tcp_send_reset(c);
}

void tcb_show(const struct tcb *c, struct show *out)
{
    char l[NETADDR_TEXT], r[NETADDR_TEXT];
    show_printf(out, "    %s %s -> %s\n", tcp_state_name(c->state), endpoint_text(&c->local, l),
                endpoint_text(&c->remote, r));
    show_printf(out, "    snd una %u nxt %u max %u wnd %u queue %u mss %u\n", c->snd_una - c->iss,
                c->snd_nxt - c->iss, c->snd_max - c->iss, c->snd_wnd, c->sndq.bytes, c->mss);
    show_printf(out, "    rcv nxt %u wnd %u queue %u out-of-order %u\n", c->rcv_nxt - c->irs,
                c->rcv_adv - c->rcv_nxt, c->rcvq.bytes, c->reass ? c->reass->n : 0);
    show_printf(out, "    cwnd %u ssthresh %u srtt %lluus rto %llums%s%s%s\n", c->cw.cwnd,
                c->cw.ssthresh, (unsigned long long)(c->srtt / US),
                (unsigned long long)(c->rto / MS), c->ts_ok ? " timestamps" : "",
                c->sack_ok ? " sack" : "", c->ws_ok ? " wscale" : "");
    show_printf(out, "    segments in %llu out %llu again %llu, bytes in %llu out %llu\n",
                (unsigned long long)c->segs_in, (unsigned long long)c->segs_out,
                (unsigned long long)c->retransmits, (unsigned long long)c->bytes_in,
                (unsigned long long)c->bytes_out);
    if (c->sp_in)
        splice_show(c->sp_in, out);
}

static void show(const struct path *p, int at, struct show *out)
{
    tcb_show(p->state[at], out);
}

static void worth(const struct path *p, int at, struct standing *out)
{
    tcb_worth(p->state[at], out);
}

static void evict(struct path *p, int at)
{
    tcb_evict(p->state[at]);
}

const struct stage_ops *tcp_stage_of(enum dir d)
{
    return d == AB ? &tcp_up_stage : &tcp_down_stage;
}

const struct stage_ops tcp_up_stage = {
    .deliver = {[AB] = from_wire, [BA] = from_proxy},
    .room = {[BA] = room_to_wire},
    .event = {[BA] = event_from_proxy},
    .establish = establish,
    .moved = moved,
    .destroy = destroy,
    .stop = stop,
    .show = show,
    .worth = worth,
    .evict = evict,
};

const struct stage_ops tcp_down_stage = {
    .deliver = {[AB] = from_proxy, [BA] = from_wire},
    .room = {[AB] = room_to_wire},
    .event = {[AB] = event_from_proxy},
    .establish = establish,
    .moved = moved,
    .destroy = destroy,
    .stop = stop,
    .show = show,
    .worth = worth,
    .evict = evict,
};
