/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sender's scoreboard (RFC 2018 5, RFC 6675 3 and 4): which ranges above snd_una the peer says
 * it has. Sorted, disjoint, at most BOARD_MOST; a block that finds no place is ignored, which
 * costs a retransmission and, as it seems to be in flight for ever, at last a time-out. A queue
 * that overflows loses every other segment of a round trip, so the board grows with need. All
 * functions RFC 6675 defines per octet are constant between two ranges, so each is one walk over
 * the ranges, whatever the window (CVE-2019-11477..79).
 */
#include "modules/tcp/tcp.h"

enum { BOARD_LEAST = 16, BOARD_MOST = 512, DUP_THRESH = 3 };

struct scoreboard {
    uint32_t n, room;
    struct tcp_range r[];
};

/* Twice the room; false: no more is given. */
static bool board_grow(struct tcb *c)
{
    struct scoreboard *old = c->board;
    uint32_t n = old ? old->n : 0, room = old ? 2 * old->room : BOARD_LEAST;
    if (room > BOARD_MOST)
        return false;
    struct scoreboard *b = pool_alloc(&c->p->pool, sizeof *b + room * sizeof b->r[0]);
    if (!b)
        return false;
    b->n = n;
    b->room = room;
    for (uint32_t i = 0; i < n; i++)
        b->r[i] = old->r[i];
    pool_free(&c->p->pool, old);
    c->board = b;
    return true;
}

void sack_forget(struct tcb *c)
{
    if (c->board)
        c->board->n = 0;
}

static void range_remove(struct scoreboard *b, uint32_t i)
{
    b->n--;
    for (; i < b->n; i++)
        b->r[i] = b->r[i + 1];
}

/* True: at least one octet is new. What is new is mostly at the top. */
static bool range_add(struct tcb *c, struct tcp_range x)
{
    struct scoreboard *b = c->board;
    uint32_t i = b->n;
    while (i && seq_le(x.left, b->r[i - 1].right))
        i--;
    if (i == b->n || seq_lt(x.right, b->r[i].left)) { /* touches none */
        if (b->n == b->room && !board_grow(c))
            return false;
        b = c->board;
        for (uint32_t j = b->n++; j > i; j--)
            b->r[j] = b->r[j - 1];
        b->r[i] = x;
        return true;
    }
    if (seq_le(b->r[i].left, x.left) && seq_le(x.right, b->r[i].right))
        return false;
    b->r[i].left = seq_min(b->r[i].left, x.left);
    b->r[i].right = seq_max(b->r[i].right, x.right);
    while (i + 1 < b->n && seq_le(b->r[i + 1].left, b->r[i].right)) {
        b->r[i].right = seq_max(b->r[i].right, b->r[i + 1].right);
        range_remove(b, i + 1);
    }
    return true;
}

void sack_trim(struct tcb *c)
{
    struct scoreboard *b = c->board;
    while (b && b->n && seq_le(b->r[0].right, c->snd_una))
        range_remove(b, 0);
    if (b && b->n && seq_lt(b->r[0].left, c->snd_una))
        b->r[0].left = c->snd_una;
}

bool sack_update(struct tcb *c, const struct tcp_opts *o)
{
    bool more = false;
    if (!c->sack_ok || !o->nsack)
        return false;
    if (!c->board && !board_grow(c))
        return false;
    for (uint8_t i = 0; i < o->nsack; i++) {
        struct tcp_range x = o->sack[i];
        /* Below snd_una: a D-SACK or an old one. Above what was sent: a lie (spec R-BAD-31). */
        if (seq_le(x.right, c->snd_una))
            continue;
        if (seq_gt(x.right, c->snd_max)) { /* unless a splice has sent it */
            more |= c->sp_out && splice_sacked(c, &x);
            continue;
        }
        x.left = seq_max(x.left, c->snd_una);
        more |= range_add(c, x);
    }
    return more;
}

/* Is the gap below range i lost: DUP_THRESH ranges, or more than (DUP_THRESH - 1) segments of
 * octets, SACKed above it (RFC 6675 4, IsLost). */
static bool gap_lost(const struct tcb *c, uint32_t i)
{
    const struct scoreboard *b = c->board;
    uint32_t bytes = 0;
    if (b->n - i >= DUP_THRESH)
        return true;
    for (; i < b->n; i++)
        bytes += b->r[i].right - b->r[i].left;
    return bytes > (DUP_THRESH - 1) * c->cw.smss;
}

bool sack_is_lost(const struct tcb *c, uint32_t seq)
{
    if (!c->board)
        return false;
    uint32_t i = 0;
    while (i < c->board->n && seq_le(c->board->r[i].left, seq))
        i++;
    return i < c->board->n && gap_lost(c, i);
}

uint32_t sack_below(const struct tcb *c, uint32_t seq)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; c->board && i < c->board->n && seq_lt(c->board->r[i].left, seq); i++)
        sum += seq_min(c->board->r[i].right, seq) - c->board->r[i].left;
    return sum;
}

/* RFC 6675 4, SetPipe: octets thought to be in the network. */
uint32_t sack_pipe(const struct tcb *c)
{
    const struct scoreboard *b = c->board;
    uint32_t n = b ? b->n : 0, pipe = 0, left = c->snd_una;
    for (uint32_t i = 0; i <= n; i++) {
        uint32_t right = i < n ? b->r[i].left : c->snd_max;
        if (i == n || !gap_lost(c, i))
            pipe += right - left;
        if (seq_lt(left, c->high_rxt)) /* those retransmitted count once more */
            pipe += seq_min(right, c->high_rxt) - left;
        if (i < n)
            left = b->r[i].right;
    }
    return pipe;
}

/* The first number at or above seq that is not SACKed; *gap: how many until one is. */
uint32_t sack_skip(const struct tcb *c, uint32_t seq, uint32_t *gap)
{
    *gap = UINT32_MAX / 2;
    for (uint32_t i = 0; c->board && i < c->board->n; i++) {
        const struct tcp_range *r = &c->board->r[i];
        if (seq_le(r->right, seq))
            continue;
        if (seq_lt(seq, r->left)) {
            *gap = r->left - seq;
            return seq;
        }
        seq = r->right;
    }
    return seq;
}

/* RFC 6675 4, NextSeg rules 1 (and 3, with `any`): the first gap above high_rxt and below the
 * highest SACKed octet, that is lost (or not). */
bool sack_next_lost(const struct tcb *c, uint32_t *seq, uint32_t *len, bool any)
{
    const struct scoreboard *b = c->board;
    uint32_t left = c->snd_una;
    for (uint32_t i = 0; b && i < b->n; i++) {
        uint32_t from = seq_max(left, c->high_rxt);
        if (seq_lt(from, b->r[i].left)) {
            if (!any && !gap_lost(c, i))
                return false; /* those further up are not lost either */
            *seq = from;
            *len = b->r[i].left - from;
            return true;
        }
        left = b->r[i].right;
    }
    return false;
}
