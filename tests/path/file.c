/* SPDX-License-Identifier: BSD-2-Clause */
/* Script files: their lines, tests and loops. The notation is described in README.md. */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/graphs.h"
#include "tests/path/script.h"

enum { LINE_ROOM = 4096, TOLERANCE_PERCENT = 5, PARTS = 12, PART_ROOM = 4096 };
static const uint64_t at_once_ns = 5 * MS, slack_ns = 10 * MS;
static const uint64_t frame_ns = 200 * US; /* that QEMU takes for one */

/* In QEMU time is real, so a file is run more than once: first in this process, which tells how
 * long each of its tests takes; then there, those that are ours; then there again, once, those that
 * failed, for the machine may have been too busy with other things. */
enum pass { PASS_HERE, PASS_MEASURE, PASS_IMAGE, PASS_AGAIN };
enum { TESTS = 8192 };

struct plan {
    uint64_t ns;    /* from its first line to its last */
    bool elsewhere; /* it says itself that it cannot be run in QEMU */
    bool failed;
};

struct file {
    const char *name;
    const struct orders *orders;
    enum pass pass;
    struct plan plan[TESTS];
    int test; /* the one that runs, counted from 1 */
    uint64_t began;
    char graphs[256]; /* names of the graphs; each test runs under each */
    int which;        /* the one whose turn it is */
    struct host host[HOSTS];
    int nhosts, line;
    struct {
        char name[32], text[PART_ROOM]; /* lines of `define NAME` to `end` */
    } part[PARTS];
    int nparts;
    bool defining;
    char at[128];    /* the line of a part that failed */
    struct stage *s; /* the test that runs; NULL: between tests, or this one is skipped */
    char title[256], trace[256];
    bool skipping;
    int failed, ran;
};

char *word_next(char **line)
{
    char *w = *line + strspn(*line, " \t");
    bool quoted = *w == '"';
    char *end = quoted ? strchr(w + 1, '"') : w + strcspn(w, " \t");
    w += quoted;
    *line = end && *end ? end + 1 : w + strlen(w);
    if (end)
        *end = 0;
    return w;
}

/* What became of a test in a pass that gives no verdict. */
static bool noted(struct file *f)
{
    struct plan *p = &f->plan[f->test];
    if (f->pass == PASS_MEASURE) {
        p->ns = f->s->up ? f->s->last - f->began + f->s->nsent * frame_ns : 0;
        stage_end(f->s);
        remove(f->trace);
        return true;
    }
    return false;
}

static void finish(struct file *f)
{
    if (f->s && !noted(f)) {
        if (stage_end(f->s)) {
            printf("ok %s\n", f->title);
            if (!f->orders->keep)
                remove(f->trace);
        } else if (f->pass == PASS_IMAGE) {
            f->plan[f->test].failed = true;
            atomic_fetch_add(&f->orders->share->again, 1);
            printf("# again: %s: %.300s\n", f->title, f->s->why);
        } else {
            for (char *c = f->s->why; *c; c++) /* one line for the verdict, the rest below */
                if (*c == '\n')
                    *c = ';';
            printf("not ok %s: %s; frames in %s\n", f->title, f->s->why, f->trace);
            f->failed++;
        }
        fflush(stdout);
    }
    free(f->s);
    f->s = NULL;
    f->skipping = false;
}

/* Tests are shared among processes: each takes the next when it has time. */
static bool taken(struct share *share, long number)
{
    static long mine = -1;
    if (mine < number)
        mine = atomic_fetch_add(&share->next, 1);
    return mine == number;
}

/* Is the test that begins to be run in this pass? */
static bool wanted(struct file *f)
{
    static long number; /* over all files */
    struct plan *p = &f->plan[f->test];
    struct share *share = f->orders->share;
    if (f->pass == PASS_AGAIN)
        return p->failed;
    if (f->pass != PASS_IMAGE)
        return true;
    if (number++ % f->orders->every || !taken(share, (number - 1) / f->orders->every))
        return false;
    bool slow = p->ns > f->orders->most_ns;
    atomic_fetch_add(p->elsewhere ? &share->elsewhere : slow ? &share->slow : &share->ran, 1);
    return !p->elsewhere && !slow;
}

static void begin(struct file *f, char *line)
{
    char name[64] = "", *title = word_next(&line);
    finish(f);
    f->at[0] = 0;
    const char *names = f->graphs;
    for (int i = 0, n = 0; i <= f->which && sscanf(names, " %63s%n", name, &n) == 1; i++)
        names += n;
    bool several = strpbrk(f->graphs + strspn(f->graphs, " "), " ") != NULL;
    snprintf(f->title, sizeof f->title, "%s%s%s", title, several ? ", " : "", several ? name : "");
    const struct orders *o = f->orders;
    if (*o->words) {
        size_t n = strlen(f->title);
        snprintf(f->title + n, sizeof f->title - n, ", %s", o->words);
    }
    if (o->nic) {
        size_t n = strlen(f->title);
        snprintf(f->title + n, sizeof f->title - n, ", %s%s", o->nic,
                 f->pass == PASS_AGAIN ? ", slower timers" : "");
    }
    if (o->only && !strstr(f->title, o->only)) {
        f->skipping = true;
        return;
    }
    if (++f->test == TESTS) {
        printf("not ok %s: more than %d tests\n", f->name, TESTS - 1);
        exit(1);
    }
    f->ran++;
    if (!wanted(f)) {
        f->skipping = true;
        return;
    }
    f->s = calloc(1, sizeof *f->s);
    if (!f->s)
        abort();
    bool image = f->pass == PASS_IMAGE || f->pass == PASS_AGAIN;
    f->s->machine = image ? &machine_image : &machine_hosted;
    f->s->nic = o->nic;
    f->s->patient = f->pass == PASS_AGAIN;
    mkdir("build", 0777);
    mkdir("build/test", 0777);
    const char *base = strrchr(f->name, '/');
    snprintf(f->trace, sizeof f->trace, "build/test/%.100s-%d-%ld.pcap", base ? base + 1 : f->name,
             f->line, (long)getpid());
    for (int i = 0; i < f->nhosts; i++)
        stage_host(f->s, &f->host[i]);
    const struct graph *g = graph_named(name);
    if (!g)
        stage_fail(f->s, "line %d: no graph '%s'", f->line, name);
    else {
        char words[1024];
        snprintf(words, sizeof words, "%s %s", o->words, line);
        if (stage_boot(f->s, g, words, f->trace))
            f->began = f->s->last;
    }
}

/* host NAME CARD ADDRESS via ADDRESS [MAC] */
static bool host_line(struct file *f, const char *line)
{
    struct host *h = &f->host[f->nhosts];
    unsigned a[4], b[4];
    unsigned long long m[6];
    int got;
    if (f->nhosts == HOSTS)
        return false;
    memset(h, 0, sizeof *h);
    got = sscanf(line, "%15s %d %u.%u.%u.%u via %u.%u.%u.%u %llx:%llx:%llx:%llx:%llx:%llx", h->name,
                 &h->card, &a[0], &a[1], &a[2], &a[3], &b[0], &b[1], &b[2], &b[3], &m[0], &m[1],
                 &m[2], &m[3], &m[4], &m[5]);
    if (got != 10 && got != 16)
        return false;
    h->addr = a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3];
    h->via = b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    h->mac = 0x020000000000 | (h->addr & 0xffff);
    for (int i = 0; got == 16 && i < 6; i++)
        h->mac = (i ? h->mac : 0) << 8 | m[i];
    h->arp = true;
    f->nhosts++;
    return true;
}

static bool time_read(const char *text, char **end, uint64_t *ns)
{
    double v = strtod(text, end);
    if (*end == text || v < 0 || v > 1e6)
        return false;
    *ns = (uint64_t)(v * 1e9);
    return true;
}

/* +T: after the last line; +T~U between; *: any time. Without: at once. */
static bool when(struct stage *s, char **line, uint64_t *from, uint64_t *until)
{
    char *w = *line, *end;
    uint64_t a, b;
    uint64_t early = s->machine->early_ns, late = s->machine->late_ns;
    *from = 0;
    *until = s->last + at_once_ns + late;
    if (stage_now(s) + at_once_ns + late > *until)
        *until = stage_now(s) + at_once_ns + late;
    if (*w == '*') {
        *until = s->last + 3600 * SECOND;
        *line = w + 1;
        return true;
    }
    if (*w != '+')
        return true;
    if (!time_read(w + 1, &end, &a))
        return false;
    b = a + a * TOLERANCE_PERCENT / 100 + slack_ns;
    a = a > slack_ns ? a - slack_ns : 0;
    if (*end == '~') {
        time_read(w + 1, &end, &a);
        if (!time_read(end + 1, &end, &b))
            return false;
    }
    *from = a > early ? s->last + a - early : early ? 0 : s->last;
    *until = s->last + b + late;
    *line = end;
    return true;
}

/* [TIME] HOST > PACKET, or HOST < PACKET */
static bool packet_line(struct file *f, char *line, uint64_t bump)
{
    struct stage *s = f->s;
    struct packet p;
    char why[TEXT_MAX];
    uint64_t from, until, exact = 0;
    bool timed = *line == '+';
    char *end;
    if (timed && !time_read(line + 1, &end, &exact))
        return stage_fail(s, "a time such as +0.2 expected");
    if (!when(s, &line, &from, &until))
        return stage_fail(s, "a time such as +0.2 or +0.1~0.3 expected");
    char *name = word_next(&line), *arrow = word_next(&line);
    struct host *h = host_named(s, name);
    if (!h || (strcmp(arrow, ">") != 0 && strcmp(arrow, "<") != 0))
        return stage_fail(s, "'%s %s': expected HOST > PACKET, HOST < PACKET or a command", name,
                          arrow);
    if (!packet_parse(line, &p, bump, why)) {
        free(p.data);
        return stage_fail(s, "%s", why);
    }
    bool good;
    if (*arrow == '<') {
        good = talk_expect(s, h, &p, from, until);
    } else {
        uint64_t at = s->last + exact, now = stage_now(s);
        good = *why ? stage_fail(s, "%s", why)
                    : stage_run(s, at > now ? at : now) && talk_send(s, h, &p);
        s->last = stage_now(s);
        good = good && stage_run(s, s->last);
    }
    free(p.data);
    return good;
}

/* silence T: time goes by, and nobody hears anything. */
static bool silence(struct stage *s, const char *line)
{
    char *end;
    uint64_t ns;
    if (!time_read(line, &end, &ns))
        return stage_fail(s, "silence: a time in seconds expected");
    if (!stage_run(s, stage_now(s) + ns))
        return false;
    s->last = stage_now(s);
    return stage_quiet(s);
}

static bool line_run(struct file *f, char *line, uint64_t bump);

/* for X FROM TO: LINE, with $X replaced; repeat N: LINE, where numbers with a + grow. */
static bool loop(struct file *f, char *line, bool counted)
{
    char name[16] = "", text[LINE_ROOM];
    unsigned long from = 0, to = 0;
    char *colon = strchr(line, ':');
    int got = counted ? sscanf(line, "%lu", &to) : sscanf(line, "%15s %lu %lu", name, &from, &to);
    if (!colon || got != (counted ? 1 : 3))
        return stage_fail(f->s, "expected `for X FROM TO: ...` or `repeat N: ...`");
    for (unsigned long i = from; counted ? i < to : i <= to; i++) {
        char *out = text;
        for (const char *in = colon + 1; *in && out < text + sizeof text - 24;) {
            if (!counted && *in == '$' && strncmp(in + 1, name, strlen(name)) == 0) {
                out += sprintf(out, "%lu", i);
                in += 1 + strlen(name);
            } else {
                *out++ = *in++;
            }
        }
        *out = 0;
        if (!line_run(f, text, counted ? i : 0))
            return false;
        f->s->flood = true;
    }
    f->s->flood = false;
    return true;
}

/* do NAME: the lines of that part. */
static bool part_run(struct file *f, const char *name)
{
    char text[PART_ROOM];
    for (int i = f->nparts - 1; i >= 0; i--) {
        if (strcmp(f->part[i].name, name) != 0)
            continue;
        memcpy(text, f->part[i].text, sizeof text);
        for (char *line = text, *next; *line; line = next) {
            next = line + strcspn(line, "\n");
            if (*next)
                *next++ = 0;
            char copy[LINE_ROOM];
            snprintf(copy, sizeof copy, "%s", line);
            if (!line_run(f, line, 0)) {
                snprintf(f->at, sizeof f->at, " (%.100s)", copy);
                return false;
            }
        }
        return true;
    }
    return stage_fail(f->s, "do: nothing is defined as '%s'", name);
}

static bool line_run(struct file *f, char *line, uint64_t bump)
{
    struct stage *s = f->s;
    line += strspn(line, " \t");
    char *rest = line + strcspn(line, " \t");
    size_t n = (size_t)(rest - line);
    rest += strspn(rest, " \t");
#define IS(word) (n == sizeof word - 1 && memcmp(line, word, n) == 0)
    if (IS("for") || IS("repeat"))
        return loop(f, rest, IS("repeat"));
    if (IS("expect"))
        return expect_line(s, rest);
    if (IS("allow"))
        return expect_allow(s, rest);
    if (IS("do"))
        return part_run(f, word_next(&rest));
    if (IS("silence"))
        return silence(s, rest);
    if (IS("not")) { /* not NIC..: in QEMU this cannot be tried with such cards, with `image` any */
        for (char *w = word_next(&rest); *w && *w != '#'; w = word_next(&rest))
            f->plan[f->test].elsewhere |=
                f->orders->nic && (strcmp(w, f->orders->nic) == 0 || strcmp(w, "image") == 0);
        return true;
    }
    if (IS("shutdown"))
        return stage_shutdown(s, strstr(rest, "now") ? "quit now" : "quit");
    if (IS("command")) {
        s->machine->command(s, word_next(&rest));
        return !*s->why;
    }
    if (IS("forget")) { /* what a host has heard by now */
        struct host *h = host_named(s, word_next(&rest));
        if (!h)
            return stage_fail(s, "forget: no such host");
        h->next = stage_settle(s) ? h->nheard : h->next;
        return !*s->why;
    }
    if (IS("arp")) { /* arp HOST off|on: answers by itself */
        struct host *h = host_named(s, word_next(&rest));
        if (!h)
            return stage_fail(s, "arp: no such host");
        h->arp = strcmp(word_next(&rest), "off") != 0;
        return true;
    }
#undef IS
    return packet_line(f, line, bump);
}

/* define NAME ... end: lines for `do NAME`. True: the line was one of them. */
static bool part_line(struct file *f, const char *line)
{
    char *text = f->nparts ? f->part[f->nparts - 1].text : NULL;
    if (!f->defining && strncmp(line, "define ", 7) == 0 && f->nparts < PARTS) {
        memset(&f->part[f->nparts], 0, sizeof f->part[0]);
        snprintf(f->part[f->nparts++].name, sizeof f->part[0].name, "%s", line + 7);
        f->defining = true;
        return true;
    }
    if (!f->defining)
        return false;
    if (strcmp(line, "end") == 0) {
        f->defining = false;
    } else if (strlen(text) + strlen(line) + 2 < PART_ROOM) {
        strcat(text, line);
        strcat(text, "\n");
    }
    return true;
}

static void file_line(struct file *f, char *line)
{
    char copy[LINE_ROOM], *rest = line;
    line[strcspn(line, "\n")] = 0;
    line += strspn(line, " \t");
    if (!*line || *line == '#')
        return;
    if (part_line(f, line))
        return;
    rest = line;
    snprintf(copy, sizeof copy, "%s", line);
    char *first = word_next(&rest);
    if (strcmp(first, "test") == 0) {
        begin(f, rest);
    } else if (strcmp(first, "graphs") == 0) {
        finish(f);
        f->nhosts = 0;
        rest[strcspn(rest, "#")] = 0;
        while (*rest && rest[strlen(rest) - 1] == ' ')
            rest[strlen(rest) - 1] = 0;
        snprintf(f->graphs, sizeof f->graphs, "%s", rest);
    } else if (strcmp(first, "host") == 0) {
        if (!host_line(f, rest)) {
            printf("not ok %s:%d: expected host NAME CARD ADDRESS via ADDRESS [MAC]\n", f->name,
                   f->line);
            f->failed++;
        }
    } else if (f->s && !*f->s->why && !line_run(f, copy, 0)) {
        char why[WHY];
        memcpy(why, f->s->why, sizeof why);
        snprintf(f->s->why, sizeof f->s->why, "%s:%d%s: %.800s", f->name, f->line, f->at, why);
    } else if (!f->s && !f->skipping) {
        printf("not ok %s:%d: '%s' stands before the first test\n", f->name, f->line, first);
        f->failed++;
        f->skipping = true;
    }
}

/* The whole file under the which-th of its graphs; false: it names not so many. */
static bool file_pass(struct file *f, FILE *in)
{
    char line[LINE_ROOM];
    int n = 0;
    f->line = f->nparts = 0;
    rewind(in);
    while (fgets(line, sizeof line, in)) {
        f->line++;
        file_line(f, line);
    }
    finish(f);
    for (const char *c = f->graphs; *c; c++)
        n += *c != ' ' && (c[1] == ' ' || c[1] == 0);
    return ++f->which < n;
}

static void passes(struct file *f, FILE *in, enum pass pass)
{
    f->pass = pass;
    f->test = f->which = f->ran = 0;
    while (file_pass(f, in))
        ;
}

int file_run(const char *name, const struct orders *o)
{
    static struct file f;
    FILE *in = fopen(name, "r");
    f = (struct file){.name = name, .orders = o};
    if (!in) {
        printf("not ok %s: %s\n", name, strerror(errno));
        return -1;
    }
    passes(&f, in, o->nic ? PASS_MEASURE : PASS_HERE);
    if (o->nic && !f.failed) {
        passes(&f, in, PASS_IMAGE);
        passes(&f, in, PASS_AGAIN);
    }
    fclose(in);
    if (!f.ran && !o->only) {
        printf("not ok %s: no test in it\n", name);
        f.failed++;
    }
    return f.failed;
}
