/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PATH_PACKET_H
#define TESTS_PATH_PACKET_H
/*
 * A packet as a script writes it: fields that are given, the others open. The same struct is what
 * is to be built (open fields get the value a decent host would put there) and what is expected
 * (open fields are not compared). Written from the RFCs, without a line of modules/.
 */
#include "kernel/types.h"

#define FIELDS(X)                \
    X(ETH, SRC, "src", MAC)      \
    X(ETH, DST, "dst", MAC)      \
    X(ETH, TYPE, "type", NUM)    \
    X(ETH, CUT, "cut", NUM)      \
    X(ETH, PAD, "pad", NUM)      \
    X(ARP, HTYPE, "htype", NUM)  \
    X(ARP, PTYPE, "ptype", NUM)  \
    X(ARP, HLEN, "hlen", NUM)    \
    X(ARP, PLEN, "plen", NUM)    \
    X(ARP, OP, "op", NUM)        \
    X(ARP, SHA, "sha", MAC)      \
    X(ARP, SPA, "spa", ADDR)     \
    X(ARP, THA, "tha", MAC)      \
    X(ARP, TPA, "tpa", ADDR)     \
    X(IP, VER, "ver", NUM)       \
    X(IP, IHL, "ihl", NUM)       \
    X(IP, TOS, "tos", NUM)       \
    X(IP, LEN, "len", NUM)       \
    X(IP, ID, "id", NUM)         \
    X(IP, DF, "df", NUM)         \
    X(IP, MF, "mf", NUM)         \
    X(IP, OFF, "off", NUM)       \
    X(IP, TTL, "ttl", NUM)       \
    X(IP, PROTO, "proto", NUM)   \
    X(IP, SUM, "sum", NUM)       \
    X(IP, SRC, "src", ADDR)      \
    X(IP, DST, "dst", ADDR)      \
    X(IP, FROM, "from", NUM)     \
    X(IP, BYTES, "bytes", NUM)   \
    X(ICMP, TYPE, "type", NUM)   \
    X(ICMP, CODE, "code", NUM)   \
    X(ICMP, SUM, "sum", NUM)     \
    X(ICMP, ID, "id", NUM)       \
    X(ICMP, SEQ, "seq", NUM)     \
    X(ICMP, MTU, "mtu", NUM)     \
    X(ICMP, QUOTE, "quote", NUM) \
    X(UDP, SPORT, "sport", PORT) \
    X(UDP, DPORT, "dport", PORT) \
    X(UDP, LEN, "len", NUM)      \
    X(UDP, SUM, "sum", NUM)      \
    X(TCP, SPORT, "sport", PORT) \
    X(TCP, DPORT, "dport", PORT) \
    X(TCP, SEQ, "seq", NUM)      \
    X(TCP, ACK, "ack", NUM)      \
    X(TCP, DOFF, "doff", NUM)    \
    X(TCP, FLAGS, "flags", NUM)  \
    X(TCP, WIN, "win", NUM)      \
    X(TCP, SUM, "sum", NUM)      \
    X(TCP, URP, "urp", NUM)      \
    X(TCP, ISN, "isn", NUM)      \
    X(DATA, LEN, "data", NUM)

enum field {
#define X(layer, name, text, kind) layer##_##name,
    FIELDS(X)
#undef X
        FIELD_COUNT
};

enum layer { L_ETH, L_ARP, L_IP, L_ICMP, L_UDP, L_TCP, L_DATA };
enum { PACKET_MAX = 70000, TEXT_MAX = 256, POKES = 4 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK_FLAG = 16, TCP_URG = 32 };

enum flaw { FLAW_NONE, FLAW_SUM, FLAW_BITS }; /* TCP's checksum is wrong; reserved bits are set */

struct packet {
    enum layer at;           /* the layer named last: whose fields are meant */
    enum layer top;          /* the highest layer named */
    uint64_t given;          /* bit per field */
    uint64_t v[FIELD_COUNT]; /* numbers, addresses in host order, 48-bit MACs */
    bool raw;                /* TCP numbers are absolute */
    enum flaw flaw;          /* read: what a forwarder may pass on as it came */
    bool options;            /* the option list was given, maybe empty */
    uint8_t opt[64];         /* built: bytes of IP or TCP options; which: top */
    uint32_t nopt;
    struct {
        uint8_t at; /* in opt: four bytes to be completed when the connection is known */
        bool echo;  /* by the last time stamp that came; else a number of the far side's */
    } late[8];
    int nlate;
    char want[TEXT_MAX]; /* expected: TCP options that must be there, "mss=1460,ts" */
    uint8_t ipopt[64];
    uint32_t nipopt;
    uint8_t *data; /* payload; NULL: none */
    bool pattern;  /* the data is letters that follow from the position in the stream */
    uint32_t ndata;
    struct {
        uint32_t at; /* from the network header; bytes put there before checksums are made */
        uint32_t n;
        uint8_t bytes[16];
    } poke[POKES];
    int npoke;
    char port[2][16]; /* names of ports to be learnt or known: source, destination */
};

static inline bool has(const struct packet *p, enum field f)
{
    return p->given >> f & 1;
}

static inline void set(struct packet *p, enum field f, uint64_t v)
{
    p->given |= 1ULL << f;
    p->v[f] = v;
}

extern const char *const field_names[FIELD_COUNT]; /* "tcp.seq" */

/* From words to fields. `why` (TEXT_MAX) says what is wrong; bump: added to each value that ends in
 * `+`, for floods. The data belongs to the caller: free(p->data). */
bool packet_parse(char *words, struct packet *p, uint64_t bump, char *why);
/* Data that was given as a length: letters as of that position in the stream. */
void packet_pattern(struct packet *p, uint32_t from);
/* Bytes into frame (PACKET_MAX): their number. All fields that matter are given. */
size_t packet_build(const struct packet *p, uint8_t *frame);
/* What is in a frame; false and why: it breaks a rule that every frame of ours has to keep
 * (lengths, checksums). p->data points into frame. */
bool packet_read(const uint8_t *frame, size_t n, struct packet *p, char *why);
void packet_text(const struct packet *p, char *text, size_t room); /* for people */
uint16_t packet_sum(const uint8_t *at, size_t n, uint32_t start);  /* RFC 1071 */

#endif
