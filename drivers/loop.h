/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_LOOP_H
#define DRIVERS_LOOP_H
/*
 * Cards without hardware: what is sent comes back as received, from the same card or from its twin.
 * For tests, on either ground.
 */
#include "kernel/netdev.h"

enum { LOOP_QUEUE = 256 }; /* frames in flight per card; more is a full ring */

/* Add `n` cards: 1, connected to itself, or 2, connected to each other. E_INVAL: another number;
 * E_NOMEM: no memory, or too many cards. */
MUST_CHECK status_t loop_add(struct kernel *k, int n);

#endif
