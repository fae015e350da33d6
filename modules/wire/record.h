/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_RECORD_H
#define MODULES_WIRE_RECORD_H
/*
 * The forwarding record: all that is needed to forward one segment of a spliced connection, and all
 * that is known about it, for one direction. It lies in the line of the flow by which the segments
 * of that direction arrive, so key and record are one cache line of 64 bytes (spec splicing 3,
 * R-SPL-21). tcp writes records and reads them again (modules/tcp/settle.c), fwd works on them.
 *
 * `in` is a segment as it arrives, `out` as it leaves. Of the two records of a connection,
 * ack_off == seq_off of the opposite one and ecr_off == ts_off of it.
 */
#include <assert.h>

#include "kernel/kernel.h"

enum {                         /* flags */
       RECORD_SEEN = 0x01,     /* a segment came since the last sweep */
       RECORD_TS = 0x02,       /* time stamps are mapped */
       RECORD_SACK = 0x04,     /* SACK blocks are mapped; else they are made NOPs */
       RECORD_TRIGGER = 0x08,  /* look closer: a trigger is set, or the other side has sent FIN */
       RECORD_FIN = 0x10,      /* this side has sent FIN: it is the number before seq_max */
       RECORD_DONE = 0x20,     /* that FIN is acknowledged */
       RECORD_RST = 0x40,      /* this side has sent a RST that its far host believes */
       RECORD_PASS_SYN = 0x80, /* SYNs are passed on, not challenged (spec decisions 4) */
};

/* Numbers further than that from all that was exchanged are not forwarded. tcp offers a shift of 7
 * at most when it may splice: 65535 << 7 < RECORD_REACH. */
enum { RECORD_REACH = 1 << 23 };

struct record {
    uint32_t dst, src; /* of the datagram that leaves; host order, as all here */
    uint16_t dport, sport;
    uint32_t seq_off; /* out.seq = in.seq + seq_off */
    uint32_t ack_off; /* out.ack = in.ack - ack_off */
    uint32_t ts_off;  /* out.tsval = in.tsval + ts_off */
    uint32_t ecr_off; /* out.tsecr = in.tsecr - ecr_off */
    uint32_t seq_max; /* in: behind the highest byte or FIN seen from this side */
    uint32_t ack_max; /* in: highest acknowledgement seen from this side */
    uint16_t wnd;     /* in: window field of the newest segment that carried ack_max */
    uint8_t scale;    /* low half: shift of windows this side sends; high half: of those sent on */
    uint8_t flags;
};

static_assert(sizeof(struct record) == sizeof(((struct flow *)0)->record), "one line a direction");

static inline struct record *flow_record(struct flow *f)
{
    return (struct record *)(void *)f->record;
}

/* What a record has no room for, and only matters if tcp is to have the connection again. By the
 * direction of the flow. */
struct splice_kept {
    uint32_t ts_offset[2]; /* of our own time stamps to the host the flow comes from */
    uint32_t begun[2];     /* in: number at which the splice began */
    uint32_t stop[2];      /* in: where it stops by itself, if stops[] */
    bool stops[2];
};

/* The line of that flow of p which enters in direction d; p has one of each direction. */
static inline struct flow *path_flow(const struct path *p, enum dir d)
{
    const struct flow_table *t = &p->pool.k->flows;
    struct flow *f = flow_line(t, p->flow);
    return f->dir == (unsigned)d ? f : flow_line(t, f->next);
}

#endif
