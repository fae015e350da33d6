/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaving: `EXIT n` on the console, then the first that works of QEMU's isa-debug-exit, ACPI
 * power-off, reset, and standing still. isa-debug-exit makes QEMU's status 2 * value + 1; success
 * is value 16, so 33, which no accident writes.
 */
#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "drivers/port.h"
#include "kernel/plat.h"

enum {
    DEBUG_EXIT = 0xf4,
    DEBUG_SUCCESS = 16,
    RESET_CONTROL = 0xcf9, /* PIIX3, ICH9 and successors */
    KEYBOARD = 0x64,
    KEYBOARD_RESET = 0xfe,
};

_Noreturn void plat_exit(int status)
{
    interrupts_off();
    console_at_once();
    console_printf("EXIT %d\n", status);
    outl(DEBUG_EXIT, status ? (uint32_t)status % DEBUG_SUCCESS : DEBUG_SUCCESS);
    acpi_power_off();
    machine_reset();
}

_Noreturn void machine_reset(void)
{
    outb(RESET_CONTROL, 2);
    outb(RESET_CONTROL, 6);
    outb(KEYBOARD, KEYBOARD_RESET);
    for (;;)
        __asm__ volatile("hlt");
}
