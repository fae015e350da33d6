/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that is QEMU: the image that boots, in real time. It knows nothing of the kernel but
 * frames and what the console says. Everything is given back when `quit` ends with success: the
 * kernel asserts it (kernel_end).
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/path/guest.h"
#include "tests/path/script.h"

static const char prompt[] = "\ntowpath> ";
static const uint64_t boot_ns = 30 * SECOND, answer_ns = 20 * SECOND, quit_ns = 20 * SECOND;
static const uint64_t linger_ns = 10 * MS;
enum { ROUNDS = 3 }; /* of ARP and of what follows */
/* QEMU's e1000 hears nothing for a second after a write to its receive control. */
static const uint64_t deaf_ns = SECOND + 50 * MS;
static const uint64_t awake_ns = 300 * MS; /* what an interval since never forbids is over */

struct image {
    struct guest guest;
    uint64_t start; /* CLOCK_MONOTONIC, ns */
    bool fresh;     /* a host has sent what may not have arrived, on that wire */
    int fresh_card;
    bool polls; /* frames are being handed on */
};

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t now(const struct stage *s)
{
    const struct image *m = s->in;
    return clock_ns() - m->start;
}

/* The last lines of the console, on one line. */
static bool fail(struct stage *s, const char *what)
{
    const struct image *m = s->in;
    const struct guest *g = &m->guest;
    size_t from = g->ntext > 400 ? g->ntext - 400 : 0;
    return stage_fail(s, "%s; console: %s", what, g->text + from);
}

static void carries(void *arg, int card, const uint8_t *frame, size_t n)
{
    struct stage *s = arg;
    pcapfile_add(&s->trace, now(s), frame, n);
    stage_carries(s, card, frame, n);
}

static void look(struct stage *s, uint64_t until_ns)
{
    struct image *m = s->in;
    uint64_t at = now(s);
    m->polls = true;
    guest_poll(&m->guest, until_ns > at ? until_ns - at : 0, carries, s);
    m->polls = false;
}

static bool step(struct stage *s, uint64_t until_ns)
{
    const struct image *m = s->in;
    look(s, until_ns);
    return !m->guest.ended || s->down || fail(s, "the guest has ended");
}

static bool run(struct stage *s, uint64_t until_ns)
{
    do {
        if (!step(s, until_ns))
            return false;
    } while (now(s) < until_ns && !s->down);
    return true;
}

static bool says(struct stage *s, const char *text, uint64_t limit_ns)
{
    const struct image *m = s->in;
    while (!strstr(m->guest.text, text) && now(s) < limit_ns && !m->guest.ended)
        look(s, limit_ns);
    return strstr(m->guest.text, text);
}

/* A host that is too busy to run us within 40 ms loses every race against a delayed
 * acknowledgement, and within 200 ms those against retransmissions. */
static const char *patience(const struct stage *s, const struct graph *g)
{
    for (int i = 0; s->patient && i < g->nnodes; i++)
        if (strcmp(g->nodes[i].name, "tcp") == 0)
            return "tcp.delack=400ms tcp.rtomin=1s ";
    return "";
}

static bool boot(struct stage *s, const struct graph *g, const char *words)
{
    struct image *m = s->in = calloc(1, sizeof *m);
    char settings[1024];
    if (!m)
        return stage_fail(s, "no memory");
    snprintf(settings, sizeof settings, "%s%s%s", strstr(words, "seed=") ? "" : "seed=1 ",
             patience(s, g), words);
    m->start = clock_ns();
    if (!guest_start(&m->guest, g->name, s->nic, s->ncards, settings) ||
        !says(s, "] ready\n", boot_ns))
        return fail(s, "the image does not boot");
    return stage_run(s, now(s) + (strncmp(s->nic, "e1000", 5) == 0 ? deaf_ns : awake_ns));
}

static uint64_t mac(const struct stage *s, int card)
{
    (void)s;
    return 0x525400000001 + ((uint64_t)card + 1) * 0x100;
}

/* The console's answer to an empty line: by then the kernel has seen what was sent before. */
static bool barrier(struct stage *s)
{
    struct image *m = s->in;
    m->fresh = false;
    m->guest.ntext = 0;
    m->guest.text[0] = 0;
    guest_type(&m->guest, "");
    return says(s, prompt, now(s) + answer_ns) || fail(s, "no answer from the console");
}

static bool settle(struct stage *s)
{
    for (int i = 0; i < ROUNDS && !s->down; i++)
        if (!barrier(s))
            return false;
    return run(s, now(s) + linger_ns);
}

/* In this process each frame has had its effect before the next line of the script. Here the wires
 * and the console overtake each other, so lines wait for that, floods only from wire to wire. */
static void transmit(struct stage *s, int card, const uint8_t *frame, size_t n)
{
    struct image *m = s->in;
    if (!m->polls) { /* the script's, not an answer of ARP */
        if (m->fresh && (card != m->fresh_card || !s->flood) && !barrier(s))
            return;
        m->fresh = true;
        m->fresh_card = card;
    }
    pcapfile_add(&s->trace, now(s), frame, n);
    if (!guest_send(&m->guest, card, frame, n))
        stage_fail(s, "QEMU takes no frames any more");
}

/* The console repeats what is typed, answers, and ends with a prompt; lines of the log may stand
 * before. */
static void command_run(struct stage *s, const char *line)
{
    struct image *m = s->in;
    struct guest *g = &m->guest;
    uint64_t limit = now(s) + answer_ns;
    if (m->fresh && !settle(s))
        return;
    s->text[0] = 0;
    g->ntext = 0;
    g->text[0] = 0;
    guest_type(g, line);
    if (!says(s, prompt, limit)) {
        fail(s, "no answer from the console");
        return;
    }
    char *from = strstr(g->text, line), *end = strstr(g->text, prompt);
    from = from && from < end ? from + strlen(line) + 1 : g->text;
    snprintf(s->text, sizeof s->text, "%.*s", (int)(end + 1 > from ? end + 1 - from : 0), from);
}

static uint64_t number_after(const char *text, const char *name)
{
    const char *at = text;
    size_t n = strlen(name);
    while (at && (strncmp(at, name, n) != 0 || at[n] != ' '))
        at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
    return at ? strtoull(at + n, NULL, 10) : 0;
}

static bool counts(struct stage *s, struct counts *out)
{
    command_run(s, "show drops");
    for (int i = 0; i < DROP_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "drop %s", drop_name((enum drop)i));
        out->drops[i] = number_after(s->text, name);
    }
    command_run(s, "show mem");
    out->paths = (uint32_t)number_after(s->text, "paths");
    out->flows = (uint32_t)number_after(s->text, "flows");
    out->small = (uint32_t)number_after(s->text, "msgs_small");
    out->full = (uint32_t)number_after(s->text, "msgs_full");
    return !*s->why;
}

static bool shutdown(struct stage *s, const char *line)
{
    struct image *m = s->in;
    uint64_t limit = now(s) + quit_ns;
    s->down = true;
    m->guest.ntext = 0;
    guest_type(&m->guest, line);
    while (!m->guest.ended && now(s) < limit)
        look(s, limit);
    look(s, 0); /* what its cards have sent last */
    int status = guest_end(&m->guest, !m->guest.ended);
    return status == GUEST_OK || fail(s, "`quit` did not end well");
}

static bool all_back(struct stage *s)
{
    return shutdown(s, "quit");
}

static void end(struct stage *s)
{
    struct image *m = s->in;
    if (m)
        guest_end(&m->guest, true);
    free(m);
}

const struct machine machine_image = {
    .boot = boot,
    .now = now,
    .run = run,
    .step = step,
    .mac = mac,
    .transmit = transmit,
    .settle = settle,
    .command = command_run,
    .counts = counts,
    .shutdown = shutdown,
    .all_back = all_back,
    .end = end,
    .early_ns = 150 * MS,
    .late_ns = 2 * SECOND,
    .spare = 512, /* STASH_MAX in drivers/ring.h */
};
