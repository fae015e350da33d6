/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's side of sockmap.c: what a socket receives goes out of the one it is paired with. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_SOCKHASH);
    __uint(max_entries, 65536);
    __type(key, __u64); /* cookie of the socket that receives */
    __type(value, __u32);
} pairs SEC(".maps");

SEC("sk_skb/stream_verdict")
int relay(struct __sk_buff *skb)
{
    __u64 cookie = bpf_get_socket_cookie(skb);
    return (int)bpf_sk_redirect_hash(skb, &pairs, &cookie, 0);
}

char relay_license[] SEC("license") = "Dual BSD/GPL";
