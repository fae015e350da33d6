/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console on standard input and output. Input is read when a wait saw some, or, while the
 * kernel is too busy to wait, looked for every 10 ms. Its end is no reason to stop. Output never
 * waits for its reader (spec R-BAD-74): what a pipe or a terminal does not take is kept, up to a
 * megabyte, and lost beyond. A command waits until all is taken, and no longer once nothing was for
 * a second: so a slow reader gets all, and one who never reads cannot stop the commands behind.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/hosted/ground.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum { LOOK_NS = 10 * MS, BACKLOG = 1 << 20, LAST_MS = 1000, PATIENCE_NS = 1000 * MS };

static int out = -1; /* not to be waited for */
static char *backlog;
static size_t backlog_from, backlog_to;
static uint64_t taken, seen; /* bytes of the backlog: now, and at the last look */
static uint64_t patience;    /* ns: until when a command waits for more to be taken */

static void drain_at_exit(void);

/* A description of our own, for what is set on the one that we were given others would feel. A file
 * never makes us wait; of a socket there is no second description. */
static void out_open(void)
{
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        out = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    backlog = out < 0 ? NULL : malloc(BACKLOG);
    if (!backlog)
        out = STDOUT_FILENO;
    else
        atexit(drain_at_exit);
}

/* How many bytes are done with. */
static size_t out_write(const char *s, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t written = write(out, s + done, n - done);
        if (written < 0 && errno == EAGAIN)
            return done;
        if (written < 0)
            return n; /* nobody reads any more: the kernel goes on */
        done += (size_t)written;
    }
    return done;
}

bool ground_console_waits(void)
{
    if (backlog_from < backlog_to) {
        size_t n = out_write(backlog + backlog_from, backlog_to - backlog_from);
        backlog_from += n;
        taken += n;
    }
    if (backlog_from == backlog_to)
        backlog_from = backlog_to = 0;
    return backlog_to != 0;
}

int ground_console_file(void)
{
    return out;
}

static void stdout_put(const char *s, size_t n)
{
    if (out < 0)
        out_open();
    size_t done = ground_console_waits() ? 0 : out_write(s, n);
    if (done == n || !backlog)
        return;
    if (backlog_from && n - done > BACKLOG - backlog_to) {
        memmove(backlog, backlog + backlog_from, backlog_to - backlog_from);
        backlog_to -= backlog_from;
        backlog_from = 0;
    }
    if (n - done > BACKLOG - backlog_to)
        return;
    memcpy(backlog + backlog_to, s + done, n - done);
    backlog_to += n - done;
}

/* Nothing else is left to do: a reader who is slow gets all of it, one who never comes does not. */
static void drain_at_exit(void)
{
    struct pollfd file = {.fd = out, .events = POLLOUT};
    while (ground_console_waits() && poll(&file, 1, LAST_MS) > 0)
        continue;
}

static void (*console_put)(const char *s, size_t n) = stdout_put;

void ground_console(void (*put)(const char *s, size_t n))
{
    console_put = put ? put : stdout_put;
}

void plat_puts(const char *s, size_t n)
{
    console_put(s, n);
}

bool plat_puts_ready(struct kernel *k)
{
    bool waits = ground_console_waits();
    if (!waits || taken != seen)
        patience = k->now + PATIENCE_NS;
    seen = taken;
    return !waits || k->now >= patience;
}

uint64_t ground_console_patience(void)
{
    return patience;
}

static bool input_waits(struct ground *g)
{
    if (!g->readable && g->k->now >= g->looked + LOOK_NS) {
        struct pollfd file = {.fd = STDIN_FILENO, .events = POLLIN};
        g->looked = g->k->now;
        g->readable = !g->eof && poll(&file, 1, 0) > 0;
        ground_check(g);
    }
    return g->readable && !g->eof;
}

int plat_getc(struct kernel *k)
{
    struct ground *g = k->plat;
    if (!g->console)
        return -1;
    (void)ground_console_waits();
    if (g->at == g->ntyped) {
        if (!input_waits(g))
            return -1;
        g->readable = false;
        ssize_t n = read(STDIN_FILENO, g->typed, sizeof g->typed);
        g->eof = n <= 0;
        if (n <= 0)
            return -1;
        g->ntyped = (uint32_t)n;
        g->at = 0;
    }
    return (unsigned char)g->typed[g->at++];
}
