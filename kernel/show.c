/* SPDX-License-Identifier: BSD-2-Clause */
/* What `show` prints. Names and order are an interface: tools and tests read them. */
#include "kernel/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/showing.h"

void show_printf(struct show *s, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        s->put(s, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static unsigned long long ull(uint64_t v)
{
    return v;
}

static void show_history(const struct path *p, struct show *out)
{
    const struct kernel *k = p->pool.k;
    uint32_t n = k->nhistory, first = n > RULE_HISTORY ? n - RULE_HISTORY : 0;
    for (uint32_t i = first; i < n; i++) {
        const struct rule_event *e = &k->history[i % RULE_HISTORY];
        if (e->path == p->id)
            show_printf(
                out, "  rule %s at %llu.%06llus after %llu messages %llu bytes, %llu cycles\n",
                e->rule->name, ull(e->ns / SECOND), ull(e->ns % SECOND / US),
                ull(e->msgs[AB] + e->msgs[BA]), ull(e->bytes[AB] + e->bytes[BA]), ull(e->cycles));
    }
}

static void show_detail(const struct path *p, struct show *out)
{
    const struct kernel *k = p->pool.k;
    const struct work *w = p->work;
    for (int at = 0; at < p->shape->n; at++) {
        show_printf(out, "  stage %d %s\n", at, stage_name(p->shape, at));
        if (p->shape->at[at].ops->show)
            p->shape->at[at].ops->show(p, at, out);
    }
    show_history(p, out);
    if (!w)
        return;
    uint32_t first = w->nlast > PATH_LAST ? w->nlast - PATH_LAST : 0;
    for (uint32_t i = first; i < w->nlast; i++) {
        unsigned at = i % PATH_LAST;
        show_printf(out, "  last %s %u bytes %llu us ago\n", w->last[at].dir == AB ? "->" : "<-",
                    w->last[at].len, ull((k->now - w->last[at].ns) / US));
    }
}

void show_path(const struct path *p, struct show *out, bool all)
{
    const struct work *w = p->work;
    show_printf(out, "path %u %s\n", path_number(p), p->shape->name);
    if (w)
        show_printf(out,
                    "  queue %u/%u msgs %llu/%llu bytes %llu/%llu drops %llu cycles %llu runs %llu"
                    " mem %u/%u\n",
                    w->in[AB].count, w->in[BA].count, ull(w->msgs[AB]), ull(w->msgs[BA]),
                    ull(w->bytes[AB]), ull(w->bytes[BA]), ull(w->drops), ull(w->cycles),
                    ull(w->runs), p->pool.used, p->pool.limit);
    else
        show_printf(out, "  inline mem %u/%u\n", p->pool.used, p->pool.limit);
    if (all)
        show_detail(p, out);
}

bool show_paths(struct kernel *k, struct show *out, struct listing *l)
{
    for (int i = 0; i < WALK && l->at < k->paths_size; i++) {
        const struct path *p = path_at(k, l->at++);
        if (p) {
            show_path(p, out, false);
            return true;
        }
    }
    if (l->at < k->paths_size)
        return true;
    show_printf(out, "paths %u limit %u\n", k->paths_live, k->paths_limit);
    return false;
}

static void show_node(const struct node *n, struct show *out)
{
    show_printf(out, "node %s %s", n->name, n->module->name);
    for (int j = 0; j < n->ndown; j++)
        show_printf(out, "%s%s", j ? " " : " -> ", n->down[j]->name);
    show_printf(out, "\n");
    if (n->module->show)
        n->module->show(n, out);
}

bool show_nodes(struct kernel *k, struct show *out, struct listing *l)
{
    if ((int)l->at >= k->nnodes)
        return false;
    const struct node *n = &k->nodes[l->at];
    if (l->item == 0)
        show_node(n, out);
    if (n->module->show_item && n->module->show_item(n, out, l->item)) {
        l->item++;
        return true;
    }
    l->item = 0;
    l->at++;
    return true;
}

bool show_settings(struct kernel *k, struct show *out, struct listing *l)
{
    const struct node *n = l->at ? &k->nodes[l->at - 1] : NULL;
    const struct conf *c = n ? &n->conf : &k->conf;
    for (int j = 0; j < c->n; j++)
        show_printf(out, "%s%s%s=%s\n", n ? n->name : "", n ? "." : "", c->settings[j].name,
                    conf_shown(c, j));
    return (int)l->at++ < k->nnodes;
}

bool show_drops(struct kernel *k, struct show *out, struct listing *l)
{
    (void)l;
    for (int i = 0; i < DROP_COUNT; i++)
        if (k->drops[i])
            show_printf(out, "drop %s %llu %s\n", drop_name((enum drop)i), ull(k->drops[i]),
                        drop_sentence((enum drop)i));
    return false;
}

bool show_stats(struct kernel *k, struct show *out, struct listing *l)
{
    for (int i = 0; i < k->ndevs; i++) {
        const struct netdev *d = k->devs[i];
        show_printf(out, "%s %s link %s\n", d->name, d->ops->model, d->link ? "up" : "down");
        show_printf(out, "%s.rx %llu\n%s.rx_bytes %llu\n", d->name, ull(d->stats.rx), d->name,
                    ull(d->stats.rx_bytes));
        show_printf(out, "%s.rx_bad %llu\n%s.rx_nobuf %llu\n", d->name, ull(d->stats.rx_bad),
                    d->name, ull(d->stats.rx_nobuf));
        show_printf(out, "%s.tx %llu\n%s.tx_bytes %llu\n%s.tx_full %llu\n", d->name,
                    ull(d->stats.tx), d->name, ull(d->stats.tx_bytes), d->name,
                    ull(d->stats.tx_full));
        show_printf(out, "%s.irqs %llu\n%s.bursts %llu\n%s.doorbells %llu\n%s.restarts %llu\n",
                    d->name, ull(d->stats.irqs), d->name, ull(d->stats.bursts), d->name,
                    ull(d->stats.doorbells), d->name, ull(d->stats.restarts));
    }
    show_printf(out, "uptime_ms %llu\npolls %llu\nwaits %llu\n", ull(k->now / MS), ull(k->polls),
                ull(k->waits));
    return show_drops(k, out, l);
}

static void show_evicted(const struct kernel *k, struct show *out)
{
    static const char *const names[WORTH_BUSY] = {"stuck",       "half_open", "over",
                                                  "half_closed", "empty",     "idle"};
    for (int i = 0; i < WORTH_BUSY; i++)
        show_printf(out, "evicted_%s %llu\n", names[i], ull(k->evict.evicted[i]));
    show_printf(out, "evicted_by_time %llu\npatience_percent %llu\n", ull(k->evict.expired),
                ull(evict_patience(k, 100)));
}

static void show_table(struct show *out, const char *of, uint64_t bytes, uint32_t live)
{
    show_printf(out, "%s_table_bytes %llu\n%s_table_bytes_each %llu\n", of, ull(bytes), of,
                ull(live ? bytes / live : 0));
}

bool show_mem(struct kernel *k, struct show *out, struct listing *l)
{
    uint64_t in_nodes = 0;
    for (int i = 0; i < WALK && l->at < k->paths_size; i++, l->at++)
        l->sum += path_at(k, l->at) ? path_at(k, l->at)->pool.used : 0;
    if (l->at < k->paths_size)
        return true;
    for (int i = 0; i < k->nnodes; i++)
        in_nodes += k->nodes[i].pool.used;
    show_printf(out, "kernel_bytes %u\npath_bytes %llu\nnode_bytes %llu\n", k->pool.used,
                ull(l->sum), ull(in_nodes));
    show_printf(out, "msgs_small %u\nmsgs_small_limit %u\nmsgs_full %u\nmsgs_full_limit %u\n",
                k->msgs.live[MSG_SMALL], k->msgs.limit[MSG_SMALL], k->msgs.live[MSG_FULL],
                k->msgs.limit[MSG_FULL]);
    show_printf(out, "paths %u\npaths_limit %u\nflows %u\nflows_limit %u\nflow_rekeys %u\n",
                k->paths_live, k->paths_limit, k->flows.count, k->flows.limit, k->flows.rekeys);
    show_printf(out, "timers %u\nshapes %u\n", k->timers.armed, k->nshapes);
    show_table(out, "path", paths_table_bytes(k), k->paths_live);
    show_table(out, "flow", flow_table_bytes(k), k->flows.count);
    show_evicted(k, out);
    return false;
}

bool show_timers(struct kernel *k, struct show *out, struct listing *l)
{
    (void)l;
    uint64_t next = timer_next(&k->timers);
    show_printf(out, "timers %u\n", k->timers.armed);
    if (next != UINT64_MAX)
        show_printf(out, "next_us %llu\n", ull(next > k->now ? (next - k->now) / US : 0));
    return false;
}

/* Lines that were overwritten since the last step are passed over. */
bool show_log(struct kernel *k, struct show *out, struct listing *l)
{
    const struct logbook *log = &k->log;
    if (log->count > LOG_LINES && l->at < log->count - LOG_LINES)
        l->at = log->count - LOG_LINES;
    if (l->at >= log->count)
        return false;
    uint32_t i = l->at++ % LOG_LINES;
    show_printf(out, "%llu.%03llu %s\n", ull(log->ns[i] / SECOND), ull(log->ns[i] % SECOND / MS),
                log->line[i]);
    return true;
}

bool show_rules(struct kernel *k, struct show *out, struct listing *l)
{
    (void)l;
    for (const struct rule *const *r = k->graph->rules; r && *r; r++)
        show_printf(out, "rule %s inverse %s\n", (*r)->name, (*r)->inverse);
    return false;
}
