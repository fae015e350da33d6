/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_E1000_H
#define DRIVERS_E1000_H
/*
 * Intel 82540EM, 82545EM ("8254x Software Developer's Manual", SDM) and 82574L (its data sheet):
 * what e1000.c (frames) and e1000_hw.c (finding, resetting, interrupts) share. Legacy descriptors,
 * which all three know.
 */
#include "drivers/mmio.h"
#include "drivers/ring.h"
#include "kernel/netdev.h"

enum {
    E1000_RX = 256, /* descriptors; powers of two */
    E1000_TX = 512,
    E1000_REGISTERS = 0x20000,
};

enum e1000_reg { /* SDM table 13-2 */
                 E1000_CTRL = 0x0,
                 E1000_STATUS = 0x8,
                 E1000_EERD = 0x14,
                 E1000_ICR = 0xc0,
                 E1000_ITR = 0xc4,
                 E1000_IMS = 0xd0,
                 E1000_IMC = 0xd8,
                 E1000_RCTL = 0x100,
                 E1000_TCTL = 0x400,
                 E1000_TIPG = 0x410,
                 E1000_RDBAL = 0x2800,
                 E1000_RDBAH = 0x2804,
                 E1000_RDLEN = 0x2808,
                 E1000_RDH = 0x2810,
                 E1000_RDT = 0x2818,
                 E1000_RDTR = 0x2820,
                 E1000_RADV = 0x282c,
                 E1000_TDBAL = 0x3800,
                 E1000_TDBAH = 0x3804,
                 E1000_TDLEN = 0x3808,
                 E1000_TDH = 0x3810,
                 E1000_TDT = 0x3818,
                 E1000_TXDCTL = 0x3828,
                 E1000_MTA = 0x5200,
                 E1000_RAL = 0x5400,
                 E1000_RAH = 0x5404,
};

/* Both kinds of descriptor: `word` is what the card writes back, and for transmission also what it
 * is told (SDM 3.2.3, 3.3.3). */
struct e1000_desc {
    volatile uint64_t addr;
    volatile uint64_t word;
};

struct e1000 {
    struct netdev dev;
    struct stash *stash;
    mmio_t regs;
    struct e1000_desc *rx, *tx;
    uint64_t zeros;    /* FRAME_MIN of them, as the card sees them */
    uint32_t rx_next;  /* looked at next */
    uint32_t rx_told;  /* what RDT says */
    uint32_t tx_next;  /* filled next */
    uint32_t tx_clean; /* not yet taken back; tx_clean == tx_next: nothing is on the ring */
    uint32_t marks_head, marks_tail;
    uint64_t rx_good;    /* what a good descriptor looks like; none does while a frame is torn */
    uint32_t chain;      /* descriptors of a frame that has not ended */
    bool newer;          /* 82574L */
    bool link_said;      /* dev.link as it was logged last; the interrupt logs nothing */
    volatile bool armed; /* interrupts may come */
    uint16_t marks[E1000_TX]; /* last descriptors of bursts: they report; and MARK_MIXED */
    struct msg *rxm[E1000_RX], *txm[E1000_TX];
};

static inline struct e1000 *e1000_of(struct netdev *d)
{
    return CONTAINER(d, struct e1000, dev);
}

/* e1000_hw.c */
void e1000_quiet(struct e1000 *c);     /* the card does nothing any more */
void e1000_configure(struct e1000 *c); /* all registers but the receive tail */
void e1000_irq(struct netdev *d, bool on);

/* e1000.c */
extern const struct netdev_ops e1000_ops, e1000e_ops;

#endif
