/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_X86_64_GROUND_H
#define BOOT_X86_64_GROUND_H
/*
 * What the files of this folder call of each other. The order in which main.c brings them up is the
 * order here. One processor, one kernel; the state of the ground is that of the machine, so it
 * lives in file-scope variables of the file that owns the device.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel;

/* Statuses that leave the machine; 0: success. */
enum { EXIT_BOOT = 1, EXIT_TRAP = 2, EXIT_ASSERT = 3 };

/* console.c: COM1. */
void console_init(void);
void console_irq_on(void);  /* input by interrupt from now on */
bool console_waiting(void); /* characters that plat_getc has not given out */
/* Output waits for the turns of the main loop from now on; or is out when the call returns, also
 * what has waited. */
void console_later(void);
void console_at_once(void);
bool console_talking(struct kernel *k); /* some of it goes out; false: none waits any more */
void console_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* multiboot.c: what the loader hands over, copied out of its memory. */
enum { BOOT_WORDS = 8192, BOOT_REGIONS = 32 };

struct boot_region {
    uint64_t at, n;
    bool free; /* else firmware tables */
};

struct boot_info {
    const char *loader;     /* "Multiboot 1" or 2 */
    char words[BOOT_WORDS]; /* command line, then the text of the modules without comments */
    struct boot_region ram[BOOT_REGIONS];
    int nram;
    uint64_t rsdp; /* ACPI's root, 0: unknown */
};

/* NULL, or why the machine cannot be started from this. */
const char *multiboot_read(uint32_t magic, uint64_t at, struct boot_info *boot);

/* acpi.c: how to power off. Reads firmware tables where they are: before page_init. */
void acpi_init(uint64_t rsdp);
void acpi_power_off(void); /* returns when it does not work */

/* page.c: the final address space; memory.c: who gets which RAM. */
void page_init(const struct boot_info *boot);
void page_unmap(void *page);                        /* in the image: a guard */
void page_give_user(const void *page);              /* in the image, for selftest.c: to run there */
void page_say(void);                                /* which protections are on */
uint64_t memory_init(const struct boot_info *boot); /* bytes to live on; 0: none */
void *memory_break(ptrdiff_t n);                    /* sbrk; NULL: none left */
bool memory_holds(const void *at, size_t n);        /* in the image's data or in the heap */

/* trap.c: descriptors, exceptions; report.c: what is said about one. */
void trap_init(void);
extern bool trap_ready;
void *
trap_guard(int i); /* the last byte below stack i of those for traps; NULL: there are only i */
/* RIP, CS, RFLAGS, RSP, SS of what was interrupted, when rsp is on the interrupts' stack; or NULL.
 */
const uint64_t *trap_interrupted(uint64_t rsp);
void report_then_reset(bool on); /* what follows a report: a reset instead of the end */
struct trap_frame;
_Noreturn void report_trap(const struct trap_frame *f);
_Noreturn void report_failure(const char *what);

/* pic.c: sixteen interrupt lines. */
void pic_init(void);
void pic_register(int line, void (*fn)(void *), void *arg); /* of the ground itself: edge */
extern volatile bool pic_woken; /* set by each interrupt, cleared by plat_wait */
void pic_calm(void);            /* the main loop is alive: interrupts since then are no storm */

/* exit.c */
_Noreturn void machine_reset(void);

/* clock.c, entropy.c */
void clock_init(void);
void clock_watch(uint64_t ns); /* the main loop must turn within ns, or the machine ends; 0: off */
void entropy_init(void);
uint64_t entropy_early(void); /* of what there is, be it enough or not */

/* main.c */
extern struct kernel ground_kernel;

#endif
