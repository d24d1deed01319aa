/* Each attempt is made in a process of its own, in a network namespace, with a raw socket that
 * it was given. */
#include "health/confinement.h"
#include "tests/support/test.h"
#include "tests/unit/health/own_network.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FINE = 0,
    DIFFERENT = 1,
    NOT_CONFINED = 2,
    HDRINCL_OF_IPV6 = 36,
    LEVEL_RAW = 255
};

static bool has_network;
static int v4, v6;

static int enter(void **state)
{
    has_network = own_network_enter();
    if (!has_network)
        return 0;
    v4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    v6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    return v4 < 0 || v6 < 0;
}

static void assert_fine(int (*attempt)(void))
{
    if (!has_network)
        skip();
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(confinement_enter() ? attempt() : NOT_CONFINED);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, W_EXITCODE(FINE, 0));
}

/* Also with bits in the upper half of the argument, at which the kernel does not look. */
static int is_refused(int fd, int level, int option)
{
    int on = 1;
    for (uint64_t high = 0; high < 2; high++) {
        long rv = syscall(SYS_setsockopt, (long)fd, high << 32 | (uint64_t)level,
                          high << 32 | (uint64_t)option, &on, sizeof(on));
        if (rv == 0 || errno != EPERM)
            return DIFFERENT;
    }
    return FINE;
}

static int write_ipv4_header(void)
{
    return is_refused(v4, IPPROTO_IP, IP_HDRINCL);
}

static int write_ipv6_header(void)
{
    return is_refused(v6, IPPROTO_IPV6, HDRINCL_OF_IPV6);
}

static int write_ipv6_header_by_the_raw_level(void)
{
    return is_refused(v6, LEVEL_RAW, HDRINCL_OF_IPV6);
}

static void nobody_writes_ip_headers(void **state)
{
    assert_fine(write_ipv4_header);
    assert_fine(write_ipv6_header);
    assert_fine(write_ipv6_header_by_the_raw_level);
}

static int start_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno == EPERM ? FINE : DIFFERENT;
}

static int go_round(void)
{
    char parameters[128] = {0};
    return syscall(SYS_io_uring_setup, 8, parameters) < 0 && errno == EPERM ? FINE : DIFFERENT;
}

static void no_program_is_started_and_nothing_asked_for_by_io_uring(void **state)
{
    assert_fine(start_program);
    assert_fine(go_round);
}

static int set_what_probes_need(void)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) == 0 &&
                setsockopt(fd6, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0;
    return good ? FINE : DIFFERENT;
}

static void probes_get_the_options_that_they_need(void **state)
{
    assert_fine(set_what_probes_need);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_writes_ip_headers),
        cmocka_unit_test(no_program_is_started_and_nothing_asked_for_by_io_uring),
        cmocka_unit_test(probes_get_the_options_that_they_need),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
