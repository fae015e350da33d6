/* SPDX-License-Identifier: BSD-2-Clause */
/* Small payloads, see small.h. */
#include "modules/tcp/small.h"

enum { SMALL_PAYLOAD = 512 };

bool small_squeeze(struct msg *last, struct msg *m)
{
    if (!last || m->total >= SMALL_PAYLOAD || last->refs != 1)
        return false;
    uint32_t n = m->total;
    uint8_t *to = msg_put(last, n);
    if (!to)
        return false;
    (void)msg_peek(m, 0, to, n);
    msg_free(m);
    return true;
}

struct msg *small_copy(struct pool *payer, struct msg *m)
{
    if (m->class != MSG_FULL || m->total > MSG_SMALL_ROOM - MSG_HEADROOM)
        return m;
    struct msg *copy = msg_copy(payer, m, 0, m->total);
    if (!copy)
        return m;
    copy->cb[0] = m->cb[0];
    msg_free(m);
    return copy;
}
