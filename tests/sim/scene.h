/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_SCENE_H
#define TESTS_SIM_SCENE_H
/*
 * One simulated run, all of it drawn from a seed: the forwarder's graph, who the client and the
 * server are (the model host or our own TCP), the faults of both links, the connections. Owned and
 * called by run.c. Running out of memory ends the process.
 */
#include "boot/hosted/ground.h"
#include "drivers/hosted/sim.h"
#include "tests/sim/app.h"
#include "tests/sim/model.h"

enum { SCENE_CONNS = 4, SCENE_TEXT = 512 };

enum story { /* what the run is about */
             STORY_PLAIN,
             STORY_CLIENT_RESETS,
             STORY_SERVER_RESETS,
             STORY_REFUSED,
             STORY_SERVER_DOWN,
             STORY_CLIENT_GONE,
             STORY_SERVER_GONE,
             STORY_COUNT
};

struct machine { /* a kernel and its ground */
    struct kernel *k;
    struct ground ground;
    uint32_t paths, flows, timers, small, full; /* at the start */
    uint64_t path_bytes;
};

struct peer { /* client or server */
    bool is_model;
    struct model model;
    struct machine machine;
};

struct pair { /* both ends of a connection */
    struct end client, server;
    struct scene *scene;
    uint16_t client_port; /* 0: not begun */
    bool taken;           /* the server has accepted it */
    uint64_t start_ns;
};

struct scene {
    uint64_t seed;
    struct rng random;
    enum story story;
    const char *graph;
    bool faulty;      /* the links lose, damage or reorder */
    bool transparent; /* the client addresses the server, and neither sees the forwarder */
    struct simworld *world;
    struct simlink *link[2]; /* client's, server's; the forwarder is end 1 of 0 and end 0 of 1 */
    struct machine box;
    struct peer peer[2];
    struct pair pair[SCENE_CONNS + 1]; /* the last is the first of all, on clean links */
    int npairs;
    uint64_t gone_ns; /* when the host of a story vanishes, from the start of its connections */
    struct pcapfile trace[2];
    char why[SCENE_TEXT]; /* what went wrong; empty: nothing */
};

struct totals { /* of many runs, for the summary */
    uint64_t runs, conns, bytes, closed, reset, aborted, joined;
    uint64_t lost, doubled, damaged, reordered, overflowed;
    uint64_t story[STORY_COUNT], models, frames;
};

/* trace: NULL, or the beginning of the names of two capture files. False: s->why says why. */
bool scene_run(struct scene *s, uint64_t seed, const char *name, const char *trace,
               struct totals *t);
const char *story_name(enum story story);

/* plan.c's, for scene.c: draw everything. */
void plan_draw(struct scene *s);
void plan_links(struct scene *s); /* from now on the links are as bad as drawn */
void plan_links_clean(struct scene *s);
struct model_conf plan_model(struct scene *s, int side);
void plan_box(struct scene *s, char *words, size_t n); /* settings of the forwarder */
void plan_warm(struct scene *s);

#endif
