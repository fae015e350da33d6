/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosts around the kernel under test, and what has to balance at the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/path/script.h"

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
    s->machine->transmit(s, h->card, frame, n);
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

/* What random hosts wrote, a splice passes on: reserved bits, and checksums unless they are honest.
 */
static bool excused(const struct stage *s, const struct packet *p)
{
    return s->listens && (p->flaw == FLAW_BITS || (p->flaw == FLAW_SUM && !s->honest));
}

static void host_hears(struct stage *s, struct host *h, const uint8_t *frame, size_t n)
{
    char why[TEXT_MAX];
    struct packet p;
    bool good = packet_read(frame, n, &p, why), ours = !has(&p, IP_SRC);
    for (int i = 0; i < s->nhosts; i++)
        ours |= p.v[IP_SRC] == s->host[i].via;
    if (!good && s->speaks && !excused(s, &p) &&
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
    h->heard[h->nheard++] = (struct heard){stage_now(s), bytes, n};
}

/* A frame goes to the hosts of the wire it is for; one for nobody to the first, who is surprised.
 */
void stage_carries(struct stage *s, int card, const uint8_t *frame, size_t n)
{
    struct host *first = NULL;
    uint64_t to = n >= 6 ? mac_of(frame) : 0;
    bool group = to >> 40 & 1, taken = false;
    for (int i = 0; i < s->nhosts; i++) {
        struct host *h = &s->host[i];
        if (h->card != card)
            continue;
        first = first ? first : h;
        if (group || to == h->mac) {
            host_hears(s, h, frame, n);
            taken = true;
        }
    }
    if (!taken && first)
        host_hears(s, first, frame, n);
}

struct heard *host_next(struct host *h)
{
    return h->next < h->nheard ? &h->heard[h->next] : NULL;
}

bool stage_boot(struct stage *s, const struct graph *g, const char *words, const char *trace)
{
    for (int i = 0; i < g->nnodes; i++) {
        s->ncards += strcmp(g->nodes[i].module->name, "eth") == 0;
        s->speaks |= strcmp(g->nodes[i].module->name, "ip") == 0;
    }
    if (s->ncards > CARDS)
        return stage_fail(s, "graph %s does not fit these tests", g->name);
    if (trace && pcapfile_write(&s->trace, trace) != OK)
        return stage_fail(s, "no file %s", trace);
    if (!s->machine->boot(s, g, words) || !s->machine->counts(s, &s->start))
        return false;
    s->last = stage_now(s);
    s->up = true;
    return true;
}

uint64_t stage_now(const struct stage *s)
{
    return s->machine->now(s);
}

bool stage_run(struct stage *s, uint64_t until_ns)
{
    return s->machine->run(s, until_ns) && !*s->why;
}

bool stage_settle(struct stage *s)
{
    return s->machine->settle(s) && !*s->why;
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
    struct counts is;
    if (!s->machine->counts(s, &is))
        return false;
    for (int i = 0; i < DROP_COUNT; i++)
        if (is.drops[i] != s->drops[i] && !s->allowed[i])
            return stage_fail(s, "drop %s: %llu, expected %llu", drop_name((enum drop)i),
                              (unsigned long long)is.drops[i], (unsigned long long)s->drops[i]);
    return true;
}

bool stage_shutdown(struct stage *s, const char *line)
{
    return stage_settle(s) && drops_balance(s) && s->machine->shutdown(s, line);
}

bool stage_end(struct stage *s)
{
    if (s->up && !*s->why && stage_settle(s) && stage_quiet(s) && !s->down && drops_balance(s)) {
        s->over = true;
        s->machine->all_back(s);
    }
    s->over = true;
    s->machine->end(s);
    pcapfile_close(&s->trace);
    for (int i = 0; i < s->nhosts; i++)
        for (int j = 0; j < s->host[i].nheard; j++)
            free(s->host[i].heard[j].bytes);
    return !*s->why;
}
