/* SPDX-License-Identifier: BSD-2-Clause */
/* The model host below TCP: Ethernet, ARP (RFC 826), IP (RFC 791), checksums. See model.h. */
#include "tests/sim/model.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bytes.h"

enum {
    ETH = 14,
    IP = 20,
    FRAME_BYTES = 1514,
    ARP_AGAIN_MS = 300,
    ARP_BYTES = 28,
    FIRST_PORT = 40000
};

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

static void damaged(struct model *m)
{
    if (m->conf.undamaged)
        m->wrong = "sends a wrong checksum";
}

/* RFC 1191: a datagram of ours did not fit; what is quoted must be ours. */
static void icmp_input(struct model *m, const uint8_t *icmp, size_t n)
{
    const uint8_t *quoted = icmp + 8;
    if (n < 8 + IP + 8 || sum_fold(sum_add(0, icmp, n)) != 0) {
        damaged(m);
        return;
    }
    if (icmp[0] == 3 && icmp[1] == 4 && quoted[0] == 0x45 && quoted[9] == 6 &&
        get4(quoted + 12) == m->conf.ip)
        mconn_too_long(m, get4(quoted + 16), quoted + IP, get2(icmp + 6));
}

static void ip_input(struct model *m, const uint8_t *ip, size_t n)
{
    if (n < IP || ip[0] >> 4 != 4)
        return;
    size_t header = (ip[0] & 15U) * 4U, total = get2(ip + 2);
    if (header < IP || total < header || total > n || sum_fold(sum_add(0, ip, header)) != 0) {
        damaged(m);
        return;
    }
    if (get4(ip + 16) != m->conf.ip || get2(ip + 6) & 0x3fff)
        return;
    if (ip[9] == 1)
        icmp_input(m, ip + header, total - header);
    if (ip[9] != 6)
        return;
    if (total - header < 20 || tcp_sum(get4(ip + 12), get4(ip + 16), ip + header, total - header)) {
        damaged(m);
        return;
    }
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
    m->next_port = FIRST_PORT;
    m->iss = c->iss;
    m->ident = (uint16_t)c->iss;
    rng_seed(&m->random, c->iss);
    simlink_attach(l, end, frame_came, m);
}

void model_free(struct model *m)
{
    for (int i = 0; i < m->nconn; i++)
        free(m->conn[i].buffer);
}

void model_reboot(struct model *m)
{
    m->next_port = FIRST_PORT;
    for (int i = m->nconn - 1; i >= 0; i--) {
        struct mconn *c = &m->conn[i];
        if (c->state != M_CLOSED)
            m->next_port = c->port;
        if (c->state != M_CLOSED && !end_over(c->end))
            c->end->state = END_ABORTED;
        c->state = M_CLOSED;
    }
    m->iss = (uint32_t)rng_next(&m->random);
    m->resolved = false;
    m->asked = 0;
}

bool model_idle(const struct model *m)
{
    for (int i = 0; i < m->nconn; i++)
        if (m->conn[i].state != M_CLOSED)
            return false;
    return true;
}
