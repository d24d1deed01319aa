#include "tests/unit/health/own_network.h"

#include "tests/support/test.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void set(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, value, strlen(value)), strlen(value));
    close(fd);
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    request.ifr_flags |= IFF_UP;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

bool own_network_enter(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
        print_message("SKIPPED: a network namespace needs root\n");
        return false;
    }
    raise_loopback();
    return true;
}

static void control(int fd, unsigned long request, struct ifreq *argument)
{
    assert_int_equal(ioctl(fd, request, argument), 0);
}

int own_network_open_silence(void)
{
    struct ifreq request = {.ifr_name = "silence", .ifr_flags = IFF_TAP | IFF_NO_PI};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) {
        print_message("SKIPPED: no network interface for tests\n");
        close(tap);
        return -1;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(&request.ifr_addr, &address, sizeof(address));
    control(fd, SIOCSIFADDR, &request);
    address.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&request.ifr_netmask, &address, sizeof(address));
    control(fd, SIOCSIFNETMASK, &request);
    request.ifr_flags = IFF_UP;
    control(fd, SIOCSIFFLAGS, &request);
    close(fd);
    set("/proc/sys/net/ipv4/neigh/silence/retrans_time_ms", "200");
    return tap;
}

void own_network_allow_echo_sockets(bool allowed)
{
    set("/proc/sys/net/ipv4/ping_group_range", allowed ? "0 2147483647" : "1 0");
}

void own_network_answer_pings(bool answered)
{
    set("/proc/sys/net/ipv4/icmp_echo_ignore_all", answered ? "0" : "1");
    set("/proc/sys/net/ipv6/icmp/echo_ignore_all", answered ? "0" : "1");
}
