/* SPDX-License-Identifier: BSD-2-Clause */
/* Replacing in a stream, see filter.h. Occurrences do not overlap: the first one counts. */
#include "modules/filter/filter.h"

#include <assert.h>
#include <string.h>

void replace_init(struct replace *r, const char *find, size_t nfind, const char *by, size_t nby)
{
    assert(nfind && nfind <= REPLACE_MAX && nby <= REPLACE_MAX);
    memset(r, 0, sizeof *r);
    memcpy(r->find, find, nfind);
    memcpy(r->by, by, nby);
    r->nfind = (uint8_t)nfind;
    r->nby = (uint8_t)nby;
    for (unsigned i = 1, k = 0; i < nfind; i++) {
        while (k && r->find[k] != r->find[i])
            k = r->border[k - 1];
        k += r->find[k] == r->find[i];
        r->border[i] = (uint8_t)k;
    }
}

size_t replace_bound(const struct replace *r, size_t n)
{
    return REPLACE_MAX + n * (1 + r->nby);
}

size_t replace_run(const struct replace *r, uint8_t *kept, const uint8_t *from, size_t n,
                   uint8_t *to, uint64_t *hits)
{
    size_t out = 0;
    unsigned k = *kept;
    for (size_t i = 0; i < n; i++) {
        while (k && r->find[k] != from[i]) { /* a shorter beginning may still be one */
            unsigned shorter = r->border[k - 1];
            memcpy(to + out, r->find, k - shorter);
            out += k - shorter;
            k = shorter;
        }
        if (r->find[k] != from[i]) {
            to[out++] = from[i];
        } else if (++k == r->nfind) {
            memcpy(to + out, r->by, r->nby);
            out += r->nby;
            k = 0;
            ++*hits;
        }
    }
    *kept = (uint8_t)k;
    return out;
}
