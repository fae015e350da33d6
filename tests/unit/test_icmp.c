/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/icmp and modules/udp: echo, errors, what is ignored. Errors about TCP: test_tcp*.c. */
#include <string.h>

#include "kernel/services.h"
#include "tests/unit/net.h"

static void ping(void **state)
{
    struct net *w = net_make("echo", 1, "");
    (void)state;
    for (size_t n = 0; n <= 1472; n += n < 16 ? 1 : 91) {
        uint8_t data[1472], icmp[1480];
        for (size_t i = 0; i < n; i++)
            data[i] = (uint8_t)(i + n);
        struct dgram d = {.dst = BOX, .proto = P_ICMP, .data = icmp, .tos = 0x10};
        d.n = net_icmp(icmp, 8, 0, (uint32_t)(0xffff0000 + n), data, n);
        net_clear(w);
        net_send(w, 0, &d);
        const struct frame *f = net_only(w);
        assert_int_equal(net_check_ip(f), 20);
        assert_int_equal(get32(f->b + 26), BOX);
        assert_int_equal(get32(f->b + 30), CLIENT);
        assert_int_equal(f->n - 34, d.n);
        assert_int_equal(f->b[34], 0);
        assert_int_equal(net_sum(0, f->b + 34, d.n), 0);
        assert_memory_equal(f->b + 38, icmp + 4, d.n - 4);
    }
    net_end(w);
}

static void silent(struct net *w, const struct dgram *d, enum drop why)
{
    uint64_t before = net_drops(w, why);
    net_clear(w);
    net_send(w, 0, d);
    if (net_drops(w, why) != before + 1)
        fail_msg("not dropped as %s", drop_name(why));
    net_none(w);
}

static void malformed(void **state)
{
    struct net *w = net_make("echo", 1, "");
    uint8_t icmp[64];
    struct dgram d = {.dst = BOX, .proto = P_ICMP, .data = icmp};
    (void)state;
    size_t n = net_icmp(icmp, 8, 0, 1, "0123456789", 10);
    for (d.n = 0; d.n < 8; d.n++)
        silent(w, &d, DROP_ICMP_MALFORMED);
    for (d.n = 8; d.n < n; d.n++)
        silent(w, &d, DROP_ICMP_MALFORMED); /* cut: the checksum tells */
    d.n = n;
    for (size_t bit = 0; bit < 8 * n; bit++) {
        icmp[bit / 8] ^= (uint8_t)(1 << bit % 8);
        silent(w, &d, DROP_ICMP_MALFORMED);
        icmp[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    net_send(w, 0, &d);
    net_only(w);
    net_end(w);
}

static void broadcast(void **state)
{
    static const uint32_t many[] = {~0U, IP(10, 0, 1, 255), IP(10, 0, 1, 0)};
    static const uint8_t opt[] = {7, 7, 4, 0, 0, 0, 0, 0};
    struct net *w = net_make("echo", 1, "");
    uint8_t icmp[64], frame[NET_BYTES];
    struct dgram d = {.proto = P_ICMP, .data = icmp};
    (void)state;
    d.n = net_icmp(icmp, 8, 0, 1, "0123456789", 10);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        d.dst = many[i];
        silent(w, &d, DROP_ICMP_TYPE);
    }
    d.dst = BOX; /* ours, but in a frame to everybody */
    size_t n = net_build(w, 0, &d, frame);
    memset(frame, 0xff, 6);
    net_raw(w, 0, frame, n);
    net_none(w);
    d.opt = opt;
    d.nopt = sizeof opt;
    net_send(w, 0, &d);
    assert_int_equal(net_check_ip(net_only(w)), 20);
    net_end(w);
}

static void ignored(void **state)
{
    static const uint8_t types[] = {0,  1,  2,  4,  5,  6,  7,  9,  10,
                                    13, 14, 15, 16, 17, 18, 30, 40, 255};
    struct net *w = net_make("echo", 1, "");
    uint8_t icmp[64];
    struct dgram d = {.dst = BOX, .proto = P_ICMP, .data = icmp};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        d.n = net_icmp(icmp, types[i], 0, 1, "0123456789", 10);
        silent(w, &d, DROP_ICMP_TYPE);
    }
    net_end(w);
}

/* What the kernel has supposedly sent to the client, as quoted by an error. */
static size_t quote_build(uint8_t *out, uint8_t proto, uint16_t frag)
{
    memset(out, 0, 28);
    out[0] = 0x45;
    put16(out + 2, 1500);
    put16(out + 6, frag);
    out[8] = 64;
    out[9] = proto;
    put32(out + 12, BOX);
    put32(out + 16, CLIENT);
    put16(out + 10, net_sum(0, out, 20));
    put16(out + 20, 80);
    put16(out + 22, 4000);
    return 28;
}

static void quotes(void **state)
{
    static const uint8_t errors[] = {3, 11, 12};
    struct net *w = net_make("echo", 1, "");
    uint8_t icmp[128], quote[64];
    struct dgram d = {.dst = BOX, .proto = P_ICMP, .data = icmp};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        size_t n = quote_build(quote, P_TCP, 0);
        for (size_t cut = 0; cut < n; cut++) { /* before the ports, and before the numbers */
            d.n = net_icmp(icmp, errors[i], 0, 0, quote, cut);
            silent(w, &d, DROP_ICMP_QUOTE);
        }
        d.n = net_icmp(icmp, errors[i], 0, 0, quote, n);
        silent(w, &d, DROP_ICMP_STALE); /* good, and about nothing we know */
        quote_build(quote, P_TCP, 1);
        d.n = net_icmp(icmp, errors[i], 0, 0, quote, n);
        silent(w, &d, DROP_ICMP_QUOTE);
        quote_build(quote, P_ICMP, 0);
        quote[20] = 3;
        d.n = net_icmp(icmp, errors[i], 0, 0, quote, n);
        silent(w, &d, DROP_ICMP_QUOTE);
        quote_build(quote, P_TCP, 0);
        static const uint8_t heads[] = {0x44, 0x4f, 0x65, 0x05};
        for (size_t j = 0; j < ARRAY_LEN(heads); j++) {
            quote[0] = heads[j];
            d.n = net_icmp(icmp, errors[i], 0, 0, quote, n);
            silent(w, &d, DROP_ICMP_QUOTE);
        }
    }
    net_end(w);
}

/* Who can forge an error lowers no path MTU: it must be about a connection there is. */
static void forged_mtu(void **state)
{
    struct net *w = net_make("echo", 1, "");
    uint8_t icmp[128], quote[64];
    struct dgram d = {.dst = BOX, .proto = P_ICMP, .data = icmp};
    (void)state;
    for (uint32_t mtu = 0; mtu < 1600; mtu += 67) {
        size_t n = quote_build(quote, P_UDP, 0);
        d.n = net_icmp(icmp, 3, 4, mtu, quote, n);
        silent(w, &d, DROP_ICMP_STALE);
    }
    struct node *ip = node_find(w->f->k, "ip");
    const struct network_ops *ops = ip->module->ops;
    struct netaddr client = netaddr_ip4(CLIENT);
    assert_int_equal(ops->path_mtu(ip, &client), 0);
    net_end(w);
}

static void learning(void **state)
{
    struct net *w = net_make("echo", 1, "");
    struct node *ip = node_find(w->f->k, "ip");
    const struct network_ops *ops = ip->module->ops;
    struct netaddr client = netaddr_ip4(CLIENT), other = netaddr_ip4(IP(10, 0, 1, 3));
    (void)state;
    static const struct {
        uint16_t said, then;
    } steps[] = {{0, 0},       {67, 0},      {1500, 0},  {9000, 0},  {1400, 1400}, {1450, 1400},
                 {1300, 1300}, {1400, 1300}, {67, 1300}, {100, 576}, {68, 576}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        ops->learn_mtu(ip, &client, steps[i].said);
        assert_int_equal(ops->path_mtu(ip, &client), steps[i].then);
        assert_int_equal(ops->path_mtu(ip, &other), 0);
    }
    net_run(w, 601 * SECOND);
    assert_int_equal(ops->path_mtu(ip, &client), 0);
    net_end(w);
}

static void udp_echo(void **state)
{
    struct net *w = net_make("echo", 1, "");
    (void)state;
    for (size_t n = 0; n <= 1472; n += 92) {
        uint8_t data[1472], udp[1480], back[1480];
        for (size_t i = 0; i < n; i++)
            data[i] = (uint8_t)(i * n);
        struct dgram d = {.dst = BOX, .data = udp};
        d.n = net_udp(udp, CLIENT, BOX, 4000, 7, data, n);
        if (n % 184 == 0)
            put16(udp + 6, 0); /* no checksum */
        net_clear(w);
        net_send(w, 0, &d);
        const struct frame *f = net_only(w);
        net_check_ip(f);
        net_udp(back, BOX, CLIENT, 7, 4000, data, n);
        if (n % 184 == 0)
            put16(back + 6, 0);
        assert_int_equal(f->n - 34, d.n);
        assert_memory_equal(f->b + 34, back, d.n);
    }
    net_end(w);
}

static void udp_malformed(void **state)
{
    struct net *w = net_make("echo", 1, "");
    uint8_t udp[64];
    struct dgram d = {.dst = BOX, .data = udp};
    (void)state;
    size_t n = net_udp(udp, CLIENT, BOX, 4000, 7, "0123456789", 10);
    for (d.n = 0; d.n < n; d.n++)
        silent(w, &d, DROP_UDP_MALFORMED);
    static const uint32_t lies[] = {0, 7, 19, 65535, 9, 17};
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        net_udp(udp, CLIENT, BOX, 4000, 7, "0123456789", 10);
        put16(udp + 4, lies[i]);
        silent(w, &d, DROP_UDP_MALFORMED);
    }
    net_udp(udp, CLIENT, BOX, 4000, 7, "0123456789", 10);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        if (bit / 8 == 4 || bit / 8 == 5) /* the length, above */
            continue;
        udp[bit / 8] ^= (uint8_t)(1 << bit % 8);
        silent(w, &d, DROP_UDP_MALFORMED);
        udp[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    net_end(w);
}

static void udp_ports(void **state)
{
    struct net *w = net_make("echo", 1, "");
    uint8_t udp[64], frame[NET_BYTES];
    struct dgram d = {.dst = BOX, .data = udp};
    (void)state;
    d.n = net_udp(udp, CLIENT, BOX, 4000, 9, "0123456789", 10);
    size_t n = net_build(w, 0, &d, frame);
    net_raw(w, 0, frame, n);
    const struct frame *f = net_only(w);
    assert_int_equal(f->b[34], 3);
    assert_int_equal(f->b[35], 3);
    assert_int_equal(net_sum(0, f->b + 34, f->n - 34), 0);
    assert_memory_equal(f->b + 42, frame + 14, n - 14);
    assert_int_equal(net_drops(w, DROP_UDP_PORT), 1);
    d.n = net_udp(udp, CLIENT, BOX, 7, 7, "loop", 4); /* two echo services */
    silent(w, &d, DROP_UDP_PORT);
    d.dst = IP(10, 0, 1, 255); /* RFC 1122 3.2.2: no error about a broadcast */
    d.n = net_udp(udp, CLIENT, d.dst, 4000, 9, "0123456789", 10);
    silent(w, &d, DROP_UDP_PORT);
    net_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 1122 3.2.2.6: echo, any length", ping),
        PLAIN_TEST("R-BAD-18: cut messages, each bit turned", malformed),
        PLAIN_TEST("R-BAD-19: echo to a broadcast, echo with options", broadcast),
        PLAIN_TEST("R-BAD-24: redirect, source quench, mask, timestamp and others", ignored),
        PLAIN_TEST("R-BAD-23: quotations that are no use", quotes),
        PLAIN_TEST("R-BAD-22: an error about no connection of ours changes nothing", forged_mtu),
        PLAIN_TEST("RFC 1191 6.3: an MTU is only lowered, not below 576, and forgotten", learning),
        PLAIN_TEST("RFC 862: UDP echo, with and without a checksum", udp_echo),
        PLAIN_TEST("RFC 768: lengths and checksums that are wrong", udp_malformed),
        PLAIN_TEST("RFC 1122 4.1.3.1: port unreachable; no echo to an echo", udp_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
