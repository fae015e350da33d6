/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings: checked once when they are set, so that reading them cannot fail. */
#include "kernel/conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/pool.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit sizes[] = {
    {"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0},
};
static const struct unit times[] = {
    {"ns", 1},
    {"us", US},
    {"ms", MS},
    {"s", SECOND},
    {"m", 60 * SECOND},
    {"h", 3600 * SECOND},
    {"d", 86400 * SECOND},
    {NULL, 0},
};

static bool quantity(const char *text, const struct unit *units, uint64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    if (errno)
        return false;          /* more than 64 bits */
    if (v == 0 && *end == 0) { /* nothing needs no unit */
        *out = 0;
        return true;
    }
    for (; units && units->name; units++) {
        if (strcmp(units->name, end) != 0)
            continue;
        if (v > UINT64_MAX / units->factor)
            return false;
        *out = v * units->factor;
        return true;
    }
    *out = v;
    return !units && *end == 0;
}

static bool in_range(const struct setting *s, uint64_t v, char *why)
{
    if (v >= s->min && (s->max == 0 || v <= s->max))
        return true;
    snprintf(why, CONF_WHY, "%s: expected %llu to %llu", s->name, (unsigned long long)s->min,
             (unsigned long long)(s->max ? s->max : UINT64_MAX));
    return false;
}

static bool word_index(const struct setting *s, const char *text, uint64_t *out, char *why)
{
    int n = snprintf(why, CONF_WHY, "%s: expected one of", s->name);
    for (uint64_t i = 0; s->words[i]; i++) {
        if (strcmp(s->words[i], text) == 0) {
            *out = i;
            return true;
        }
        if (n > 0 && n < CONF_WHY)
            n += snprintf(why + n, (size_t)(CONF_WHY - n), " %s", s->words[i]);
    }
    return false;
}

static bool switch_value(const char *text, uint64_t *out)
{
    *out = strcmp(text, "on") == 0;
    return *out || strcmp(text, "off") == 0;
}

static const char *const expected[] = {
    [SET_BOOL] = "on or off",
    [SET_INT] = "a number",
    [SET_SIZE] = "a size such as 4096, 64k or 1m",
    [SET_TIME] = "a time with its unit: ns us ms s m h d",
    [SET_ADDR] = "an address such as 10.0.1.1",
    [SET_ENDPOINT] = "address:port such as 10.0.1.1:8080, *:8080, or none",
    [SET_ENUM] = "a word of the list",
    [SET_TEXT] = "text",
    [SET_SECRET] = "text",
};

static bool parse(const struct setting *s, const char *text, struct conf_value *v, char *why)
{
    bool good = true;
    snprintf(why, CONF_WHY, "%s: '%.40s' is not %s", s->name, text, expected[s->type]);
    switch (s->type) {
    case SET_BOOL:
        return switch_value(text, &v->v.number);
    case SET_INT:
        good = quantity(text, NULL, &v->v.number);
        break;
    case SET_SIZE:
        good = quantity(text, sizes, &v->v.number);
        break;
    case SET_TIME:
        good = quantity(text, times, &v->v.number);
        break;
    case SET_ADDR:
        return netaddr_parse(text, &v->v.addr) == OK;
    case SET_ENDPOINT:
        return strcmp(text, "none") == 0 || endpoint_parse(text, &v->v.endpoint) == OK;
    case SET_ENUM:
        return word_index(s, text, &v->v.number, why);
    case SET_TEXT:
    case SET_SECRET:
        return true;
    }
    return good && in_range(s, v->v.number, why);
}

static int find(const struct conf *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (c->settings[i].name[0] == name[0] && strcmp(c->settings[i].name, name) == 0)
            return i;
    return -1;
}

status_t conf_set(struct pool *pool, struct conf *c, const char *name, const char *text, char *why)
{
    int i = find(c, name);
    struct conf_value v = {.owned = true};
    if (i < 0) {
        snprintf(why, CONF_WHY, "%s: no such setting", name);
        return E_NOENT;
    }
    if (!parse(&c->settings[i], text, &v, why))
        return E_INVAL;
    size_t n = strlen(text) + 1;
    char *copy = pool_alloc(pool, n);
    if (!copy) {
        snprintf(why, CONF_WHY, "%s: no memory", name);
        return E_NOMEM;
    }
    memcpy(copy, text, n);
    v.text = copy;
    if (c->values[i].owned)
        pool_free(pool, (void *)(uintptr_t)c->values[i].text);
    c->values[i] = v;
    return OK;
}

static inline struct conf_known *known_at(const struct conf *c, const char *name)
{
    return &c->known[(uintptr_t)name % CONF_KNOWN];
}

/* Not inlined, so that the getters need no registers for it. */
__attribute__((noinline)) static const struct conf_value *value_find(const struct conf *c,
                                                                     const char *name)
{
    int i = find(c, name);
    assert(i >= 0);
    if (c->known)
        *known_at(c, name) = (struct conf_known){name, &c->values[i]};
    return &c->values[i];
}

static inline const struct conf_value *value(const struct conf *c, const char *name)
{
    bool known = c->known && known_at(c, name)->name == name;
    return LIKELY(known) ? known_at(c, name)->value : value_find(c, name);
}

uint64_t conf_number(const struct conf *c, const char *name)
{
    return value(c, name)->v.number;
}

bool conf_bool(const struct conf *c, const char *name)
{
    return value(c, name)->v.number != 0;
}

const struct netaddr *conf_addr(const struct conf *c, const char *name)
{
    return &value(c, name)->v.addr;
}

const struct endpoint *conf_endpoint(const struct conf *c, const char *name)
{
    return &value(c, name)->v.endpoint;
}

const char *conf_text(const struct conf *c, const char *name)
{
    return value(c, name)->text;
}

const char *conf_shown(const struct conf *c, int i)
{
    if (c->settings[i].type != SET_SECRET)
        return c->values[i].text;
    return c->values[i].text[0] ? "(secret)" : "";
}
