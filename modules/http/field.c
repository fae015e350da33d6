/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking things up in a parsed head: names and options in either case, lists, numbers. */
#include <string.h>

#include "modules/http/head.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

bool span_is(const struct head *h, struct part s, const char *word)
{
    if (strlen(word) != s.n)
        return false;
    for (uint16_t i = 0; i < s.n; i++)
        if (lower(head_at(h, s)[i]) != lower(word[i]))
            return false;
    return true;
}

const struct field *head_field(const struct head *h, const char *name, int i)
{
    for (uint16_t f = 0; f < h->nfields; f++)
        if (span_is(h, h->field[f].name, name) && i-- == 0)
            return &h->field[f];
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool span_item(const struct head *h, struct part *list, struct part *item)
{
    const char *s = head_at(h, *list);
    uint16_t at = 0, end;
    while (at < list->n && (s[at] == ',' || is_space(s[at])))
        at++;
    for (end = at; end < list->n && s[end] != ',';)
        end++;
    *item = (struct part){(uint16_t)(list->at + at), (uint16_t)(end - at)};
    while (item->n && is_space(head_at(h, *item)[item->n - 1]))
        item->n--;
    list->at = (uint16_t)(list->at + end);
    list->n = (uint16_t)(list->n - end);
    return item->n > 0;
}

bool head_lists(const struct head *h, const char *name, const char *word)
{
    const struct field *f;
    for (int i = 0; (f = head_field(h, name, i)) != NULL; i++) {
        struct part list = f->value, item;
        while (span_item(h, &list, &item))
            if (span_is(h, item, word))
                return true;
    }
    return false;
}

bool span_number(const struct head *h, struct part s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 18)
        return false;
    for (uint16_t i = 0; i < s.n; i++) {
        char c = head_at(h, s)[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (uint64_t)(c - '0');
    }
    *out = v;
    return true;
}
