/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_HOSTED_CARD_H
#define DRIVERS_HOSTED_CARD_H
/*
 * What the cards of the Linux program have in common; private to this folder. A card that is a file
 * descriptor (tap, packet socket) is all here: one frame per read and per write.
 */
#include "drivers/hosted/hosted.h"

struct card {
    struct netdev dev;
    int fd;        /* -1: not a file */
    uint32_t head; /* bytes Linux puts before each frame (struct virtio_net_hdr) */
    uint64_t (*next)(const struct card *c); /* see hosted_next; NULL: unknown */
    void (*close)(struct card *c);          /* frees what is beside the struct; may be NULL */
};

struct card_options {
    uint8_t mac[6];
    uint16_t mtu;
};

enum { CARD_MTU = 1500, CARD_ROOM = MSG_FULL_ROOM - MSG_HEADROOM, CARD_HEADER = 14 };

/* Fill in the common fields; `where` is the card's word. The owner then sets fd, next, close. */
void card_init(struct card *c, const struct netdev_ops *ops, const char *where,
               const struct card_options *o);
status_t card_start(struct netdev *d);
void card_stop(struct netdev *d);
void card_irq(struct netdev *d, bool on); /* nothing; also tells these cards from others */
bool card_pending(struct netdev *d);
struct msg *card_buffer(struct card *c); /* an empty message for one frame; NULL: none */

/* Each makes the card, or says why not. what: the word behind the colon. */
MUST_CHECK status_t tap_add(struct kernel *k, const char *what, const struct card_options *o);
MUST_CHECK status_t tapfd_add(struct kernel *k, const char *what, const struct card_options *o);
MUST_CHECK status_t packet_add(struct kernel *k, const char *what, const struct card_options *o);
MUST_CHECK status_t pcap_add(struct kernel *k, const char *what, const struct card_options *o);
MUST_CHECK status_t sim_add(struct kernel *k, const char *what, const struct card_options *o);

extern const struct netdev_ops tap_ops, packet_ops, pcap_ops, sim_ops;
struct card *filecard_make(const struct netdev_ops *ops, const char *where,
                           const struct card_options *o, int fd);
int filecard_rx(struct netdev *d, struct msg **burst, int n);
int filecard_tx(struct netdev *d, struct msg **burst, int n);

#endif
