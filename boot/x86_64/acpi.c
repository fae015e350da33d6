/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power off. Of ACPI's tables only this is read: RSDP -> RSDT or XSDT -> FADT -> the power
 * management ports and, in the DSDT, the package \_S5 with the sleep type (ACPI 6.4 sections 5.2
 * and 7.4.2). There is no interpreter: \_S5 is found by its name, which works wherever the package
 * is made of constants, as it is in practice. Called by main.c before page_init, while 4 GiB are
 * mapped; tables above 4 GiB or with a wrong checksum are not used, and power-off then does not
 * work.
 */
#include <string.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"
#include "drivers/port.h"

enum {
    BIOS_AREA = 0xe0000,
    BIOS_END = 0x100000,
    EBDA_SEGMENT = 0x40e,
    RSDP_LEN = 20,
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_XSDT = 24,
    TABLE_LEN = 4,
    TABLE_HEADER = 36,
    TABLE_MAX = 1 << 20,
    FADT_DSDT = 40,
    FADT_SMI_CMD = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_PM1A = 64,
    FADT_PM1B = 68,
    FADT_MIN = 72,
    AML_PACKAGE = 0x12,
    AML_BYTE = 0x0a,
    PM1_ENABLED = 1,
    PM1_SLEEP = 1 << 13,
    PM1_TYPE_SHIFT = 10,
};

static struct {
    bool known;
    uint16_t smi_port, pm1a, pm1b;
    uint8_t enable, type_a, type_b;
} power;

static uint32_t u32_of(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static bool sums_to_zero(const uint8_t *at, size_t n)
{
    uint8_t sum = 0;
    while (n--)
        sum = (uint8_t)(sum + *at++);
    return sum == 0;
}

/* The table at that address, if it is one. */
static const uint8_t *table_at(uint64_t at)
{
    if (!at || at >= 0xfff00000)
        return NULL;
    const uint8_t *t = memory_at(at);
    uint32_t n = u32_of(t + TABLE_LEN);
    return n >= TABLE_HEADER && n <= TABLE_MAX && sums_to_zero(t, n) ? t : NULL;
}

static const uint8_t *rsdp_search(uintptr_t from, uintptr_t to)
{
    for (; from < to; from += 16) {
        const uint8_t *at = memory_at(from);
        if (!memcmp(at, "RSD PTR ", 8) && sums_to_zero(at, RSDP_LEN))
            return at;
    }
    return NULL;
}

static const uint8_t *rsdp_find(uint64_t told)
{
    if (told)
        return memory_at(told);
    const uint8_t *bios_data = memory_at(EBDA_SEGMENT);
    uintptr_t ebda = (uintptr_t)(bios_data[0] | bios_data[1] << 8) << 4;
    const uint8_t *found = ebda ? rsdp_search(ebda, ebda + 1024) : NULL;
    return found ? found : rsdp_search(BIOS_AREA, BIOS_END);
}

static const uint8_t *fadt_find(const uint8_t *rsdp)
{
    uint64_t root = u32_of(rsdp + RSDP_RSDT);
    size_t step = 4;
    if (rsdp[RSDP_REVISION] >= 2) {
        memcpy(&root, rsdp + RSDP_XSDT, 8);
        step = 8;
    }
    const uint8_t *list = table_at(root);
    if (!list)
        return NULL;
    for (size_t i = TABLE_HEADER; i + step <= u32_of(list + TABLE_LEN); i += step) {
        uint64_t at = 0;
        memcpy(&at, list + i, step);
        const uint8_t *t = table_at(at);
        if (t && !memcmp(t, "FACP", 4) && u32_of(t + TABLE_LEN) >= FADT_MIN)
            return t;
    }
    return NULL;
}

/* A small constant of AML: ZeroOp, OneOp or BytePrefix and a byte. */
static const uint8_t *aml_number(const uint8_t *at, uint8_t *out)
{
    if (*at == AML_BYTE)
        at++;
    *out = *at & 7;
    return at + 1;
}

static bool sleep_type_find(const uint8_t *dsdt)
{
    uint32_t n = u32_of(dsdt + TABLE_LEN);
    for (uint32_t i = TABLE_HEADER; i + 16 < n; i++) {
        const uint8_t *at = dsdt + i;
        if (memcmp(at, "_S5_", 4) != 0 || at[4] != AML_PACKAGE)
            continue;
        at += 5;
        at += (*at >> 6) + 1; /* length of the package */
        at++;                 /* number of elements */
        at = aml_number(at, &power.type_a);
        aml_number(at, &power.type_b);
        return true;
    }
    return false;
}

void acpi_init(uint64_t told)
{
    const uint8_t *rsdp = rsdp_find(told);
    const uint8_t *fadt = rsdp ? fadt_find(rsdp) : NULL;
    const uint8_t *dsdt = fadt ? table_at(u32_of(fadt + FADT_DSDT)) : NULL;
    if (!dsdt || !sleep_type_find(dsdt))
        return;
    power.smi_port = (uint16_t)u32_of(fadt + FADT_SMI_CMD);
    power.enable = fadt[FADT_ACPI_ENABLE];
    power.pm1a = (uint16_t)u32_of(fadt + FADT_PM1A);
    power.pm1b = (uint16_t)u32_of(fadt + FADT_PM1B);
    power.known = power.pm1a != 0;
}

void acpi_power_off(void)
{
    if (!power.known)
        return;
    if (power.smi_port && power.enable && !(inw(power.pm1a) & PM1_ENABLED)) {
        outb(power.smi_port, power.enable);
        for (int i = 0; i < 3000000 && !(inw(power.pm1a) & PM1_ENABLED); i++)
            cpu_pause();
    }
    uint16_t keep = (uint16_t)(inw(power.pm1a) & ~(7 << PM1_TYPE_SHIFT));
    outw(power.pm1a, (uint16_t)(keep | power.type_a << PM1_TYPE_SHIFT | PM1_SLEEP));
    if (power.pm1b)
        outw(power.pm1b, (uint16_t)(power.type_b << PM1_TYPE_SHIFT | PM1_SLEEP));
    for (int i = 0; i < 3000000; i++) /* it takes a moment */
        cpu_pause();
}
