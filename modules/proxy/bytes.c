/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What proxies that read their bytes have in common: looking into what is held, sending bytes of
 * their own, words of a list in a setting, and listening where their settings say.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "modules/proxy/conn.h"

enum { WRITE_MAX = 1400 }; /* bytes per message that a proxy makes */

size_t proxy_peek(const struct conn *c, enum dir d, void *to, size_t n)
{
    size_t done = 0;
    for (const struct msg *m = c->flow[d].held.head; m && done < n; m = m->next) {
        size_t part = m->total < n - done ? m->total : n - done;
        (void)msg_peek(m, 0, (uint8_t *)to + done, part);
        done += part;
    }
    return done;
}

status_t proxy_write(struct conn *c, enum dir d, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t part = n - done < WRITE_MAX ? n - done : WRITE_MAX;
        struct msg *m = msg_alloc(proxy_pool(c), MSG_HEADROOM, part);
        uint8_t *to = m ? msg_put(m, part) : NULL;
        if (!to) {
            msg_free(m);
            return E_NOMEM;
        }
        memcpy(to, (const uint8_t *)bytes + done, part);
        done += part;
        proxy_send(c, d, m);
    }
    return OK;
}

static void word(char to[PROXY_WORD], const char *from, size_t n)
{
    if (n > PROXY_WORD - 1)
        n = PROXY_WORD - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

bool proxy_item(const char **list, char name[PROXY_WORD], char value[PROXY_WORD])
{
    const char *s = *list + strspn(*list, ",");
    size_t n = strcspn(s, ","), left = strcspn(s, "=,");
    if (n == 0)
        return false;
    word(name, s, left);
    word(value, s + left + (left < n), left < n ? n - left - 1 : 0);
    *list = s + n;
    return true;
}

bool proxy_listens(struct node *n, const struct endpoint *local, bool *transparent)
{
    const struct endpoint *listen = conf_endpoint(&n->conf, "listen");
    *transparent = false;
    return listen->port == local->port &&
           (netaddr_is_any(&listen->addr) || netaddr_equal(&listen->addr, &local->addr));
}

uint32_t proxy_backlog(struct node *n)
{
    return (uint32_t)conf_number(&n->conf, "backlog");
}
