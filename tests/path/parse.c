/* SPDX-License-Identifier: BSD-2-Clause */
/* The notation of packets: words to fields. See README.md of this folder. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/path/packet.h"

enum kind { NUM, MAC, ADDR, PORT };

static const struct {
    enum layer layer;
    const char *name;
    enum kind kind;
} fields[FIELD_COUNT] = {
#define X(layer, name, text, kind) {L_##layer, text, kind},
    FIELDS(X)
#undef X
};

const char *const field_names[FIELD_COUNT] = {
#define X(layer, name, text, kind) #layer "." text,
    FIELDS(X)
#undef X
};

static const char *const layer_names[] = {"eth", "arp", "ip", "icmp", "udp", "tcp"};

static bool value(enum kind kind, const char *text, uint64_t bump, uint64_t *out)
{
    char *end = NULL;
    unsigned a[6];
    int n = 0;
    uint64_t v = 0;
    if (kind == MAC &&
        sscanf(text, "%x:%x:%x:%x:%x:%x%n", &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &n) == 6) {
        for (int i = 0; i < 6; i++)
            v = v << 8 | (a[i] & 0xff);
    } else if (kind == ADDR && sscanf(text, "%u.%u.%u.%u%n", &a[0], &a[1], &a[2], &a[3], &n) == 4) {
        for (int i = 0; i < 4; i++)
            v = v << 8 | (a[i] & 0xff);
    } else if (kind == NUM || kind == PORT) {
        v = strtoull(text, &end, 0);
        n = (int)(end - text);
    }
    if (n == 0)
        return false;
    if (text[n] == '+') {
        v += bump;
        n++;
    }
    *out = v;
    return text[n] == 0;
}

static bool hex(const char *text, uint8_t *out, uint32_t room, uint32_t *n)
{
    unsigned byte;
    for (*n = 0; text[0] && text[1] && *n < room; text += 2) {
        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
            sscanf(text, "%2x", &byte) != 1)
            return false;
        out[(*n)++] = (uint8_t)byte;
    }
    return *text == 0;
}

static void put32(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void late(struct packet *p, uint32_t at, bool echo)
{
    if (p->nlate == (int)ARRAY_LEN(p->late))
        return;
    p->late[p->nlate].at = (uint8_t)at;
    p->late[p->nlate++].echo = echo;
}

/* One TCP option of a list. Names of options without length: nop, eol. */
static bool option(char *text, struct packet *p)
{
    char *arg = strchr(text, '=');
    uint8_t *o = p->opt + p->nopt;
    uint32_t n = 0;
    unsigned long long a = 0, b = 0;
    if (arg)
        *arg++ = 0;
    if (p->nopt + 40 > sizeof p->opt + 16)
        return false;
    if (strcmp(text, "raw") == 0 && arg) {
        if (!hex(arg, o, (uint32_t)sizeof p->opt - p->nopt, &n))
            return false;
    } else if (strcmp(text, "mss") == 0 && arg) {
        a = strtoull(arg, NULL, 0);
        memcpy(o, (uint8_t[]){2, 4, (uint8_t)(a >> 8), (uint8_t)a}, n = 4);
    } else if (strcmp(text, "ws") == 0 && arg) {
        memcpy(o, (uint8_t[]){3, 3, (uint8_t)strtoul(arg, NULL, 0)}, n = 3);
    } else if (strcmp(text, "sackok") == 0) {
        memcpy(o, (uint8_t[]){4, 2}, n = 2);
    } else if (strcmp(text, "ts") == 0 && arg && sscanf(arg, "%llu:%llu", &a, &b) == 2) {
        memcpy(o, (uint8_t[]){8, 10}, 2);
        put32(o + 2, a);
        put32(o + 6, b);
        n = 10;
    } else if (strcmp(text, "ts") == 0 && arg && strstr(arg, ":last")) {
        memcpy(o, (uint8_t[]){8, 10}, 2);
        put32(o + 2, strtoull(arg, NULL, 0));
        late(p, p->nopt + 6, true);
        n = 10;
    } else if (strcmp(text, "sack") == 0 && arg) {
        o[0] = 5;
        for (n = 2; n + 8 <= 34 && sscanf(arg, "%llu:%llu", &a, &b) == 2; n += 8) {
            put32(o + n, a);
            put32(o + n + 4, b);
            late(p, p->nopt + n, false);
            late(p, p->nopt + n + 4, false);
            arg += strcspn(arg, "/");
            arg += *arg == '/';
        }
        o[1] = (uint8_t)n;
    } else if (strcmp(text, "nop") == 0 || strcmp(text, "eol") == 0) {
        o[0] = *text == 'n';
        n = 1;
    } else {
        return false;
    }
    p->nopt += n;
    return true;
}

/* <mss=1460,nop,ws=7>: bytes to send, and words to look for. */
static bool options(char *text, struct packet *p, char *why)
{
    size_t n = strlen(text);
    if (text[n - 1] != '>')
        return false;
    text[n - 1] = 0;
    text++;
    p->options = true;
    snprintf(p->want, sizeof p->want, "%s", text);
    for (char *next; *text; text = next) {
        next = text + strcspn(text, ",");
        if (*next)
            *next++ = 0;
        char copy[160];
        snprintf(copy, sizeof copy, "%s", text);
        if (!option(copy, p)) /* `ts` without a value can only be expected */
            snprintf(why, TEXT_MAX, "option '%s' cannot be built", text);
    }
    return true;
}

static bool flags(const char *text, struct packet *p)
{
    static const char letters[] = "FSRP.UEC"; /* bit 0 up, as tcpdump prints them */
    uint64_t v = 0;
    if (strcmp(text, "-") == 0) {
        set(p, TCP_FLAGS, 0);
        return true;
    }
    for (; *text; text++) {
        const char *at = strchr(letters, *text);
        if (!at)
            return false;
        v |= 1U << (at - letters);
    }
    set(p, TCP_FLAGS, v);
    return true;
}

/* 40000>8080, with names for ports that are not known yet. */
static bool ports(char *text, struct packet *p, uint64_t bump)
{
    char *arrow = strchr(text, '>');
    const char *side[2] = {text, arrow + 1};
    enum field f[2] = {p->top == L_TCP ? TCP_SPORT : UDP_SPORT,
                       p->top == L_TCP ? TCP_DPORT : UDP_DPORT};
    *arrow = 0;
    for (int i = 0; i < 2; i++) {
        uint64_t v;
        if (value(PORT, side[i], bump, &v))
            set(p, f[i], v);
        else if (isalpha((unsigned char)*side[i]) && strlen(side[i]) < sizeof p->port[i])
            memcpy(p->port[i], side[i], strlen(side[i]) + 1);
        else if (strcmp(side[i], "*") != 0)
            return false;
    }
    return true;
}

void packet_pattern(struct packet *p, uint32_t from)
{
    for (uint32_t i = 0; p->pattern && p->data && i < p->ndata; i++)
        p->data[i] = (uint8_t)('a' + (from + i) % 26);
}

static void pattern(struct packet *p, uint64_t n)
{
    free(p->data);
    p->ndata = (uint32_t)n;
    p->data = malloc(n + 1);
    p->pattern = true;
    packet_pattern(p, 0);
}

/* 1:101(100): sequence numbers and length; the data is the pattern of its length. */
static bool numbers(const char *text, struct packet *p, uint64_t bump)
{
    unsigned long long from, to, n;
    char rest[4] = "";
    int got = sscanf(text, "%llu:%llu(%llu)%3s", &from, &to, &n, rest);
    bool grows = strcmp(rest, "+") == 0;
    if (got < 3 || (got == 4 && !grows))
        return false;
    set(p, TCP_SEQ, from + (grows ? bump * n : 0));
    set(p, DATA_LEN, n);
    if (!p->data)
        pattern(p, n);
    return true;
}

static bool assign(const char *name, const char *text, struct packet *p, uint64_t bump)
{
    uint64_t v;
    if (strcmp(name, "data") == 0) {
        uint32_t n;
        if (*text == '"') {
            pattern(p, strlen(text + 1) - (strlen(text + 1) > 0));
            memcpy(p->data, text + 1, p->ndata);
            p->pattern = false;
        } else if (strncmp(text, "hex:", 4) == 0) {
            pattern(p, strlen(text + 4) / 2);
            p->pattern = false;
            return hex(text + 4, p->data, p->ndata, &n) && (set(p, DATA_LEN, n), true);
        } else if (value(NUM, text, bump, &v) && v <= PACKET_MAX) {
            pattern(p, v);
        } else {
            return false;
        }
        set(p, DATA_LEN, p->ndata);
        return true;
    }
    if (strcmp(name, "poke") == 0) {
        char *colon = strchr(text, ':');
        if (!colon || p->npoke == POKES)
            return false;
        p->poke[p->npoke].at = (uint32_t)strtoul(text, NULL, 0);
        return hex(colon + 1, p->poke[p->npoke].bytes, 16, &p->poke[p->npoke].n) && ++p->npoke;
    }
    if (strcmp(name, "opt") == 0)
        return hex(text, p->ipopt, 40, &p->nipopt) && p->nipopt % 4 == 0;
    const enum layer below[] = {p->at, p->at > L_IP ? L_IP : p->at, L_ETH};
    for (unsigned i = 0; i < ARRAY_LEN(below); i++)
        for (int f = 0; f < FIELD_COUNT; f++)
            if (fields[f].layer == below[i] && strcmp(fields[f].name, name) == 0)
                return value(fields[f].kind, text, bump, &v) && (set(p, (enum field)f, v), true);
    return false;
}

static const struct {
    const char *name;
    enum layer layer;
    enum field field;
    uint64_t v;
} shorthands[] = {
    {"who-has", L_ARP, ARP_OP, 1},
    {"is-at", L_ARP, ARP_OP, 2},
    {"df", L_IP, IP_DF, 1},
    {"mf", L_IP, IP_MF, 1},
    {"echo", L_ICMP, ICMP_TYPE, 8},
    {"reply", L_ICMP, ICMP_TYPE, 0},
    {"unreachable", L_ICMP, ICMP_TYPE, 3},
    {"exceeded", L_ICMP, ICMP_TYPE, 11},
    {"quote", L_ICMP, ICMP_QUOTE, 28},
};

static bool word(char *w, struct packet *p, uint64_t bump, char *why)
{
    for (unsigned i = 0; i < ARRAY_LEN(layer_names); i++) {
        if (strcmp(w, layer_names[i]) == 0) {
            p->at = (enum layer)i;
            p->top = p->at > p->top ? p->at : p->top;
            return true;
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(shorthands); i++) {
        if (strcmp(w, shorthands[i].name) == 0) {
            if (shorthands[i].layer > p->top)
                p->top = p->at = shorthands[i].layer;
            set(p, shorthands[i].field, shorthands[i].v);
            return true;
        }
    }
    if (strcmp(w, "raw") == 0)
        return p->raw = true;
    if (*w == '<')
        return options(w, p, why);
    char *equals = strchr(w, '=');
    if (equals) {
        *equals = 0;
        bool good = assign(w, equals + 1, p, bump);
        *equals = '=';
        return good;
    }
    if (strchr(w, '>') && (p->top == L_TCP || p->top == L_UDP))
        return ports(w, p, bump);
    return p->top == L_TCP && (numbers(w, p, bump) || flags(w, p));
}

bool packet_parse(char *words, struct packet *p, uint64_t bump, char *why)
{
    *p = (struct packet){.top = L_ETH};
    *why = 0;
    while (*words) {
        while (isspace((unsigned char)*words))
            words++;
        char *w = words;
        bool quoted = false;
        for (; *words && (quoted || !isspace((unsigned char)*words)); words++)
            quoted ^= *words == '"';
        if (*words)
            *words++ = 0;
        if (*w && !word(w, p, bump, why)) {
            snprintf(why, TEXT_MAX, "'%s' is not understood", w);
            return false;
        }
    }
    return true;
}
