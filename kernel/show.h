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
/* One console command: `show paths`, `set node.name=value`, `help`, ... Unknown ones say so. */
void command(struct kernel *k, char *line, struct show *out);
void show_path(const struct path *p, struct show *out, bool all);

/* Three levels. error: an operator must act; note: paths, rules, links; trace: by a module. */
void log_error(struct kernel *k, const char *format, ...) PRINTF(2);
void log_note(struct kernel *k, const char *format, ...) PRINTF(2);

#endif
