/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet:IFACE, an Ethernet interface of this machine by a packet socket. Linux should have no
 * address on it, or it answers too. Our address is the interface's own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/hosted/card.h"

const struct netdev_ops packet_ops = {
    .model = "packet",
    .start = card_start,
    .stop = card_stop,
    .rx = filecard_rx,
    .tx = filecard_tx,
    .irq = card_irq,
    .pending = card_pending,
};

/* All that can go wrong with the socket; errno says what. */
static bool attach(int fd, const char *name, struct card_options *o)
{
    struct ifreq r = {.ifr_ifindex = 0};
    const int on = 1;
    memcpy(r.ifr_name, name, strlen(name) + 1);
    if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
        return false;
    memcpy(o->mac, r.ifr_hwaddr.sa_data, sizeof o->mac);
    if (ioctl(fd, SIOCGIFMTU, &r) < 0)
        return false;
    if (r.ifr_mtu < o->mtu)
        o->mtu = (uint16_t)r.ifr_mtu;
    if (ioctl(fd, SIOCGIFINDEX, &r) < 0)
        return false;
    struct packet_mreq all = {.mr_ifindex = r.ifr_ifindex, .mr_type = PACKET_MR_PROMISC};
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = r.ifr_ifindex};
    return setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) == 0 &&
           setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) == 0 &&
           setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) == 0 &&
           bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

status_t packet_add(struct kernel *k, const char *what, const struct card_options *o)
{
    struct card_options ours = *o;
    char where[IFNAMSIZ + 8];
    if (strlen(what) >= IFNAMSIZ) {
        fprintf(stderr, "packet:%s: a name of at most %d characters\n", what, IFNAMSIZ - 1);
        return E_INVAL;
    }
    snprintf(where, sizeof where, "packet:%s", what);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !attach(fd, what, &ours)) {
        fprintf(stderr, "%s: %s%s\n", where, strerror(errno),
                errno == EPERM ? " (root, or CAP_NET_RAW, is wanted)" : "");
        if (fd >= 0)
            close(fd);
        return E_NODEV;
    }
    struct card *c = filecard_make(&packet_ops, where, &ours, fd);
    if (c)
        c->head = sizeof(struct virtio_net_hdr);
    status_t status = c ? netdev_add(k, &c->dev) : E_NOMEM;
    if (status != OK) {
        free(c);
        close(fd);
    }
    return status;
}
