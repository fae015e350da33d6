/* SPDX-License-Identifier: BSD-2-Clause */
/* The logbook: a ring of the last lines, and the console. Also the names of things. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/plat.h"
#include "kernel/show.h"

static void log_line(struct kernel *k, const char *level, const char *format, va_list args)
{
    struct logbook *log = &k->log;
    unsigned i = log->count++ % LOG_LINES;
    char *line = log->line[i];
    log->ns[i] = k->now;
    int n = snprintf(line, LOG_WIDTH, "%s", level);
    vsnprintf(line + n, (size_t)(LOG_WIDTH - n), format, args);
    char out[LOG_WIDTH + 32];
    n = snprintf(out, sizeof out, "[%5llu.%03llu] %s\n", (unsigned long long)(k->now / SECOND),
                 (unsigned long long)(k->now % SECOND / MS), line);
    plat_puts(out, (size_t)n);
}

void log_error(struct kernel *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(k, "error: ", format, args);
    va_end(args);
}

void log_note(struct kernel *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(k, "", format, args);
    va_end(args);
}

static const char *const drop_names[] = {
#define X(name, text, sentence) text,
    DROPS(X)
#undef X
};

static const char *const drop_sentences[] = {
#define X(name, text, sentence) sentence,
    DROPS(X)
#undef X
};

const char *drop_name(enum drop why)
{
    return drop_names[why];
}

const char *drop_sentence(enum drop why)
{
    return drop_sentences[why];
}

const char *status_name(status_t s)
{
    switch (s) {
    case OK:
        return "ok";
    case E_NOMEM:
        return "limit reached";
    case E_INVAL:
        return "invalid";
    case E_NOENT:
        return "no such thing";
    case E_EXIST:
        return "exists already";
    case E_AGAIN:
        return "not now";
    case E_NODEV:
        return "no such card";
    }
    return "unknown status";
}
