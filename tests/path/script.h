/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PATH_SCRIPT_H
#define TESTS_PATH_SCRIPT_H
/*
 * One run of one test: a kernel on virtual time, hosts at the far ends of its wires, and the script
 * that speaks for them. The first thing that goes wrong ends the test: stage_fail keeps the reason.
 */
#include "boot/hosted/ground.h"
#include "drivers/hosted/sim.h"
#include "kernel/kernel.h"
#include "tests/path/packet.h"

enum { HOSTS = 6, FRAMES = 4096, CONNS = 64, PORTS = 16, CARDS = 2, WHY = 1024 };

struct heard { /* a frame that a host got */
    uint64_t ns;
    uint8_t *bytes;
    size_t n;
};

struct host {
    char name[16];
    int card;
    uint64_t mac;
    uint32_t addr, via; /* its own, and ours on its link */
    bool arp;           /* answers ARP by itself, and sees none */
    struct heard heard[FRAMES];
    int nheard, next;
    uint8_t sent[PACKET_MAX], got[PACKET_MAX]; /* last IP packets, from the IP header on */
    size_t nsent, ngot;
};

struct conn { /* to make sequence numbers relative */
    int host;
    uint16_t hport, kport;
    uint32_t hisn, kisn;
    bool known;            /* kisn is */
    uint32_t ts;           /* last time stamp that came */
    uint32_t knext, hnext; /* relative: behind the last that came, and what it acknowledged */
};

struct stage {
    struct simworld *world;
    struct kernel *k;
    struct ground ground;
    struct simlink *link[CARDS];
    struct pcapfile trace;
    struct host host[HOSTS];
    int nhosts;
    struct conn conn[CONNS];
    int nconns;
    struct {
        char name[16];
        uint16_t port;
    } port[PORTS];
    int nports;
    bool speaks; /* the graph has an ip node: what is wrong may be its own */
    bool down;   /* the kernel has ended */
    bool over;   /* the script has ended: nobody listens any more */
    struct {
        uint32_t paths, flows, small, full;
    } start;
    uint64_t drops[DROP_COUNT]; /* expected so far */
    bool allowed[DROP_COUNT];
    uint64_t last;    /* ns: when the last line happened */
    char text[65536]; /* what the last command said */
    char why[WHY];
};

/* Hosts and boot (stage.c). Each returns false when the test has failed. */
bool stage_boot(struct stage *s, const struct graph *g, const char *cmdline, const char *trace);
void stage_host(struct stage *s, const struct host *h); /* before stage_boot */
bool stage_shutdown(struct stage *s, const char *line); /* `quit`, and what it sends */
bool stage_end(struct stage *s); /* balance of drops, frames, pools; frees everything */
bool stage_run(struct stage *s, uint64_t until_ns);
bool stage_quiet(struct stage *s); /* fails when a host has got a frame that nobody expected */
bool stage_fail(struct stage *s, const char *format, ...) PRINTF(2); /* always false */
struct host *host_named(struct stage *s, const char *name);          /* NULL: none */
struct heard *host_next(struct host *h);                             /* NULL: nothing new */
void host_transmit(struct stage *s, struct host *h, const uint8_t *frame, size_t n);
const char *stage_command(struct stage *s, const char *line);

/* Packets of a script (talk.c). */
bool talk_send(struct stage *s, struct host *h, struct packet *p);
bool talk_expect(struct stage *s, struct host *h, struct packet *want, uint64_t from,
                 uint64_t until);

/* A whole file (file.c), with these settings for all of its tests: returns how many tests failed,
 * or -1 when it cannot be read. */
int file_run(const char *name, const char *only, bool keep, const char *words);

#endif
