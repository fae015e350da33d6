/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hours of virtual time in which connections come and go: rounds of several waves, each drawn anew,
 * over the same links and hosts. After each round all that lives is as at the start; after half of
 * the time what the forwarder has taken does not grow by a byte. The first half makes its tables as
 * large as they ever get; message storage is carved beforehand, for how much of it is needed at
 * once is chance.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/scene.h"

enum { WAVES = 5, SETTLE_S = 600 };

static void carve_all(struct kernel *k)
{
    struct msgq all = {0};
    for (int c = 0; c < MSG_CLASSES; c++)
        for (struct msg *m; (m = msg_alloc_class(&k->pool, (enum msg_class)c));)
            msgq_push(&all, m);
    msgq_free(&all);
}

static void wave(struct scene *s)
{
    for (int i = 0; i < s->npairs; i++) {
        memset(&s->pair[i], 0, sizeof s->pair[i]);
        plan_pair(s, i);
    }
    plan_limits(s);
    whims_init(s);
    scene_wave(s);
}

void scene_soak(struct scene *s)
{
    uint64_t begun = simworld_now(s->world), length = s->job->soak_hours * 3600 * SECOND;
    uint64_t rounds = 0, conns = 0, bytes = 0;
    size_t pages = 0;
    carve_all(s->box.k);
    for (int i = 0; i < 2; i++)
        if (s->peer[i].machine.k)
            carve_all(s->peer[i].machine.k);
    while (!s->why[0] && simworld_now(s->world) - begun < length) {
        for (int w = 0; w < WAVES && !s->why[0]; w++) {
            wave(s);
            conns += (uint64_t)s->npairs;
        }
        scene_run_for(s, SETTLE_S * SECOND);
        machine_check(s, &s->box, "forwarder");
        rounds++;
        if (simworld_now(s->world) - begun < length / 2)
            bytes = 0;
        else if (!bytes)
            bytes = s->box.k->pool.used, pages = ground_pages_used();
        else if (s->box.k->pool.used != bytes || ground_pages_used() != pages)
            scene_fail(s, "its memory has drifted", "forwarder", 0);
    }
    printf(
        "soak %llu virtual hours, %llu rounds, %llu connections: %llu bytes of pool, %zu of pages, "
        "then %u and %zu\n",
        (unsigned long long)s->job->soak_hours, (unsigned long long)rounds,
        (unsigned long long)conns, (unsigned long long)bytes, pages, s->box.k->pool.used,
        ground_pages_used());
}
