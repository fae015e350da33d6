/* SPDX-License-Identifier: BSD-2-Clause */
/* The observer of wire.h. It shares no code with what it watches. */
#include "tests/sim/wire.h"

#include <string.h>

#include "tests/sim/bytes.h"

enum { ETH = 14, IP = 20, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };

void wire_init(struct wire *w, uint16_t server_port,
               void (*acked)(void *arg, int link, const struct wire_line *line), void *arg)
{
    memset(w, 0, sizeof *w);
    w->server_port = server_port;
    w->acked = acked;
    w->arg = arg;
    for (int l = 0; l < 2; l++) {
        w->side[l].wire = w;
        w->side[l].link = l;
    }
}

static struct wire_line *line_of(struct wire_side *s, uint16_t port)
{
    for (int i = s->nlines - 1; i >= 0; i--)
        if (s->line[i].port == port)
            return &s->line[i];
    return NULL;
}

const struct wire_line *wire_find(const struct wire *w, int link, uint16_t port)
{
    const struct wire_side *s = &w->side[link];
    for (int i = s->nlines - 1; i >= 0; i--)
        if (s->line[i].port == port)
            return &s->line[i];
    return NULL;
}

/* A SYN of whoever opens on this link begins a connection, unless it is the same SYN again. */
static struct wire_line *line_begin(struct wire_side *s, uint16_t port, bool box, uint32_t isn)
{
    struct wire_line *line = line_of(s, port);
    if (line && (box ? line->box_isn : line->host_isn) == isn)
        return line;
    if (s->nlines == WIRE_LINES)
        return NULL;
    line = &s->line[s->nlines++];
    *line = (struct wire_line){.port = port};
    return line;
}

static void segment_see(struct wire_side *s, bool box, const uint8_t *t)
{
    bool to_server = get2(t + 2) == s->wire->server_port;
    uint16_t port = (uint16_t)(to_server ? get2(t) : get2(t + 2));
    unsigned flags = t[13];
    uint32_t seq = get4(t + 4), ack = get4(t + 8);
    bool opens = (flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN;
    struct wire_line *line = opens ? line_begin(s, port, box, seq) : line_of(s, port);
    if (!line || flags & FLAG_RST)
        return;
    if (flags & FLAG_SYN) {
        *(box ? &line->box_isn : &line->host_isn) = seq;
        *(box ? &line->box_known : &line->host_known) = true;
    }
    if (!(flags & FLAG_ACK) || !(box ? line->host_known : line->box_known))
        return;
    uint32_t *most = box ? &line->box_ack : &line->host_ack;
    uint32_t at = ack - (box ? line->host_isn : line->box_isn) - 1;
    if (!seq_before(*most, at))
        return;
    *most = at;
    if (box)
        s->wire->acked(s->wire->arg, s->link, line);
}

/* The forwarder is end 1 of the client's link and end 0 of the server's. */
void wire_tap(void *arg, int end, bool arrives, const uint8_t *frame, size_t n)
{
    struct wire_side *s = arg;
    const uint8_t *ip = frame + ETH;
    if (end != (s->link ? 0 : 1) || n < ETH + IP + 20 || get2(frame + 12) != 0x0800 ||
        ip[0] != 0x45 || ip[9] != 6)
        return;
    size_t total = get2(ip + 2);
    if (total < IP + 20 || total > n - ETH || get2(ip + 6) & 0x3fff || sum_fold(sum_add(0, ip, IP)))
        return;
    if (tcp_sum(get4(ip + 12), get4(ip + 16), ip + IP, total - IP) == 0)
        segment_see(s, !arrives, ip + IP);
}
