/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/eth and paths/bridge.c: frames as they are on the wire. */
#include <string.h>

#include "tests/unit/net.h"

static void short_frames(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t frame[14] = {0};
    (void)state;
    net_card_mac(w, 0, frame);
    for (size_t n = 1; n < 14; n++) {
        net_raw(w, 0, frame, n);
        assert_int_equal(net_drops(w, DROP_ETH_SHORT), n);
    }
    net_none(w);
    net_end(w);
}

static void whom_for(void **state)
{
    struct net *w = net_make("router", 2, "");
    uint8_t frame[60] = {0};
    (void)state;
    net_card_mac(w, 0, frame);
    put16(frame + 12, 0x86dd);
    net_raw(w, 0, frame, sizeof frame);
    assert_int_equal(net_drops(w, DROP_ETH_PROTO), 1);
    for (int bit = 8; bit < 48; bit++) { /* every other unicast address is not ours */
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
        net_raw(w, 0, frame, sizeof frame);
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(net_drops(w, DROP_ETH_NOTUS), 40);
    assert_int_equal(net_drops(w, DROP_ETH_PROTO), 1);
    memset(frame, 0xff, 6);
    net_raw(w, 0, frame, sizeof frame);
    assert_int_equal(net_drops(w, DROP_ETH_PROTO), 2);
    net_none(w);
    net_end(w);
}

static void long_frames(void **state)
{
    struct net *w = net_make("bridge", 2, "");
    uint8_t frame[1515] = {0};
    (void)state;
    net_raw(w, 0, frame, 1514);
    assert_int_equal(net_only(w)->n, 1514);
    net_raw(w, 0, frame, 1515);
    assert_int_equal(w->nframes, 1);
    assert_int_equal(net_drops(w, DROP_ETH_LONG), 1);
    net_end(w);
}

/* Whatever is in it, it comes out at the other side, unchanged, and at no other. */
static void bridge(void **state)
{
    struct net *w = net_make("bridge", 2, "");
    (void)state;
    for (int card = 0; card < 2; card++) {
        for (size_t n = 14; n <= 1514; n += 75) {
            uint8_t frame[1514];
            for (size_t i = 0; i < n; i++)
                frame[i] = (uint8_t)(i * 7 + n);
            net_clear(w);
            net_raw(w, card, frame, n);
            const struct frame *f = net_only(w);
            assert_int_equal(f->card, !card);
            assert_int_equal(f->n, n);
            assert_memory_equal(f->b, frame, n);
        }
    }
    net_end(w);
}

static void missing_card(void **state)
{
    (void)state;
    assert_int_equal(fixture_refused(fixture_graph("bridge"), 0, ""), E_NODEV);
    assert_non_null(strstr(fixture_log, "eth0: card 0 is missing; found none"));
    assert_int_equal(fixture_refused(fixture_graph("bridge"), 1, ""), E_NODEV);
    assert_non_null(strstr(fixture_log, "eth1: card 1 is missing; found net0"));
    assert_int_equal(fixture_refused(fixture_graph("bridge"), 2, "eth1.unit=0"), E_EXIST);
    assert_non_null(strstr(fixture_log, "card 0 is eth0's already"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-1: frames of 1 to 13 bytes", short_frames),
        PLAIN_TEST("R-BAD-1: unknown EtherType, foreign MAC, broadcast", whom_for),
        PLAIN_TEST("eth: frames longer than the link's MTU", long_frames),
        PLAIN_TEST("bridge: every frame, both ways, unchanged", bridge),
        PLAIN_TEST("eth: no card, one card, a card twice: one clear line", missing_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
