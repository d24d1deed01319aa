/* TCP listeners of a whole proxy process between real clients and members on loopback. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct world world;
static struct origin a, b;

static int setup(void **state)
{
    served_world_start(&world, &a, &b, true, 0);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

static void tcp_half_close_is_passed_on(void **state)
{
    static char data[3 << 20];
    char answer[64] = "", expected[64];
    struct visitor visitor;
    for (int i = 0; i < 4; i++) {
        visitor_connect(&visitor, &world.tcp);
        visitor_send(&visitor, data, sizeof(data));
        shutdown(visitor.fd, SHUT_WR);
        ssize_t size = recv(visitor.fd, answer, sizeof(answer) - 1, MSG_WAITALL);
        assert_true(size > 0);
        answer[size] = '\0';
        snprintf(expected, sizeof(expected), "%c got %zu", i % 2 ? 'b' : 'a', sizeof(data));
        assert_string_equal(answer, expected);
        visitor_leave(&visitor);
    }
}

static void tcp_goes_to_another_member_when_one_refuses(void **state)
{
    char answer[64] = "";
    struct visitor visitor;
    world.image.members[0].endpoint = image_loopback(origin_closed_port());
    world_apply(&world);
    for (int i = 0; i < 4; i++) {
        visitor_connect(&visitor, &world.tcp);
        visitor_say(&visitor, "x");
        shutdown(visitor.fd, SHUT_WR);
        assert_int_equal(recv(visitor.fd, answer, sizeof(answer) - 1, MSG_WAITALL), 7);
        assert_string_equal(answer, "b got 1");
        visitor_leave(&visitor);
    }
}

static void tcp_connections_end_when_idle_for_too_long(void **state)
{
    struct visitor visitor;
    world.image.listeners[1].timeout_client_data_ms = 100;
    world_apply(&world);
    visitor_connect(&visitor, &world.tcp);
    assert_true(visitor_is_closed(&visitor));
    visitor_leave(&visitor);
}

/* Both members are one that the test plays. Its listening socket. */
static int serve_by_hand(void)
{
    struct ip_endpoint endpoint = image_loopback(0);
    struct sockaddr_storage address;
    struct timeval patience = {WORLD_PATIENCE_MS / 1000, 0};
    socklen_t size = ip_endpoint_to_sockaddr(&endpoint, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, &endpoint));
    for (int i = 0; i < 2; i++) {
        world.image.members[i].endpoint = endpoint;
        world.image.members[i].incarnation++;
    }
    world_apply(&world);
    return fd;
}

/* The kernel would acknowledge by itself after 200 ms. */
static void a_member_that_speaks_first_need_not_wait(void **state)
{
    uint64_t least_ms = UINT64_MAX;
    int listening = serve_by_hand();
    for (int i = 0; i < 10; i++) {
        char greeting[6] = "";
        struct visitor visitor;
        uint64_t begun_ms = monotime_now_ms();
        visitor_connect(&visitor, &world.tcp);
        int member = accept(listening, NULL, NULL);
        assert_true(member >= 0);
        assert_int_equal(send(member, "hello", 5, MSG_NOSIGNAL), 5);
        assert_int_equal(recv(visitor.fd, greeting, 5, MSG_WAITALL), 5);
        assert_string_equal(greeting, "hello");
        uint64_t took_ms = monotime_now_ms() - begun_ms;
        least_ms = took_ms < least_ms ? took_ms : least_ms;
        close(member);
        visitor_leave(&visitor);
    }
    close(listening);
    assert_in_range(least_ms, 0, 150);
}

/* Both members are HTTP servers now; the relay does not care. */
static void serve_http(struct origin *origin)
{
    origin_start(origin, 'h', false);
    for (int i = 0; i < 2; i++) {
        world.image.members[i].endpoint = image_loopback(origin->port);
        world.image.members[i].incarnation++;
    }
    world_apply(&world);
}

static void tcp_bulk_arrives_byte_for_byte_at_a_slow_reader(void **state)
{
    struct origin web;
    struct visitor visitor;
    int small = 65536;
    serve_http(&web);
    for (int round = 0; round < 3; round++) {
        visitor_connect(&visitor, &world.tcp);
        if (round == 1)
            setsockopt(visitor.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        visitor_say(&visitor, "GET /big HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_int_equal(visitor_read(&visitor, "GET"), 200);
        assert_int_equal(visitor.answer.body.length, ORIGIN_BIG_SIZE);
        for (size_t i = 0; i < ORIGIN_BIG_SIZE; i++) {
            if (visitor.answer.body.data[i] != origin_byte(i))
                fail_msg("byte %zu differs", i);
        }
        visitor_leave(&visitor);
    }
    origin_stop(&web);
}

/* More than there are pipes: each of them is left in the middle, and others still work. */
static void tcp_bulk_that_is_given_up_leaves_nothing_behind(void **state)
{
    struct origin web;
    struct visitor visitor;
    serve_http(&web);
    for (int i = 0; i < 80; i++) {
        char data[200000];
        visitor_connect(&visitor, &world.tcp);
        visitor_say(&visitor, "GET /big HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_true(recv(visitor.fd, data, sizeof(data), MSG_WAITALL) > 0);
        visitor_leave(&visitor);
    }
    visitor_connect(&visitor, &world.tcp);
    visitor_say(&visitor, "GET /big HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_int_equal(visitor.answer.body.length, ORIGIN_BIG_SIZE);
    visitor_leave(&visitor);
    origin_stop(&web);
}

#define TCP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TCP_TEST(tcp_half_close_is_passed_on),
        TCP_TEST(tcp_goes_to_another_member_when_one_refuses),
        TCP_TEST(a_member_that_speaks_first_need_not_wait),
        TCP_TEST(tcp_bulk_arrives_byte_for_byte_at_a_slow_reader),
        TCP_TEST(tcp_bulk_that_is_given_up_leaves_nothing_behind),
        TCP_TEST(tcp_connections_end_when_idle_for_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
