/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hosts say and hear: the fields a script leaves open, ports by name, sequence numbers
 * relative to the first of each side, and the comparison of what came with what was expected.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/path/script.h"

static struct conn *conn_of(struct stage *s, const struct host *h, uint64_t hport, uint64_t kport)
{
    int host = (int)(h - s->host);
    for (int i = s->nconns - 1; i >= 0; i--)
        if (s->conn[i].host == host && s->conn[i].hport == hport && s->conn[i].kport == kport)
            return &s->conn[i];
    struct conn *c = &s->conn[s->nconns % CONNS];
    s->nconns += s->nconns < CONNS - 1;
    *c = (struct conn){.host = host, .hport = (uint16_t)hport, .kport = (uint16_t)kport};
    c->hisn = 1000000U * (uint32_t)s->nconns;
    return c;
}

static bool port_known(struct stage *s, struct packet *p, int side, enum field f)
{
    if (!*p->port[side])
        return has(p, f) || stage_fail(s, "a packet to send needs both ports");
    for (int i = 0; i < s->nports; i++) {
        if (strcmp(s->port[i].name, p->port[side]) == 0) {
            set(p, f, s->port[i].port);
            return true;
        }
    }
    return stage_fail(s, "port %s is not known yet", p->port[side]);
}

static bool tcp_fill(struct stage *s, struct host *h, struct packet *p)
{
    if (!port_known(s, p, 0, TCP_SPORT) || !port_known(s, p, 1, TCP_DPORT))
        return false;
    struct conn *c = conn_of(s, h, p->v[TCP_SPORT], p->v[TCP_DPORT]);
    if (has(p, TCP_ISN))
        c->hisn = (uint32_t)p->v[TCP_ISN];
    if (!has(p, TCP_SEQ))
        return stage_fail(s, "a TCP segment to send needs sequence numbers, such as 1:101(100)");
    uint64_t flags = has(p, TCP_FLAGS) ? p->v[TCP_FLAGS] : 0;
    if (has(p, TCP_ACK) && !p->raw)
        flags |= TCP_ACK_FLAG;
    set(p, TCP_FLAGS, flags);
    for (int i = 0; i < p->nlate; i++) {
        uint8_t *at = p->opt + p->late[i].at;
        uint32_t v = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        v = p->late[i].echo ? c->ts : v + c->kisn;
        for (int j = 0; j < 4; j++)
            at[j] = (uint8_t)(v >> (24 - 8 * j));
    }
    if (!p->raw) {
        packet_pattern(p, (uint32_t)p->v[TCP_SEQ]);
        p->v[TCP_SEQ] = (uint32_t)(p->v[TCP_SEQ] + c->hisn);
        if (has(p, TCP_ACK))
            p->v[TCP_ACK] = (uint32_t)(p->v[TCP_ACK] + c->kisn);
    }
    return true;
}

static bool quote_fill(struct stage *s, struct host *h, struct packet *p)
{
    size_t n = p->v[ICMP_QUOTE] < h->ngot ? p->v[ICMP_QUOTE] : h->ngot;
    if (!h->ngot)
        return stage_fail(s, "%s has nothing to quote yet", h->name);
    free(p->data);
    p->data = malloc(n + 1);
    if (!p->data)
        abort();
    memcpy(p->data, h->got, n);
    p->ndata = (uint32_t)n;
    return true;
}

static void open_fill(struct packet *p, enum field f, uint64_t v)
{
    if (!has(p, f))
        set(p, f, v);
}

bool talk_send(struct stage *s, struct host *h, struct packet *p)
{
    static uint8_t frame[PACKET_MAX + 4096];
    uint64_t ours = s->machine->mac(s, h->card);
    open_fill(p, ETH_SRC, h->mac);
    if (p->top == L_ARP) {
        open_fill(p, ARP_OP, 1);
        open_fill(p, ETH_DST, p->v[ARP_OP] == 1 ? 0xffffffffffff : ours);
        open_fill(p, ARP_SHA, h->mac);
        open_fill(p, ARP_THA, p->v[ARP_OP] == 1 ? 0 : ours);
        open_fill(p, ARP_SPA, h->addr);
        open_fill(p, ARP_TPA, h->via);
    }
    open_fill(p, ETH_DST, ours);
    open_fill(p, IP_SRC, h->addr);
    open_fill(p, IP_DST, h->via);
    if (p->top == L_TCP && !tcp_fill(s, h, p))
        return false;
    if (p->top == L_UDP && (!port_known(s, p, 0, UDP_SPORT) || !port_known(s, p, 1, UDP_DPORT)))
        return false;
    if (p->top == L_ICMP && has(p, ICMP_QUOTE) && !quote_fill(s, h, p))
        return false;
    s->nsent++;
    host_transmit(s, h, frame, packet_build(p, frame));
    return true;
}

/* --- hearing --- */

static bool differs(struct stage *s, const struct packet *got, const char *what, uint64_t is,
                    uint64_t should)
{
    char text[512];
    packet_text(got, text, sizeof text);
    return stage_fail(s, "%s is %llu, expected %llu: %s", what, (unsigned long long)is,
                      (unsigned long long)should, text);
}

static bool port_match(struct stage *s, struct packet *want, const struct packet *got, int side,
                       enum field f)
{
    if (!*want->port[side])
        return true;
    for (int i = 0; i < s->nports; i++) {
        if (strcmp(s->port[i].name, want->port[side]) == 0) {
            set(want, f, s->port[i].port);
            return true;
        }
    }
    if (s->nports == PORTS)
        return stage_fail(s, "more than %d names of ports", PORTS);
    memcpy(s->port[s->nports].name, want->port[side], sizeof want->port[side]);
    s->port[s->nports++].port = (uint16_t)got->v[f];
    return true;
}

/* Is w what stands at `at`? Whole, or up to its `=` when it has no value; `*` is any number. */
static bool option_is(const char *w, const char *at)
{
    while (*w && (*w == *at || *w == '*'))
        at += *w++ == '*' ? strspn(at, "0123456789") : 1;
    return !*w && (*at == ',' || *at == '=');
}

/* Each word that was expected stands in what came. */
static bool options_match(struct stage *s, const struct packet *want, const struct packet *got)
{
    char words[TEXT_MAX];
    snprintf(words, sizeof words, "%s", want->want);
    if (want->options && !*words && *got->want)
        return stage_fail(s, "options <%s>, expected none", got->want);
    for (char *next, *w = words; *w; w = next) {
        next = w + strcspn(w, ",");
        if (*next)
            *next++ = 0;
        bool found = false, absent = *w == '!';
        for (const char *at = got->want; *at; at = strchr(at, ',') + 1)
            found |= option_is(w + absent, at);
        if (found == absent)
            return stage_fail(s, "options <%s>: %s is %s", got->want, w + absent,
                              absent ? "there" : "missing");
    }
    return true;
}

/* The edges of SACK blocks in what came, relative as the script has them. */
static void sack_relative(struct packet *got, uint32_t hisn)
{
    char text[TEXT_MAX] = "";
    size_t n = 0;
    for (const char *at = got->want; *at && n < sizeof text; at = strchr(at, ',') + 1) {
        unsigned long from, to;
        if (sscanf(at, "sack=%lu:%lu", &from, &to) == 2)
            n += (size_t)snprintf(text + n, sizeof text - n, "sack=%u:%u,", (uint32_t)from - hisn,
                                  (uint32_t)to - hisn);
        else
            n += (size_t)snprintf(text + n, sizeof text - n, "%.*s,", (int)strcspn(at, ","), at);
    }
    memcpy(got->want, text, sizeof text);
}

static void tcp_relative(struct stage *s, struct host *h, const struct packet *want,
                         struct packet *got)
{
    struct conn *c = conn_of(s, h, got->v[TCP_DPORT], got->v[TCP_SPORT]);
    if (got->v[TCP_FLAGS] & TCP_SYN) {
        c->known = true;
        c->kisn = (uint32_t)got->v[TCP_SEQ];
    }
    const char *ts = strstr(got->want, "ts=");
    if (ts)
        c->ts = (uint32_t)strtoul(ts + 3, NULL, 10);
    c->knext = (uint32_t)got->v[TCP_SEQ] - c->kisn + got->ndata +
               (got->v[TCP_FLAGS] & (TCP_SYN | TCP_FIN) ? 1 : 0);
    if (got->v[TCP_FLAGS] & TCP_ACK_FLAG)
        c->hnext = (uint32_t)got->v[TCP_ACK] - c->hisn;
    if (want->raw)
        return;
    sack_relative(got, c->hisn);
    got->v[TCP_SEQ] = (uint32_t)(got->v[TCP_SEQ] - (c->known ? c->kisn : 0));
    if (got->v[TCP_FLAGS] & TCP_ACK_FLAG)
        got->v[TCP_ACK] = (uint32_t)(got->v[TCP_ACK] - c->hisn);
}

/* An error quotes the datagram that this host sent last: RFC 792, but for what routers change. */
static bool quote_match(struct stage *s, const struct host *h, const struct packet *got)
{
    static const int same[] = {0,  1,  4,  5,  6,  7,  9,  12, 13, 14, 15, 16,
                               17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27};
    if (got->ndata < 28 || h->nsent < 28)
        return stage_fail(s, "quotes %u bytes, at least 28 expected", got->ndata);
    for (unsigned i = 0; i < ARRAY_LEN(same); i++)
        if (got->data[same[i]] != h->sent[same[i]])
            return stage_fail(s, "quotes another datagram: byte %d is %02x, was sent as %02x",
                              same[i], got->data[same[i]], h->sent[same[i]]);
    return true;
}

static bool match(struct stage *s, struct host *h, struct packet *want, struct packet *got)
{
    char text[512];
    packet_text(got, text, sizeof text);
    if (want->top != got->top && !(want->top == L_IP && got->top > L_IP) && want->top != L_ETH)
        return stage_fail(s, "%s got another protocol: %s", h->name, text);
    if (got->top == L_TCP) {
        tcp_relative(s, h, want, got);
        if (!port_match(s, want, got, 0, TCP_SPORT) || !port_match(s, want, got, 1, TCP_DPORT))
            return false;
        if (has(want, TCP_FLAGS) && !(want->v[TCP_FLAGS] & TCP_PSH))
            got->v[TCP_FLAGS] &= ~(uint64_t)TCP_PSH;
        if (!want->raw && want->pattern)
            packet_pattern(want, (uint32_t)got->v[TCP_SEQ]);
        if (has(want, TCP_ACK) && has(want, TCP_FLAGS))
            want->v[TCP_FLAGS] |= TCP_ACK_FLAG;
    }
    if (got->top == L_UDP &&
        (!port_match(s, want, got, 0, UDP_SPORT) || !port_match(s, want, got, 1, UDP_DPORT)))
        return false;
    if (got->top >= L_IP && has(got, IP_DST))
        open_fill(want, IP_DST, h->addr);
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (!has(want, (enum field)f) || f == ICMP_QUOTE)
            continue;
        if (!has(got, (enum field)f) || got->v[f] != want->v[f])
            return differs(s, got, field_names[f], got->v[f], want->v[f]);
    }
    if (want->data && got->ndata == want->ndata && memcmp(got->data, want->data, want->ndata) != 0)
        return stage_fail(s, "the data is not what was expected: %s", text);
    if (has(want, ICMP_QUOTE) && !quote_match(s, h, got))
        return false;
    return options_match(s, want, got);
}

bool talk_expect(struct stage *s, struct host *h, struct packet *want, uint64_t from,
                 uint64_t until)
{
    while (!host_next(h)) {
        if (stage_now(s) >= until)
            return stage_fail(s, "%s got nothing until %llu.%06llu s", h->name,
                              (unsigned long long)(until / SECOND),
                              (unsigned long long)(until % SECOND / US));
        if (!s->machine->step(s, until) || *s->why)
            return false;
    }
    struct heard *f = host_next(h);
    struct packet got;
    char why[TEXT_MAX];
    h->next++;
    packet_read(f->bytes, f->n, &got, why);
    if (f->n > 14) {
        h->ngot = f->n - 14;
        memcpy(h->got, f->bytes + 14, f->n - 14);
    }
    if (!match(s, h, want, &got))
        return false;
    if (f->ns < from || f->ns > until)
        return stage_fail(s, "came at %llu us, expected from %llu to %llu us",
                          (unsigned long long)(f->ns / US), (unsigned long long)(from / US),
                          (unsigned long long)(until / US));
    s->last = f->ns;
    return true;
}
