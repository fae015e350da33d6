/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap:IN:OUT. Frames of IN arrive as far apart as they were captured, the first at once; what is
 * sent is written to OUT with the kernel's time. Either name may be empty.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/hosted/card.h"
#include "drivers/hosted/pcapfile.h"
#include "kernel/kernel.h"

struct pcapcard {
    struct card card;
    struct pcapfile in, out;
    char *names;     /* what in.name and out.name point into */
    uint64_t offset; /* from the capture's clock to the kernel's */
    uint64_t due;    /* ns: when `frame` arrives; UINT64_MAX: no more */
    uint8_t frame[CARD_ROOM];
    size_t len; /* as captured, maybe longer than frame */
};

static struct pcapcard *of(const struct netdev *d)
{
    return CONTAINER((uintptr_t)d, struct pcapcard, card.dev);
}

static bool frame_load(struct pcapcard *p)
{
    uint64_t ns;
    p->due = UINT64_MAX;
    if (!pcapfile_next(&p->in, &ns, p->frame, sizeof p->frame, &p->len))
        return false;
    p->due = ns - p->offset;
    return true;
}

static status_t start(struct netdev *d)
{
    struct pcapcard *p = of(d);
    p->offset = 0;
    if (p->in.f && frame_load(p)) {
        p->offset = p->due - d->k->now;
        p->due = d->k->now;
    }
    return OK;
}

static int rx(struct netdev *d, struct msg **burst, int n)
{
    struct pcapcard *p = of(d);
    int got = 0;
    for (; got < n && p->due <= d->k->now; frame_load(p)) {
        struct msg *m = p->len <= CARD_ROOM ? card_buffer(&p->card) : NULL;
        if (!m) {
            d->k->drops[p->len <= CARD_ROOM ? DROP_NO_BUFFER : DROP_NIC_BAD]++;
            continue;
        }
        memcpy(msg_put(m, p->len), p->frame, p->len);
        burst[got++] = m;
    }
    return got;
}

static int tx(struct netdev *d, struct msg **burst, int n)
{
    struct pcapcard *p = of(d);
    uint8_t frame[65536];
    for (int i = 0; i < n; i++) {
        struct msg *m = burst[i];
        if (m->total <= sizeof frame && msg_peek(m, 0, frame, m->total)) {
            pcapfile_add(&p->out, d->k->now, frame, m->total);
            msg_free(m);
        } else {
            msg_drop(d->k, m, DROP_NIC_BAD);
        }
    }
    return n;
}

static uint64_t next(const struct card *c)
{
    return of(&c->dev)->due;
}

static void end(struct card *c)
{
    struct pcapcard *p = of(&c->dev);
    pcapfile_close(&p->in);
    pcapfile_close(&p->out);
    free(p->names);
}

const struct netdev_ops pcap_ops = {
    .model = "pcap",
    .start = start,
    .stop = card_stop,
    .rx = rx,
    .tx = tx,
    .irq = card_irq,
    .pending = card_pending,
};

status_t pcap_add(struct kernel *k, const char *what, const struct card_options *o)
{
    struct pcapcard *p = calloc(1, sizeof *p);
    size_t n = strlen(what) + 1;
    char *names = malloc(n);
    if (!p || !names) {
        free(p);
        free(names);
        return E_NOMEM;
    }
    memcpy(names, what, n);
    char *out = strchr(names, ':');
    if (out)
        *out++ = 0;
    card_init(&p->card, &pcap_ops, "pcap", o);
    p->card.next = next;
    p->card.close = end;
    p->names = names;
    p->due = UINT64_MAX;
    status_t status = *names ? pcapfile_read(&p->in, names) : OK;
    if (status == OK && out && *out)
        status = pcapfile_write(&p->out, out);
    if (status == OK)
        status = netdev_add(k, &p->card.dev);
    if (status != OK) {
        end(&p->card);
        free(p);
    }
    return status;
}
