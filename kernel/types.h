/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H
/*
 * The words every other header uses. Control-plane functions return status_t, which must be looked
 * at; the data plane returns nothing (a message is consumed) and counts its losses.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    OK = 0,
    E_NOMEM = -1, /* a limit or the machine's memory is reached */
    E_INVAL = -2, /* the argument or setting makes no sense */
    E_NOENT = -3, /* no such thing */
    E_EXIST = -4, /* it is there already */
    E_AGAIN = -5, /* not now; the callee says when */
    E_NODEV = -6, /* no such card */
} status_t;

#define MUST_CHECK   __attribute__((warn_unused_result))
#define PRINTF(at)   __attribute__((format(printf, at, (at) + 1)))
#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* The structure of type T whose member `field` is at `ptr`. */
#define CONTAINER(ptr, T, field) ((T *)(void *)((char *)(ptr)-offsetof(T, field)))

/* From end A of a path to end B, and back. Never up and down: a proxy path climbs and descends. */
enum dir { AB, BA };

static inline enum dir dir_reverse(enum dir d)
{
    return d == AB ? BA : AB;
}

enum { MS = 1000000, US = 1000 }; /* nanoseconds */
#define SECOND 1000000000ULL      /* nanoseconds */

struct kernel;
struct node;
struct path;
struct msg;
struct netdev;

const char *status_name(status_t s);

#endif
