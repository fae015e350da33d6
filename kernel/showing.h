/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_SHOWING_H
#define KERNEL_SHOWING_H
/* The subjects of `show`, for the table in command.c: each call is a step (show.h). None can fail.
 */
#include "kernel/show.h"

enum { WALK = 256 }; /* paths that a step passes which prints nothing of each */

bool show_paths(struct kernel *k, struct show *out, struct listing *l);
bool show_nodes(struct kernel *k, struct show *out, struct listing *l);
bool show_settings(struct kernel *k, struct show *out, struct listing *l);
bool show_drops(struct kernel *k, struct show *out, struct listing *l);
bool show_stats(struct kernel *k, struct show *out, struct listing *l);
bool show_mem(struct kernel *k, struct show *out, struct listing *l);
bool show_timers(struct kernel *k, struct show *out, struct listing *l);
bool show_log(struct kernel *k, struct show *out, struct listing *l);
bool show_rules(struct kernel *k, struct show *out, struct listing *l);

#endif
