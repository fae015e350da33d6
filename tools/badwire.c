/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bad wire between two Ethernet interfaces of this machine, in real time: the links of the
 * simulation (drivers/hosted/sim.h) between file descriptors instead of kernels. What befalls a
 * frame depends on the seed, the direction and the frame's number alone. Damage is one bit of an
 * IPv4 datagram, which a checksum finds; ARP, which has none, is left whole.
 *
 *     make badwire && build/hosted/tools/badwire --help
 *
 * Frames must come as they go onto a wire: at most 1,514 bytes and with their checksums done, so
 * the far end of a veth pair wants `ethtool -K IFACE tx off` (tools/laboratory/netns.py does it).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "drivers/hosted/sim.h"

enum { FRAME = 65536, BURST = 64, RECEIVE = 16 << 20, IPV4_AT = 12 };

static const char help[] =
    "badwire [OPTION VALUE]... END END: joins two Ethernet interfaces by a bad wire\n"
    "END is packet:IFACE, tap:NAME or tap-fd:N. Until SIGINT or SIGTERM, then counters.\n"
    "SIGUSR1 prints the counters and goes on.\n"
    "  --way ab|ba|both  which direction the options behind it are for (default: both)\n"
    "  --seed N          what happens to which frame (default: 1)\n"
    "  --delay T         each frame takes so long; T: 25ms, 300us, 1s\n"
    "  --jitter T        and up to so much more, in order all the same\n"
    "  --rate R          bits a second, 24 bytes of preamble, FCS and gap included; R: 10M, 64k\n"
    "  --queue B         bytes that wait for the rate, others are lost; B: 64k (default: no "
    "limit)\n"
    "  --loss P          share of frames that are lost; P: 1%, 0.01%\n"
    "  --burst N         a loss takes up to so many in a row\n"
    "  --double P        share that arrives twice\n"
    "  --damage P        share of IPv4 datagrams in which one bit is turned\n"
    "  --reorder P       share that may be overtaken\n"
    "  --late T          by up to so long\n";

struct end {
    int fd;
    const char *name;
    uint64_t refused; /* the interface is down, or its queue full */
    uint64_t missed;  /* came when our buffer was full: packet: only */
    bool packet;
};

static struct end ends[2];
static struct simworld *world;
static struct simlink *wire;
static uint32_t damage_ppm[2];
static volatile sig_atomic_t stop, tell;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        tell = 1;
    else
        stop = 1;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "badwire: %s: %s\n", what, why);
    exit(2);
}

/* A number and a unit out of a list such as "k=1000 M=1000000". */
static double number(const char *option, const char *text, const char *units)
{
    char *rest, unit[16];
    double n = strtod(text, &rest);
    if (rest == text || n < 0)
        fail(option, "expected a number");
    if (!*rest)
        return n;
    snprintf(unit, sizeof unit, " %.12s=", rest);
    const char *at = strstr(units, unit);
    if (!at)
        fail(option, "unknown unit");
    return n * strtod(at + strlen(unit), NULL);
}

static uint64_t duration(const char *option, const char *text)
{
    return (uint64_t)number(option, text, " ns=1 us=1e3 ms=1e6 s=1e9 ");
}

static uint64_t amount(const char *option, const char *text)
{
    return (uint64_t)number(option, text, " k=1e3 M=1e6 G=1e9 ");
}

static uint32_t share(const char *option, const char *text)
{
    double ppm = number(option, text, " %=0.01 ") * 1e6;
    if (ppm > 1e6)
        fail(option, "more than all");
    return (uint32_t)(ppm + 0.5);
}

static void set(struct simway *way, int c, const char *option, const char *v)
{
    switch (c) {
    case 'd':
        way->delay_ns = duration(option, v);
        break;
    case 'j':
        way->jitter_ns = duration(option, v);
        break;
    case 'r':
        way->rate_bps = amount(option, v);
        break;
    case 'q':
        way->queue_bytes = (uint32_t)amount(option, v);
        break;
    case 'l':
        way->loss_ppm = share(option, v);
        break;
    case 'b':
        way->burst = (uint32_t)amount(option, v);
        break;
    case '2':
        way->double_ppm = share(option, v);
        break;
    case 'x':
        way->damage_ppm = share(option, v);
        break;
    case 'o':
        way->reorder_ppm = share(option, v);
        break;
    default:
        way->reorder_ns = duration(option, v);
        break;
    }
}

static void options(int argc, char **argv, struct simlink_conf *c)
{
    static const struct option names[] = {
        {"help", no_argument, NULL, 'h'},         {"way", required_argument, NULL, 'w'},
        {"seed", required_argument, NULL, 's'},   {"delay", required_argument, NULL, 'd'},
        {"jitter", required_argument, NULL, 'j'}, {"rate", required_argument, NULL, 'r'},
        {"queue", required_argument, NULL, 'q'},  {"loss", required_argument, NULL, 'l'},
        {"burst", required_argument, NULL, 'b'},  {"double", required_argument, NULL, '2'},
        {"damage", required_argument, NULL, 'x'}, {"reorder", required_argument, NULL, 'o'},
        {"late", required_argument, NULL, 't'},   {NULL, 0, NULL, 0},
    };
    bool in[2] = {true, true};
    for (int ch, at = 0; (ch = getopt_long(argc, argv, "", names, &at)) != -1;) {
        if (ch == '?')
            exit(2);
        if (ch == 'h') {
            fputs(help, stdout);
            exit(0);
        }
        if (ch == 's') {
            c->seed = strtoull(optarg, NULL, 10);
        } else if (ch == 'w') {
            in[0] = strcmp(optarg, "ba") != 0;
            in[1] = strcmp(optarg, "ab") != 0;
            if (in[0] && in[1] && strcmp(optarg, "both") != 0)
                fail("way", "expected ab, ba or both");
        } else {
            for (int e = 0; e < 2; e++)
                if (in[e])
                    set(&c->way[e], ch, names[at].name, optarg);
        }
    }
    if (argc - optind != 2)
        fail("ends", "expected two, see --help");
}

/* --- ends --- */

static int open_tap(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    return fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 ? -1 : fd;
}

static int open_packet(const char *name)
{
    const int on = 1, room = RECEIVE;
    struct packet_mreq all = {.mr_ifindex = (int)if_nametoindex(name),
                              .mr_type = PACKET_MR_PROMISC};
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = all.mr_ifindex};
    int fd = all.mr_ifindex ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return fd;
}

static void open_end(struct end *e, const char *what)
{
    e->name = what;
    e->packet = strncmp(what, "packet:", 7) == 0;
    if (e->packet)
        e->fd = open_packet(what + 7);
    else if (strncmp(what, "tap:", 4) == 0)
        e->fd = open_tap(what + 4);
    else if (strncmp(what, "tap-fd:", 7) == 0)
        e->fd = atoi(what + 7);
    else
        fail(what, "expected packet:IFACE, tap:NAME or tap-fd:N");
    if (e->fd < 0 || fcntl(e->fd, F_SETFL, fcntl(e->fd, F_GETFL) | O_NONBLOCK) < 0)
        fail(what, strerror(errno));
}

static void arrives(void *arg, const uint8_t *frame, size_t n)
{
    struct end *e = arg;
    if (write(e->fd, frame, n) != (ssize_t)n)
        e->refused++;
}

static int take(int end)
{
    static uint8_t frame[FRAME];
    int got = 0;
    for (ssize_t n; got < BURST && (n = read(ends[end].fd, frame, sizeof frame)) > 0; got++) {
        bool ipv4 = n > IPV4_AT + 1 && frame[IPV4_AT] == 8 && frame[IPV4_AT + 1] == 0;
        simlink_way(wire, end)->damage_ppm = ipv4 ? damage_ppm[end] : 0;
        simlink_send(wire, end, frame, (size_t)n);
    }
    return got;
}

static void counters(void)
{
    for (int e = 0; e < 2; e++) {
        const struct simlink_stats *s = simlink_stats(wire, e);
        struct tpacket_stats lost = {0};
        socklen_t n = sizeof lost;
        if (ends[e].packet &&
            getsockopt(ends[e].fd, SOL_PACKET, PACKET_STATISTICS, &lost, &n) == 0) /* and clears */
            ends[e].missed += lost.tp_drops;
        printf("%s sent %llu bytes %llu lost %llu overflowed %llu doubled %llu damaged %llu "
               "reordered %llu arrived %llu refused %llu missed %llu\n",
               e ? "ba" : "ab", (unsigned long long)s->sent, (unsigned long long)s->bytes,
               (unsigned long long)s->lost, (unsigned long long)s->overflowed,
               (unsigned long long)s->doubled, (unsigned long long)s->damaged,
               (unsigned long long)s->reordered,
               (unsigned long long)(s->arrived - ends[!e].refused),
               (unsigned long long)ends[!e].refused, (unsigned long long)ends[e].missed);
    }
    fflush(stdout);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* Signals come during the wait only, so none is lost between the look and the wait. */
static void run(const sigset_t *during_wait)
{
    struct pollfd files[2] = {{.fd = ends[0].fd, .events = POLLIN},
                              {.fd = ends[1].fd, .events = POLLIN}};
    while (!stop) {
        simworld_due(world, now());
        int got = take(0) + take(1);
        uint64_t next = simworld_next(world), at = now();
        uint64_t wait = got || next <= at ? 0 : next - at;
        struct timespec t = {(time_t)(wait / SECOND), (long)(wait % SECOND)};
        (void)ppoll(files, 2, next == UINT64_MAX && !got ? NULL : &t, during_wait);
        if (tell)
            counters();
        tell = 0;
    }
}

int main(int argc, char **argv)
{
    struct simlink_conf c = {.name = "wire", .seed = 1, .by_number = true};
    struct sigaction act = {.sa_handler = on_signal};
    sigset_t ours, before;
    options(argc, argv, &c);
    sigemptyset(&ours);
    const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    for (int i = 0; i < 3; i++) {
        sigaddset(&ours, numbers[i]);
        sigaction(numbers[i], &act, NULL);
    }
    sigprocmask(SIG_BLOCK, &ours, &before);
    prctl(PR_SET_TIMERSLACK, 1UL);
    world = c.world = simworld_make();
    wire = simlink_make(&c);
    for (int e = 0; e < 2; e++) {
        open_end(&ends[e], argv[optind + e]);
        damage_ppm[e] = c.way[e].damage_ppm;
        simlink_attach(wire, e, arrives, &ends[e]);
    }
    puts("ready");
    fflush(stdout);
    run(&before);
    counters();
    simworld_free(world);
    return 0;
}
