/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts around a kernel; see net.h. */
#include "tests/unit/net.h"

#include <stdlib.h>
#include <string.h>

uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] * 256 + at[1]);
}

uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) * 65536 + get16(at + 2);
}

void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v / 256);
    at[1] = (uint8_t)v;
}

void put32(uint8_t *at, uint32_t v)
{
    put16(at, v >> 16);
    put16(at + 2, v);
}

/* Word by word, as RFC 1071 says it. */
uint16_t net_sum(uint32_t start, const uint8_t *at, size_t n)
{
    uint64_t sum = start;
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += get16(at + i);
    if (n % 2)
        sum += (uint64_t)at[n - 1] * 256;
    while (sum > 0xffff)
        sum = sum % 65536 + sum / 65536;
    return (uint16_t)~sum;
}

void net_mac(int card, uint32_t addr, uint8_t out[6])
{
    const uint8_t mac[6] = {2, 0, 0, (uint8_t)card, (uint8_t)(addr >> 8), (uint8_t)addr};
    memcpy(out, mac, 6);
}

void net_card_mac(const struct net *w, int card, uint8_t out[6])
{
    memcpy(out, w->f->k->devs[card]->mac, 6);
}

static void arp_build(uint8_t *out, const uint8_t to[6], const uint8_t from[6], uint16_t op,
                      uint32_t sender, const uint8_t target_mac[6], uint32_t target)
{
    memcpy(out, to, 6);
    memcpy(out + 6, from, 6);
    put16(out + 12, 0x0806);
    put32(out + 14, 0x00010800);
    put16(out + 18, 0x0604);
    put16(out + 20, op);
    memcpy(out + 22, from, 6);
    put32(out + 28, sender);
    memcpy(out + 32, target_mac, 6);
    put32(out + 38, target);
}

void net_arp(struct net *w, int card, uint16_t op, const uint8_t mac[6], uint32_t sender,
             uint32_t target)
{
    uint8_t frame[42], ours[6], all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    net_card_mac(w, card, ours);
    arp_build(frame, op == 1 ? all : ours, mac, op, sender, ours, target);
    net_raw(w, card, frame, sizeof frame);
}

/* A question for a host of that card; announcements are for nobody to answer. */
static bool answer(struct net *w, int card, const uint8_t *b, size_t n)
{
    uint8_t mac[6], reply[42];
    if (n < 42 || get16(b + 12) != 0x0806 || get16(b + 20) != 1)
        return false;
    uint32_t sender = get32(b + 28), target = get32(b + 38);
    w->arps++;
    if (sender == target || target == w->mute)
        return true;
    net_mac(card, target, mac);
    arp_build(reply, b + 6, mac, 2, target, b + 6, sender);
    fixture_frame(w->f, card, reply, sizeof reply);
    return true;
}

void net_run(struct net *w, uint64_t ns)
{
    const struct fixture_frame *s;
    for (uint64_t left = ns; left;) {
        uint64_t step = left < MS / 2 ? left : ns > SECOND ? SECOND / 4 : MS / 2;
        fixture_run(w->f, step);
        left -= step < left ? step : left;
        while ((s = fixture_sent(w->f, 0))) {
            if (!answer(w, s->card, s->bytes, s->n)) {
                assert_true(w->nframes < NET_FRAMES && s->n <= NET_BYTES);
                struct frame *to = &w->frame[w->nframes++];
                to->card = s->card;
                to->n = s->n;
                memcpy(to->b, s->bytes, s->n);
            }
            fixture_take(w->f, 1);
        }
    }
}

struct net *net_make(const char *name, int ncards, const char *cmdline)
{
    struct net *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->f = fixture_make(fixture_graph(name), ncards, cmdline);
    net_run(w, 2 * MS);
    w->arps = 0;
    net_none(w);
    return w;
}

void net_end(struct net *w)
{
    w->mute = 0;
    net_clear(w);
    net_run(w, 200 * SECOND);
    fixture_end(w->f);
    free(w);
}

void net_clear(struct net *w)
{
    w->nframes = 0;
}

const struct frame *net_only(struct net *w)
{
    if (w->nframes != 1)
        fail_msg("%d frames came instead of one", w->nframes);
    return &w->frame[0];
}

void net_none(struct net *w)
{
    if (w->nframes)
        fail_msg("%d frames came instead of none", w->nframes);
}

uint64_t net_drops(const struct net *w, enum drop why)
{
    return w->f->k->drops[why];
}

size_t net_build(const struct net *w, int card, const struct dgram *d, uint8_t *out)
{
    uint32_t src = d->src ? d->src : CLIENT;
    size_t hlen = 20 + d->nopt;
    uint8_t *h = out + 14;
    net_card_mac(w, card, out);
    net_mac(card, src, out + 6);
    put16(out + 12, 0x0800);
    h[0] = (uint8_t)(0x40 + hlen / 4);
    h[1] = d->tos;
    put16(h + 2, (uint32_t)(hlen + d->n));
    put16(h + 4, d->id);
    put16(h + 6, d->frag);
    h[8] = d->ttl ? d->ttl : 64;
    h[9] = d->proto ? d->proto : P_UDP;
    put16(h + 10, 0);
    put32(h + 12, src);
    put32(h + 16, d->dst ? d->dst : SERVER);
    if (d->nopt)
        memcpy(h + 20, d->opt, d->nopt);
    put16(h + 10, net_sum(0, h, hlen));
    if (d->n)
        memcpy(h + hlen, d->data, d->n);
    return 14 + hlen + d->n;
}

void net_send(struct net *w, int card, const struct dgram *d)
{
    uint8_t frame[NET_BYTES];
    net_raw(w, card, frame, net_build(w, card, d, frame));
}

void net_raw(struct net *w, int card, const uint8_t *frame, size_t n)
{
    fixture_frame(w->f, card, frame, n);
    net_run(w, 2 * MS);
}

size_t net_icmp(uint8_t *out, uint8_t type, uint8_t code, uint32_t info, const void *data, size_t n)
{
    out[0] = type;
    out[1] = code;
    put16(out + 2, 0);
    put32(out + 4, info);
    if (n)
        memcpy(out + 8, data, n);
    put16(out + 2, net_sum(0, out, 8 + n));
    return 8 + n;
}

size_t net_udp(uint8_t *out, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
               const void *data, size_t n)
{
    uint8_t pseudo[12];
    put16(out, sport);
    put16(out + 2, dport);
    put16(out + 4, (uint32_t)(8 + n));
    put16(out + 6, 0);
    if (n)
        memcpy(out + 8, data, n);
    put32(pseudo, src);
    put32(pseudo + 4, dst);
    put16(pseudo + 8, P_UDP);
    put16(pseudo + 10, (uint32_t)(8 + n));
    uint16_t sum = net_sum((uint16_t)~net_sum(0, pseudo, sizeof pseudo), out, 8 + n);
    put16(out + 6, sum ? sum : 0xffff);
    return 8 + n;
}

size_t net_check_ip(const struct frame *f)
{
    const uint8_t *h = f->b + 14;
    size_t hlen = (size_t)(h[0] & 15) * 4;
    assert_true(f->n >= 34);
    assert_int_equal(get16(f->b + 12), 0x0800);
    assert_int_equal(h[0] >> 4, 4);
    assert_int_equal(get16(h + 2), f->n - 14);
    assert_int_equal(net_sum(0, h, hlen), 0);
    return hlen;
}
