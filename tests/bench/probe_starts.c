/* When probes start, seen from outside: `probe_starts SECONDS` listens to the loopback
 * interface and writes a line "MICROSECONDS ADDRESS PORT" for each TCP connection attempt and
 * each ICMP echo request that leaves in that time: address as hexadecimal number, PORT of the
 * sender, that tells an attempt that is repeated from a new one (of an echo: 0). The clock is
 * the kernel's wall clock at the moment of sending, the same for whoever probes. The first
 * line, "ready", comes when it listens. */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ROOM = 64 << 20,
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    FLAGS_OFFSET = 13,
    FLAG_SYN = 2,
    FLAG_ACK = 16,
    ECHO_REQUEST = 8
};

/* Outgoing IPv4 packets: TCP with SYN and without ACK, ICMP echo requests. */
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 9),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROTOCOL_ICMP, 4, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROTOCOL_TCP, 0, 5),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, FLAGS_OFFSET),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAG_SYN | FLAG_ACK),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLAG_SYN, 3, 2),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ECHO_REQUEST, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, 64),
};

static int open_tap(void)
{
    struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
    struct sockaddr_ll place = {.sll_family = AF_PACKET,
                                .sll_protocol = htons(ETH_P_ALL),
                                .sll_ifindex = (int)if_nametoindex("lo")};
    int room = ROOM, yes = 1;
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)) != 0 ||
        bind(fd, (struct sockaddr *)&place, sizeof(place)) != 0)
        return -1;
    return fd;
}

static uint64_t stamp_us(struct msghdr *message)
{
    struct timespec stamp = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
            memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
    }
    return (uint64_t)stamp.tv_sec * 1000000 + (uint64_t)stamp.tv_nsec / 1000;
}

static void take_one(int fd)
{
    uint8_t packet[64], control[64];
    struct iovec part = {packet, sizeof(packet)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    if (recvmsg(fd, &message, MSG_DONTWAIT) < 20)
        return;
    uint32_t address;
    uint16_t port;
    memcpy(&address, packet + 16, sizeof(address));
    memcpy(&port, packet + (packet[0] & 15) * 4, sizeof(port));
    printf("%llu %08x %u\n", (unsigned long long)stamp_us(&message), ntohl(address),
           packet[9] == PROTOCOL_TCP ? ntohs(port) : 0);
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 0, or 1 when the kernel had no room for some. */
static int report_loss(int fd)
{
    struct tpacket_stats counted;
    socklen_t size = sizeof(counted);
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counted, &size) == 0 &&
        counted.tp_drops == 0)
        return 0;
    fprintf(stderr, "probe_starts: %u packets were lost\n", counted.tp_drops);
    return 1;
}

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open_tap() : -1;
    if (fd < 0) {
        fprintf(stderr, "usage: probe_starts SECONDS; needs root\n");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (double end = now_seconds() + strtod(argv[1], NULL), left;
         (left = end - now_seconds()) > 0;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, (int)(left * 1000) + 1) > 0)
            take_one(fd);
    }
    return report_loss(fd);
}
