/* SPDX-License-Identifier: BSD-2-Clause */
/* The planned application at an end of a connection; see end.h. */
#include "tests/sim/end.h"

#include "drivers/hosted/rng.h"

static uint8_t stream_byte(uint64_t stream, uint64_t at)
{
    uint64_t x = stream * 0x100000001b3ULL + at / 8;
    return (uint8_t)(rng_mix(&x) >> at % 8 * 8);
}

void end_peek(const struct end *e, uint64_t at, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = stream_byte(e->out_stream, at + i);
}

uint64_t end_ready(struct end *e, uint64_t now)
{
    if (e->shut || end_over(e) || e->sent == e->out_bytes || e->out_wait > now)
        return 0;
    uint64_t n = e->out_bytes - e->sent;
    if (e->out_pause_ns && !e->out_paused) {
        if (e->sent >= e->out_pause_at) {
            e->out_paused = true;
            e->out_wait = now + e->out_pause_ns;
            return 0;
        }
        if (n > e->out_pause_at - e->sent)
            n = e->out_pause_at - e->sent;
    }
    return n < e->out_chunk ? n : e->out_chunk;
}

void end_pull(struct end *e, uint8_t *to, size_t n)
{
    end_peek(e, e->sent, to, n);
    e->sent += n;
}

bool end_wants_shut(const struct end *e)
{
    return !e->shut && e->state == END_OPEN && e->sent == e->out_bytes && (e->eof || !e->shut_last);
}

bool end_wants_abort(const struct end *e)
{
    if (e->state != END_OPEN)
        return false;
    return (e->abort_sent >= 0 && e->sent >= (uint64_t)e->abort_sent) ||
           (e->abort_got >= 0 && e->got >= (uint64_t)e->abort_got);
}

uint64_t end_takes(struct end *e, uint64_t now, uint64_t there)
{
    if (!there || e->in_wait > now || end_over(e))
        return 0;
    if (e->in_pause_ns && !e->in_paused && e->got >= e->in_pause_at) {
        e->in_paused = true;
        e->in_wait = now + e->in_pause_ns;
        return 0;
    }
    return there < e->in_chunk ? there : e->in_chunk;
}

void end_push(struct end *e, uint64_t now, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n && !e->wrong; i++)
        if (bytes[i] != stream_byte(e->in_stream, e->got + i))
            e->wrong = "a byte that was not sent";
    if (e->eof)
        e->wrong = "bytes after the end of the stream";
    e->got += n;
    if (e->in_gap_ns)
        e->in_wait = now + e->in_gap_ns;
}

void end_opened(struct end *e)
{
    if (e->state != END_NEW)
        e->wrong = "opened twice";
    e->state = END_OPEN;
}

void end_finished(struct end *e)
{
    if (e->eof)
        e->wrong = "two ends of one stream";
    e->eof = true;
}

void end_reset(struct end *e)
{
    if (!end_over(e))
        e->state = END_RESET;
}

void end_closed(struct end *e)
{
    if (end_over(e))
        return;
    if (!e->eof || !e->shut)
        e->wrong = "closed with a direction that has not ended";
    e->state = END_CLOSED;
}

uint64_t end_next(const struct end *e, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    if (end_over(e))
        return next;
    if (e->out_wait > now)
        next = e->out_wait;
    if (e->in_wait > now && e->in_wait < next)
        next = e->in_wait;
    return next;
}
