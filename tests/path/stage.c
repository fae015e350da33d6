/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel under test, its wires and hosts, and what has to balance at the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/console.h"
#include "tests/path/script.h"

enum { MEMORY = 32 << 20 };
/* Long enough for TIME-WAIT, half-open connections and a router's caches to go by themselves. */
static const uint64_t settle_ns = 1000 * SECOND;

bool stage_fail(struct stage *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!*s->why)
        vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    return false;
}

struct host *host_named(struct stage *s, const char *name)
{
    for (int i = 0; i < s->nhosts; i++)
        if (strcmp(s->host[i].name, name) == 0)
            return &s->host[i];
    return NULL;
}

void stage_host(struct stage *s, const struct host *h)
{
    s->host[s->nhosts++] = *h;
}

static uint64_t mac_of(const uint8_t *at)
{
    uint64_t v = 0;
    for (int i = 0; i < 6; i++)
        v = v << 8 | at[i];
    return v;
}

void host_transmit(struct stage *s, struct host *h, const uint8_t *frame, size_t n)
{
    if (n > 14 && frame[12] == 8 && frame[13] == 0) {
        h->nsent = n - 14;
        memcpy(h->sent, frame + 14, n - 14);
    }
    simlink_send(s->link[h->card], 1, frame, n);
}

static void arp_answer(struct stage *s, struct host *h, const struct packet *ask)
{
    struct packet p = {.top = L_ARP};
    uint8_t frame[PACKET_MAX];
    set(&p, ETH_SRC, h->mac);
    set(&p, ETH_DST, ask->v[ARP_SHA]);
    set(&p, ARP_OP, 2);
    set(&p, ARP_SPA, h->addr);
    set(&p, ARP_THA, ask->v[ARP_SHA]);
    set(&p, ARP_TPA, ask->v[ARP_SPA]);
    host_transmit(s, h, frame, packet_build(&p, frame));
}

static void host_hears(struct stage *s, struct host *h, const uint8_t *frame, size_t n)
{
    char why[TEXT_MAX];
    struct packet p;
    bool good = packet_read(frame, n, &p, why), ours = !has(&p, IP_SRC);
    for (int i = 0; i < s->nhosts; i++)
        ours |= p.v[IP_SRC] == s->host[i].via;
    if (!good && s->speaks &&
        (ours || p.top < L_IP)) /* what is only forwarded is its sender's business */
        stage_fail(s, "%s got a frame that no kernel may send: %s", h->name, why);
    if (h->arp && p.top == L_ARP) {
        if (good && p.v[ARP_OP] == 1 && p.v[ARP_TPA] == h->addr && p.v[ARP_SPA] != h->addr)
            arp_answer(s, h, &p);
        return;
    }
    if (s->over)
        return;
    if (h->nheard == FRAMES) {
        stage_fail(s, "%s got more than %d frames", h->name, FRAMES);
        return;
    }
    uint8_t *bytes = malloc(n);
    if (!bytes)
        abort();
    memcpy(bytes, frame, n);
    h->heard[h->nheard++] = (struct heard){simworld_now(s->world), bytes, n};
}

struct wire {
    struct stage *s;
    int card;
};

/* A frame goes to the hosts of the wire it is for; one for nobody to the first, who is surprised.
 */
static void wire_carries(void *arg, const uint8_t *frame, size_t n)
{
    const struct wire *w = arg;
    struct host *first = NULL;
    uint64_t to = n >= 6 ? mac_of(frame) : 0;
    bool group = to >> 40 & 1, taken = false;
    for (int i = 0; i < w->s->nhosts; i++) {
        struct host *h = &w->s->host[i];
        if (h->card != w->card)
            continue;
        first = first ? first : h;
        if (group || to == h->mac) {
            host_hears(w->s, h, frame, n);
            taken = true;
        }
    }
    if (!taken && first)
        host_hears(w->s, first, frame, n);
}

struct heard *host_next(struct host *h)
{
    return h->next < h->nheard ? &h->heard[h->next] : NULL;
}

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

bool stage_boot(struct stage *s, const struct graph *g, const char *cmdline, const char *trace)
{
    static struct wire wires[CARDS];
    int ncards = 0;
    log_used = 0;
    log_text[0] = 0;
    ground_console(log_put);
    s->world = simworld_make();
    s->k = calloc(1, sizeof *s->k);
    if (!s->k || pcapfile_write(&s->trace, trace) != OK)
        return stage_fail(s, "no memory, or no file %s", trace);
    ground_init(&s->ground, s->k, simworld_clock(s->world));
    ground_seed(&s->ground, 1);
    for (int i = 0; i < g->nnodes; i++)
        ncards += strcmp(g->nodes[i].module->name, "eth") == 0;
    s->speaks = false;
    for (int i = 0; i < g->nnodes; i++)
        s->speaks |= strcmp(g->nodes[i].module->name, "ip") == 0;
    if (ncards > CARDS || kernel_init(s->k, MEMORY) != OK)
        return stage_fail(s, "graph %s does not fit these tests", g->name);
    for (int i = 0; i < ncards; i++) {
        struct simlink_conf c = {
            .world = s->world, .name = i ? "b" : "a", .seed = (uint64_t)i, .trace = &s->trace};
        s->link[i] = simlink_make(&c);
        wires[i] = (struct wire){s, i};
        simlink_end(s->link[i], s->k, 0);
        simlink_attach(s->link[i], 1, wire_carries, &wires[i]);
    }
    simworld_add(s->world, s->k);
    if (kernel_boot(s->k, g, cmdline) != OK)
        return stage_fail(s, "graph %s does not boot:\n%s", g->name, log_text);
    if (!stage_run(s, 10 * MS)) /* gratuitous ARP and the like */
        return false;
    s->last = simworld_now(s->world);
    s->start.paths = s->k->paths_live;
    s->start.flows = s->k->flows.count;
    s->start.small = s->k->msgs.live[MSG_SMALL];
    s->start.full = s->k->msgs.live[MSG_FULL];
    return true;
}

bool stage_run(struct stage *s, uint64_t until_ns)
{
    if (!simworld_run(s->world, until_ns))
        return stage_fail(s, "time stands still: something answers itself for ever");
    return !*s->why;
}

bool stage_quiet(struct stage *s)
{
    for (int i = 0; i < s->nhosts; i++) {
        struct heard *f = host_next(&s->host[i]);
        struct packet p;
        char text[512], why[TEXT_MAX];
        if (!f)
            continue;
        packet_read(f->bytes, f->n, &p, why);
        packet_text(&p, text, sizeof text);
        return stage_fail(s, "%s got what was not expected: %s", s->host[i].name, text);
    }
    return true;
}

static bool drops_balance(struct stage *s)
{
    for (int i = 0; i < DROP_COUNT; i++)
        if (s->k->drops[i] != s->drops[i] && !s->allowed[i])
            return stage_fail(s, "drop %s: %llu, expected %llu", drop_name((enum drop)i),
                              (unsigned long long)s->k->drops[i], (unsigned long long)s->drops[i]);
    return true;
}

static bool pools_balance(struct stage *s)
{
    const struct kernel *k = s->k;
    if (k->paths_live != s->start.paths || k->flows.count != s->start.flows)
        return stage_fail(s, "left at the end: %u paths (%u at the start), %u flows (%u)\n%s",
                          k->paths_live, s->start.paths, k->flows.count, s->start.flows,
                          stage_command(s, "show paths"));
    if (k->msgs.live[MSG_SMALL] != s->start.small || k->msgs.live[MSG_FULL] != s->start.full)
        return stage_fail(
            s, "left at the end: %u small messages (%u at the start), %u full ones (%u)",
            k->msgs.live[MSG_SMALL], s->start.small, k->msgs.live[MSG_FULL], s->start.full);
    return true;
}

bool stage_shutdown(struct stage *s, const char *line)
{
    stage_command(s, line);
    simworld_remove(s->world, s->k);
    s->down = true;
    kernel_end(s->k); /* asserts that all is given back */
    return stage_run(s, simworld_now(s->world) + MS);
}

bool stage_end(struct stage *s)
{
    bool booted = s->k && s->k->graph && !*s->why;
    if (booted && stage_quiet(s) && drops_balance(s) && !s->down) {
        s->over = true;
        if (stage_run(s, simworld_now(s->world) + settle_ns))
            pools_balance(s);
    }
    s->over = true;
    if (s->k && !s->down)
        kernel_end(s->k);
    simworld_free(s->world);
    ground_pages_free();
    pcapfile_close(&s->trace);
    for (int i = 0; i < s->nhosts; i++)
        for (int j = 0; j < s->host[i].nheard; j++)
            free(s->host[i].heard[j].bytes);
    free(s->k);
    return !*s->why;
}

const char *stage_command(struct stage *s, const char *line)
{
    return capture_command(s->k, line, s->text, sizeof s->text);
}
