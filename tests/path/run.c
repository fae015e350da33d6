/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs packet scripts against kernels in this process.
 *     run [--only TEXT] [--keep] [FILE.pkt]...
 * Without files: all of tests/path. --only: tests with TEXT in their title. --keep: captures of
 * tests that passed, too (build/test/).
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "tests/path/script.h"

int main(int argc, char **argv)
{
    const char *only = NULL;
    bool keep = false;
    int failed = 0, files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else if (strcmp(argv[i], "--keep") == 0) {
            keep = true;
        } else {
            files++;
            failed += file_run(argv[i], only, keep) != 0;
        }
    }
    glob_t all = {.gl_pathc = 0};
    if (!files && glob("tests/path/*.pkt", 0, NULL, &all) == 0)
        for (size_t i = 0; i < all.gl_pathc; i++)
            failed += file_run(all.gl_pathv[i], only, keep) != 0;
    if (!files && !all.gl_pathc) {
        printf("not ok path: no tests/path/*.pkt from here\n");
        failed++;
    }
    globfree(&all);
    return failed ? 1 : 0;
}
