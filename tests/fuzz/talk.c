/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection through a proxy on the rig: the client opens it, the server answers, and both
 * acknowledge what comes. Only what it takes to have one; tests of TCP have better hosts.
 */
#include <string.h>

#include "modules/wire/be.h"
#include "tests/fuzz/rig.h"
#include "tests/fuzz/talk.h"
#include "tests/path/packet.h"

struct talker talkers[2];

static void say(int card, uint8_t flags)
{
    struct talker *t = &talkers[card];
    uint8_t tcp[20] = {0}, frame[64];
    be16_put(tcp, t->port);
    be16_put(tcp + 2, t->peer_port);
    be32_put(tcp + 4, t->seq);
    be32_put(tcp + 8, flags & TCP_ACK_FLAG ? t->ack : 0);
    tcp[12] = 0x50;
    tcp[13] = flags;
    be16_put(tcp + 14, 60000);
    sum_put(tcp, 20, 16, sum_pseudo(t->addr, t->peer, 6, 20));
    if (flags & (TCP_SYN | TCP_FIN))
        t->seq++;
    rig_frame(card, frame, frame_ip(card, 6, t->addr, t->peer, tcp, 20, frame));
}

void talk_hear(int card, const struct packet *p, const uint8_t *frame, size_t n)
{
    struct talker *t = &talkers[card];
    if (p->top != L_TCP || p->v[TCP_DPORT] != t->port)
        return;
    t->nlast = n - 14 < sizeof t->last ? n - 14 : sizeof t->last;
    memcpy(t->last, frame + 14, t->nlast);
    if (p->v[TCP_FLAGS] & TCP_SYN) {
        t->peer = (uint32_t)p->v[IP_SRC];
        t->peer_port = (uint16_t)p->v[TCP_SPORT];
        t->ack = (uint32_t)p->v[TCP_SEQ] + 1;
        say(card, t->open || card == 0 ? TCP_ACK_FLAG : TCP_SYN | TCP_ACK_FLAG);
        t->open = true;
    } else if (p->ndata && p->v[TCP_SEQ] == t->ack) {
        t->ack += p->ndata;
        say(card, TCP_ACK_FLAG);
    }
}

void talk_open(uint16_t port)
{
    talkers[0] = (struct talker){HOST_0, US_0, 40000, port, 1000, 0, {0}, 0, false};
    talkers[1] = (struct talker){HOST_1, US_1, 8080, 0, 5000, 0, {0}, 0, false};
    rig_sent = talk_hear;
    say(0, TCP_SYN);
    rig_wait(100 * MS);
}
