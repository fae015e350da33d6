/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PATH_GUEST_H
#define TESTS_PATH_GUEST_H
/*
 * A QEMU of our own: frames of its cards and bytes of its console as file descriptors, no name in
 * any file system, no privilege. It dies with us. What cannot be had ends in a guest that has
 * ended.
 */
#include <sys/types.h>

#include "kernel/types.h"

enum { GUEST_CARDS = 2, GUEST_OK = 33 }; /* what QEMU makes of the image's success */

struct guest {
    pid_t pid;
    int net[GUEST_CARDS]; /* datagram sockets: one frame each */
    int ncards;
    int in, out; /* its console */
    char text[1 << 17];
    size_t ntext; /* what the console has said and nobody has taken; 0 behind it */
    bool ended;   /* the console has */
};

typedef void guest_frame(void *arg, int card, const uint8_t *frame, size_t n);

/* False: there is no image, no QEMU, or no such card; why (in text). */
bool guest_start(struct guest *g, const char *graph, const char *nic, int ncards,
                 const char *words);
/* Waits for frames and text, at most so long; frames are handed on. */
void guest_poll(struct guest *g, uint64_t ns, guest_frame *frame, void *arg);
bool guest_send(struct guest *g, int card, const uint8_t *frame, size_t n);
void guest_type(struct guest *g, const char *line);
int guest_end(struct guest *g, bool kill_it); /* its exit status; -1: it had to be killed */

#endif
