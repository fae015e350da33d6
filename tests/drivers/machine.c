/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine of machine.h: ports, registers, interrupts, time. */
#include "tests/drivers/machine.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/irq.h"
#include "drivers/mmio.h"
#include "drivers/pci.h"
#include "drivers/port.h"
#include "tests/graphs.h"

enum { CONFIG_ADDRESS = 0xcf8, MEMORY = 16 << 20, STEP = 100 * US };

struct machine machine;
static uint32_t config_address;

static void quiet(const char *s, size_t n)
{
    (void)s, (void)n;
}

/* --- what drivers call --- */

void outl(uint16_t port, uint32_t v)
{
    if (port == CONFIG_ADDRESS)
        config_address = v;
}

uint32_t inl(uint16_t port)
{
    uint32_t slot = config_address >> 11 & 0x1fff;
    (void)port;
    return slot < CARDS && !(config_address & 0x700)
               ? machine.card[slot].config[config_address / 4 % CONFIG_WORDS]
               : UINT32_MAX;
}

static struct card *card_at(mmio_t r)
{
    uintptr_t at = (uintptr_t)r;
    assert_in_range(at, BAR, BAR + CARDS * BAR_STEP - 1);
    return &machine.card[(at - BAR) / BAR_STEP];
}

static uint32_t reg_read(mmio_t r, uint32_t at, unsigned bytes)
{
    struct card *c = card_at(r);
    return c->gone ? UINT32_MAX
                   : c->model->read(c, (uint32_t)((uintptr_t)r + at) % BAR_STEP, bytes);
}

static void reg_write(mmio_t r, uint32_t at, uint32_t v, unsigned bytes)
{
    struct card *c = card_at(r);
    if (!c->gone)
        c->model->write(c, (uint32_t)((uintptr_t)r + at) % BAR_STEP, v, bytes);
}

uint32_t mmio_read32(mmio_t r, uint32_t at)
{
    return reg_read(r, at, 4);
}

void mmio_write32(mmio_t r, uint32_t at, uint32_t v)
{
    reg_write(r, at, v, 4);
}

uint16_t mmio_read16(mmio_t r, uint32_t at)
{
    return (uint16_t)reg_read(r, at, 2);
}

void mmio_write16(mmio_t r, uint32_t at, uint16_t v)
{
    reg_write(r, at, v, 2);
}

uint8_t mmio_read8(mmio_t r, uint32_t at)
{
    return (uint8_t)reg_read(r, at, 1);
}

void mmio_write8(mmio_t r, uint32_t at, uint8_t v)
{
    reg_write(r, at, v, 1);
}

volatile void *mmio_map(uint64_t at, size_t n)
{
    assert_in_range(at, BAR, BAR + CARDS * BAR_STEP - 1);
    assert_in_range(at + n, BAR, BAR + CARDS * BAR_STEP);
    return (volatile void *)(uintptr_t)at;
}

status_t irq_register(int line, void (*fn)(void *), void *arg)
{
    (void)line, (void)fn, (void)arg;
    return OK; /* the kernel polls here */
}

void delay_us(uint32_t us)
{
    machine.clock += (uint64_t)us * US;
}

/* --- what tests call --- */

static void card_init(struct card *c, const struct model *model, uint32_t n)
{
    *c = (struct card){.model = model};
    c->config[0] = model->vendor | (uint32_t)model->device << 16;
    c->config[2] = 0x0200U << 16;
    c->config[4] = c->config[5] = BAR + n * BAR_STEP;
    c->config[15] = 10 + n;
    model->init(c);
}

void machine_start(const struct model *model, uint64_t seed)
{
    memset(&machine, 0, sizeof machine);
    rng_seed(&machine.random, seed);
    machine.k = calloc(1, sizeof *machine.k);
    assert_non_null(machine.k);
    ground_console(quiet);
    ground_init(&machine.ground, machine.k, &machine.clock);
    ground_seed(&machine.ground, seed);
    assert_int_equal(kernel_init(machine.k, MEMORY), OK);
    for (uint32_t i = 0; i < CARDS; i++)
        card_init(&machine.card[i], model, i);
    pci_probe(machine.k);
    assert_int_equal(machine.k->ndevs, CARDS);
    for (int i = 0; i < CARDS; i++)
        machine.card[i].dev = machine.k->devs[i];
    assert_int_equal(kernel_boot(machine.k, graph_named("bridge"), NULL), OK);
    machine_run(MS);
}

void machine_end(void)
{
    kernel_end(machine.k);
    ground_pages_free();
    free(machine.k);
}

void machine_run(uint64_t ns)
{
    for (uint64_t end = machine.clock + ns; machine.clock < end; machine.clock += STEP)
        for (int i = 0; kernel_poll(machine.k) && i < 100; i++)
            ;
}

bool machine_frame(int card, uint32_t tag, size_t n)
{
    uint8_t frame[FRAME_MAX] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 8, 0};
    memcpy(frame + FRAME_HEADER, &tag, sizeof tag);
    struct card *c = &machine.card[card];
    return !c->gone && c->model->receive(c, frame, n);
}

void card_sends(struct card *c, const uint8_t *frame, size_t n)
{
    assert_in_range(n, FRAME_MIN, BUFFER_ROOM);
    memcpy(&c->tag[c->sent++ % WIRE], frame + FRAME_HEADER, sizeof c->tag[0]);
}
