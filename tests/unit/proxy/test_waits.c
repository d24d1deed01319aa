/* Each wait of the proxy, one by one: it lasts as long as it is said to, not shorter, and ends
 * in the way it is said to. Time is made to pass. */
#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/leap.h"
#include "tests/unit/proxy/served_world.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    DATA_MS = 50000,
    MARGIN_MS = 2000,
    CLOSED = 0, /* instead of a status: without a word */
    CUT = -1    /* within the answer, or by a reset */
};

static struct world world;
static struct origin a, b;

static int setup(void **state)
{
    leap_prepare();
    served_world_start(&world, &a, &b, false, 0);
    for (int i = 0; i < 2; i++) {
        world.image.listeners[i].timeout_client_data_ms = DATA_MS;
        world.image.listeners[i].timeout_member_data_ms = DATA_MS;
    }
    world.image.members[1].enabled = 0;
    world_apply(&world);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

/* Until nothing has moved for a while: the last byte is where the wait begins. */
static void settle(void)
{
    uint64_t before = 0, now = 1;
    struct pollfd nobody = {.fd = -1};
    while (before != now) {
        poll(&nobody, 1, 60); /* the stretch in which nothing may move */
        before = now;
        now = WORLD_SUM(&world, listeners[0].bytes_in) +
              WORLD_SUM(&world, listeners[0].bytes_out) +
              WORLD_SUM(&world, listeners[1].bytes_in) +
              WORLD_SUM(&world, members[0].bytes_out) +
              WORLD_SUM(&world, listeners[1].total_connections);
    }
}

static bool is_over(const struct visitor *visitor, int patience_ms)
{
    char byte;
    struct pollfd poll_fd = {.fd = visitor->fd, .events = POLLRDHUP};
    poll(&poll_fd, 1, patience_ms);
    return poll_fd.revents != 0 || recv(visitor->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static const struct {
    const char *name, *say;
    bool reads_answer; /* and then the wait begins */
    uint64_t limit_ms;
    int end; /* a status, CLOSED or CUT */
    enum termination why;
} rows[] = {
    {"silent from the start", "", false, 10000, 408, TERMINATION_CLIENT_TIMEOUT},
    {"head", "GET / HTTP/1.1\r\nHost: t\r\n", false, 10000, 408, TERMINATION_CLIENT_TIMEOUT},
    {"body", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nhalf", false, DATA_MS,
     408, TERMINATION_CLIENT_TIMEOUT},
    {"answer", GET("/never"), false, DATA_MS, 504, TERMINATION_MEMBER_TIMEOUT},
    {"rest of the answer", GET("/stall"), false, DATA_MS, CUT, TERMINATION_MEMBER_TIMEOUT},
    {"next request", GET("/who"), true, 60000, CLOSED, TERMINATION_COMPLETE},
    {"rest of the next head", GET("/who") "GET / ", true, 10000, 408,
     TERMINATION_CLIENT_TIMEOUT},
    {"tunnel",
     "GET /upgrade HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     true, 3600000, CUT, TERMINATION_CLIENT_TIMEOUT},
};

static void run_row(size_t row)
{
    struct visitor visitor;
    uint64_t ended = rows[row].why < TERMINATION_COUNT
                         ? WORLD_SUM(&world, listeners[0].terminations[rows[row].why])
                         : 0;
    uint64_t sent = WORLD_SUM(&world, listeners[0].bytes_out);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, rows[row].say);
    if (rows[row].reads_answer)
        assert_true(visitor_read(&visitor, "GET") >= 100);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.clients) == 1);
    if (rows[row].end == CUT) /* of an answer that has begun */
        WORLD_AWAIT(WORLD_SUM(&world, listeners[0].bytes_out) > sent);
    settle();
    leap(rows[row].limit_ms - MARGIN_MS);
    if (is_over(&visitor, 100))
        fail_msg("%s: too early", rows[row].name);
    leap(MARGIN_MS + 100);
    if (!is_over(&visitor, WORLD_PATIENCE_MS))
        fail_msg("%s: too late", rows[row].name);
    int end = rows[row].end == CLOSED ? (visitor_is_closed(&visitor) ? CLOSED : CUT)
                                      : visitor_read(&visitor, "GET");
    visitor_leave(&visitor);
    if (end != rows[row].end)
        fail_msg("%s: ended with %d", rows[row].name, end);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.clients) == 0);
    if (rows[row].why < TERMINATION_COUNT)
        WORLD_AWAIT(WORLD_SUM(&world, listeners[0].terminations[rows[row].why]) > ended);
}

static void each_wait_lasts_and_ends_as_it_is_said(void **state)
{
    for (size_t row = 0; row < ARRAY_LENGTH(rows); row++)
        run_row(row);
}

/* In real time: what the kernel still takes would begin the wait anew. */
static void a_client_that_does_not_read_is_cut_off(void **state)
{
    struct visitor visitor;
    world.image.listeners[0].timeout_client_data_ms = 1000;
    world_apply(&world);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/bytes/40000000"));
    assert_true(is_over(&visitor, WORLD_PATIENCE_MS));
    WORLD_AWAIT(WORLD_SUM(&world, listeners[0].terminations[TERMINATION_CLIENT_TIMEOUT]) == 1);
    visitor_leave(&visitor);
}

static void a_kept_connection_has_half_a_minute(void **state)
{
    char body[16];
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.kept_connections) == 1);
    settle();
    leap(30000 - MARGIN_MS);
    settle();
    assert_int_equal(WORLD_SUM(&world, proxy.kept_connections), 1);
    leap(MARGIN_MS + 100);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.kept_connections) == 0);
}

/* Both members are one that the test plays: a connection that it accepted and leaves alone. */
static int connect_by_hand(struct visitor *visitor, int *listening)
{
    struct ip_endpoint endpoint = image_loopback(0);
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&endpoint, &address);
    *listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(*listening, 16), 0);
    assert_int_equal(getsockname(*listening, (struct sockaddr *)&address, &size), 0);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address,
                                          &world.image.members[0].endpoint));
    world.image.members[0].incarnation++;
    world_apply(&world);
    visitor_connect(visitor, &world.tcp);
    int fd = accept(*listening, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

static void a_tcp_connection_without_a_byte_ends(void **state)
{
    int listening;
    struct visitor visitor;
    int fd = connect_by_hand(&visitor, &listening);
    settle();
    leap(DATA_MS - MARGIN_MS);
    assert_false(is_over(&visitor, 100));
    leap(MARGIN_MS + 100);
    assert_true(is_over(&visitor, WORLD_PATIENCE_MS));
    WORLD_AWAIT(WORLD_SUM(&world, listeners[1].terminations[TERMINATION_CLIENT_TIMEOUT]) == 1);
    visitor_leave(&visitor);
    close(fd);
    close(listening);
}

static void a_tcp_connection_that_is_half_closed_has_half_a_minute(void **state)
{
    char byte;
    int listening;
    struct visitor visitor;
    int fd = connect_by_hand(&visitor, &listening);
    shutdown(visitor.fd, SHUT_WR);
    assert_int_equal(recv(fd, &byte, 1, 0), 0); /* the member knows */
    settle();
    leap(30000 - MARGIN_MS);
    assert_false(is_over(&visitor, 100));
    leap(MARGIN_MS + 100);
    assert_true(is_over(&visitor, WORLD_PATIENCE_MS));
    visitor_leave(&visitor);
    close(fd);
    close(listening);
}

static void a_tcp_connection_to_a_member_that_drains_has_five_seconds(void **state)
{
    int listening;
    struct visitor visitor;
    world.image.pool.on_down = SNAPSHOT_ON_DOWN_DRAIN;
    world_monitor(&world);
    int fd = connect_by_hand(&visitor, &listening);
    settle();
    world_judge(&world, 0, VERDICT_ERROR);
    world_apply(&world);
    leap(5000 - MARGIN_MS);
    assert_false(is_over(&visitor, 100));
    visitor_say(&visitor, "x"); /* and five more */
    settle();
    leap(5000 - MARGIN_MS);
    assert_false(is_over(&visitor, 100));
    leap(MARGIN_MS + 100);
    assert_true(is_over(&visitor, WORLD_PATIENCE_MS));
    WORLD_AWAIT(WORLD_SUM(&world, listeners[1].terminations[TERMINATION_MEMBER_DOWN]) == 1);
    visitor_leave(&visitor);
    close(fd);
    close(listening);
}

static void draining_gives_requests_its_time_and_no_more(void **state)
{
    struct visitor visitor;
    struct message_stop stop = MESSAGE_OF(STOP, struct message_stop);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/never"));
    served_world_await_requests(&a, 1);
    stop.drain_ms = 40000;
    world_send(&world, &stop.header, -1);
    settle();
    leap(40000 - MARGIN_MS);
    assert_false(is_over(&visitor, 100));
    leap(MARGIN_MS + 100);
    assert_true(is_over(&visitor, WORLD_PATIENCE_MS));
    assert_int_equal(world_exit_status(&world), 0);
    assert_int_equal(WORLD_SUM(&world, listeners[0].terminations[TERMINATION_STOPPED]), 1);
    visitor_leave(&visitor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_wait_lasts_and_ends_as_it_is_said),
        TEST(a_client_that_does_not_read_is_cut_off),
        TEST(a_kept_connection_has_half_a_minute),
        TEST(a_tcp_connection_without_a_byte_ends),
        TEST(a_tcp_connection_that_is_half_closed_has_half_a_minute),
        TEST(a_tcp_connection_to_a_member_that_drains_has_five_seconds),
        TEST(draining_gives_requests_its_time_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
