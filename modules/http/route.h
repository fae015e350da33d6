/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_HTTP_ROUTE_H
#define MODULES_HTTP_ROUTE_H
/*
 * Which server answers for a host and a path: a setting, read once into a table of the node. The
 * host named exactly comes before `*`; among its routes the longest prefix.
 */
#include "kernel/node.h"
#include "modules/http/message.h"

enum { ROUTES = 64, ROUTE_TEXT = 128 };

struct route_entry {
    char host[ROUTE_TEXT]; /* lower case, or * */
    char prefix[ROUTE_TEXT];
    struct endpoint to;
};

struct routes {
    struct route_entry entry[ROUTES];
    int n;
};

/* HOST/PREFIX=ADDR:PORT,... Says what is wrong. */
MUST_CHECK status_t routes_read(struct node *n, const char *text, struct routes *out);
/* NULL: nobody answers for it. */
const struct route_entry *routes_find(const struct routes *r, const char *host, const char *path,
                                      size_t npath);

#endif
