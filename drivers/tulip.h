/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_TULIP_H
#define DRIVERS_TULIP_H
/*
 * DEC 21143 (its "Hardware Reference Manual", HRM): what tulip.c (frames), tulip_hw.c (finding,
 * configuring, interrupts) and tulip_serial.c (what hangs on CSR9: the ROM with the address, the
 * transceiver) share.
 */
#include "drivers/mmio.h"
#include "drivers/ring.h"
#include "kernel/netdev.h"

enum {
    TULIP_RX = 1024, /* descriptors; powers of two. QEMU's card drops what finds the ring empty, and
                      * may bring all that a tap holds, 1000 frames, before the guest runs again */
    TULIP_TX = 256,
    TULIP_REGISTERS = 128,
    TULIP_BUFFER = 2044, /* of 11 bits, a multiple of 4 */
    TULIP_SETUP = 192,   /* bytes of a set-up frame */
    TULIP_TX_CONTROL_SET = 1 << 27,
};

/* Register n is at 8 * n. */
enum tulip_csr {
    CSR_BUS = 0,
    CSR_TX_DEMAND = 1,
    CSR_RX_DEMAND = 2,
    CSR_RX_RING = 3,
    CSR_TX_RING = 4,
    CSR_STATUS = 5,
    CSR_MODE = 6,
    CSR_IRQ = 7,
    CSR_SERIAL = 9,
    CSR_SIA = 13, /* and 14, 15 */
};

struct tulip_desc {
    volatile uint32_t status, control, addr1, addr2;
};

/* The card's, in `status`; the rest of the word is 0 then. */
#define TULIP_OWN 0x80000000U
/* In `control`: last descriptor of the ring. */
#define TULIP_RING_END 0x02000000U

/* Memory of a card beside its rings. */
struct tulip_extra {
    uint8_t setup[TULIP_SETUP];
    uint8_t zeros[64];
    uint8_t check[16]; /* where the check sequence of a frame goes that fills its buffer */
};

struct tulip {
    struct netdev dev;
    struct stash *stash;
    mmio_t regs;
    struct tulip_desc *rx, *tx;
    struct tulip_extra *extra;
    uint32_t zeros;    /* extra->zeros, as the card sees it */
    uint32_t rx_next;  /* looked at next */
    uint32_t rx_armed; /* given back to the card next; from here to rx_next it waits */
    uint32_t tx_next, tx_clean;
    int phy;             /* number of the transceiver on the serial bus; -1: none */
    uint64_t link_at;    /* ns: when the link is looked at again */
    uint32_t chain;      /* descriptors of a frame that has not ended */
    bool torn;           /* the last descriptor was not the end of its frame */
    volatile bool armed; /* interrupts may come */
    struct msg *rxm[TULIP_RX], *txm[TULIP_TX];
};

static inline struct tulip *tulip_of(struct netdev *d)
{
    return CONTAINER(d, struct tulip, dev);
}

static inline uint32_t csr_read(struct tulip *c, enum tulip_csr n)
{
    return mmio_read32(c->regs, 8U * n);
}

static inline void csr_write(struct tulip *c, enum tulip_csr n, uint32_t v)
{
    mmio_write32(c->regs, 8U * n, v);
}

/* tulip_serial.c */
uint16_t tulip_rom(struct tulip *c, uint32_t word, int address_bits);
uint16_t tulip_phy(struct tulip *c, int phy, int reg);

/* tulip_hw.c */
void tulip_quiet(struct tulip *c);
status_t tulip_configure(struct tulip *c); /* rings are filled; E_NODEV: it does not answer */
void tulip_irq(struct netdev *d, bool on);

/* tulip.c */
void tulip_arm(struct tulip *c); /* all free receive descriptors are the card's again */
extern const struct netdev_ops tulip_ops;

#endif
