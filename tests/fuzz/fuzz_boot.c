/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole boot with a command line of any bytes: addresses, routes, filters, users, hosts, ports as
 * the modules read them. It boots or says why not in a line, and everything is given back.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/hosted/ground.h"
#include "kernel/kernel.h"
#include "tests/fuzz/fuzz.h"
#include "tests/graphs.h"

extern const struct graph graph_http, graph_login, graph_filter, graph_router;

enum { MEMORY = 1 << 20 };

static uint32_t lines;

static void put(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
}

static status_t start(struct netdev *d)
{
    (void)d;
    return OK;
}

static void stop(struct netdev *d)
{
    (void)d;
}

static int take(struct netdev *d, struct msg **burst, int n)
{
    (void)d;
    for (int i = 0; i < n; i++)
        msg_free(burst[i]);
    return n;
}

static int none(struct netdev *d, struct msg **burst, int n)
{
    (void)d;
    (void)burst;
    (void)n;
    return 0;
}

static const struct netdev_ops ops = {
    .model = "fuzz", .start = start, .stop = stop, .rx = none, .tx = take};

static void input(const uint8_t *data, size_t n)
{
    static const struct graph *const graphs[] = {&graph_http, &graph_login, &graph_filter,
                                                 &graph_router};
    struct bytes in = {data, n};
    const struct graph *g = graphs[bytes_one(&in) % ARRAY_LEN(graphs)];
    struct kernel *k = calloc(1, sizeof *k);
    char *line = malloc(in.n + 1);
    struct netdev cards[2];
    struct ground ground;
    uint64_t now = SECOND;
    if (!k || !line)
        abort();
    memcpy(line, in.at, in.n);
    line[in.n] = 0;
    ground_console(put);
    ground_init(&ground, k, &now);
    ground_seed(&ground, 1);
    HOLDS(kernel_init(k, MEMORY) == OK, "memory");
    for (int i = 0; i < 2; i++) {
        cards[i] = (struct netdev){.ops = &ops, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500};
        HOLDS(netdev_add(k, &cards[i]) == OK, "a card");
    }
    lines = 0;
    status_t status = kernel_boot(k, g, line);
    HOLDS(lines >= 2, "it says that it is ready, or why not");
    if (status == OK)
        kernel_poll(k);
    kernel_end(k); /* asserts that all is given back */
    ground_pages_free();
    free(line);
    free(k);
}

const struct target target = {0, NULL, input, NULL};
