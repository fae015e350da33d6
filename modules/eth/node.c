/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eth: the node on top of a card. Classification of every frame begins in eth_demux. Other modules
 * see struct link_ops. init fails when the card is missing or taken; nothing fails later.
 */
#include <stdio.h>

#include "kernel/show.h"
#include "modules/eth/eth.h"

static void cards_text(const struct kernel *k, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "found %s", k->ndevs ? "" : "none");
    for (int i = 0; i < k->ndevs && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s (%s)", i ? ", " : "", k->devs[i]->name,
                              k->devs[i]->ops->model);
}

static status_t eth_init(struct node *n)
{
    struct eth *e = n->state;
    struct kernel *k = n->k;
    int unit = (int)conf_number(&n->conf, "unit");
    if (unit >= k->ndevs) {
        char cards[80];
        cards_text(k, cards, sizeof cards);
        log_error(k, "%s: card %d is missing; %s", n->name, unit, cards);
        return E_NODEV;
    }
    struct netdev *d = k->devs[unit];
    if (d->node) {
        log_error(k, "%s: card %d is %s's already", n->name, unit, d->node->name);
        return E_EXIST;
    }
    d->node = n;
    e->dev = d;
    e->all = conf_bool(&n->conf, "promisc");
    d->promisc = e->all;
    memcpy(&e->mac, d->mac, ETH_ADDR);
    memset(&e->mac_bits, 0xff, ETH_ADDR);
    e->payload = d->mtu;
    e->longest = ETH_HEADER + e->payload;
    return OK;
}

static status_t eth_start(struct node *n)
{
    struct eth *e = n->state;
    e->ip4 = node_bound(n, ETHERTYPE_IP4);
    return OK;
}

static struct node *refuse(struct demux *d, enum drop why)
{
    d->why = why;
    return DEMUX_DROP;
}

static bool is_ours(const struct eth *e, const uint8_t *frame)
{
    uint64_t word;
    memcpy(&word, frame + ETH_DST, sizeof word);
    return !((word ^ e->mac) & e->mac_bits);
}

/* Not inlined, so that it does not cost the common case registers. */
__attribute__((noinline)) static struct node *odd_frame(struct node *n, struct demux *d)
{
    const struct eth *e = n->state;
    struct msg *m = d->m;
    if (m->len < ETH_HEADER)
        return refuse(d, DROP_ETH_SHORT);
    if (m->len > e->longest)
        return refuse(d, DROP_ETH_LONG);
    if (m->data[ETH_DST] & ETH_GROUP)
        m->flags |= MSG_BROADCAST;
    else if (!is_ours(e, m->data) && !e->all)
        return refuse(d, DROP_ETH_NOTUS);
    d->off = ETH_HEADER;
    struct node *up = node_bound(n, be16_get(m->data + ETH_TYPE));
    return up ? up : refuse(d, DROP_ETH_PROTO);
}

/* spec R-BAD-1. A frame from a card is in one part; what is too short wraps. IP is asked from here:
 * nearly all frames are its. */
static struct node *eth_demux(struct node *n, struct demux *d)
{
    const struct eth *e = n->state;
    const struct msg *m = d->m;
    const uint8_t *h = m->data;
    if (UNLIKELY(m->len - ETH_HEADER > e->payload || !is_ours(e, h) ||
                 be16_get(h + ETH_TYPE) != ETHERTYPE_IP4 || !e->ip4))
        return odd_frame(n, d);
    d->off = ETH_HEADER;
    return e->ip4->module->demux(e->ip4, d);
}

/* A slice, or headers of other layers took the room. */
void eth_transmit_copy(const struct eth *e, const uint8_t *header, struct msg *m)
{
    struct kernel *k = e->dev->k;
    struct msg *framed = msg_clone(&k->pool, m, 0, m->total);
    if (!framed) {
        msg_drop(k, m, DROP_NO_BUFFER);
        return;
    }
    msg_free(m);
    eth_transmit(e, header, framed);
}

static struct netdev *eth_dev(struct node *n)
{
    const struct eth *e = n->state;
    return e->dev;
}

static void eth_send(struct node *n, const uint8_t mac[6], uint16_t type, struct msg *m)
{
    const struct eth *e = n->state;
    uint8_t header[ETH_HEADER];
    memcpy(header + ETH_DST, mac, ETH_ADDR);
    memcpy(header + ETH_SRC, e->dev->mac, ETH_ADDR);
    be16_put(header + ETH_TYPE, type);
    eth_transmit(e, header, m);
}

static void eth_show(const struct node *n, struct show *out)
{
    const struct eth *e = n->state;
    const uint8_t *a = e->dev->mac;
    show_printf(out, "  card %s %s at %s\n", e->dev->name, e->dev->ops->model, e->dev->where);
    show_printf(out, "  mac %02x:%02x:%02x:%02x:%02x:%02x mtu %u link %s\n", a[0], a[1], a[2], a[3],
                a[4], a[5], e->dev->mtu, e->dev->link ? "up" : "down");
}

static const struct link_ops eth_ops = {.dev = eth_dev, .send = eth_send};

const struct module eth_module = {
    .name = "eth",
    .node_size = sizeof(struct eth),
    .ops = &eth_ops,
    .init = eth_init,
    .start = eth_start,
    .create_stage = eth_create_stage,
    .demux = eth_demux,
    .show = eth_show,
};
