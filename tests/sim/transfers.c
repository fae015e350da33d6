/* SPDX-License-Identifier: BSD-2-Clause */
/* The reference transfers; see transfers.h. */
#include "tests/sim/transfers.h"

#define ABSORB     "firewall/absorb"
#define HOLD       "firewall/hold"
#define CONCURRENT "firewall/concurrent"

/* name, graph, bytes of client and server, buffer, mss, last, after, loss, reorder, how */
const struct transfer transfers[TRANSFERS] = {
    {"one byte each way", ABSORB, 1, 1, 65535, 1460, 1, 0, 0, 0, OPTIONS | COPY | MERGE},
    {"a question and an answer", HOLD, 300, 3000, 65535, 1460, 0, 0, 0, 0, OPTIONS | COPY | MERGE},
    {"nothing but closes", CONCURRENT, 0, 0, 65535, 1460, -1, 0, 0, 0, MERGE},
    {"upload without options", ABSORB, 6000, 0, 16384, 1460, 1, 0, 0, 0, MERGE},
    {"a splice in the middle", HOLD, 2000, 4000, 65535, 1000, -1, 3000, 0, 0,
     OPTIONS | COPY | MERGE},
    {"a large answer", ABSORB, 200, 20000, 65535, 1460, 0, 0, 0, 0, OPTIONS | COPY | MERGE},
    {"a large answer, held", HOLD, 200, 20000, 65535, 1460, 0, 0, 0, 0, OPTIONS | MERGE},
    {"a large answer, at once", CONCURRENT, 200, 20000, 65535, 1460, 0, 0, 0, 0,
     OPTIONS | COPY | MERGE},
    {"both ways at once", ABSORB, 9000, 9000, 65535, 1460, -1, 0, 0, 0, OPTIONS | COPY | MERGE},
    {"both ways, never merged", CONCURRENT, 9000, 9000, 65535, 1460, -1, 0, 0, 0, OPTIONS | COPY},
    {"a small window", HOLD, 4000, 4000, 1460, 536, 1, 0, 0, 0, MERGE},
    {"losses", ABSORB, 6000, 6000, 65535, 1460, -1, 0, 80000, 0, OPTIONS | COPY | MERGE},
    {"losses, held", HOLD, 6000, 6000, 65535, 1460, 0, 1000, 80000, 0, MERGE},
    {"losses, at once", CONCURRENT, 6000, 6000, 65535, 1460, 1, 0, 80000, 0,
     OPTIONS | COPY | MERGE},
    {"out of order", HOLD, 8000, 8000, 65535, 1460, -1, 0, 0, 200000, OPTIONS | COPY | MERGE},
    {"a fickle proxy", ABSORB, 5000, 5000, 65535, 1460, -1, 0, 0, 0,
     OPTIONS | COPY | MERGE | FICKLE},
    {"a fickle proxy, at once", CONCURRENT, 5000, 5000, 65535, 1460, 0, 0, 0, 0,
     OPTIONS | MERGE | FICKLE},
    {"transparent", ABSORB, 3000, 8000, 65535, 1460, 0, 0, 0, 0,
     OPTIONS | COPY | MERGE | TRANSPARENT},
    {"our client", HOLD, 4000, 8000, 65535, 1460, 0, 0, 0, 0, OPTIONS | COPY | MERGE | OUR_CLIENT},
    {"our server", CONCURRENT, 4000, 8000, 65535, 1460, 1, 0, 0, 0,
     OPTIONS | COPY | MERGE | OUR_SERVER},
};

static void host_plan(struct scene *s, int side, const struct transfer *t)
{
    struct model_conf *c = &s->peer[side].model.conf;
    s->peer[side].is_model = !(t->how & (side ? OUR_SERVER : OUR_CLIENT));
    c->mss = t->mss;
    c->buffer = t->buffer;
    c->flight = 8;
    c->wscale = c->stamps = c->sackok = c->dsack = t->how & OPTIONS;
    c->scale = 0;
    c->keeps = true;
    c->crooked = false;
    c->tick_ns = MS;
    c->delack_ns = 40 * MS;
    c->ordered = !t->reorder_ppm;
    c->undamaged = true;
    c->quirks = (struct quirks){0};
    c->patience = 0;
}

void transfer_plan(struct scene *s, const struct transfer *t)
{
    const struct end plain = {.abort_sent = END_NEVER_BYTES,
                              .abort_got = END_NEVER_BYTES,
                              .out_chunk = 65536,
                              .in_chunk = 65536};
    struct pair *p = &s->pair[0];
    s->story = STORY_PLAIN;
    s->faulty = false;
    s->ordered = s->undamaged = true;
    s->npairs = 1;
    s->transparent = t->how & TRANSPARENT;
    s->whims.every_ns = s->whims.late_ns = 0;
    s->whims.after = t->after;
    s->whims.copy = t->how & COPY;
    s->whims.merge = t->how & MERGE;
    s->whims.fickle = t->how & FICKLE;
    s->whims.deep = false;
    for (int i = 0; i < 2; i++)
        host_plan(s, i, t);
    p->client = p->server = plain;
    p->client.out_bytes = t->client;
    p->server.out_bytes = t->server;
    p->client.out_stream = p->server.in_stream = 1;
    p->server.out_stream = p->client.in_stream = 2;
    p->client.shut_last = t->last == 0;
    p->server.shut_last = t->last == 1;
    p->start_ns = 0;
}

void transfer_begin(struct scene *s, const struct transfer *t)
{
    for (int l = 0; l < 2; l++)
        for (int e = 0; e < 2; e++)
            *simlink_way(s->link[l], e) = (struct simway){.delay_ns = 3 * MS,
                                                          .rate_bps = 100000000,
                                                          .loss_ppm = t->loss_ppm,
                                                          .reorder_ppm = t->reorder_ppm,
                                                          .reorder_ns = 20 * MS};
}
