/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_HOSTED_PCAPFILE_H
#define DRIVERS_HOSTED_PCAPFILE_H
/*
 * Capture files (libpcap's classic format, Ethernet, micro- or nanoseconds, either byte order).
 * Opening fails with a line on standard error; a damaged file ends where the damage is, said once.
 */
#include <stdio.h>

#include "kernel/types.h"

struct pcapfile {
    FILE *f;
    const char *name;
    bool swapped;   /* written on a machine of the other byte order */
    uint32_t scale; /* ns per unit of the fraction */
};

MUST_CHECK status_t pcapfile_read(struct pcapfile *p, const char *name);
MUST_CHECK status_t pcapfile_write(struct pcapfile *p, const char *name);
/* The next frame, cut to `room` bytes; *n is its length in the file. False: no more. */
bool pcapfile_next(struct pcapfile *p, uint64_t *ns, uint8_t *frame, size_t room, size_t *n);
void pcapfile_add(struct pcapfile *p, uint64_t ns, const uint8_t *frame, size_t n);
void pcapfile_close(struct pcapfile *p);

#endif
