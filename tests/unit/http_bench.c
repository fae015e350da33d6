/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP proxy on the bench, see http_bench.h. */
#include "tests/unit/http_bench.h"

#define ROUTES                                                      \
    "proxy.listen=10.0.1.1:80 proxy.routes=a.example/=10.0.2.1:80," \
    "a.example/img=10.0.2.2:81,b.example/=10.0.2.3:82,*/=10.0.2.4:83,*/x/y=10.0.2.5:84 "

const struct rule *const *http_rules;

int http_run(const char *name, const struct CMUnitTest *tests, size_t n)
{
    static const struct rule *const one_path[] = {&join_rule, &split_rule, NULL};
    char joined[64];
    snprintf(joined, sizeof joined, "%s_1path", name);
    int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    http_rules = one_path;
    return failed + _cmocka_run_group_tests(joined, tests, n, NULL, NULL);
}

struct bench *http_make(const char *more)
{
    static char words[1024];
    snprintf(words, sizeof words, ROUTES "%s", more);
    return bench_make(&http_module, words, http_rules);
}

void is_server(const struct bench *b, int i, uint8_t last, uint16_t port)
{
    assert_int_equal(b->nservers, i + 1);
    assert_int_equal(netaddr_to_ip4(&b->server[i].to.addr), 0x0a000200U + last);
    assert_int_equal(b->server[i].to.port, port);
}

void over(struct bench *b, struct bench_side *c)
{
    bench_fin(c);
    for (int i = 0; i < b->nservers; i++)
        bench_fin(&b->server[i]);
    bench_wait(b, 10 * SECOND);
    assert_true(c->closed);
    bench_end(b);
}
