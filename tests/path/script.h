/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PATH_SCRIPT_H
#define TESTS_PATH_SCRIPT_H
/*
 * One run of one test: a kernel on some machine, hosts at the far ends of its wires, and the script
 * that speaks for them. The first thing that goes wrong ends the test: stage_fail keeps the reason.
 */
#include <stdatomic.h>

#include "drivers/hosted/pcapfile.h"
#include "kernel/drop.h"
#include "kernel/node.h"
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

struct counts { /* what the kernel says of itself */
    uint64_t drops[DROP_COUNT];
    uint32_t paths, flows, small, full;
};

struct stage;

/* What the kernel runs on: this process, on virtual time (hosted.c), or QEMU, in real time
 * (image.c). False: stage_fail has been told why. */
struct machine {
    bool (*boot)(struct stage *s, const struct graph *g, const char *words);
    uint64_t (*now)(const struct stage *s);           /* ns */
    bool (*run)(struct stage *s, uint64_t until_ns);  /* time goes by, hosts hear */
    bool (*step)(struct stage *s, uint64_t until_ns); /* the same, to the next event only */
    uint64_t (*mac)(const struct stage *s, int card); /* ours */
    void (*transmit)(struct stage *s, int card, const uint8_t *frame, size_t n);
    bool (*settle)(struct stage *s);                    /* until what was sent has had its effect */
    void (*command)(struct stage *s, const char *line); /* its answer is s->text then */
    bool (*counts)(struct stage *s, struct counts *out);
    bool (*shutdown)(struct stage *s, const char *line); /* `quit`, and what it sends */
    bool (*all_back)(struct stage *s); /* the script is over: is everything given back? */
    void (*end)(struct stage *s);      /* whatever boot made, however far it came */
    uint64_t early_ns, late_ns;        /* how far its clock and ours may differ */
    uint32_t spare;                    /* buffers that its cards may keep */
};

extern const struct machine machine_hosted, machine_image;
struct kernel *hosted_kernel(const struct stage *s); /* after boot */

struct stage {
    const struct machine *machine;
    void *in;        /* the machine's own */
    const char *nic; /* image: what cards it has */
    bool patient;    /* image: its timers wait for a busy host */
    int ncards;
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
    uint16_t listens; /* random packets: the port where the proxy listens, and the server */
    bool honest;      /* random packets: all lengths, sums and fragments are true */
    bool up;          /* it has booted */
    bool speaks;      /* the graph has an ip node: what is wrong may be its own */
    bool down;        /* the kernel has ended */
    bool flood;       /* within a loop: frames need not wait for what the last one did */
    bool over;        /* the script has ended: nobody listens any more */
    struct counts start;
    uint64_t drops[DROP_COUNT]; /* expected so far */
    bool allowed[DROP_COUNT];
    uint64_t last;    /* ns: when the last line happened */
    uint64_t nsent;   /* frames, by the script */
    char text[65536]; /* what the last command said */
    char why[WHY];
};

/* Hosts and boot (stage.c). Each returns false when the test has failed. */
/* trace: a capture file; NULL: none. */
bool stage_boot(struct stage *s, const struct graph *g, const char *cmdline, const char *trace);
void stage_host(struct stage *s, const struct host *h); /* before stage_boot */
bool stage_shutdown(struct stage *s, const char *line); /* `quit`, and what it sends */
bool stage_end(struct stage *s); /* balance of drops, frames, pools; frees everything */
bool stage_run(struct stage *s, uint64_t until_ns);
uint64_t stage_now(const struct stage *s);
bool stage_settle(struct stage *s);
/* A frame from our card goes to the hosts of that wire. For machines. */
void stage_carries(struct stage *s, int card, const uint8_t *frame, size_t n);
bool stage_quiet(struct stage *s); /* fails when a host has got a frame that nobody expected */
bool stage_fail(struct stage *s, const char *format, ...) PRINTF(2); /* always false */
struct host *host_named(struct stage *s, const char *name);          /* NULL: none */
struct heard *host_next(struct host *h);                             /* NULL: nothing new */
void host_transmit(struct stage *s, struct host *h, const uint8_t *frame, size_t n);

/* Packets of a script (talk.c). */
bool talk_send(struct stage *s, struct host *h, struct packet *p);
bool talk_expect(struct stage *s, struct host *h, struct packet *want, uint64_t from,
                 uint64_t until);

/* The rest of a line that begins with `expect` or `allow` (expect.c). */
bool expect_line(struct stage *s, char *line);
bool expect_allow(struct stage *s, char *line);
char *word_next(char **line); /* cut off, quotes removed; "" at the end (file.c) */

struct orders {        /* for all tests of a run */
    const char *only;  /* tests with this in their title; NULL: all */
    const char *words; /* settings */
    const char *nic;   /* in QEMU with these cards; NULL: in this process */
    uint64_t most_ns;  /* QEMU: scripts that last longer are not run */
    long every;        /* QEMU: one test in so many */
    bool keep;         /* captures of tests that passed, too */
    struct share *share;
};

/* What processes that share the tests of a run among them have in common: QEMU only. */
struct share {
    _Atomic long next; /* test that nobody has taken yet */
    _Atomic long ran, again, slow, elsewhere;
};

/* A whole file (file.c): returns how many tests failed, or -1 when it cannot be read. */
int file_run(const char *name, const struct orders *o);

#endif
