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

void show_paths(struct kernel *k, struct show *out)
{
    for (uint32_t i = 0; i < k->paths_size; i++)
        if (path_at(k, i))
            show_path(path_at(k, i), out, false);
    show_printf(out, "paths %u limit %u\n", k->paths_live, k->paths_limit);
}

void show_nodes(struct kernel *k, struct show *out)
{
    for (int i = 0; i < k->nnodes; i++) {
        const struct node *n = &k->nodes[i];
        show_printf(out, "node %s %s", n->name, n->module->name);
        for (int j = 0; j < n->ndown; j++)
            show_printf(out, "%s%s", j ? " " : " -> ", n->down[j]->name);
        show_printf(out, "\n");
        if (n->module->show)
            n->module->show(n, out);
    }
}

void show_settings(struct kernel *k, struct show *out)
{
    for (int i = 0; i < k->conf.n; i++)
        show_printf(out, "%s=%s\n", k->conf.settings[i].name, conf_shown(&k->conf, i));
    for (int i = 0; i < k->nnodes; i++) {
        const struct conf *c = &k->nodes[i].conf;
        for (int j = 0; j < c->n; j++)
            show_printf(out, "%s.%s=%s\n", k->nodes[i].name, c->settings[j].name, conf_shown(c, j));
    }
}

void show_drops(struct kernel *k, struct show *out)
{
    for (int i = 0; i < DROP_COUNT; i++)
        if (k->drops[i])
            show_printf(out, "drop %s %llu %s\n", drop_name((enum drop)i), ull(k->drops[i]),
                        drop_sentence((enum drop)i));
}

void show_stats(struct kernel *k, struct show *out)
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
    show_drops(k, out);
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

void show_mem(struct kernel *k, struct show *out)
{
    uint64_t in_paths = 0, in_nodes = 0;
    for (uint32_t i = 0; i < k->paths_size; i++)
        in_paths += path_at(k, i) ? path_at(k, i)->pool.used : 0;
    for (int i = 0; i < k->nnodes; i++)
        in_nodes += k->nodes[i].pool.used;
    show_printf(out, "kernel_bytes %u\npath_bytes %llu\nnode_bytes %llu\n", k->pool.used,
                ull(in_paths), ull(in_nodes));
    show_printf(out, "msgs_small %u\nmsgs_small_limit %u\nmsgs_full %u\nmsgs_full_limit %u\n",
                k->msgs.live[MSG_SMALL], k->msgs.limit[MSG_SMALL], k->msgs.live[MSG_FULL],
                k->msgs.limit[MSG_FULL]);
    show_printf(out, "paths %u\npaths_limit %u\nflows %u\nflows_limit %u\nflow_rekeys %u\n",
                k->paths_live, k->paths_limit, k->flows.count, k->flows.limit, k->flows.rekeys);
    show_printf(out, "timers %u\nshapes %u\n", k->timers.armed, k->nshapes);
    show_table(out, "path", paths_table_bytes(k), k->paths_live);
    show_table(out, "flow", flow_table_bytes(k), k->flows.count);
    show_evicted(k, out);
}

void show_timers(struct kernel *k, struct show *out)
{
    uint64_t next = timer_next(&k->timers);
    show_printf(out, "timers %u\n", k->timers.armed);
    if (next != UINT64_MAX)
        show_printf(out, "next_us %llu\n", ull(next > k->now ? (next - k->now) / US : 0));
}

void show_log(struct kernel *k, struct show *out)
{
    const struct logbook *log = &k->log;
    uint32_t first = log->count > LOG_LINES ? log->count - LOG_LINES : 0;
    for (uint32_t i = first; i < log->count; i++)
        show_printf(out, "%llu.%03llu %s\n", ull(log->ns[i % LOG_LINES] / SECOND),
                    ull(log->ns[i % LOG_LINES] % SECOND / MS), log->line[i % LOG_LINES]);
}

void show_rules(struct kernel *k, struct show *out)
{
    for (const struct rule *const *r = k->graph->rules; r && *r; r++)
        show_printf(out, "rule %s inverse %s\n", (*r)->name, (*r)->inverse);
}
