/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The final address space: every address is its own. start.S has mapped 4 GiB in big pages; here
 * the null page goes, the image gets small pages with the rights of its segments, RAM loses the
 * right to be executed, and what is no RAM is uncached. Called by main.c once; afterwards only
 * page_unmap (guards) and mmio_map (64-bit BARs) change it. mmio_map can run out of tables.
 */
#include <string.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "drivers/irq.h"
#include "kernel/plat.h"

enum {
    PAGE = 4096,
    BIG = 2 << 20,
    SLOTS = 512,      /* entries of a table */
    SMALL_TABLES = 2, /* 4 MiB in small pages; link.ld asserts that the image ends there */
    DIRECTORIES = 4,  /* 4 GiB */
};

#define GIB        (1ULL << 30)
#define P_PRESENT  1ULL
#define P_WRITE    2ULL
#define P_UNCACHED 0x18ULL /* PCD, PWT */
#define P_BIG      0x80ULL
#define P_NX       (1ULL << 63)
#define P_ADDRESS  0x000ffffffffff000ULL

#define P_USER   4ULL
#define CR0_WP   (1ULL << 16)
#define EFER     0xc0000080U
#define EFER_NXE (1ULL << 11)
#define CR4_UMIP (1ULL << 11)
#define CR4_SMEP (1ULL << 20)

extern uint64_t page_root[SLOTS], page_directories[SLOTS], page_big[DIRECTORIES * SLOTS];
extern char image_text[], image_rodata[], image_data[], stack_guard[];

static uint64_t ram_end; /* of what page_init was told */
static uint64_t page_small[SMALL_TABLES * SLOTS] __attribute__((aligned(PAGE)));

static uint64_t rights_of(uint64_t at)
{
    if (at == 0)
        return 0;
    if (at < (uintptr_t)image_text)
        return P_PRESENT | P_WRITE | P_NX;
    if (at < (uintptr_t)image_rodata)
        return P_PRESENT;
    if (at < (uintptr_t)image_data)
        return P_PRESENT | P_NX;
    return P_PRESENT | P_WRITE | P_NX;
}

/* Where RAM ends below 4 GiB, tables of the firmware included. */
static uint64_t ram_top(const struct boot_info *boot)
{
    uint64_t top = 0;
    for (int i = 0; i < boot->nram; i++) {
        uint64_t end = boot->ram[i].at + boot->ram[i].n;
        if (boot->ram[i].at < 4 * GIB && end > top)
            top = end;
    }
    return top < 4 * GIB ? top : 4 * GIB;
}

/* Supervisor code must not run or be asked about by user code. There is none; it costs nothing. */
static void protect_supervisor(void)
{
    if (cpuid(0).a < 7)
        return;
    struct cpuid has = cpuid(7);
    uint64_t cr4 = cr4_read();
    if (has.b >> 7 & 1)
        cr4 |= CR4_SMEP;
    if (has.c >> 2 & 1)
        cr4 |= CR4_UMIP;
    cr4_write(cr4);
}

void page_init(const struct boot_info *boot)
{
    uint64_t top = ram_end = ram_top(boot);
    for (uint64_t i = 0; i < DIRECTORIES * SLOTS; i++) {
        uint64_t at = i * BIG;
        uint64_t kind = at < top ? P_BIG : P_BIG | P_UNCACHED;
        page_big[i] = at | kind | P_PRESENT | P_WRITE | P_NX;
    }
    for (uint64_t i = 0; i < SMALL_TABLES * SLOTS; i++) {
        uint64_t rights = rights_of(i * PAGE);
        page_small[i] = rights ? i * PAGE | rights : 0;
    }
    for (uint64_t i = 0; i < SMALL_TABLES; i++)
        page_big[i] = (uintptr_t)&page_small[i * SLOTS] | P_PRESENT | P_WRITE;
    page_unmap(stack_guard);
    cr3_write(cr3_read());
    protect_supervisor();
}

void page_unmap(void *page)
{
    page_small[(uintptr_t)page / PAGE] = 0;
    __asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
}

void page_say(void)
{
    console_printf("protections:%s%s%s%s\n", cr0_read() & CR0_WP ? " wp" : "",
                   msr_read(EFER) & EFER_NXE ? " nxe" : "", cr4_read() & CR4_SMEP ? " smep" : "",
                   cr4_read() & CR4_UMIP ? " umip" : "");
}

/* As a page of a program would be, were there programs: all levels have to allow it. */
void page_give_user(const void *page)
{
    uintptr_t at = (uintptr_t)page;
    page_small[at / PAGE] = (at & P_ADDRESS) | P_PRESENT | P_USER;
    page_big[at / BIG] |= P_USER;
    page_directories[0] |= P_USER;
    page_root[0] |= P_USER;
    cr3_write(cr3_read());
}

/* The table that entry i of `table` leads to, made if there is none. */
static uint64_t *table_below(uint64_t *table, uint64_t i)
{
    if (!(table[i] & P_PRESENT)) {
        void *fresh = plat_pages(PAGE);
        if (!fresh)
            return NULL;
        table[i] = (uintptr_t)fresh | P_PRESENT | P_WRITE;
    }
    return (uint64_t *)(uintptr_t)(table[i] & P_ADDRESS);
}

volatile void *mmio_map(uint64_t at, size_t n)
{
    uint64_t end = at + n;
    if (!n || end < at || end > 1ULL << 47 || at < ram_end)
        return NULL; /* no registers, but memory: a card that says it has them there lies */
    for (uint64_t a = at / BIG * BIG; a < end; a += BIG) {
        if (a < 4 * GIB)
            continue; /* page_init has done it */
        uint64_t *directory = table_below(page_root, a >> 39 & (SLOTS - 1));
        uint64_t *big = directory ? table_below(directory, a >> 30 & (SLOTS - 1)) : NULL;
        if (!big)
            return NULL;
        big[a / BIG % SLOTS] = a | P_BIG | P_UNCACHED | P_PRESENT | P_WRITE | P_NX;
    }
    return (volatile void *)(uintptr_t)at;
}
