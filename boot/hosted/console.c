/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console on standard input and output. Input is read when a wait saw some, or, while the
 * kernel is too busy to wait, looked for every 10 ms. Its end is no reason to stop.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <unistd.h>

#include "boot/hosted/ground.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum { LOOK_NS = 10 * MS };

static void stdout_put(const char *s, size_t n)
{
    while (n) {
        ssize_t written = write(STDOUT_FILENO, s, n);
        if (written < 0)
            return; /* nobody reads any more: the kernel goes on */
        s += written;
        n -= (size_t)written;
    }
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
