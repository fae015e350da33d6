/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap:NAME and tap-fd:N. We are the card at the other end of the wire: our address is not the tap
 * interface's. A descriptor that was handed over may be of another network namespace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "drivers/hosted/card.h"

const struct netdev_ops tap_ops = {
    .model = "tap",
    .start = card_start,
    .stop = card_stop,
    .rx = filecard_rx,
    .tx = filecard_tx,
    .irq = card_irq,
    .pending = card_pending,
};

static status_t file_add(struct kernel *k, const char *where, const struct card_options *o, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        fprintf(stderr, "%s: %s\n", where, strerror(errno));
        return E_NODEV;
    }
    struct card *c = filecard_make(&tap_ops, where, o, fd);
    status_t status = c ? netdev_add(k, &c->dev) : E_NOMEM;
    if (status != OK) {
        free(c);
        close(fd);
    }
    return status;
}

status_t tap_add(struct kernel *k, const char *what, const struct card_options *o)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    char where[IFNAMSIZ + 8];
    if (strlen(what) >= IFNAMSIZ) {
        fprintf(stderr, "tap:%s: a name of at most %d characters\n", what, IFNAMSIZ - 1);
        return E_INVAL;
    }
    snprintf(where, sizeof where, "tap:%s", what);
    memcpy(request.ifr_name, what, strlen(what) + 1);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "%s: /dev/net/tun: %s\n", where, strerror(errno));
        return E_NODEV;
    }
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        fprintf(stderr, "%s: %s%s\n", where, strerror(errno),
                errno == EPERM
                    ? " (be root, or let root make it: ip tuntap add NAME mode tap user YOU)"
                : errno == EBUSY ? " (another program has it)"
                                 : "");
        close(fd);
        return E_NODEV;
    }
    return file_add(k, where, o, fd);
}

status_t tapfd_add(struct kernel *k, const char *what, const struct card_options *o)
{
    struct ifreq have = {.ifr_flags = 0};
    char *end, where[32];
    long fd = strtol(what, &end, 10);
    snprintf(where, sizeof where, "tap-fd:%.16s", what);
    if (end == what || *end || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_GETFD) < 0) {
        fprintf(stderr, "%s: not the number of an open file\n", where);
        return E_NODEV;
    }
    if (ioctl((int)fd, TUNGETIFF, &have) < 0 || !(have.ifr_flags & IFF_TAP) ||
        !(have.ifr_flags & IFF_NO_PI) || have.ifr_flags & IFF_VNET_HDR) {
        fprintf(stderr, "%s: not a tap opened with IFF_NO_PI and without IFF_VNET_HDR\n", where);
        return E_NODEV;
    }
    return file_add(k, where, o, (int)fd);
}
