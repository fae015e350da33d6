/* SPDX-License-Identifier: BSD-2-Clause */
/* The out-of-order queue, see reass.h. */
#include "modules/tcp/reass.h"

#include "kernel/kernel.h"
#include "modules/tcp/seq.h"
#include "modules/tcp/small.h"

/* Index of the first run whose end is at or behind seq; r->n: none. */
static uint32_t run_find(const struct reass *r, uint32_t seq)
{
    uint32_t low = 0, high = r->n;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (seq_lt(r->run[middle].end, seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void run_remove(struct reass *r, uint32_t i)
{
    r->n--;
    for (; i < r->n; i++)
        r->run[i] = r->run[i + 1];
}

static bool run_make(struct reass *r, uint32_t i, uint32_t seq)
{
    if (r->n == REASS_RUNS)
        return false;
    for (uint32_t j = r->n++; j > i; j--)
        r->run[j] = r->run[j - 1];
    r->run[i] = (struct reass_run){.seq = seq, .end = seq};
    return true;
}

static void run_append(struct reass *r, struct reass_run *run, struct msg *m)
{
    run->end += m->total;
    if (small_squeeze(run->tail, m))
        return;
    r->cost += msg_cost(m);
    m->next = NULL;
    if (run->tail)
        run->tail->next = m;
    else
        run->head = m;
    run->tail = m;
}

/* Run i now ends where run i + 1 begins: they are one. */
static void run_merge(struct reass *r, uint32_t i)
{
    if (i + 1 >= r->n || r->run[i].end != r->run[i + 1].seq)
        return;
    r->run[i].tail->next = r->run[i + 1].head;
    r->run[i].tail = r->run[i + 1].tail;
    r->run[i].end = r->run[i + 1].end;
    run_remove(r, i + 1);
}

/* Cut m where run `next` begins; the rest that may be new is returned. */
static struct msg *cut(struct kernel *k, const struct reass *r, uint32_t next, uint32_t seq,
                       struct msg *m)
{
    if (next >= r->n || seq_le(seq + m->total, r->run[next].seq))
        return NULL;
    uint32_t fits = r->run[next].seq - seq;
    struct msg *rest = msg_split(m, fits);
    if (!rest) { /* no memory: the peer sends it again */
        k->drops[DROP_TCP_OOO]++;
        msg_trim(m, fits);
    }
    return rest;
}

void reass_insert(struct kernel *k, struct reass *r, struct pool *payer, uint32_t seq,
                  struct msg *m)
{
    while (m) {
        uint32_t i = run_find(r, seq);
        bool touches = i < r->n && seq_le(r->run[i].seq, seq);
        if (touches && seq_lt(seq, r->run[i].end)) { /* these bytes are here already */
            uint32_t old = r->run[i].end - seq;
            r->run[i].stamp = ++r->stamp;
            if (old >= m->total) {
                msg_free(m);
                return;
            }
            msg_skip(m, old);
            seq += old;
        }
        struct msg *rest = cut(k, r, touches ? i + 1 : i, seq, m);
        uint32_t after = seq + m->total;
        if (!touches && !run_make(r, i, seq)) {
            msg_drop(k, m, DROP_TCP_OOO);
        } else {
            m = small_copy(payer, m);
            if (msg_charge(m, payer) != OK) {
                msg_drop(k, m, DROP_TCP_MEM);
                if (!touches)
                    run_remove(r, i);
            } else {
                run_append(r, &r->run[i], m);
                r->run[i].stamp = ++r->stamp;
                run_merge(r, i);
            }
        }
        seq = after;
        m = rest;
    }
}

struct msg *reass_take(struct reass *r, uint32_t nxt)
{
    if (!r->n || r->run[0].seq != nxt)
        return NULL;
    struct reass_run *run = &r->run[0];
    struct msg *m = run->head;
    run->head = m->next;
    m->next = NULL;
    run->seq += m->total;
    r->cost -= msg_cost(m);
    if (!run->head)
        run_remove(r, 0);
    return m;
}

uint8_t reass_blocks(const struct reass *r, uint32_t nxt, struct tcp_range *out, uint8_t n)
{
    uint8_t count = 0;
    uint32_t below = UINT32_MAX;
    while (count < n && count < r->n) {
        const struct reass_run *best = NULL;
        for (uint32_t i = 0; i < r->n; i++)
            if (r->run[i].stamp < below && (!best || r->run[i].stamp > best->stamp))
                best = &r->run[i];
        if (!best)
            break;
        below = best->stamp;
        if (seq_gt(best->seq, nxt))
            out[count++] = (struct tcp_range){best->seq, best->end};
    }
    return count;
}

/* The messages behind m, or all when it is NULL. */
static void run_drop(struct kernel *k, struct reass *r, struct reass_run *run, struct msg *m,
                     enum drop why)
{
    struct msg *behind = m ? m->next : run->head;
    while (behind) {
        struct msg *next = behind->next;
        r->cost -= msg_cost(behind);
        msg_drop(k, behind, why);
        behind = next;
    }
    if (m)
        m->next = NULL;
    run->tail = m;
}

void reass_cut(struct kernel *k, struct reass *r, uint32_t end)
{
    while (r->n && seq_gt(r->run[r->n - 1].end, end)) {
        struct reass_run *run = &r->run[r->n - 1];
        if (seq_ge(run->seq, end)) {
            run_drop(k, r, run, NULL, DROP_TCP_LATE);
            r->n--;
            continue;
        }
        struct msg *m = run->head;
        uint32_t at = run->seq;
        for (; seq_lt(at + m->total, end); m = m->next)
            at += m->total;
        run_drop(k, r, run, m, DROP_TCP_LATE);
        r->cost -= msg_cost(m);
        msg_trim(m, end - at);
        r->cost += msg_cost(m);
        run->end = end;
    }
}

void reass_drop(struct kernel *k, struct reass *r, enum drop why)
{
    for (uint32_t i = 0; i < r->n; i++)
        run_drop(k, r, &r->run[i], NULL, why);
    r->n = 0;
    r->cost = 0;
}

void reass_charge(struct reass *r, struct pool *payer)
{
    for (uint32_t i = 0; i < r->n; i++)
        for (struct msg *m = r->run[i].head; m; m = m->next)
            if (msg_charge(m, payer) != OK && msg_charge(m, &payer->k->pool) != OK)
                payer->k->drops[DROP_TCP_MEM]++; /* cannot be: the kernel has no limit */
}
