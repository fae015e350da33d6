/* SPDX-License-Identifier: BSD-2-Clause */
/* A link whose MTU drops while segments are on their way: who sends what does not fit is told, as a
 * router behind it would (RFC 792, RFC 1191). */
#include <string.h>

#include "tests/sim/bytes.h"
#include "tests/sim/scene.h"

enum { ETH = 14, IP = 20, ICMP = 8, QUOTED = IP + 8, ROUTER_HOST = 200 };

void narrow_answer(void *arg, int end, const uint8_t *frame, size_t n)
{
    const struct faults_side *side = arg;
    struct simlink *l = side->scene->link[side->link];
    uint8_t f[ETH + IP + ICMP + QUOTED] = {0}, *ip = f + ETH, *icmp = ip + IP;
    if (n < ETH + QUOTED || get2(frame + 12) != 0x0800 || frame[ETH] != 0x45)
        return;
    memcpy(f, frame + 6, 6);
    memcpy(f + 6, frame, 6);
    put2(f + 12, 0x0800);
    ip[0] = 0x45;
    put2(ip + 2, IP + ICMP + QUOTED);
    ip[8] = 64;
    ip[9] = 1;
    put4(ip + 12, side->link ? 0x0a000200 + ROUTER_HOST : 0x0a000100 + ROUTER_HOST);
    memcpy(ip + 16, frame + ETH + 12, 4);
    put2(ip + 10, sum_fold(sum_add(0, ip, IP)));
    icmp[0] = 3;
    icmp[1] = 4;
    put2(icmp + 6, simlink_way(l, end)->mtu);
    memcpy(icmp + ICMP, frame + ETH, QUOTED);
    put2(icmp + 2, sum_fold(sum_add(0, icmp, ICMP + QUOTED)));
    side->scene->faults.struck[FAULT_NARROW]++;
    simlink_send(l, !end, f, sizeof f);
}
