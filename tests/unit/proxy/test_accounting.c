/* What the board says about requests: how each ended, and how long its phases took. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <sys/socket.h>
#include <unistd.h>

static struct world world;
static struct origin a, b, tcp;

static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    origin_start(&tcp, 't', true);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    origin_stop(&tcp);
    return 0;
}

/* All have ended once, each for one reason. */
static void assert_ended(uint32_t listener, enum termination why, uint64_t count)
{
    WORLD_AWAIT(WORLD_SUM(&world, listeners[listener].terminations[why]) >= count);
    for (unsigned i = 0; i < TERMINATION_COUNT; i++) {
        uint64_t sum = WORLD_SUM(&world, listeners[listener].terminations[i]);
        if (sum != (i == why ? count : 0))
            fail_msg("%s: %llu", termination_text((enum termination)i),
                     (unsigned long long)sum);
    }
}

static uint64_t count_of(size_t offset)
{
    uint64_t sum = 0;
    for (int i = 0; i < WORLD_WORKERS; i++) {
        const char *board = (const char *)&world.context.counters->workers[i];
        const struct latency_histogram *histogram = (const void *)(board + offset);
        for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
            sum += histogram->buckets[bucket];
    }
    return sum;
}

/* The worker counts one thing after the other, the end of the request first. */
#define ASSERT_COUNT(histogram, count)                                                         \
    do {                                                                                       \
        WORLD_AWAIT(count_of(offsetof(struct worker_counters, histogram)) >= (count));         \
        assert_int_equal(count_of(offsetof(struct worker_counters, histogram)), count);        \
    } while (0)

static void each_phase_of_a_request_is_observed_once(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    for (int i = 0; i < 10; i++) {
        visitor_say(&visitor, GET("/who"));
        assert_int_equal(visitor_read(&visitor, "GET"), 200);
    }
    assert_ended(0, TERMINATION_COMPLETE, 10);
    ASSERT_COUNT(listener_latencies[0].client_wait, 10);
    ASSERT_COUNT(listener_latencies[0].total, 10);
    ASSERT_COUNT(pool_latencies[0].queue, 10);
    ASSERT_COUNT(pool_latencies[0].connect, 2); /* the rest was reused */
    ASSERT_COUNT(pool_latencies[0].first_byte, 10);
    ASSERT_COUNT(pool_latencies[0].total, 10);
    ASSERT_COUNT(member_latencies[0].total, 5);
    ASSERT_COUNT(member_latencies[1].first_byte, 5);
    WORLD_AWAIT(WORLD_SUM(&world, pools[0].total) == 10);
    visitor_leave(&visitor);
}

/* The head comes in two pieces: what lies between them is the client's time. */
static void a_slow_head_is_the_clients_time(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "GET /who HTTP/1.1\r\n");
    WORLD_AWAIT(WORLD_SUM(&world, listeners[0].bytes_in) > 0);
    usleep(60000);
    visitor_say(&visitor, "Host: t\r\n\r\n");
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_ended(0, TERMINATION_COMPLETE, 1);
    ASSERT_COUNT(listener_latencies[0].total, 1);
    assert_true(WORLD_SUM(&world, listener_latencies[0].client_wait.sum_us) >= 50000);
    assert_true(WORLD_SUM(&world, listener_latencies[0].total.sum_us) >= 50000);
    ASSERT_COUNT(pool_latencies[0].total, 1);
    assert_true(WORLD_SUM(&world, listener_latencies[0].client_wait.sum_us) +
                    WORLD_SUM(&world, pool_latencies[0].queue.sum_us) <=
                WORLD_SUM(&world, listener_latencies[0].total.sum_us)); /* and nobody else's */
    visitor_leave(&visitor);
}

static void say_and_leave(const char *request)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, request);
    visitor_leave(&visitor);
}

static void ask(const char *request, int status)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, request);
    assert_int_equal(visitor_read(&visitor, "GET"), status);
    visitor_leave(&visitor);
}

static void a_client_that_leaves_within_a_head_is_told_as_such(void **state)
{
    say_and_leave("GET /who HT");
    assert_ended(0, TERMINATION_CLIENT_CLOSED, 1);
}

static void a_client_that_leaves_before_an_answer_frees_the_member(void **state)
{
    struct visitor visitor;
    uint64_t began_ms = monotime_now_ms();
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/never"));
    served_world_await_requests(&a, 1);
    visitor_leave(&visitor);
    assert_ended(0, TERMINATION_CLIENT_CLOSED, 1);
    WORLD_AWAIT(WORLD_SUM(&world, members[0].active) == 0);
    assert_in_range(monotime_now_ms() - began_ms, 0, 9000); /* and the member waits for 10 s */
}

static void a_bad_request_is_told_as_such(void **state)
{
    ask("GET /who HTTP/1.1\r\n\r\n", 400);
    ask("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405);
    assert_ended(0, TERMINATION_BAD_REQUEST, 2);
}

static void a_pool_without_members_is_told_as_such(void **state)
{
    world.image.members[0].enabled = world.image.members[1].enabled = 0;
    world_apply(&world);
    ask(GET("/who"), 503);
    assert_ended(0, TERMINATION_NO_MEMBER, 1);
}

static void members_that_refuse_are_told_as_such(void **state)
{
    world.image.members[0].endpoint = image_loopback(origin_closed_port());
    world.image.members[1].endpoint = image_loopback(origin_closed_port());
    world_apply(&world);
    ask(GET("/who"), 503);
    assert_ended(0, TERMINATION_CONNECT_FAILED, 1);
}

static void nonsense_of_a_member_is_told_as_such(void **state)
{
    ask(GET("/junk"), 502);
    ask(GET("/cut"), -1);
    assert_ended(0, TERMINATION_MEMBER_FAILED, 2);
}

static void a_silent_member_is_told_as_such(void **state)
{
    world.image.listeners[0].timeout_member_data_ms = 50;
    world_apply(&world);
    ask(GET("/never"), 504);
    assert_ended(0, TERMINATION_MEMBER_TIMEOUT, 1);
}

static void a_silent_client_is_told_as_such(void **state)
{
    world.image.listeners[0].timeout_client_data_ms = 50;
    world_apply(&world);
    ask("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhel", 408);
    assert_ended(0, TERMINATION_CLIENT_TIMEOUT, 1);
}

static void tcp_connections_are_accounted_for_too(void **state)
{
    struct visitor visitor;
    char answer[16];
    world.image.members[0].endpoint = world.image.members[1].endpoint =
        image_loopback(tcp.port);
    world_apply(&world);
    visitor_connect(&visitor, &world.tcp);
    visitor_say(&visitor, "hello");
    assert_int_equal(shutdown(visitor.fd, SHUT_WR), 0);
    assert_int_equal(recv(visitor.fd, answer, 7, MSG_WAITALL), 7);
    visitor_leave(&visitor);
    assert_ended(1, TERMINATION_COMPLETE, 1);
    ASSERT_COUNT(pool_latencies[0].connect, 1);
    ASSERT_COUNT(pool_latencies[0].first_byte, 1);
    ASSERT_COUNT(listener_latencies[1].total, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_phase_of_a_request_is_observed_once),
        TEST(a_slow_head_is_the_clients_time),
        TEST(a_client_that_leaves_within_a_head_is_told_as_such),
        TEST(a_client_that_leaves_before_an_answer_frees_the_member),
        TEST(a_bad_request_is_told_as_such),
        TEST(a_pool_without_members_is_told_as_such),
        TEST(members_that_refuse_are_told_as_such),
        TEST(nonsense_of_a_member_is_told_as_such),
        TEST(a_silent_member_is_told_as_such),
        TEST(a_silent_client_is_told_as_such),
        TEST(tcp_connections_are_accounted_for_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
