/* SPDX-License-Identifier: BSD-2-Clause */
/* modules/fwd: segments that are too long, fragments, and ICMP errors about what was forwarded. */
#include <string.h>

#include "tests/unit/fwd_bench.h"

enum { DF = 0x4000, MF = 0x2000, SMALL = 1000 };

static uint8_t bytes[1460];

/* B takes 1000 bytes; A was told so and does not care. */
static const struct plan small_merged = {
    .cmdline = "", .stamps = true, .sack = true, .scale = {7, 7}, .mss = {1460, SMALL}};
static const struct plan small_apart = {.cmdline = "fwd.merge=off",
                                        .stamps = true,
                                        .sack = true,
                                        .scale = {7, 7},
                                        .mss = {1460, SMALL}};

static void with_small(void (*test)(struct duo *d))
{
    const struct plan *const plans[] = {&small_merged, &small_apart};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 11 + i / 256);
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct duo *d = duo_make(plans[i]);
        test(d);
        duo_end(d);
    }
}

/* An ICMP message to a host; returns where its quotation begins. */
static const uint8_t *read_icmp(struct duo *d, enum side s, uint8_t type, uint8_t code,
                                uint32_t from)
{
    const struct frame *f = net_only(d->w);
    const uint8_t *h = f->b + 14, *icmp = h + net_check_ip(f);
    assert_int_equal(f->card, s);
    assert_int_equal(h[9], P_ICMP);
    assert_int_equal(get32(h + 12), from);
    assert_int_equal(get32(h + 16), d->host[s].addr);
    assert_int_equal(net_sum(0, icmp, get16(h + 2) - 20U), 0);
    assert_int_equal(icmp[0], type);
    assert_int_equal(icmp[1], code);
    return icmp + 8;
}

/* What is too long with DF: the sender is told in a quotation of what it sent. */
static void refused(struct duo *d)
{
    uint8_t frame[NET_BYTES];
    struct host *a = &d->host[A];
    struct tcp t = {.seq = a->seq, .ack = a->ack, .data = bytes, .n = 1448};
    size_t n = duo_frame(d, A, &t, frame);
    net_clear(d->w);
    net_raw(d->w, A, frame, n);
    const uint8_t *q = read_icmp(d, A, 3, 4, BOX);
    assert_int_equal(get16(q - 2), SMALL + 40);
    assert_memory_equal(q, frame + 14, 60); /* its own numbers, ports, addresses */
    assert_int_equal(duo_stat(d, "told"), 1);
    duo_talk(d, A, bytes, SMALL - 12); /* stamps count */
    duo_talk(d, B, bytes, 1448);       /* the other way nothing is small */
}

static void too_long(void **state)
{
    (void)state;
    with_small(refused);
}

/* Puts the fragments of a datagram to B together; returns the TCP segment's length. */
static size_t gather(struct duo *d, uint8_t *out, int *pieces)
{
    size_t end = 0;
    *pieces = d->w->nframes;
    for (int i = 0; i < d->w->nframes; i++) {
        const struct frame *f = &d->w->frame[i];
        size_t hlen = net_check_ip(f), n = f->n - 14 - hlen;
        size_t at = (size_t)(get16(f->b + 14 + 6) & 0x1fff) * 8;
        assert_int_equal(f->card, B);
        assert_true(f->n - 14 <= SMALL + 40);
        assert_int_equal(get16(f->b + 14 + 6) & DF, 0);
        memcpy(out + at, f->b + 14 + hlen, n);
        if (!(get16(f->b + 14 + 6) & MF))
            end = at + n;
    }
    return end;
}

static void check_whole(struct duo *d, const uint8_t *tcp, size_t n, size_t payload)
{
    uint8_t pseudo[12];
    const struct host *b = &d->host[B];
    put32(pseudo, b->peer);
    put32(pseudo + 4, b->addr);
    put16(pseudo + 8, P_TCP);
    put16(pseudo + 10, (uint32_t)n);
    assert_int_equal(net_sum((uint16_t)~net_sum(0, pseudo, 12), tcp, n), 0);
    assert_int_equal(get32(tcp + 4), b->ack);
    assert_int_equal(get16(tcp), b->pport);
    assert_int_equal(n, 32 + payload);
    assert_memory_equal(tcp + 32, bytes, payload);
}

/* Without DF it is fragmented, and the pieces make the whole segment. */
static void cut(struct duo *d)
{
    uint8_t tcp[NET_BYTES];
    struct host *a = &d->host[A];
    int pieces;
    duo_send(d, A,
             &(struct tcp){
                 .seq = a->seq, .ack = a->ack, .data = bytes, .n = 1448, .nodf = true, .id = 77});
    size_t n = gather(d, tcp, &pieces);
    assert_int_equal(pieces, 2);
    check_whole(d, tcp, n, 1448);
    assert_int_equal(duo_stat(d, "cut"), 1);
}

static void no_df(void **state)
{
    (void)state;
    with_small(cut);
}

/* The datagram of a segment in fragments at these offsets, `order` says which is sent when. */
static void send_pieces(struct duo *d, const struct tcp *t, const size_t *from, const int *order,
                        int n)
{
    uint8_t frame[NET_BYTES], piece[NET_BYTES];
    size_t len = duo_frame(d, A, t, frame) - 34;
    net_clear(d->w);
    for (int i = 0; i < n; i++) {
        int j = order[i];
        size_t to = j + 1 < n ? from[j + 1] : len;
        struct dgram g = {.src = d->host[A].addr,
                          .dst = d->host[A].peer,
                          .proto = P_TCP,
                          .id = t->id,
                          .frag = (uint16_t)((j + 1 < n ? MF : 0) | from[j] / 8),
                          .data = frame + 34 + from[j],
                          .n = to - from[j]};
        net_raw(d->w, A, piece, net_build(d->w, A, &g, piece));
    }
}

static const size_t thirds[] = {0, 480, 960};
static const int in_order[] = {0, 1, 2}, first_late[] = {1, 0, 2};

/* At ipfwd they pass one by one; at fwd they come out whole. */
static void fragments(struct duo *d)
{
    uint8_t tcp[NET_BYTES];
    struct host *a = &d->host[A];
    bool merged = d->plan == &duo_merged;
    int pieces;
    duo_talk(d, A, "x", 1);
    struct tcp t = {.seq = a->seq, .ack = a->ack, .data = bytes, .n = 1200, .nodf = true, .id = 9};
    send_pieces(d, &t, thirds, in_order, 3);
    if (merged) {
        size_t n = 0;
        assert_int_equal(d->w->nframes, 3);
        for (int i = 0; i < 3; i++) {
            const struct frame *f = &d->w->frame[i];
            net_check_ip(f);
            assert_int_equal(get16(f->b + 20) & 0x1fff, thirds[i] / 8);
            assert_int_equal(f->b[22], 63);
            assert_int_equal(get32(f->b + 26), d->host[B].peer);
            memcpy(tcp + n, f->b + 34, f->n - 34);
            n += f->n - 34;
        }
        check_whole(d, tcp, n, 1200);
        assert_int_equal(duo_stat(d, "trains"), 1);
    } else {
        struct tcp got;
        duo_only(d, &got);
        assert_int_equal(got.n, 1200);
        assert_memory_equal(got.data, bytes, 1200);
    }
    a->seq += 1200; /* the acknowledgement of the last byte is of something that was seen */
    d->host[B].ack += 1200;
    struct tcp got;
    duo_send(d, B, &(struct tcp){.seq = d->host[B].seq, .ack = d->host[B].ack});
    duo_only(d, &got);
    assert_int_equal(got.ack, a->seq);
    t = (struct tcp){
        .seq = a->seq, .ack = a->ack, .data = bytes, .n = 1200, .nodf = true, .id = 10};
    send_pieces(d, &t, thirds, first_late, 3); /* reassembled in either case */
    pieces = d->w->nframes;
    assert_int_equal(pieces, 1);
    duo_only(d, &got);
    assert_int_equal(got.n, 1200);
    assert_memory_equal(got.data, bytes, 1200);
    assert_int_equal(duo_stat(d, "trains"), merged);
}

static void passing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 11 + i / 256);
    duo_each(fragments);
}

/* More datagrams at a time than are remembered: one that finds no place is put together, and each
 * byte of each comes out in either way. */
static void crowded(struct duo *d)
{
    enum { DATAGRAMS = 600 };
    struct host *a = &d->host[A];
    int alone = 0, whole = 0;
    duo_talk(d, A, "x", 1);
    for (int id = 1; id <= DATAGRAMS; id++) {
        uint8_t tcp[NET_BYTES];
        size_t n = 0;
        struct tcp t = {.seq = a->seq, .ack = a->ack, .data = bytes, .n = 1200, .nodf = true};
        t.id = (uint16_t)(id * 7919);
        send_pieces(d, &t, thirds, in_order, 3);
        for (int i = 0; i < d->w->nframes; i++) {
            const struct frame *f = &d->w->frame[i];
            net_check_ip(f);
            memcpy(tcp + n, f->b + 34, f->n - 34);
            n += f->n - 34;
        }
        check_whole(d, tcp, n, 1200);
        alone += d->w->nframes == 3;
        whole += d->w->nframes == 1;
    }
    assert_int_equal(alone + whole, DATAGRAMS);
    assert_true(whole > DATAGRAMS / 4);
    if (d->plan == &duo_merged)
        assert_true(alone > DATAGRAMS / 8);
}

static void many_trains(void **state)
{
    (void)state;
    duo_each(crowded);
}

/* FIN in a fragmented datagram is verified, so the datagram is put together first. */
static void fragmented_fin(struct duo *d)
{
    struct host *a = &d->host[A];
    struct tcp got, t = {.seq = a->seq,
                         .ack = a->ack,
                         .data = bytes,
                         .n = 1200,
                         .nodf = true,
                         .id = 11,
                         .flags = T_FIN | T_ACK};
    send_pieces(d, &t, thirds, in_order, 3);
    duo_only(d, &got);
    assert_int_equal(got.flags, T_FIN | T_ACK);
    assert_int_equal(got.n, 1200);
    t.wrong = 1;
    send_pieces(d, &t, thirds, in_order, 3);
    net_none(d->w);
}

static void passing_fin(void **state)
{
    (void)state;
    duo_each(fragmented_fin);
}

/* A router behind B's side says something about the segment that was just forwarded to B. */
static void send_error(struct duo *d, uint8_t type, uint8_t code, uint32_t info,
                       const struct frame *about, size_t quoted)
{
    uint8_t icmp[NET_BYTES];
    struct dgram g = {.src = IP(10, 0, 2, 77), .dst = BOX2, .proto = P_ICMP, .data = icmp};
    g.n = net_icmp(icmp, type, code, info, about->b + 14, quoted);
    net_clear(d->w);
    net_send(d->w, B, &g);
}

static void error_comes_home(struct duo *d)
{
    uint8_t frame[NET_BYTES];
    struct host *a = &d->host[A];
    duo_talk(d, A, "x", 1);
    struct tcp got, t = {.seq = a->seq, .ack = a->ack, .data = bytes, .n = 1400};
    size_t n = duo_frame(d, A, &t, frame);
    for (size_t quoted = 28; quoted <= 60; quoted += 4) { /* as little as RFC 792 asks, or more */
        net_clear(d->w);
        net_raw(d->w, A, frame, n);
        struct frame about = *net_only(d->w);
        send_error(d, 3, 1, 0, &about, quoted); /* host unreachable */
        const uint8_t *q = read_icmp(d, A, 3, 1, BOX);
        frame[22]--; /* the quotation has the TTL that it had there */
        assert_memory_equal(q + 12, frame + 26, 8 + 4); /* addresses, ports */
        assert_memory_equal(q + 24, frame + 38, 4);     /* the number that A used */
        assert_int_equal(net_sum(0, q, 20), 0);
        if (quoted >= 40)
            assert_memory_equal(q + 20, frame + 34, 16); /* all up to the checksum */
        frame[22]++;
        net_run(d->w, 2 * SECOND);
    }
    send_error(d, 3, 1, 0, &(struct frame){.n = 0}, 28);
    net_none(d->w);
    net_raw(d->w, A, frame, n);
    struct frame about = *net_only(d->w);
    send_error(d, 3, 4, 1000, &about, 28); /* fragmentation needed */
    const uint8_t *q = read_icmp(d, A, 3, 4, BOX);
    assert_int_equal(get16(q - 2), 1000);
    net_clear(d->w);
    net_raw(d->w, A, frame, n); /* A did not hear it: now we say so ourselves */
    q = read_icmp(d, A, 3, 4, BOX);
    assert_int_equal(get16(q - 2), 1000);
    assert_memory_equal(q, frame + 14, 40);
    duo_talk(d, A, bytes, 1000 - 52);
    uint64_t stale = net_drops(d->w, DROP_ICMP_STALE);
    send_error(d, 3, 1, 0, &about, 28); /* that has been acknowledged since, in part */
    put32(about.b + 14 + 24, d->host[B].ack + 100000);
    send_error(d, 3, 1, 0, &about, 28); /* never sent */
    net_none(d->w);
    assert_int_equal(net_drops(d->w, DROP_ICMP_STALE), stale + 2);
    (void)got;
}

static void icmp(void **state)
{
    (void)state;
    duo_each(error_comes_home);
}

/* The last hop is ours. */
static void ttl_runs_out(struct duo *d)
{
    uint8_t frame[NET_BYTES];
    struct host *a = &d->host[A];
    struct tcp t = {.seq = a->seq, .ack = a->ack, .data = "x", .n = 1, .ttl = 1};
    size_t n = duo_frame(d, A, &t, frame);
    net_clear(d->w);
    net_raw(d->w, A, frame, n);
    const uint8_t *q = read_icmp(d, A, 11, 0, BOX);
    assert_memory_equal(q, frame + 14, 28);
    assert_int_equal(net_drops(d->w, DROP_IP_TTL), 1);
}

static void ttl(void **state)
{
    (void)state;
    duo_each(ttl_runs_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-SPL-13 R-BAD-64 R-FLOW-54 too long with DF: told in the sender's numbers",
                   too_long),
        PLAIN_TEST("R-SPL-13 R-FLOW-54 too long without DF: fragmented", no_df),
        PLAIN_TEST("R-SPL-16 fragments pass one by one at ipfwd, whole at fwd", passing),
        PLAIN_TEST("R-SPL-16 more fragmented datagrams at a time than are remembered", many_trains),
        PLAIN_TEST("R-SPL-16 R-ATK-14 FIN in fragments is put together and verified", passing_fin),
        PLAIN_TEST("R-SPL-15 ICMP errors come home translated; what fits is learnt", icmp),
        PLAIN_TEST("R-FLOW-57 TTL runs out: dropped, and the sender told", ttl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
