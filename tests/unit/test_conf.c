/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/conf.c, netaddr.c, attrs.c: what is accepted, what is refused and in which words. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/fixture.h"

static const char *const words[] = {"reset", "pass", "drop", NULL};
static const struct setting settings[] = {
    {.name = "flag", .type = SET_BOOL, .value = "off"},
    {.name = "n", .type = SET_INT, .value = "5", .min = 1, .max = 65535},
    {.name = "size", .type = SET_SIZE, .value = "64k"},
    {.name = "time", .type = SET_TIME, .value = "30s", .min = 1000, .max = 3600 * SECOND},
    {.name = "addr", .type = SET_ADDR, .value = "10.0.0.1"},
    {.name = "listen", .type = SET_ENDPOINT, .value = "*:80"},
    {.name = "miss", .type = SET_ENUM, .value = "reset", .words = words},
    {.name = "text", .type = SET_TEXT, .value = ""},
    {.name = NULL},
};

struct box {
    struct pool pool;
    struct conf_value values[8];
    struct conf_known known[CONF_KNOWN];
    struct conf conf;
    char why[CONF_WHY];
};

static int setup(void **state)
{
    static struct box b;
    memset(&b, 0, sizeof b);
    pool_init(&b.pool, NULL, UINT32_MAX);
    b.conf = (struct conf){settings, b.values, 8, b.known};
    for (int i = 0; i < 8; i++)
        assert_int_equal(conf_set(&b.pool, &b.conf, settings[i].name, settings[i].value, b.why),
                         OK);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    for (int i = 0; i < 8; i++) /* each setting holds one text, the old ones are gone */
        pool_free(&b->pool, (void *)(uintptr_t)b->values[i].text);
    assert_int_equal(b->pool.used, 0);
    return 0;
}

static void takes(struct box *b, const char *name, const char *text, uint64_t number)
{
    if (conf_set(&b->pool, &b->conf, name, text, b->why) != OK)
        fail_msg("%s=%s refused: %s", name, text, b->why);
    assert_int_equal(conf_number(&b->conf, name), number);
    assert_string_equal(conf_text(&b->conf, name), text);
}

/* Refused with E_INVAL, the sentence names the setting and has `hint`; the value stays. */
static void refuses(struct box *b, const char *name, const char *text, const char *hint)
{
    char before[64];
    snprintf(before, sizeof before, "%s", conf_text(&b->conf, name));
    if (conf_set(&b->pool, &b->conf, name, text, b->why) != E_INVAL)
        fail_msg("%s='%s' accepted", name, text);
    if (strncmp(b->why, name, strlen(name)) != 0 || !strstr(b->why, hint))
        fail_msg("%s='%s': says '%s', not '%s'", name, text, b->why, hint);
    assert_string_equal(conf_text(&b->conf, name), before);
}

static void numbers(void **state)
{
    struct box *b = *state;
    takes(b, "flag", "on", 1);
    takes(b, "flag", "off", 0);
    takes(b, "n", "1", 1);
    takes(b, "n", "0x1f", 31);
    takes(b, "n", "65535", 65535);
    takes(b, "size", "64k", 65536);
    takes(b, "size", "3m", 3 << 20);
    takes(b, "size", "1g", 1 << 30);
    takes(b, "size", "17", 17);
    takes(b, "time", "10us", 10000);
    takes(b, "time", "5ms", 5000000);
    takes(b, "time", "2m", 120 * SECOND);
    takes(b, "time", "1h", 3600 * SECOND);
    takes(b, "miss", "drop", 2);
    const char *const bad[] = {
        "", "x", "-1", "+5", " 5", "5 ", "5x", "1e3", "99999999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        refuses(b, "n", bad[i], i < 8 ? "is not a number" : "");
        refuses(b, "size", bad[i], "");
        refuses(b, "time", bad[i], "");
        refuses(b, "flag", bad[i], "on or off");
    }
    refuses(b, "n", "0", "expected 1 to 65535");
    refuses(b, "n", "65536", "expected 1 to 65535");
    refuses(b, "time", "5", "unit");
    refuses(b, "time", "0", "expected 1000 to");
    refuses(b, "time", "2h", "expected 1000 to");
    refuses(b, "size", "64K", "size such as");
    refuses(b, "size", "18446744073709551615g", "");
    refuses(b, "time", "18446744073709551615s", "");
    refuses(b, "miss", "Drop", "expected one of reset pass drop");
    refuses(b, "miss", "", "expected one of reset pass drop");
    assert_int_equal(conf_set(&b->pool, &b->conf, "nope", "1", b->why), E_NOENT);
    assert_non_null(strstr(b->why, "no such setting"));
}

static void addresses(void **state)
{
    struct box *b = *state;
    char text[NETADDR_TEXT];
    assert_int_equal(conf_set(&b->pool, &b->conf, "listen", "10.0.1.1:8080", b->why), OK);
    assert_string_equal(endpoint_text(conf_endpoint(&b->conf, "listen"), text), "10.0.1.1:8080");
    assert_int_equal(conf_set(&b->pool, &b->conf, "listen", "none", b->why), OK);
    assert_int_equal(conf_endpoint(&b->conf, "listen")->port, 0);
    assert_int_equal(conf_set(&b->pool, &b->conf, "addr", "255.0.0.255", b->why), OK);
    assert_string_equal(netaddr_text(conf_addr(&b->conf, "addr"), text), "255.0.0.255");
    const char *const bad[] = {"",          "1",          "1.2.3",     "1.2.3.4.5",
                               "1.2.3.256", "1.2.3.4 ",   " 1.2.3.4",  "01.2.3.4",
                               "1.2.3.-4",  "1..3.4",     "a.b.c.d",   "1.2.3.4/8",
                               "::1",       "1.2.3.0004", "999999999", "1.2.3."};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refuses(b, "addr", bad[i], "an address such as");
    const char *const worse[] = {"10.0.0.1", "10.0.0.1:", ":80",          "*",
                                 "*:",       "*:65536",   "10.0.0.1:80x", "10.0.0.1:-1"};
    for (size_t i = 0; i < ARRAY_LEN(worse); i++)
        refuses(b, "listen", worse[i], "address:port such as");
}

static void long_text(void **state)
{
    struct box *b = *state;
    char text[100000];
    memset(text, '9', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(conf_set(&b->pool, &b->conf, "text", text, b->why), OK);
    assert_int_equal(strlen(conf_text(&b->conf, "text")), sizeof text - 1);
    refuses(b, "addr", text, "an address such as");
    refuses(b, "n", text, "");
    refuses(b, "miss", text, "expected one of");
}

static void prefixes(void **state)
{
    (void)state;
    struct prefix p = {.len = 0};
    struct netaddr a;
    assert_int_equal(prefix_parse("10.0.1.0/24", &p), OK);
    assert_int_equal(netaddr_parse("10.0.1.255", &a), OK);
    assert_true(prefix_contains(&p, &a));
    assert_int_equal(netaddr_parse("10.0.2.0", &a), OK);
    assert_false(prefix_contains(&p, &a));
    assert_int_equal(prefix_parse("0.0.0.0/0", &p), OK);
    assert_true(prefix_contains(&p, &a));
    a = (struct netaddr){.family = ADDR_IP6};
    assert_false(prefix_contains(&p, &a));
    assert_int_equal(prefix_parse("10.0.1.1/32", &p), OK);
    for (uint32_t bit = 0; bit < 32; bit++) { /* every length, both sides of its border */
        for (unsigned len = 0; len <= 32; len++) {
            p = (struct prefix){netaddr_ip4(0xaaaaaaaa), (uint8_t)len};
            a = netaddr_ip4(0xaaaaaaaa ^ 1U << (31 - bit));
            assert_int_equal(prefix_contains(&p, &a), bit >= len);
        }
    }
    const char *const bad[] = {"10.0.1.0", "10.0.1.0/", "10.0.1.0/33", "10.0.1.0/-1",
                               "10.0.1.0/8x"};
    struct prefix untouched = p;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(prefix_parse(bad[i], &p), E_INVAL);
    assert_memory_equal(&p, &untouched, sizeof p);
}

static void attributes(void **state)
{
    (void)state;
    struct attrs a = {0};
    struct netaddr addr = netaddr_ip4(0x0a000001), got;
    struct endpoint e = {addr, 80}, egot;
    uint64_t n = 77;
    int here;
    assert_int_equal(attrs_number(&a, ATTR_KIND, &n), E_NOENT);
    assert_int_equal(n, 77); /* untouched */
    assert_int_equal(attrs_number_or(&a, ATTR_KIND, 9), 9);
    assert_null(attrs_node(&a, ATTR_IN_NODE));
    assert_null(attrs_pointer(&a, ATTR_CONN));
    attrs_set_number(&a, ATTR_KIND, 3);
    attrs_set_addr(&a, ATTR_NEXTHOP, &addr);
    attrs_set_endpoint(&a, ATTR_LOCAL, &e);
    attrs_set_pointer(&a, ATTR_CONN, &here);
    attrs_set_number(&a, ATTR_KIND, 4); /* replaces */
    assert_int_equal(a.n, 4);
    assert_int_equal(attrs_number(&a, ATTR_KIND, &n), OK);
    assert_int_equal(n, 4);
    assert_int_equal(attrs_addr(&a, ATTR_NEXTHOP, &got), OK);
    assert_true(netaddr_equal(&got, &addr));
    assert_int_equal(attrs_endpoint(&a, ATTR_LOCAL, &egot), OK);
    assert_int_equal(egot.port, 80);
    assert_ptr_equal(attrs_pointer(&a, ATTR_CONN), &here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"conf: numbers, sizes, times, words; wrong ones are refused in one sentence", numbers,
         setup, teardown, NULL},
        {"conf: addresses and endpoints", addresses, setup, teardown, NULL},
        {"conf: very long values", long_text, setup, teardown, NULL},
        PLAIN_TEST("netaddr: prefixes of every length", prefixes),
        PLAIN_TEST("attrs: set, replace, get, absent", attributes),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
