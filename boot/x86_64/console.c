/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console: COM1 at 115200 8N1 with its FIFO. Input comes by interrupt into a ring. While the
 * main loop turns, output goes into another, of which each turn gives the FIFO what it takes at
 * once; what is too much is lost, and all of it when nothing was taken for a second. Before and
 * after that, output polls: after a wait as long as a full FIFO takes three times it is dropped
 * until the transmitter is empty again. Without a UART all output is dropped and there is no input.
 */
#include <stdarg.h>
#include <stdio.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "drivers/port.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum {
    COM1 = 0x3f8,
    COM1_LINE = 4,
    UART_DATA = COM1,
    UART_IER = COM1 + 1,
    UART_FCR = COM1 + 2, /* write */
    UART_LCR = COM1 + 3,
    UART_MCR = COM1 + 4,
    UART_LSR = COM1 + 5,
    UART_SCRATCH = COM1 + 7,
    IER_RX = 1,
    FCR_ON = 0x87, /* enable, clear both, interrupt at 8 bytes or after a pause */
    LCR_8N1 = 3,
    LCR_DLAB = 0x80,
    MCR_ON = 0x0b, /* DTR, RTS, OUT2: the interrupt reaches the PIC */
    LSR_RX = 1,
    LSR_TX = 0x20, /* FIFO empty */
    FIFO = 16,
    RING = 256,
    OUT = 32768,
    PATIENCE_NS = 1000 * MS,
    PATIENCE = 40000, /* reads of LSR, each about 1 us on a real bus; FIFO at 115200: 1.4 ms */
};

static struct {
    bool present, stuck;
    unsigned space; /* bytes the FIFO takes before LSR must be asked again */
    volatile unsigned head, tail;
    unsigned char ring[RING];
} uart;

static struct {
    bool on; /* the main loop turns */
    unsigned head, tail;
    uint64_t taken; /* ns: when the FIFO last was empty, or nothing waited */
    char ring[OUT];
} later;

void console_init(void)
{
    outb(UART_SCRATCH, 0x5a);
    uart.present = inb(UART_SCRATCH) == 0x5a;
    outb(UART_IER, 0);
    outb(UART_LCR, LCR_DLAB);
    outb(UART_DATA, 1); /* divisor 1: 115200 */
    outb(UART_IER, 0);
    outb(UART_LCR, LCR_8N1);
    outb(UART_FCR, FCR_ON);
    outb(UART_MCR, MCR_ON);
}

static void uart_irq(void *unused)
{
    (void)unused;
    for (int i = 0; i < RING && inb(UART_LSR) & LSR_RX; i++) {
        unsigned char c = inb(UART_DATA);
        if (uart.head - uart.tail < RING)
            uart.ring[uart.head++ % RING] = c;
    }
}

void console_irq_on(void)
{
    if (!uart.present)
        return;
    pic_register(COM1_LINE, uart_irq, NULL);
    outb(UART_IER, IER_RX);
    uart_irq(NULL); /* what was typed before has had no edge that anybody saw */
}

bool console_waiting(void)
{
    return uart.head != uart.tail;
}

static bool uart_ready(void)
{
    if (uart.space)
        return true;
    for (int i = 0; i < (uart.stuck ? 1 : PATIENCE); i++) {
        if (inb(UART_LSR) & LSR_TX) {
            uart.stuck = false;
            uart.space = FIFO;
            return true;
        }
        cpu_pause();
    }
    uart.stuck = true;
    return false;
}

static void uart_put(char c)
{
    if (!uart.present || !uart_ready())
        return;
    outb(UART_DATA, (uint8_t)c);
    uart.space--;
}

void console_later(void)
{
    later.on = uart.present;
}

void console_at_once(void)
{
    later.on = false;
    for (int i = 0; i < OUT && later.tail != later.head; i++)
        uart_put(later.ring[later.tail++ % OUT]);
    later.tail = later.head;
}

bool console_talking(struct kernel *k)
{
    if (later.head == later.tail || inb(UART_LSR) & LSR_TX) {
        later.taken = k->now;
        for (int i = 0; i < FIFO && later.tail != later.head; i++)
            outb(UART_DATA, (uint8_t)later.ring[later.tail++ % OUT]);
        uart.space = 0;
    } else if (k->now - later.taken > PATIENCE_NS) {
        later.tail = later.head;
    }
    return later.head != later.tail;
}

bool plat_puts_ready(struct kernel *k)
{
    (void)console_talking(k);
    return later.head - later.tail < OUT / 2;
}

int plat_getc(struct kernel *k)
{
    (void)console_talking(k);
    if (uart.head == uart.tail)
        return -1;
    int c = uart.ring[uart.tail % RING];
    uart.tail++;
    return c;
}

static void put(char c)
{
    if (!later.on)
        uart_put(c);
    else if (later.head - later.tail < OUT)
        later.ring[later.head++ % OUT] = c;
}

/* A terminal on a serial line wants a carriage return, too. */
void plat_puts(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n')
            put('\r');
        put(s[i]);
    }
}

void console_printf(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n > 0)
        plat_puts(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}
