/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cards that are a file descriptor: frames in and out, one system call each. Linux's own losses
 * (its queue full) are ours to count: EAGAIN is a full ring, an interface that is down a link.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drivers/hosted/card.h"
#include "kernel/kernel.h"

enum { PARTS_MAX = 32 };

struct card *filecard_make(const struct netdev_ops *ops, const char *where,
                           const struct card_options *o, int fd)
{
    struct card *c = malloc(sizeof *c);
    if (c) {
        card_init(c, ops, where, o);
        c->fd = fd;
    }
    return c;
}

/* Frames of other programs of this machine come with their transport checksum unfinished; the
 * packet socket says where it is to be put (RFC 1071 over the bytes from csum_start). */
static bool checksum_finish(struct msg *m, const struct virtio_net_hdr *h)
{
    if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return h->gso_type == VIRTIO_NET_HDR_GSO_NONE;
    uint32_t start = h->csum_start, at = start + h->csum_offset, sum = 0;
    if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE || start > m->len || at + 2 > m->len)
        return false;
    for (uint32_t i = start; i < m->len; i++)
        sum += (i - start) & 1 ? m->data[i] : (uint32_t)m->data[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    m->data[at] = (uint8_t)(sum >> 8);
    m->data[at + 1] = (uint8_t)sum;
    return true;
}

/* One frame into m: its length, 0 for one that is of no use, -1 when none waits. */
static ssize_t frame_read(struct card *c, struct msg *m)
{
    struct virtio_net_hdr h = {0};
    uint8_t rest[1];
    struct iovec part[3] = {{&h, c->head}, {msg_put(m, CARD_ROOM), CARD_ROOM}, {rest, sizeof rest}};
    ssize_t n = readv(c->fd, part, 3);
    if (n < 0)
        return -1;
    n -= (ssize_t)c->head;
    if (n <= 0 || n > CARD_ROOM)
        return 0;
    msg_trim(m, (size_t)n);
    return !c->head || checksum_finish(m, &h) ? n : 0;
}

int filecard_rx(struct netdev *d, struct msg **burst, int n)
{
    struct card *c = CONTAINER(d, struct card, dev);
    uint8_t lost[1];
    int got = 0;
    while (got < n) {
        struct msg *m = card_buffer(c);
        if (!m) { /* read it away: what stays in Linux's queue would be as old as the queue is long
                   */
            if (read(c->fd, lost, sizeof lost) < 0)
                break;
            d->stats.rx_nobuf++;
            d->k->drops[DROP_NO_BUFFER]++;
            continue;
        }
        ssize_t len = frame_read(c, m);
        if (len > 0) {
            burst[got++] = m;
            continue;
        }
        msg_free(m);
        if (len < 0)
            break;
        d->stats.rx_bad++;
        d->k->drops[DROP_NIC_BAD]++;
    }
    return got;
}

static ssize_t frame_write(struct card *c, const struct msg *m)
{
    static const struct virtio_net_hdr plain;
    struct iovec part[PARTS_MAX] = {{(void *)(uintptr_t)&plain, c->head}};
    int n = 1;
    for (; m && n < PARTS_MAX; m = m->more)
        if (m->len)
            part[n++] = (struct iovec){m->data, m->len};
    if (m) {
        errno = EMSGSIZE;
        return -1;
    }
    return writev(c->fd, part, n);
}

int filecard_tx(struct netdev *d, struct msg **burst, int n)
{
    struct card *c = CONTAINER(d, struct card, dev);
    for (int i = 0; i < n; i++) {
        bool sent = frame_write(c, burst[i]) >= 0;
        if (!sent && (errno == EAGAIN || errno == ENOBUFS))
            return i;
        if (sent)
            msg_free(burst[i]);
        else
            msg_drop(d->k, burst[i],
                     errno == EIO || errno == ENETDOWN ? DROP_NIC_DOWN : DROP_NIC_BAD);
    }
    return n;
}
