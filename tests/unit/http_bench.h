/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_HTTP_BENCH_H
#define TESTS_UNIT_HTTP_BENCH_H
/* What the tests of the HTTP proxy share: its routes, requests, how it ends. */
#include <string.h>

#include "tests/unit/proxy_bench.h"

extern const struct module http_module;
extern const struct rule join_rule, split_rule;

#define GET(path, host)  "GET " path " HTTP/1.1\r\nHost: " host "\r\n"
#define SENT(path, host) GET(path, host) "Via: 1.1 towpath\r\n\r\n"
#define OK_5             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define POST_4           "POST /form HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n"

/* Runs all tests twice: with two paths per connection, and with one. */
int http_run(const char *name, const struct CMUnitTest *tests, size_t n);
extern const struct rule *const *http_rules; /* of the present run */
struct bench *http_make(const char *more);
/* The i-th connection to a server is the last, and goes to 10.0.2.last. */
void is_server(const struct bench *b, int i, uint8_t last, uint16_t port);
/* The client closes, and nobody is left. */
void over(struct bench *b, struct bench_side *c);

#endif
