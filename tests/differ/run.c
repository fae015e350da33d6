/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our TCP as one of the two that differ.py compares: datagrams and the user's wishes come in on
 * standard input, what it sends and what its user hears goes out on standard output. Virtual time;
 * after each command more than a delayed acknowledgement goes by, and less than a retransmission
 * time-out in all the commands of a sequence.
 *
 *     N             a new kernel, nothing heard so far; no answer
 *     F length data a datagram arrives
 *     P number H S G X   the user sends bytes, closes, stops reading, reads again, resets
 *
 * Numbers are 32 bits, big end first. An answer is the number of datagrams, each with its length,
 * and eight numbers: state, opened, ended, reset, bytes, bytes that are not of the pattern, and how
 * far the two directions are acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/wire/be.h"
#include "tests/unit/tcp_link.h"

enum { STEP_MS = 60, HEARD = 256, FRAME = 2048, STATE_LISTEN = 20, STATE_TIME_WAIT = 21 };

static struct {
    uint8_t bytes[FRAME];
    uint32_t n;
} heard[HEARD];
static uint32_t nheard;

static void came(void *arg, const uint8_t *frame, size_t n)
{
    (void)arg;
    if (nheard == HEARD || n > FRAME) {
        fprintf(stderr, "it sends without end\n");
        exit(1);
    }
    memcpy(heard[nheard].bytes, frame, n);
    heard[nheard++].n = (uint32_t)n;
}

static void put(uint32_t number)
{
    uint8_t b[4];
    be32_put(b, number);
    fwrite(b, 1, sizeof b, stdout);
}

static uint32_t get(void)
{
    uint8_t b[4];
    if (fread(b, 1, sizeof b, stdin) != sizeof b)
        exit(1);
    return be32_get(b);
}

/* The youngest connection that is open, else the youngest, else NULL. */
static struct tl_conn *conn(struct tl *t)
{
    struct tl_user *u = tl_user(t, 0);
    struct tl_conn *found = NULL;
    for (int i = 0; i < u->n; i++)
        if (u->conn[i].p)
            found = &u->conn[i];
    return found;
}

/* How often a connection answers what is not acceptable is limited, and tested elsewhere
 * (R-BAD-51); Linux is told not to limit it either. */
static void unlimit(struct tl *t)
{
    struct tl_user *u = tl_user(t, 0);
    struct wait_table *w = &tl_tcp(t, 0)->waits;
    for (int i = 0; i < u->n; i++)
        if (u->conn[i].p)
            tl_tcb(&u->conn[i])->challenge_ns = 0;
    for (uint32_t i = 0; i < w->size; i++)
        w->record[i].challenge_ns = 0;
}

/* Once the user has closed, the FIN may still wait for the window (RFC 9293 3.10.4: "in any case").
 */
static uint32_t state(struct tl *t, const struct tl_conn *c)
{
    if (!c)
        return tl_tcp(t, 0)->waits.live ? STATE_TIME_WAIT : STATE_LISTEN;
    uint32_t now = tl_tcb(c)->state;
    if (c->shut && now == TCP_ESTABLISHED)
        return TCP_FIN_WAIT_1;
    return c->shut && now == TCP_CLOSE_WAIT ? TCP_LAST_ACK : now;
}

static void answer(struct tl *t)
{
    const struct tl_user *u = tl_user(t, 0);
    const struct tl_conn *c = conn(t);
    uint32_t opened = 0, eof = 0, reset = 0, bad = 0, rx = 0;
    put(nheard);
    for (uint32_t i = 0; i < nheard; i++) {
        put(heard[i].n);
        fwrite(heard[i].bytes, 1, heard[i].n, stdout);
    }
    nheard = 0;
    for (int i = 0; i < u->n; i++) {
        opened += u->conn[i].opened;
        eof += u->conn[i].eof;
        reset += u->conn[i].opened && u->conn[i].reset; /* Linux's user does not know others */
        rx += (uint32_t)u->conn[i].rx;
        bad += (uint32_t)u->conn[i].rx_bad;
    }
    put(state(t, c));
    put(opened);
    put(eof);
    put(reset);
    put(rx);
    put(bad);
    put(c ? tl_tcb(c)->snd_una - tl_tcb(c)->iss - 1 : 0);
    put(c ? tl_tcb(c)->rcv_nxt - tl_tcb(c)->irs - 1 : 0);
    fflush(stdout);
}

static void finish(struct tl *t)
{
    struct tl_user *u = tl_user(t, 0);
    for (int i = 0; i < u->n; i++)
        if (u->conn[i].p)
            tl_reset(&u->conn[i]);
    tl_run(t, MS);
    tl_end(t); /* nothing is left */
}

static struct tl *begin(void)
{
    struct tl *t = tl_make(1, NULL, "tcp.rtomin=1s tcp.waits=16");
    simlink_attach(t->link, 1, came, NULL);
    nheard = 0;
    return t;
}

static void wish(struct tl *t, int what, uint32_t number)
{
    struct tl_conn *c = conn(t);
    if (!c || !c->opened)
        return;
    switch (what) {
    case 'P':
        if (!c->shut)
            tl_push(c, number);
        break;
    case 'H':
        if (!c->shut)
            tl_shut(c);
        break;
    case 'S':
        c->stopped = true;
        break;
    case 'G':
        tl_go(c);
        break;
    default:
        tl_reset(c);
        break;
    }
}

int main(void)
{
    struct tl *t = NULL;
    uint8_t frame[FRAME];
    for (int what; (what = getchar()) != EOF;) {
        if (what == 'N') {
            if (t)
                finish(t);
            t = begin();
            continue;
        }
        if (!t)
            return 1;
        unlimit(t);
        if (what == 'F') {
            uint32_t n = get();
            if (n > sizeof frame || fread(frame, 1, n, stdin) != n)
                return 1;
            simlink_send(t->link, 1, frame, n);
        } else {
            wish(t, what, what == 'P' ? get() : 0);
        }
        tl_run(t, STEP_MS * (uint64_t)MS);
        answer(t);
    }
    if (t)
        finish(t);
    return 0;
}
