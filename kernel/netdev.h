/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_NETDEV_H
#define KERNEL_NETDEV_H
/*
 * The seam to a driver. A driver embeds struct netdev, fills in the fields marked (driver), and
 * calls netdev_add from its probe. It never blocks; a transmit ring that is full takes fewer
 * messages than offered, and the kernel drops the rest, counted nic.ring. Buffers on a ring are
 * charged to the kernel. Damaged frames are counted nic.bad and the ring goes on; a card that says
 * what cannot be, or sends nothing for seconds, is reset and started anew (kernel/netdev.c).
 */
#include "kernel/msg.h"
#include "kernel/timer.h"
#include "kernel/types.h"

enum { NETDEV_BURST = 128, NETDEV_MAX = 8 };

struct netdev_ops {
    const char *model;                   /* "e1000", "tulip", ... */
    status_t (*start)(struct netdev *d); /* rings full, link watched, promiscuous if d->promisc */
    void (*stop)(struct netdev *d);      /* all buffers come back */
    /* Up to n received frames, one part each, data at the Ethernet header, FCS off. Behind them the
     * buffer has eight bytes or more that are nobody's. */
    int (*rx)(struct netdev *d, struct msg **burst, int n);
    /* Takes the first of n messages it has room for and returns how many; one doorbell. The rest
     * stay the caller's. Messages come back to their pools when sent, at the latest when `tx` is
     * next called or `reclaim` is. */
    int (*tx)(struct netdev *d, struct msg **burst, int n);
    void (*reclaim)(struct netdev *d);      /* free what has been sent; may be NULL */
    void (*irq)(struct netdev *d, bool on); /* interrupts on before sleeping, off while polling */
    bool (*pending)(struct netdev *d); /* frames wait: looked at after irq(on), before sleeping */
    /* Frames lie on the transmit ring; netdev.taken counts what comes back. NULL: none can stay. */
    bool (*busy)(const struct netdev *d);
};

struct netdev {
    const struct netdev_ops *ops; /* (driver) */
    struct kernel *k;
    struct pool *kernel_pool; /* who pays for what is on a ring */
    struct node *node;        /* the eth node on top; NULL: card unused */
    struct path *all; /* inline; takes every frame, unclassified: a bridge's; NULL: none does */
    enum dir all_dir;
    /* Classifies and delivers a burst: a module's fast way; NULL: frame_input each. */
    void (*lane)(struct netdev *d, struct msg **burst, int n);
    struct node *lane_node;
    char name[16];  /* "net0": by order of discovery */
    char where[24]; /* (driver) "pci 00:03.0", "tap:name" */
    uint8_t mac[6]; /* (driver) */
    uint16_t index; /* in k->devs */
    uint16_t mtu;   /* (driver) bytes after the Ethernet header */
    bool link;      /* (driver) carrier; kept up to date by rx or an interrupt */
    bool promisc;   /* wanted by the eth node before start */
    bool started;
    bool broken;    /* (driver) its rings make no sense: it is started anew at the next chance */
    uint32_t taken; /* (driver) bursts that came back from the transmit ring, ever */
    struct {
        struct timer timer;
        uint32_t taken; /* at the last look */
        bool busy;
    } watch;
    bool mixed; /* not all of txq came by netdev_pass */
    uint16_t ntx;
    /* Gathered until the end of the burst: less than a burst that was sent, and what was passed. */
    struct msg *txq[2 * NETDEV_BURST];
    struct {
        uint64_t rx, rx_bytes, rx_bad, rx_nobuf, tx, tx_bytes, tx_full, irqs, bursts, doorbells,
            restarts;
    } stats;
};

/* A card was found. E_NOMEM: more than NETDEV_MAX. */
MUST_CHECK status_t netdev_add(struct kernel *k, struct netdev *d);
void netdev_flush(struct netdev *d); /* hand the gathered frames to the card */
MUST_CHECK status_t netdev_start(struct netdev *d);
void netdev_stop(struct netdev *d); /* all buffers come back */
void netdev_mend(struct netdev *d); /* it is broken: stopped now, started soon */

/* Hand on a frame of the burst that a card has just received, as it came: one part, all its own, of
 * a length that frames have, without flags. Consumes m. */
static inline void netdev_pass(struct netdev *d, struct msg *m)
{
    d->stats.tx_bytes += m->total;
    d->txq[d->ntx++] = m;
}

/* Send any frame that has its Ethernet header; consumes m. A frame on a ring must not be a dead
 * path's, so the kernel pays from here on. */
void netdev_charge(struct netdev *d, struct msg *m);
static inline void netdev_send(struct netdev *d, struct msg *m)
{
    if (UNLIKELY(m->payer != d->kernel_pool || m->more))
        netdev_charge(d, m);
    d->mixed = true;
    netdev_pass(d, m);
    if (UNLIKELY(d->ntx >= NETDEV_BURST))
        netdev_flush(d);
}

#endif
