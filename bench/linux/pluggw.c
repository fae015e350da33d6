/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plug gateway in the manner of the TIS firewall toolkit: it listens, forks a process for each
 * connection, connects to the server and copies bytes both ways through a filter that changes
 * nothing, select, read, write. The baseline of the paper's Table 2.
 *
 *     pluggw PORT SERVER PORT
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536, BACKLOG = 1024 };

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static size_t filter(char *bytes, size_t n)
{
    (void)bytes;
    return n;
}

/* From one socket to the other; false: it has ended, which the other side is told. */
static bool copy(int from, int to)
{
    static char bytes[ROOM];
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n <= 0) {
        shutdown(to, SHUT_WR);
        return false;
    }
    size_t left = filter(bytes, (size_t)n), done = 0;
    while (done < left) {
        ssize_t w = write(to, bytes + done, left - done);
        if (w < 0)
            exit(1);
        done += (size_t)w;
    }
    return true;
}

static _Noreturn void serve(int client, const struct sockaddr_in *to)
{
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || connect(server, (const struct sockaddr *)to, sizeof *to) < 0)
        exit(1);
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bool up = true, down = true;
    while (up || down) {
        fd_set ready;
        FD_ZERO(&ready);
        if (up)
            FD_SET(client, &ready);
        if (down)
            FD_SET(server, &ready);
        if (select((client > server ? client : server) + 1, &ready, NULL, NULL, NULL) < 0)
            exit(1);
        if (up && FD_ISSET(client, &ready))
            up = copy(client, server);
        if (down && FD_ISSET(server, &ready))
            down = copy(server, client);
    }
    exit(0);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: pluggw PORT SERVER PORT\n"), 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
        return fprintf(stderr, "pluggw: %s is no address\n", argv[2]), 1;
    (void)setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listening < 0 || bind(listening, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listening, BACKLOG) < 0)
        fail("pluggw: listen");
    for (;;) {
        int client = accept(listening, NULL, NULL);
        if (client < 0)
            continue;
        pid_t pid = fork();
        if (pid == 0) {
            close(listening);
            serve(client, &to);
        }
        if (pid < 0)
            perror("pluggw: fork");
        close(client);
    }
}
