/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_END_H
#define TESTS_SIM_END_H
/*
 * The application at one end of a simulated connection: what it sends, how it reads, when it stops,
 * closes or resets, all laid down beforehand. The transports (model.c, app.c) ask and tell; nothing
 * here knows which one it is. Byte i of a stream is a function of the stream's number and of i, so
 * each byte that arrives is checked at once: what is delivered is a prefix of what was sent, or
 * end_push says so.
 */
#include "kernel/types.h"

enum { END_NEVER_BYTES = -1 };

enum end_state {
    END_NEW,
    END_OPEN,
    END_CLOSED,  /* both directions ended by FIN */
    END_RESET,   /* by the other side, or refused */
    END_ABORTED, /* by us */
};

struct end {
    /* the plan */
    uint64_t out_stream, in_stream; /* numbers of the streams */
    uint64_t out_bytes;             /* to be sent */
    int64_t abort_sent, abort_got;  /* reset after that many bytes; END_NEVER_BYTES */
    bool shut_last;                 /* closes only when the other side has */
    uint64_t out_pause_at, out_pause_ns, in_pause_at, in_pause_ns;
    uint32_t out_chunk, in_chunk; /* bytes per turn */
    uint64_t in_gap_ns;           /* between two turns of reading */
    /* what happened */
    enum end_state state;
    uint64_t sent, got;         /* bytes handed to the transport, bytes read from it */
    bool shut, eof;             /* we have finished; the other side has */
    uint64_t out_wait, in_wait; /* ns: paused until */
    bool out_paused, in_paused;
    const char *wrong; /* the first thing that must not happen; NULL: none */
};

/* The transport asks: how many bytes may it take from the application now, and fetches them. */
uint64_t end_ready(struct end *e, uint64_t now);
void end_pull(struct end *e, uint8_t *to, size_t n);
/* Bytes of the application's stream again, for who keeps no copies. */
void end_peek(const struct end *e, uint64_t at, uint8_t *to, size_t n);
bool end_wants_shut(const struct end *e); /* FIN now; the transport then sets shut */
bool end_wants_abort(const struct end *e);
/* How many bytes the application reads now, of those that are there. */
uint64_t end_takes(struct end *e, uint64_t now, uint64_t there);
void end_push(struct end *e, uint64_t now, const uint8_t *bytes, size_t n); /* it has read them */
/* The transport tells. */
void end_opened(struct end *e);
void end_finished(struct end *e); /* the other side's FIN, all its bytes read */
void end_reset(struct end *e);
void end_closed(struct end *e);
uint64_t end_next(const struct end *e, uint64_t now); /* ns when to ask again; UINT64_MAX: never */
static inline bool end_over(const struct end *e)
{
    return e->state >= END_CLOSED;
}

#endif
