/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The class of bugs where one frame costs too much: SegmentSmack, FragmentSmack, SACK panic. What a
 * frame costs is counted in instructions, one by one: the test runs as a child that is traced, and
 * its parent steps it from one mark to the next. So it is a number of this build and no time.
 * Queues eight times as long must not make a frame cost twice as much, and no frame costs twenty
 * times what a normal one does.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modules/wire/be.h"
#include "tests/unit/net.h"
#include "tests/unit/tcp_link.h"

enum { ISN = 5000, WND = 65535, SHORT = 8, LONG = 512 };

/* --- the child: between two marks is what is counted --- */

static void mark(const char *name)
{
    static char text[64];
    snprintf(text, sizeof text, "%s", name);
    __asm__ volatile("int3" ::"D"(text) : "memory");
}

/* What one more segment costs, with data of one byte at seq. */
static void segment(struct tl *t, const char *name, uint8_t flags, uint32_t seq, uint32_t ack)
{
    uint8_t b = tl_byte(0, seq - ISN - 1);
    mark(name);
    tl_send(t, flags, seq, ack, WND, &b, 1);
    mark("");
    tl_forget(t);
}

/* SegmentSmack: CVE-2018-5390. Bytes with holes between them, then one in the middle. */
static void holes(uint32_t many, const char *name)
{
    struct tl *t = tl_plain();
    uint32_t iss;
    tl_open(t, ISN, WND, &iss);
    for (uint32_t i = 0; i < many; i++) {
        uint8_t b = tl_byte(0, 4 * i + 2);
        tl_send(t, TCP_ACK, ISN + 1 + 4 * i + 2, iss + 1, WND, &b, 1);
        tl_forget(t);
    }
    segment(t, name, TCP_ACK, ISN + 1 + 4 * (many / 2) + 4, iss + 1);
    tl_finish(t, ISN + 1);
}

/* SACK panic and its kin: CVE-2019-11477..79. A long queue in small pieces, and blocks about it. */
static void blocks(uint32_t many, const char *name)
{
    struct tl_conn *c;
    uint32_t iss;
    struct tl *t = tl_make_mss("timestamps=off iw=10 sndbuf=1m", &c, &iss, true);
    c->chunk = 100;
    tl_push(c, many * 100);
    tl_run(t, 3 * MS);
    tl_forget(t);
    for (uint32_t i = 0; i < many / 8; i++) {
        uint8_t o[12] = {1, 1, 5, 10};
        be32_put(o + 4, iss + 1 + 200 * i + 100);
        be32_put(o + 8, iss + 1 + 200 * i + 150);
        tl_opt(t, o, 12);
        if (i + 1 == many / 8)
            mark(name);
        tl_send(t, TCP_ACK, TL_ISN + 1, iss + 1, WND, NULL, 0);
        if (i + 1 == many / 8)
            mark("");
        tl_forget(t);
    }
    t->nopt = 0;
    tl_finish(t, TL_ISN + 1);
}

/* FragmentSmack: CVE-2018-5391. Pieces of one datagram with holes, and many that are never whole.
 */
static void fragments(uint32_t many, const char *name)
{
    static uint8_t body[8];
    struct net *w = net_make("router", 2, "ip.defrag=on");
    for (uint32_t i = 0; i <= many; i++) {
        struct dgram d = {.src = CLIENT + i % 16,
                          .id = (uint16_t)(i / 256 + 1),
                          .frag = (uint16_t)(0x2000 | (2 * (i % 256) + 2)),
                          .data = body,
                          .n = 8};
        uint8_t b[NET_BYTES];
        size_t n = net_build(w, 0, &d, b);
        fixture_frame(w->f, 0, b, n);
        if (i == many)
            mark(name);
        fixture_run(w->f, 0);
        if (i == many)
            mark("");
    }
    net_end(w);
}

static void child(void)
{
    uint32_t iss;
    struct tl *t = tl_plain();
    tl_open(t, ISN, WND, &iss);
    segment(t, "warm", TCP_ACK, ISN + 1, iss + 1);
    segment(t, "normal", TCP_ACK, ISN + 2, iss + 1);
    tl_finish(t, ISN + 3);
    holes(SHORT, "holes-short");
    holes(LONG, "holes-long");
    blocks(SHORT * 8, "blocks-short");
    blocks(LONG, "blocks-long");
    fragments(SHORT, "fragments-short");
    fragments(LONG, "fragments-long");
    fragments(0, "fragments-none");
    _exit(0);
}

/* --- the parent --- */

struct cost {
    char name[64];
    uint64_t steps;
} costs[32];
static int ncosts;

static uint64_t cost(const char *name)
{
    for (int i = 0; i < ncosts; i++)
        if (strcmp(costs[i].name, name) == 0)
            return costs[i].steps;
    return 0;
}

static void name_read(pid_t pid, struct cost *c)
{
    struct user_regs_struct r;
    ptrace(PTRACE_GETREGS, pid, NULL, &r);
    for (size_t i = 0; i < sizeof c->name; i += sizeof(long)) {
        long word = ptrace(PTRACE_PEEKDATA, pid, r.rdi + i, NULL);
        memcpy(c->name + i, &word, sizeof word);
    }
    c->name[sizeof c->name - 1] = 0;
}

/* At a mark; is the next instruction of the child an int3? */
static bool at_mark(pid_t pid)
{
    struct user_regs_struct r;
    ptrace(PTRACE_GETREGS, pid, NULL, &r);
    return (ptrace(PTRACE_PEEKTEXT, pid, r.rip, NULL) & 0xff) == 0xcc;
}

static bool count(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        int sig = WSTOPSIG(status);
        if (sig == SIGSTOP) {
            ptrace(PTRACE_CONT, pid, NULL, 0);
            continue;
        }
        if (sig != SIGTRAP) { /* it has crashed */
            ptrace(PTRACE_CONT, pid, NULL, sig);
            continue;
        }
        struct cost *c = &costs[ncosts++];
        name_read(pid, c);
        for (;;) {
            ptrace(PTRACE_SINGLESTEP, pid, NULL, 0);
            if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
                return false;
            c->steps++;
            if (at_mark(pid))
                break;
        }
        ptrace(PTRACE_SINGLESTEP, pid, NULL, 0); /* the closing mark itself */
        if (waitpid(pid, &status, 0) != pid)
            return false;
        ptrace(PTRACE_CONT, pid, NULL, 0);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int failed;

/* a costs at most `times` b. */
static void most(const char *what, const char *a, uint64_t times, const char *b)
{
    bool good = cost(a) && cost(b) && cost(a) <= times * cost(b);
    printf("%s class: what a frame costs: %s: %llu instructions, %s: %llu\n",
           good ? "ok" : "not ok", what, (unsigned long long)cost(a), b,
           (unsigned long long)cost(b));
    failed += !good;
}

int main(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        child();
    }
    if (pid < 0 || !count(pid)) {
        printf("not ok class: what a frame costs: the traced child did not come to its end\n");
        return 1;
    }
    most("SegmentSmack, 64 times as many holes", "holes-long", 2, "holes-short");
    most("SACK panic, 8 times as long a queue", "blocks-long", 2, "blocks-short");
    most("FragmentSmack, 64 times as many pieces", "fragments-long", 2, "fragments-short");
    most("a hole, beside a normal segment", "holes-long", 20, "normal");
    most("a block, beside a normal segment", "blocks-long", 20, "normal");
    most("a fragment, beside a normal segment", "fragments-long", 20, "normal");
    return failed != 0;
}
