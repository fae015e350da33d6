/* SPDX-License-Identifier: BSD-2-Clause */
/* The model host below TCP: Ethernet, ARP (RFC 826), IP (RFC 791), checksums. See model.h. */
#include "tests/sim/model.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bytes.h"

enum { ETH = 14, IP = 20, FRAME_BYTES = 1514, ARP_AGAIN_MS = 300, ARP_BYTES = 28 };

static void frame_send(struct model *m, const uint8_t mac[6], unsigned type, uint8_t *frame,
                       size_t n)
{
    memcpy(frame, mac, 6);
    memcpy(frame + 6, m->conf.mac, 6);
    put2(frame + 12, type);
    if (!m->gone)
        simlink_send(m->link, m->end, frame, n);
}

static void arp_send(struct model *m, unsigned op, const uint8_t mac[6], uint32_t ip)
{
    static const uint8_t everyone[6] = {255, 255, 255, 255, 255, 255};
    uint8_t f[ETH + ARP_BYTES] = {0}, *a = f + ETH;
    put2(a, 1);
    put2(a + 2, 0x0800);
    a[4] = 6;
    a[5] = 4;
    put2(a + 6, op);
    memcpy(a + 8, m->conf.mac, 6);
    put4(a + 14, m->conf.ip);
    if (mac)
        memcpy(a + 18, mac, 6);
    put4(a + 24, ip);
    frame_send(m, mac ? mac : everyone, 0x0806, f, sizeof f);
}

/* The gateway's address may have come damaged: ARP has no checksum. So it is asked for again and
 * again while something is sent. */
static void resolve(struct model *m)
{
    uint64_t now = simworld_now(m->world);
    if (m->asked && now - m->asked < (uint64_t)ARP_AGAIN_MS * MS * (m->resolved ? 10 : 1))
        return;
    m->asked = now ? now : 1;
    arp_send(m, 1, NULL, m->conf.gateway);
}

static void arp_input(struct model *m, const uint8_t *a, size_t n)
{
    if (n < ARP_BYTES || get2(a) != 1 || get2(a + 2) != 0x0800 || a[4] != 6 || a[5] != 4)
        return;
    if (get4(a + 14) == m->conf.gateway) {
        memcpy(m->gateway_mac, a + 8, 6);
        m->resolved = true;
    }
    if (get2(a + 6) == 1 && get4(a + 24) == m->conf.ip)
        arp_send(m, 2, a + 8, get4(a + 14));
}

void model_send(struct model *m, uint32_t to, uint8_t *segment, size_t n)
{
    uint8_t f[FRAME_BYTES] = {0}, *ip = f + ETH;
    resolve(m);
    if (!m->resolved || n > FRAME_BYTES - ETH - IP)
        return; /* TCP will send it again */
    put2(segment + 16, 0);
    put2(segment + 16, tcp_sum(m->conf.ip, to, segment, n));
    ip[0] = 0x45;
    put2(ip + 2, (unsigned)(IP + n));
    put2(ip + 4, m->ident++);
    put2(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = 6;
    put4(ip + 12, m->conf.ip);
    put4(ip + 16, to);
    put2(ip + 10, sum_fold(sum_add(0, ip, IP)));
    memcpy(ip + IP, segment, n);
    frame_send(m, m->gateway_mac, 0x0800, f, ETH + IP + n);
}

static void ip_input(struct model *m, const uint8_t *ip, size_t n)
{
    if (n < IP || ip[0] >> 4 != 4)
        return;
    size_t header = (ip[0] & 15U) * 4U, total = get2(ip + 2);
    if (header < IP || total < header || total > n || sum_fold(sum_add(0, ip, header)) != 0)
        return;
    if (get4(ip + 16) != m->conf.ip || ip[9] != 6 || get2(ip + 6) & 0x3fff)
        return;
    if (total - header < 20 || tcp_sum(get4(ip + 12), get4(ip + 16), ip + header, total - header))
        return;
    mconn_input(m, get4(ip + 12), ip + header, total - header);
}

static void frame_came(void *arg, const uint8_t *frame, size_t n)
{
    struct model *m = arg;
    if (m->gone || n < ETH)
        return;
    if (memcmp(frame, m->conf.mac, 6) != 0 && !(frame[0] & 1))
        return;
    if (get2(frame + 12) == 0x0806)
        arp_input(m, frame + ETH, n - ETH);
    else if (get2(frame + 12) == 0x0800)
        ip_input(m, frame + ETH, n - ETH);
}

void model_init(struct model *m, const struct model_conf *c, struct simworld *w, struct simlink *l,
                int end)
{
    memset(m, 0, sizeof *m);
    m->conf = *c;
    m->world = w;
    m->link = l;
    m->end = end;
    m->next_port = 40000;
    m->iss = c->ip * 2654435761U;
    simlink_attach(l, end, frame_came, m);
}

void model_free(struct model *m)
{
    for (int i = 0; i < m->nconn; i++)
        free(m->conn[i].buffer);
}

bool model_idle(const struct model *m)
{
    for (int i = 0; i < m->nconn; i++)
        if (m->conn[i].state != M_CLOSED)
            return false;
    return true;
}
