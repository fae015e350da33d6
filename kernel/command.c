/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console: lines in, answers out. An empty line ends each answer and never occurs inside it, so
 * that programs can talk to it as well as people. An answer is made in steps: a turn of the main
 * loop does STEPS of them, fewer when the console takes no more, and reads no input before the
 * last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/plat.h"
#include "kernel/showing.h"

enum { STEPS = 16 };

struct subject {
    const char *name;
    bool (*show)(struct kernel *k, struct show *out, struct listing *l);
    const char *help;
};

static const struct subject subjects[] = {
    {"paths", show_paths, "every path: stages in order, queues, bytes, drops, cycles, memory"},
    {"nodes", show_nodes, "every node and what it knows: neighbours, routes, counters"},
    {"stats", show_stats, "cards, main loop, drops"},
    {"mem", show_mem, "messages, pools, flows, limits"},
    {"timers", show_timers, "how many are armed, when the next one fires"},
    {"drops", show_drops, "lost messages by reason"},
    {"rules", show_rules, "the rewriting rules of this graph"},
    {"settings", show_settings, "every setting and its value"},
    {"log", show_log, "the last lines of the log"},
};

static void help(struct show *out)
{
    show_printf(out, "show SUBJECT:\n");
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
        show_printf(out, "  %-9s %s\n", subjects[i].name, subjects[i].help);
    show_printf(out, "  path N    one path in detail: stages, rules applied, last messages\n");
    show_printf(out, "set [NODE.]NAME=VALUE   change a setting that may change while running\n");
    show_printf(out, "splice N|all            let rules take the proxy out of path N, or of all\n");
    show_printf(out, "unsplice N|all          put the proxy back, and keep it\n");
    show_printf(out, "quit [now]              reset all connections (now: silently) and end\n");
}

/* The path that the operator means; says so when there is none. */
static struct path *path_named(struct kernel *k, const char *text, struct show *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    struct path *p = end != text && !*end && n <= PATH_INDEX ? path_at(k, (uint32_t)n) : NULL;
    if (!p)
        show_printf(out, "no path '%s'; `show paths` lists them\n", text);
    return p;
}

static void show_one(struct kernel *k, const char *text, struct show *out)
{
    const struct path *p = path_named(k, text, out);
    if (p)
        show_path(p, out, true);
}

static struct listing show(struct kernel *k, char *words, struct show *out)
{
    struct listing l = {0};
    const char *what = strtok(words, " "), *which = strtok(NULL, " ");
    bool path = what && strcmp(what, "path") == 0;
    if (path && which) {
        show_one(k, which, out);
        return l;
    }
    if (path)
        what = "paths";
    for (size_t i = 0; what && i < ARRAY_LEN(subjects); i++) {
        if (strcmp(subjects[i].name, what) == 0) {
            l.step = subjects[i].show;
            return l;
        }
    }
    show_printf(out, "show what? `help` lists the subjects\n");
    return l;
}

static const struct setting *live_setting(const struct conf *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->settings[i].name, name) == 0)
            return &c->settings[i];
    return NULL;
}

static void set_in(struct kernel *k, struct node *n, const char *name, const char *value,
                   struct show *out, int *found)
{
    struct conf *c = n ? &n->conf : &k->conf;
    const struct setting *s = live_setting(c, name);
    char why[CONF_WHY];
    if (!s)
        return;
    ++*found;
    if (!s->live)
        show_printf(out, "%s is read at boot only\n", name);
    else if (conf_set(n ? &n->pool : &k->pool, c, name, value, why) != OK)
        show_printf(out, "%s\n", why);
    else
        show_printf(out, "%s%s%s=%s\n", n ? n->name : "", n ? "." : "", name,
                    s->type == SET_SECRET ? "(secret)" : value);
}

static void set(struct kernel *k, char *words, struct show *out)
{
    char *name = strtok(words, " "), *equals = name ? strchr(name, '=') : NULL;
    int found = 0;
    if (!equals) {
        show_printf(out, "set [NODE.]NAME=VALUE; `show settings` lists them\n");
        return;
    }
    *equals = 0;
    char *dot = strchr(name, '.');
    if (dot) {
        *dot = 0;
        struct node *n = node_find(k, name);
        if (n)
            set_in(k, n, dot + 1, equals + 1, out, &found);
    } else {
        set_in(k, NULL, name, equals + 1, out, &found);
        for (int i = 0; i < k->nnodes; i++)
            set_in(k, &k->nodes[i], name, equals + 1, out, &found);
    }
    if (!found)
        show_printf(out, "no such setting; `show settings` lists them\n");
}

/* Rules do it, and tell in the path's history what they did. */
static void path_plain(struct path *p, bool plain)
{
    p->flags = (uint16_t)(plain ? p->flags | PATH_PLAIN : p->flags & ~PATH_PLAIN);
    path_note(p, NOTE_MODE);
}

static bool mode_all(struct kernel *k, struct show *out, struct listing *l, bool plain)
{
    for (int i = 0; i < WALK && l->at < k->paths_size; i++) {
        struct path *p = path_at(k, l->at++);
        if (!p || p->flags & PATH_DYING)
            continue;
        path_plain(p, plain);
        l->sum++;
    }
    if (l->at < k->paths_size)
        return true;
    show_printf(out, "%s: %u paths\n", plain ? "unsplice" : "splice", (unsigned)l->sum);
    return false;
}

static bool splice_all(struct kernel *k, struct show *out, struct listing *l)
{
    return mode_all(k, out, l, false);
}

static bool unsplice_all(struct kernel *k, struct show *out, struct listing *l)
{
    return mode_all(k, out, l, true);
}

static struct listing splice(struct kernel *k, char *words, bool plain, struct show *out)
{
    const char *name = plain ? "unsplice" : "splice", *which = strtok(words, " ");
    struct listing l = {0};
    if (!which) {
        show_printf(out, "%s N, or %s all; `show paths` lists them\n", name, name);
    } else if (strcmp(which, "all") == 0) {
        l.step = plain ? unsplice_all : splice_all;
    } else {
        struct path *p = path_named(k, which, out);
        if (p && !(p->flags & PATH_DYING))
            path_plain(p, plain);
        if (p)
            show_printf(out, "%s: path %u\n", name, path_number(p));
    }
    return l;
}

static void quit(struct kernel *k, const char *words, struct show *out)
{
    k->stopping = true;
    k->stop_now = strcmp(words, "now") == 0;
    show_printf(out, "stopping\n");
}

struct listing command_start(struct kernel *k, char *line, struct show *out)
{
    struct listing l = {0};
    char *end = line + strlen(line);
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    while (*line == ' ')
        line++;
    size_t n = strcspn(line, " ");
    char *rest = line + n;
    while (*rest == ' ')
        *rest++ = 0;
    if (strcmp(line, "show") == 0)
        l = show(k, rest, out);
    else if (strcmp(line, "set") == 0)
        set(k, rest, out);
    else if (strcmp(line, "splice") == 0 || strcmp(line, "unsplice") == 0)
        l = splice(k, rest, *line == 'u', out);
    else if (strcmp(line, "quit") == 0)
        quit(k, rest, out);
    else if (strcmp(line, "help") == 0)
        help(out);
    else if (*line)
        show_printf(out, "unknown command '%s'; try `help`\n", line);
    return l;
}

void command(struct kernel *k, char *line, struct show *out)
{
    struct listing l = command_start(k, line, out);
    while (l.step && l.step(k, out, &l))
        continue;
}

static void console_put(struct show *s, const char *text, size_t n)
{
    (void)s;
    plat_puts(text, n);
}

static void console_text(const char *text)
{
    plat_puts(text, strlen(text));
}

static void console_step(struct kernel *k)
{
    struct show out = {console_put};
    if (k->listing.step(k, &out, &k->listing))
        return;
    k->listing.step = NULL;
    console_text("\ntowpath> ");
}

static void console_typed(struct kernel *k, int c)
{
    struct show out = {console_put};
    if (c == '\r' || c == '\n') {
        if (k->echo)
            console_text("\n");
        k->input[k->ninput] = 0;
        k->ninput = 0;
        k->listing = command_start(k, k->input, &out);
        if (!k->listing.step)
            console_text("\ntowpath> ");
    } else if (c == 8 || c == 127) {
        if (k->ninput && k->echo)
            console_text("\b \b");
        k->ninput -= k->ninput > 0;
    } else if (c >= ' ' && c < 127 && k->ninput < sizeof k->input - 1) {
        char text[2] = {(char)c, 0};
        k->input[k->ninput++] = text[0];
        if (k->echo)
            console_text(text);
    }
}

/* A line is a turn's work, so that many at once are many turns. */
static bool console_read(struct kernel *k)
{
    bool any = false;
    for (int c = 0; c != '\r' && c != '\n' && (c = plat_getc(k)) >= 0; any = true)
        console_typed(k, c);
    return any;
}

bool console_turn(struct kernel *k)
{
    int steps = 0;
    if (!k->listing.step)
        return console_read(k);
    while (k->listing.step && steps < STEPS && plat_puts_ready(k)) {
        console_step(k);
        steps++;
    }
    return steps;
}

void kernel_console(struct kernel *k, int c)
{
    console_typed(k, c);
    while (k->listing.step)
        console_step(k);
}
