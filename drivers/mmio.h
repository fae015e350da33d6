/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H
/*
 * Registers of cards, and the order of what a card sees. `r` is a mapping by mmio_map
 * (drivers/irq.h), uncached: accesses to it happen in program order and behind all stores before.
 * Under Linux there are no registers: there the models of tests/drivers are asked. Nothing here can
 * fail.
 */
#include <stdatomic.h>
#include <stdint.h>

typedef volatile uint8_t *mmio_t;

#if defined(__linux__)
uint32_t mmio_read32(mmio_t r, uint32_t at);
void mmio_write32(mmio_t r, uint32_t at, uint32_t v);
uint16_t mmio_read16(mmio_t r, uint32_t at);
void mmio_write16(mmio_t r, uint32_t at, uint16_t v);
uint8_t mmio_read8(mmio_t r, uint32_t at);
void mmio_write8(mmio_t r, uint32_t at, uint8_t v);
#else
static inline uint32_t mmio_read32(mmio_t r, uint32_t at)
{
    return *(volatile uint32_t *)(volatile void *)(r + at);
}

static inline void mmio_write32(mmio_t r, uint32_t at, uint32_t v)
{
    atomic_thread_fence(memory_order_release);
    *(volatile uint32_t *)(volatile void *)(r + at) = v;
}

static inline uint16_t mmio_read16(mmio_t r, uint32_t at)
{
    return *(volatile uint16_t *)(volatile void *)(r + at);
}

static inline void mmio_write16(mmio_t r, uint32_t at, uint16_t v)
{
    atomic_thread_fence(memory_order_release);
    *(volatile uint16_t *)(volatile void *)(r + at) = v;
}

static inline uint8_t mmio_read8(mmio_t r, uint32_t at)
{
    return r[at];
}

static inline void mmio_write8(mmio_t r, uint32_t at, uint8_t v)
{
    atomic_thread_fence(memory_order_release);
    r[at] = v;
}
#endif

/* Memory that a card writes: what is loaded behind this is at least as new as the word. */
static inline uint64_t dma_load64(const volatile uint64_t *at)
{
    uint64_t v = *at;
    atomic_thread_fence(memory_order_acquire);
    return v;
}

static inline uint32_t dma_load32(const volatile uint32_t *at)
{
    uint32_t v = *at;
    atomic_thread_fence(memory_order_acquire);
    return v;
}

static inline uint16_t dma_load16(const volatile uint16_t *at)
{
    uint16_t v = *at;
    atomic_thread_fence(memory_order_acquire);
    return v;
}

/* Memory that a card reads: all stores before are seen by who sees the next one. */
static inline void dma_publish(void)
{
    atomic_thread_fence(memory_order_release);
}

/* A store before is seen before a load behind is made: the one order x86 does not keep. */
static inline void dma_exchange(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

#endif
