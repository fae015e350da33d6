/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor's tables: segments, the task state with the stacks for traps, and the gates. Each
 * of the four kinds of entry has a stack of its own with an unmapped page below it, so that a full
 * kernel stack can still be reported. Called by main.c once, after page_init; cannot fail.
 */
#include "boot/x86_64/ground.h"

enum {
    PAGE = 4096,
    STACK = 16384,
    CODE = 8,
    DATA = 16,
    TASK = 24,
    EXCEPTIONS = 32,
    LINES = 16,
    ENTRY_SIZE = 16, /* bytes between two entries in trap.S */
    GATE = 0x8e00,   /* present, interrupt gate: IF off inside */
    VECTOR_NMI = 2,
    VECTOR_DOUBLE = 8,
};

enum stack_of { STACK_IRQ, STACK_EXCEPTION, STACK_NMI, STACK_DOUBLE, STACKS };

struct guarded {
    uint8_t guard[PAGE];
    uint8_t room[STACK];
};

static struct guarded stacks[STACKS] __attribute__((aligned(PAGE)));

/* Words of 32 bits, because the 64-bit fields are not aligned (AMD64 vol. 2, 12.2.5). */
static uint32_t task[26];

static uint64_t segments[5] = {
    0, 0x00af9b000000ffff, /* code, 64 bits, accessed: the processor never writes here */
    0x00cf93000000ffff,    /* data */
};

struct gate {
    uint16_t low, selector, flags, middle;
    uint32_t high, unused;
};

static struct gate gates[EXCEPTIONS + LINES];

bool trap_ready;

extern char exception_entries[], interrupt_entries[];

static void gate_set(int vector, uintptr_t entry, enum stack_of stack)
{
    gates[vector] = (struct gate){
        .low = (uint16_t)entry,
        .selector = CODE,
        .flags = (uint16_t)(GATE | (stack + 1)),
        .middle = (uint16_t)(entry >> 16),
        .high = (uint32_t)(entry >> 32),
    };
}

static void task_init(void)
{
    for (int i = 0; i < STACKS; i++) {
        uintptr_t top = (uintptr_t)&stacks[i].room[STACK];
        task[9 + 2 * i] = (uint32_t)top;
        task[10 + 2 * i] = (uint32_t)(top >> 32);
        page_unmap(stacks[i].guard);
    }
    task[25] = (uint32_t)sizeof task << 16; /* no map of ports */
    uint64_t at = (uintptr_t)task;
    segments[3] =
        (sizeof task - 1) | (at & 0xffffff) << 16 | 0x89ULL << 40 | (at >> 24 & 0xff) << 56;
    segments[4] = at >> 32;
}

struct table {
    uint16_t unused[3];
    uint16_t limit; /* the processor reads from here: ten bytes */
    uint64_t at;
};

void trap_init(void)
{
    task_init();
    for (int i = 0; i < EXCEPTIONS; i++)
        gate_set(i, (uintptr_t)exception_entries + (uintptr_t)i * ENTRY_SIZE,
                 i == VECTOR_NMI      ? STACK_NMI
                 : i == VECTOR_DOUBLE ? STACK_DOUBLE
                                      : STACK_EXCEPTION);
    for (int i = 0; i < LINES; i++)
        gate_set(EXCEPTIONS + i, (uintptr_t)interrupt_entries + (uintptr_t)i * ENTRY_SIZE,
                 STACK_IRQ);
    struct table gdt = {.limit = sizeof segments - 1, .at = (uintptr_t)segments};
    struct table idt = {.limit = sizeof gates - 1, .at = (uintptr_t)gates};
    /* The selectors in use mean the same in the new table, so nothing is loaded again. */
    __asm__ volatile("lgdt %0" : : "m"(gdt.limit), "m"(gdt.at));
    __asm__ volatile("lidt %0" : : "m"(idt.limit), "m"(idt.at));
    __asm__ volatile("ltr %w0" : : "r"(TASK));
    trap_ready = true;
}

void *trap_guard(int i)
{
    return i < STACKS ? &stacks[i].guard[PAGE - 1] : NULL;
}

const uint64_t *trap_interrupted(uint64_t rsp)
{
    enum { FRAME = 5 * sizeof(uint64_t) };
    uintptr_t low = (uintptr_t)stacks[STACK_IRQ].room, top = low + STACK;
    return rsp >= low && rsp < top ? (const uint64_t *)(top - FRAME) : NULL;
}
