#include "tests/unit/health/own_network.h"

#include "tests/support/test.h"

#include <fcntl.h>
#include <net/if.h>
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

void own_network_allow_echo_sockets(bool allowed)
{
    set("/proc/sys/net/ipv4/ping_group_range", allowed ? "0 2147483647" : "1 0");
}

void own_network_answer_pings(bool answered)
{
    set("/proc/sys/net/ipv4/icmp_echo_ignore_all", answered ? "0" : "1");
    set("/proc/sys/net/ipv6/icmp/echo_ignore_all", answered ? "0" : "1");
}
