/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a script expects of the kernel itself: losses, paths, what it says, what it holds. Where the
 * kernel has a clock of its own, what was sent may not have had its effect yet: what is not so is
 * looked at again for a while.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/path/script.h"

static bool drop_named(struct stage *s, const char *name, int *which)
{
    for (*which = 0; *which < DROP_COUNT; ++*which)
        if (strcmp(drop_name((enum drop) * which), name) == 0)
            return true;
    return stage_fail(s, "no drop reason '%s'", name);
}

bool expect_allow(struct stage *s, char *line)
{
    int which;
    char *word = word_next(&line);
    if (!drop_named(s, strcmp(word, "drop") == 0 ? word_next(&line) : word, &which))
        return false;
    s->allowed[which] = true;
    return true;
}

static bool expect_drop(struct stage *s, char *line, bool again)
{
    struct counts is;
    int which;
    if (!drop_named(s, word_next(&line), &which))
        return false;
    if (!again)
        s->drops[which] += strtoull(line, NULL, 0);
    if (!s->machine->counts(s, &is))
        return false;
    return is.drops[which] == s->drops[which] ||
           stage_fail(s, "drop %s: %llu, expected %llu", drop_name((enum drop)which),
                      (unsigned long long)is.drops[which], (unsigned long long)s->drops[which]);
}

/* Lines of `show paths` are `path NUMBER STAGES`. */
static bool expect_path(struct stage *s, char *line, bool none)
{
    const char *name = word_next(&line);
    unsigned long count = 0, want = strtoul(line, NULL, 10);
    s->machine->command(s, "show paths");
    for (const char *at = s->text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        size_t len = strlen(name);
        int n = 0;
        sscanf(at, "path %*u %n", &n);
        count += n && strncmp(at + n, name, len) == 0 && at[(size_t)n + len] == '\n';
    }
    if (none ? count == 0 : want ? count == want : count > 0)
        return true;
    return stage_fail(s, "%lu paths '%s'; %.600s", count, name, s->text);
}

static bool expect_says(struct stage *s, char *line, bool none)
{
    const char *command = word_next(&line), *text = word_next(&line);
    s->machine->command(s, command);
    if (!strstr(s->text, text) == none)
        return true;
    return stage_fail(s, "`%s` does%s say '%s': %.400s", command, none ? "" : " not", text,
                      s->text);
}

static bool expect_number(struct stage *s, const char *what, char *line)
{
    struct counts now;
    line += strspn(line, " ");
    bool at_most = strncmp(line, "<=", 2) == 0;
    unsigned long want = strtoul(line + (at_most ? 2 : 0), NULL, 10), is;
    if (!s->machine->counts(s, &now))
        return false;
    if (strcmp(what, "paths") == 0)
        is = now.paths - s->start.paths;
    else if (strcmp(what, "flows") == 0)
        is = now.flows - s->start.flows;
    else if (strcmp(what, "messages") == 0) {
        is = now.small + now.full - s->start.small - s->start.full;
        is -= is < s->machine->spare ? is : s->machine->spare;
        at_most |= s->machine->spare > 0;
    } else
        return stage_fail(s, "expect what? '%s'", what);
    return is == want || (at_most && is < want) ||
           stage_fail(s, "%lu %s more than at the start, expected %lu", is, what, want);
}

static bool expect_once(struct stage *s, char *line, bool again)
{
    char *what = word_next(&line);
    bool none = strcmp(what, "no") == 0;
    if (none)
        what = word_next(&line);
    if (strcmp(what, "drop") == 0)
        return expect_drop(s, line, again);
    if (strcmp(what, "path") == 0)
        return expect_path(s, line, none);
    if (strcmp(what, "says") == 0)
        return expect_says(s, line, none);
    return expect_number(s, what, line);
}

bool expect_line(struct stage *s, char *line)
{
    uint64_t limit = stage_now(s) + s->machine->late_ns;
    if (!stage_settle(s))
        return false;
    for (bool again = false;; again = true) {
        char copy[1024];
        snprintf(copy, sizeof copy, "%s", line);
        if (expect_once(s, copy, again))
            return true;
        if (stage_now(s) >= limit)
            return false;
        s->why[0] = 0;
        if (!stage_settle(s))
            return false;
    }
}
