/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_SHOWING_H
#define KERNEL_SHOWING_H
/* The subjects of `show`, for the table in command.c. None can fail. */
#include "kernel/show.h"

void show_paths(struct kernel *k, struct show *out);
void show_nodes(struct kernel *k, struct show *out);
void show_settings(struct kernel *k, struct show *out);
void show_drops(struct kernel *k, struct show *out);
void show_stats(struct kernel *k, struct show *out);
void show_mem(struct kernel *k, struct show *out);
void show_timers(struct kernel *k, struct show *out);
void show_log(struct kernel *k, struct show *out);
void show_rules(struct kernel *k, struct show *out);

#endif
