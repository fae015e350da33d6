/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proof that the address space forbids what it should: the boot word trap=WHAT does one forbidden
 * thing, and the machine must answer with a report and a non-zero status. Should the thing succeed,
 * the boot ends with status 4. Called by main.c before the settings are read; without the word it
 * does nothing.
 */
#include "boot/x86_64/selftest.h"

#include <assert.h>
#include <string.h>

#include "boot/x86_64/ground.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum {
    EXIT_ALLOWED = 4,
    RETURN = 0xc3,
    WATCHED = 4,
};

/* DR7: DR0 to 3 on, 8 bytes, writes (Intel SDM vol. 3, 18.2.4) */
static const uint64_t watch_writes = 0x99990055;

extern char image_text[], image_rodata[];

/* The compiler must not reason about any of these. */
static volatile char *hidden(const void *at)
{
    volatile char *p;
    __asm__ volatile("" : "=r"(p) : "0"(at));
    return p;
}

static void read_null(void)
{
    (void)*hidden(NULL);
}

static void write_text(void)
{
    *hidden(image_text) = 0;
}

static void write_rodata(void)
{
    *hidden(image_rodata) = 0;
}

static void call(const void *at)
{
    void (*f)(void);
    __asm__ volatile("" : "=r"(f) : "0"(at));
    f();
}

static void exec_data(void)
{
    static char code[1];
    *hidden(code) = (char)RETURN;
    call(code);
}

static void exec_heap(void)
{
    char *page = plat_pages(1);
    *hidden(page) = (char)RETURN;
    call(page);
}

static void exec_stack(void)
{
    char code[1];
    *hidden(code) = (char)RETURN;
    call(code);
}

/* Each frame is known to the next, so none can be reused. */
static int overflow_stack(int n, const volatile char *above)
{
    volatile char frame[512];
    frame[0] = (char)(n + above[0]);
    return n < 1000 ? overflow_stack(n + 1, hidden((const char *)(uintptr_t)frame)) + frame[0] : n;
}

static void stack(void)
{
    console_printf("%d\n", overflow_stack(0, ""));
}

static void canary(void)
{
    char frame[32];
    memset((char *)(uintptr_t)hidden(frame), 0x41, 64);
    (void)*hidden(frame);
}

static void broken(void)
{
    assert(*hidden("") != 0);
}

static void opcode(void)
{
    __asm__ volatile("ud2");
}

/* A report about a path wants one that runs: the processor itself traps when a path counts the
 * bytes of a message. The first four paths that have queues are watched. */
static void watch(struct kernel *k, struct timer *t)
{
    uint64_t *at[WATCHED];
    uint32_t n = 0;
    (void)t;
    for (uint32_t i = 0; i < k->paths_size && n < WATCHED; i++)
        if (path_at(k, i) && path_at(k, i)->work)
            at[n++] = &path_at(k, i)->work->bytes[AB];
    assert(n == WATCHED);
    __asm__ volatile("mov %0, %%db0" : : "r"(at[0]));
    __asm__ volatile("mov %0, %%db1" : : "r"(at[1]));
    __asm__ volatile("mov %0, %%db2" : : "r"(at[2]));
    __asm__ volatile("mov %0, %%db3" : : "r"(at[3]));
    __asm__ volatile("mov %0, %%db7" : : "r"(watch_writes));
}

static void path(void)
{
    static struct timer now = {.fire = watch};
    timer_arm(&ground_kernel, &now, plat_now(&ground_kernel));
}

static const struct {
    const char *name;
    void (*fn)(void);
} traps[] = {
    {"null", read_null}, {"text", write_text},      {"rodata", write_rodata}, {"exec", exec_data},
    {"heap", exec_heap}, {"stackexec", exec_stack}, {"stack", stack},         {"canary", canary},
    {"assert", broken},  {"opcode", opcode},        {"path", path},
};

void selftest(char *words)
{
    char *at = strstr(words, "trap=");
    if (!at || (at > words && at[-1] != ' '))
        return;
    char what[16] = {0};
    size_t n = strcspn(at, " ");
    if (n - 5 < sizeof what)
        memcpy(what, at + 5, n - 5);
    memset(at, ' ', n);
    for (size_t i = 0; i < ARRAY_LEN(traps); i++) {
        if (strcmp(what, traps[i].name))
            continue;
        console_printf("trap=%s\n", what);
        traps[i].fn();
        if (traps[i].fn == path)
            return;
        console_printf("error: trap=%s was allowed\n", what);
        plat_exit(EXIT_ALLOWED);
    }
    console_printf("error: trap=%s: expected", what);
    for (size_t i = 0; i < ARRAY_LEN(traps); i++)
        console_printf(" %s", traps[i].name);
    console_printf("\n");
    plat_exit(EXIT_BOOT);
}
