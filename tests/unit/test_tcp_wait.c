/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of TIME-WAIT against a list, and the ports that it keeps from being used. */
#include <string.h>

#include "modules/tcp/segment.h"
#include "modules/tcp/wait.h"
#include "modules/wire/tcp.h"
#include "tests/unit/tcp_link.h"

enum { PLACES = 32, TUPLES = 80, STEPS = 4000 };

/* What waits, the oldest first. */
struct list {
    struct waiting {
        int tuple;
        uint32_t rcv_nxt;
        uint64_t until;
    } at[PLACES];
    int n;
    uint64_t evicted;
};

static void leave(struct list *l, int i)
{
    memmove(&l->at[i], &l->at[i + 1], (size_t)(--l->n - i) * sizeof l->at[0]);
}

static int place(const struct list *l, int tuple)
{
    for (int i = 0; i < l->n; i++)
        if (l->at[i].tuple == tuple)
            return i;
    return -1;
}

/* Tuples differ in one of their parts or in several. */
static uint32_t us(int tuple)
{
    return TL_US + (tuple % 3 == 0 ? 256 : 0);
}

static uint32_t peer(int tuple)
{
    return TL_PEER + (tuple % 5 == 0 ? 256 : 0);
}

static struct wait_record *find(struct wait_table *w, int tuple)
{
    return wait_find(w, us(tuple), (uint16_t)(7000 + tuple % 8), peer(tuple),
                     (uint16_t)(50 + tuple / 8));
}

static void ends(struct wait_table *w, struct tcb *c, int tuple, uint32_t rcv_nxt)
{
    c->local.addr = netaddr_ip4(us(tuple));
    c->remote.addr = netaddr_ip4(peer(tuple));
    c->local.port = (uint16_t)(7000 + tuple % 8);
    c->remote.port = (uint16_t)(50 + tuple / 8);
    c->rcv_nxt = c->rcv_adv = rcv_nxt;
    wait_add(w, c);
}

static void check(struct tl *t, const struct list *l)
{
    struct wait_table *w = &tl_tcp(t, 0)->waits;
    assert_int_equal(w->live, l->n);
    assert_int_equal(tl_tcp(t, 0)->stat[STAT_WAIT_EVICTED], l->evicted);
    for (int tuple = 0; tuple < TUPLES; tuple++) {
        const struct wait_record *r = find(w, tuple);
        int i = place(l, tuple);
        assert_int_equal(r != NULL, i >= 0);
        if (r)
            assert_int_equal(r->rcv_nxt, l->at[i].rcv_nxt);
    }
}

/* RFC 9293 3.6.1: each waits for two MSL after its last FIN; one that ends again has one place, and
 * when there is none the oldest gives way. */
static void model(void **state)
{
    struct tl *t = tl_make(1, NULL, "waits=32 msl=5s");
    struct wait_table *w = &tl_tcp(t, 0)->waits;
    struct list l = {.n = 0};
    uint32_t iss, random = 1;
    (void)state;
    struct tl_conn *conn = tl_open(t, TL_ISN, TL_WND, &iss);
    struct tcb c = *tl_tcb(conn);
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        int tuple = (int)(random >> 8) % TUPLES, i = place(&l, tuple);
        uint64_t until = t->k[0]->now + 10 * SECOND;
        switch (random >> 28) {
        case 0: /* it is time for some of them */
            tl_run(t, (random >> 16 & 0xfff) * MS);
            while (l.n && l.at[0].until <= t->k[0]->now)
                leave(&l, 0);
            break;
        case 1:
        case 2: /* its FIN comes again */
            if (i < 0)
                break;
            struct segment g = {.src = peer(tuple), .dst = us(tuple)};
            g.sport = (uint16_t)(50 + tuple / 8);
            g.dport = (uint16_t)(7000 + tuple % 8);
            g.seq = l.at[i].rcv_nxt - 1;
            g.ack = c.snd_max;
            g.flags = TCP_FIN | TCP_ACK;
            assert_false(wait_segment(w, find(w, tuple), &g, NULL));
            struct waiting again = l.at[i];
            again.until = until;
            leave(&l, i);
            l.at[l.n++] = again;
            break;
        default:
            if (i >= 0) {
                leave(&l, i);
            } else if (l.n == PLACES) {
                leave(&l, 0);
                l.evicted++;
            }
            l.at[l.n++] = (struct waiting){tuple, random, until};
            ends(w, &c, tuple, random);
            break;
        }
        check(t, &l);
        tl_forget(t);
    }
    assert_true(l.evicted > 100);
    tl_run(t, 11 * SECOND);
    l.n = 0;
    check(t, &l);
    tl_finish(t, TL_ISN + 1);
}

/* RFC 6056 3.3: neither what is in use nor what waits; and the search has an end. */
static void waiting_ports(void **state)
{
    struct tl *t = tl_make(1, NULL, "ports=10000-12999 waits=4096 msl=5s");
    struct wait_table *w = &tl_tcp(t, 0)->waits;
    uint32_t iss;
    (void)state;
    struct tl_conn *first = tl_open(t, TL_ISN, TL_WND, &iss);
    struct tcb c = *tl_tcb(first);
    c.remote.port = 9;
    for (uint16_t port = 10000; port < 13000; port++) {
        c.local.port = port;
        wait_add(w, &c);
    }
    assert_null(tl_connect(t, 0, TL_PEER, 9)); /* R-BAD-60 */
    assert_int_equal(tl_drops(t, DROP_CONN_LIMIT), 1);
    struct tl_conn *other = tl_connect(t, 0, TL_PEER, 10); /* that is another tuple */
    assert_non_null(other);
    tl_reset(other);
    tl_run(t, 11 * SECOND);
    other = tl_connect(t, 0, TL_PEER, 9);
    assert_non_null(other);
    tl_reset(other);
    tl_forget(t);
    tl_finish(t, TL_ISN + 1);
}

static void port_ranges(void **state)
{
    static const struct {
        const char *text;
        int low, high; /* 0: not a range */
    } all[] = {{"5000-5099", 5000, 5099},
               {"7-7", 7, 7},
               {"1-65535", 1, 65535},
               {"5000", 0, 0},
               {"0-9", 0, 0},
               {"9-8", 0, 0},
               {"1-65536", 0, 0},
               {"5-9x", 0, 0},
               {"5+9", 0, 0},
               {"-9", 0, 0},
               {"", 0, 0}};
    struct tl *t = tl_make(1, NULL, "");
    struct node *n = node_find(t->k[0], "tcp");
    char why[CONF_WHY];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_int_equal(conf_set(&n->pool, &n->conf, "ports", all[i].text, why), OK);
        assert_int_equal(tcp_ports_parse(n), all[i].low ? OK : E_INVAL);
        if (all[i].low) {
            assert_int_equal(tl_tcp(t, 0)->port_low, all[i].low);
            assert_int_equal(tl_tcp(t, 0)->port_high, all[i].high);
        }
    }
    tl_end(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-58, RFC 9293 3.6.1: the table of TIME-WAIT against a list", model),
        PLAIN_TEST("R-BAD-60, RFC 6056 3.3: a port that waits is not chosen", waiting_ports),
        PLAIN_TEST("tcp.ports is a range of ports", port_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
