/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader's hand to the kernel's main loop, and out again. start.S calls boot_main.
 * A boot that cannot go on says why in one line and leaves with EXIT_BOOT; the status of `quit` is
 * the kernel's.
 */
#include <string.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "boot/x86_64/selftest.h"
#include "drivers/pci.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

_Noreturn void boot_main(uint32_t magic, uint32_t info);

struct kernel ground_kernel;

static struct boot_info boot;

static _Noreturn void refuse(const char *why)
{
    console_printf("error: %s\n", why);
    plat_exit(EXIT_BOOT);
}

static uint64_t ground_start(uint32_t magic, uint32_t info)
{
    console_init();
    const char *why = multiboot_read(magic, info, &boot);
    if (why)
        refuse(why);
    acpi_init(boot.rsdp);
    page_init(&boot);
    uint64_t memory = memory_init(&boot);
    trap_init();
    pic_init();
    clock_init();
    entropy_init();
    console_irq_on();
    interrupts_on();
    return memory;
}

_Noreturn void boot_main(uint32_t magic, uint32_t info)
{
    struct kernel *k = &ground_kernel;
    uint64_t memory = ground_start(magic, info);
    /* start.S made one of what little it had. This function never returns, so nobody minds. */
    canary_write(canary_read() ^ entropy_early() << 8);
    console_printf("towpath: %s, %llu KiB of memory\n", boot.loader,
                   (unsigned long long)memory / 1024);
    k->echo = true;
    if (kernel_init(k, memory) != OK)
        refuse("too little memory");
    selftest(boot.words);
    pci_probe(k);
    if (kernel_boot(k, &graph, boot.words) != OK)
        refuse("the boot stops here");
    report_then_reset(conf_number(&k->conf, "panic"));
    clock_watch(conf_number(&k->conf, "watchdog"));
    console_later();
    int status = kernel_run(k);
    clock_watch(0);
    kernel_end(k);
    plat_exit(status);
}
