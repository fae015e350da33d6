/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pieces of TCP against naive models and the formulas of their RFCs: options, out-of-order
 * queue, scoreboard, round trip time, congestion control, secrets.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/wire/be.h"
#include "tests/unit/tcp_link.h"

static uint64_t seed = 1;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- options ---- */

static void options_any_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < 500000; i++) {
        uint32_t n = rnd(41);
        uint8_t *bytes = malloc(n ? n : 1); /* exactly as long: ASan sees a read beyond */
        struct tcp_opts o;
        assert_non_null(bytes);
        for (uint32_t j = 0; j < n; j++)
            bytes[j] = (uint8_t)(rnd(3) ? rnd(12) : rnd(256));
        options_parse(bytes, n, rnd(2), &o);
        assert_true(o.nsack <= TCP_SACK_BLOCKS);
        assert_true(o.wscale <= TCP_WSCALE_MAX || o.wscale == TCP_WSCALE_NONE);
        for (int j = 0; j < o.nsack; j++)
            assert_true((int32_t)(o.sack[j].right - o.sack[j].left) > 0);
        free(bytes);
    }
}

static void options_round(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct tcp_opts in = {.has_ts = rnd(2),
                              .wscale = TCP_WSCALE_NONE,
                              .tsval = rnd(UINT32_MAX),
                              .tsecr = rnd(UINT32_MAX),
                              .nsack = (uint8_t)rnd(5)};
        struct tcp_opts out;
        uint8_t bytes[TCP_OPTIONS_MAX];
        for (int j = 0; j < in.nsack; j++) {
            in.sack[j].left = rnd(UINT32_MAX);
            in.sack[j].right = in.sack[j].left + 1 + rnd(100000);
        }
        uint32_t n = options_build(bytes, &in);
        assert_true(n <= TCP_OPTIONS_MAX && n % 4 == 0);
        options_parse(bytes, n, false, &out);
        assert_int_equal(out.has_ts, in.has_ts);
        int expect = in.nsack < (in.has_ts ? 3 : 4) ? in.nsack : (in.has_ts ? 3 : 4);
        assert_int_equal(out.nsack, expect); /* RFC 2018 3 */
        assert_memory_equal(out.sack, in.sack, (size_t)expect * sizeof in.sack[0]);
        if (in.has_ts)
            assert_true(out.tsval == in.tsval && out.tsecr == in.tsecr);
    }
}

/* R-BAD-31: blocks that are none, lengths that are none, more than fit. */
static void sack_blocks(void **state)
{
    uint8_t o[40] = {5, 18, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 5};
    struct tcp_opts out;
    (void)state;
    options_parse(o, 18, false, &out);
    assert_int_equal(out.nsack, 1); /* left == right is none */
    assert_int_equal(out.sack[0].left, 1);
    static const uint8_t lengths[] = {9, 11, 17, 35, 2};
    for (size_t i = 0; i < sizeof lengths; i++) {
        o[1] = lengths[i];
        options_parse(o, 40, false, &out);
        assert_int_equal(out.nsack, 0);
    }
    o[1] = 18;
    options_parse(o, 18, true, &out); /* not in a SYN */
    assert_int_equal(out.nsack, 0);
}

/* ---- out-of-order queue against a map of bytes ---- */

enum { SPACE = 3000 };

static struct msg *bytes_of(struct kernel *k, const uint8_t *from, uint32_t n)
{
    struct msg *m = msg_alloc(&k->pool, MSG_HEADROOM, n);
    assert_non_null(m);
    memcpy(msg_put(m, n), from, n);
    return m;
}

static void reass_model(void **state)
{
    struct fixture *f = *state;
    struct kernel *k = f->k;
    for (int round = 0; round < 300; round++) {
        uint32_t base = rnd(2) ? 0xfffffff0U + rnd(32) : rnd(UINT32_MAX);
        struct reass r = {0};
        bool have[SPACE] = {false};
        uint8_t first[SPACE]; /* the byte that came first */
        int ops = 1 + (int)rnd(80);
        for (int i = 0; i < ops; i++) {
            uint32_t at = 1 + rnd(SPACE - 300), n = 1 + rnd(rnd(2) ? 20 : 299);
            uint8_t bytes[300];
            for (uint32_t j = 0; j < n; j++) {
                bytes[j] = (uint8_t)rnd(256);
                if (!have[at + j]) {
                    have[at + j] = true;
                    first[at + j] = bytes[j];
                }
            }
            reass_insert(k, &r, &k->pool, base + at, bytes_of(k, bytes, n));
            struct tcp_range block;
            assert_int_equal(reass_blocks(&r, base, &block, 1), 1); /* RFC 2018 4: last first */
            assert_true(block.left - base <= at && block.right - base >= at + n);
            if (r.n == 1) /* RFC 2018 3: contiguous with what has come, it is not a block */
                assert_int_equal(reass_blocks(&r, block.left, &block, 1), 0);
        }
        assert_int_equal(k->drops[DROP_TCP_OOO], 0); /* there are fewer runs than the limit */
        uint32_t runs = 0;
        for (uint32_t i = 1; i < SPACE; i++)
            runs += have[i] && !have[i - 1];
        assert_int_equal(r.n, runs);
        assert_true(r.cost == 0 || r.n);
        for (uint32_t i = 1; i < SPACE;) {
            struct msg *m = reass_take(&r, base + i);
            if (!m) {
                assert_true(!have[i] || r.n == 0 || r.run[0].seq != base + i);
                assert_false(have[i]);
                i++;
                continue;
            }
            for (uint32_t j = 0; j < m->total; j++) {
                uint8_t b;
                assert_true(msg_peek(m, j, &b, 1));
                assert_true(have[i + j]);
                assert_int_equal(b, first[i + j]);
            }
            i += m->total;
            msg_free(m);
        }
        assert_int_equal(r.n, 0);
        assert_int_equal(r.cost, 0);
    }
}

/* ---- scoreboard against one flag per octet, by the definitions of RFC 6675 4 ---- */

enum { OCTETS = 4000, SMSS = 100 };

static bool model_lost(const bool *sacked, uint32_t at, uint32_t max)
{
    uint32_t ranges = 0, bytes = 0;
    for (uint32_t i = at + 1; i < max; i++) {
        ranges += sacked[i] && !sacked[i - 1];
        bytes += sacked[i];
    }
    return ranges >= 3 || bytes > 2 * SMSS;
}

static void sack_model(void **state)
{
    struct fixture *f = *state;
    static struct tcb c;
    static struct path p;
    for (int round = 0; round < 25; round++) {
        bool sacked[OCTETS] = {false};
        uint32_t base = rnd(UINT32_MAX), max = 1000 + rnd(OCTETS - 1000), una = 0;
        c = (struct tcb){.p = &p, .sack_ok = true, .snd_una = base, .snd_max = base + max};
        pool_init(&p.pool, f->k, 1 << 20);
        c.cw.smss = SMSS;
        for (int i = 0; i < 15; i++) {
            struct tcp_opts o = {.nsack = (uint8_t)(1 + rnd(3))};
            bool more = false;
            for (int j = 0; j < o.nsack; j++) {
                uint32_t l = rnd(max), n = 1 + rnd(200);
                o.sack[j] = (struct tcp_range){base + l, base + l + n};
                if (l + n > max || l + n <= una)
                    continue; /* beyond what was sent, or acknowledged: ignored */
                for (uint32_t b = l > una ? l : una; b < l + n; b++) {
                    more |= !sacked[b];
                    sacked[b] = true;
                }
            }
            assert_int_equal(sack_update(&c, &o), more);
            if (rnd(4) == 0) {
                una += rnd(100);
                if (una >= max)
                    break;
                c.snd_una = base + una;
                sack_trim(&c);
                for (uint32_t b = 0; b < una; b++)
                    sacked[b] = false;
            }
            c.high_rxt = base + una + rnd(max - una);
            uint32_t pipe = 0, below = 0, upto = rnd(max);
            for (uint32_t b = una; b < max; b++) {
                if (sacked[b])
                    continue;
                bool lost = model_lost(sacked, b, max);
                pipe += !lost;
                pipe += b < c.high_rxt - base;
                assert_int_equal(sack_is_lost(&c, base + b), lost);
            }
            for (uint32_t b = una; b < upto; b++)
                below += sacked[b];
            assert_int_equal(sack_pipe(&c), pipe);
            assert_int_equal(sack_below(&c, base + upto), below);
        }
        pool_free(&p.pool, c.board);
        assert_int_equal(p.pool.used, 0);
    }
}

/* Every other segment lost, as by a queue that overflows; and a peer that has only odd octets, who
 * gets no memory for it. */
static void sack_many(void **state)
{
    struct fixture *f = *state;
    static struct tcb c;
    static struct path p;
    const uint32_t holes = 400;
    for (uint32_t size = SMSS; size >= 1; size /= SMSS) {
        c = (struct tcb){.p = &p, .sack_ok = true, .snd_una = 0, .snd_max = 4 * holes * SMSS};
        pool_init(&p.pool, f->k, 1 << 20);
        c.cw.smss = SMSS;
        for (uint32_t i = 0; i < (size == 1 ? 20 : 1) * holes; i++) {
            struct tcp_range got = {(2 * i + 1) * size, (2 * i + 2) * size};
            struct tcp_opts o = {.nsack = 1, .sack = {got}};
            assert_true(sack_update(&c, &o) || size == 1);
        }
        assert_true(p.pool.used < 8192);
        if (size == SMSS) { /* what is between is lost, but for what the last two cannot tell */
            assert_int_equal(sack_below(&c, c.snd_max), holes * SMSS);
            assert_int_equal(sack_pipe(&c), 2 * holes * SMSS + 2 * SMSS);
        }
        pool_free(&p.pool, c.board);
        assert_int_equal(p.pool.used, 0);
    }
}

/* ---- RFC 6298 ---- */

static void rto_formulas(void **state)
{
    struct tl *t = tl_make(1, NULL, "rtomin=10ms");
    uint32_t iss;
    (void)state;
    struct tl_conn *conn = tl_open(t, 1, 20000, &iss);
    struct tcb *c = tl_tcb(conn);
    tcp_rtt_init(c);
    assert_int_equal(c->rto, SECOND); /* 2.1 */
    tcp_rtt_sample(c, 100 * MS);      /* 2.2: SRTT = R, RTTVAR = R/2, RTO = R + 4 * R/2 */
    assert_int_equal(c->srtt, 100 * MS);
    assert_int_equal(c->rttvar, 50 * MS);
    assert_int_equal(c->rto, 300 * MS);
    tcp_rtt_sample(c,
                   180 * MS); /* 2.3: RTTVAR = 3/4 * 50 + 1/4 * 80, SRTT = 7/8 * 100 + 1/8 * 180 */
    assert_int_equal(c->rttvar, 57500 * US);
    assert_int_equal(c->srtt, 110 * MS);
    assert_int_equal(c->rto, 340 * MS);
    for (int i = 0; i < 200; i++)
        tcp_rtt_sample(c, 20 * MS);
    assert_true(c->srtt > 19 * MS && c->srtt < 21 * MS);
    assert_true(c->rto >= c->srtt + MS); /* G */
    tcp_rtt_sample(c, 3000 * SECOND);
    assert_int_equal(c->rto, 60 * SECOND); /* 2.5 */
    tl_send(t, TCP_RST, 2, 0, 0, NULL, 0);
    tl_end(t);
}

/* ---- RFC 5681 ---- */

static void newreno_formulas(void **state)
{
    struct cc w = {.smss = 1000};
    (void)state;
    cc_newreno.init(&w, 10); /* RFC 6928: min(10 * MSS, max(2 * MSS, 14600)) */
    assert_int_equal(w.cwnd, 10000);
    w.smss = 3000;
    cc_newreno.init(&w, 10);
    assert_int_equal(w.cwnd, 14600);
    w.smss = 8000;
    cc_newreno.init(&w, 10);
    assert_int_equal(w.cwnd, 16000);
    w.smss = 1000;
    cc_newreno.init(&w, 2);
    assert_int_equal(w.cwnd, 2000);
    cc_newreno.acked(&w, 400, 0, 0); /* (2): cwnd += min(N, SMSS) */
    assert_int_equal(w.cwnd, 2400);
    cc_newreno.acked(&w, 5000, 0, 0);
    assert_int_equal(w.cwnd, 3400);
    cc_newreno.loss(&w, 20000); /* (4): ssthresh = max(FlightSize / 2, 2 * SMSS) */
    assert_int_equal(w.ssthresh, 10000);
    assert_int_equal(w.cwnd, 10000);
    for (int i = 0; i < 9; i++)
        cc_newreno.acked(&w, 1000, 0, 0);
    assert_int_equal(w.cwnd, 10000); /* avoidance: a whole window first */
    cc_newreno.acked(&w, 1000, 0, 0);
    assert_int_equal(w.cwnd, 11000);
    cc_newreno.timeout(&w, 3000, false); /* LW = 1 segment; never below 2 * SMSS */
    assert_int_equal(w.cwnd, 1000);
    assert_int_equal(w.ssthresh, 2000);
    w.ssthresh = 50000;
    cc_newreno.timeout(&w, 3000, true); /* the same segment again: ssthresh is held */
    assert_int_equal(w.ssthresh, 50000);
    w.cwnd = 40000;
    cc_newreno.idle(&w, 10); /* 4.1: RW = min(IW, cwnd) */
    assert_int_equal(w.cwnd, 10000);
}

/* ---- secrets ---- */

/* The first and a later one of the test vectors of SipHash's authors (key 00..0f, input 00..). */
static void siphash_vectors(void **state)
{
    uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    uint8_t in[15];
    (void)state;
    for (uint8_t i = 0; i < 15; i++)
        in[i] = i;
    assert_true(tcp_siphash(key, in, 0) == 0x726fdb47dd0e0e31);
    assert_true(tcp_siphash(key, in, 8) == 0x93f5f5799a932462);
    assert_true(tcp_siphash(key, in, 15) == 0xa129ca6149be45e5);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* RFC 6528: over a million tuples hardly a number twice (2^20 of 2^32: 128 expected), each byte
 * even, and within one tuple the clock's steps of 4 us. */
static void isn_rules(void **state)
{
    enum { TUPLES = 1000000 };
    struct tl *t = tl_make(1, NULL, "");
    const struct node *n = node_find(t->k[0], "tcp");
    uint32_t *isn = malloc(TUPLES * sizeof *isn), repeats = 0;
    uint32_t count[4][256] = {{0}};
    (void)state;
    assert_non_null(isn);
    struct endpoint l = {netaddr_ip4(TL_US), TL_PORT}, r = {netaddr_ip4(TL_PEER), 0};
    for (uint32_t i = 0; i < TUPLES; i++) {
        r.addr = netaddr_ip4(TL_PEER + i / 50000);
        r.port = (uint16_t)(1024 + i % 50000);
        isn[i] = tcp_isn(n, &l, &r);
        for (int b = 0; b < 4; b++)
            count[b][isn[i] >> 8 * b & 255]++;
    }
    for (int b = 0; b < 4; b++) { /* chi-square, 255 degrees: 99.99 % lie below 347 */
        double expect = TUPLES / 256.0, chi = 0;
        for (int i = 0; i < 256; i++)
            chi += (count[b][i] - expect) * (count[b][i] - expect) / expect;
        assert_true(chi < 347);
    }
    qsort(isn, TUPLES, sizeof *isn, compare);
    for (uint32_t i = 1; i < TUPLES; i++)
        repeats += isn[i] == isn[i - 1];
    assert_true(repeats <= 200);
    free(isn);
    uint32_t before = tcp_isn(n, &l, &r);
    t->k[0]->now += 400 * US;
    assert_int_equal(tcp_isn(n, &l, &r) - before, 100);
    tl_end(t);
}

/* RFC 6056: ports differ, lie in the range, and run out with a status. */
static void ports(void **state)
{
    struct tl *t = tl_make(1, NULL, "ports=5000-5099");
    bool used[100] = {false};
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct tl_conn *c = tl_connect(t, 0, TL_PEER, 9);
        assert_non_null(c);
        uint16_t port = tl_tcb(c)->local.port;
        assert_true(port >= 5000 && port <= 5099);
        assert_false(used[port - 5000]);
        used[port - 5000] = true;
    }
    assert_null(tl_connect(t, 0, TL_PEER, 9)); /* R-BAD-60 */
    assert_int_equal(tl_drops(t, DROP_CONN_LIMIT), 1);
    assert_non_null(tl_connect(t, 0, TL_PEER, 10)); /* to another port there is room */
    for (int i = 0; i < tl_user(t, 0)->n; i++)
        if (tl_user(t, 0)->conn[i].p)
            tl_reset(&tl_user(t, 0)->conn[i]);
    tl_run(t, SECOND);
    tl_end(t);
}

/* The sum of hash and counter reaches 2^32 in the middle of the search, and 2^32 is no multiple
 * of 3. */
static void ports_around(void **state)
{
    struct tl *t = tl_make(1, NULL, "ports=5000-5002");
    struct node *n = node_find(t->k[0], "tcp");
    struct tcp_node *tn = n->state;
    struct endpoint l = {netaddr_ip4(TL_US), 0}, r = {netaddr_ip4(TL_PEER), 9};
    uint32_t offset = (uint32_t)tcp_tuple_hash(n, 'p', &l, &r, 0);
    (void)state;
    for (int i = 0; i < 3; i++) {
        tn->port_next = UINT32_MAX - offset;
        assert_non_null(tl_connect(t, 0, TL_PEER, 9));
    }
    for (int i = 0; i < 3; i++)
        tl_reset(&tl_user(t, 0)->conn[i]);
    tl_run(t, SECOND);
    tl_end(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-28: options of any bytes", options_any_bytes),
        PLAIN_TEST("RFC 2018 3: options written are options read", options_round),
        PLAIN_TEST("R-BAD-31: SACK blocks that are none", sack_blocks),
        FIXTURE_TEST("R-BAD-52, RFC 2018 4: out-of-order queue against a map of bytes",
                     reass_model),
        FIXTURE_TEST("RFC 6675 4: scoreboard against a flag per octet", sack_model),
        FIXTURE_TEST("RFC 6675 4, R-BAD-31: four hundred holes, and what they may cost", sack_many),
        PLAIN_TEST("RFC 6298 2: RTO", rto_formulas),
        PLAIN_TEST("RFC 5681 3.1, RFC 6928: congestion window", newreno_formulas),
        PLAIN_TEST("SipHash-2-4: test vectors", siphash_vectors),
        PLAIN_TEST("RFC 6528: ISNs of a million tuples", isn_rules),
        PLAIN_TEST("R-BAD-60, RFC 6056: ephemeral ports", ports),
        PLAIN_TEST("R-BAD-60, RFC 6056 3.3.3: the last free port is found wherever the counter is",
                   ports_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
