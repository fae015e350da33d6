/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs packet scripts against kernels in this process.
 *     run [--only TEXT] [--keep] [--set WORDS] [FILE.pkt]...
 * Without files: all of tests/path. --only: tests with TEXT in their title. --keep: captures of
 * tests that passed, too (build/test/). --set: settings for all tests. With TEST_LONG=1 in the
 * environment all of it is run under each policy of the scheduler: it must make no difference.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/path/script.h"

int main(int argc, char **argv)
{
    static const char *const policies[] = {"", "sched=share", "sched=edf", NULL};
    const char *only = NULL, *words = "", *is_long = getenv("TEST_LONG");
    bool keep = false;
    int failed = 0, files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc) {
            words = argv[++i];
        } else if (strcmp(argv[i], "--keep") == 0) {
            keep = true;
        } else {
            files++;
            failed += file_run(argv[i], only, keep, words) != 0;
        }
    }
    glob_t all = {.gl_pathc = 0};
    if (!files && glob("tests/path/*.pkt", 0, NULL, &all) == 0)
        for (int p = 0; policies[p] && (p == 0 || (is_long && *is_long == '1')); p++)
            for (size_t i = 0; i < all.gl_pathc; i++)
                failed += file_run(all.gl_pathv[i], only, keep, *words ? words : policies[p]) != 0;
    if (!files && !all.gl_pathc) {
        printf("not ok path: no tests/path/*.pkt from here\n");
        failed++;
    }
    globfree(&all);
    return failed ? 1 : 0;
}
