/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot loader says: Multiboot 1 (QEMU -kernel, iPXE, GRUB on BIOS) or 2 (GRUB on BIOS and
 * UEFI). Everything is copied, because the loader's memory is free afterwards. Called once by
 * main.c, before page_init, while 4 GiB are mapped. Fails on an unknown loader, without a memory
 * map, and on settings longer than BOOT_WORDS.
 */
#include <string.h>

#include "boot/x86_64/cpu.h"
#include "boot/x86_64/ground.h"

enum {
    MB1_LOADER = 0x2badb002,
    MB2_LOADER = 0x36d76289,
    /* Multiboot 1 section 3.3: flag bits, and offsets into the information */
    MB1_HAS_CMDLINE = 1 << 2,
    MB1_HAS_MODULES = 1 << 3,
    MB1_HAS_MAP = 1 << 6,
    MB1_CMDLINE = 16,
    MB1_NMODULES = 20,
    MB1_MODULES = 24,
    MB1_MAP_LEN = 44,
    MB1_MAP = 48,
    /* Multiboot 2 section 3.6: tags */
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_MODULE = 3,
    MB2_MAP = 6,
    MB2_ACPI_OLD = 14,
    MB2_ACPI_NEW = 15,
    /* both: kinds of memory */
    RAM_FREE = 1,
    RAM_ACPI = 3,
    RAM_NVS = 4,
};

/* The loader's structures are packed and little-endian; read them byte-wise exact. */
static uint32_t u32_at(uint64_t at)
{
    uint32_t v;
    memcpy(&v, memory_at(at), sizeof v);
    return v;
}

static uint64_t u64_at(uint64_t at)
{
    uint64_t v;
    memcpy(&v, memory_at(at), sizeof v);
    return v;
}

static void ram_add(struct boot_info *boot, uint64_t at, uint64_t n, uint32_t kind)
{
    if (boot->nram == BOOT_REGIONS || !n || at + n < at)
        return;
    if (kind == RAM_FREE || kind == RAM_ACPI || kind == RAM_NVS)
        boot->ram[boot->nram++] = (struct boot_region){at, n, kind == RAM_FREE};
}

/* Append text as words: lines become blanks, comments go. False: no room. */
static bool words_add(struct boot_info *boot, const char *text, size_t n)
{
    size_t to = strlen(boot->words);
    bool comment = false;
    if (to && to < BOOT_WORDS - 1)
        boot->words[to++] = ' ';
    for (size_t i = 0; i < n && text[i]; i++) {
        char c = text[i];
        if (c == '\n' || c == '\r')
            comment = false;
        if (c == '#')
            comment = true;
        if (comment)
            continue;
        if (to >= BOOT_WORDS - 1)
            return false;
        boot->words[to++] = c > ' ' ? c : ' ';
    }
    boot->words[to] = 0;
    return true;
}

/* QEMU and iPXE put the name of the image first. It is no setting, so it has no `=`, or, being an
 * address of the network, a `/` before it. */
static const char *skip_name(const char *text)
{
    text += strspn(text, " ");
    size_t n = strcspn(text, " "), equals = strcspn(text, "=/ ");
    return text[equals] == '=' ? text : text + n;
}

static bool cmdline_add(struct boot_info *boot, uint64_t at)
{
    const char *text = skip_name(memory_at(at));
    return words_add(boot, text, strlen(text));
}

static bool module_add(struct boot_info *boot, uint32_t from, uint32_t to)
{
    return to < from || words_add(boot, memory_at(from), to - from);
}

static bool mb1_read(uint64_t at, struct boot_info *boot)
{
    uint32_t has = u32_at(at);
    bool fits = true;
    if (has & MB1_HAS_MAP) {
        uint64_t map = u32_at(at + MB1_MAP), end = map + u32_at(at + MB1_MAP_LEN);
        /* an entry's size does not count its own four bytes */
        for (; map + 24 <= end; map += u32_at(map) + 4)
            ram_add(boot, u64_at(map + 4), u64_at(map + 12), u32_at(map + 20));
    }
    if (has & MB1_HAS_CMDLINE)
        fits = cmdline_add(boot, u32_at(at + MB1_CMDLINE));
    if (has & MB1_HAS_MODULES) {
        uint64_t module = u32_at(at + MB1_MODULES);
        for (uint32_t i = 0; i < u32_at(at + MB1_NMODULES) && fits; i++, module += 16)
            fits = module_add(boot, u32_at(module), u32_at(module + 4));
    }
    return fits;
}

static void mb2_map(uint64_t tag, uint32_t size, struct boot_info *boot)
{
    uint32_t step = u32_at(tag + 8);
    for (uint64_t e = tag + 16; step >= 24 && e + step <= tag + size; e += step)
        ram_add(boot, u64_at(e), u64_at(e + 8), u32_at(e + 16));
}

static char rsdp_copy[64]; /* the tag holds a copy of the table, not its address */

static bool mb2_read(uint64_t at, struct boot_info *boot)
{
    uint64_t end = at + u32_at(at);
    bool fits = true;
    for (uint64_t tag = at + 8; tag + 8 <= end && fits;) {
        uint32_t type = u32_at(tag), size = u32_at(tag + 4);
        if (type == MB2_END || size < 8)
            break;
        if (type == MB2_CMDLINE)
            fits = cmdline_add(boot, tag + 8);
        else if (type == MB2_MODULE)
            fits = module_add(boot, u32_at(tag + 8), u32_at(tag + 12));
        else if (type == MB2_MAP)
            mb2_map(tag, size, boot);
        else if ((type == MB2_ACPI_OLD || type == MB2_ACPI_NEW) && size - 8 <= sizeof rsdp_copy) {
            memcpy(rsdp_copy, memory_at(tag + 8), size - 8);
            boot->rsdp = (uintptr_t)rsdp_copy;
        }
        tag += (size + 7U) & ~7U;
    }
    return fits;
}

const char *multiboot_read(uint32_t magic, uint64_t at, struct boot_info *boot)
{
    bool fits;
    if (magic == MB1_LOADER) {
        boot->loader = "Multiboot 1";
        fits = mb1_read(at, boot);
    } else if (magic == MB2_LOADER) {
        boot->loader = "Multiboot 2";
        fits = mb2_read(at, boot);
    } else {
        return "the boot loader speaks neither Multiboot 1 nor 2";
    }
    if (!fits)
        return "the settings are longer than 8191 characters";
    if (!boot->nram)
        return "the boot loader gives no memory map";
    return NULL;
}
