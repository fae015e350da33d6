/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between libFuzzer and a target. The inputs since the last start are written, length first, to a
 * file that is mapped, so they outlive a crash and cost no system call: FUZZ_HISTORY=FILE writes,
 * FUZZ_REPLAY=FILE feeds them again, in order, and says how many.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/wire/be.h"
#include "tests/fuzz/fuzz.h"

enum { HISTORY = 64 << 20 };

static uint8_t *history;
static size_t used;
static uint32_t since;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

void fuzz_fail(const char *what, const char *condition)
{
    fprintf(stderr, "fuzz: %s: not (%s)\n", what, condition);
    abort();
}

static void over(void)
{
    if (target.settle)
        target.settle();
    since = 0;
    used = 0;
    if (history)
        be32_put(history, UINT32_MAX);
}

static void one(const uint8_t *data, size_t n)
{
    if (!since++ && target.start)
        target.start();
    target.input(data, n);
    if (target.period && since >= target.period)
        over();
}

/* Also at the end of the program, so that the last inputs are settled. */
static void end(void)
{
    if (since && target.period)
        over();
}

static void replay(const char *name)
{
    int fd = open(name, O_RDONLY), count = 0;
    struct stat s;
    uint8_t *at = fd < 0 || fstat(fd, &s) != 0
                      ? MAP_FAILED
                      : mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        perror(name);
        exit(2);
    }
    for (const uint8_t *p = at; p + 4 <= at + s.st_size && be32_get(p) != UINT32_MAX; count++) {
        uint32_t n = be32_get(p);
        if (n > at + s.st_size - p - 4)
            break;
        uint8_t *copy = malloc(n ? n : 1); /* of its own, so that ASan sees a read beyond */
        if (!copy)
            abort();
        memcpy(copy, p + 4, n);
        one(copy, n);
        free(copy);
        p += 4 + n;
    }
    end();
    printf("%d inputs again, nothing happened\n", count);
    exit(0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *write = getenv("FUZZ_HISTORY"), *read = getenv("FUZZ_REPLAY");
    (void)argc;
    (void)argv;
    if (read)
        replay(read);
    if (write && target.period) {
        int fd = open(write, O_RDWR | O_CREAT | O_TRUNC, 0666);
        if (fd >= 0 && ftruncate(fd, HISTORY) == 0)
            history = mmap(NULL, HISTORY, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (!history || history == MAP_FAILED) {
            perror(write);
            exit(2);
        }
    }
    atexit(end);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (history && used + n + 8 > HISTORY)
        over();
    if (history) {
        memcpy(history + used + 4, data, n);
        be32_put(history + used + 4 + n, UINT32_MAX);
        be32_put(history + used, (uint32_t)n);
        used += n + 4;
    }
    one(data, n);
    return 0;
}

uint8_t bytes_one(struct bytes *b)
{
    if (!b->n)
        return 0;
    b->n--;
    return *b->at++;
}

uint16_t bytes_two(struct bytes *b)
{
    uint16_t high = bytes_one(b);
    return (uint16_t)(high << 8 | bytes_one(b));
}

const uint8_t *bytes_some(struct bytes *b, size_t *n)
{
    const uint8_t *at = b->at;
    if (*n > b->n)
        *n = b->n;
    b->at += *n;
    b->n -= *n;
    return at;
}
