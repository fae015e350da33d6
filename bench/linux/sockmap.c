/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An in-kernel relay: each connection's two sockets are put into a map of sockets, and from then on
 * a program in the kernel (relay.bpf.c) hands what one receives to the other. What had arrived
 * before that is copied here, and so is the end of a stream. The nearest thing that Linux has to a
 * splice.
 *
 *     sockmap PORT SERVER PORT       reads /lib/relay.bpf.o
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536, BACKLOG = 4096, FILES = 65536, EVENTS = 64 };

static int other[FILES]; /* of each socket; 0: none */
static int pairs, events;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void kernel_load(void)
{
    struct bpf_object *o = bpf_object__open_file("/lib/relay.bpf.o", NULL);
    if (!o || bpf_object__load(o) < 0)
        fail("sockmap: relay.bpf.o");
    struct bpf_program *p = bpf_object__find_program_by_name(o, "relay");
    pairs = bpf_object__find_map_fd_by_name(o, "pairs");
    if (!p || pairs < 0 ||
        bpf_prog_attach(bpf_program__fd(p), pairs, BPF_SK_SKB_STREAM_VERDICT, 0) < 0)
        fail("sockmap: attach");
}

static void watch(int fd)
{
    int one = 1;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(events, EPOLL_CTL_ADD, fd, &e) < 0)
        fail("sockmap: epoll");
}

static void pair(int from, int to)
{
    uint64_t cookie;
    uint32_t value = (uint32_t)to;
    socklen_t n = sizeof cookie;
    if (getsockopt(from, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0 ||
        bpf_map_update_elem(pairs, &cookie, &value, BPF_ANY) < 0)
        fail("sockmap: pair");
    other[from] = to;
}

static void opened(int client, const struct sockaddr_in *to)
{
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || server >= FILES || client >= FILES ||
        connect(server, (const struct sockaddr *)to, sizeof *to) < 0) {
        close(client);
        close(server);
        return;
    }
    pair(client, server);
    pair(server, client);
    watch(client);
    watch(server);
}

static void ended(int fd)
{
    close(fd);
    other[fd] = 0;
}

/* What came before the pair was made, or the end of the stream. */
static void ready(int fd)
{
    static char bytes[ROOM];
    int to = other[fd];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) {
        if (to && send(to, bytes, (size_t)n, 0) != n)
            fail("sockmap: send");
        return;
    }
    if (n < 0 && errno == EAGAIN)
        return;
    if (to)
        shutdown(to, SHUT_WR);
    (void)epoll_ctl(events, EPOLL_CTL_DEL, fd, NULL);
    other[fd] = -to; /* ended, but the other way may still carry bytes */
    if (to <= 0 || other[to] < 0) {
        if (to > 0)
            ended(to);
        ended(fd);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: sockmap PORT SERVER PORT\n"), 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
        return fprintf(stderr, "sockmap: %s is no address\n", argv[2]), 1;
    kernel_load();
    events = epoll_create1(0);
    (void)setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listening < 0 || bind(listening, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listening, BACKLOG) < 0)
        fail("sockmap: listen");
    struct epoll_event e[EVENTS] = {{.events = EPOLLIN, .data.fd = listening}};
    if (events < 0 || epoll_ctl(events, EPOLL_CTL_ADD, listening, &e[0]) < 0)
        fail("sockmap: epoll");
    for (;;) {
        int n = epoll_wait(events, e, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = e[i].data.fd;
            if (fd != listening)
                ready(fd);
            else if ((fd = accept(listening, NULL, NULL)) >= 0)
                opened(fd, &to);
        }
    }
}
