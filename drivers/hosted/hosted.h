/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_HOSTED_HOSTED_H
#define DRIVERS_HOSTED_HOSTED_H
/*
 * The cards of the Linux program. A card is described by a word of the command line:
 *     tap:NAME           a tap device, made if it is not there
 *     tap-fd:N           a tap that is open already, as file N
 *     packet:IFACE       an Ethernet interface, by a packet socket
 *     pcap:IN:OUT        frames of the capture IN, at their times; what is sent goes to OUT
 *     sim:NAME           an end of the simulated wire NAME; two cards have the same name
 * and after it `,mac=52:54:00:00:01:01` and `,mtu=1500` where the default will not do.
 * What cannot be opened is said in one line on standard error.
 */
#include "kernel/netdev.h"

/* E_INVAL: not such a word; E_NODEV: said why; E_NOMEM. The card is given to netdev_add. */
MUST_CHECK status_t hosted_add(struct kernel *k, const char *spec);
int hosted_fd(const struct netdev *d);        /* file to wait on; -1: none */
uint64_t hosted_next(const struct netdev *d); /* ns at which it has a frame; UINT64_MAX: unknown */
void hosted_end(struct kernel *k);            /* after kernel_end: close files, free cards */

#endif
