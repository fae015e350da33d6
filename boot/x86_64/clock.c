/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time. The clock is the time stamp counter, whose rate is measured once against the 8254 timer;
 * the alarm that ends a wait is that timer's channel 0, one shot at a time. Called by the kernel's
 * main loop through kernel/plat.h. Cannot fail; a processor whose counter changes its rate keeps
 * bad time (every one since 2008 has an invariant one).
 *
 * The watchdog: each alarm sets the next one, so there is one every 55 ms at the latest, and looks
 * whether the main loop has made a turn since the last. It counts alarms and no time: a machine
 * that was halted by its host has not been caught.
 */
#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "drivers/irq.h"
#include "drivers/port.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"

enum {
    PIT_HZ = 1193182,
    PIT_CHANNEL0 = 0x40,
    PIT_CHANNEL2 = 0x42,
    PIT_CONTROL = 0x43,
    PIT_ONE_SHOT0 = 0x30, /* channel 0, both bytes, mode 0: one edge at the end */
    PIT_COUNT2 = 0xb0,    /* channel 2, both bytes, mode 0 */
    PIT_LATCH2 = 0x80,
    PIT_MAX = 65535, /* 54.9 ms */
    PIT_LINE = 0,
    GATE2 = 0x61,      /* bit 0: channel 2 counts; bit 1: it is heard */
    OUT2 = 0x20,       /* there: it has counted to its end */
    CALIBRATE = 47727, /* counts: 40 ms */
    TRIES = 8,
};

__extension__ typedef unsigned __int128 product_t;

static struct {
    uint64_t start; /* TSC */
    uint64_t hz;
    uint64_t ns_per_tick; /* 32 bits of fraction */
    volatile bool armed;
    uint64_t alarm; /* ns, while armed */
} timer;

static struct {
    uint64_t limit;  /* alarms; 0: off */
    uint64_t turn;   /* of the main loop, at the last alarm */
    uint64_t alarms; /* since it made another */
} watchdog;

struct sample {
    uint64_t tsc;
    uint16_t count;
};

static uint16_t count_read(void)
{
    outb(PIT_CONTROL, PIT_LATCH2);
    uint16_t low = inb(PIT_CHANNEL2);
    return (uint16_t)(low | inb(PIT_CHANNEL2) << 8);
}

/* Counter and TSC at the same moment: of several pairs the one that was read fastest, because an
 * emulator may be interrupted between the two. */
static struct sample sample_take(void)
{
    struct sample best = {0, 0};
    uint64_t fastest = UINT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = rdtsc();
        uint16_t count = count_read();
        uint64_t after = rdtsc();
        if (after - before < fastest) {
            fastest = after - before;
            best = (struct sample){before + fastest / 2, count};
        }
    }
    return best;
}

/* Once the count has gone below zero it says nothing, and its output says so. An emulator that was
 * kept from running for so long gets another try. */
static uint64_t tsc_hz(void)
{
    struct sample a, b;
    outb(GATE2, (uint8_t)((inb(GATE2) & ~2U) | 1U));
    do {
        outb(PIT_CONTROL, PIT_COUNT2);
        outb(PIT_CHANNEL2, 0xff);
        outb(PIT_CHANNEL2, 0xff);
        a = sample_take();
        do
            b = sample_take();
        while ((uint16_t)(a.count - b.count) < CALIBRATE);
    } while (inb(GATE2) & OUT2);
    return (b.tsc - a.tsc) * PIT_HZ / (uint16_t)(a.count - b.count);
}

static void alarm_start(uint64_t now, uint64_t ns)
{
    uint64_t count = ns > 50 * MS ? PIT_MAX : ns * PIT_HZ / SECOND + 1;
    timer.alarm = now + count * SECOND / PIT_HZ;
    timer.armed = true;
    outb(PIT_CHANNEL0, (uint8_t)count);
    outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
}

void clock_watch(uint64_t ns)
{
    const uint64_t period = PIT_MAX * SECOND / PIT_HZ;
    watchdog.alarms = 0;
    watchdog.limit = ns ? ns / period + 2 : 0;
    interrupts_off();
    alarm_start(plat_now(&ground_kernel), SECOND);
    interrupts_on();
}

static void watchdog_look(const struct kernel *k)
{
    if (watchdog.turn != k->polls)
        watchdog.alarms = 0;
    watchdog.turn = k->polls;
    if (++watchdog.alarms > watchdog.limit)
        report_failure("watchdog: the main loop does not turn");
}

static void alarm_rang(void *unused)
{
    (void)unused;
    timer.armed = false;
    if (!watchdog.limit)
        return;
    watchdog_look(&ground_kernel);
    alarm_start(plat_now(&ground_kernel), SECOND);
}

void clock_init(void)
{
    timer.start = rdtsc();
    timer.hz = tsc_hz();
    timer.ns_per_tick = (SECOND << 32) / timer.hz;
    outb(PIT_CONTROL, PIT_ONE_SHOT0);
    pic_register(PIT_LINE, alarm_rang, NULL);
}

uint64_t plat_cycles(void)
{
    return rdtsc();
}

uint64_t plat_now(struct kernel *k)
{
    (void)k;
    return (uint64_t)((product_t)(rdtsc() - timer.start) * timer.ns_per_tick >> 32);
}

void delay_us(uint32_t us)
{
    uint64_t until = plat_now(&ground_kernel) + (uint64_t)us * US;
    while (plat_now(&ground_kernel) < until)
        cpu_pause();
}

/* An alarm that rings earlier is left alone: the caller comes back, and most waits are ended by a
 * card before any alarm, so that the timer's ports are rarely written. */
static void alarm_set(uint64_t now, uint64_t until)
{
    if (timer.armed && timer.alarm > now && timer.alarm <= until)
        return;
    alarm_start(now, until - now);
}

void plat_wait(struct kernel *k, uint64_t until_ns)
{
    uint64_t now = plat_now(k);
    pic_calm();
    if (now >= until_ns || console_talking(k)) /* the line is slow: look again, without a rest */
        return;
    interrupts_off();
    if (!pic_woken && !(console_waiting() && !k->listing.step)) {
        alarm_set(now, until_ns);
        interrupts_on_and_halt();
    } else {
        interrupts_on();
    }
    pic_woken = false;
}
