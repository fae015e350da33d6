/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/wire: accessors and checksums, against plain arithmetic and RFC 1071's example. */
#include <stdlib.h>
#include <string.h>

#include "modules/wire/cksum.h"
#include "modules/wire/ip4.h"
#include "tests/unit/net.h"

static void accessors(void **state)
{
    uint8_t b[7] = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        be32_put(b + i, 0x12345678);
        assert_int_equal(b[i], 0x12);
        assert_int_equal(b[i + 3], 0x78);
        assert_int_equal(be32_get(b + i), 0x12345678);
        assert_int_equal(be16_get(b + i + 1), 0x3456);
        be16_put(b + i, 0xfedc);
        assert_int_equal(be32_get(b + i), 0xfedc5678);
    }
}

static void rfc1071(void **state)
{
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    (void)state;
    assert_int_equal(cksum_fold(cksum_add(0, example, sizeof example)), 0xddf2);
    assert_int_equal(cksum_fold(cksum_add(0xffff, example, sizeof example)), 0xddf2);
}

static void any_length(void **state)
{
    uint8_t b[300];
    (void)state;
    srand(1);
    for (int round = 0; round < 2000; round++) {
        size_t at = (size_t)rand() % 8, n = (size_t)rand() % 280;
        uint32_t start = (uint32_t)rand() * 2U;
        for (size_t i = 0; i < sizeof b; i++)
            b[i] = round % 3 ? (uint8_t)rand() : round % 2 ? 0xff : 0;
        uint16_t plain = (uint16_t)~net_sum(0, b + at, n);
        uint32_t both = (uint32_t)cksum_fold(start) + plain;
        assert_int_equal(cksum_fold(cksum_add(start, b + at, n)), cksum_fold(both));
    }
}

/* A message in parts of any length sums up like its bytes in a row. */
static void parts(void **state)
{
    struct fixture *f = *state;
    struct pool *pool = &f->k->pool;
    srand(2);
    for (int round = 0; round < 500; round++) {
        uint8_t flat[600];
        size_t n = 0, off;
        struct msg *m = msg_alloc(pool, 64, 0);
        for (int part = 0; part < 4; part++) {
            size_t len = (size_t)rand() % 140;
            struct msg *b = msg_alloc(pool, 0, len);
            uint8_t *at = msg_put(b, len);
            for (size_t i = 0; i < len; i++)
                flat[n + i] = at[i] = (uint8_t)rand();
            n += len;
            msg_append(m, b);
        }
        off = n ? (size_t)rand() % n : 0;
        uint16_t want = (uint16_t)~net_sum(0, flat + off, n - off);
        assert_int_equal(cksum_fold(cksum_msg(0, m, off)), want);
        msg_free(m);
    }
}

static void patches(void **state)
{
    (void)state;
    srand(3);
    for (int round = 0; round < 100000; round++) {
        uint8_t b[20];
        for (size_t i = 0; i < sizeof b; i++)
            b[i] = round % 4 ? (uint8_t)rand() : 0;
        b[0] |= 1; /* an all-zero header does not exist: its two zeros could not be told apart */
        uint16_t before = net_sum(0, b, sizeof b), from = get16(b + 4), to = (uint16_t)rand();
        uint32_t from32 = get32(b + 8), to32 = (uint32_t)rand() * 3U;
        put16(b + 4, to);
        uint16_t patched = cksum_patch(before, from, to);
        assert_int_equal(patched, net_sum(0, b, sizeof b));
        put32(b + 8, to32);
        assert_int_equal(cksum_patch32(patched, from32, to32), net_sum(0, b, sizeof b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("wire: big-endian accessors at any alignment", accessors),
        PLAIN_TEST("RFC 1071 3: the numerical example", rfc1071),
        PLAIN_TEST("RFC 1071 1: any length, alignment and start", any_length),
        FIXTURE_TEST("RFC 1071 2.B: parts that begin at odd offsets", parts),
        PLAIN_TEST("RFC 1624 3: incremental update is the recomputed sum", patches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
