/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_RING_H
#define DRIVERS_RING_H
/*
 * What the rings of all cards have in common: buffers, and frames below the minimum size.
 *
 * The stash is a short stack of receive buffers between the transmit side of one card, which has
 * done with them, and the receive side of another, which needs them: forwarding a frame neither
 * frees nor allocates a message. It is shared by all cards of a kernel and bounded, so it keeps no
 * memory from others to speak of; the kernel pays for what is in it. stash_take returns NULL when
 * the machine has no buffer left.
 */
#include <assert.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/msg.h"
#include "kernel/plat.h"

enum {
    FRAME_MIN = 60, /* without the check sequence (IEEE 802.3 4A.4.2) */
    FRAME_HEADER = 14,
    FRAME_MAX = 1522, /* with two VLAN tags */
    FRAME_MTU = 1500,
    BUFFER_ROOM = MSG_FULL_ROOM - MSG_HEADROOM, /* what a card may write */
    STASH_MAX = 512,
    CHAIN_MAX = 8, /* descriptors that a frame takes at most: jumbo frames of other hosts */
};

struct stash {
    struct kernel *k;
    uintptr_t dma; /* address for a card = our address + this: memory is one linear piece */
    uint32_t n;
    struct msg *at[STASH_MAX];
};

static inline void stash_init(struct stash *s, struct kernel *k)
{
    s->k = k;
    s->dma = (uintptr_t)plat_dma(s, sizeof *s) - (uintptr_t)s;
    s->n = 0;
}

static inline uint64_t stash_dma(const struct stash *s, const void *at)
{
    return (uintptr_t)at + s->dma;
}

/* The card writes where it likes in the buffer, so all of it is given out. */
static inline struct msg *stash_new(struct stash *s)
{
    struct msg *m = msg_alloc_class(&s->k->pool, MSG_FULL);
    if (m)
        MEM_UNPOISON(m->room, MSG_FULL_ROOM);
    return m;
}

/* The same when rings are set up, for a ring or a buffer in it: looked at, because it is for long.
 */
static inline uint64_t stash_dma_ring(const struct stash *s, const void *at, size_t n)
{
    uint64_t addr = plat_dma(at, n);
    assert(addr == stash_dma(s, at));
    return addr;
}

/* A message as msg_alloc_class(MSG_FULL) makes it. */
static inline struct msg *stash_take(struct stash *s)
{
    if (LIKELY(s->n))
        return s->at[--s->n];
    return stash_new(s);
}

/* At least n buffers if the machine has them; how many there are. */
static inline uint32_t stash_fill(struct stash *s, uint32_t n)
{
    while (UNLIKELY(s->n < n)) {
        struct msg *m = stash_new(s);
        if (!m)
            break;
        s->at[s->n++] = m;
    }
    return s->n;
}

/* What is in the stash has its data there, as a card sees it from the message's address. */
static inline uint64_t stash_dma_data(const struct stash *s)
{
    return s->dma + offsetof(struct msg, room) + MSG_HEADROOM;
}

/* refs, class, flags and seg_size of a message, which lie in one word. */
static inline uint64_t stash_word(const struct msg *m)
{
    uint64_t word;
    static_assert(offsetof(struct msg, seg_size) + 2 == offsetof(struct msg, refs) + sizeof word,
                  "the four fields are neighbours");
    memcpy(&word, (const uint8_t *)m + offsetof(struct msg, refs), sizeof word);
    return word;
}

/* A receive buffer, and all ours: nobody shares its bytes, so nobody can come to share them;
 * without flags, so it needs little to be as new. The kernel pays for all that is on a ring. */
static inline bool stash_likes(const struct msg *m)
{
    return stash_word(m) == (1 | (uint64_t)MSG_FULL << 32);
}

static inline void stash_renew(struct msg *m)
{
    m->data = m->room + MSG_HEADROOM;
    m->net = NULL;
    MEM_UNPOISON(m->room, MSG_FULL_ROOM);
}

/* A message that has been sent. */
static inline void stash_put(struct stash *s, struct msg *m)
{
    if (UNLIKELY(!stash_likes(m) || m->more || s->n == STASH_MAX)) {
        msg_free(m);
        return;
    }
    stash_renew(m);
    s->at[s->n++] = m;
}

/* n of them, each in one part and liked when it was sent. False, and nothing done: no room. */
static inline bool stash_put_plain(struct stash *s, struct msg *const *m, uint32_t n)
{
    if (UNLIKELY(n > STASH_MAX - s->n))
        return false;
#pragma GCC unroll 4
    for (struct msg **to = &s->at[s->n], **end = to + n; to != end; to++, m++) {
        stash_renew(*m);
        *to = *m;
    }
    s->n += n;
    return true;
}

/* Every card that stops gives back the whole stash; the others then allocate. */
static inline void stash_drain(struct stash *s)
{
    while (s->n)
        msg_free(s->at[--s->n]);
}

/* Frames that the card wrote and nobody gets: the buffer stays in the ring. */
static inline void ring_bad(struct netdev *d)
{
    d->stats.rx_bad++;
    d->k->drops[DROP_NIC_BAD]++;
}

/* What no card that works says: it is counted, and the card is started anew. */
static inline void ring_lie(struct netdev *d)
{
    ring_bad(d);
    d->broken = true;
}

/* A frame of a length that frames do not have: hosts may send such, but none that is not there, nor
 * one longer than its buffer. */
static inline void ring_length(struct netdev *d, uint32_t len)
{
    if (len - 1 < BUFFER_ROOM)
        ring_bad(d);
    else
        ring_lie(d);
}

/* One more descriptor of a frame that does not end in it. No frame is so long as CHAIN_MAX. */
static inline void ring_torn(struct netdev *d, uint32_t *chain)
{
    if (++*chain > CHAIN_MAX)
        ring_lie(d);
    else
        ring_bad(d);
}

static inline void ring_nobuf(struct netdev *d)
{
    d->stats.rx_nobuf++;
    d->k->drops[DROP_NO_BUFFER]++;
}

/* What a card can be given at all: not longer than a frame may be, and not nothing. */
static inline bool frame_fits(const struct msg *m)
{
    return m->total - 1 < FRAME_MAX;
}

/* A short frame in storage that is all its own is filled up where it lies: acknowledgements are
 * short, and a part more for their zeros costs a descriptor. */
static inline bool frame_fill(struct msg *m)
{
    enum { WORD = 8 };
    size_t room = m->class == MSG_FULL ? MSG_FULL_ROOM : MSG_SMALL_ROOM;
    if (m->more || m->store != m || m->refs != 1 || m->len >= FRAME_MIN ||
        (size_t)(m->data - m->room) + FRAME_MIN + WORD > room)
        return false;
    MEM_UNPOISON(m->data, FRAME_MIN + WORD);
    for (uint8_t *at = m->data + m->len, *end = m->data + FRAME_MIN; at < end; at += WORD)
        memset(at, 0, WORD); /* one store; it may reach beyond what is sent */
    m->len = m->total = FRAME_MIN;
    return true;
}

/* One part, and of a length that a frame may have. */
static inline bool frame_plain(struct msg *m)
{
    return LIKELY(!m->more && m->total - FRAME_MIN <= FRAME_MAX - FRAME_MIN) || frame_fill(m);
}

/* Bytes of zeros behind the frame. */
static inline uint32_t frame_padding(const struct msg *m)
{
    return m->total < FRAME_MIN ? FRAME_MIN - m->total : 0;
}

/* Parts that are not empty, the padding not counted. */
static inline uint32_t frame_parts(const struct msg *m)
{
    uint32_t n = 0;
    for (; m; m = m->more)
        n += m->len != 0;
    return n;
}

#endif
