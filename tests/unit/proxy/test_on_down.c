/* What becomes of the connections to a member that goes down, as `on_down` of its pool says.
 * The members are a, which goes down, and b. */
#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static struct world world;
static struct origin a, b;

static const uint8_t on_downs[] = {SNAPSHOT_ON_DOWN_KEEP, SNAPSHOT_ON_DOWN_DRAIN,
                                   SNAPSHOT_ON_DOWN_RESET};

static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    world.image.members[1].backup = 1; /* a has all, while it is up */
    image_schedule(&world.image);
    world_monitor(&world);
    world_apply(&world);
    b.gate_is_open = true;
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

static void set_on_down(uint8_t on_down)
{
    world.image.pool.on_down = on_down;
    world_apply(&world);
}

/* When this returns, all workers have seen it. */
static void take_down(void)
{
    world_judge(&world, 0, VERDICT_ERROR);
    world_apply(&world);
}

static void bring_up(void)
{
    world_judge(&world, 0, VERDICT_ONLINE);
    world_apply(&world);
}

static uint64_t ended_by(enum termination why)
{
    return WORLD_SUM(&world, listeners[0].terminations[why]) +
           WORLD_SUM(&world, listeners[1].terminations[why]);
}

/* A request that a has. */
static void ask_a(struct visitor *visitor, const struct ip_endpoint *where, const char *request)
{
    unsigned before = a.requests;
    visitor_connect(visitor, where);
    visitor_say(visitor, request);
    served_world_await_requests(&a, before + 1);
}

static bool is_answered_by(struct visitor *visitor, const char *name)
{
    return visitor_read(visitor, "GET") == 200 &&
           strcmp(text_string(&visitor->answer.body), name) == 0;
}

static bool is_reset(struct visitor *visitor)
{
    char byte;
    return recv(visitor->fd, &byte, 1, 0) < 0 && errno == ECONNRESET;
}

/* One more request and its answer over a connection that a has. */
static bool is_served(struct visitor *visitor)
{
    visitor_say(visitor, GET("/who"));
    return is_answered_by(visitor, "member a");
}

static void kept_connections_of_a_member_that_goes_down_are_closed(void **state)
{
    char body[64];
    for (size_t i = 0; i < ARRAY_LENGTH(on_downs); i++) {
        bring_up();
        set_on_down(on_downs[i]);
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        WORLD_AWAIT(WORLD_SUM(&world, proxy.kept_connections) == 1);
        world_judge(&world, 0, VERDICT_ERROR);
        WORLD_AWAIT(WORLD_SUM(&world, proxy.kept_connections) == 0);
        WORLD_AWAIT(a.open == 0);
    }
}

static void requests_end_with_keep_and_drain_and_leave_no_kept_connection(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct visitor visitor;
        bring_up();
        set_on_down(on_downs[i]);
        a.gate_is_open = false;
        ask_a(&visitor, &world.http, GET("/gate"));
        take_down();
        a.gate_is_open = true;
        assert_true(is_answered_by(&visitor, "member a"));
        WORLD_AWAIT(a.open == 0);
        visitor_say(&visitor, GET("/who")); /* the client's connection goes on, elsewhere */
        assert_true(is_answered_by(&visitor, "member b"));
        visitor_leave(&visitor);
    }
}

static void with_reset_a_request_without_an_answer_goes_to_another_member(void **state)
{
    struct visitor visitor;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.http, GET("/gate"));
    world_judge(&world, 0, VERDICT_ERROR);
    assert_true(is_answered_by(&visitor, "member b"));
    visitor_leave(&visitor);
    a.gate_is_open = true;
    WORLD_AWAIT(ended_by(TERMINATION_COMPLETE) == 1);
    assert_int_equal(WORLD_SUM(&world, pools[0].retries), 1);
}

static void with_reset_a_request_that_may_do_harm_twice_is_answered_502(void **state)
{
    struct visitor visitor;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.http,
          "POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nok");
    world_judge(&world, 0, VERDICT_ERROR);
    assert_int_equal(visitor_read(&visitor, "POST"), 502);
    visitor_leave(&visitor);
    a.gate_is_open = true;
    WORLD_AWAIT(ended_by(TERMINATION_MEMBER_DOWN) == 1);
    assert_int_equal(b.requests, 0);
}

static void with_reset_a_request_that_nobody_else_can_take_is_answered_502(void **state)
{
    struct visitor visitor;
    world.image.members[1].enabled = 0;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.http, GET("/gate"));
    world_judge(&world, 0, VERDICT_ERROR);
    assert_int_equal(visitor_read(&visitor, "GET"), 502);
    visitor_leave(&visitor);
    a.gate_is_open = true;
}

static void with_reset_half_an_answer_ends_by_a_reset(void **state)
{
    char byte;
    struct visitor visitor;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.http, GET("/stall"));
    assert_int_equal(recv(visitor.fd, &byte, 1, MSG_PEEK), 1); /* it has begun */
    world_judge(&world, 0, VERDICT_ERROR);
    assert_int_equal(visitor_read(&visitor, "GET"), -1);
    visitor_leave(&visitor);
    WORLD_AWAIT(ended_by(TERMINATION_MEMBER_DOWN) == 1);
}

/* A member whose queue is full does not answer attempts to connect. */
static void with_reset_nobody_waits_for_the_member_to_accept(void **state)
{
    int fds[SERVED_WORLD_QUEUE];
    struct visitor visitor;
    served_world_fill_queue(fds, &world.image.members[0].endpoint);
    world.image.members[0].incarnation++;
    world.image.listeners[0].timeout_member_connect_ms = 10 * WORLD_PATIENCE_MS;
    world_monitor(&world);
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/who"));
    WORLD_AWAIT(WORLD_SUM(&world, members[0].connects) == 1);
    world_judge(&world, 0, VERDICT_ERROR);
    assert_true(is_answered_by(&visitor, "member b"));
    visitor_leave(&visitor);
    assert_int_equal(WORLD_SUM(&world, members[0].connect_failures), 0);
    served_world_close_queue(fds);
}

static void with_keep_a_tcp_connection_goes_on(void **state)
{
    struct visitor visitor;
    ask_a(&visitor, &world.tcp, GET("/who"));
    assert_true(is_answered_by(&visitor, "member a"));
    take_down();
    assert_true(is_served(&visitor));
    visitor_leave(&visitor);
}

static void with_reset_a_tcp_connection_is_reset(void **state)
{
    struct visitor visitor;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.tcp, GET("/who"));
    assert_true(is_answered_by(&visitor, "member a"));
    world_judge(&world, 0, VERDICT_ERROR);
    assert_true(is_reset(&visitor));
    visitor_leave(&visitor);
    WORLD_AWAIT(a.open == 0);
    WORLD_AWAIT(ended_by(TERMINATION_MEMBER_DOWN) == 1);
}

static void with_reset_a_tunnel_is_reset(void **state)
{
    struct visitor visitor;
    char last = 0;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.http,
          "GET /upgrade HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\n"
          "Upgrade: websocket\r\n\r\n");
    while (last != ':') /* of the greeting */
        assert_int_equal(recv(visitor.fd, &last, 1, 0), 1);
    world_judge(&world, 0, VERDICT_ERROR);
    WORLD_AWAIT(ended_by(TERMINATION_MEMBER_DOWN) == 1);
    visitor_leave(&visitor);
}

/* However busy: at the latest when the listener's timeout_member_data has passed. */
static void with_drain_a_busy_tcp_connection_has_the_time_that_a_member_has(void **state)
{
    enum {
        DRAIN_MS = 500
    };
    struct visitor visitor;
    world.image.listeners[1].timeout_member_data_ms = DRAIN_MS;
    set_on_down(SNAPSHOT_ON_DOWN_DRAIN);
    ask_a(&visitor, &world.tcp, GET("/who"));
    assert_true(is_answered_by(&visitor, "member a"));
    uint64_t began_ms = monotime_now_ms();
    take_down();
    while (is_served(&visitor))
        assert_in_range(monotime_now_ms() - began_ms, 0, WORLD_PATIENCE_MS);
    assert_true(monotime_now_ms() - began_ms >= DRAIN_MS);
    visitor_leave(&visitor);
    WORLD_AWAIT(ended_by(TERMINATION_MEMBER_DOWN) == 1);
}

/* A request that becomes a tunnel only after its member went down. */
static void with_drain_a_tunnel_that_begins_late_ends_too(void **state)
{
    enum {
        DRAIN_MS = 300
    };
    struct visitor visitor;
    world.image.listeners[0].timeout_member_data_ms = DRAIN_MS;
    set_on_down(SNAPSHOT_ON_DOWN_DRAIN);
    ask_a(&visitor, &world.http,
          "GET /late-upgrade HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\n"
          "Upgrade: websocket\r\n\r\n");
    take_down();
    a.gate_is_open = true;
    WORLD_AWAIT(ended_by(TERMINATION_MEMBER_DOWN) == 1);
    visitor_leave(&visitor);
}

static void a_member_that_comes_back_keeps_what_was_to_drain(void **state)
{
    enum {
        DRAIN_MS = 300
    };
    struct visitor visitor;
    world.image.listeners[1].timeout_member_data_ms = DRAIN_MS;
    set_on_down(SNAPSHOT_ON_DOWN_DRAIN);
    ask_a(&visitor, &world.tcp, GET("/who"));
    assert_true(is_answered_by(&visitor, "member a"));
    take_down();
    bring_up();
    uint64_t until_ms = monotime_now_ms() + 2 * DRAIN_MS;
    while (monotime_now_ms() < until_ms)
        assert_true(is_served(&visitor));
    visitor_leave(&visitor);
}

static void without_a_monitor_a_verdict_of_before_ends_nothing(void **state)
{
    struct visitor visitor;
    world.image.monitor.enabled = 0;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.tcp, GET("/who"));
    assert_true(is_answered_by(&visitor, "member a"));
    take_down();
    assert_true(is_served(&visitor));
    visitor_leave(&visitor);
}

/* Verdicts do not count then. */
static void a_pool_that_fails_open_resets_nothing_and_serves(void **state)
{
    char body[64];
    struct visitor visitor;
    world.image.pool.fail_open_percent = 60;
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    ask_a(&visitor, &world.tcp, GET("/who"));
    assert_true(is_answered_by(&visitor, "member a"));
    take_down();
    world_wait(&world, &world.events[EVENT_POOL_FAILS_OPEN], 1);
    assert_true(is_served(&visitor));
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
    assert_string_equal(body, "member a");
    assert_int_equal(WORLD_SUM(&world, pools[0].fails_open), 1);
    bring_up();
    world_wait(&world, &world.events[EVENT_POOL_FAILS_OPEN_NO_MORE], 1);
    assert_int_equal(WORLD_SUM(&world, pools[0].fails_open), 0);
    visitor_leave(&visitor);
}

/* More than one turn of a worker takes. */
static void with_reset_all_of_many_connections_end(void **state)
{
    enum {
        MANY = 700
    };
    static struct visitor visitors[MANY];
    set_on_down(SNAPSHOT_ON_DOWN_RESET);
    for (int i = 0; i < MANY; i++)
        visitor_connect(&visitors[i], &world.tcp);
    WORLD_AWAIT(WORLD_SUM(&world, members[0].active) == MANY && a.open == MANY);
    world_judge(&world, 0, VERDICT_ERROR);
    WORLD_AWAIT(WORLD_SUM(&world, members[0].active) == 0);
    for (int i = 0; i < MANY; i++) {
        assert_true(is_reset(&visitors[i]));
        visitor_leave(&visitors[i]);
    }
    WORLD_AWAIT(ended_by(TERMINATION_MEMBER_DOWN) == MANY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kept_connections_of_a_member_that_goes_down_are_closed),
        TEST(requests_end_with_keep_and_drain_and_leave_no_kept_connection),
        TEST(with_reset_a_request_without_an_answer_goes_to_another_member),
        TEST(with_reset_a_request_that_may_do_harm_twice_is_answered_502),
        TEST(with_reset_a_request_that_nobody_else_can_take_is_answered_502),
        TEST(with_reset_half_an_answer_ends_by_a_reset),
        TEST(with_reset_nobody_waits_for_the_member_to_accept),
        TEST(with_keep_a_tcp_connection_goes_on),
        TEST(with_reset_a_tcp_connection_is_reset),
        TEST(with_reset_a_tunnel_is_reset),
        TEST(with_drain_a_busy_tcp_connection_has_the_time_that_a_member_has),
        TEST(with_drain_a_tunnel_that_begins_late_ends_too),
        TEST(a_member_that_comes_back_keeps_what_was_to_drain),
        TEST(without_a_monitor_a_verdict_of_before_ends_nothing),
        TEST(a_pool_that_fails_open_resets_nothing_and_serves),
        TEST(with_reset_all_of_many_connections_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
