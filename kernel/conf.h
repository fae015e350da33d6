/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_CONF_H
#define KERNEL_CONF_H
/*
 * Settings. A module's .module file declares them (name, type, default, sentence); a graph file
 * gives values, the boot command line overrides them, `set` changes those that may change. Values
 * are checked when they are set, so the getters cannot fail: asking for a setting that the module
 * has not declared, or by the wrong type, is a broken invariant and asserts. Names are literals:
 * where one was found is remembered by its address, so asking again costs no comparison.
 */
#include "kernel/netaddr.h"
#include "kernel/pool.h"
#include "kernel/types.h"

enum setting_type {
    SET_BOOL,     /* on off */
    SET_INT,      /* decimal, 0x; with min and max */
    SET_SIZE,     /* bytes: 4096 64k 1m */
    SET_TIME,     /* 10us 5ms 30s 2h; kept in ns; the unit is mandatory but for 0 */
    SET_ADDR,     /* 10.0.0.1 */
    SET_ENDPOINT, /* 10.0.0.1:80 *:80; "none" where nothing is meant */
    SET_ENUM,     /* one of the words in `words`, kept as its index */
    SET_TEXT,     /* anything; lists are parsed by the module */
    SET_SECRET,   /* as SET_TEXT; read by its module, shown to nobody (R-HARD-15) */
};

struct setting {
    const char *name;
    enum setting_type type;
    const char *value;        /* default */
    const char *help;         /* one sentence */
    const char *const *words; /* SET_ENUM, NULL ends */
    uint64_t min, max;        /* SET_INT, SET_SIZE and SET_TIME; max 0: none */
    bool live;                /* `set` may change it while running */
};

struct conf_value {
    const char *text; /* owned by the conf when `owned` */
    bool owned;
    union {
        uint64_t number; /* bool, int, size, time (ns), enum index */
        struct netaddr addr;
        struct endpoint endpoint;
    } v;
};

/* Where a setting was found when it was last asked for by the name at that address. */
struct conf_known {
    const char *name;
    const struct conf_value *value;
};

enum { CONF_KNOWN = 32 };

struct conf {
    const struct setting *settings; /* NULL name ends */
    struct conf_value *values;
    int n;
    struct conf_known *known; /* CONF_KNOWN, by address; NULL: nothing is remembered */
};

uint64_t conf_number(const struct conf *c, const char *name); /* bool, int, size, time, enum */
bool conf_bool(const struct conf *c, const char *name);
const struct netaddr *conf_addr(const struct conf *c, const char *name);
const struct endpoint *conf_endpoint(const struct conf *c, const char *name);
const char *conf_text(const struct conf *c, const char *name); /* any type, as written */

/* Setting i for people to read: its text, of a secret only whether there is one. Never NULL. */
const char *conf_shown(const struct conf *c, int i);

/* why: a buffer of CONF_WHY bytes that says what was expected when the status is not OK. */
enum { CONF_WHY = 160 };
MUST_CHECK status_t conf_set(struct pool *pool, struct conf *c, const char *name, const char *text,
                             char *why);

#endif
