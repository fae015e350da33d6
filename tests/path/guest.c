/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU as a child: sockets for its cards, pipes for its console. */
#define _GNU_SOURCE
#include "tests/path/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/path/packet.h"

enum { SEND_MS = 5000, WORDS = 48, WORD_ROOM = 1200 };

/* As in tools/laboratory/guest.py, which says why. */
static const char *const nics[][2] = {{"e1000", "e1000,mitigation=off"},
                                      {"e1000e", "e1000e"},
                                      {"tulip", "tulip"},
                                      {"virtio", "virtio-net-pci,disable-legacy=on"}};

struct words {
    char *at[WORDS];
    int n;
};

PRINTF(2) static void word_add(struct words *w, const char *format, ...)
{
    char text[WORD_ROOM];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (w->n < WORDS - 1)
        w->at[w->n++] = strdup(text);
    w->at[w->n] = NULL;
}

static void words_of(struct words *w, const char *image, const char *model, const char *settings,
                     const int *net, int ncards)
{
    static const char *const always[] = {"qemu-system-x86_64",
                                         "-nodefaults",
                                         "-machine",
                                         "pc",
                                         "-cpu",
                                         "max",
                                         "-m",
                                         "32",
                                         "-display",
                                         "none",
                                         "-no-reboot",
                                         "-chardev",
                                         "stdio,id=console,signal=off",
                                         "-serial",
                                         "chardev:console",
                                         "-device",
                                         "isa-debug-exit,iobase=0xf4,iosize=0x04"};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        word_add(w, "%s", always[i]);
    word_add(w, "-kernel");
    word_add(w, "%s", image);
    word_add(w, "-append");
    word_add(w, "%s", settings);
    for (int i = 0; i < ncards; i++) {
        word_add(w, "-netdev");
        word_add(w, "dgram,id=net%d,local.type=fd,local.str=%d", i, net[i]);
        word_add(w, "-device");
        word_add(w, "%s,netdev=net%d,mac=52:54:00:00:%02x:01,addr=%d,romfile=", model, i, i + 1,
                 3 + i);
    }
}

/* Sockets for the cards, a pipe each way for the console: [0] ours, [1] QEMU's. A socket would be
 * full after some hundred bytes, for QEMU writes them one by one. */
static bool plumb(int net[][2], int ncards, int in[2], int out[2])
{
    for (int i = 0; i < ncards; i++)
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, net[i]) != 0)
            return false;
    return pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0;
}

static void become(struct words *w, int net[][2], int ncards, int in, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    for (int i = 0; i < ncards; i++)
        fcntl(net[i][1], F_SETFD, 0);
    execvp(w->at[0], w->at);
    fprintf(stderr, "%s: %s\n", w->at[0], strerror(errno));
    _exit(127);
}

bool guest_start(struct guest *g, const char *graph, const char *nic, int ncards,
                 const char *settings)
{
    const char *model = NULL;
    char image[256];
    int net[GUEST_CARDS][2], in[2], out[2];
    struct words w = {.n = 0};
    memset(g, 0, sizeof *g);
    for (size_t i = 0; i < ARRAY_LEN(nics); i++)
        model = strcmp(nics[i][0], nic) == 0 ? nics[i][1] : model;
    snprintf(image, sizeof image, "build/x86_64/%s.elf", graph);
    g->ended = true;
    if (!model || access(image, R_OK) != 0) {
        snprintf(g->text, sizeof g->text,
                 model ? "%s is not there; make image GRAPH=all" : "%s: no such card",
                 model ? image : nic);
        return false;
    }
    if (!plumb(net, ncards, in, out))
        return false;
    int theirs[GUEST_CARDS];
    for (int i = 0; i < ncards; i++)
        theirs[i] = net[i][1];
    words_of(&w, image, model, settings, theirs, ncards);
    signal(SIGPIPE, SIG_IGN); /* who has ended says so by its status */
    fflush(stdout);
    g->pid = fork();
    if (g->pid == 0)
        become(&w, net, ncards, in[0], out[1]);
    while (w.n)
        free(w.at[--w.n]);
    close(in[0]);
    close(out[1]);
    for (int i = 0; i < ncards; i++) {
        close(net[i][1]);
        g->net[i] = net[i][0];
    }
    g->in = in[1];
    g->out = out[0];
    fcntl(g->out, F_SETFL, O_NONBLOCK);
    g->ncards = ncards;
    g->ended = g->pid < 0;
    return !g->ended;
}

static void text_read(struct guest *g)
{
    char some[4096];
    ssize_t n = read(g->out, some, sizeof some);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        g->ended = true;
    for (ssize_t i = 0; i < n; i++) {
        if (g->ntext == sizeof g->text - 1) { /* the first half is old */
            memmove(g->text, g->text + g->ntext / 2, g->ntext - g->ntext / 2);
            g->ntext -= g->ntext / 2;
        }
        if (some[i] != '\r')
            g->text[g->ntext++] = some[i];
    }
    g->text[g->ntext] = 0;
}

void guest_poll(struct guest *g, uint64_t ns, guest_frame *frame, void *arg)
{
    static uint8_t bytes[PACKET_MAX];
    struct pollfd fd[GUEST_CARDS + 1];
    struct timespec t = {.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
    for (int i = 0; i < g->ncards; i++)
        fd[i] = (struct pollfd){.fd = g->net[i], .events = POLLIN};
    fd[g->ncards] = (struct pollfd){.fd = g->ended ? -1 : g->out, .events = POLLIN};
    if (ppoll(fd, (nfds_t)g->ncards + 1, &t, NULL) <= 0)
        return;
    for (int i = 0; i < g->ncards; i++) {
        ssize_t n;
        while (fd[i].revents & POLLIN &&
               (n = recv(g->net[i], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
            frame(arg, i, bytes, (size_t)n);
    }
    if (fd[g->ncards].revents)
        text_read(g);
}

/* QEMU takes frames as fast as its card does; it never waits for us. */
bool guest_send(struct guest *g, int card, const uint8_t *frame, size_t n)
{
    while (n && send(g->net[card], frame, n, MSG_DONTWAIT) < 0) {
        struct pollfd fd = {.fd = g->net[card], .events = POLLOUT};
        if ((errno != EAGAIN && errno != ENOBUFS) || poll(&fd, 1, SEND_MS) <= 0)
            return false;
    }
    return true;
}

void guest_type(struct guest *g, const char *line)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s\n", line);
    if (write(g->in, text, (size_t)n) != n)
        g->ended = true;
}

int guest_end(struct guest *g, bool kill_it)
{
    int status = 0;
    if (g->pid <= 0)
        return -1;
    if (kill_it)
        kill(g->pid, SIGKILL);
    waitpid(g->pid, &status, 0);
    for (int i = 0; i < g->ncards; i++)
        close(g->net[i]);
    close(g->in);
    close(g->out);
    g->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
