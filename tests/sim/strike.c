/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of a moment: one of those that the run has, at random times until the calm. What does not
 * end by itself ends with it (faults_calm, faults_memory_back). */
#include <stdio.h>
#include <string.h>

#include "kernel/show.h"
#include "tests/sim/alloc.h"
#include "tests/sim/scene.h"

enum { LONGEST_S = 600, PAUSE_S = 5, STORM = 2000, CLOGS = 4 };

static uint64_t draw(struct scene *s, uint64_t n)
{
    return rng_below(&s->faults.random, n);
}

/* 1 ms to `most`, not beyond the calm. */
static uint64_t until(struct scene *s, uint64_t most)
{
    uint64_t now = simworld_now(s->world), limit = (uint64_t)MS << draw(s, 20);
    uint64_t at = now + MS + draw(s, limit < most ? limit : most);
    return at < s->faults.calm_at ? at : s->faults.calm_at;
}

/* --- links --- */

static void link_set(struct scene *s, int l, int end, bool down)
{
    if (!s->dead[l])
        simlink_way(s->link[l], end)->down = down;
}

static void link_up(void *arg)
{
    const struct faults_side *side = arg;
    for (int e = 0; e < 2; e++) {
        link_set(side->scene, side->link, e, false);
        simlink_way(side->scene->link[side->link], e)->mtu = 0;
        simcard_carrier(side->scene->link[side->link], e, true);
    }
}

static void link_down(struct scene *s)
{
    int l = (int)draw(s, 2), way = (int)draw(s, 3);
    for (int e = 0; e < 2; e++)
        if (way != e)
            link_set(s, l, e, true);
    simworld_at(s->world, until(s, LONGEST_S * SECOND), link_up, &s->side[l]);
}

static void link_clog(void *arg)
{
    const struct faults_side *side = arg;
    for (int e = 0; e < 2 && !side->scene->faults.calm; e++)
        link_set(side->scene, side->link, e, true);
}

/* Down one after the other, and up again in an order of their own. */
static void links_clog(struct scene *s)
{
    for (int i = 0; i < CLOGS; i++) {
        int l = (int)draw(s, 2);
        uint64_t from = until(s, SECOND), to = until(s, 60 * SECOND);
        simworld_at(s->world, from, link_clog, &s->side[l]);
        simworld_at(s->world, to > from ? to : from + 1, link_up, &s->side[l]);
    }
}

static void narrow(struct scene *s)
{
    int l = (int)draw(s, 2);
    uint32_t mtu = 576 + (uint32_t)draw(s, 900);
    for (int e = 0; e < 2; e++)
        simlink_way(s->link[l], e)->mtu = mtu;
}

static void flap(struct scene *s)
{
    int l = (int)draw(s, 2);
    simcard_carrier(s->link[l], !l, false);
    simworld_at(s->world, until(s, PAUSE_S * SECOND), link_up, &s->side[l]);
}

/* --- the forwarder's cards, its clock, its memory --- */

static void nothing(void *arg)
{
    (void)arg;
}

static void storm(struct scene *s)
{
    for (uint64_t i = 0; i < STORM; i++)
        simworld_at(s->world, simworld_now(s->world) + i * US, nothing, NULL);
}

void faults_memory_back(void *arg)
{
    struct scene *s = arg;
    struct kernel *k = s->box.k;
    for (uint32_t i = 0; i < k->paths_size; i++)
        if (path_at(k, i))
            path_at(k, i)->pool.limit = 2 * k->path_pool_limit; /* as of two that were joined */
    for (int c = 0; c < MSG_CLASSES; c++)
        k->msgs.limit[c] = s->box.msgs_limit[c];
    k->paths_limit = s->box.paths_limit;
    msgq_free(&s->box.taken);
}

/* No buffer is carved any more, and those that are free but a few are somebody else's. */
static void store(struct scene *s)
{
    struct kernel *k = s->box.k;
    allocs.k = NULL;
    for (int c = 0; c < MSG_CLASSES; c++) {
        k->msgs.limit[c] = k->msgs.total[c];
        for (uint64_t left = draw(s, 6) + k->msgs.live[c]; k->msgs.total[c] > left; left++)
            msgq_push(&s->box.taken, msg_alloc_class(&k->pool, (enum msg_class)c));
    }
    allocs.k = k;
}

static void pools(struct scene *s)
{
    struct kernel *k = s->box.k;
    for (uint32_t i = 0; i < k->paths_size; i++) {
        struct path *p = path_at(k, i);
        if (p)
            p->pool.limit = p->pool.used + (uint32_t)draw(s, 2000);
    }
}

static void settings(struct scene *s)
{
    static const char *const words[] = {"set fwd.drain=absorb",
                                        "set fwd.drain=hold",
                                        "set fwd.drain=concurrent",
                                        "set fwd.unsplice=wait",
                                        "set fwd.unsplice=copy",
                                        "set fwd.merge=on",
                                        "set fwd.merge=off",
                                        "set fwd.splice=off",
                                        "set fwd.splice=on",
                                        "set plug.splice=off",
                                        "set plug.splice=on",
                                        "show paths",
                                        "show settings",
                                        "show nodes",
                                        "splice all",
                                        "unsplice all"};
    if (s->treatment > TREAT_OFF)
        scene_say(s, words[draw(s, ARRAY_LEN(words))]);
}

static bool strike_one(struct scene *s, enum fault f)
{
    struct kernel *k = s->box.k;
    int l = (int)draw(s, 2);
    switch (f) {
    case FAULT_DOWN:
        link_down(s);
        break;
    case FAULT_CLOG:
        links_clog(s);
        break;
    case FAULT_NARROW:
        narrow(s);
        return false; /* counted when a frame is too long */
    case FAULT_FLAP:
        flap(s);
        break;
    case FAULT_DEAF:
        simcard_deaf(s->link[l], !l, until(s, PAUSE_S * SECOND));
        break;
    case FAULT_STUCK:
        simcard_stuck(s->link[l], !l, until(s, PAUSE_S * SECOND));
        break;
    case FAULT_RESET:
        simcard_reset(s->link[l], !l);
        break;
    case FAULT_STORM:
        storm(s);
        break;
    case FAULT_SLEEP:
        simworld_sleep(s->world, k, until(s, 30 * SECOND));
        break;
    case FAULT_JUMP:
        simworld_jump(s->world, k, draw(s, 30 * SECOND));
        break;
    case FAULT_NTH:
        allocs.nth = allocs.count + 1 + draw(s, 500);
        break;
    case FAULT_STORE:
        store(s);
        simworld_at(s->world, until(s, PAUSE_S * SECOND), faults_memory_back, s);
        break;
    case FAULT_POOL:
        pools(s);
        simworld_at(s->world, until(s, PAUSE_S * SECOND), faults_memory_back, s);
        break;
    case FAULT_PATHS:
        k->paths_limit = k->paths_live + (uint32_t)draw(s, 4);
        simworld_at(s->world, until(s, 60 * SECOND), faults_memory_back, s);
        break;
    case FAULT_SET:
        settings(s);
        break;
    default:
        return false;
    }
    return true;
}

static void strike(void *arg)
{
    struct scene *s = arg;
    struct faults *f = &s->faults;
    enum fault which[FAULT_COUNT];
    uint64_t n = 0;
    if (f->calm || !s->box.k)
        return;
    for (int i = 0; i < FAULT_COUNT; i++)
        if (f->on[i])
            which[n++] = (enum fault)i;
    if (n) {
        enum fault one = which[draw(s, n)];
        f->struck[one] += strike_one(s, one);
        simworld_at(s->world, simworld_now(s->world) + draw(s, 2 * f->every_ns) + 1, strike, s);
    }
}

/* --- a host forgets everything, and its ports begin again --- */

static void reboot(void *arg)
{
    struct scene *s = arg;
    struct faults *f = &s->faults;
    bool now = true;
    for (int i = 0; i < s->npairs; i++) {
        const struct pair *p = &s->pair[i];
        if (p->client_port && !p->taken && !end_over(&p->client))
            now = false; /* the server would take an old connection for a new one */
    }
    if (!now && !f->calm) {
        simworld_at(s->world, simworld_now(s->world) + 100 * MS, reboot, s);
        return;
    }
    if (now) {
        f->struck[FAULT_REBOOT]++;
        for (int i = 0; i < s->npairs; i++)
            if (s->pair[i].client_port) {
                s->pair[i].rebooted = true;
                s->pair[i].client_port = s->pair[i].box_port = 0;
            }
        model_reboot(&s->peer[f->rebooter].model);
    }
    scene_begin(s);
}

void faults_moments(struct scene *s)
{
    struct faults *f = &s->faults;
    uint64_t now = simworld_now(s->world);
    simworld_at(s->world, now + draw(s, f->every_ns) + 1, strike, s);
    if (f->on[FAULT_REBOOT])
        simworld_at(s->world, now + f->reboot_ns, reboot, s);
}
