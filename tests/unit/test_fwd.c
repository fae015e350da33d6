/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modules/fwd: what is forwarded and how it looks then, what is not, and the rules around the
 * stages. Each at fwd and at ipfwd. How connections end is in test_fwd_end.c, what does not fit in
 * test_fwd_fit.c.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/fwd/fwd.h"
#include "modules/wire/forward.h"
#include "tests/unit/fwd_bench.h"

static uint8_t bytes[1460];

static void shapes(void **state)
{
    (void)state;
    struct duo *d = duo_make(&duo_merged);
    assert_non_null(strstr(fixture_command(d->w->f, "show paths"), "eth0 ipfwd eth1"));
    duo_end(d);
    d = duo_make(&duo_apart);
    assert_non_null(strstr(fixture_command(d->w->f, "show paths"), "eth0 ip fwd ip eth1"));
    duo_end(d);
}

/* Over the wrap of all three number spaces, all lengths; nothing but the header changes. */
static void numbers_each(struct duo *d)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);

    static const size_t sizes[] = {1, 2, 3, 199, 255, 256, 1000, 1447, 1448};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        duo_talk(d, A, bytes, sizes[i]);
        duo_talk(d, B, bytes, sizes[i]);
    }
}

static void numbers(void **state)
{
    (void)state;
    duo_each(numbers_each);
}

static void stamps_each(struct duo *d)
{

    struct tcp got;
    uint32_t val = 0, ecr = 0;
    duo_talk(d, A, "x", 1);
    duo_talk(d, B, "x", 1);
    for (int i = 0; i < 40; i++) { /* over the wrap of A's clock */
        struct host *h = &d->host[A];
        duo_send(d, A, &(struct tcp){.seq = h->seq, .ack = h->ack, .ttl = 17});
        duo_only(d, &got);
        assert_true(got.stamped);
        assert_int_equal(got.ttl, 16);
        if (i)
            assert_int_equal(got.tsval, val + 1);
        val = got.tsval;
        d->host[B].echo = val;
        h = &d->host[B];
        duo_send(d, B, &(struct tcp){.seq = h->seq, .ack = h->ack});
        duo_only(d, &got);
        assert_int_equal(got.tsecr, d->host[A].clock); /* what A sent, as A knows it */
        ecr = got.tsecr;
    }
    (void)ecr;
}

static void stamps(void **state)
{
    (void)state;
    duo_each(stamps_each);
}

static void sack_each(struct duo *d)
{

    uint8_t opt[24];
    struct tcp got;
    struct host *a = &d->host[A], *b = &d->host[B];
    duo_talk(d, A, "x", 1);
    duo_talk(d, A, bytes, 1000);
    put32(opt, 0x01010512); /* NOP NOP, SACK of two blocks */
    put32(opt + 4, b->ack + 100);
    put32(opt + 8, b->ack + 200);
    put32(opt + 12, b->ack + 300);
    put32(opt + 16, b->ack + 400);
    put32(opt + 20, 0x1e040000); /* what nobody here knows */
    duo_send(d, B, &(struct tcp){.seq = b->seq, .ack = b->ack, .opt = opt, .nopt = 24});
    duo_only(d, &got);
    assert_int_equal(got.ack, a->seq);
    assert_int_equal(get32(got.opt), 0x01010512);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(get32(got.opt + 4 + 4 * (size_t)i), a->seq + 100 * (i + 1));
    assert_int_equal(get32(got.opt + 20), 0x01010101);
}

static void sack(void **state)
{
    (void)state;
    duo_each(sack_each);
}

/* A's windows are in units of 128 bytes; B was told them in ours. */
static void window_units_each(struct duo *d)
{
    static const uint16_t fields[] = {0, 1, 5, 100, 1000, 65535};

    struct tcp got;
    const struct kernel *k = d->w->f->k;
    const struct record *ab = flow_record(path_flow(duo_path(d), AB));
    uint32_t told = ab->scale >> 4;
    (void)k;
    assert_int_equal(ab->scale & 15, 7);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct host *h = &d->host[A];
        duo_send(d, A,
                 &(struct tcp){
                     .seq = h->seq, .ack = h->ack, .wnd = fields[i], .flags = T_ACK, .bare = true});
        duo_only(d, &got);
        uint64_t want = ((uint64_t)fields[i] << 7) >> told;
        assert_int_equal(got.wnd, want > 65535 ? 65535 : want ? want : !!fields[i]);
    }
}

static void window_units(void **state)
{
    (void)state;
    duo_each(window_units_each);
}

/* Bytes that are wrong stay so; a segment without any, or with FIN or RST, is verified. */
static void checksums_each(struct duo *d)
{

    struct tcp got;
    struct host *h = &d->host[A];
    for (uint32_t wrong = 1; wrong < 65535; wrong += 991) {
        duo_send(d, A,
                 &(struct tcp){.seq = h->seq, .ack = h->ack, .data = "ab", .n = 2, .wrong = wrong});
        duo_read(net_only(d->w), &got);
        assert_int_not_equal(got.wrong, 0);
    }
    static const uint8_t verified[] = {T_ACK, T_ACK | T_FIN, T_ACK | T_RST, T_SYN};
    for (size_t i = 0; i < ARRAY_LEN(verified); i++) {
        uint64_t before = net_drops(d->w, DROP_TCP_CKSUM);
        duo_send(d, A,
                 &(struct tcp){.seq = h->seq, .ack = h->ack, .flags = verified[i], .wrong = 1});
        net_none(d->w);
        assert_int_equal(net_drops(d->w, DROP_TCP_CKSUM), before + 1);
    }
    duo_talk(d, A, "still there", 11);
}

static void checksums(void **state)
{
    (void)state;
    duo_each(checksums_each);
}

/* Bytes hide a wrong header from us: what it acknowledges must not be ours to say later. */
static void believed_each(struct duo *d)
{
    struct tcp got, t = {.data = "ab", .n = 2, .wrong = 1};
    const struct record *r = flow_record(path_flow(duo_path(d), AB));
    uint32_t ack = d->host[A].ack, far = ack + RECORD_TRUST;
    t.seq = d->host[A].seq;
    t.ack = ack + 1;
    duo_send(d, A, &t);
    duo_read(net_only(d->w), &got); /* passed on, for its host to drop */
    assert_int_equal(r->ack_max, ack);
    t.ack = far;
    duo_send(d, A, &t);
    net_none(d->w);
    assert_int_equal(r->ack_max, ack);
    t.wrong = 0;
    duo_send(d, A, &t);
    duo_only(d, &got);
    assert_int_equal(r->ack_max, far);
    t.ack = ack;
    duo_send(d, A, &t);
    duo_only(d, &got);
}

static void believed(void **state)
{
    (void)state;
    duo_each(believed_each);
}

static void far_numbers_each(struct duo *d)
{

    const uint32_t reach = RECORD_REACH;
    struct tcp got;
    struct host *h = &d->host[A];
    duo_talk(d, A, "x", 1);
    const uint32_t far[] = {reach, reach + 1, 0x7fffffff, 0x80000000, -reach - 1, -reach - 2000};
    for (size_t i = 0; i < ARRAY_LEN(far); i++) {
        uint64_t before = net_drops(d->w, DROP_FWD_WINDOW);
        duo_send(d, A, &(struct tcp){.seq = h->seq + far[i], .ack = h->ack, .data = "y", .n = 1});
        net_none(d->w);
        duo_send(d, A, &(struct tcp){.seq = h->seq, .ack = h->ack + far[i], .data = "y", .n = 1});
        net_none(d->w);
        assert_int_equal(net_drops(d->w, DROP_FWD_WINDOW), before + 2);
    }
    duo_send(d, A, &(struct tcp){.seq = h->seq, .ack = h->ack + 1000}); /* spec decisions 4 */
    duo_only(d, &got);
    assert_int_equal(got.ack, d->host[B].seq + 1000);
    duo_send(d, A, &(struct tcp){.seq = h->seq - 500, .ack = h->ack, .data = "old", .n = 3});
    duo_only(d, &got);
    assert_int_equal(got.seq, d->host[B].ack - 500);
}

static void far_numbers(void **state)
{
    (void)state;
    duo_each(far_numbers_each);
}

/* Headers that are none, and flags that mean nothing. */
static void bad_segments_each(struct duo *d)
{

    uint8_t frame[NET_BYTES];
    struct host *h = &d->host[A];
    size_t n = duo_frame(d, A, &(struct tcp){.seq = h->seq, .ack = h->ack}, frame);
    static const uint8_t offsets[] = {0, 0x10, 0x40, 0x90, 0xf0};
    for (size_t i = 0; i < sizeof offsets; i++) {
        uint64_t before = net_drops(d->w, DROP_TCP_HEADER);
        frame[14 + 20 + 12] = offsets[i];
        net_clear(d->w);
        net_raw(d->w, A, frame, n);
        net_none(d->w);
        assert_int_equal(net_drops(d->w, DROP_TCP_HEADER), before + 1);
    }
    static const uint8_t flags[] = {T_PSH, T_FIN, T_SYN | T_FIN, T_SYN | T_RST};
    for (size_t i = 0; i < sizeof flags; i++) {
        uint64_t before = net_drops(d->w, DROP_TCP_FLAGS);
        duo_send(d, A, &(struct tcp){.seq = h->seq, .ack = h->ack, .flags = flags[i]});
        net_none(d->w);
        assert_int_equal(net_drops(d->w, DROP_TCP_FLAGS), before + 1);
    }
    duo_talk(d, A, "still there", 11);
}

static void bad_segments(void **state)
{
    (void)state;
    duo_each(bad_segments_each);
}

/* Without stamps, so that the way back need not wait until it has seen some. */
static void each_unstamped(void (*test)(struct duo *d))
{
    static const struct plan plans[] = {
        {.cmdline = "", .scale = {7, 7}, .mss = {1460, 1460}},
        {.cmdline = "fwd.merge=off", .scale = {7, 7}, .mss = {1460, 1460}},
    };
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct duo *d = duo_make(&plans[i]);
        test(d);
        duo_end(d);
    }
}

/* To the proxy and back again, by the operator's word, with bytes before, between and after. */
static void there_and_back_each(struct duo *d)
{

    for (int i = 0; i < 10; i++) {
        duo_talk(d, A, "spliced", 7);
        duo_talk(d, B, "both ways", 9);
        fixture_command(d->w->f, "unsplice all");
        net_run(d->w, 20 * MS);
        const char *paths = fixture_command(d->w->f, "show paths");
        assert_non_null(strstr(paths, "eth0 ip tcp proxy tcp ip eth1"));
        net_clear(d->w);
        fixture_command(d->w->f, "splice all");
        net_run(d->w, 100 * MS);
        net_clear(d->w);
        paths = fixture_command(d->w->f, "show paths");
        assert_non_null(
            strstr(paths, !*d->plan->cmdline ? "eth0 ipfwd eth1" : "eth0 ip fwd ip eth1"));
    }
}

static void there_and_back(void **state)
{
    (void)state;
    each_unstamped(there_and_back_each);
}

/* Bytes of before the splice once more: numbers that B has acknowledged, so no reader gets them; of
 * a segment on both sides of the point, the new part is where it belongs. */
static void old_bytes_each(struct duo *d)
{
    struct host *a = &d->host[A], *b = &d->host[B];
    struct tcp got;
    fixture_command(d->w->f, "unsplice all");
    net_run(d->w, 20 * MS);
    duo_send(d, A, &(struct tcp){.seq = a->seq, .ack = a->ack, .data = "to the proxy", .n = 12});
    duo_send(d, B, &(struct tcp){.seq = b->seq, .ack = b->ack + 12});
    net_run(d->w, 100 * MS);
    a->seq += 12;
    b->ack += 12;
    fixture_command(d->w->f, "splice all");
    net_run(d->w, 100 * MS);
    assert_non_null(strstr(fixture_command(d->w->f, "show paths"), "fwd"));
    for (int i = 0; i < 3; i++) {
        duo_send(d, A,
                 &(struct tcp){.seq = a->seq - 12, .ack = a->ack, .data = "to the proxy", .n = 12});
        duo_only(d, &got);
        assert_int_equal(got.seq + got.n, b->ack);
    }
    duo_send(d, A, &(struct tcp){.seq = a->seq - 6, .ack = a->ack, .data = " proxynew", .n = 9});
    duo_only(d, &got);
    assert_int_equal(got.seq + 6, b->ack);
    assert_memory_equal((const char *)got.data + 6, "new", 3);
}

static void old_bytes(void **state)
{
    (void)state;
    each_unstamped(old_bytes_each);
}

/* A direction that its proxy wants back at some byte: what was there before passes, the segment
 * with that byte goes through the proxy, once. */
static void triggers_each(struct duo *d)
{
    struct host *a = &d->host[A], *b = &d->host[B];
    struct tcp got;
    duo_talk(d, A, "before", 6);
    struct path *p = duo_path(d);
    int at = p->shape->n / 2;
    struct fwd_keep *keep = pool_alloc(&p->pool, sizeof *keep);
    assert_non_null(keep);
    keep->trigger[AB] = keep->kept.stop[AB] = a->seq + 4;
    keep->kept.begun[AB] = a->seq;
    keep->kept.begun[BA] = b->seq;
    keep->kept.stops[AB] = true;
    p->state[at] = keep;
    flow_record(path_flow(p, AB))->flags |= RECORD_TRIGGER;
    duo_talk(d, A, "pass", 4);
    duo_talk(d, B, "this way nothing is set", 23);
    assert_int_equal(duo_stat(d, "fired"), 0);
    duo_send(d, A, &(struct tcp){.seq = a->seq, .ack = a->ack, .data = "caught", .n = 6});
    net_run(d->w, 50 * MS);
    assert_int_equal(duo_stat(d, "fired"), 1);
    int times = 0;
    for (int i = 0; i < d->w->nframes; i++) {
        duo_read(&d->w->frame[i], &got);
        if (got.card != B || !got.n)
            continue;
        times++;
        assert_int_equal(got.seq, b->ack);
        assert_int_equal(got.n, 6);
        assert_memory_equal(got.data, "caught", 6);
        assert_int_equal(got.wrong, 0);
    }
    assert_int_equal(times, 1);
    const char *history = fixture_command(d->w->f, "show path 8");
    assert_non_null(strstr(history, "rule unsettle"));
    assert_true(*d->plan->cmdline || strstr(history, "rule unmerge"));
}

static void triggers(void **state)
{
    (void)state;
    each_unstamped(triggers_each);
}

static void identity(void **state)
{
    (void)state;
    static const struct plan plan = {
        .cmdline = "fwd.identity=on plug.transparent=on plug.to=none plug.listen=*:8080",
        .stamps = true,
        .sack = true,
        .scale = {7, 7},
        .mss = {1460, 1460}};
    struct duo *d = duo_make(&plan);
    struct path *p = duo_path(d);
    struct tcp got;
    for (int i = AB; i <= BA; i++) { /* as if both sides had begun with the same numbers */
        struct record *r = flow_record(path_flow(p, (enum dir)i));
        assert_int_equal(r->src, d->host[i].addr);
        assert_int_equal(r->dst, d->host[i].peer);
        r->seq_off = r->ack_off = r->ts_off = r->ecr_off = 0;
        r->scale = 7 | 7 << 4;
    }
    path_note(p, NOTE_MODE);
    net_run(d->w, 10 * MS);
    assert_null(strstr(fixture_command(d->w->f, "show paths"), "fwd"));
    for (enum side s = A; s <= B; s++) {
        const struct host *h = &d->host[s];
        duo_send(d, s, &(struct tcp){.seq = h->seq, .ack = h->ack, .data = "as it is", .n = 8});
        duo_only(d, &got);
        assert_int_equal(got.seq, h->seq);
        assert_int_equal(got.ack, h->ack);
        assert_int_equal(got.ttl, 63);
    }
    assert_non_null(strstr(fixture_command(d->w->f, "show paths"), "eth0 ip eth1"));
    assert_non_null(strstr(fixture_command(d->w->f, "show paths"), "eth1 ip eth0"));
    duo_end(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-SPL-1 rules make it ipfwd, or fwd when merging is off", shapes),
        PLAIN_TEST("R-SPL-2 R-FLOW-37 numbers are mapped over the wrap, bytes are as they were",
                   numbers),
        PLAIN_TEST("R-SPL-14 R-FLOW-55 R-FLOW-57 stamps are mapped both ways; TTL falls by one",
                   stamps),
        PLAIN_TEST("R-SPL-14 SACK blocks are mapped, what is unknown is blanked", sack),
        PLAIN_TEST("R-SPL-10 R-FLOW-38 windows are told in the other side's unit", window_units),
        PLAIN_TEST("R-ATK-14 R-FLOW-53 wrong stays wrong; what moves our state is verified",
                   checksums),
        PLAIN_TEST("R-FLOW-15 R-ATK-14 no acknowledgement is believed before it is verified",
                   believed),
        PLAIN_TEST("R-SPL-11 R-BAD-50 R-BAD-63 numbers far away are dropped, near ones pass",
                   far_numbers),
        PLAIN_TEST("R-SPL-11 headers and flags that mean nothing are dropped", bad_segments),
        PLAIN_TEST("R-SPL-18 to the proxy and back, ten times", there_and_back),
        PLAIN_TEST("R-ATK-9 R-BAD-62 bytes from before the splice reach no reader again",
                   old_bytes),
        PLAIN_TEST("R-SPL-18 a trigger: the segment is held and goes through the proxy, once",
                   triggers),
        PLAIN_TEST("R-SPL-17 what changes nothing becomes the router's", identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
