/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The crowd of tests/million as the two networks of a guest: QEMU's `stream` netdevs carry frames
 * over two Unix sockets without losing any, so no privilege is needed and nothing is dropped but by
 * the guest. Built and started by bench/guest.py.
 *
 *     peers CLIENT-SOCKET SERVER-SOCKET CONNS SERVICE [classical | flat]
 *
 * classical: the server sees the forwarder's address. flat: both ends are on one network, for a
 * bridge; and with `-` for both sockets on one cable, nothing between them. Listens on both
 * sockets, says `ready`, waits for QEMU, then takes commands from standard input:
 *
 *     open FIRST N WIDTH SIZE             the words are those of struct crowd_work
 *     data FIRST N COUNT WIDTH SIZE ACK
 *     close FIRST N WIDTH
 *     flood N WIDTH                       SYNs that nobody acknowledges (tests/million/bogus.h)
 *
 * and answers each with one line of NAME=NUMBER words; stalled=1 when the guest has fallen silent.
 * Between commands it goes on answering. Exit status 1: a line on standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "modules/wire/be.h"
#include "tests/million/bogus.h"
#include "tests/million/crowd.h"

enum { ROOM = 1 << 18, LENGTH = 4, SILENCE_MS = 1000, KICKS = 20 };

struct wire { /* one socket; frames with their length in front */
    int fd;
    enum crowd_side side;
    uint8_t in[ROOM], out[ROOM];
    size_t have, from, to; /* bytes of in; the part of out that is not written yet */
};

static struct wire wires[2];
static struct crowd *crowd;
static struct bogus bogus;
static uint64_t flood_end; /* SYNs that are to be sent in all */
static unsigned flood_width;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "peers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || strlen(path) >= sizeof at.sun_path)
        fail(path);
    strcpy(at.sun_path, path);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1) < 0)
        fail(path);
    return fd;
}

static void wire_init(int end, int fd)
{
    int room = 1 << 20;
    wires[end].side = (enum crowd_side)end;
    wires[end].fd = fd;
    if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        fail("a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

/* Waits for QEMU at both sockets; or joins the ends by a cable. */
static void connect_wires(char *const path[2])
{
    int fd[2], listening[2];
    bool cable = strcmp(path[0], "-") == 0;
    if (cable && socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
        fail("socketpair");
    for (int i = 0; !cable && i < 2; i++)
        listening[i] = listen_at(path[i]);
    printf("ready\n");
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        wire_init(i, cable ? fd[i] : accept(listening[i], NULL, NULL));
        if (!cable)
            close(listening[i]);
    }
}

static bool wire_read(struct wire *w)
{
    ssize_t n = read(w->fd, w->in + w->have, ROOM - w->have);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        exit(n == 0 ? 0 : 1); /* the guest has ended */
    if (n < 0)
        return false;
    w->have += (size_t)n;
    size_t at = 0;
    while (w->have - at >= LENGTH && w->have - at - LENGTH >= be32_get(w->in + at)) {
        uint32_t len = be32_get(w->in + at);
        if (w->side != CROWD_CLIENT || !bogus_frame(&bogus, w->in + at + LENGTH, len))
            crowd_frame(crowd, w->side, w->in + at + LENGTH, len);
        at += LENGTH + len;
    }
    memmove(w->in, w->in + at, w->have - at);
    w->have -= at;
    return true;
}

static size_t frame_next(enum crowd_side side, uint8_t *frame)
{
    size_t n = crowd_next(crowd, side, frame);
    if (n || side != CROWD_CLIENT || bogus.sent == flood_end ||
        bogus.sent - bogus.answered >= flood_width)
        return n;
    return bogus_next(&bogus, frame);
}

static void wire_write(struct wire *w)
{
    for (;;) {
        size_t n;
        while (w->to + LENGTH + CROWD_FRAME <= ROOM &&
               (n = frame_next(w->side, w->out + w->to + LENGTH))) {
            be32_put(w->out + w->to, (uint32_t)n);
            w->to += LENGTH + n;
        }
        if (w->from == w->to)
            return;
        ssize_t done = write(w->fd, w->out + w->from, w->to - w->from);
        if (done < 0 && errno != EAGAIN)
            exit(0);
        if (done < 0)
            return;
        w->from += (size_t)done;
        if (w->from == w->to)
            w->from = w->to = 0;
    }
}

/* One wait. False: nothing came for SILENCE_MS. */
static bool turn(bool commands, bool *typed)
{
    struct pollfd p[3];
    for (int i = 0; i < 2; i++) {
        wire_write(&wires[i]);
        p[i] = (struct pollfd){.fd = wires[i].fd, .events = POLLIN};
        if (wires[i].from != wires[i].to)
            p[i].events |= POLLOUT;
    }
    p[2] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    int n = poll(p, commands ? 3 : 2, SILENCE_MS);
    *typed = commands && n > 0 && p[2].revents;
    bool came = false;
    for (int i = 0; i < 2; i++)
        if (n > 0 && p[i].revents & (POLLIN | POLLHUP))
            came |= wire_read(&wires[i]);
    return n > 0 || came;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(const struct crowd_work *w)
{
    const struct crowd_stats *s = crowd_stats(crowd);
    struct crowd_stats was = *s;
    double began = seconds(), last = began, took = 0;
    int kicks = 0;
    bool typed;
    crowd_start(crowd, w);
    while (!crowd_done(crowd) && kicks < KICKS) {
        if (!turn(false, &typed)) {
            crowd_kick(crowd);
            kicks++;
        }
        last = seconds();
    }
    took = last - began;
    printf("finished=%llu sent=%llu arrived=%llu microseconds=%.0f opened=%llu closed=%llu "
           "resent=%llu bad=%llu wrong=%llu resets=%llu stalled=%d\n",
           (unsigned long long)s->finished,
           (unsigned long long)(s->sent[0] + s->sent[1] - was.sent[0] - was.sent[1]),
           (unsigned long long)(s->arrived[0] + s->arrived[1] - was.arrived[0] - was.arrived[1]),
           took * 1e6, (unsigned long long)s->opened, (unsigned long long)s->closed,
           (unsigned long long)(s->resent - was.resent), (unsigned long long)(s->bad - was.bad),
           (unsigned long long)(s->wrong - was.wrong), (unsigned long long)(s->resets - was.resets),
           kicks == KICKS);
    fflush(stdout);
}

/* Each is to be answered; when nothing comes for long, what is missing was lost. */
static void flood(unsigned n, unsigned width)
{
    struct bogus was = bogus;
    double began = seconds();
    bool typed, silent = false;
    if (!crowd_stations(crowd, CROWD_CLIENT, bogus.to, bogus.from))
        fail("flood before the first connection");
    flood_width = width;
    flood_end = bogus.sent + n;
    while (bogus.answered - was.answered < n && !silent)
        silent = !turn(false, &typed);
    printf("finished=%llu sent=%llu microseconds=%.0f bad=0 wrong=%llu resets=0 stalled=%d\n",
           (unsigned long long)(bogus.answered - was.answered),
           (unsigned long long)(bogus.sent - was.sent), (seconds() - began) * 1e6,
           (unsigned long long)(bogus.wrong - was.wrong), silent);
    fflush(stdout);
    flood_end = bogus.sent;
}

static void command(const char *line)
{
    unsigned first, n, width, size = 1, ack;
    unsigned long long count;
    struct crowd_work w = {.size = 1, .ack = true};
    if (sscanf(line, "flood %u %u", &n, &width) == 2) {
        flood(n, width);
        return;
    }
    if (sscanf(line, "open %u %u %u %u", &first, &n, &width, &size) == 4) {
        w.phase = CROWD_OPEN;
    } else if (sscanf(line, "data %u %u %llu %u %u %u", &first, &n, &count, &width, &size, &ack) ==
               6) {
        w.phase = CROWD_DATA;
        w.count = count;
        w.ack = ack != 0;
    } else if (sscanf(line, "close %u %u %u", &first, &n, &width) == 3) {
        w.phase = CROWD_CLOSE;
    } else {
        fprintf(stderr, "peers: command %s\n", line);
        exit(1);
    }
    w.first = first;
    w.n = n;
    w.width = width;
    w.size = (uint16_t)size;
    run(&w);
}

int main(int argc, char **argv)
{
    struct in_addr service;
    bool classical = argc == 6 && strcmp(argv[5], "classical") == 0;
    bool flat = argc == 6 && strcmp(argv[5], "flat") == 0;
    if (argc < 5 || argc > 6 || inet_pton(AF_INET, argv[4], &service) != 1 ||
        (argc == 6 && !classical && !flat)) {
        fprintf(stderr, "usage: see the head of bench/peers.c\n");
        return 1;
    }
    struct crowd_conf conf = {.conns = (uint32_t)strtoul(argv[3], NULL, 10),
                              .gateway = {0x0a000101, 0x0a000201},
                              .service = ntohl(service.s_addr),
                              .server = 0x0a000202,
                              .port = 8080,
                              .classical = classical};
    if (flat) { /* each end is the other's next hop */
        conf.gateway[0] = conf.server;
        conf.gateway[1] = 0x0a000110;
    }
    crowd = crowd_make(&conf);
    bogus = (struct bogus){.service = conf.service, .port = conf.port};
    connect_wires(argv + 1);
    for (;;) {
        char line[128];
        bool typed;
        (void)turn(true, &typed);
        if (typed && !fgets(line, sizeof line, stdin))
            return 0;
        if (typed)
            command(line);
    }
}
