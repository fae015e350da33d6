/* SPDX-License-Identifier: BSD-2-Clause */
/* What a seed stands for: story, links, hosts, connections. Draws only, does nothing. Each draw is
 * a statement of its own: the order of two in one expression is the compiler's. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/scene.h"

enum { BOX_UNIT = 128 }; /* of the windows that the forwarder tells: it shifts by 7 */

static uint64_t between(struct scene *s, uint64_t low, uint64_t high)
{
    return low + rng_below(&s->random, high - low + 1);
}

static bool often(struct scene *s, unsigned percent)
{
    return rng_below(&s->random, 100) < percent;
}

const char *story_name(enum story story)
{
    static const char *const names[] = {"plain",       "client resets", "server resets", "refused",
                                        "server down", "client gone",   "server gone"};
    return names[story];
}

/* Two bits that are turned, one on each link, may cancel out in a checksum that nobody looks at in
 * between: so only one of the links damages. */
static void way_draw(struct scene *s, struct simway *w, bool may_damage)
{
    w->delay_ns = between(s, 20, 20000) * US;
    if (often(s, 30))
        w->jitter_ns = between(s, 1, 5000) * US;
    if (often(s, 30)) {
        w->rate_bps = between(s, 1, 100) * 1000000;
        w->queue_bytes = (uint32_t)between(s, 8000, 200000);
    }
    if (!s->faulty)
        return;
    if (often(s, 70))
        w->loss_ppm = (uint32_t)rng_below(&s->random, 200001);
    if (often(s, 50) && !s->ordered)
        w->double_ppm = (uint32_t)rng_below(&s->random, 100001);
    if (often(s, 70) && may_damage)
        w->damage_ppm = (uint32_t)rng_below(&s->random, 50001);
    if (often(s, 50) && !s->ordered) {
        w->reorder_ppm = (uint32_t)rng_below(&s->random, 200001);
        w->reorder_ns = between(s, 100, 60000) * US;
    }
}

void plan_links(struct scene *s)
{
    int damages = (int)rng_below(&s->random, 2);
    for (int l = 0; l < 2; l++)
        for (int e = 0; e < 2; e++)
            way_draw(s, simlink_way(s->link[l], e), l == damages && !s->undamaged);
}

void plan_links_clean(struct scene *s)
{
    for (int l = 0; l < 2; l++)
        for (int e = 0; e < 2; e++)
            *simlink_way(s->link[l], e) = (struct simway){.delay_ns = 50 * US};
}

struct model_conf plan_model(struct scene *s, int side)
{
    static const uint32_t buffers[] = {1,     7,     100,   536,    1460,   4096,
                                       16384, 65535, 65535, 262144, 1048576};
    static const uint32_t ticks_ms[] = {1, 1, 4, 10, 100, 1000};
    struct model_conf c = {
        .ip = side ? 0x0a000202 : 0x0a000102,
        .gateway = side ? 0x0a000201 : 0x0a000101,
        .mac = {2, 0, 0, 0, 0, (uint8_t)(side + 1)},
        .mss = 1460,
        .msl_ns = 120 * SECOND,
        .patience = s->story >= STORY_CLIENT_GONE ? 15 : 0,
    };
    if (often(s, 30))
        c.mss = (uint16_t)between(s, 216, 1460); /* spec R-BAD-29: less is not believed */
    c.flight = (uint32_t)between(s, 1, 16);
    c.wscale = often(s, 60);
    c.stamps = often(s, 50);
    c.sackok = often(s, 60);
    c.dsack = often(s, 50);
    c.keeps = often(s, 50);
    c.crooked = often(s, 30);
    c.tick_ns = ticks_ms[rng_below(&s->random, ARRAY_LEN(ticks_ms))] * MS;
    c.clock = (uint32_t)rng_next(&s->random);
    if (often(s, 50)) /* wraps in between */
        c.clock = 0U - (uint32_t)between(s, 1, 5 * SECOND / c.tick_ns + 1000);
    c.iss = (uint32_t)rng_next(&s->random);
    if (often(s, 50))
        c.iss = 0U - (uint32_t)between(s, 1, 200000);
    if (often(s, 50))
        c.scale = (uint8_t)between(s, 0, 14);
    c.ordered = s->ordered || !s->faulty;
    c.undamaged = s->undamaged || !s->faulty;
    c.buffer = buffers[rng_below(&s->random, ARRAY_LEN(buffers))];
    if (!c.wscale && c.buffer > 65535)
        c.buffer = 65535;
    while (c.scale && c.buffer >> c.scale < 4)
        c.scale--;
    if (often(s, 60))
        c.delack_ns = between(s, 1, 200) * MS;
    return c;
}

static uint64_t bytes_draw(struct scene *s)
{
    static const uint64_t most[] = {0, 1, 100, 3000, 30000, 30000, 150000};
    uint64_t m = most[rng_below(&s->random, ARRAY_LEN(most))];
    return m > 1 ? between(s, 1, m) : m;
}

static void end_draw(struct scene *s, struct end *e)
{
    *e = (struct end){.abort_sent = END_NEVER_BYTES, .abort_got = END_NEVER_BYTES};
    e->out_bytes = bytes_draw(s);
    e->out_chunk = (uint32_t)(often(s, 50) ? 65536 : between(s, 1, 3000));
    e->in_chunk = (uint32_t)(often(s, 60) ? 65536 : between(s, 1, 5000));
    if (often(s, 30))
        e->in_gap_ns = between(s, 1, 20) * MS;
    if (often(s, 25)) {
        e->out_pause_at = rng_below(&s->random, e->out_bytes + 1);
        e->out_pause_ns = between(s, 1, 30000) * MS;
    }
    if (often(s, 25)) {
        e->in_pause_at = rng_below(&s->random, 20000);
        e->in_pause_ns = between(s, 1, 60000) * MS;
    }
}

/* A tiny window, or crumbs now and then, make many bytes last for hours. */
static void end_limit(struct end *e, uint64_t limit)
{
    if (e->out_bytes > limit)
        e->out_bytes = limit;
}

static uint64_t limit_by(const struct peer *to, const struct end *reader)
{
    uint64_t limit = UINT64_MAX;
    if (to->is_model && to->model.conf.buffer < 1000)
        limit = to->model.conf.buffer * 20ULL + 20;
    if (reader->in_gap_ns && reader->in_chunk * 2000ULL < limit)
        limit = reader->in_chunk * 2000ULL;
    return limit;
}

static void pair_limit(struct scene *s, struct pair *p)
{
    end_limit(&p->client, limit_by(&s->peer[1], &p->server));
    end_limit(&p->server, limit_by(&s->peer[0], &p->client));
}

void plan_limits(struct scene *s)
{
    for (int i = 0; i < s->npairs; i++)
        pair_limit(s, &s->pair[i]);
}

static void abort_draw(struct scene *s, struct end *e, const struct end *other)
{
    if (often(s, 50))
        e->abort_sent = (int64_t)rng_below(&s->random, e->out_bytes + 1);
    else
        e->abort_got = (int64_t)rng_below(&s->random, other->out_bytes + 1);
}

void plan_pair(struct scene *s, int i)
{
    struct pair *p = &s->pair[i];
    uint64_t number = (uint64_t)i;
    end_draw(s, &p->client);
    end_draw(s, &p->server);
    p->client.out_stream = p->server.in_stream = s->seed * 16 + number * 2;
    p->server.out_stream = p->client.in_stream = s->seed * 16 + number * 2 + 1;
    p->client.shut_last = often(s, 30);
    p->server.shut_last = !p->client.shut_last && often(s, 60);
    pair_limit(s, p);
    if (s->story == STORY_CLIENT_RESETS)
        abort_draw(s, &p->client, &p->server);
    if (s->story == STORY_SERVER_RESETS)
        abort_draw(s, &p->server, &p->client);
    p->start_ns = often(s, 50) ? 0 : between(s, 1, 500) * MS;
}

void plan_warm(struct scene *s)
{
    struct pair *p = &s->pair[SCENE_CONNS];
    const struct end plain = {.abort_sent = END_NEVER_BYTES,
                              .abort_got = END_NEVER_BYTES,
                              .out_bytes = 50,
                              .out_chunk = 1000,
                              .in_chunk = 1000};
    p->client = p->server = plain;
    p->client.out_stream = p->server.in_stream = s->seed * 16 + 14;
    p->server.out_stream = p->client.in_stream = s->seed * 16 + 15;
}

void plan_long(struct scene *s, uint64_t bytes)
{
    s->story = STORY_PLAIN;
    s->faulty = false;
    s->npairs = 1;
    for (int i = 0; i < 2; i++) {
        struct model_conf *c = &s->peer[i].model.conf;
        s->peer[i].is_model = true;
        c->wscale = true;
        c->buffer = 262144;
        c->flight = 64;
        c->mss = 1460;
        c->ordered = c->undamaged = true;
        s->pair[0].client = s->pair[0].server = (struct end){.abort_sent = END_NEVER_BYTES,
                                                             .abort_got = END_NEVER_BYTES,
                                                             .out_chunk = 65536,
                                                             .in_chunk = 65536};
    }
    s->pair[0].client.out_bytes = bytes;
    s->pair[0].server.out_bytes = 100;
    s->pair[0].client.out_stream = s->pair[0].server.in_stream = 1;
    s->pair[0].server.out_stream = s->pair[0].client.in_stream = 2;
}

/* By how much the edges that a host hears of may be off, for they are told in units of the other
 * host and of the forwarder. */
void plan_units(struct scene *s)
{
    for (int i = 0; i < 2; i++) {
        const struct peer *other = &s->peer[!i];
        bool scales = !other->is_model || other->model.conf.wscale;
        uint32_t unit = other->is_model && scales ? 1U << other->model.conf.scale : 1;
        s->peer[i].model.conf.slack = unit + BOX_UNIT;
        s->peer[i].model.conf.beyond = scales ? BOX_UNIT - 1 : 0;
    }
}

/* Commands come by time, connections by bytes: from a few to hundreds on a connection. */
static void whims_draw(struct scene *s)
{
    static const uint64_t every_us[] = {100, 300, 1000, 5000, 20000, 100000, 1000000, 10000000};
    struct whims *w = &s->whims;
    rng_seed(&w->random, rng_next(&s->random));
    if (often(s, 60)) {
        w->every_ns = every_us[rng_below(&s->random, ARRAY_LEN(every_us))] * US;
        w->left = (uint32_t)(often(s, 50) ? between(s, 1, 20) : between(s, 20, 600));
    }
    if (often(s, 30))
        w->late_ns = between(s, 1, 10000) * MS;
    if (often(s, 20))
        w->after = (uint32_t)between(s, 1, 20000);
    w->copy = often(s, 50);
    w->merge = often(s, 70);
    w->fickle = often(s, 30);
    w->deep = often(s, 15);
    if (!w->deep)
        return;
    w->fickle = true;
    struct end *from = often(s, 50) ? &s->pair[0].client : &s->pair[0].server;
    struct end *to = from == &s->pair[0].client ? &s->pair[0].server : &s->pair[0].client;
    from->out_bytes = between(s, 80000, 300000);
    from->out_chunk = 65536;
    to->in_chunk = 65536;
    to->in_gap_ns = 0;
    to->in_pause_at = rng_below(&s->random, 60000);
    to->in_pause_ns = between(s, 100, 5000) * MS;
    end_limit(from, limit_by(&s->peer[from == &s->pair[0].client], to));
}

void plan_draw(struct scene *s)
{
    unsigned story = (unsigned)rng_below(&s->random, 100);
    s->story = story < 66   ? STORY_PLAIN
               : story < 75 ? STORY_CLIENT_RESETS
               : story < 84 ? STORY_SERVER_RESETS
               : story < 88 ? STORY_REFUSED
               : story < 92 ? STORY_SERVER_DOWN
               : story < 96 ? STORY_CLIENT_GONE
                            : STORY_SERVER_GONE;
    s->faulty = often(s, 80);
    s->ordered = often(s, 30);
    s->undamaged = often(s, 30);
    s->npairs = (int)between(s, 1, SCENE_CONNS);
    s->gone_ns = between(s, 0, 3000) * MS;
    s->transparent = often(s, 25);
    for (int i = 0; i < 2; i++) {
        s->peer[i].is_model = often(s, 50);
        s->peer[i].model.conf = plan_model(s, i);
    }
    for (int i = 0; i < s->npairs; i++)
        plan_pair(s, i);
    whims_draw(s);
}

/* Nobody gives up for lost segments, however long they take (an echo that was delayed by a lost
 * acknowledgement makes time-outs of a minute, RFC 7323 4.1), but in the stories that do not end by
 * FIN: there a reset may be lost, and only time clears up. */
static void splice_words(const struct scene *s, char *words, size_t n)
{
    static const char *const drains[] = {
        [TREAT_ABSORB] = "absorb", [TREAT_HOLD] = "hold", [TREAT_CONCURRENT] = "concurrent"};
    const struct whims *w = &s->whims;
    if (s->treatment == TREAT_OFF)
        snprintf(words, n, " splice=off");
    if (s->treatment > TREAT_OFF)
        snprintf(words, n,
                 " fwd.drain=%s fwd.unsplice=%s fwd.merge=%s fwd.waiting=240s plug.after=%u%s",
                 drains[s->treatment], w->copy ? "copy" : "wait", w->merge ? "on" : "off", w->after,
                 w->late_ns ? " fwd.splice=off" : "");
}

void plan_box(struct scene *s, char *words, size_t n)
{
    static const char *const policies[] = {"fifo", "share", "edf"};
    bool vanishes = s->story >= STORY_SERVER_DOWN, ends = s->story != STORY_PLAIN;
    bool loose = s->faults.loose || s->faults.on[FAULT_REBOOT];
    const char *long_idle = loose ? "7200s" : "90h";
    const char *policy = policies[rng_below(&s->random, 3)];
    bool stamps = often(s, 70), sack = often(s, 70), small_out = often(s, 30) || s->whims.deep;
    bool small_in = often(s, 30) || s->whims.deep;
    snprintf(words, n,
             "paths=256 flows=1024 sched=%s msl=120s connect=%s giveup=%s idle=%s halfidle=%s "
             "tcp.timestamps=%s tcp.sack=%s tcp.sndbuf=%s tcp.rcvbuf=%s%s",
             policy, vanishes ? "30s" : "3600s",
             vanishes ? "120s"
             : loose  ? "3600s"
                      : "90h",
             ends ? "300s" : long_idle, ends ? "300s" : long_idle, stamps ? "on" : "off",
             sack ? "on" : "off", small_out ? "4k" : "128k", small_in ? "4k" : "128k",
             s->transparent ? " plug.listen=*:8080 plug.to=none plug.transparent=on" : "");
    splice_words(s, words + strlen(words), n - strlen(words));
}
