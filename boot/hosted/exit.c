/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the program ends: by itself, by a signal, by a time that was set. A signal is noted in a file
 * that every wait watches, so none is missed between the last look and the sleep.
 */
#define _GNU_SOURCE /* pipe2 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "boot/hosted/ground.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

static volatile sig_atomic_t signals_seen;
static int signal_pipe[2] = {-1, -1};

static void signal_came(int number)
{
    if (signals_seen)
        _exit(128 + number);
    signals_seen = 1;
    if (write(signal_pipe[1], "", 1) < 0)
        _exit(128 + number);
}

void ground_signals(void)
{
    struct sigaction stop = {.sa_handler = signal_came}, ignore = {.sa_handler = SIG_IGN};
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return; /* no file left: a signal ends the program at once, as is the custom */
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

int ground_signal_file(void)
{
    return signal_pipe[0];
}

void ground_check(struct ground *g)
{
    if (signals_seen || plat_now(g->k) >= g->end)
        g->k->stopping = true;
}

_Noreturn void plat_exit(int status)
{
    exit(status);
}
