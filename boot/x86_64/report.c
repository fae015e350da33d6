/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said when the kernel cannot go on: the cause, the registers, which code the stack
 * remembers, the path that ran with its last messages, and the end of the log. Then the machine is
 * left with a status of its own. Called by trap.S on a stack of its own, by assert and abort on the
 * kernel's. Whatever it follows may be damaged, so pointers are checked first, and a fault inside
 * the report ends it.
 */
#include <stdio.h>
#include <string.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "boot/x86_64/trap.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum { PAGE = 4096, STACK_WORDS = 16, STACK_SEEN = 2048, TAIL = 12 };

extern char image_text[], image_rodata[], stack_guard[], stack_top[];

static int depth; /* reports begun */
static bool then_reset;
static const char *failure; /* of ours; NULL: the processor found it */

void report_then_reset(bool on)
{
    then_reset = on;
}

static _Noreturn void leave(int status)
{
    if (then_reset) {
        console_printf("RESET\n");
        machine_reset();
    }
    plat_exit(status);
}

static const char *vector_name(uint64_t vector)
{
    static const char *const names[] = {
        "divide error",
        "debug",
        "NMI",
        "breakpoint",
        "overflow",
        "bound",
        "invalid opcode",
        "no FPU",
        "double fault",
        "FPU overrun",
        "invalid TSS",
        "segment not present",
        "stack segment",
        "general protection",
        "page fault",
        "reserved",
        "FPU error",
        "alignment",
        "machine check",
        "SIMD error",
        "virtualization",
        "control protection",
    };
    return vector < ARRAY_LEN(names) ? names[vector] : "reserved";
}

static void registers_print(const struct trap_frame *f)
{
    const struct {
        const char *name;
        uint64_t v;
    } all[] = {
        {"rip", f->rip}, {"rsp", f->rsp}, {"rflags", f->rflags}, {"rax", f->rax}, {"rbx", f->rbx},
        {"rcx", f->rcx}, {"rdx", f->rdx}, {"rsi", f->rsi},       {"rdi", f->rdi}, {"rbp", f->rbp},
        {"r8", f->r8},   {"r9", f->r9},   {"r10", f->r10},       {"r11", f->r11}, {"r12", f->r12},
        {"r13", f->r13}, {"r14", f->r14}, {"r15", f->r15},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        console_printf("  %6s %016llx%s", all[i].name, (unsigned long long)all[i].v,
                       i % 3 == 2 ? "\n" : "");
}

/* No frame pointers: every word on the stack that points into the code was probably a return. */
static void stack_print(uint64_t rsp)
{
    uintptr_t low = (uintptr_t)stack_guard + PAGE, high = (uintptr_t)stack_top;
    const uint64_t *frame = trap_interrupted(rsp);
    if (frame) {
        console_printf("inside an interrupt of %llx\n", (unsigned long long)frame[0]);
        rsp = frame[3];
    }
    if (rsp < low || rsp >= high) {
        bool guard = rsp <= low && rsp >= (uintptr_t)stack_guard - PAGE;
        console_printf("stack: %s\n", guard ? "overflowed" : "not the kernel's");
        if (!guard)
            return;
        rsp = low;
    }
    console_printf("stack:");
    int seen = 0;
    for (uintptr_t at = rsp & ~7ULL; at < high && at < rsp + STACK_SEEN && seen < STACK_WORDS;
         at += 8) {
        uint64_t word = *(const uint64_t *)at;
        if (word < (uintptr_t)image_text || word >= (uintptr_t)image_rodata)
            continue;
        console_printf(" %llx", (unsigned long long)word);
        seen++;
    }
    console_printf("\n");
}

static void path_print(const struct kernel *k, const struct path *p)
{
    if (!p) {
        console_printf("path: none was running\n");
        return;
    }
    if (!memory_holds(p, sizeof *p) || !memory_holds(p->shape, sizeof *p->shape)) {
        console_printf("path: the pointer to the running one is damaged\n");
        return;
    }
    console_printf("path %u (id %x):", path_number(p), (unsigned)p->id);
    for (int i = 0; i < p->shape->n && i < PATH_STAGES; i++)
        console_printf(" %s", stage_name(p->shape, i));
    console_printf("\n");
    const struct work *w = p->work;
    if (!w || !memory_holds(w, sizeof *w))
        return;
    uint32_t n = w->nlast < PATH_LAST ? w->nlast : PATH_LAST;
    for (uint32_t i = w->nlast - n; i != w->nlast; i++)
        console_printf("  message %u: %u bytes %s, %llu us ago\n", (unsigned)i,
                       w->last[i % PATH_LAST].len, w->last[i % PATH_LAST].dir ? "B to A" : "A to B",
                       (unsigned long long)(k->now - w->last[i % PATH_LAST].ns) / US);
}

static void log_print(const struct kernel *k)
{
    uint32_t n = k->log.count < TAIL ? k->log.count : TAIL;
    for (uint32_t i = k->log.count - n; i != k->log.count; i++) {
        uint32_t at = i % LOG_LINES;
        console_printf("log [%llu ms] %.*s\n", (unsigned long long)(k->log.ns[at] / MS), LOG_WIDTH,
                       k->log.line[at]);
    }
}

static void rest_print(uint64_t rsp)
{
    const struct kernel *k = &ground_kernel;
    stack_print(rsp);
    path_print(k, k->running);
    log_print(k);
}

static void cause_print(const struct trap_frame *f)
{
    console_printf("\nPANIC: %s (vector %llu, error %llx", vector_name(f->vector),
                   (unsigned long long)f->vector, (unsigned long long)f->error);
    if (f->vector == 14)
        console_printf(": %s of %016llx%s",
                       f->error & 16  ? "execution"
                       : f->error & 2 ? "write"
                                      : "read",
                       (unsigned long long)cr2_read(), f->error & 1 ? "" : ", not mapped");
    console_printf(")\n");
}

static void begin(int status)
{
    interrupts_off();
    console_at_once();
    if (++depth == 1)
        return;
    if (depth == 2)
        console_printf("\nPANIC: a fault inside the report\n");
    leave(status);
}

_Noreturn void report_trap(const struct trap_frame *f)
{
    begin(EXIT_TRAP);
    if (failure)
        console_printf("\nPANIC: %s\n", failure);
    else
        cause_print(f);
    registers_print(f);
    rest_print(f->rsp);
    leave(failure ? EXIT_ASSERT : EXIT_TRAP);
}

/* An instruction that is none brings the registers, and a stack that is whole. */
_Noreturn void report_failure(const char *what)
{
    interrupts_off();
    if (trap_ready) {
        failure = what;
        __builtin_trap();
    }
    console_printf("\nPANIC: %s\n", what);
    plat_exit(EXIT_ASSERT);
}
