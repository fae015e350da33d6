/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of the kernel's command line: split, found, read by their type. What modules make of texts
 * (routes, rules, users) is read when they start, so that is the target `boot`.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rig.h"

extern const struct graph graph_http;

static void start(void)
{
    rig_start(&graph_http, "");
}

static void input(const uint8_t *data, size_t n)
{
    char *line = malloc(n + 1);
    if (!line)
        abort();
    memcpy(line, data, n);
    line[n] = 0;
    status_t status = settings_apply(kernel, line);
    HOLDS(status == OK || status == E_INVAL || status == E_NOENT, "a word is good or it is not");
    free(line);
}

static void settle(void)
{
    HOLDS(settings_apply(kernel, "msl=1s idle=1s cache=16 keep=1s") == OK, "good words are good");
    rig_settle();
}

const struct target target = {100000, start, input, settle};
