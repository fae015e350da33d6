/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_PORT_H
#define DRIVERS_PORT_H
/* x86 port instructions by their names, for PCI configuration and the devices of boot/x86_64; under
 * Linux the models of tests/drivers. Nothing here can fail. */
#include <stdint.h>

#if defined(__linux__)
void outl(uint16_t port, uint32_t v);
uint32_t inl(uint16_t port);
#else

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
#endif

#endif
