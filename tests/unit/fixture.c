/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels for unit tests; see fixture.h. */
#include "tests/unit/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/console.h"

enum { MEMORY = 32 << 20 };

uint64_t fixture_seed = 1;
char fixture_log[FIXTURE_TEXT];
static size_t log_used;

static void log_put(const char *s, size_t n)
{
    if (n >= sizeof fixture_log - log_used)
        n = sizeof fixture_log - 1 - log_used;
    memcpy(fixture_log + log_used, s, n);
    log_used += n;
    fixture_log[log_used] = 0;
}

const struct graph *fixture_graph(const char *name)
{
    const struct graph *g = graph_named(name);
    if (!g)
        fail_msg("no graph %s", name);
    return g;
}

struct graph fixture_graph_of(const struct graph_node *nodes, int n,
                              const struct rule *const *rules)
{
    return (struct graph){
        .name = "by-hand",
        .purpose = "a test's own",
        .nodes = nodes,
        .nnodes = n,
        .rules = rules,
        .settings = graph_list[0]->settings,
    };
}

struct wire {
    struct fixture *f;
    int card;
};

static void frame_came(void *arg, const uint8_t *frame, size_t n)
{
    const struct wire *wire = arg;
    struct fixture *f = wire->f;
    if (f->nsent == FIXTURE_SENT)
        fail_msg("more than %d frames sent", FIXTURE_SENT);
    uint8_t *bytes = malloc(n ? n : 1); /* exactly as long, so that ASan sees a read beyond */
    assert_non_null(bytes);
    memcpy(bytes, frame, n);
    f->sent[f->nsent++] = (struct fixture_frame){simworld_now(f->world), wire->card, n, bytes};
}

static struct wire wires[NETDEV_MAX];

static void free_all(struct fixture *f)
{
    kernel_end(f->k);
    simworld_free(f->world);
    ground_pages_free();
    for (int i = f->taken; i < f->nsent; i++)
        free(f->sent[i].bytes);
    free(f->k);
    free(f);
}

static status_t make(const struct graph *g, int ncards, const char *cmdline, struct fixture **out)
{
    static const struct graph empty = {.name = "empty", .purpose = "no nodes"};
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *out = f;
    f->k = calloc(1, sizeof *f->k);
    assert_non_null(f->k);
    log_used = 0;
    fixture_log[0] = 0;
    ground_console(log_put);
    f->world = simworld_make();
    ground_init(&f->ground, f->k, simworld_clock(f->world));
    ground_seed(&f->ground, fixture_seed);
    assert_int_equal(kernel_init(f->k, MEMORY), OK);
    for (int i = 0; i < ncards; i++) {
        char name[16];
        snprintf(name, sizeof name, "wire%d", i);
        struct simlink_conf c = {.world = f->world, .name = name, .seed = (uint64_t)i + 1};
        f->link[i] = simlink_make(&c);
        wires[i] = (struct wire){f, i};
        simlink_end(f->link[i], f->k, 0);
        simlink_attach(f->link[i], 1, frame_came, &wires[i]);
    }
    if (!ncards)
        simworld_add(f->world, f->k);
    if (g)
        return kernel_boot(f->k, g, cmdline);
    f->k->graph = &empty;
    return flow_table_init(f->k, 1U << 21);
}

void fixture_settle(struct fixture *f)
{
    f->start.paths = f->k->paths_live;
    f->start.flows = f->k->flows.count;
    f->start.small = f->k->msgs.live[MSG_SMALL];
    f->start.full = f->k->msgs.live[MSG_FULL];
}

struct fixture *fixture_make(const struct graph *g, int ncards, const char *cmdline)
{
    struct fixture *f;
    status_t status = make(g, ncards, cmdline, &f);
    if (status != OK)
        fail_msg("boot of %s: %s\n%s", g ? g->name : "nothing", status_name(status), fixture_log);
    fixture_run(f, 0);
    fixture_settle(f);
    return f;
}

status_t fixture_refused(const struct graph *g, int ncards, const char *cmdline)
{
    struct fixture *f;
    status_t status = make(g, ncards, cmdline, &f);
    free_all(f);
    return status;
}

void fixture_end(struct fixture *f)
{
    struct kernel *k = f->k;
    path_reap(k);
    if (k->paths_live != f->start.paths || k->flows.count != f->start.flows)
        fail_msg("left: %u paths (%u at the start), %u flows (%u)", k->paths_live, f->start.paths,
                 k->flows.count, f->start.flows);
    if (k->msgs.live[MSG_SMALL] != f->start.small || k->msgs.live[MSG_FULL] != f->start.full)
        fail_msg("left: %u small messages (%u at the start), %u full ones (%u)",
                 k->msgs.live[MSG_SMALL], f->start.small, k->msgs.live[MSG_FULL], f->start.full);
    free_all(f); /* kernel_end asserts the rest */
}

void fixture_run(struct fixture *f, uint64_t ns)
{
    assert_true(simworld_run(f->world, simworld_now(f->world) + ns));
}

void fixture_frame(struct fixture *f, int card, const uint8_t *frame, size_t n)
{
    simlink_send(f->link[card], 1, frame, n);
}

const struct fixture_frame *fixture_sent(const struct fixture *f, int i)
{
    return f->taken + i < f->nsent ? &f->sent[f->taken + i] : NULL;
}

void fixture_take(struct fixture *f, int n)
{
    for (; n > 0 && f->taken < f->nsent; n--)
        free(f->sent[f->taken++].bytes);
    if (f->taken == f->nsent)
        f->taken = f->nsent = 0;
}

const char *fixture_command(struct fixture *f, const char *line)
{
    return capture_command(f->k, line, f->text, sizeof f->text);
}

uint64_t fixture_value(struct fixture *f, const char *line, const char *name)
{
    const char *at = fixture_command(f, line);
    size_t n = strlen(name);
    for (; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        at += strspn(at, " ");
        if (strncmp(at, name, n) == 0 && at[n] == ' ')
            return strtoull(at + n, NULL, 10);
    }
    fail_msg("`%s` says nothing of %s:\n%s", line, name, f->text);
    return 0;
}

int fixture_setup(void **state)
{
    *state = fixture_make(NULL, 0, NULL);
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_end(*state);
    return 0;
}
