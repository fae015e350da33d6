/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_ETH_H
#define MODULES_WIRE_ETH_H
/* The Ethernet II header: offsets of its fields. */
#include "modules/wire/be.h"

enum { ETH_DST = 0, ETH_SRC = 6, ETH_TYPE = 12, ETH_HEADER = 14, ETH_ADDR = 6 };

enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_ARP = 0x0806 };

enum { ETH_GROUP = 1 }; /* bit of the first byte of an address: broadcast or multicast */

#endif
