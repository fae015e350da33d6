/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Linux program: options, cards, boot, run, end. Exit status: 0 stopped as asked; 1 the boot
 * failed (one line says why); 2 the command line makes no sense.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/hosted/ground.h"
#include "drivers/hosted/hosted.h"
#include "kernel/kernel.h"

enum { EXIT_BOOT = 1, EXIT_USAGE = 2, WORDS_MAX = 8192 };

struct options {
    const char *devs[NETDEV_MAX];
    int ndevs;
    uint64_t memory, run_for;
    bool virtual_clock;
    char words[WORDS_MAX]; /* the settings, as a boot command line */
};

static void settings_print(const char *owner, const struct setting *s, const char *const *values)
{
    for (int i = 0; s && s[i].name; i++)
        printf("  %s%s%s=%s  %s%s\n", owner, *owner ? "." : "", s[i].name,
               values && values[i] ? values[i] : s[i].value, s[i].help,
               s[i].live ? " (may change while running)" : "");
}

static void usage(FILE *out, const char *program)
{
    fprintf(
        out,
        "usage: %s [--dev CARD]... [option]... [name=value]...\n"
        "graph %s: %s\n"
        "  --dev CARD        a network card, in the order of the graph's units:\n"
        "                    tap:NAME  tap-fd:N  packet:IFACE  pcap:IN:OUT  sim:NAME\n"
        "                    and then ,mac=MAC ,mtu=BYTES\n"
        "  --for TIME        stop after that time: 500ms 10s 2m\n"
        "  --virtual-clock   time stands still while there is work and jumps when there is none\n"
        "  --mem SIZE        memory of the kernel, default 64m\n"
        "  name=value        a setting of the kernel and of every node that has it;\n"
        "                    node.name=value for one node\n",
        program, graph.name, graph.purpose);
}

static void help(const char *program)
{
    usage(stdout, program);
    printf("settings:\n");
    settings_print("", graph.settings, graph.values);
    for (int i = 0; i < graph.nnodes; i++)
        settings_print(graph.nodes[i].name, graph.nodes[i].settings, graph.nodes[i].values);
}

/* The kernel's own parser of settings reads the options that are times and sizes. */
static bool quantity(const char *name, enum setting_type type, const char *text, uint64_t *out)
{
    const struct setting settings[] = {{.name = name, .type = type, .value = "0"}, {.name = NULL}};
    struct conf_value value = {.text = NULL};
    struct conf c = {.settings = settings, .values = &value, .n = 1};
    struct pool pool;
    char why[CONF_WHY];
    pool_init(&pool, NULL, UINT32_MAX);
    status_t status = conf_set(&pool, &c, name, text, why);
    if (status == OK)
        *out = value.v.number;
    else
        fprintf(stderr, "%s\n", why);
    pool_end(&pool);
    return status == OK;
}

static bool word_add(struct options *o, const char *word)
{
    size_t have = strlen(o->words), n = strlen(word);
    if (!strchr(word, '=') || have + n + 2 > sizeof o->words) {
        fprintf(stderr, "'%s': expected name=value%s\n", word,
                strchr(word, '=') ? ", and not so many" : " or an option; see --help");
        return false;
    }
    snprintf(o->words + have, sizeof o->words - have, "%s%s", have ? " " : "", word);
    return true;
}

static bool option_read(struct options *o, const char *name, const char *value)
{
    if (!value) {
        fprintf(stderr, "%s: no such option, or its value is missing; see --help\n", name);
        return false;
    }
    if (strcmp(name, "--for") == 0)
        return quantity(name, SET_TIME, value, &o->run_for);
    if (strcmp(name, "--mem") == 0)
        return quantity(name, SET_SIZE, value, &o->memory);
    if (strcmp(name, "--dev") != 0 || o->ndevs == NETDEV_MAX) {
        fprintf(stderr, "%s: %s\n", name,
                strcmp(name, "--dev") ? "no such option; see --help" : "too many cards");
        return false;
    }
    o->devs[o->ndevs++] = value;
    return true;
}

static bool options_read(struct options *o, int argc, char **argv)
{
    *o = (struct options){.memory = 64U << 20, .run_for = UINT64_MAX};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--virtual-clock") == 0) {
            o->virtual_clock = true;
        } else if (argv[i][0] == '-') {
            if (!option_read(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
                return false;
            i++;
        } else if (!word_add(o, argv[i])) {
            return false;
        }
    }
    return true;
}

static status_t boot(struct kernel *k, const struct options *o)
{
    status_t status = kernel_init(k, o->memory);
    if (status != OK) {
        fprintf(stderr, "--mem: too little memory for a kernel\n");
        return status;
    }
    for (int i = 0; i < o->ndevs && status == OK; i++)
        status = hosted_add(k, o->devs[i]);
    return status == OK ? kernel_boot(k, &graph, o->words) : status;
}

int main(int argc, char **argv)
{
    static struct options o;
    struct ground g;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help(argv[0]);
            return 0;
        }
    }
    if (!options_read(&o, argc, argv))
        return EXIT_USAGE;
    struct kernel *k = calloc(1, sizeof *k);
    if (!k)
        return EXIT_BOOT;
    ground_init(&g, k, NULL);
    if (o.virtual_clock)
        g.clock = &g.own_clock;
    g.console = true;
    g.end = o.run_for;
    ground_signals();
    int exit_status = boot(k, &o) == OK ? kernel_run(k) : EXIT_BOOT;
    kernel_end(k);
    hosted_end(k);
    ground_pages_free();
    free(k);
    return exit_status;
}
