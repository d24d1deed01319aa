#include "health/icmp_sockets.h"

#include "health/icmp_echo.h"
#include "lbnode/base/random.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <unistd.h>

enum {
    /* Answers of a second or two in which this process does not run, and requests that wait for
     * the link address of as many silent neighbours (each up to 3 s). */
    RECEIVE_BUFFER_SIZE = 4 << 20,
    SEND_BUFFER_SIZE = 8 << 20,
    IDENTIFIER_ATTEMPTS = 16,
    MESSAGE_FILTER_AT = 4, /* where the part begins that does not skip an IPv4 header */
};

/* Accepts an echo reply of our size with our identifier. A raw IPv4 socket has the IPv4 header
 * before it; the first three instructions step over that. */
static int attach_filter(int fd, bool after_ip_header, uint8_t type, uint16_t identifier)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* X: size of the IPv4 header */
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
        BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
        BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0), /* X: 0 */
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHO_SIZE, 0, 5),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)type << 8, 0, 3), /* and code 0 */
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, identifier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    size_t first = after_ip_header ? 0 : MESSAGE_FILTER_AT;
    struct sock_fprog program = {(unsigned short)(ARRAY_LENGTH(code) - first), code + first};
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) != 0)
        return -errno;
    return 0;
}

static int pass_only_echo_replies(int fd)
{
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) ? -errno : 0;
}

/* Larger than the system's usual limit where this process may. */
static void enlarge(int fd, int forced, int usual, int size)
{
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) != 0)
        setsockopt(fd, SOL_SOCKET, usual, &size, sizeof(size));
}

/* The port of an echo socket is its identifier. */
static int take_identifier(int fd, int family, uint16_t identifier)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(identifier)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(identifier)};
    int rv = family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
                               : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
    return rv != 0 ? -errno : 0;
}

/* A descriptor or -errno. */
static int open_one(int family, int type, uint16_t identifier)
{
    bool is_v6 = family == AF_INET6, is_raw = type == SOCK_RAW;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    if (fd < 0)
        return -errno;
    int rv = attach_filter(fd, is_raw && !is_v6, is_v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY,
                           identifier);
    if (rv == 0 && is_raw && is_v6)
        rv = pass_only_echo_replies(fd);
    if (rv == 0 && !is_raw)
        rv = take_identifier(fd, family, identifier);
    if (rv != 0) {
        close(fd);
        return rv;
    }
    enlarge(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER_SIZE);
    enlarge(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER_SIZE);
    return fd;
}

/* -EADDRINUSE: somebody else has the identifier. */
static int open_family(int family, uint16_t identifier)
{
    int fd = open_one(family, SOCK_DGRAM, identifier);
    return fd < 0 && fd != -EADDRINUSE ? open_one(family, SOCK_RAW, identifier) : fd;
}

struct icmp_sockets icmp_sockets_open(void)
{
    struct icmp_sockets sockets = {.identifier = 0};
    for (unsigned i = 0; i < IDENTIFIER_ATTEMPTS; i++) {
        sockets.identifier = (uint16_t)(1 + random_u64() % UINT16_MAX);
        int v4 = open_family(AF_INET, sockets.identifier);
        int v6 = open_family(AF_INET6, sockets.identifier);
        sockets.fds[0] = v4 > 0 ? v4 : 0;
        sockets.fds[1] = v6 > 0 ? v6 : 0;
        if (v4 != -EADDRINUSE && v6 != -EADDRINUSE)
            break;
        icmp_sockets_close(&sockets);
    }
    return sockets;
}

void icmp_sockets_close(struct icmp_sockets *sockets)
{
    for (size_t i = 0; i < ARRAY_LENGTH(sockets->fds); i++) {
        if (sockets->fds[i] > 0)
            close(sockets->fds[i]);
        sockets->fds[i] = 0;
    }
}
