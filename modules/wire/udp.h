/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_WIRE_UDP_H
#define MODULES_WIRE_UDP_H
/* The UDP header (RFC 768): offsets of its fields. */
#include "modules/wire/be.h"

enum { UDP_SPORT = 0, UDP_DPORT = 2, UDP_LEN = 4, UDP_CKSUM = 6, UDP_HEADER = 8 };

#endif
