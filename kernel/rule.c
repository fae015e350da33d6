/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trying rules on a path that does not run. The first rule whose guard agrees acts; then all are
 * tried again, for one rewrite may make the next possible. Each application is written into a
 * bounded ring (`show path N` prints it) with what the path had carried until then.
 */
#include "kernel/rule.h"

#include "kernel/making.h"
#include "kernel/plat.h"
#include "kernel/show.h"

enum { RULES_IN_A_ROW = 8 }; /* two rules that undo each other must not spin */

void path_note(struct path *p, enum note what)
{
    bool listed = p->notes;
    p->notes |= (uint8_t)what;
    if (p->work)
        sched_ready(p->pool.k, p);
    else if (!listed)
        note_later(p->pool.k, p);
}

void path_carried(const struct path *p, uint64_t *msgs, uint64_t *bytes)
{
    const struct kernel *k = p->pool.k;
    const uint64_t *from_msgs = p->work ? p->work->msgs : NULL, *from_bytes = NULL;
    if (p->work)
        from_bytes = p->work->bytes;
    for (uint32_t i = 0; i < RULE_HISTORY && i < k->nhistory && !from_msgs; i++) {
        const struct rule_event *e = &k->history[(k->nhistory - 1 - i) % RULE_HISTORY];
        if (e->path != p->id)
            continue;
        from_msgs = e->msgs;
        from_bytes = e->bytes;
    }
    for (int d = AB; d <= BA; d++) {
        msgs[d] = from_msgs ? from_msgs[d] : 0;
        bytes[d] = from_msgs ? from_bytes[d] : 0;
    }
}

static bool rule_apply(struct kernel *k, struct path *p, struct turn *t)
{
    const struct rule *rule = t->rule;
    if (!rule->guard(p, t->at))
        return false;
    struct rule_event e = {.ns = k->now, .path = p->id, .rule = rule};
    path_carried(p, e.msgs, e.bytes);
    uint64_t begin = plat_cycles();
    if (rule->turn && !t->to)
        t->to = shape_turned(k, p->shape, t);
    status_t status = rule->turn && !t->to ? E_NOMEM : rule->action(p, t);
    if (status == E_AGAIN) { /* something must happen first; tried again after the next run */
        path_note(p, (enum note)rule->when);
        return false;
    }
    if (status != OK) {
        log_note(k, "path %u: rule %s: %s", e.path & PATH_INDEX, rule->name, status_name(status));
        return false;
    }
    e.cycles = plat_cycles() - begin;
    k->history[k->nhistory++ % RULE_HISTORY] = e;
    return true;
}

void rule_try(struct kernel *k, struct path *p, unsigned notes)
{
    uint32_t id = p->id;
    for (int i = 0; i < RULES_IN_A_ROW; i++) {
        const struct shape *s = p->shape;
        bool any = false;
        for (struct turn *t = s->turns; t < s->turns + s->nturns && !any; t++) {
            if (!(t->rule->when & notes))
                continue;
            any = rule_apply(k, p, t);
            p = path_by_id(k, id); /* it may be another object now */
            if (!p || p->flags & PATH_DYING)
                return;
        }
        if (!any)
            return;
    }
}
