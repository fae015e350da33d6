/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two 8259 interrupt controllers. A line is unmasked when it gets its first handler. The end of
 * interrupt is sent after the handlers: automatic EOI would lose cascaded edges on the slave. A
 * line that fires and fires while the main loop makes no turn has a card that nobody silences; it
 * is masked and said so, and the cards on it live on the timer.
 */
#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "drivers/irq.h"
#include "drivers/port.h"

enum {
    MASTER = 0x20,
    SLAVE = 0xa0,
    ICW1 = 0x11, /* edge, cascade, four words */
    ICW4 = 1,    /* 8086 */
    EOI = 0x20,
    READ_ISR = 0x0b,
    CASCADE = 2,
    FIRST_VECTOR = 32,
    ELCR = 0x4d0, /* edge or level, a bit per line */
    STORM = 20000,
    APIC_BASE = 0x1b,
    APIC_ON = 0x800,
    APIC_X2 = 0x400,
    APIC_SPURIOUS = 0xf0,
    APIC_SOFT_ON = 0x100,
    APIC_TIMER = 0x320,
    APIC_LINT0 = 0x350,
    APIC_EXTINT = 0x700,
    APIC_MASKED = 0x10000,
};

struct handler {
    int line;
    void (*fn)(void *);
    void *arg;
};

static struct {
    struct handler handlers[IRQ_HANDLERS];
    int n;
    uint16_t mask;
    uint32_t fired[IRQ_LINES]; /* since pic_calm */
} pic;

volatile bool pic_woken;

void pic_interrupt(uint32_t line); /* trap.S */

static void mask_write(void)
{
    outb(MASTER + 1, (uint8_t)pic.mask);
    outb(SLAVE + 1, (uint8_t)(pic.mask >> 8));
}

/* The local APIC, when firmware left it on, must let the 8259 through (virtual wire mode). */
static void apic_let_through(void)
{
    uint64_t base = msr_read(APIC_BASE);
    if (!(base & APIC_ON) || base & APIC_X2)
        return;
    volatile uint32_t *apic = (volatile uint32_t *)(uintptr_t)(base & 0xfffff000);
    apic[APIC_SPURIOUS / 4] = APIC_SOFT_ON | (FIRST_VECTOR + 7);
    apic[APIC_TIMER / 4] = APIC_MASKED;
    apic[APIC_LINT0 / 4] = APIC_EXTINT;
}

void pic_init(void)
{
    outb(MASTER, ICW1);
    outb(SLAVE, ICW1);
    outb(MASTER + 1, FIRST_VECTOR);
    outb(SLAVE + 1, FIRST_VECTOR + 8);
    outb(MASTER + 1, 1 << CASCADE);
    outb(SLAVE + 1, CASCADE);
    outb(MASTER + 1, ICW4);
    outb(SLAVE + 1, ICW4);
    pic.mask = 0xffff & ~(1U << CASCADE);
    mask_write();
    apic_let_through();
}

static bool handler_add(int line, void (*fn)(void *), void *arg)
{
    if (pic.n == IRQ_HANDLERS)
        return false;
    pic.handlers[pic.n] = (struct handler){line, fn, arg};
    pic.n++;
    pic.mask &= (uint16_t) ~(1U << line);
    mask_write();
    return true;
}

void pic_register(int line, void (*fn)(void *), void *arg)
{
    if (!handler_add(line, fn, arg))
        report_failure("no room for an interrupt handler of the ground");
}

status_t irq_register(int line, void (*fn)(void *), void *arg)
{
    if (line <= CASCADE || line >= IRQ_LINES)
        return E_INVAL;
    uint16_t port = (uint16_t)(ELCR + line / 8);
    outb(port, (uint8_t)(inb(port) | 1U << line % 8));
    return handler_add(line, fn, arg) ? OK : E_NOMEM;
}

/* Lines 7 and 15 also come when a request has gone away; it is not in service then. */
static bool spurious(uint32_t line)
{
    if (line % 8 != 7)
        return false;
    uint16_t port = line < 8 ? MASTER : SLAVE;
    outb(port, READ_ISR);
    if (inb(port) & 0x80)
        return false;
    if (line > 8)
        outb(MASTER, EOI); /* the cascade was real */
    return true;
}

void pic_interrupt(uint32_t line)
{
    if (spurious(line))
        return;
    pic_woken = true;
    for (int i = 0; i < pic.n; i++)
        if (pic.handlers[i].line == (int)line)
            pic.handlers[i].fn(pic.handlers[i].arg);
    if (++pic.fired[line] == STORM) {
        pic.mask |= (uint16_t)(1U << line);
        mask_write();
        console_printf("error: interrupt line %u does not fall silent: masked\n", (unsigned)line);
    }
    if (line >= 8)
        outb(SLAVE, EOI);
    outb(MASTER, EOI);
}

void pic_calm(void)
{
    for (int i = 0; i < IRQ_LINES; i++)
        pic.fired[i] = 0;
}
