/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs packet scripts against kernels in this process, or against images in QEMU.
 *     run [--only TEXT] [--keep] [--set WORDS] [--image NIC [--most SECONDS] [--every N]
 *         [--jobs N]] [FILE.pkt]...
 * Without files: all of tests/path. --only: tests with TEXT in their title. --keep: captures of
 * tests that passed, too (build/test/). --set: settings for all tests. --image: the images that
 * boot, build/x86_64/GRAPH.elf, with cards of this kind, in real time; tests whose script lasts
 * longer than --most are left out, of the others one in --every is taken, --jobs of them at a time.
 * With TEST_LONG=1 in the environment and without --image all of it is run under each policy of the
 * scheduler: it must make no difference.
 */
#define _DEFAULT_SOURCE
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/path/script.h"

enum { MOST_SECONDS = 8, JOBS = 4, JOBS_MOST = 64 };

static int files_run(char **files, const struct orders *o)
{
    int failed = 0;
    for (char **f = files; *f; f++)
        failed += file_run(*f, o) != 0;
    return failed;
}

/* Processes that take the tests from one another; each has one guest at a time. */
static int images_run(char **files, struct orders *o, int jobs)
{
    pid_t child[JOBS_MOST];
    int failed = 0, status;
    o->share =
        mmap(NULL, sizeof *o->share, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (o->share == MAP_FAILED)
        abort();
    fflush(stdout);
    for (int i = 0; i < jobs; i++)
        if ((child[i] = fork()) == 0)
            exit(files_run(files, o) != 0);
    for (int i = 0; i < jobs; i++) {
        if (waitpid(child[i], &status, 0) < 0 || !WIFEXITED(status)) {
            printf("not ok %s: a process that runs tests ended by itself\n", o->nic);
            status = 1;
        }
        failed += status != 0;
    }
    printf("# %s: %ld tests run, %ld of them twice; left out: %ld that last longer than %llu s, %ld"
           " that only a process can run\n",
           o->nic, o->share->ran, o->share->again, o->share->slow,
           (unsigned long long)(o->most_ns / SECOND), o->share->elsewhere);
    if (!o->share->ran) {
        printf("not ok %s: no test was run\n", o->nic);
        failed++;
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const char *const policies[] = {"", "sched=share", "sched=edf", NULL};
    struct orders o = {.words = "", .most_ns = MOST_SECONDS * SECOND, .every = 1};
    const char *is_long = getenv("TEST_LONG");
    bool all = is_long && *is_long == '1';
    int failed = 0, files = 0, jobs = JOBS;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--only") == 0 && more)
            o.only = argv[++i];
        else if (strcmp(argv[i], "--set") == 0 && more)
            o.words = argv[++i];
        else if (strcmp(argv[i], "--image") == 0 && more)
            o.nic = argv[++i];
        else if (strcmp(argv[i], "--most") == 0 && more)
            o.most_ns = strtoull(argv[++i], NULL, 10) * SECOND;
        else if (strcmp(argv[i], "--every") == 0 && more)
            o.every = atol(argv[++i]);
        else if (strcmp(argv[i], "--jobs") == 0 && more)
            jobs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--keep") == 0)
            o.keep = true;
        else
            argv[files++] = argv[i];
    }
    argv[files] = NULL;
    o.every = o.every < 1 ? 1 : o.every;
    glob_t found = {.gl_pathc = 0};
    if (!files && glob("tests/path/*.pkt", 0, NULL, &found) != 0) {
        printf("not ok path: no tests/path/*.pkt from here\n");
        return 1;
    }
    char **names = files ? argv : found.gl_pathv;
    if (o.nic)
        failed = images_run(names, &o, jobs < 1 ? 1 : jobs > JOBS_MOST ? JOBS_MOST : jobs);
    for (int p = 0; !o.nic && policies[p]; p++) {
        if (p && (files || *o.words || !all))
            break;
        struct orders each = o;
        each.words = *o.words ? o.words : policies[p];
        failed += files_run(names, &each);
    }
    globfree(&found);
    return failed ? 1 : 0;
}
