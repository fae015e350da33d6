/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_DROP_H
#define KERNEL_DROP_H
/*
 * Why a message was lost: a closed list, one sentence each. `show drops`, logs, tests and documents
 * use these names. Adding one: append it to its group.
 */
#define DROPS(X)                                                                            \
    X(ETH_SHORT, "eth.short", "frame shorter than an Ethernet header")                      \
    X(ETH_PROTO, "eth.proto", "EtherType that no node is bound to")                         \
    X(ETH_NOTUS, "eth.notus", "unicast frame to another station")                           \
    X(ETH_LONG, "eth.long", "frame longer than the link's MTU")                             \
    X(ARP_MALFORMED, "arp.malformed", "ARP packet cut short or of the wrong kind")          \
    X(ARP_UNRESOLVED, "arp.unresolved", "neighbour did not answer, or its queue is full")   \
    X(IP_HEADER, "ip.header", "version or header length impossible")                        \
    X(IP_LEN, "ip.len", "total length below the header's or above the frame's")             \
    X(IP_CKSUM, "ip.cksum", "header checksum wrong")                                        \
    X(IP_SRC, "ip.src", "source address that no host may use")                              \
    X(IP_DST, "ip.dst", "destination that is neither ours nor routable")                    \
    X(IP_OPTION, "ip.option", "source route, or option of impossible length")               \
    X(IP_PROTO, "ip.proto", "protocol that no node is bound to")                            \
    X(IP_TTL, "ip.ttl", "time to live ran out")                                             \
    X(IP_ROUTE, "ip.route", "no route to the destination")                                  \
    X(IP_MTU, "ip.mtu", "too long for the next link and not to be fragmented")              \
    X(FRAG_TINY, "frag.tiny", "fragment that hides the ports")                              \
    X(FRAG_OVERLAP, "frag.overlap", "fragments overlap: the whole datagram goes")           \
    X(FRAG_BAD, "frag.bad", "fragment beyond 65535, or of a length that cannot be")         \
    X(FRAG_LIMIT, "frag.limit", "reassembly table, memory or source limit reached")         \
    X(FRAG_TIME, "frag.time", "fragments of a datagram did not all come in time")           \
    X(ICMP_MALFORMED, "icmp.malformed", "ICMP cut short or checksum wrong")                 \
    X(ICMP_TYPE, "icmp.type", "ICMP type that is ignored")                                  \
    X(ICMP_QUOTE, "icmp.quote", "quotation in an ICMP error unusable")                      \
    X(ICMP_STALE, "icmp.stale", "ICMP error about nothing that is in flight")               \
    X(ICMP_RATE, "icmp.rate", "our own ICMP errors are limited in rate")                    \
    X(UDP_MALFORMED, "udp.malformed", "UDP length or checksum wrong")                       \
    X(UDP_PORT, "udp.port", "UDP port that nobody listens on")                              \
    X(TCP_HEADER, "tcp.header", "TCP header cut short or data offset impossible")           \
    X(TCP_CKSUM, "tcp.cksum", "TCP checksum wrong")                                         \
    X(TCP_PORT, "tcp.port", "port zero")                                                    \
    X(TCP_DST, "tcp.dst", "TCP to a broadcast or multicast address")                        \
    X(TCP_FLAGS, "tcp.flags", "combination of flags that means nothing")                    \
    X(TCP_CLOSED, "tcp.closed", "no connection and no listener")                            \
    X(TCP_SEQ, "tcp.seq", "outside the receive window")                                     \
    X(TCP_ACK, "tcp.ack", "acknowledges what was never sent or is long gone")               \
    X(TCP_PAWS, "tcp.paws", "time stamp older than the last one")                           \
    X(TCP_OOO, "tcp.ooo", "out-of-order queue at its limit")                                \
    X(TCP_MEM, "tcp.mem", "the path may not pay for more buffers")                          \
    X(TCP_LATE, "tcp.late", "data for a connection that reads no more")                     \
    X(COOKIE_INVALID, "cookie.invalid", "acknowledgement that is not of our SYN cookies")   \
    X(CONN_LIMIT, "conn.limit", "limit of connections or ports reached")                    \
    X(PROXY_CLOSED, "proxy.closed", "bytes for a connection whose other side is gone")      \
    X(FWD_WINDOW, "fwd.window", "spliced: numbers far from all that was exchanged")         \
    X(FWD_SYN, "fwd.syn", "spliced: a SYN; challenged, not passed on")                      \
    X(FWD_STOP, "fwd.stop", "spliced: behind the point where control returns; comes again") \
    X(FWD_HOLD, "fwd.hold", "spliced: more segments wait than the window allows")           \
    X(PATH_QUEUE, "path.queue", "input queue of the path full")                             \
    X(PATH_DEAD, "path.dead", "the path was destroyed first")                               \
    X(PATH_LIMIT, "path.limit", "limit of paths or of memory reached")                      \
    X(NIC_RING, "nic.ring", "transmit ring full")                                           \
    X(NIC_BAD, "nic.bad", "the card reported a damaged frame or descriptor")                \
    X(NIC_DOWN, "nic.down", "link down")                                                    \
    X(NO_BUFFER, "no.buffer", "no message buffer left")                                     \
    X(MODULE, "module", "dropped on purpose by a test module")                              \
    X(SHUTDOWN, "shutdown", "the kernel is stopping")

enum drop {
#define X(name, text, sentence) DROP_##name,
    DROPS(X)
#undef X
        DROP_COUNT
};

const char *drop_name(enum drop why);
const char *drop_sentence(enum drop why);

#endif
