/* SPDX-License-Identifier: BSD-2-Clause */
/* A spliced connection and its hosts; see fwd_bench.h. */
#include "tests/unit/fwd_bench.h"

#include <stdlib.h>
#include <string.h>

const struct plan duo_merged = {
    .cmdline = "", .stamps = true, .sack = true, .scale = {7, 2}, .mss = {1460, 1460}};
const struct plan duo_apart = {
    .cmdline = "fwd.merge=off", .stamps = true, .sack = true, .scale = {7, 2}, .mss = {1460, 1460}};

static uint16_t tcp_sum(const struct duo *b, uint32_t src, uint32_t dst, const uint8_t *at,
                        size_t n)
{
    uint8_t pseudo[12];
    (void)b;
    put32(pseudo, src);
    put32(pseudo + 4, dst);
    put16(pseudo + 8, P_TCP);
    put16(pseudo + 10, (uint32_t)n);
    return net_sum((uint16_t)~net_sum(0, pseudo, sizeof pseudo), at, n);
}

size_t duo_frame(struct duo *b, enum side s, const struct tcp *t, uint8_t *out)
{
    struct host *h = &b->host[s];
    uint8_t tcp[NET_BYTES] = {0}, *opt = tcp + 20;
    size_t nopt = t->nopt;
    put16(tcp, h->port);
    put16(tcp + 2, h->pport);
    put32(tcp + 4, t->seq);
    put32(tcp + 8, t->ack);
    tcp[13] = t->flags || t->bare ? t->flags : T_ACK;
    put16(tcp + 14, t->wnd || t->bare ? t->wnd : 40000);
    if (t->opt) {
        memcpy(opt, t->opt, nopt);
    } else if (b->plan->stamps && !t->bare) {
        put32(opt, 0x0101080a);
        put32(opt + 4, ++h->clock);
        put32(opt + 8, h->echo);
        nopt = 12;
    }
    tcp[12] = (uint8_t)((20 + nopt) / 4 << 4);
    if (t->n)
        memcpy(opt + nopt, t->data, t->n);
    size_t n = 20 + nopt + t->n;
    put16(tcp + 16, tcp_sum(b, h->addr, h->peer, tcp, n) + t->wrong);
    struct dgram d = {.src = h->addr,
                      .dst = h->peer,
                      .proto = P_TCP,
                      .ttl = t->ttl,
                      .frag = t->nodf ? 0 : 0x4000,
                      .id = t->id,
                      .data = tcp,
                      .n = n};
    return net_build(b->w, (int)s, &d, out);
}

void duo_send(struct duo *b, enum side s, const struct tcp *t)
{
    uint8_t frame[NET_BYTES];
    net_clear(b->w);
    net_raw(b->w, (int)s, frame, duo_frame(b, s, t, frame));
}

void duo_read(const struct frame *f, struct tcp *got)
{
    const uint8_t *h = f->b + 14;
    size_t hlen = net_check_ip(f);
    const uint8_t *tcp = h + hlen;
    size_t n = get16(h + 2) - hlen, off = (size_t)(tcp[12] >> 4) * 4;
    assert_int_equal(h[9], P_TCP);
    *got = (struct tcp){.card = f->card,
                        .src = get32(h + 12),
                        .dst = get32(h + 16),
                        .sport = get16(tcp),
                        .dport = get16(tcp + 2),
                        .seq = get32(tcp + 4),
                        .ack = get32(tcp + 8),
                        .flags = tcp[13],
                        .wnd = get16(tcp + 14),
                        .opt = tcp + 20,
                        .nopt = off - 20,
                        .data = tcp + off,
                        .n = n - off,
                        .ttl = h[8],
                        .ip = h};
    got->wrong = tcp_sum(NULL, got->src, got->dst, tcp, n);
    if (off >= 32 && get32(tcp + 20) == 0x0101080a) {
        got->stamped = true;
        got->tsval = get32(tcp + 24);
        got->tsecr = get32(tcp + 28);
    }
}

void duo_only(struct duo *b, struct tcp *got)
{
    duo_read(net_only(b->w), got);
    const struct host *h = &b->host[got->card];
    assert_int_equal(got->wrong, 0);
    assert_int_equal(got->src, h->peer);
    assert_int_equal(got->dst, h->addr);
    assert_int_equal(got->sport, h->pport);
    assert_int_equal(got->dport, h->port);
}

static size_t syn_options(struct duo *b, enum side s, uint8_t *opt)
{
    size_t n = 4;
    put16(opt, 0x0204);
    put16(opt + 2, b->plan->mss[s]);
    if (b->plan->sack) {
        put32(opt + n, 0x01010402);
        n += 4;
    }
    if (b->plan->stamps) {
        put32(opt + n, 0x0101080a);
        put32(opt + n + 4, ++b->host[s].clock);
        put32(opt + n + 8, b->host[s].echo);
        n += 12;
    }
    put32(opt + n, 0x01030300U | b->plan->scale[s]);
    return n + 4;
}

/* The segment with these flags to host s, among what came. */
static void await(struct duo *b, enum side s, uint8_t flags, struct tcp *got)
{
    for (int i = 0; i < b->w->nframes; i++) {
        if (b->w->frame[i].card != (int)s || get16(b->w->frame[i].b + 12) != 0x0800)
            continue;
        duo_read(&b->w->frame[i], got);
        if ((got->flags & (T_SYN | T_ACK | T_RST)) == flags)
            return;
    }
    fail_msg("no segment with flags %x came to host %c", flags, s == A ? 'A' : 'B');
}

static void send_syn(struct duo *b)
{
    uint8_t opt[40];
    struct tcp syn = {.flags = T_SYN, .opt = opt, .seq = b->host[A].seq++};
    syn.nopt = syn_options(b, A, opt);
    duo_send(b, A, &syn);
}

static void take_stamp(struct host *h, const struct tcp *got)
{
    for (size_t i = 0; i + 10 <= got->nopt; i++)
        if (got->opt[i] == 8 && got->opt[i + 1] == 10)
            h->echo = get32(got->opt + i + 2);
}

static void open_server_side(struct duo *b)
{
    uint8_t opt[40];
    struct tcp got, syn;
    struct host *h = &b->host[B];
    await(b, B, T_SYN, &got);
    h->peer = got.src;
    h->pport = got.sport;
    h->ack = got.seq + 1;
    take_stamp(h, &got);
    syn = (struct tcp){.flags = T_SYN | T_ACK, .opt = opt, .seq = h->seq++, .ack = h->ack};
    syn.nopt = syn_options(b, B, opt);
    duo_send(b, B, &syn);
    await(b, B, T_ACK, &got);
    assert_int_equal(got.ack, h->seq);
}

static void open_client_side(struct duo *b)
{
    struct tcp got;
    struct host *a = &b->host[A];
    await(b, A, T_SYN | T_ACK, &got);
    a->ack = got.seq + 1;
    assert_int_equal(got.ack, a->seq);
    take_stamp(a, &got);
}

static void open_connection(struct duo *b)
{
    struct host *a = &b->host[A];
    send_syn(b);
    if (!b->plan->cookie)
        open_server_side(b);
    open_client_side(b);
    duo_send(b, A, &(struct tcp){.seq = a->seq, .ack = a->ack});
    if (b->plan->cookie)
        open_server_side(b);
    net_run(b->w, 50 * MS);
    net_clear(b->w);
}

static struct duo *hosts_make(const struct plan *plan, struct net *w, uint16_t port)
{
    struct duo *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->plan = plan;
    b->w = w;
    b->host[A] = (struct host){.addr = CLIENT,
                               .peer = BOX,
                               .port = port,
                               .pport = 8080,
                               .seq = 0xffffff00, /* wraps soon */
                               .clock = 0xfffffff0};
    if (strstr(plan->cmdline, "transparent=on"))
        b->host[A].peer = SERVER;
    b->host[B] = (struct host){.addr = SERVER, .port = 8080, .seq = 0x7ffffff0, .clock = 5000};
    return b;
}

struct duo *duo_make(const struct plan *plan)
{
    struct duo *b = hosts_make(plan, net_make("firewall", 2, plan->cmdline), 40000);
    open_connection(b);
    return b;
}

struct duo *duo_another(const struct duo *with, uint16_t port)
{
    struct duo *b = hosts_make(with->plan, with->w, port);
    open_connection(b);
    return b;
}

struct duo *duo_syn(const struct duo *with, uint16_t port)
{
    struct duo *b = hosts_make(with->plan, with->w, port);
    send_syn(b);
    return b;
}

void duo_end(struct duo *b)
{
    net_clear(b->w);
    for (int i = 0; i < 100 && duo_flows(b); i++) {
        net_run(b->w, 100 * SECOND);
        net_clear(b->w);
    }
    net_end(b->w);
    free(b);
}

void duo_talk(struct duo *b, enum side s, const void *data, size_t n)
{
    struct host *from = &b->host[s], *to = &b->host[!s];
    struct tcp got;
    duo_send(b, s,
             &(struct tcp){
                 .seq = from->seq, .ack = from->ack, .data = data, .n = n, .flags = T_ACK | T_PSH});
    duo_only(b, &got);
    assert_int_equal(got.card, !s);
    assert_int_equal(got.seq, to->ack);
    assert_int_equal(got.ack, to->seq);
    assert_int_equal(got.n, n);
    assert_memory_equal(got.data, data, n);
    from->seq += (uint32_t)n;
    to->ack += (uint32_t)n;
    to->echo = got.tsval;
    duo_send(b, !s, &(struct tcp){.seq = to->seq, .ack = to->ack});
    duo_only(b, &got);
    assert_int_equal(got.card, s);
    assert_int_equal(got.seq, from->ack);
    assert_int_equal(got.ack, from->seq);
    assert_int_equal(got.n, 0);
    from->echo = got.tsval;
}

void duo_each(void (*test)(struct duo *d))
{
    const struct plan *const both[] = {&duo_merged, &duo_apart};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct duo *d = duo_make(both[i]);
        test(d);
        duo_end(d);
    }
}

uint64_t duo_stat(struct duo *b, const char *name)
{
    return fixture_value(b->w->f, "show nodes", name);
}

uint32_t duo_flows(const struct duo *b)
{
    uint32_t n = 0;
    const struct kernel *k = b->w->f->k;
    for (uint32_t i = 0; i < k->paths_size; i++) {
        const struct path *p = path_at(k, i);
        for (uint32_t line = p ? p->flow : 0; line; line = flow_line(&k->flows, line)->next)
            n++;
    }
    return n;
}

struct path *duo_path(const struct duo *b)
{
    const struct kernel *k = b->w->f->k;
    const struct host *h = &b->host[A];
    struct flow_key key = flow_key_ip4(FLOW_CONN, 0, P_TCP, h->addr, h->peer, h->port, h->pport);
    const struct flow *f = flow_find(&k->flows, key);
    assert_non_null(f);
    return flow_path(k, f);
}
