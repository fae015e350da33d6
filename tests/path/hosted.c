/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine that is this process: a kernel on virtual time, its wires simulated. */
#include <stdlib.h>
#include <string.h>

#include "boot/hosted/ground.h"
#include "drivers/hosted/sim.h"
#include "kernel/kernel.h"
#include "tests/console.h"
#include "tests/path/script.h"

enum { MEMORY = 32 << 20 };
/* Long enough for TIME-WAIT, half-open connections and a router's caches to go by themselves. */
static const uint64_t back_ns = 1000 * SECOND;

struct wire {
    struct stage *s;
    int card;
};

struct hosted {
    struct simworld *world;
    struct kernel *k;
    struct ground ground;
    struct simlink *link[CARDS];
    struct wire wire[CARDS];
};

static char log_text[65536];
static size_t log_used;

static void log_put(const char *text, size_t n)
{
    if (n >= sizeof log_text - log_used)
        log_used = 0;
    if (n >= sizeof log_text)
        return;
    memcpy(log_text + log_used, text, n);
    log_used += n;
    log_text[log_used] = 0;
}

static void carries(void *arg, const uint8_t *frame, size_t n)
{
    const struct wire *w = arg;
    stage_carries(w->s, w->card, frame, n);
}

static bool boot(struct stage *s, const struct graph *g, const char *words)
{
    struct hosted *h = s->in = calloc(1, sizeof *h);
    log_used = 0;
    log_text[0] = 0;
    ground_console(log_put);
    if (!h || !(h->k = calloc(1, sizeof *h->k)))
        return stage_fail(s, "no memory");
    h->world = simworld_make();
    ground_init(&h->ground, h->k, simworld_clock(h->world));
    ground_seed(&h->ground, 1);
    if (kernel_init(h->k, MEMORY) != OK)
        return stage_fail(s, "no memory");
    for (int i = 0; i < s->ncards; i++) {
        struct simlink_conf c = {
            .world = h->world, .name = i ? "b" : "a", .seed = (uint64_t)i, .trace = &s->trace};
        h->link[i] = simlink_make(&c);
        h->wire[i] = (struct wire){s, i};
        simlink_end(h->link[i], h->k, 0);
        simlink_attach(h->link[i], 1, carries, &h->wire[i]);
    }
    simworld_add(h->world, h->k);
    if (kernel_boot(h->k, g, words) != OK)
        return stage_fail(s, "graph %s does not boot:\n%s", g->name, log_text);
    /* Gratuitous ARP and the like; and a clock near 0 hides what an interval since never forbids.
     */
    return stage_run(s, 2 * SECOND);
}

struct kernel *hosted_kernel(const struct stage *s)
{
    return ((const struct hosted *)s->in)->k;
}

static uint64_t now(const struct stage *s)
{
    const struct hosted *h = s->in;
    return simworld_now(h->world);
}

static bool run(struct stage *s, uint64_t until_ns)
{
    const struct hosted *h = s->in;
    return simworld_run(h->world, until_ns) ||
           stage_fail(s, "time stands still: something answers itself for ever");
}

static bool settle(struct stage *s)
{
    return run(s, now(s));
}

static bool step(struct stage *s, uint64_t until_ns)
{
    const struct hosted *h = s->in;
    uint64_t next = simworld_next(h->world), timer = s->down ? UINT64_MAX : kernel_next(h->k);
    next = timer < next ? timer : next;
    next = next < now(s) ? now(s) : next;
    return run(s, next < until_ns ? next : until_ns);
}

static uint64_t mac(const struct stage *s, int card)
{
    const struct hosted *h = s->in;
    uint64_t v = 0;
    for (int i = 0; i < 6; i++)
        v = v << 8 | h->k->devs[card]->mac[i];
    return v;
}

static void transmit(struct stage *s, int card, const uint8_t *frame, size_t n)
{
    const struct hosted *h = s->in;
    simlink_send(h->link[card], 1, frame, n);
}

static void command_run(struct stage *s, const char *line)
{
    const struct hosted *h = s->in;
    capture_command(h->k, line, s->text, sizeof s->text);
}

static bool counts(struct stage *s, struct counts *out)
{
    const struct kernel *k = hosted_kernel(s);
    *out = (struct counts){.paths = k->paths_live,
                           .flows = k->flows.count,
                           .small = k->msgs.live[MSG_SMALL],
                           .full = k->msgs.live[MSG_FULL]};
    memcpy(out->drops, k->drops, sizeof out->drops);
    return true;
}

static bool shutdown(struct stage *s, const char *line)
{
    struct hosted *h = s->in;
    command_run(s, line);
    simworld_remove(h->world, h->k);
    s->down = true;
    kernel_end(h->k); /* asserts that all is given back */
    return stage_run(s, now(s) + MS);
}

static bool all_back(struct stage *s)
{
    struct counts is;
    if (!stage_run(s, now(s) + back_ns) || !counts(s, &is))
        return false;
    if (is.paths != s->start.paths || is.flows != s->start.flows) {
        command_run(s, "show paths");
        return stage_fail(s, "left at the end: %u paths (%u at the start), %u flows (%u)\n%.600s",
                          is.paths, s->start.paths, is.flows, s->start.flows, s->text);
    }
    return (is.small == s->start.small && is.full == s->start.full) ||
           stage_fail(s, "left at the end: %u small messages (%u at the start), %u full ones (%u)",
                      is.small, s->start.small, is.full, s->start.full);
}

static void end(struct stage *s)
{
    struct hosted *h = s->in;
    if (!h)
        return;
    if (h->k && h->world && !s->down)
        kernel_end(h->k);
    if (h->world)
        simworld_free(h->world);
    ground_pages_free();
    free(h->k);
    free(h);
}

const struct machine machine_hosted = {
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
};
