/* The sockets in a network namespace of their own: what can be read from them, and by whom. */
#include "health/icmp_echo.h"
#include "health/icmp_sockets.h"
#include "lbnode/base/ip_address.h"
#include "tests/support/test.h"
#include "tests/unit/health/own_network.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 5000,
    FILTER_LOCKED = EPERM
};

static bool has_network;

static int enter(void **state)
{
    has_network = own_network_enter();
    return 0;
}

static void need_network(bool echo_sockets)
{
    if (!has_network)
        skip();
    own_network_allow_echo_sockets(echo_sockets);
    own_network_answer_pings(true);
}

static int type_of(int fd)
{
    int type = 0;
    socklen_t size = sizeof(type);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size), 0);
    return type;
}

static enum icmp_framing framing_of(const struct icmp_sockets *sockets, size_t i)
{
    if (i == 1)
        return ICMP_V6_MESSAGE;
    return type_of(sockets->fds[0]) == SOCK_RAW ? ICMP_V4_DATAGRAM : ICMP_V4_MESSAGE;
}

/* Sends MESSAGE of SIZE bytes to loopback. */
static void send_to_loopback(int fd, size_t family_index, const void *message, size_t size)
{
    struct ip_endpoint to;
    struct sockaddr_storage address;
    assert_true(ip_endpoint_parse(family_index ? "[::1]:1" : "127.0.0.1:1", 0, &to));
    to.port = 0;
    socklen_t address_size = ip_endpoint_to_sockaddr(&to, &address);
    assert_int_equal(sendto(fd, message, size, 0, (struct sockaddr *)&address, address_size),
                     size);
}

static void send_echo(int fd, size_t i, enum icmp_framing framing, struct icmp_echo echo)
{
    uint8_t message[ICMP_ECHO_SIZE];
    icmp_echo_write(&echo, framing, message);
    send_to_loopback(fd, i, message, sizeof(message));
}

/* The sequence number of the next thing that can be read there. */
static uint16_t next_sequence(int fd, enum icmp_framing framing)
{
    uint8_t received[512];
    struct icmp_echo echo;
    struct pollfd poll_fd = {fd, POLLIN, 0};
    assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
    ssize_t size = recv(fd, received, sizeof(received), 0);
    assert_true(size > 0);
    assert_true(icmp_echo_read((struct bytes){received, (size_t)size}, framing, &echo));
    return echo.sequence;
}

static void check_round_trips(void)
{
    struct icmp_sockets sockets = icmp_sockets_open();
    for (size_t i = 0; i < 2; i++) {
        enum icmp_framing framing = framing_of(&sockets, i);
        send_echo(sockets.fds[i], i, framing, (struct icmp_echo){sockets.identifier, 77, 1});
        assert_int_equal(next_sequence(sockets.fds[i], framing), 77);
    }
    icmp_sockets_close(&sockets);
}

static void echo_sockets_are_preferred(void **state)
{
    need_network(true);
    struct icmp_sockets sockets = icmp_sockets_open();
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(type_of(sockets.fds[i]), SOCK_DGRAM);
    icmp_sockets_close(&sockets);
    check_round_trips();
}

static void raw_sockets_serve_where_echo_sockets_are_not_allowed(void **state)
{
    need_network(false);
    struct icmp_sockets sockets = icmp_sockets_open();
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(type_of(sockets.fds[i]), SOCK_RAW);
    icmp_sockets_close(&sockets);
    check_round_trips();
}

static void they_are_closed_on_exec_and_never_block(void **state)
{
    need_network(false);
    struct icmp_sockets sockets = icmp_sockets_open();
    for (size_t i = 0; i < 2; i++) {
        assert_true(fcntl(sockets.fds[i], F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(sockets.fds[i], F_GETFL) & O_NONBLOCK);
    }
    icmp_sockets_close(&sockets);
}

/* What others ask and are told, other sizes and other types come to no reader: of all that is
 * sent here, the first that can be read is the last. */
static void nothing_else_can_be_read(void **state)
{
    for (int echo_sockets = 0; echo_sockets < 2; echo_sockets++) {
        need_network(echo_sockets);
        struct icmp_sockets sockets = icmp_sockets_open();
        for (size_t i = 0; i < 2; i++) {
            enum icmp_framing framing = framing_of(&sockets, i);
            int other = socket(i ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC,
                               i ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
            struct icmp_echo echo = {(uint16_t)(sockets.identifier + 1), 1, 1};
            uint8_t longer[ICMP_ECHO_SIZE + 8] = {i ? 128 : 8};
            assert_true(other >= 0);
            send_echo(other, i, framing, echo); /* somebody else's ping */
            store_be16(longer + 4, sockets.identifier);
            send_to_loopback(sockets.fds[i], i, longer, sizeof(longer));
            static const uint8_t types[] = {3, 5, 11, 13, 134, 135, 137};
            for (size_t type = 0; type < sizeof(types); type++) {
                uint8_t message[ICMP_ECHO_SIZE] = {types[type]};
                store_be16(message + 4, sockets.identifier);
                send_to_loopback(other, i, message, sizeof(message));
            }
            echo = (struct icmp_echo){sockets.identifier, 99, 1};
            send_echo(sockets.fds[i], i, framing, echo);
            assert_int_equal(next_sequence(sockets.fds[i], framing), 99);
            close(other);
        }
        icmp_sockets_close(&sockets);
    }
}

static void the_filter_cannot_be_taken_off(void **state)
{
    for (int echo_sockets = 0; echo_sockets < 2; echo_sockets++) {
        need_network(echo_sockets);
        struct icmp_sockets sockets = icmp_sockets_open();
        for (size_t i = 0; i < 2; i++) {
            int nothing = 0;
            assert_int_equal(
                setsockopt(sockets.fds[i], SOL_SOCKET, SO_DETACH_FILTER, &nothing, 4), -1);
            assert_int_equal(errno, FILTER_LOCKED);
        }
        icmp_sockets_close(&sockets);
    }
}

static void an_echo_socket_sends_nothing_but_echo_requests(void **state)
{
    need_network(true);
    struct icmp_sockets sockets = icmp_sockets_open();
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint8_t redirect[ICMP_ECHO_SIZE] = {5};
    assert_int_equal(sendto(sockets.fds[0], redirect, sizeof(redirect), 0,
                            (struct sockaddr *)&to, sizeof(to)),
                     -1);
    assert_int_equal(errno, EINVAL);
    icmp_sockets_close(&sockets);
}

/* In a child, since the rights do not come back. */
static void without_rights_there_are_none(void **state)
{
    need_network(false);
    pid_t pid = fork();
    if (pid == 0) {
        struct icmp_sockets sockets;
        if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        sockets = icmp_sockets_open();
        _exit(sockets.fds[0] || sockets.fds[1]);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_sockets_are_preferred),
        cmocka_unit_test(raw_sockets_serve_where_echo_sockets_are_not_allowed),
        cmocka_unit_test(they_are_closed_on_exec_and_never_block),
        cmocka_unit_test(nothing_else_can_be_read),
        cmocka_unit_test(the_filter_cannot_be_taken_off),
        cmocka_unit_test(an_echo_socket_sends_nothing_but_echo_requests),
        cmocka_unit_test(without_rights_there_are_none),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
