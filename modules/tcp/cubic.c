/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC, RFC 9438, under the RFC's names. After a loss the window comes back to where it was,
 * w_max, along a cubic of the time: fast at first, hardly at all near w_max, and faster again
 * beyond. That does not depend on the round trip; where Reno would be faster (short round trips,
 * small windows), it is at least Reno. Slow start, the time-out's loss window and the restart after
 * idleness are RFC 5681's, and so newreno.c's. Spurious losses (4.9) are not told from others.
 *
 * The RFC counts in segments and seconds; here all windows are in bytes and time is in ms.
 */
#include "modules/tcp/cc.h"

enum {
    BETA_NUM = 7, /* beta_cubic = 0.7 (4.6): what is kept of the window at a loss */
    BETA_DEN = 10,
    ALPHA_NUM = 9, /* alpha_cubic = 3 * (1 - beta) / (1 + beta) = 9 / 17 (4.3) */
    ALPHA_DEN = 17,
    EST_SHIFT = 16,
    REACH = 100000, /* ms: as far from K as the cubic is followed; 400,000 segments */
};

static uint32_t max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The largest integer whose cube is at most x, for x < 2^63: bit by bit. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t r = 0;
    for (uint64_t bit = 1 << 20; bit; bit >>= 1)
        if ((r | bit) * (r | bit) * (r | bit) <= x)
            r |= bit;
    return (uint32_t)r;
}

/* Figure 1 of 4.2: C * (t - K)^3 + W_max with C = 0.4 segments per second cubed, which is
 * 2 * smss / (5 * 10^9) bytes per ms cubed. */
static int64_t w_cubic(const struct cc *w, uint64_t t)
{
    int64_t d = (int64_t)t - w->cubic.k;
    if (d > REACH)
        d = REACH;
    if (d < -REACH)
        d = -REACH;
    return w->cubic.w_max + d * d * d * 2 * w->smss / 5000000000;
}

/* Congestion avoidance begins (4.2). K is when the cubic, which passes through cwnd now, reaches
 * w_max. A window that is there already, as after a time-out (4.8), starts at the flat of it. */
static void begin(struct cc *w, uint64_t now)
{
    struct cubic *q = &w->cubic;
    if (w->cwnd >= q->w_max) {
        q->w_max = w->cwnd;
        q->k = 0;
    } else {
        uint64_t away = q->w_max - w->cwnd;
        q->k = cube_root(away * 2500000000 / w->smss); /* of ms cubed */
    }
    q->w_est = (uint64_t)w->cwnd << EST_SHIFT;
    q->epoch = q->updated = now;
    w->counted = 0;
}

/* What Reno would have with the same losses (4.3): alpha_cubic segments more a window, because it
 * gave up less at the loss, and one when it is back at where that was. */
static uint32_t w_est(struct cc *w, uint32_t acked)
{
    struct cubic *q = &w->cubic;
    bool back = q->w_est >> EST_SHIFT >= q->cwnd_prior;
    uint64_t more = ((uint64_t)acked * w->smss << EST_SHIFT) / w->cwnd;
    q->w_est += back ? more : more * ALPHA_NUM / ALPHA_DEN;
    return q->w_est >> EST_SHIFT < CWND_MAX ? (uint32_t)(q->w_est >> EST_SHIFT) : CWND_MAX;
}

static void cubic_acked(struct cc *w, uint32_t acked, uint64_t now, uint64_t srtt)
{
    struct cubic *q = &w->cubic;
    if (w->cwnd < w->ssthresh || w->cwnd >= CWND_MAX) {
        cc_newreno.acked(w, acked, now, srtt);
        return;
    }
    if (!q->epoch)
        begin(w, now);
    if (now - q->updated > srtt) /* cwnd was of no use meanwhile: that does not count in t (4.2) */
        q->epoch += now - q->updated - srtt;
    q->updated = now;
    uint32_t reno = w_est(w, acked);
    int64_t target = w_cubic(w, (now - q->epoch + srtt) / MS), most = w->cwnd + w->cwnd / 2;
    if (target > most)
        target = most;
    if (target > w->cwnd) { /* 4.4, 4.5: (target - cwnd) / cwnd for each byte acknowledged */
        uint64_t grow = (uint64_t)(target - w->cwnd) * acked + w->counted;
        w->counted = (uint32_t)(grow % w->cwnd);
        w->cwnd += (uint32_t)(grow / w->cwnd);
    }
    if (w_cubic(w, (now - q->epoch) / MS) < reno)
        w->cwnd = max32(w->cwnd, reno);
}

/* 4.6: ssthresh, never below two segments. */
static void cut(struct cc *w, uint32_t flight)
{
    w->cubic.cwnd_prior = w->cwnd;
    w->cubic.epoch = 0;
    w->ssthresh = max32((uint32_t)((uint64_t)flight * BETA_NUM / BETA_DEN), 2 * w->smss);
}

static void cubic_loss(struct cc *w, uint32_t flight)
{
    struct cubic *q = &w->cubic;
    bool sank = w->cwnd < q->w_max; /* 4.7, fast convergence: leave room for a newcomer */
    q->w_max =
        sank ? (uint32_t)((uint64_t)w->cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN)) : w->cwnd;
    cut(w, flight);
    w->cwnd = w->ssthresh;
}

/* 4.8: as Reno, but for beta_cubic; what follows has no window to come back to. */
static void cubic_timeout(struct cc *w, uint32_t flight, bool again)
{
    if (!again)
        cut(w, flight);
    cc_newreno.timeout(w, flight, true);
    w->cubic.w_max = 0;
    w->cubic.epoch = 0;
}

static void cubic_init(struct cc *w, uint32_t segments)
{
    cc_newreno.init(w, segments);
    w->cubic = (struct cubic){0};
}

static void cubic_idle(struct cc *w, uint32_t segments)
{
    cc_newreno.idle(w, segments);
    w->cubic.epoch = 0; /* slow start comes first */
}

const struct cc_ops cc_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .acked = cubic_acked,
    .loss = cubic_loss,
    .timeout = cubic_timeout,
    .idle = cubic_idle,
};
