/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random packets for whole graphs, each a function of the random numbers it is given; and hosts
 * that answer what they get as hosts would, mostly, so that connections come about.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "tests/path/random.h"

enum { HTTP_PORT = 80 };

const struct host random_hosts[2] = {
    {.name = "client",
     .card = 0,
     .mac = 0x020000000102,
     .addr = 0x0a000102,
     .via = 0x0a000101,
     .arp = true},
    {.name = "server",
     .card = 1,
     .mac = 0x020000000202,
     .addr = 0x0a000202,
     .via = 0x0a000201,
     .arp = true},
};

static uint64_t edge(struct rng *r, unsigned bits)
{
    static const uint64_t edges[] = {0,   1,   4,   5,   8,    19,   20,    21,    40,   60,
                                     127, 128, 255, 256, 1480, 1500, 32767, 32768, 65535};
    uint64_t mask = bits == 64 ? UINT64_MAX : (1ULL << bits) - 1;
    return (rng_below(r, 2) ? edges[rng_below(r, ARRAY_LEN(edges))] : rng_next(r)) & mask;
}

static void maybe(struct rng *r, struct packet *p, enum field f, unsigned bits, unsigned percent)
{
    if (rng_below(r, 100) < percent)
        set(p, f, edge(r, bits));
}

/* Parts of a dialogue in HTTP; the rest are random bytes. */
static const char *const words[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /other HTTP/1.1\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
    "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n",
    "HTTP/1.0 200 OK\r\n\r\n",
};

static void data_random(struct rng *r, struct stage *s, struct packet *p)
{
    static const uint32_t sizes[] = {0, 0, 0, 1, 7, 100, 536, 1400};
    if (s->listens == HTTP_PORT && p->top == L_TCP && rng_below(r, 2)) {
        const char *text = words[rng_below(r, ARRAY_LEN(words))];
        p->ndata = (uint32_t)strlen(text);
        p->data = malloc(p->ndata);
        if (p->data)
            memcpy(p->data, text, p->ndata);
        return;
    }
    p->ndata = sizes[rng_below(r, ARRAY_LEN(sizes))];
    p->data = malloc(p->ndata + 1);
    for (uint32_t i = 0; p->data && i < p->ndata; i++)
        p->data[i] = (uint8_t)rng_next(r);
}

static void tcp_random(struct rng *r, struct stage *s, struct host *h, struct packet *p)
{
    static const uint8_t flags[] = {TCP_ACK_FLAG,
                                    TCP_ACK_FLAG,
                                    TCP_ACK_FLAG,
                                    TCP_ACK_FLAG,
                                    TCP_ACK_FLAG,
                                    TCP_ACK_FLAG | TCP_PSH,
                                    TCP_ACK_FLAG | TCP_PSH,
                                    TCP_ACK_FLAG | TCP_FIN,
                                    TCP_RST,
                                    TCP_SYN,
                                    TCP_SYN | TCP_ACK_FLAG};
    uint64_t hport = h->card ? s->listens : 40000 + rng_below(r, 8), kport = s->listens;
    uint32_t seq = 0, ack = 1;
    bool opening = rng_below(r, 12) == 0;
    for (int i = 0; s->nconns && !opening && i < 4; i++) { /* a connection that is there */
        const struct conn *c = &s->conn[rng_below(r, (uint64_t)s->nconns)];
        if (&s->host[c->host] != h)
            continue;
        hport = c->hport;
        kport = c->kport;
        seq = c->hnext;
        ack = c->knext;
        break;
    }
    set(p, TCP_SPORT, hport);
    set(p, TCP_DPORT, kport);
    set(p, TCP_FLAGS,
        opening            ? TCP_SYN
        : rng_below(r, 20) ? flags[rng_below(r, ARRAY_LEN(flags))]
                           : rng_next(r) & 255);
    if (opening) {
        seq = 0;
        if (rng_below(r, 3) == 0)
            set(p, TCP_ISN, edge(r, 32));
    } else if (rng_below(r, 3) == 0) {
        seq += (uint32_t)rng_below(r, 6000) - 2000;
    } else if (rng_below(r, 30) == 0) {
        seq = (uint32_t)edge(r, 32);
    }
    if (rng_below(r, 4) == 0)
        ack -= (uint32_t)rng_below(r, 1500);
    else if (rng_below(r, 20) == 0)
        ack = (uint32_t)edge(r, 32);
    set(p, TCP_SEQ, seq);
    if (p->v[TCP_FLAGS] & TCP_ACK_FLAG)
        set(p, TCP_ACK, ack);
    maybe(r, p, TCP_WIN, 16, 30);
    maybe(r, p, TCP_URP, 16, 10);
    maybe(r, p, TCP_DOFF, 4, 3);
    if (!s->honest)
        maybe(r, p, TCP_SUM, 16, 3);
    if (rng_below(r, 3) == 0) {
        static const uint8_t kinds[] = {0, 1, 2, 3, 4, 5, 8, 19, 30, 254};
        p->nopt = (uint32_t)rng_below(r, 41);
        for (uint32_t i = 0; i < p->nopt; i++)
            p->opt[i] = (uint8_t)(rng_below(r, 2) ? kinds[rng_below(r, ARRAY_LEN(kinds))]
                                                  : rng_below(r, 12));
    }
}

static void icmp_random(struct rng *r, struct host *h, struct packet *p)
{
    static const uint8_t types[] = {0, 3, 3, 3, 4, 5, 8, 8, 11, 12, 13, 17};
    set(p, ICMP_TYPE, rng_below(r, 10) ? types[rng_below(r, ARRAY_LEN(types))] : rng_next(r) & 255);
    maybe(r, p, ICMP_CODE, 4, 50);
    maybe(r, p, ICMP_MTU, 16, 50);
    maybe(r, p, ICMP_SUM, 16, 3);
    if (h->ngot && rng_below(r, 2))
        set(p, ICMP_QUOTE, rng_below(r, 100));
}

/* Lengths that are not so, fragments of this and that. */
static void ip_lies(struct rng *r, struct packet *p)
{
    maybe(r, p, IP_LEN, 16, 3);
    maybe(r, p, IP_IHL, 4, 3);
    if (rng_below(r, 12) == 0) {
        maybe(r, p, IP_MF, 1, 60);
        set(p, IP_OFF, rng_below(r, 8) * (rng_below(r, 2) ? 8 : 4096));
        set(p, IP_ID, rng_below(r, 4));
    } else if (rng_below(r, 12) == 0) {
        set(p, IP_FROM, rng_below(r, 4) * 8);
        set(p, IP_BYTES, rng_below(r, 5) * 8);
        set(p, IP_ID, rng_below(r, 4));
    }
}

static void ip_random(struct rng *r, struct stage *s, struct packet *p)
{
    if (rng_below(r, 4) == 0)
        set(p, IP_DST, s->host[rng_below(r, (uint64_t)s->nhosts)].addr);
    maybe(r, p, IP_DST, 32, 2);
    maybe(r, p, IP_SRC, 32, 2);
    maybe(r, p, IP_TTL, 8, 10);
    maybe(r, p, IP_VER, 4, 1);
    maybe(r, p, IP_SUM, 16, 2);
    maybe(r, p, IP_TOS, 8, 5);
    maybe(r, p, IP_PROTO, 8, 2);
    maybe(r, p, IP_DF, 1, 20);
    if (!s->honest)
        ip_lies(r, p);
    if (rng_below(r, 15) == 0) {
        p->nipopt = (uint32_t)rng_below(r, 11) * 4;
        for (uint32_t i = 0; i < p->nipopt; i++)
            p->ipopt[i] = (uint8_t)(rng_below(r, 2) ? rng_below(r, 12) : rng_next(r));
    }
}

void random_packet(struct rng *r, struct stage *s, struct host *h, struct packet *p)
{
    static const enum layer tops[] = {L_ETH, L_ARP, L_IP,  L_ICMP, L_ICMP, L_UDP,
                                      L_TCP, L_TCP, L_TCP, L_TCP,  L_TCP,  L_TCP};
    *p = (struct packet){.top = tops[rng_below(r, ARRAY_LEN(tops))]};
    data_random(r, s, p);
    maybe(r, p, ETH_TYPE, 16, 1);
    maybe(r, p, ETH_DST, 48, 1);
    if (rng_below(r, 30) == 0)
        set(p, ETH_DST, 0xffffffffffff);
    if (rng_below(r, 20) == 0)
        set(p, ETH_CUT, rng_below(r, 120));
    if (rng_below(r, 10) == 0)
        set(p, ETH_PAD, rng_below(r, 300));
    if (p->top == L_ARP) {
        for (int f = ARP_HTYPE; f <= ARP_TPA; f++)
            maybe(r, p, (enum field)f,
                  f == ARP_SHA || f == ARP_THA   ? 48
                  : f == ARP_SPA || f == ARP_TPA ? 32
                                                 : 16,
                  8);
        if (rng_below(r, 2))
            set(p, ARP_OP, 2);
        return;
    }
    if (p->top >= L_IP)
        ip_random(r, s, p);
    if (p->top == L_ICMP)
        icmp_random(r, h, p);
    if (p->top == L_UDP) {
        set(p, UDP_SPORT, rng_below(r, 3) ? 5000 : edge(r, 16));
        set(p, UDP_DPORT, rng_below(r, 3) ? 7 : edge(r, 16));
        maybe(r, p, UDP_LEN, 16, 5);
        maybe(r, p, UDP_SUM, 16, 5);
    }
    if (p->top == L_TCP)
        tcp_random(r, s, h, p);
}

/* What came: noted for quotations; a SYN to the server is mostly answered, data acknowledged. */
void random_hear(struct rng *r, struct stage *s, struct host *h)
{
    struct heard *f;
    while ((f = host_next(h)) && !*s->why) {
        struct packet want = {.top = L_ETH}, got, reply = {.top = L_TCP};
        char why[TEXT_MAX];
        bool good = packet_read(f->bytes, f->n, &got, why);
        if (got.top >= L_IP && has(&got, IP_DST))
            set(&want, IP_DST, got.v[IP_DST]);
        if (!talk_expect(s, h, &want, 0, UINT64_MAX) || !good)
            return;
        if (!s->speaks || got.top != L_TCP || got.v[IP_DST] != h->addr || rng_below(r, 3) == 0)
            continue;
        if (!(got.v[TCP_FLAGS] & TCP_SYN) && !got.ndata)
            continue;
        bool syn = got.v[TCP_FLAGS] == TCP_SYN;
        set(&reply, TCP_SPORT, got.v[TCP_DPORT]);
        set(&reply, TCP_DPORT, got.v[TCP_SPORT]);
        set(&reply, IP_DST, got.v[IP_SRC]);
        set(&reply, TCP_FLAGS, syn ? TCP_SYN : 0);
        for (int i = 0; i < s->nconns; i++) {
            const struct conn *c = &s->conn[i];
            if (&s->host[c->host] != h || c->hport != got.v[TCP_DPORT] ||
                c->kport != got.v[TCP_SPORT])
                continue;
            set(&reply, TCP_SEQ, syn ? 0 : c->hnext);
            set(&reply, TCP_ACK, c->knext);
        }
        if (!has(&reply, TCP_SEQ))
            continue;
        talk_send(s, h, &reply);
    }
    if (h->next == h->nheard) {
        for (int i = 0; i < h->nheard; i++)
            free(h->heard[i].bytes);
        h->next = h->nheard = 0;
    }
}

void random_plenty(struct kernel *k)
{
    k->pool.limit = UINT32_MAX;
    for (int i = 0; i < k->nnodes; i++)
        k->nodes[i].pool.limit = UINT32_MAX;
    k->path_pool_limit = 1U << 20;
}

/* Now and then there is no memory: for the kernel, for a node, for new paths; then there is again.
 */
void random_famine(struct rng *r, struct kernel *k)
{
    uint64_t which = rng_below(r, 60);
    random_plenty(k);
    if (which == 0)
        k->pool.limit = k->pool.used + (uint32_t)rng_below(r, 20000);
    for (int i = 0; which == 1 && i < k->nnodes; i++)
        k->nodes[i].pool.limit = k->nodes[i].pool.used + (uint32_t)rng_below(r, 500);
    if (which == 2)
        k->path_pool_limit = (uint32_t)rng_below(r, 20000);
}
