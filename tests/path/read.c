/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From bytes to fields, for what our kernel sends. Whatever the script expects, a frame of ours
 * must be whole: lengths that agree, checksums that are right.
 */
#include <stdio.h>
#include <string.h>

#include "tests/path/packet.h"

static uint64_t get(const uint8_t *at, int n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *at++;
    return v;
}

static bool bad(char *why, const char *what)
{
    snprintf(why, TEXT_MAX, "%s", what);
    return false;
}

static void options_text(struct packet *p, const uint8_t *at, size_t n)
{
    char *out = p->want;
    size_t room = sizeof p->want;
    for (size_t i = 0; i < n && room > 130;) {
        uint8_t kind = at[i], len = kind < 2 ? 1 : i + 1 < n ? at[i + 1] : 0;
        int put = 0;
        if (len == 0 || i + len > n) {
            snprintf(out, room, "broken,");
            return;
        }
        if (kind == 0) {
            put = snprintf(out, room, "eol,");
            n = 0;
        } else if (kind == 1) {
            put = snprintf(out, room, "nop,");
        } else if (kind == 2 && len == 4) {
            put = snprintf(out, room, "mss=%u,", (unsigned)get(at + i + 2, 2));
        } else if (kind == 3 && len == 3) {
            put = snprintf(out, room, "ws=%u,", at[i + 2]);
        } else if (kind == 4 && len == 2) {
            put = snprintf(out, room, "sackok,");
        } else if (kind == 8 && len == 10) {
            put = snprintf(out, room, "ts=%llu:%llu,", (unsigned long long)get(at + i + 2, 4),
                           (unsigned long long)get(at + i + 6, 4));
        } else if (kind == 5) {
            for (uint8_t j = 2; j + 8 <= len && put < 200; j = (uint8_t)(j + 8))
                put += snprintf(out + put, room - (size_t)put, "sack=%llu:%llu,",
                                (unsigned long long)get(at + i + j, 4),
                                (unsigned long long)get(at + i + j + 4, 4));
        } else {
            put = snprintf(out, room, "kind%u,", kind);
        }
        out += put;
        room -= (size_t)put;
        i += len;
    }
}

static bool data_read(struct packet *p, const uint8_t *at, size_t n)
{
    p->data = (uint8_t *)(uintptr_t)at;
    p->ndata = (uint32_t)n;
    set(p, DATA_LEN, n);
    return true;
}

static bool tcp_read(struct packet *p, const uint8_t *at, size_t n, uint32_t pseudo, char *why)
{
    size_t head = n >= 20 ? (size_t)(at[12] >> 4) * 4 : 0;
    p->top = L_TCP;
    if (head < 20 || head > n)
        return bad(why, "TCP header length impossible");
    if (packet_sum(at, n, pseudo) != 0)
        p->flaw = FLAW_SUM;
    else if (at[12] & 0xf || at[13] & 0xc0)
        p->flaw = FLAW_BITS;
    set(p, TCP_SPORT, get(at, 2));
    set(p, TCP_DPORT, get(at + 2, 2));
    set(p, TCP_SEQ, get(at + 4, 4));
    set(p, TCP_ACK, get(at + 8, 4));
    set(p, TCP_DOFF, head / 4);
    set(p, TCP_FLAGS, at[13]);
    set(p, TCP_WIN, get(at + 14, 2));
    set(p, TCP_URP, get(at + 18, 2));
    options_text(p, at + 20, head - 20);
    data_read(p, at + head, n - head);
    return !p->flaw ||
           bad(why, p->flaw == FLAW_SUM ? "TCP checksum wrong" : "TCP reserved bits or ECN set");
}

static bool top_read(struct packet *p, const uint8_t *at, size_t n, char *why)
{
    uint64_t s = p->v[IP_SRC], d = p->v[IP_DST];
    uint32_t pseudo =
        (uint32_t)((s >> 16) + (s & 0xffff) + (d >> 16) + (d & 0xffff) + p->v[IP_PROTO] + n);
    if (p->v[IP_MF] || p->v[IP_OFF]) {
        p->top = L_IP;
        return data_read(p, at, n);
    }
    switch (p->v[IP_PROTO]) {
    case 1:
        p->top = L_ICMP;
        if (n < 8 || packet_sum(at, n, 0) != 0)
            return bad(why, "ICMP too short or checksum wrong");
        set(p, ICMP_TYPE, at[0]);
        set(p, ICMP_CODE, at[1]);
        set(p, ICMP_ID, get(at + 4, 2));
        set(p, ICMP_SEQ, get(at + 6, 2));
        set(p, ICMP_MTU, get(at + 6, 2));
        return data_read(p, at + 8, n - 8);
    case 17:
        p->top = L_UDP;
        if (n < 8 || get(at + 4, 2) != n)
            return bad(why, "UDP length wrong");
        if (get(at + 6, 2) && packet_sum(at, n, pseudo) != 0)
            return bad(why, "UDP checksum wrong");
        set(p, UDP_SPORT, get(at, 2));
        set(p, UDP_DPORT, get(at + 2, 2));
        set(p, UDP_LEN, n);
        set(p, UDP_SUM, get(at + 6, 2));
        return data_read(p, at + 8, n - 8);
    case 6:
        return tcp_read(p, at, n, pseudo, why);
    default:
        p->top = L_IP;
        return data_read(p, at, n);
    }
}

static bool ip_read(struct packet *p, const uint8_t *at, size_t n, char *why)
{
    p->top = L_IP;
    size_t head = n >= 20 ? (size_t)(at[0] & 15) * 4 : 0, len = n >= 20 ? get(at + 2, 2) : 0;
    if (head < 20 || head > n || len < head || len > n || at[0] >> 4 != 4)
        return bad(why, "IP version or lengths impossible");
    if (packet_sum(at, head, 0) != 0)
        return bad(why, "IP checksum wrong");
    set(p, IP_VER, 4);
    set(p, IP_IHL, head / 4);
    set(p, IP_TOS, at[1]);
    set(p, IP_LEN, len);
    set(p, IP_ID, get(at + 4, 2));
    set(p, IP_DF, at[6] >> 6 & 1);
    set(p, IP_MF, at[6] >> 5 & 1);
    set(p, IP_OFF, (get(at + 6, 2) & 0x1fff) * 8);
    set(p, IP_TTL, at[8]);
    set(p, IP_PROTO, at[9]);
    set(p, IP_SRC, get(at + 12, 4));
    set(p, IP_DST, get(at + 16, 4));
    return top_read(p, at + head, len - head, why);
}

static bool arp_read(struct packet *p, const uint8_t *at, size_t n, char *why)
{
    p->top = L_ARP;
    if (n < 28)
        return bad(why, "ARP too short");
    set(p, ARP_HTYPE, get(at, 2));
    set(p, ARP_PTYPE, get(at + 2, 2));
    set(p, ARP_HLEN, at[4]);
    set(p, ARP_PLEN, at[5]);
    set(p, ARP_OP, get(at + 6, 2));
    set(p, ARP_SHA, get(at + 8, 6));
    set(p, ARP_SPA, get(at + 14, 4));
    set(p, ARP_THA, get(at + 18, 6));
    set(p, ARP_TPA, get(at + 24, 4));
    return true;
}

bool packet_read(const uint8_t *frame, size_t n, struct packet *p, char *why)
{
    *p = (struct packet){.top = L_ETH};
    *why = 0;
    if (n < 14)
        return bad(why, "frame shorter than its header");
    set(p, ETH_DST, get(frame, 6));
    set(p, ETH_SRC, get(frame + 6, 6));
    set(p, ETH_TYPE, get(frame + 12, 2));
    if (p->v[ETH_TYPE] == 0x0806)
        return arp_read(p, frame + 14, n - 14, why);
    if (p->v[ETH_TYPE] == 0x0800)
        return ip_read(p, frame + 14, n - 14, why);
    return data_read(p, frame + 14, n - 14);
}

void packet_text(const struct packet *p, char *text, size_t room)
{
    static const char letters[] = "FSRP.UEC";
    static const char *const names[] = {"eth", "arp", "ip", "icmp", "udp", "tcp", "data"};
    int n = snprintf(text, room, "%s", names[p->top]);
    for (int f = 0; f < FIELD_COUNT && n > 0 && (size_t)n < room; f++) {
        const char *name = strchr(field_names[f], '.');
        if (!has(p, (enum field)f) || f == ETH_SRC || f == ETH_DST)
            continue;
        if (f == TCP_FLAGS) {
            n += snprintf(text + n, room - (size_t)n, " flags=");
            for (int i = 0; i < 8 && (size_t)n + 1 < room; i++)
                if (p->v[f] >> i & 1)
                    n += snprintf(text + n, room - (size_t)n, "%c", letters[i]);
        } else if (f == IP_SRC || f == IP_DST || f == ARP_SPA || f == ARP_TPA) {
            n += snprintf(text + n, room - (size_t)n, " %s=%u.%u.%u.%u", name + 1,
                          (unsigned)(p->v[f] >> 24), (unsigned)(p->v[f] >> 16 & 255),
                          (unsigned)(p->v[f] >> 8 & 255), (unsigned)(p->v[f] & 255));
        } else {
            n += snprintf(text + n, room - (size_t)n,
                          f == ARP_SHA || f == ARP_THA ? " %s=%012llx" : " %s=%llu", name + 1,
                          (unsigned long long)p->v[f]);
        }
    }
    if (*p->want && n > 0 && (size_t)n < room)
        snprintf(text + n, room - (size_t)n, " <%s>", p->want);
}
