/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths of targets, as routes see them. Who asks for /%69mg or /x/../img must not get past a rule
 * for /img: escaped letters are read as letters (RFC 3986 6.2.2.2), dot segments are refused, since
 * a browser has removed them and the server might.
 */
#include <string.h>

#include "modules/http/message.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unreserved(int c) /* RFC 3986 2.3 */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("-._~", c));
}

/* The character at *at, which moves behind it: 0 at the end of the path, -1: a broken escape, -2:
 * an escape that stays one. */
static int next(const char **at, const char *end)
{
    if (*at == end || **at == '?')
        return 0;
    char c = *(*at)++;
    if (c != '%')
        return (unsigned char)c;
    int high = *at < end ? hex((*at)[0]) : -1,
        low = high >= 0 && *at + 1 < end ? hex((*at)[1]) : -1;
    if (low < 0)
        return -1;
    *at += 2;
    int v = high << 4 | low;
    if (v == 0)
        return -1;
    return unreserved(v) ? v : -2;
}

bool path_fits(const char *path, size_t n)
{
    const char *at = path, *end = path + n;
    int c, dots = 0, others = 1;
    do {
        c = next(&at, end);
        if (c == -1 || c == '#' || c == '\\' || c > 126)
            return false;
        if ((c == '/' || c == 0) && others == 0 && dots && dots <= 2)
            return false;
        if (c == '/')
            dots = others = 0;
        else if (c == '.')
            dots++;
        else
            others++;
    } while (c);
    return memchr(path, '#', n) == NULL;
}

bool path_begins(const char *path, size_t n, const char *prefix)
{
    const char *at = path, *end = path + n;
    int last = 0;
    for (; *prefix; prefix++) {
        last = next(&at, end);
        if (last != (unsigned char)*prefix)
            return false;
    }
    int after = next(&at, end);
    return last == '/' || after == 0 || after == '/';
}
