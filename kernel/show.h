/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_SHOW_H
#define KERNEL_SHOW_H
/*
 * Text for people and for tests: one `name value` a line, names are stable. Where the text goes
 * (console, test buffer) is the sink's business. Cannot fail.
 */
#include "kernel/pool.h"
#include "kernel/types.h"

struct show {
    void (*put)(struct show *s, const char *text, size_t n);
};

void show_printf(struct show *s, const char *format, ...) PRINTF(2);
/*
 * What a command has yet to do. A step is one line or some, or a walk over WALK paths of a table;
 * paths may come and go between two, so what is kept is numbers. step: false: it was the last.
 */
struct listing {
    bool (*step)(struct kernel *k, struct show *out, struct listing *l); /* NULL: nothing */
    uint32_t at, item;
    uint64_t sum;
};

/* One console command: `show paths`, `set node.name=value`, `help`, ... Unknown ones say so. */
struct listing command_start(struct kernel *k, char *line, struct show *out);
/* All of it at once, for who has nothing to forward meanwhile. */
void command(struct kernel *k, char *line, struct show *out);
void show_path(const struct path *p, struct show *out, bool all);

/* Three levels. error: an operator must act; note: paths, rules, links; trace: by a module. */
void log_error(struct kernel *k, const char *format, ...) PRINTF(2);
void log_note(struct kernel *k, const char *format, ...) PRINTF(2);

#endif
