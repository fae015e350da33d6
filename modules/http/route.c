/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes by host and path prefix, see route.h. */
#include "modules/http/route.h"

#include <string.h>

#include "kernel/show.h"
#include "modules/proxy/proxy.h"

static status_t wrong(struct node *n, const char *name, const char *value)
{
    log_error(n->k, "%s.routes: '%s=%s': expected HOST/PREFIX=ADDR:PORT, at most %d of them",
              n->name, name, value, ROUTES);
    return E_INVAL;
}

static bool entry_read(struct route_entry *e, const char *name, const char *value)
{
    const char *slash = strchr(name, '/');
    size_t nhost = slash ? (size_t)(slash - name) : 0;
    if (nhost == 0 || nhost >= sizeof e->host || strlen(slash) >= sizeof e->prefix)
        return false;
    memset(e, 0, sizeof *e);
    for (size_t i = 0; i < nhost; i++)
        e->host[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 'a' - 'A') : name[i];
    memcpy(e->prefix, slash, strlen(slash) + 1);
    return endpoint_parse(value, &e->to) == OK && e->to.port && !netaddr_is_any(&e->to.addr) &&
           path_fits(e->prefix, strlen(e->prefix));
}

status_t routes_read(struct node *n, const char *text, struct routes *out)
{
    char name[PROXY_WORD], value[PROXY_WORD];
    out->n = 0;
    while (proxy_item(&text, name, value)) {
        if (out->n == ROUTES || !entry_read(&out->entry[out->n], name, value))
            return wrong(n, name, value);
        out->n++;
    }
    return out->n ? OK : wrong(n, "", "");
}

const struct route_entry *routes_find(const struct routes *r, const char *host, const char *path,
                                      size_t npath)
{
    const struct route_entry *best = NULL;
    for (int pass = 0; pass < 2 && !best; pass++)
        for (int i = 0; i < r->n; i++) {
            const struct route_entry *e = &r->entry[i];
            if (strcmp(e->host, pass ? "*" : host) == 0 &&
                (path[0] == '*' || path_begins(path, npath, e->prefix)) &&
                (!best || strlen(e->prefix) > strlen(best->prefix)))
                best = e;
        }
    return best;
}
