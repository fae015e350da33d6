/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the model host thinks of the other side's segments. It holds for any TCP and for any number
 * of splices between: nothing outside what was sent and offered, no promise taken back. Segments
 * may overtake each other, so two of them are compared by their acknowledgements: whoever knew more
 * did not promise less. Where nothing overtakes, by their order as well.
 */
#include <stdio.h>

#include "tests/sim/bytes.h"
#include "tests/sim/modelout.h"

static void wrong(struct mconn *c, const struct segment *s, const char *what)
{
    struct model *m = c->host;
    if (m->wrong)
        return;
    snprintf(m->text, sizeof m->text, "%s: port %u at %llu us, seq %u length %u ack %u window %u",
             what, c->port, (unsigned long long)(simworld_now(m->world) / US), s->seq - c->irs,
             s->len, s->ack - c->iss, s->wnd << c->snd_scale);
    m->wrong = m->text;
}

/* RFC 9293 3.8.6, RFC 7323 2.4: the right edge. */
static void edge_watch(struct mconn *c, const struct segment *s)
{
    uint32_t edge = s->ack + (s->wnd << c->snd_scale);
    uint32_t slack = c->host->conf.slack;
    bool fitful = c->host->conf.fitful;
    if (c->end->shut && s->ack == c->iss + 2 + (uint32_t)c->end->sent)
        return; /* nothing more will be sent, so a window is of no use */
    if (!c->said.any || seq_before(c->said.ack, s->ack)) {
        if (c->said.any && !fitful && seq_before(edge + slack, c->said.edge))
            wrong(c, s, "takes back a window that it has promised");
        c->said.ack = s->ack;
        if (!c->said.any || seq_before(c->said.edge, edge))
            c->said.edge = edge;
        c->said.any = true;
        return;
    }
    if (s->ack == c->said.ack) {
        if (c->host->conf.ordered && !fitful && seq_before(edge + slack, c->said.edge))
            wrong(c, s, "takes back a window that it has promised");
        if (seq_before(c->said.edge, edge))
            c->said.edge = edge;
    } else if (c->host->conf.ordered) {
        wrong(c, s, "acknowledges less than before, though nothing can overtake");
    }
}

enum { ECHO_SLACK = 10000 };

/* RFC 7323 3.2, 5.3 */
static void stamp_watch(struct mconn *c, const struct segment *s)
{
    if (!s->stamped) {
        wrong(c, s, "leaves out the time stamp that it agreed to (RFC 7323 3.2)");
        return;
    }
    /* A bare acknowledgement of a connection made again from its record repeats what it has been
     * echoed, which may lag. */
    if (c->host->conf.ordered && !c->host->conf.fitful && c->said.stamped && s->len &&
        seq_before(s->tsval, c->said.stamp))
        wrong(c, s, "its time stamps run back");
    if (!c->said.stamped || seq_before(c->said.stamp, s->tsval))
        c->said.stamp = s->tsval;
    c->said.stamped = true;
    /* An echo of a stamp that the forwarder made itself, before the splice, is mapped like all
     * others and may fall somewhat before our first one or after now: docs/RESULTS.md, known and
     * left. 0: the connection was made again from its record, and we have said nothing since. */
    if (s->flags & ACK && s->tsecr && !c->host->conf.leaps &&
        (seq_before(mconn_stamp(c) + ECHO_SLACK, s->tsecr) ||
         seq_before(s->tsecr + ECHO_SLACK, c->first_stamp)))
        wrong(c, s, "echoes a time stamp that was never sent");
}

/* RFC 2018 3, RFC 2883 4: a block below the acknowledgement, or inside the next one, may only be
 * the first. */
static void blocks_watch(struct mconn *c, const struct segment *s)
{
    if (s->nblocks && !c->sack)
        wrong(c, s, "sends SACK blocks to who did not agree to them");
    for (int i = 0; i < s->nblocks; i++) {
        struct range r = s->block[i];
        if (!seq_before(r.left, r.right) || seq_upto(r.left, c->iss) ||
            seq_before(c->snd_max, r.right))
            wrong(c, s, "SACKs what was never sent");
        else if (i > 0 && seq_upto(r.left, s->ack))
            wrong(c, s, "SACKs what is acknowledged, and not as a duplicate");
    }
}

void mconn_watch(struct mconn *c, const struct segment *s)
{
    const struct model_conf *conf = &c->host->conf;
    if (s->flags & (RST | SYN)) /* what is offered there is in units of its own */
        return;
    /* One byte beyond the edge is a probe of a closed window (RFC 9293 3.8.6.1). */
    if (s->len > 1 && seq_before(c->rcv_edge + conf->beyond, s->seq + s->len))
        wrong(c, s, "sends beyond the window that it was offered");
    if (s->len > (uint32_t)conf->mss - (c->stamps ? 12U : 0U))
        wrong(c, s, "sends more than the MSS that it was offered");
    if (c->stamps)
        stamp_watch(c, s);
    else if (s->stamped)
        wrong(c, s, "stamps its segments though that was not agreed to");
    if (!(s->flags & ACK))
        return;
    if (seq_before(c->snd_max, s->ack))
        wrong(c, s, "acknowledges what was never sent");
    else if (c->state != M_SYN_RECEIVED)
        edge_watch(c, s);
    blocks_watch(c, s);
}
