/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DEC 21143: two serial protocols played on the pins of CSR9, bit by bit. A Microwire ROM (93C46:
 * 6 address bits, 93C66: 8) and the MII management bus (IEEE 802.3 22.2.4.5). Called at the start
 * and once a second when idle; cannot fail, a part that is not there reads as 0 or 0xffff. A read
 * of the register behind each write gives the pins their time.
 */
#include "drivers/tulip.h"

enum {
    ROM_SELECT = 1 << 0,
    ROM_CLOCK = 1 << 1,
    ROM_IN = 1 << 2,
    ROM_OUT = 1 << 3,
    ROM_READ = 1 << 11 | 1 << 14,
    ROM_OPCODE = 6, /* start bit, read */
    MII_CLOCK = 1 << 16,
    MII_DATA = 1 << 17,
    MII_LISTEN = 1 << 18,
    MII_HEARD = 1 << 19,
    MII_PREAMBLE = 34,
    MII_OPCODE = 6, /* start 01, read 10 */
};

static uint32_t pins(struct tulip *c, uint32_t v)
{
    csr_write(c, CSR_SERIAL, v);
    return csr_read(c, CSR_SERIAL);
}

static bool rom_bit(struct tulip *c, uint32_t in)
{
    uint32_t v = ROM_READ | ROM_SELECT | (in ? ROM_IN : 0);
    pins(c, v);
    bool out = pins(c, v | ROM_CLOCK) & ROM_OUT;
    pins(c, v);
    return out;
}

uint16_t tulip_rom(struct tulip *c, uint32_t word, int address_bits)
{
    uint32_t command = (uint32_t)ROM_OPCODE << address_bits | word;
    uint16_t v = 0;
    pins(c, ROM_READ);
    pins(c, ROM_READ | ROM_SELECT);
    for (int i = address_bits + 2; i >= 0; i--)
        rom_bit(c, command >> i & 1);
    for (int i = 0; i < 16; i++)
        v = (uint16_t)(v << 1 | rom_bit(c, 0));
    pins(c, ROM_READ);
    pins(c, 0);
    return v;
}

static void mii_say(struct tulip *c, uint32_t bit)
{
    uint32_t v = bit ? MII_DATA : 0;
    pins(c, v);
    pins(c, v | MII_CLOCK);
}

static bool mii_hear(struct tulip *c)
{
    bool bit = pins(c, MII_LISTEN) & MII_HEARD;
    pins(c, MII_LISTEN | MII_CLOCK);
    return bit;
}

uint16_t tulip_phy(struct tulip *c, int phy, int reg)
{
    uint32_t command = (uint32_t)MII_OPCODE << 10 | (uint32_t)phy << 5 | (uint32_t)reg;
    uint16_t v = 0;
    for (int i = 0; i < MII_PREAMBLE; i++)
        mii_say(c, 1);
    for (int i = 13; i >= 0; i--)
        mii_say(c, command >> i & 1);
    mii_hear(c); /* the bus turns around */
    mii_hear(c);
    for (int i = 0; i < 16; i++)
        v = (uint16_t)(v << 1 | mii_hear(c));
    pins(c, 0);
    return v;
}
