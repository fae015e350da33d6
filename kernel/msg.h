/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_MSG_H
#define KERNEL_MSG_H
/*
 * A message: the bytes of one packet, in one part or several. The headers are in the first part.
 * A part with storage of its own is the struct and its bytes in one piece of memory; a slice points
 * into the storage of another. So a received buffer travels from one card's ring to the other's
 * without a copy, and a retransmission shares the payload but never a header.
 *
 * Failure: allocation returns NULL (limit of the payer or of the machine); push and pop return NULL
 * when there is no headroom or too few bytes, and change nothing. A message is lost only by
 * msg_drop, which counts; msg_free ends one that has done its work.
 *
 * Invariant: m->total == m->len + the len of every part in m->more.
 */
#include "kernel/drop.h"
#include "kernel/pool.h"
#include "kernel/types.h"

enum {
    MSG_HEADROOM = 128, /* bytes before the data of a fresh message: the longest stack of headers */
    MSG_SMALL_ROOM = 256, /* storage: acknowledgements, headers, small payloads, slices */
    MSG_FULL_ROOM = 2176, /* storage: MSG_HEADROOM + a 2048-byte receive buffer */
};

enum msg_class { MSG_SMALL, MSG_FULL, MSG_CLASSES };

enum {                       /* flags */
       MSG_CSUM_VALID = 1,   /* the card has verified the transport checksum */
       MSG_CSUM_PARTIAL = 2, /* the transport checksum is to be completed: csum_start, csum_off */
       MSG_BROADCAST = 4,    /* came to a link-level group address */
       MSG_HELD = 64,        /* the upper two bits count how often path_hold took it */
};

struct msg {
    struct msg *next;    /* in a queue; the queue's owner */
    struct msg *more;    /* next part of this packet */
    uint8_t *data;       /* first byte of this part */
    uint32_t len;        /* bytes of this part */
    uint16_t csum_start; /* offset from data of the first byte summed */
    uint16_t csum_off;   /* offset from csum_start of the checksum field */
    struct msg *store;   /* whose storage data points into; itself, or another for a slice */
    struct pool *payer;
    uint32_t refs; /* how many parts use this storage, itself included while it lives */
    uint8_t class; /* enum msg_class */
    uint8_t flags;
    uint16_t seg_size; /* bytes of payload per segment of a superframe; 0: an ordinary frame */
    /* bytes of the packet; kept in the first part only. Not beside len: gcc makes a vector of the
     * two, which costs five instructions a frame */
    uint32_t total;
    uint16_t in_dev; /* index of the card it came from */
    uint8_t ttl;     /* of the datagram it becomes; 0: the default. Used up by ip's stage */
    uint8_t *net;    /* network header as received; demux of ip sets it, popping keeps it */
    uint32_t cb[6];  /* scratch of whoever holds the message; worthless after a pass */
    uint8_t room[];  /* storage, aligned to 16 */
};

struct msgq {
    struct msg *head, *tail;
    uint32_t count; /* messages */
    uint32_t bytes; /* sum of their totals */
};

/* An empty message: `headroom` bytes free in front, room for `len`, total 0. len is set by msg_put.
 */
struct msg *msg_alloc(struct pool *payer, size_t headroom, size_t len);
/* A message of that class with its data at MSG_HEADROOM; what drivers fill their rings with. */
struct msg *msg_alloc_class(struct pool *payer, enum msg_class class);
/* The packet `len` bytes from `off` of m, without a copy: an empty first part with MSG_HEADROOM of
 * its own for headers, then slices. m is unchanged and may be freed before or after. */
struct msg *msg_clone(struct pool *payer, struct msg *m, size_t off, size_t len);
/* Copy of the bytes into storage of its own (len <= 2048). */
struct msg *msg_copy(struct pool *payer, const struct msg *m, size_t off, size_t len);
void msg_free(struct msg *m);                                  /* the whole packet */
void msg_drop(struct kernel *k, struct msg *m, enum drop why); /* msg_free, counted */
/* Another pool pays from now on. E_NOMEM: over its limit; the old one still pays. */
MUST_CHECK status_t msg_charge(struct msg *m, struct pool *payer);
uint32_t msg_cost(const struct msg *m); /* bytes charged for it: storage, not payload */

/* Append n bytes of room to the end of an unsliced single-part message; NULL: no room. */
uint8_t *msg_put(struct msg *m, size_t n);
/* Cut the packet to its first n bytes (n <= total). */
void msg_trim(struct msg *m, size_t n);
/* Drop n bytes from the front, over parts if it must (n <= total). The first part stays the first.
 */
void msg_skip(struct msg *m, size_t n);
/* Split: m keeps its first n bytes, the rest (n < total) is returned. NULL: no memory, no change.
 */
struct msg *msg_split(struct msg *m, size_t n);
/* b's parts go behind a's; b is consumed (its flags and facts are forgotten). */
void msg_append(struct msg *a, struct msg *b);
/* Copy n bytes from `off` out of the packet; false, and nothing written, when it has too few. */
bool msg_peek(const struct msg *m, size_t off, void *to, size_t n);

/* Prepend n bytes to the first part; NULL: no headroom (another's storage, or too short). Who pops
 * bytes that a clone shows and pushes over them changes the clone: nobody looks for that. */
static inline uint8_t *msg_push(struct msg *m, uint32_t n)
{
    if (UNLIKELY(m->store != m || (size_t)(m->data - m->room) < n))
        return NULL;
    m->data -= n;
    m->len += n;
    m->total += n;
    return m->data;
}

/* Strip n bytes from the first part; returns where they were. NULL: the first part is shorter. */
static inline uint8_t *msg_pop(struct msg *m, uint32_t n)
{
    uint8_t *at = m->data;
    if (UNLIKELY(m->len < n))
        return NULL;
    m->data += n;
    m->len -= n;
    m->total -= n;
    return at;
}

static inline void msgq_push(struct msgq *q, struct msg *m)
{
    m->next = NULL;
    if (q->tail)
        q->tail->next = m;
    else
        q->head = m;
    q->tail = m;
    q->count++;
    q->bytes += m->total;
}

static inline struct msg *msgq_pop(struct msgq *q)
{
    struct msg *m = q->head;
    if (!m)
        return NULL;
    q->head = m->next;
    if (!q->head)
        q->tail = NULL;
    m->next = NULL;
    q->count--;
    q->bytes -= m->total;
    return m;
}

void msgq_drop_some(struct kernel *k, struct msgq *q, enum drop why);
void msgq_free(struct msgq *q); /* all of them, uncounted */
/* All of them. Most queues are empty when their owner ends. */
static inline void msgq_drop(struct kernel *k, struct msgq *q, enum drop why)
{
    if (q->head)
        msgq_drop_some(k, q, why);
}

/* Free lists of message storage, one per class; part of struct kernel. */
struct msg_store {
    struct msg *free[MSG_CLASSES];
    uint32_t live[MSG_CLASSES];  /* handed out */
    uint32_t total[MSG_CLASSES]; /* made */
    uint32_t limit[MSG_CLASSES]; /* at most */
};
void msg_store_init(struct kernel *k, uint32_t full_limit); /* as many small ones on top, doubled */

#endif
