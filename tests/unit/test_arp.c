/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/arp: questions, answers, time-outs, and what strangers say. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/net.h"

static const uint8_t stranger[6] = {2, 0x66, 0, 0, 0, 1};

static void ping_through(struct net *w, uint32_t to)
{
    uint8_t icmp[16];
    struct dgram d = {.dst = to, .proto = P_ICMP, .data = icmp};
    d.n = net_icmp(icmp, 8, 0, 1, "ping", 4);
    net_clear(w);
    net_send(w, 0, &d);
}

static bool knows(struct net *w, uint32_t addr, const char *state)
{
    char line[64];
    snprintf(line, sizeof line, "  %u.%u.%u.%u eth", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
             addr & 255);
    const char *at = strstr(fixture_command(w->f, "show nodes"), line);
    const char *end = at ? strchr(at, '\n') : NULL, *found = at ? strstr(at, state) : NULL;
    return found && found < end;
}

static void answers(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t mac[6], ours[6];
    (void)state;
    net_mac(0, CLIENT, mac);
    net_card_mac(w, 0, ours);
    net_arp(w, 0, 1, mac, CLIENT, BOX);
    const struct frame *f = net_only(w);
    assert_int_equal(f->card, 0);
    assert_int_equal(f->n, 42);
    assert_memory_equal(f->b, mac, 6);
    assert_memory_equal(f->b + 6, ours, 6);
    assert_int_equal(get16(f->b + 20), 2);
    assert_memory_equal(f->b + 22, ours, 6);
    assert_int_equal(get32(f->b + 28), BOX);
    assert_memory_equal(f->b + 32, mac, 6);
    assert_int_equal(get32(f->b + 38), CLIENT);
    assert_true(knows(w, CLIENT, "reachable"));
    net_clear(w);
    net_arp(w, 0, 1, mac, CLIENT, IP(10, 0, 1, 9)); /* somebody else */
    net_arp(w, 0, 1, mac, 0, BOX);                  /* a probe (RFC 5227 2.1.1) */
    assert_int_equal(net_only(w)->n, 42);
    assert_false(knows(w, 0, "reachable"));
    net_end(w);
}

static void announced(void **state)
{
    struct fixture *f = fixture_make(fixture_graph("router"), 2, "");
    (void)state;
    fixture_run(f, MS);
    for (int i = 0; i < 2; i++) {
        const struct fixture_frame *s = fixture_sent(f, i);
        assert_non_null(s);
        uint32_t ours = s->card ? BOX2 : BOX;
        assert_int_equal(get16(s->bytes + 20), 1);
        assert_int_equal(get32(s->bytes + 28), ours);
        assert_int_equal(get32(s->bytes + 38), ours);
        assert_int_equal(s->bytes[0], 0xff);
    }
    assert_null(fixture_sent(f, 2));
    fixture_take(f, 2);
    fixture_end(f);
}

static void malformed(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t good[42], frame[42], mac[6];
    (void)state;
    net_mac(0, CLIENT, mac);
    memset(good, 0xff, 6);
    memcpy(good + 6, mac, 6);
    put16(good + 12, 0x0806);
    put32(good + 14, 0x00010800);
    put32(good + 18, 0x06040001);
    memcpy(good + 22, mac, 6);
    put32(good + 28, CLIENT);
    memset(good + 32, 0, 6);
    put32(good + 38, BOX);
    uint64_t wrong = 0;
    for (size_t n = 14; n < 42; n++, wrong++)
        net_raw(w, 0, good, n);
    static const struct {
        size_t at;
        uint8_t value;
    } lies[] = {{14, 1}, {15, 2}, {16, 9}, {17, 1}, {18, 5},    {18, 7},   {19, 0},   {19, 16},
                {20, 1}, {21, 0}, {21, 3}, {22, 3}, {22, 0xff}, {28, 224}, {28, 255}, {28, 127}};
    for (size_t i = 0; i < ARRAY_LEN(lies); i++, wrong++) {
        memcpy(frame, good, sizeof frame);
        frame[lies[i].at] = lies[i].value;
        net_raw(w, 0, frame, sizeof frame);
    }
    memcpy(frame, good, sizeof frame);
    memset(frame + 22, 0, 6);
    net_raw(w, 0, frame, sizeof frame);
    assert_int_equal(net_drops(w, DROP_ARP_MALFORMED), wrong + 1);
    net_none(w);
    net_raw(w, 0, good, sizeof good);
    net_only(w);
    net_end(w);
}

/* The entry is not changed; the old station is asked, and stays while it answers. */
static void poisoning(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t mac[6];
    (void)state;
    net_mac(1, SERVER, mac);
    ping_through(w, SERVER);
    assert_memory_equal(net_only(w)->b, mac, 6);
    int before = w->arps;
    for (int op = 1; op <= 2; op++)
        net_arp(w, 1, (uint16_t)op, stranger, SERVER, op == 1 ? SERVER : BOX2);
    assert_int_equal(w->arps, before + 2); /* each: the old one was asked, and answered */
    assert_non_null(strstr(fixture_log, "claims the address of another station"));
    ping_through(w, SERVER);
    assert_memory_equal(net_only(w)->b, mac, 6);
    w->mute = SERVER; /* now it is gone, and the new one is believed after three questions */
    net_arp(w, 1, 2, stranger, SERVER, BOX2);
    net_run(w, 4 * SECOND);
    net_arp(w, 1, 2, stranger, SERVER, BOX2);
    ping_through(w, SERVER);
    assert_memory_equal(net_only(w)->b, stranger, 6);
    net_end(w);
}

static void conflict(void **state)
{
    struct net *w = net_make("router", 2, "");
    (void)state;
    for (int i = 0; i < 100; i++)
        net_arp(w, 0, 1, stranger, BOX, BOX);
    net_none(w);
    const char *line = strstr(fixture_log, "02:66:00:00:00:01 uses our address 10.0.1.1");
    assert_non_null(line);
    assert_null(strstr(strchr(line, '\n'), "uses our address")); /* within a second: once */
    net_end(w);
}

static void flood(void **state)
{
    struct net *w =
        net_make("router", 2, "arp.entries=32 ip.addr=eth0=10.0.1.1/8,eth1=11.0.2.1/24");
    uint32_t server = IP(11, 0, 2, 2);
    uint8_t mac[6];
    (void)state;
    ping_through(w, server);
    ping_through(w, server); /* now there is a router's path: this neighbour is in use */
    net_only(w);
    net_clear(w);
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t from = IP(10, 1, 0, 0) + i;
        uint8_t frame[42], all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
        net_mac(0, from, mac);
        mac[2] = (uint8_t)(i >> 16);
        memcpy(frame, all, 6);
        memcpy(frame + 6, mac, 6);
        put16(frame + 12, 0x0806);
        put32(frame + 14, 0x00010800);
        put32(frame + 18, 0x06040001);
        memcpy(frame + 22, mac, 6);
        put32(frame + 28, from);
        memset(frame + 32, 0, 6);
        put32(frame + 38, BOX);
        fixture_frame(w->f, 0, frame, sizeof frame);
        if (i % 256 == 255) {
            net_run(w, MS / 2);
            net_clear(w);
        }
    }
    net_run(w, MS);
    assert_true(fixture_value(w->f, "show nodes", "entries") <= 32);
    assert_true(knows(w, server, "reachable"));
    int before = w->arps;
    ping_through(w, server);
    net_only(w);
    assert_int_equal(w->arps, before); /* it did not have to be asked again */
    net_end(w);
}

static void waiting(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t icmp[16];
    struct dgram d = {.dst = IP(10, 0, 2, 77), .proto = P_ICMP, .data = icmp};
    (void)state;
    w->mute = IP(10, 0, 2, 77);
    for (uint16_t i = 0; i < 6; i++) { /* four wait, the latest ones */
        d.id = i;
        d.n = net_icmp(icmp, 8, 0, i, "ping", 4);
        net_send(w, 0, &d);
    }
    assert_int_equal(net_drops(w, DROP_ARP_UNRESOLVED), 2);
    net_none(w);
    uint8_t mac[6];
    net_mac(1, w->mute, mac);
    net_arp(w, 1, 2, mac, w->mute, BOX2);
    assert_int_equal(w->nframes, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(get16(w->frame[i].b + 18), i + 2);
    net_end(w);
}

/* Three questions, a second apart; then the sender is told (RFC 1812 5.2.7.1). */
static void silence(void **state)
{
    struct net *w = net_make("router", 2, "");
    (void)state;
    w->mute = IP(10, 0, 2, 77);
    ping_through(w, w->mute);
    int asked = w->arps;
    net_run(w, 10 * SECOND);
    assert_int_equal(w->arps - asked, 3); /* two more, and one for the client */
    const struct frame *f = net_only(w);
    assert_int_equal(f->b[34], 3);
    assert_int_equal(f->b[35], 1);
    assert_int_equal(net_drops(w, DROP_ARP_UNRESOLVED), 1);
    net_end(w);
}

/* In use: asked again before it expires, to the station itself. Not in use: forgotten. */
static void expiry(void **state)
{
    struct net *w = net_make("router", 2, "ip.keep=1000s");
    (void)state;
    ping_through(w, SERVER);
    ping_through(w, SERVER); /* by a router's path */
    int before = w->arps;
    net_run(w, 61 * SECOND);
    assert_int_equal(w->arps, before + 1);
    assert_true(knows(w, SERVER, "reachable refs 1"));
    uint8_t mac[6];
    net_mac(0, CLIENT, mac);
    net_arp(w, 0, 1, mac, CLIENT, BOX);
    assert_true(knows(w, CLIENT, "reachable refs 0"));
    net_run(w, 61 * SECOND);
    assert_false(knows(w, CLIENT, "re"));
    net_run(w, 2000 * SECOND);
    net_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("RFC 826: a question for us is answered, others are not", answers),
        PLAIN_TEST("RFC 5227 2.3: our addresses are announced at start", announced),
        PLAIN_TEST("R-BAD-2: cut at each byte, lengths and types that lie, group senders",
                   malformed),
        PLAIN_TEST("R-BAD-3: an unsolicited change is believed only when the old one is silent",
                   poisoning),
        PLAIN_TEST("RFC 5227 2.4: a conflict is logged, once a second", conflict),
        PLAIN_TEST("R-BAD-4: 100,000 senders: the table is bounded, active peers stay", flood),
        PLAIN_TEST("RFC 1122 2.3.2.2: four packets wait, the latest ones", waiting),
        PLAIN_TEST("RFC 1122 2.3.2.1: three questions, then host unreachable", silence),
        PLAIN_TEST("RFC 1122 2.3.2.1: unicast poll of a neighbour in use; others expire", expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
