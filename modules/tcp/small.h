/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_TCP_SMALL_H
#define MODULES_TCP_SMALL_H
/*
 * Small payloads in large buffers: 64 KiB of one-byte segments must not hold 128 MiB of them. Both
 * queues of received bytes, in order (data.c) and out of order (reass.c), and the send queue use
 * these two. Neither can fail: without room or memory the message stays what it is.
 */
#include "kernel/msg.h"

struct pool;

/* m's bytes go behind those of `last` (NULL: there is none), if m is small, there is room, and no
 * slice looks there; true: m is gone. */
bool small_squeeze(struct msg *last, struct msg *m);
/* A payload that occupies a buffer many times its size moves to a small one, paid by `payer`; the
 * message that holds it now. cb[0] is kept. */
struct msg *small_copy(struct pool *payer, struct msg *m);

#endif
