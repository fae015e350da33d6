/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The congestion control of RFC 5681, whose recovery is NewReno's (RFC 6582) or, with SACK, RFC
 * 6675's; those differ in what is sent, not in these formulas.
 */
#include "modules/tcp/cc.h"

static uint32_t max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* RFC 6928 2: min(10 * MSS, max(2 * MSS, 14600)). */
static uint32_t initial(const struct cc *w, uint32_t segments)
{
    return min32(segments * w->smss, max32(2 * w->smss, 14600));
}

static void newreno_init(struct cc *w, uint32_t segments)
{
    w->cwnd = initial(w, segments);
    w->ssthresh = CWND_MAX; /* RFC 5681 3.1: arbitrarily high */
    w->counted = 0;
}

static void newreno_acked(struct cc *w, uint32_t acked, uint64_t now, uint64_t srtt)
{
    (void)now;
    (void)srtt;
    if (w->cwnd >= CWND_MAX)
        return;
    if (w->cwnd < w->ssthresh) { /* slow start, RFC 5681 equation (2) */
        w->cwnd += min32(acked, w->smss);
        return;
    }
    w->counted += acked; /* avoidance: a full window acknowledged is one segment more */
    if (w->counted >= w->cwnd) {
        w->counted -= w->cwnd;
        w->cwnd += w->smss;
    }
}

/* RFC 5681 equation (4). */
static uint32_t half_of(const struct cc *w, uint32_t flight)
{
    return max32(flight / 2, 2 * w->smss);
}

static void newreno_loss(struct cc *w, uint32_t flight)
{
    w->ssthresh = half_of(w, flight);
    w->cwnd = w->ssthresh;
    w->counted = 0;
}

/* RFC 5681 3.1: the loss window is one segment; ssthresh is held when the same segment is lost
 * again. */
static void newreno_timeout(struct cc *w, uint32_t flight, bool again)
{
    if (!again)
        w->ssthresh = half_of(w, flight);
    w->cwnd = w->smss;
    w->counted = 0;
}

/* RFC 5681 4.1: the restart window. */
static void newreno_idle(struct cc *w, uint32_t segments)
{
    w->cwnd = min32(w->cwnd, initial(w, segments));
}

const struct cc_ops cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .acked = newreno_acked,
    .loss = newreno_loss,
    .timeout = newreno_timeout,
    .idle = newreno_idle,
};
