/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SIM_APP_H
#define TESTS_SIM_APP_H
/*
 * The application of a simulated host that runs our own TCP: a module that stands on tcp like a
 * proxy does, and moves the bytes of struct end. Connections that cannot be made end with
 * end_reset.
 */
#include "kernel/kernel.h"
#include "tests/sim/end.h"

extern const struct module app_module;

/* Who is at the other end of a connection that was accepted; NULL: refused. */
typedef struct end *app_accept_fn(void *arg, uint16_t peer_port);

void app_listen(struct kernel *k, app_accept_fn *accept, void *arg);
void app_work(struct kernel *k); /* the plan of an end has changed */
uint16_t app_connect(struct kernel *k, struct end *e, uint32_t to, uint16_t port); /* our port */
/* A host with one card, made of the modules of the graph `like`: eth, arp, ip, icmp, tcp, app. */
const struct graph *app_graph(const struct graph *like);

#endif
