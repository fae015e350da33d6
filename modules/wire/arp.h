/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_ARP_H
#define MODULES_WIRE_ARP_H
/* ARP for IPv4 on Ethernet (RFC 826): offsets of its fields. */
#include "modules/wire/be.h"

enum {
    ARP_HTYPE = 0,
    ARP_PTYPE = 2,
    ARP_HLEN = 4,
    ARP_PLEN = 5,
    ARP_OP = 6,
    ARP_SENDER_MAC = 8,
    ARP_SENDER_IP = 14,
    ARP_TARGET_MAC = 18,
    ARP_TARGET_IP = 24,
    ARP_PACKET = 28,
};

enum { ARP_ETHERNET = 1, ARP_REQUEST = 1, ARP_REPLY = 2 };

#endif
