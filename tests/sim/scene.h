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
#include "modules/tcp/splice.h"
#include "tests/sim/app.h"
#include "tests/sim/faults.h"
#include "tests/sim/model.h"
#include "tests/sim/wire.h"

enum { SCENE_CONNS = 4, SCENE_TEXT = 512 };

enum treatment { /* how the forwarder splices; TREAT_NONE: its graph cannot */
                 TREAT_NONE,
                 TREAT_OFF,
                 TREAT_ABSORB,
                 TREAT_HOLD,
                 TREAT_CONCURRENT,
                 TREAT_COUNT
};

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
    uint64_t clock; /* if it has one of its own */
    uint32_t msgs_limit[MSG_CLASSES], paths_limit;
    struct msgq taken; /* buffers that a fault keeps from it */
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
    uint16_t box_port;    /* the forwarder's towards the server; 0: not known yet */
    bool begun, taken;    /* the client was told to connect; the server has accepted it */
    bool rebooted;        /* one of its hosts has forgotten it */
    bool loose;           /* it may end by a reset */
    uint64_t start_ns;
};

/* What happens to the splices of a run: the same for all treatments of a seed. */
struct whims {
    struct rng random;
    uint64_t every_ns;    /* between two commands on average; 0: none */
    uint32_t left;        /* commands still to come */
    uint64_t late_ns;     /* until then nothing is spliced; 0: at once */
    bool copy, merge;     /* settings of the fwd node */
    uint32_t after;       /* and of the proxy: bytes before it may be spliced */
    bool deep;            /* small buffers, many bytes: all of them fill up */
    bool fickle;          /* the proxy changes its mind (fickle.c) */
    uint64_t commands[2]; /* given so far: splice, unsplice */
};

struct scene_job;

struct scene {
    uint64_t seed;
    const struct scene_job *job;
    struct rng random;
    enum story story;
    enum treatment treatment;
    const char *graph;
    bool faulty;             /* the links lose, damage or reorder */
    bool ordered, undamaged; /* but not so */
    bool transparent;        /* the client addresses the server, and neither sees the forwarder */
    struct simworld *world;
    struct simlink *link[2]; /* client's, server's; the forwarder is end 1 of 0 and end 0 of 1 */
    struct machine box;
    struct peer peer[2];
    struct pair pair[SCENE_CONNS + 1]; /* the last is the first of all, on clean links */
    int npairs;
    uint64_t gone_ns; /* when the host of a story vanishes, from the start of its connections */
    struct whims whims;
    struct faults faults;
    struct faults_side side[2];
    bool dead[2];   /* that link is down for good */
    bool forgiving; /* nothing is judged now */
    struct wire wire;
    uint64_t hash; /* of every frame, when and where */
    struct pcapfile trace[2];
    char why[SCENE_TEXT]; /* what went wrong; empty: nothing */
};

struct totals { /* of many runs, for the summary */
    uint64_t runs, conns, bytes, closed, reset, aborted, rules;
    uint64_t lost, doubled, damaged, reordered, overflowed;
    uint64_t story[STORY_COUNT], models, frames;
    uint64_t commands[2];
    uint64_t sum; /* of what the plain stories delivered, by seed: the same for all treatments */
    struct splice_stats splices;
    uint64_t struck[FAULT_COUNT], hash;
};

struct scene_job {
    const char *graph; /* or one that can splice and a treatment: "firewall/hold" */
    const char *trace; /* NULL, or the beginning of the names of two capture files */
    bool faults;
    void (*planned)(struct scene *s); /* NULL, or who changes what the seed stands for */
    void (*begun)(struct scene *s);   /* NULL, or who is told that the connections begin now */
    uint64_t soak_hours;              /* for so long connections come and go; 0: once */
    uint64_t bytes;                   /* one connection, that long; 0: as drawn */
};

/* False: s->why says why. */
bool scene_run(struct scene *s, uint64_t seed, const struct scene_job *job, struct totals *t);
extern const char *scene_settings; /* more settings of the forwarder, for who looks for a fault */
const char *story_name(enum story story);
const char *treatment_name(enum treatment t);

/* judge.c's, for scene.c: what must hold. */
void machine_note(struct machine *h); /* what it has now is what it shall have at the end */
void machine_check(struct scene *s, const struct machine *h, const char *who);
void judge_pair(struct scene *s, struct pair *p, int i);
void judge_peers(struct scene *s);
int scene_gone(const struct scene *s); /* the host that vanishes; -1: none */

/* plan.c's, for scene.c: draw everything. */
void plan_draw(struct scene *s);
void plan_long(struct scene *s, uint64_t bytes); /* one long connection */
void plan_pair(struct scene *s, int i);
void plan_units(struct scene *s); /* what the model hosts may rely on, */
void plan_limits(
    struct scene *s);             /* and how many bytes are enough, once it is known who they are */
void plan_links(struct scene *s); /* from now on the links are as bad as drawn */
void plan_links_clean(struct scene *s);
struct model_conf plan_model(struct scene *s, int side);
void plan_box(struct scene *s, char *words, size_t n); /* settings of the forwarder */
void plan_warm(struct scene *s);

/* whims.c's, for scene.c: commands and changes of mind begin with the connections. */
void whims_init(struct scene *s);
void whims_begin(struct scene *s);
void whims_count(const struct scene *s, struct totals *t);
/* An operator types that on the forwarder's console. */
void scene_say(struct scene *s, const char *line);
void scene_run_for(struct scene *s, uint64_t ns);
void scene_wave(struct scene *s);  /* its connections, from begin to end */
void scene_soak(struct scene *s);  /* soak.c's, for scene.c */
void scene_begin(struct scene *s); /* connections that have not begun do, each at its time */
/* fail(), for the other files. */
void scene_fail(struct scene *s, const char *what, const char *who, int i);
bool scene_over(const struct scene *s); /* all connections but the first have ended */
/* The path of that connection, or of its client's half; NULL: none. */
struct path *scene_path(const struct scene *s, const struct pair *p);
/* Its stage that works on records only; -1: none. */
int scene_final(const struct path *p);

#endif
