/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_BE_H
#define MODULES_WIRE_BE_H
/*
 * Big-endian numbers in byte arrays, at any alignment. Whoever calls has checked the bounds. The
 * compiler makes one load and one byte swap of each.
 */
#include <stdbool.h>
#include <stdint.h>

static inline uint16_t be16_get(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t be32_get(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t be64_get(const uint8_t *at)
{
    return (uint64_t)be32_get(at) << 32 | be32_get(at + 4);
}

static inline void be16_put(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static inline void be32_put(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 24);
    at[1] = (uint8_t)(v >> 16);
    at[2] = (uint8_t)(v >> 8);
    at[3] = (uint8_t)v;
}

static inline void be64_put(uint8_t *at, uint64_t v)
{
    be32_put(at, (uint32_t)(v >> 32));
    be32_put(at + 4, (uint32_t)v);
}

#endif
