#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Finds which Debian packages a piece of work needs and does not have, says so, and installs them as
# root or through sudo. When nothing is missing it says nothing and touches no network.
# usage: tools/deps.sh GROUP...   with groups build lab test lint iso show bench
# It is the first thing a newcomer runs, so it needs nothing but a POSIX shell and dpkg.
set -eu

packages() {
    case $1 in
    build) echo gcc libc6-dev binutils make python3-minimal python3 newlib-source libbearssl-dev node-llhttp xz-utils ;;
    lab)   echo qemu-system-x86 ipxe-qemu iproute2 ethtool util-linux procps tcpdump curl nginx ;;
    test)  echo clang libclang-rt-14-dev llvm libcmocka-dev netcat-openbsd iputils-ping traceroute \
                iperf3 wrk python3-scapy dnsmasq-base ovmf openssh-client openssh-server ;;
    lint)  echo python3 clang-format clang-tidy cppcheck gcc libc6-dev libbearssl-dev node-llhttp ;;
    iso)   echo grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools ;;
    show)  echo graphviz ;;
    bench) echo cpio kmod busybox-static nftables haproxy libbpf-dev libelf-dev zlib1g-dev clang python3-matplotlib ;;
    *)     echo "deps.sh: unknown group $1; expected build lab test lint iso show bench" >&2; return 2 ;;
    esac
}

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: no dpkg here, so the packages cannot be checked; going on (see tools/deps.sh for the list)" >&2
    exit 0
fi

missing=
for group in "$@"; do
    list=$(packages "$group")
    for p in $list; do
        case " $missing " in *" $p "*) continue ;; esac
        installed "$p" || missing="$missing $p"
    done
done
[ -n "$missing" ] || exit 0

echo "deps.sh: for '$*' these Debian packages are missing:$missing"
if [ "$(id -u)" -eq 0 ]; then
    root=
elif command -v sudo >/dev/null; then
    root=sudo
    echo "deps.sh: installing them through sudo"
else
    echo "deps.sh: neither root nor sudo here; as root run: apt-get install$missing" >&2
    exit 1
fi

# A package with a daemon (nginx) would start it. The laboratory starts its own, in its own network.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$root rm -f $policy' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
    $root chmod 755 $policy
fi

install() {
    # shellcheck disable=SC2086  # a list of words on purpose
    $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $missing
}

# Lists that are old or absent make the first attempt fail; fetch them then, and only then.
if ! apt-cache show $missing >/dev/null 2>&1 || ! install; then
    echo "deps.sh: fetching the package lists (apt-get update)"
    $root apt-get update
    install
fi
for p in $missing; do
    if ! installed "$p"; then
        echo "deps.sh: $p is still not installed" >&2
        exit 1
    fi
done
echo "deps.sh: installed:$missing"
