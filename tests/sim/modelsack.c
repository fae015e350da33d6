/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model host's ranges (RFC 2018, 2883): bytes of the peer that came out of order, which are
 * told with each acknowledgement, and our own bytes that the peer has told us of, which are not
 * sent again until a time-out.
 */
#include <string.h>

#include "tests/sim/bytes.h"
#include "tests/sim/modelout.h"

static void range_remove(struct range *r, int *n, int i)
{
    memmove(r + i, r + i + 1, (size_t)(*n - i - 1) * sizeof *r);
    --*n;
}

/* x takes in all that it touches. */
static void ranges_merge(struct range *r, int *n, struct range *x)
{
    for (int i = *n - 1; i >= 0; i--) {
        if (seq_before(x->right, r[i].left) || seq_before(r[i].right, x->left))
            continue;
        if (seq_before(r[i].left, x->left))
            x->left = r[i].left;
        if (seq_before(x->right, r[i].right))
            x->right = r[i].right;
        range_remove(r, n, i);
        i = *n; /* it may touch more now */
    }
}

static void range_insert(struct range *r, int *n, int at, struct range x)
{
    memmove(r + at + 1, r + at, (size_t)(*n - at) * sizeof *r);
    r[at] = x;
    ++*n;
}

void mconn_hold(struct mconn *c, uint32_t seq, const uint8_t *data, uint32_t len)
{
    uint32_t edge = mconn_edge(c);
    struct range x = {seq, seq + len};
    if (seq_before(edge, x.right))
        x.right = edge;
    if (!seq_before(x.left, x.right))
        return;
    for (int i = 0; i < c->nheld; i++)
        if (seq_upto(c->held[i].left, x.left) && seq_upto(x.right, c->held[i].right))
            c->twice = x;
    struct range new = x;
    ranges_merge(c->held, &c->nheld, &new);
    if (c->nheld == MODEL_RANGES)
        return; /* forgotten: RFC 2018 8 allows that for what has not been told */
    memcpy(c->buffer + c->unread + (x.left - c->rcv_nxt), data, x.right - x.left);
    range_insert(c->held, &c->nheld, 0, new);
}

void mconn_held_due(struct mconn *c)
{
    for (int i = c->nheld - 1; i >= 0; i--) {
        struct range r = c->held[i];
        if (seq_before(c->rcv_nxt, r.left))
            continue;
        range_remove(c->held, &c->nheld, i);
        if (seq_before(c->rcv_nxt, r.right)) {
            c->unread += r.right - c->rcv_nxt;
            c->rcv_nxt = r.right;
        }
        i = c->nheld; /* from the beginning */
    }
}

void mconn_sacked(struct mconn *c, const struct segment *s)
{
    for (int i = c->nhad - 1; i >= 0; i--)
        if (seq_upto(c->had[i].right, c->snd_una))
            range_remove(c->had, &c->nhad, i);
    for (int b = 0; b < s->nblocks; b++) {
        struct range x = s->block[b];
        if (!seq_before(c->snd_una, x.left) || !seq_upto(x.right, c->snd_max))
            continue; /* D-SACK, or old */
        ranges_merge(c->had, &c->nhad, &x);
        int at = 0;
        while (at < c->nhad && seq_before(c->had[at].left, x.left))
            at++;
        if (c->nhad < MODEL_RANGES)
            range_insert(c->had, &c->nhad, at, x);
    }
}

uint32_t mconn_gap(const struct mconn *c, uint32_t *at)
{
    for (int i = 0; i < c->nhad; i++) {
        if (seq_before(*at, c->had[i].left))
            return c->had[i].left - *at;
        if (seq_before(*at, c->had[i].right))
            *at = c->had[i].right;
    }
    return UINT32_MAX / 2;
}

size_t mconn_blocks_put(struct mconn *c, uint8_t *option, size_t room)
{
    struct range r[SACK_BLOCKS];
    int n = 0, most = room < 10 ? 0 : (int)((room - 2) / 8);
    most = most < SACK_BLOCKS ? most : SACK_BLOCKS;
    if (c->host->conf.dsack && c->twice.left != c->twice.right && most)
        r[n++] = c->twice;
    for (int i = 0; i < c->nheld && n < most; i++)
        r[n++] = c->held[i];
    c->twice = (struct range){0, 0};
    if (!c->sack || !n)
        return 0;
    option[0] = 5;
    option[1] = (uint8_t)(2 + 8 * n);
    for (int i = 0; i < n; i++) {
        put4(option + 2 + 8 * i, r[i].left);
        put4(option + 6 + 8 * i, r[i].right);
    }
    return option[1];
}
