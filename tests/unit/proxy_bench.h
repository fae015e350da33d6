/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_PROXY_BENCH_H
#define TESTS_UNIT_PROXY_BENCH_H
/*
 * Proxies with nothing around them: the graph `proxy -> net`, where net stands for tcp and
 * everything below and is written in the test. It speaks for the hosts: bytes are given to a side
 * and read from it as strings, in pieces of any size, without segments, loss or time.
 */
#include "modules/proxy/proxy.h"
#include "tests/unit/fixture.h"

enum { BENCH_SIDES = 64, BENCH_OUT = 1 << 20, BENCH_ROOM = 65536 };

struct bench;

struct bench_side { /* a connection with a host: clients from 0 on, servers too */
    struct bench *b;
    struct path *p; /* NULL: over */
    int at;
    enum dir up;        /* towards the proxy */
    struct endpoint to; /* of a server: whom the proxy asked for */
    struct msgq in;     /* what the proxy has no room for yet */
    bool answered, open, fin, fin_told, shut, reset, closed, want_room;
    uint32_t room; /* bytes that the host takes; lowered by what it gets unless `endless` */
    bool endless;
    size_t n;       /* bytes in out */
    uint64_t given; /* bytes of the host that the proxy took */
    char *out;      /* what the proxy sent to the host; ends with NUL */
};

struct bench {
    struct fixture *f;
    struct node *proxy, *net;
    struct bench_side client[BENCH_SIDES], server[BENCH_SIDES];
    int nclients, nservers;
    bool refuse;  /* servers do */
    bool silent;  /* servers do not answer the SYN */
    size_t piece; /* bench_put cuts into messages of so many bytes; 0: as they come */
};

/* The module under test as a node `proxy` with these settings; join: both halves become one. */
struct bench *bench_make(const struct module *m, const char *cmdline,
                         const struct rule *const *rules);
status_t bench_refused(const struct module *m, const char *cmdline); /* the boot fails */
void bench_end(struct bench *b);
void bench_run(struct bench *b); /* until nothing moves */
void bench_wait(struct bench *b, uint64_t ns);
/* A client connects; NULL: refused. */
struct bench_side *bench_client(struct bench *b);
void bench_put(struct bench_side *s, const char *text); /* and runs */
void bench_bytes(struct bench_side *s, const void *bytes, size_t n);
void bench_fin(struct bench_side *s);
void bench_rst(struct bench_side *s);
/* What the host got since the last call must be this. */
void bench_got(struct bench_side *s, const char *text);
bool bench_has(const struct bench_side *s, const char *text); /* somewhere in what it got */
void bench_room(struct bench_side *s, uint32_t room);         /* it takes so many more */
extern const struct module bench_net_module;

#endif
