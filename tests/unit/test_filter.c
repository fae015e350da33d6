/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/filter.c and the filters: count, drop, trace, delay, queue, template. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net.h"

static void send_one(struct net *w, int card, size_t n, uint16_t id)
{
    static uint8_t data[1400];
    uint8_t frame[NET_BYTES];
    struct dgram d = {.src = card ? SERVER : CLIENT,
                      .dst = card ? CLIENT : SERVER,
                      .proto = 99,
                      .data = data,
                      .n = n,
                      .id = id};
    fixture_frame(w->f, card, frame, net_build(w, card, &d, frame));
}

/* Both ways once, so that MACs are known and the router's paths exist. */
static struct net *make(const char *cmdline)
{
    struct net *w = net_make("filters", 2, cmdline);
    for (int i = 0; i < 2; i++) {
        send_one(w, 0, 100, 0);
        net_run(w, 4 * MS);
        send_one(w, 1, 100, 0);
        net_run(w, 4 * MS);
    }
    assert_int_equal(w->nframes, 4);
    net_clear(w);
    return w;
}

static uint64_t line(struct net *w, const char *node, const char *name)
{
    const char *at = strstr(fixture_command(w->f, "show nodes"), node);
    assert_non_null(at);
    at = strstr(at, name);
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

static void shapes(void **state)
{
    struct net *w = make("");
    (void)state;
    const char *paths = fixture_command(w->f, "show paths");
    assert_non_null(strstr(paths, "eth0 seen bad see ip mine thin slow eth1"));
    assert_non_null(strstr(paths, "eth1 slow thin mine ip see bad seen eth0"));
    assert_non_null(strstr(paths, "eth0 seen bad see ip icmp"));
    assert_non_null(strstr(paths, "eth0 arp"));
    net_end(w);
}

static void counting(void **state)
{
    struct net *w = make("");
    (void)state;
    uint64_t in = line(w, "node seen", "  in "), out = line(w, "node seen", "  out ");
    uint64_t bytes = line(w, "node seen", "  in_bytes ");
    for (uint16_t i = 0; i < 10; i++) {
        send_one(w, 0, 180, i);
        send_one(w, 1, 80, i);
        net_run(w, 3 * MS);
    }
    assert_int_equal(w->nframes, 20);
    assert_int_equal(line(w, "node seen", "  in ") - in, 10);
    assert_int_equal(line(w, "node seen", "  out ") - out, 10);
    assert_int_equal(line(w, "node seen", "  in_bytes ") - bytes, 2000);
    net_end(w);
}

static void losing(void **state)
{
    struct net *w = make("");
    (void)state;
    fixture_command(w->f, "set bad.every=3");
    for (uint16_t i = 0; i < 300; i++) {
        send_one(w, 0, 100, i);
        net_run(w, MS);
    }
    net_run(w, 3 * MS);
    assert_int_equal(w->nframes, 200);
    assert_int_equal(net_drops(w, DROP_MODULE), 100);
    fixture_command(w->f, "set bad.every=0");
    fixture_command(w->f, "set bad.permille=200");
    net_clear(w);
    for (uint16_t i = 0; i < 1000; i++) {
        send_one(w, 0, 100, i);
        net_run(w, MS);
    }
    net_run(w, 3 * MS);
    assert_in_range(w->nframes, 740, 860); /* 4.7 standard deviations */
    net_end(w);
}

static void delaying(void **state)
{
    struct net *w = make("");
    (void)state;
    fixture_command(w->f, "set slow.time=50ms");
    for (uint16_t i = 0; i < 20; i++) {
        send_one(w, 0, 100, i);
        net_run(w, MS);
    }
    net_run(w, 28 * MS);
    net_none(w);
    net_run(w, 30 * MS);
    assert_int_equal(w->nframes, 20);
    for (int i = 0; i < 20; i++) /* in order */
        assert_int_equal(get16(w->frame[i].b + 18), i);
    net_clear(w);
    send_one(w, 1, 100, 0); /* the other way, too */
    net_run(w, 48 * MS);
    net_none(w);
    net_run(w, 5 * MS);
    net_only(w);
    net_end(w);
}

static void full(void **state)
{
    struct net *w = make("slow.limit=10");
    (void)state;
    fixture_command(w->f, "set slow.time=50ms");
    for (uint16_t i = 0; i < 30; i++)
        send_one(w, 0, 100, i);
    net_run(w, 100 * MS);
    assert_int_equal(w->nframes, 10);
    assert_int_equal(net_drops(w, DROP_PATH_QUEUE), 20);
    net_end(w);
}

/* What waits when the kernel ends is given back: fixture_end looks. */
static void ending(void **state)
{
    struct net *w = make("keep=10s");
    (void)state;
    fixture_command(w->f, "set slow.time=60s");
    for (uint16_t i = 0; i < 30; i++)
        send_one(w, 0, 100, i);
    net_run(w, 30 * SECOND); /* the path ends, idle */
    assert_int_equal(net_drops(w, DROP_PATH_DEAD), 30);
    net_end(w);
}

static void bottleneck(void **state)
{
    struct net *w = make("thin.limit=100");
    (void)state;
    fixture_command(w->f, "set thin.rate=100k");
    for (uint16_t i = 0; i < 200; i++)
        send_one(w, 0, 1004, i); /* 1024 with the header */
    net_run(w, 500 * MS);
    assert_in_range(w->nframes, 49, 51);
    net_run(w, 600 * MS);
    assert_int_equal(w->nframes, 100);
    assert_int_equal(net_drops(w, DROP_PATH_QUEUE), 100);
    net_end(w);
}

static void tracing(void **state)
{
    struct net *w = make("see.lines=5");
    (void)state;
    fixture_command(w->f, "set see.on=on");
    for (uint16_t i = 0; i < 20; i++)
        send_one(w, 0, 100, i);
    net_run(w, 3 * MS);
    const char *text = fixture_command(w->f, "show log");
    int lines = 0;
    for (const char *at = text; (at = strstr(at, "10.0.1.2 > 10.0.2.2 proto 99")); at++)
        lines++;
    assert_int_equal(lines, 5);
    assert_int_equal(w->nframes, 20);
    net_end(w);
}

static void template(void **state)
{
    struct net *w = make("");
    (void)state;
    uint64_t passed = line(w, "node mine", "  passed ");
    fixture_command(w->f, "set mine.limit=7");
    for (uint16_t i = 0; i < 20; i++)
        send_one(w, 0, 100, i);
    net_run(w, 3 * MS);
    assert_int_equal(w->nframes, 7 - (int)passed);
    net_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("filter: stands in every path of its link", shapes),
        PLAIN_TEST("count: messages and bytes, in and out", counting),
        PLAIN_TEST("drop: every third, a fifth", losing),
        PLAIN_TEST("delay: so long, in order, both ways", delaying),
        PLAIN_TEST("delay: the line is bounded", full),
        PLAIN_TEST("delay: what waits when its path ends is dropped", ending),
        PLAIN_TEST("queue: so many bytes a second, then the tail is dropped", bottleneck),
        PLAIN_TEST("trace: a line a message, and not too many", tracing),
        PLAIN_TEST("template: the first few pass", template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
