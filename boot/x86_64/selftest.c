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

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "drivers/irq.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum {
    EXIT_ALLOWED = 4,
    RETURN = 0xc3,
    WATCHED = 4,
    PAGE = 4096,
    BUFFER = 2048,
    LINE = 5, /* of nobody */
    FIRST_VECTOR = 32,
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

static const char code_in_rodata[] = {(char)RETURN};

static void call(const void *at)
{
    void (*f)(void);
    __asm__ volatile("" : "=r"(f) : "0"(at));
    f();
}

static void exec_rodata(void)
{
    call(code_in_rodata);
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

/* The stacks of interrupts, faults, NMI and double faults. */
static void below(int i)
{
    *hidden(trap_guard(i)) = 0;
}

static void below_irq(void)
{
    below(0);
}

static void below_fault(void)
{
    below(1);
}

static void below_nmi(void)
{
    below(2);
}

static void below_double(void)
{
    below(3);
}

static void overflow_here(void *unused)
{
    (void)unused;
    stack();
}

/* An interrupt handler that needs more stack than there is. */
static void irq_overflow(void)
{
    pic_register(LINE, overflow_here, NULL);
    __asm__ volatile("int %0" : : "i"(FIRST_VECTOR + LINE) : "memory");
}

/* SMEP: code of a program's page, were there programs, does not run as the kernel. */
static void exec_user(void)
{
    static char page[PAGE] __attribute__((aligned(PAGE)));
    *hidden(page) = (char)RETURN;
    page_give_user(page);
    call(page);
}

static void say_protections(void)
{
    page_say();
    plat_exit(0);
}

/* A number that two canaries have in common by accident only, and that does not tell them. */
static void say_canary(void)
{
    uint64_t v = canary_read();
    for (int i = 0; i < 8; i++)
        v = (v ^ v >> 29) * 0x9e3779b97f4a7c15;
    console_printf("canary %08x, lowest byte %s\n", (unsigned)(v >> 32),
                   canary_read() & 0xff ? "set" : "zero");
    plat_exit(0);
}

static void dma_text(void)
{
    console_printf("%llx\n", (unsigned long long)plat_dma(image_text, BUFFER));
}

static void dma_rodata(void)
{
    console_printf("%llx\n", (unsigned long long)plat_dma(image_rodata, BUFFER));
}

/* Registers where there is memory. */
static void mmio_text(void)
{
    assert(mmio_map((uintptr_t)image_text, BUFFER));
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

/* What comes when the machine is up: these return. */
static void soon(void (*fire)(struct kernel *k, struct timer *t), uint64_t ns)
{
    static struct timer timer;
    timer.fire = fire;
    timer_arm(&ground_kernel, &timer, plat_now(&ground_kernel) + ns);
}

static void opcode_now(struct kernel *k, struct timer *t)
{
    (void)k, (void)t;
    opcode();
}

static void late(void)
{
    soon(opcode_now, SECOND / 2);
}

/* As if the first path with queues ran, and never came to an end. */
static void hang_now(struct kernel *k, struct timer *t)
{
    (void)t;
    for (uint32_t i = 0; i < k->paths_size && !k->running; i++)
        if (path_at(k, i) && path_at(k, i)->work)
            k->running = path_at(k, i);
    for (;;)
        cpu_pause();
}

static void hang(void)
{
    soon(hang_now, SECOND / 2);
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
    soon(watch, 0);
}

static const struct {
    const char *name;
    void (*fn)(void);
    bool later;
} traps[] = {
    {"null", read_null, false},
    {"text", write_text, false},
    {"rodata", write_rodata, false},
    {"rodataexec", exec_rodata, false},
    {"exec", exec_data, false},
    {"heap", exec_heap, false},
    {"stackexec", exec_stack, false},
    {"protections", say_protections, false},
    {"smep", exec_user, false},
    {"stack", stack, false},
    {"irqstack", irq_overflow, false},
    {"belowirq", below_irq, false},
    {"belowfault", below_fault, false},
    {"belownmi", below_nmi, false},
    {"belowdouble", below_double, false},
    {"canary", canary, false},
    {"saycanary", say_canary, false},
    {"dmatext", dma_text, false},
    {"dmarodata", dma_rodata, false},
    {"mmiotext", mmio_text, false},
    {"assert", broken, false},
    {"opcode", opcode, false},
    {"late", late, true},
    {"hang", hang, true},
    {"path", path, true},
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
        if (strcmp(what, traps[i].name) != 0)
            continue;
        console_printf("trap=%s\n", what);
        traps[i].fn();
        if (traps[i].later)
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
