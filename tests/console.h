/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CONSOLE_H
#define TESTS_CONSOLE_H
/* A console command to a kernel of this process, and its answer as text. What does not fit into the
 * room is cut. For the fixture of tests/unit and the stage of tests/path. */
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/show.h"

struct capture {
    struct show show;
    char *text;
    size_t room, n;
};

static inline void capture_put(struct show *show, const char *text, size_t n)
{
    struct capture *c = CONTAINER(show, struct capture, show);
    if (n >= c->room - c->n)
        n = c->room - 1 - c->n;
    memcpy(c->text + c->n, text, n);
    c->n += n;
    c->text[c->n] = 0;
}

/* text: where the answer goes; returned. */
static inline const char *capture_command(struct kernel *k, const char *line, char *text,
                                          size_t room)
{
    struct capture c = {{capture_put}, text, room, 0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", line);
    text[0] = 0;
    command(k, copy, &c.show);
    return text;
}

#endif
