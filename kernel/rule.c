/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trying rules on a path that does not run. The first rule whose guard agrees acts; then all are
 * tried again, for one rewrite may make the next possible. Each application is written into a
 * bounded ring (`show path N` prints it) with what the path had carried until then.
 */
#include "kernel/rule.h"

#include "kernel/kernel.h"
#include "kernel/plat.h"
#include "kernel/show.h"

enum { RULES_IN_A_ROW = 8 }; /* two rules that undo each other must not spin */

void path_note(struct path *p, enum note what)
{
    p->work->notes |= (uint8_t)what;
    sched_ready(p->pool.k, p);
}

static void history_add(struct kernel *k, const struct path *p, const struct rule *rule,
                        uint64_t cycles)
{
    const struct work *w = p->work;
    k->history[k->nhistory++ % RULE_HISTORY] = (struct rule_event){
        .ns = k->now,
        .cycles = cycles,
        .path = p->id,
        .rule = rule,
        .msgs = w ? w->msgs[AB] + w->msgs[BA] : 0,
        .bytes = w ? w->bytes[AB] + w->bytes[BA] : 0,
    };
}

static bool rule_apply(struct kernel *k, struct path *p, const struct rule *rule)
{
    struct span at = {0, 0};
    if (!rule->guard(p, &at))
        return false;
    uint64_t begin = plat_cycles();
    status_t status = rule->action(p, at);
    if (status == E_AGAIN) { /* something must happen first; tried again after the next run */
        path_note(p, (enum note)rule->when);
        return false;
    }
    if (status != OK) {
        log_note(k, "path %u: rule %s: %s", path_number(p), rule->name, status_name(status));
        return false;
    }
    history_add(k, p, rule, plat_cycles() - begin);
    return true;
}

void rule_try(struct kernel *k, struct path *p, unsigned notes)
{
    for (int i = 0; i < RULES_IN_A_ROW; i++) {
        bool any = false;
        for (const struct rule *const *r = k->graph->rules; r && *r && !any; r++)
            any = !(p->flags & PATH_DYING) && (*r)->when & notes && rule_apply(k, p, *r);
        if (!any)
            return;
    }
}
