/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letting the server go while the client stays, so that the next request can go to another one. A
 * half path B becomes an orphan, which closes by itself, and the next one is made at once. In a
 * joined path the old connection must be over first: it is closed, or reset when somebody waits;
 * then a rule takes its stages out (proxy_parted, proxy_alone), and the next one is made.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "modules/proxy/conn.h"

static void forget_server(struct conn *c)
{
    memset(&c->side[SIDE_B], 0, sizeof c->side[SIDE_B]);
    c->parting = false;
    c->flow[AB].shut = false;
    c->flow[AB].crowded = false;
    c->flow[BA].eof = false;
}

static void orphan(struct conn *c)
{
    struct path *b = c->side[SIDE_B].p;
    bool open = c->side[SIDE_B].open, closed = c->side[SIDE_B].closed, shut = c->flow[AB].shut;
    b->state[c->side[SIDE_B].at] = NULL;
    forget_server(c);
    if (closed)
        path_destroy(b);
    else if (!open || !shut)
        path_post(b, AB, open ? EVENT_EOF : EVENT_RESET);
}

void proxy_disconnect(struct conn *c)
{
    if (!c->side[SIDE_B].p || c->parting)
        return;
    for (int d = AB; d <= BA; d++) {
        c->flow[d].forward = 0;
        c->flow[d].on_data = false;
    }
    msgq_drop(c->n->k, &c->flow[BA].held, DROP_PROXY_CLOSED);
    if (!conn_joined(c)) {
        orphan(c);
        return;
    }
    bool shut = c->flow[AB].shut;
    c->parting = true;
    c->side[SIDE_B].open = false;
    c->flow[AB].shut = true;
    if (c->side[SIDE_B].closed)
        path_note(c->side[SIDE_A].p, NOTE_MODE);
    else if (!shut)
        conn_tell(c, SIDE_B, EVENT_EOF);
    conn_tell(c, SIDE_B, EVENT_READY); /* what it still says is not waited for */
}

void conn_part(struct conn *c, const struct endpoint *to, const struct endpoint *from)
{
    c->connecting = true;
    c->server = *to;
    c->from = from ? *from : (struct endpoint){0};
    conn_tell(c, SIDE_B, EVENT_RESET);
}

bool proxy_parted(const struct conn *c)
{
    return c->parting && c->side[SIDE_B].closed;
}

void proxy_alone(struct conn *c)
{
    forget_server(c);
    if (!c->connecting)
        return;
    c->connecting = false;
    if (proxy_connect(c, &c->server, c->from.addr.family ? &c->from : NULL) != OK &&
        c->code->closed)
        c->code->closed(c, SIDE_B);
}
