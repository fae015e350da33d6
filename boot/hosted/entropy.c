/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers: from Linux, or from a seed (ground_seed, or the setting `seed` when it is not 0),
 * so that a run under the virtual clock can be repeated. A Linux without entropy ends the program.
 */
#include <stdio.h>
#include <sys/random.h>

#include "boot/hosted/ground.h"
#include "kernel/kernel.h"
#include "kernel/plat.h"
#include "kernel/show.h"

void ground_seed(struct ground *g, uint64_t seed)
{
    g->seeded = true;
    rng_seed(&g->random, seed);
}

uint64_t plat_random(struct kernel *k)
{
    struct ground *g = k->plat;
    if (!g->seeded && !g->nentropy && k->conf.n && conf_number(&k->conf, "seed")) {
        ground_seed(g, conf_number(&k->conf, "seed"));
        log_note(k, "insecure: random numbers come from seed=%s", conf_text(&k->conf, "seed"));
    }
    if (g->seeded)
        return rng_next(&g->random);
    if (!g->nentropy) {
        if (getrandom(g->entropy, sizeof g->entropy, 0) != (ssize_t)sizeof g->entropy) {
            log_error(k, "Linux gives no random numbers");
            plat_exit(1);
        }
        g->nentropy = ARRAY_LEN(g->entropy);
    }
    return g->entropy[--g->nentropy];
}
