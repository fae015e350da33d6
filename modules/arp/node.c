/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arp: packets in and out (RFC 826, RFC 5227). Its paths are `eth arp`, one per card. It answers
 * for the addresses of the ip node that is bound to the same card, announces them at start, and
 * says in the log when somebody else uses one. Senders are remembered only when they ask for us, or
 * when we have asked for them, and when the route to them is that link.
 */
#include <string.h>

#include "kernel/show.h"
#include "modules/arp/arp.h"

static const uint8_t everybody[ETH_ADDR] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct node *arp_network(const struct node *card)
{
    return node_above(card, ETHERTYPE_IP4);
}

static struct node *card_of(struct node *link)
{
    const struct link_ops *ops = link->module->ops;
    return ops->dev(link)->node;
}

static const uint8_t *mac_of(struct node *card)
{
    const struct link_ops *ops = card->module->ops;
    return ops->dev(card)->mac;
}

static bool is_ours(struct node *card, const struct netaddr *addr)
{
    struct node *ip = arp_network(card);
    if (!ip)
        return false;
    const struct network_ops *ops = ip->module->ops;
    return ops->is_local(ip, addr);
}

void arp_complain(struct node *n, const struct node *card, const struct netaddr *addr,
                  const uint8_t mac[ETH_ADDR], const char *what)
{
    struct arp_node *a = n->state;
    char text[NETADDR_TEXT];
    if (a->complained && n->k->now - a->complained < SECOND)
        return;
    a->complained = n->k->now;
    log_note(n->k, "%s: %02x:%02x:%02x:%02x:%02x:%02x %s %s", card->name, mac[0], mac[1], mac[2],
             mac[3], mac[4], mac[5], what, netaddr_text(addr, text));
}

/* Fill in the 28 bytes at `at`; who: NULL when that is the question. */
static void packet_build(uint8_t *at, uint16_t op, const uint8_t *our_mac, uint32_t ours,
                         const uint8_t *who, uint32_t target)
{
    be16_put(at + ARP_HTYPE, ARP_ETHERNET);
    be16_put(at + ARP_PTYPE, ETHERTYPE_IP4);
    at[ARP_HLEN] = ETH_ADDR;
    at[ARP_PLEN] = 4;
    be16_put(at + ARP_OP, op);
    memcpy(at + ARP_SENDER_MAC, our_mac, ETH_ADDR);
    be32_put(at + ARP_SENDER_IP, ours);
    if (who)
        memcpy(at + ARP_TARGET_MAC, who, ETH_ADDR);
    else
        memset(at + ARP_TARGET_MAC, 0, ETH_ADDR);
    be32_put(at + ARP_TARGET_IP, target);
}

static void request(struct node *n, struct node *card, uint32_t ours, uint32_t target,
                    const uint8_t *to)
{
    struct arp_node *a = n->state;
    const struct link_ops *link = card->module->ops;
    struct msg *m = msg_alloc(&n->k->pool, MSG_HEADROOM, ARP_PACKET);
    if (!m) {
        n->k->drops[DROP_NO_BUFFER]++;
        return;
    }
    packet_build(msg_put(m, ARP_PACKET), ARP_REQUEST, mac_of(card), ours, NULL, target);
    a->stat[ARP_REQUESTS_OUT]++;
    link->send(card, to ? to : everybody, ETHERTYPE_ARP, m);
}

void arp_ask(struct node *n, struct node *card, const struct netaddr *addr, const uint8_t *to)
{
    struct node *ip = arp_network(card);
    const struct network_ops *ops = ip ? ip->module->ops : NULL;
    struct route r;
    if (ops && ops->route(ip, addr, &r) == OK)
        request(n, card, netaddr_to_ip4(&r.source), netaddr_to_ip4(addr), to);
}

/* A question for an address of ours is answered in the buffer that it came in. */
static void answer(struct node *n, struct node *card, struct msg *m)
{
    struct arp_node *a = n->state;
    const struct link_ops *link = card->module->ops;
    uint8_t *at = m->data;
    uint8_t asker[ETH_ADDR];
    memcpy(asker, at + ARP_SENDER_MAC, ETH_ADDR);
    packet_build(at, ARP_REPLY, mac_of(card), be32_get(at + ARP_TARGET_IP), asker,
                 be32_get(at + ARP_SENDER_IP));
    msg_trim(m, ARP_PACKET);
    a->stat[ARP_REPLIES_OUT]++;
    link->send(card, asker, ETHERTYPE_ARP, m);
}

/* spec R-BAD-2. An address of zero is a probe (RFC 5227 1.1): to be answered, not remembered. */
static bool is_sane(const struct msg *m)
{
    static const uint8_t nobody[ETH_ADDR];
    const uint8_t *at = m->data;
    if (m->len < ARP_PACKET || be16_get(at + ARP_HTYPE) != ARP_ETHERNET ||
        be16_get(at + ARP_PTYPE) != ETHERTYPE_IP4 || at[ARP_HLEN] != ETH_ADDR || at[ARP_PLEN] != 4)
        return false;
    uint16_t op = be16_get(at + ARP_OP);
    uint32_t sender = be32_get(at + ARP_SENDER_IP);
    return (op == ARP_REQUEST || op == ARP_REPLY) && !(at[ARP_SENDER_MAC] & ETH_GROUP) &&
           memcmp(at + ARP_SENDER_MAC, nobody, ETH_ADDR) != 0 && sender >> 28 < 14 &&
           sender >> 24 != 127;
}

/* Would we send to that address directly on that card? */
static bool is_neighbour(struct node *card, const struct netaddr *addr)
{
    struct node *ip = arp_network(card);
    const struct network_ops *ops = ip ? ip->module->ops : NULL;
    struct route r;
    return ops && ops->route(ip, addr, &r) == OK && card_of(r.link) == card &&
           netaddr_equal(&r.nexthop, addr);
}

static bool is_our_card(const struct kernel *k, const uint8_t *mac)
{
    for (int i = 0; i < k->ndevs; i++)
        if (memcmp(k->devs[i]->mac, mac, ETH_ADDR) == 0)
            return true;
    return false;
}

static void receive(struct path *p, int at, struct msg *m)
{
    struct node *n = p->shape->at[at].node;
    struct node *card = n->k->devs[m->in_dev]->node;
    struct arp_node *a = n->state;
    if (!is_sane(m)) {
        msg_drop(n->k, m, DROP_ARP_MALFORMED);
        return;
    }
    const uint8_t *mac = m->data + ARP_SENDER_MAC;
    uint32_t sender4 = be32_get(m->data + ARP_SENDER_IP);
    struct netaddr sender = netaddr_ip4(sender4);
    struct netaddr target = netaddr_ip4(be32_get(m->data + ARP_TARGET_IP));
    bool asks = be16_get(m->data + ARP_OP) == ARP_REQUEST;
    bool for_us = asks && is_ours(card, &target);
    a->stat[asks ? ARP_REQUESTS_IN : ARP_REPLIES_IN]++;
    if (is_our_card(n->k, mac)) { /* our own question, come back over a loop in the link */
        msg_free(m);
        return;
    }
    if (is_ours(card, &sender)) {
        arp_complain(n, card, &sender, mac, "uses our address");
        msg_free(m);
        return;
    }
    if (sender4 && is_neighbour(card, &sender))
        cache_heard(n, card, &sender, mac, for_us);
    if (for_us)
        answer(n, card, m);
    else
        msg_free(m);
}

static void nothing_comes(struct path *p, int at, struct msg *m)
{
    (void)at;
    msg_drop(p->pool.k, m, DROP_ARP_UNRESOLVED);
}

static const struct stage_ops arp_stage = {.deliver = {receive, nothing_comes}};

static status_t arp_create_stage(struct node *n, struct node *from, struct attrs *a, struct path *p,
                                 struct hop *h)
{
    (void)a, (void)p;
    h->ops = &arp_stage;
    return node_climbs(n, from) ? OK : E_INVAL;
}

static struct node *arp_demux(struct node *n, struct demux *d)
{
    d->path = n->passive[d->m->in_dev];
    d->dir = AB;
    d->why = DROP_ETH_PROTO;
    return d->path ? DEMUX_FOUND : DEMUX_DROP;
}

/* Whoever has an old idea of who we are hears it (RFC 5227 2.3). */
static status_t arp_start(struct node *n)
{
    for (int i = 0; i < n->ndown; i++) {
        struct node *card = card_of(n->down[i]), *ip = arp_network(card);
        const struct network_ops *ops = ip ? ip->module->ops : NULL;
        struct netaddr ours;
        for (int j = 0; ops && ops->address(ip, card, j, &ours); j++)
            request(n, card, netaddr_to_ip4(&ours), netaddr_to_ip4(&ours), NULL);
    }
    return OK;
}

static void arp_show(const struct node *n, struct show *out)
{
    const struct arp_node *a = n->state;
    show_printf(out, "  entries %u/%u waiting %u\n", a->used, a->size, a->queued);
    show_printf(out, "  in requests %llu replies %llu out requests %llu replies %llu\n",
                (unsigned long long)a->stat[ARP_REQUESTS_IN],
                (unsigned long long)a->stat[ARP_REPLIES_IN],
                (unsigned long long)a->stat[ARP_REQUESTS_OUT],
                (unsigned long long)a->stat[ARP_REPLIES_OUT]);
}

static bool arp_show_item(const struct node *n, struct show *out, uint32_t i)
{
    const struct arp_node *a = n->state;
    char text[NETADDR_TEXT];
    if (i >= a->size)
        return false;
    const struct entry *e = &a->table[i];
    const uint8_t *mac = e->g.header;
    if (e->state == ENTRY_FREE)
        return true;
    show_printf(out, "  %s %s %s refs %u", netaddr_text(&e->g.addr, text), e->g.link->name,
                entry_state_name(e->state), e->g.refs);
    if (e->g.valid)
        show_printf(out, " %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                    mac[5]);
    show_printf(out, "\n");
    return true;
}

static const struct resolve_ops arp_ops = {
    .get = cache_get,
    .put = cache_put,
    .wait = cache_wait,
};

const struct module arp_module = {
    .name = "arp",
    .node_size = sizeof(struct arp_node),
    .ops = &arp_ops,
    .init = cache_init,
    .start = arp_start,
    .create_stage = arp_create_stage,
    .demux = arp_demux,
    .show = arp_show,
    .show_item = arp_show_item,
    .stop = cache_stop,
};
