/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time and waiting. The real clock is CLOCK_MONOTONIC since the start; the virtual one stands still
 * while the kernel works and jumps to the next thing due when it waits. Waiting ends with a frame
 * on a card, a typed line, a signal, or the time asked for. Cannot fail.
 */
#define _GNU_SOURCE /* ppoll */
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "boot/hosted/ground.h"
#include "drivers/hosted/hosted.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

static uint64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void ground_init(struct ground *g, struct kernel *k, uint64_t *clock)
{
    *g = (struct ground){.k = k, .clock = clock, .start = monotonic(), .end = UINT64_MAX};
    k->plat = g;
}

uint64_t plat_now(struct kernel *k)
{
    const struct ground *g = k->plat;
    return g->clock ? *g->clock : monotonic() - g->start;
}

uint64_t plat_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return monotonic();
#endif
}

/* Sleep on everything that can bring work. True: something came. */
static bool wait_files(struct ground *g, const struct timespec *timeout)
{
    struct pollfd files[NETDEV_MAX + 3];
    nfds_t n = 0;
    if (g->console && !g->eof && !g->k->listing.step)
        files[n++] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    nfds_t idle = n + 1;
    files[n++] = (struct pollfd){.fd = ground_signal_file(), .events = POLLIN};
    for (int i = 0; i < g->k->ndevs; i++) {
        int fd = g->k->devs[i]->started ? hosted_fd(g->k->devs[i]) : -1;
        if (fd >= 0)
            files[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    if (n == idle && g->eof && !timeout) { /* no card, no console, no timer: nothing can come */
        g->k->stopping = true;
        return false;
    }
    if (ground_console_waits())
        files[n++] = (struct pollfd){.fd = ground_console_file(), .events = POLLOUT};
    int ready = ppoll(files, n, timeout, NULL);
    if (ready > 0 && files[0].fd == STDIN_FILENO && files[0].revents)
        g->readable = true;
    return ready > 0;
}

void plat_wait(struct kernel *k, uint64_t until_ns)
{
    struct ground *g = k->plat;
    for (int i = 0; i < k->ndevs; i++) {
        uint64_t due = k->devs[i]->started ? hosted_next(k->devs[i]) : UINT64_MAX;
        until_ns = due < until_ns ? due : until_ns;
    }
    if (k->listing.step && ground_console_patience() < until_ns)
        until_ns = ground_console_patience();
    until_ns = g->end < until_ns ? g->end : until_ns;
    uint64_t now = plat_now(k), left = until_ns > now ? until_ns - now : 0;
    bool still = g->clock && until_ns != UINT64_MAX;
    struct timespec timeout = {0, 0};
    if (!still) {
        timeout.tv_sec = (time_t)(left / SECOND);
        timeout.tv_nsec = (long)(left % SECOND);
    }
    if (!wait_files(g, until_ns == UINT64_MAX ? NULL : &timeout) && still && left)
        *g->clock = until_ns;
    ground_check(g);
}
