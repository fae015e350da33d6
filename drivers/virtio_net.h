/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_VIRTIO_NET_H
#define DRIVERS_VIRTIO_NET_H
/*
 * virtio-net by the modern PCI interface ("Virtual I/O Device (VIRTIO) Version 1.1"): what
 * virtio_net.c (frames) and virtio_net_hw.c (finding, negotiating, interrupts) share. Split rings,
 * no offloads.
 */
#include "drivers/mmio.h"
#include "drivers/ring.h"
#include "kernel/netdev.h"

enum {
    VIRTIO_RING = 256,    /* entries at most */
    VIRTIO_BACKLOG = 512, /* frames that wait for room in the transmit ring */
    VIRTIO_HEADER = 12,   /* in front of each frame (5.1.6) */
    VIRTIO_RX = 0,        /* queue numbers */
    VIRTIO_TX = 1,
    VIRTIO_DESC_NEXT = 1,
    VIRTIO_DESC_WRITE = 2,
    VIRTIO_NO_NOTIFY = 1, /* flags of either ring: do not tell the other side */
};

/* 2.6.5, 2.6.6, 2.6.8. `avail` is ours, `used` the card's. */
struct virtio_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

struct virtio_avail {
    volatile uint16_t flags, idx;
    uint16_t ring[VIRTIO_RING];
};

struct virtio_used {
    volatile uint16_t flags, idx;
    struct {
        volatile uint32_t id, len;
    } ring[VIRTIO_RING];
};

struct virtio_memory {
    struct virtio_desc desc[VIRTIO_RING];
    struct virtio_avail avail;
    struct virtio_used used;
};

struct virtio_queue {
    struct virtio_memory *mem;
    uint32_t size;
    uint16_t avail;             /* entries given to the card, ever; mod 2^16, as `used` */
    uint16_t told;              /* the value of `avail` when the card was notified */
    uint16_t used;              /* entries taken back */
    uint32_t bell;              /* offset of the doorbell in virtio_net.bells */
    struct msg *m[VIRTIO_RING]; /* by descriptor, the first of its frame */
};

struct virtio_net {
    struct netdev dev;
    struct stash *stash;
    mmio_t common, isr, config, bells;
    uint32_t bell_step; /* bytes per unit of queue_notify_off */
    uint32_t bells_len; /* bytes of doorbells */
    uint64_t zeros;     /* header without offloads, and padding, as the card sees them */
    bool watched;       /* it reports its link */
    bool link_said;     /* dev.link as it was logged last; the interrupt logs nothing */
    uint16_t nfree;
    uint16_t free[VIRTIO_RING]; /* transmit descriptors */
    uint16_t next[VIRTIO_RING]; /* behind each in its frame, VIRTIO_RING: none. The card cannot
                                   write here */
    struct virtio_queue rx, tx;
    struct msgq backlog;
};

static inline struct virtio_net *virtio_net_of(struct netdev *d)
{
    return CONTAINER(d, struct virtio_net, dev);
}

/* virtio_net_hw.c */
void virtio_net_quiet(struct virtio_net *c);         /* reset: no buffer is the card's */
status_t virtio_net_configure(struct virtio_net *c); /* up to the rings; E_NODEV: it refuses */
void virtio_net_go(struct virtio_net *c);
void virtio_net_irq(struct netdev *d, bool on);

/* virtio_net.c */
extern const struct netdev_ops virtio_net_ops;

#endif
