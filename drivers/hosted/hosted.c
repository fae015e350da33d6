/* SPDX-License-Identifier: BSD-2-Clause */
/* From a word of the command line to a card, and what all these cards do alike. */
#include "drivers/hosted/hosted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/hosted/card.h"
#include "kernel/kernel.h"

static const struct {
    const char *name;
    status_t (*add)(struct kernel *k, const char *what, const struct card_options *o);
} kinds[] = {
    {"tap", tap_add},   {"tap-fd", tapfd_add}, {"packet", packet_add},
    {"pcap", pcap_add}, {"sim", sim_add},
};

static bool option(char *word, struct card_options *o)
{
    char rest;
    uint8_t *m = o->mac;
    unsigned mtu;
    if (sscanf(word, "mac=%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &m[0], &m[1], &m[2], &m[3], &m[4],
               &m[5], &rest) == 6)
        return !(m[0] & 1);
    if (sscanf(word, "mtu=%u%c", &mtu, &rest) != 1 || mtu < 68 || mtu > CARD_ROOM - CARD_HEADER)
        return false;
    o->mtu = (uint16_t)mtu;
    return true;
}

status_t hosted_add(struct kernel *k, const char *spec)
{
    char text[256];
    struct card_options o = {{0x52, 0x54, 0, 0, (uint8_t)(k->ndevs + 1), 1}, CARD_MTU};
    if ((size_t)snprintf(text, sizeof text, "%s", spec) >= sizeof text)
        return E_INVAL;
    char *what = strchr(text, ':'), *comma = what ? strchr(what, ',') : NULL;
    for (char *word = comma, *next; word; word = next) {
        *word++ = 0;
        next = strchr(word, ',');
        if (next)
            *next = 0;
        if (!option(word, &o)) {
            fprintf(stderr, "%s: '%s': expected mac=52:54:00:00:01:01 or mtu=68 to %d\n", spec,
                    word, CARD_ROOM - CARD_HEADER);
            return E_INVAL;
        }
        if (next)
            *next = ',';
    }
    if (what)
        *what++ = 0;
    for (size_t i = 0; what && *what && i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, text) == 0)
            return kinds[i].add(k, what, &o);
    fprintf(stderr,
            "--dev %s: expected tap:NAME, tap-fd:N, packet:IFACE, pcap:IN:OUT or sim:NAME\n", spec);
    return E_INVAL;
}

void card_init(struct card *c, const struct netdev_ops *ops, const char *where,
               const struct card_options *o)
{
    *c = (struct card){.fd = -1};
    c->dev.ops = ops;
    c->dev.mtu = o->mtu;
    c->dev.link = true;
    memcpy(c->dev.mac, o->mac, sizeof c->dev.mac);
    snprintf(c->dev.where, sizeof c->dev.where, "%s", where);
}

status_t card_start(struct netdev *d)
{
    (void)d;
    return OK;
}

void card_stop(struct netdev *d)
{
    (void)d; /* messages are here only during rx and tx */
}

void card_irq(struct netdev *d, bool on)
{
    (void)d;
    (void)on;
}

bool card_pending(struct netdev *d)
{
    (void)d;
    return false; /* the wait itself looks at the files and at hosted_next */
}

struct msg *card_buffer(struct card *c)
{
    return msg_alloc_class(&c->dev.k->pool, MSG_FULL);
}

static struct card *card_of(const struct netdev *d)
{
    return d->ops->irq == card_irq ? CONTAINER((uintptr_t)d, struct card, dev) : NULL;
}

int hosted_fd(const struct netdev *d)
{
    const struct card *c = card_of(d);
    return c ? c->fd : -1;
}

uint64_t hosted_next(const struct netdev *d)
{
    const struct card *c = card_of(d);
    return c && c->next ? c->next(c) : UINT64_MAX;
}

void hosted_end(struct kernel *k)
{
    for (int i = 0; i < k->ndevs; i++) {
        struct card *c = card_of(k->devs[i]);
        if (!c)
            continue;
        if (c->close)
            c->close(c);
        if (c->fd >= 0)
            close(c->fd);
        free(c);
    }
    k->ndevs = 0;
}
