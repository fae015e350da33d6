/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The neighbours. An entry that paths use (refs > 0) stays and is probed before it is believed no
 * longer; the others may be pushed out by new ones, oldest first, so the table is bounded and
 * active peers stay in it (spec R-BAD-4). What an entry says is not changed by packets that nobody
 * asked for: a different address is looked into by asking the old one, and believed only when that
 * is silent (spec R-BAD-3). Messages that wait are charged to the node.
 */
#include "kernel/plat.h"
#include "modules/arp/arp.h"
#include "modules/wire/icmp4.h"

#include <string.h>

static const char *const state_names[] = {"free", "unresolved", "asked", "reachable", "probed"};

const char *entry_state_name(unsigned state)
{
    return state_names[state];
}

static struct entry *entry_of(struct neigh *g)
{
    return CONTAINER(g, struct entry, g);
}

static struct entry **bucket(struct arp_node *a, const struct node *card,
                             const struct netaddr *addr)
{
    uint64_t x = ((uint64_t)(uintptr_t)card ^ a->seed) * 0x9e3779b97f4a7c15ULL;
    x = (x ^ netaddr_to_ip4(addr) ^ a->seed >> 32) * 0xff51afd7ed558ccdULL;
    return &a->buckets[(uint32_t)(x >> 40) & a->mask];
}

struct entry *cache_find(struct node *n, const struct node *card, const struct netaddr *addr)
{
    for (struct entry *e = *bucket(n->state, card, addr); e; e = e->chain)
        if (e->g.link == card && netaddr_equal(&e->g.addr, addr))
            return e;
    return NULL;
}

static void idle_add(struct arp_node *a, struct entry *e)
{
    e->younger = NULL;
    e->older = a->youngest;
    *(a->youngest ? &a->youngest->younger : &a->oldest) = e;
    a->youngest = e;
}

static void idle_remove(struct arp_node *a, struct entry *e)
{
    *(e->older ? &e->older->younger : &a->oldest) = e->younger;
    *(e->younger ? &e->younger->older : &a->youngest) = e->older;
}

/* Nobody answers for these. Senders elsewhere are told (RFC 1812 5.2.7.1), unless it is only that
 * the entry's place is needed. */
static void waiting_drop(struct entry *e, bool tell)
{
    struct arp_node *a = e->arp->state;
    struct node *ip = tell ? arp_network(e->g.link) : NULL;
    struct msg *m;
    while ((m = msgq_pop(&e->waiting))) {
        a->queued--;
        if (ip) {
            const struct network_ops *ops = ip->module->ops;
            ops->error(ip, ICMP_UNREACHABLE, ICMP_HOST, 0, m);
        }
        msg_drop(e->arp->k, m, DROP_ARP_UNRESOLVED);
    }
}

static void waiting_send(struct entry *e)
{
    struct arp_node *a = e->arp->state;
    const struct link_ops *link = e->g.link->module->ops;
    struct msg *m;
    while ((m = msgq_pop(&e->waiting))) {
        a->queued--;
        link->send(e->g.link, e->g.header, ETHERTYPE_IP4, m);
    }
}

/* refs is 0 and e is in no idle list. */
static void entry_free(struct entry *e)
{
    struct arp_node *a = e->arp->state;
    struct entry **link = bucket(a, e->g.link, &e->g.addr);
    timer_cancel(e->arp->k, &e->t);
    waiting_drop(e, false);
    while (*link != e)
        link = &(*link)->chain;
    *link = e->chain;
    e->state = ENTRY_FREE;
    e->g.valid = false;
    e->chain = a->free;
    a->free = e;
    a->used--;
}

static void timer_after(struct entry *e, const char *setting)
{
    struct kernel *k = e->arp->k;
    timer_arm(k, &e->t, k->now + conf_number(&e->arp->conf, setting));
}

static void ask(struct entry *e, enum entry_state state, uint8_t tries)
{
    e->state = (uint8_t)state;
    e->tries = tries;
    arp_ask(e->arp, e->g.link, &e->g.addr, state == ENTRY_PROBED ? e->g.header : NULL);
    timer_after(e, "retry");
}

static void silent(struct entry *e)
{
    struct arp_node *a = e->arp->state;
    e->g.valid = false;
    if (e->state == ENTRY_PROBED && e->g.refs) { /* perhaps it has another address now */
        ask(e, ENTRY_ASKED, 1);
        return;
    }
    e->state = ENTRY_UNKNOWN;
    if (e->g.refs++ == 0) /* telling may ask for neighbours again, and for this one */
        idle_remove(a, e);
    waiting_drop(e, true);
    cache_put(e->arp, &e->g);
}

static void fire(struct kernel *k, struct timer *t)
{
    struct entry *e = CONTAINER(t, struct entry, t);
    (void)k;
    if (e->state == ENTRY_KNOWN) {
        if (e->g.refs) { /* a unicast poll (RFC 1122 2.3.2.1) */
            ask(e, ENTRY_PROBED, 1);
            return;
        }
        e->state = ENTRY_UNKNOWN;
        silent(e);
    } else if (e->tries < conf_number(&e->arp->conf, "tries")) {
        ask(e, e->state, (uint8_t)(e->tries + 1));
    } else {
        silent(e);
    }
}

status_t cache_init(struct node *n)
{
    struct arp_node *a = n->state;
    a->size = (uint32_t)conf_number(&n->conf, "entries");
    for (a->mask = 1; a->mask < a->size; a->mask = a->mask * 2 + 1)
        ;
    a->table = pool_alloc(&n->pool, a->size * sizeof *a->table);
    a->buckets = pool_alloc(&n->pool, (a->mask + 1) * sizeof(struct entry *));
    if (!a->table || !a->buckets)
        return E_NOMEM;
    a->seed = plat_random(n->k);
    for (uint32_t i = a->size; i-- > 0;) {
        a->table[i].arp = n;
        a->table[i].t.fire = fire;
        a->table[i].g.index = (uint16_t)i;
        a->table[i].chain = a->free;
        a->free = &a->table[i];
    }
    return OK;
}

void cache_stop(struct node *n)
{
    struct arp_node *a = n->state;
    for (uint32_t i = 0; a->table && i < a->size; i++) {
        timer_cancel(n->k, &a->table[i].t);
        msgq_drop(n->k, &a->table[i].waiting, DROP_SHUTDOWN);
    }
}

/* A fresh entry that is in the idle list; NULL: all are in use. */
static struct entry *entry_make(struct node *n, struct node *card, const struct netaddr *addr)
{
    struct arp_node *a = n->state;
    if (!a->free && a->oldest) {
        struct entry *old = a->oldest;
        idle_remove(a, old);
        entry_free(old);
    }
    struct entry *e = a->free;
    if (!e)
        return NULL;
    struct entry **at = bucket(a, card, addr);
    a->free = e->chain;
    a->used++;
    const struct link_ops *link = card->module->ops;
    e->g.link = card;
    e->g.dev = link->dev(card);
    e->g.addr = *addr;
    memcpy(e->g.header + ETH_SRC, e->g.dev->mac, ETH_ADDR);
    be16_put(e->g.header + ETH_TYPE, ETHERTYPE_IP4);
    e->g.refs = 0;
    e->state = ENTRY_UNKNOWN;
    e->chain = *at;
    *at = e;
    idle_add(a, e);
    return e;
}

void cache_heard(struct node *n, struct node *card, const struct netaddr *addr,
                 const uint8_t mac[ETH_ADDR], bool make)
{
    struct entry *e = cache_find(n, card, addr);
    if (!e && make)
        e = entry_make(n, card, addr);
    if (!e)
        return;
    if (e->g.valid && memcmp(e->g.header, mac, ETH_ADDR) != 0) {
        arp_complain(n, card, addr, mac, "claims the address of another station");
        if (e->state == ENTRY_KNOWN)
            ask(e, ENTRY_PROBED, 1);
        return;
    }
    memcpy(e->g.header + ETH_DST, mac, ETH_ADDR);
    e->g.valid = true;
    e->state = ENTRY_KNOWN;
    timer_after(e, "reachable");
    waiting_send(e);
}

struct neigh *cache_get(struct node *n, struct node *card, const struct netaddr *addr)
{
    struct arp_node *a = n->state;
    if (addr->family != ADDR_IP4)
        return NULL;
    struct entry *e = cache_find(n, card, addr);
    if (!e)
        e = entry_make(n, card, addr);
    if (!e)
        return NULL;
    if (e->g.refs++ == 0)
        idle_remove(a, e);
    return &e->g;
}

void cache_put(struct node *n, struct neigh *g)
{
    struct arp_node *a = n->state;
    struct entry *e = entry_of(g);
    if (--g->refs)
        return;
    if (e->state == ENTRY_UNKNOWN)
        entry_free(e);
    else
        idle_add(a, e);
}

void cache_wait(struct node *n, struct neigh *g, struct msg *m)
{
    struct arp_node *a = n->state;
    struct entry *e = entry_of(g);
    if (g->valid) {
        const struct link_ops *link = g->link->module->ops;
        link->send(g->link, g->header, ETHERTYPE_IP4, m);
        return;
    }
    if (e->waiting.count == ARP_QUEUE) { /* the latest is the one to keep (RFC 1122 2.3.2.2) */
        a->queued--;
        msg_drop(n->k, msgq_pop(&e->waiting), DROP_ARP_UNRESOLVED);
    }
    if (a->queued >= ARP_QUEUED_MAX || msg_charge(m, &n->pool) != OK) {
        msg_drop(n->k, m, DROP_ARP_UNRESOLVED);
    } else {
        msgq_push(&e->waiting, m);
        a->queued++;
    }
    if (e->state == ENTRY_UNKNOWN)
        ask(e, ENTRY_ASKED, 1);
}
