/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What newlib wants of a system: memory for malloc, a place for stdout and stderr, and an end.
 * There are no files and no processes, so the rest of its list says so. Called by newlib only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "boot/x86_64/ground.h"
#include "kernel/plat.h"

void *sbrk(ptrdiff_t n);
ssize_t write(int file, const void *from, size_t n);
ssize_t read(int file, void *to, size_t n);
int close(int file);
int fstat(int file, struct stat *s);
int isatty(int file);
off_t lseek(int file, off_t off, int whence);
int getpid(void);
int kill(int pid, int sig);
_Noreturn void _exit(int status);
_Noreturn void __assert_func(const char *file, int line, const char *func, const char *what);
_Noreturn void __stack_chk_fail(void);

void *sbrk(ptrdiff_t n)
{
    void *at = memory_break(n);
    if (at)
        return at;
    errno = ENOMEM;
    return (void *)-1;
}

ssize_t write(int file, const void *from, size_t n)
{
    if (file != 1 && file != 2) {
        errno = EBADF;
        return -1;
    }
    plat_puts(from, n);
    return (ssize_t)n;
}

ssize_t read(int file, void *to, size_t n)
{
    (void)file, (void)to, (void)n;
    return 0; /* end of file: the console belongs to the kernel */
}

int close(int file)
{
    (void)file;
    errno = EBADF;
    return -1;
}

int fstat(int file, struct stat *s)
{
    (void)file;
    s->st_mode = S_IFCHR;
    return 0;
}

int isatty(int file)
{
    return file >= 0 && file <= 2;
}

off_t lseek(int file, off_t off, int whence)
{
    (void)file, (void)off, (void)whence;
    errno = ESPIPE;
    return -1;
}

int getpid(void)
{
    return 1;
}

int kill(int pid, int sig)
{
    (void)pid;
    char what[32];
    snprintf(what, sizeof what, "signal %d", sig);
    report_failure(what);
}

_Noreturn void _exit(int status)
{
    plat_exit(status);
}

_Noreturn void abort(void)
{
    report_failure("abort");
}

_Noreturn void __assert_func(const char *file, int line, const char *func, const char *what)
{
    char text[256];
    snprintf(text, sizeof text, "assertion `%s' at %s:%d in %s", what, file, line,
             func ? func : "?");
    report_failure(text);
}

_Noreturn void __stack_chk_fail(void)
{
    report_failure("stack canary overwritten");
}
