/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of connections in TIME-WAIT, see wait.h. Nothing but wait_init can fail. */
#include "modules/tcp/wait.h"

#include "kernel/plat.h"
#include "modules/tcp/tcp.h"

static uint32_t bucket_of(const struct wait_table *w, uint32_t local, uint16_t lport,
                          uint32_t remote, uint16_t rport)
{
    uint64_t a = ((uint64_t)local << 32 | remote) ^ w->seed[0];
    uint64_t b = ((uint64_t)lport << 16 | rport) ^ w->seed[1];
    flow_product_t x = (flow_product_t)a * b;
    return (uint32_t)((uint64_t)x ^ (uint64_t)(x >> 64)) & w->mask;
}

static uint32_t record_bucket(const struct wait_table *w, const struct wait_record *r)
{
    return bucket_of(w, r->local, r->lport, r->remote, r->rport);
}

static uint32_t number(const struct wait_table *w, const struct wait_record *r)
{
    return (uint32_t)(r - w->record) + 1;
}

static void line_leave(struct wait_table *w, struct wait_record *r)
{
    if (r->older)
        w->record[r->older - 1].newer = r->newer;
    else
        w->oldest = r->newer;
    if (r->newer)
        w->record[r->newer - 1].older = r->older;
    else
        w->newest = r->older;
}

/* Two MSL from now, behind all others; if msl was lowered meanwhile, behind them all the same. */
static void line_up(struct wait_table *w, struct wait_record *r)
{
    r->until = w->n->k->now + 2 * conf_number(&w->n->conf, "msl");
    r->newer = 0;
    r->older = w->newest;
    if (w->newest)
        w->record[w->newest - 1].newer = number(w, r);
    else
        w->oldest = number(w, r);
    w->newest = number(w, r);
    if (!timer_armed(&w->timer))
        timer_arm(w->n->k, &w->timer, r->until);
}

static void expire(struct kernel *k, struct timer *t)
{
    struct wait_table *w = CONTAINER(t, struct wait_table, timer);
    while (w->oldest && w->record[w->oldest - 1].until <= k->now)
        wait_remove(w, &w->record[w->oldest - 1]);
    if (w->oldest)
        timer_arm(k, t, w->record[w->oldest - 1].until);
}

status_t wait_init(struct node *n, struct wait_table *w, uint32_t size)
{
    uint32_t buckets = 16;
    while (buckets < size)
        buckets *= 2;
    w->n = n;
    w->record = pool_alloc(&n->pool, size * sizeof *w->record);
    w->bucket = pool_alloc(&n->pool, buckets * sizeof *w->bucket);
    if (!w->record || !w->bucket)
        return E_NOMEM;
    w->size = size;
    w->mask = buckets - 1;
    w->seed[0] = plat_random(n->k);
    w->seed[1] = plat_random(n->k) | 1;
    w->timer.fire = expire;
    for (uint32_t i = size; i-- > 0;) {
        w->record[i].chain = w->free;
        w->free = i + 1;
    }
    return OK;
}

void wait_end(struct wait_table *w)
{
    if (w->n)
        timer_cancel(w->n->k, &w->timer);
}

struct wait_record *wait_find(const struct wait_table *w, uint32_t local, uint16_t lport,
                              uint32_t remote, uint16_t rport)
{
    for (uint32_t i = w->bucket[bucket_of(w, local, lport, remote, rport)]; i;) {
        struct wait_record *r = &w->record[i - 1];
        if (r->local == local && r->remote == remote && r->lport == lport && r->rport == rport)
            return r;
        i = r->chain;
    }
    return NULL;
}

void wait_remove(struct wait_table *w, struct wait_record *r)
{
    uint32_t *link = &w->bucket[record_bucket(w, r)];
    while (*link != number(w, r))
        link = &w->record[*link - 1].chain;
    *link = r->chain;
    line_leave(w, r);
    r->used = false;
    r->chain = w->free;
    w->free = number(w, r);
    w->live--;
}

void wait_add(struct wait_table *w, const struct tcb *c)
{
    uint32_t local = netaddr_to_ip4(&c->local.addr), remote = netaddr_to_ip4(&c->remote.addr);
    struct wait_record *r = wait_find(w, local, c->local.port, remote, c->remote.port);
    if (r)
        wait_remove(w, r);
    if (!w->free) {
        tcb_count(c, STAT_WAIT_EVICTED);
        wait_remove(w, &w->record[w->oldest - 1]);
    }
    r = &w->record[w->free - 1];
    w->free = r->chain;
    *r = (struct wait_record){.local = local,
                              .remote = remote,
                              .lport = c->local.port,
                              .rport = c->remote.port,
                              .snd_nxt = c->snd_max,
                              .rcv_nxt = c->rcv_nxt,
                              .wnd = (uint16_t)((c->rcv_adv - c->rcv_nxt) >> c->rcv_scale),
                              .ts = c->ts_ok,
                              .ts_recent = c->ts_recent,
                              .ts_offset = c->ts_offset,
                              .used = true};
    uint32_t *link = &w->bucket[record_bucket(w, r)];
    r->chain = *link;
    *link = number(w, r);
    w->live++;
    line_up(w, r);
}

/* The acknowledgement of the peer's FIN again, at most two a second (spec R-ATK-8). */
static void acknowledge(struct wait_table *w, struct wait_record *r, const struct segment *g)
{
    struct kernel *k = w->n->k;
    if (r->challenge_ns && k->now - r->challenge_ns < SECOND / 2)
        return;
    r->challenge_ns = k->now ? k->now : 1;
    struct segment out = {.seq = r->snd_nxt, .ack = r->rcv_nxt, .flags = TCP_ACK, .wnd = r->wnd};
    uint8_t opt[TCP_OPTIONS_MAX];
    struct tcp_opts o = {
        .has_ts = r->ts, .tsval = tcp_ts_clock(k) + r->ts_offset, .tsecr = r->ts_recent};
    tcp_reply(w->n, g, &out, opt, options_build(opt, &o));
}

/* RFC 6191: by time stamp if both have one and they differ, else by sequence number. */
static bool reusable(const struct wait_record *r, const struct segment *g)
{
    if (r->ts && g->o.has_ts && g->o.tsval != r->ts_recent)
        return seq_gt(g->o.tsval, r->ts_recent);
    return seq_gt(g->seq, r->rcv_nxt);
}

bool wait_segment(struct wait_table *w, struct wait_record *r, const struct segment *g,
                  uint32_t *above)
{
    if (g->flags & TCP_RST) /* RFC 1337: TIME-WAIT is not assassinated */
        return false;
    if (above && (g->flags & (TCP_SYN | TCP_ACK | TCP_FIN)) == TCP_SYN && reusable(r, g)) {
        *above = r->snd_nxt;
        wait_remove(w, r);
        return true;
    }
    if (g->flags & TCP_FIN && g->seq + g->len + 1 == r->rcv_nxt) { /* our ACK was lost: again */
        line_leave(w, r);
        line_up(w, r);
    }
    /* What is in order and asks for nothing gets nothing: the other end may be waiting as well. */
    bool news = g->flags & TCP_ACK && seq_gt(g->ack, r->snd_nxt);
    if (g->seq != r->rcv_nxt || segment_space(g) || news)
        acknowledge(w, r, g);
    else if (r->ts && g->o.has_ts && seq_gt(g->o.tsval, r->ts_recent))
        r->ts_recent = g->o.tsval; /* RFC 7323 4.3: what a new connection must be above */
    return false;
}
