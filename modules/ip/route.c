/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our addresses and the routes: read from the settings once, at init, sorted by prefix length, so
 * the first that matches is the longest. What is wrong in a setting is said in one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/show.h"
#include "modules/ip/ip.h"
#include "modules/wire/eth.h"

enum { WORD = 64 };

/* The next `name=value` of a list. False: the end. On an item without '=' value is empty. */
static bool item_next(const char **list, char name[WORD], char value[WORD])
{
    const char *s = *list;
    while (*s == ',')
        s++;
    if (!*s)
        return false;
    size_t n = strcspn(s, ","), left = strcspn(s, "=,");
    size_t right = left < n ? n - left - 1 : 0;
    snprintf(name, WORD, "%.*s", (int)(left < WORD ? left : WORD - 1), s);
    snprintf(value, WORD, "%.*s", (int)(right < WORD ? right : WORD - 1), s + left + (left < n));
    *list = s + n;
    return true;
}

static status_t wrong(struct node *n, const char *setting, const char *name, const char *value,
                      const char *expected)
{
    log_error(n->k, "%s.%s: '%s=%s': expected %s", n->name, setting, name, value, expected);
    return E_INVAL;
}

static struct node *link_named(const struct node *n, const char *name)
{
    for (int i = 0; i < n->ndown; i++)
        if (strcmp(n->down[i]->name, name) == 0)
            return n->down[i];
    return NULL;
}

static uint32_t mask_of(uint8_t bits)
{
    return bits ? ~0U << (32 - bits) : 0;
}

static status_t route_add(struct node *n, struct ip_route r)
{
    struct ip_node *ip = n->state;
    if (ip->nroutes == IP_IFACES + IP_ROUTES) {
        log_error(n->k, "%s: more than %d routes", n->name, IP_ROUTES);
        return E_NOMEM;
    }
    int i = ip->nroutes++;
    for (; i > 0 && ip->routes[i - 1].mask < r.mask; i--)
        ip->routes[i] = ip->routes[i - 1];
    ip->routes[i] = r;
    return OK;
}

static status_t address_add(struct node *n, const char *name, const char *value)
{
    struct ip_node *ip = n->state;
    struct node *link = link_named(n, name);
    struct prefix p;
    if (!link || prefix_parse(value, &p) != OK || p.len == 0 ||
        !ip_is_host(netaddr_to_ip4(&p.addr)))
        return wrong(n, "addr", name, value, "LINK=ADDRESS/BITS, a link that this node uses");
    if (ip->nifaces == IP_IFACES) {
        log_error(n->k, "%s.addr: more than %d addresses", n->name, IP_IFACES);
        return E_NOMEM;
    }
    const struct link_ops *ops = link->module->ops;
    struct netdev *d = ops->dev(link);
    struct iface *i = &ip->iface[ip->nifaces];
    *i = (struct iface){.link = link,
                        .card = d->node,
                        .arp = node_above(d->node, ETHERTYPE_ARP),
                        .addr = netaddr_to_ip4(&p.addr),
                        .mask = mask_of(p.len),
                        .mtu = d->mtu};
    uint32_t never[] = {i->addr, i->addr & i->mask, i->addr | ~i->mask};
    for (size_t j = 0; j < ARRAY_LEN(never); j++)
        ip->suspects |= (uint64_t)1 << (never[j] & 63);
    return route_add(n, (struct ip_route){i->addr & i->mask, i->mask, 0, (uint8_t)ip->nifaces++});
}

static status_t gateway_add(struct node *n, const char *name, const char *value)
{
    struct ip_node *ip = n->state;
    struct prefix p = {.addr = {.family = ADDR_IP4}};
    struct netaddr via;
    if ((strcmp(name, "default") != 0 && prefix_parse(name, &p) != OK) ||
        netaddr_parse(value, &via) != OK)
        return wrong(n, "route", name, value, "default=GATEWAY or NETWORK/BITS=GATEWAY");
    const struct ip_route *way = route_find(ip, netaddr_to_ip4(&via));
    if (!way || way->via || ip_is_ours(ip, netaddr_to_ip4(&via)))
        return wrong(n, "route", name, value, "a gateway on one of our networks");
    uint32_t mask = mask_of(p.len);
    return route_add(n, (struct ip_route){netaddr_to_ip4(&p.addr) & mask, mask,
                                          netaddr_to_ip4(&via), way->iface});
}

static status_t mtu_set(struct node *n, const char *name, const char *value)
{
    struct ip_node *ip = n->state;
    char *end;
    unsigned long mtu = strtoul(value, &end, 10);
    int found = 0;
    for (int i = 0; i < ip->nifaces; i++) {
        struct iface *f = &ip->iface[i];
        if (strcmp(f->link->name, name) != 0 || mtu < IP4_MTU_MIN || mtu > f->mtu || *end)
            continue;
        f->mtu = (uint16_t)mtu;
        found++;
    }
    return found ? OK : wrong(n, "mtu", name, value, "LINK=BYTES, 68 to what the card carries");
}

static status_t list_read(struct node *n, const char *setting,
                          status_t (*each)(struct node *n, const char *name, const char *value))
{
    const char *list = conf_text(&n->conf, setting);
    char name[WORD], value[WORD];
    status_t status = OK;
    while (status == OK && item_next(&list, name, value))
        status = each(n, name, value);
    return status;
}

status_t routes_init(struct node *n)
{
    status_t status = list_read(n, "addr", address_add);
    if (status == OK)
        status = list_read(n, "route", gateway_add);
    if (status == OK)
        status = list_read(n, "mtu", mtu_set);
    return status;
}

const struct ip_route *route_find(const struct ip_node *ip, uint32_t to)
{
    for (int i = 0; i < ip->nroutes; i++)
        if ((to & ip->routes[i].mask) == ip->routes[i].net)
            return &ip->routes[i];
    return NULL;
}

bool ip_is_ours(const struct ip_node *ip, uint32_t addr)
{
    for (int i = 0; i < ip->nifaces; i++)
        if (ip->iface[i].addr == addr)
            return true;
    return false;
}

bool ip_is_broadcast(const struct ip_node *ip, uint32_t addr)
{
    if (addr == ~0U)
        return true;
    for (int i = 0; i < ip->nifaces; i++) {
        const struct iface *f = &ip->iface[i];
        if ((addr & f->mask) != (f->addr & f->mask) || f->mask >= 0xfffffffe)
            continue; /* networks of one or two hosts have no broadcast (RFC 3021) */
        if ((addr | f->mask) == ~0U || (addr & ~f->mask) == 0)
            return true;
    }
    return false;
}

const struct iface *iface_of_card(const struct ip_node *ip, const struct node *card)
{
    for (int i = 0; i < ip->nifaces; i++)
        if (ip->iface[i].card == card)
            return &ip->iface[i];
    return NULL;
}
