/* Members with a connection limit, and who waits for them. */
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WAITERS = 6
};

static struct world world;
static struct origin a, b, tcp;

/* Members of one place each. */
static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    origin_start(&tcp, 't', true);
    for (int i = 0; i < 2; i++)
        world.image.members[i].connection_limit = 1;
    world.image.pool.is_limited = 1;
    world.image.pool.queue_limit = WAITERS;
    world.image.pool.queue_timeout_ms = 60000;
    world_apply(&world);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    origin_stop(&tcp);
    return 0;
}

static void only_member_a(void)
{
    world.image.members[1].enabled = 0;
    world_apply(&world);
}

static void wait_until_queued(uint64_t count)
{
    WORLD_AWAIT(WORLD_SUM(&world, pools[0].queued) == count);
}

/* Occupies a place until it is left. */
static void occupy(struct visitor *visitor, struct origin *origin, unsigned requests)
{
    visitor_connect(visitor, &world.http);
    visitor_say(visitor, GET("/never"));
    served_world_await_requests(origin, requests);
}

static void ask(struct visitor *visitor)
{
    visitor_connect(visitor, &world.http);
    visitor_say(visitor, GET("/who"));
}

static void who_finds_no_place_waits_and_is_served(void **state)
{
    struct visitor busy, waiting[WAITERS];
    only_member_a();
    occupy(&busy, &a, 1);
    for (unsigned i = 0; i < WAITERS; i++)
        ask(&waiting[i]);
    wait_until_queued(WAITERS);
    assert_int_equal(a.requests, 1);
    visitor_leave(&busy);
    for (unsigned i = 0; i < WAITERS; i++) { /* on either worker */
        assert_int_equal(visitor_read(&waiting[i], "GET"), 200);
        visitor_leave(&waiting[i]);
    }
    wait_until_queued(0);
    assert_int_equal(WORLD_SUM(&world, pools[0].total), 1 + WAITERS);
}

static void a_full_member_is_passed_over_and_a_backup_is_not_its_stand_in(void **state)
{
    struct visitor busy, visitor;
    char body[64];
    world.image.members[1].connection_limit = 0;
    world_apply(&world);
    occupy(&busy, &a, 1); /* the first turn is its */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        assert_string_equal(body, "member b");
    }
    world.image.members[1].backup = 1;
    image_schedule(&world.image);
    world_apply(&world);
    ask(&visitor);
    wait_until_queued(1);
    visitor_leave(&busy);
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_string_equal(text_string(&visitor.answer.body), "member a");
    visitor_leave(&visitor);
}

static void assert_refused(struct visitor *visitor, const char *reason)
{
    assert_int_equal(visitor_read(visitor, "GET"), 503);
    assert_non_null(strstr(text_string(&visitor->answer.body), reason));
    const struct http_head *head = &visitor->answer.head;
    struct bytes input = {(const uint8_t *)text_string(&visitor->answer.input), head->size};
    assert_non_null(memmem(input.data, input.size, "\r\nRetry-After: 1\r\n", 18));
    visitor_leave(visitor);
}

static void who_waits_for_too_long_is_told_so(void **state)
{
    struct visitor busy, visitor;
    world.image.pool.queue_timeout_ms = 50;
    only_member_a();
    occupy(&busy, &a, 1);
    ask(&visitor);
    assert_refused(&visitor, "no member had a free place in time");
    assert_int_equal(WORLD_SUM(&world, pools[0].queue_timeouts), 1);
    wait_until_queued(0);
    visitor_leave(&busy);
}

static void a_full_queue_refuses_at_once(void **state)
{
    struct visitor busy, waiting, visitor;
    world.image.pool.queue_limit = 1;
    only_member_a();
    occupy(&busy, &a, 1);
    ask(&waiting);
    wait_until_queued(1);
    ask(&visitor);
    assert_refused(&visitor, "the queue at its own");
    assert_int_equal(WORLD_SUM(&world, pools[0].queue_full), 1);
    visitor_leave(&busy);
    assert_int_equal(visitor_read(&waiting, "GET"), 200);
    visitor_leave(&waiting);
}

static void who_leaves_the_queue_costs_no_member_a_request(void **state)
{
    struct visitor busy, gone, visitor;
    only_member_a();
    occupy(&busy, &a, 1);
    ask(&gone);
    wait_until_queued(1);
    visitor_leave(&gone);
    wait_until_queued(0);
    ask(&visitor);
    wait_until_queued(1);
    visitor_leave(&busy);
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_int_equal(a.requests, 2);
    visitor_leave(&visitor);
}

static void the_limit_holds_under_load(void **state)
{
    static struct visitor visitors[40];
    world.image.pool.queue_limit = 100;
    world_apply(&world);
    for (unsigned i = 0; i < 40; i++)
        ask(&visitors[i]);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(visitor_read(&visitors[i], "GET"), 200);
        visitor_leave(&visitors[i]);
    }
    /* One request at a time needs one connection each at most; kept ones serve both workers. */
    assert_in_range(a.connections + b.connections, 2, 40);
    assert_int_equal(a.requests + b.requests, 40);
    wait_until_queued(0);
}

static void tcp_connections_wait_too(void **state)
{
    struct visitor first, second;
    char answer[8] = "";
    world.image.members[0].endpoint = image_loopback(tcp.port);
    only_member_a();
    visitor_connect(&first, &world.tcp);
    visitor_say(&first, "one");
    WORLD_AWAIT(tcp.connections >= 1);
    visitor_connect(&second, &world.tcp);
    visitor_say(&second, "two");
    assert_int_equal(shutdown(second.fd, SHUT_WR), 0); /* it has said all, and waits */
    wait_until_queued(1);
    visitor_leave(&first);
    assert_int_equal(recv(second.fd, answer, 7, MSG_WAITALL), 7);
    assert_string_equal(answer, "t got 3");
    visitor_leave(&second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_finds_no_place_waits_and_is_served),
        TEST(a_full_member_is_passed_over_and_a_backup_is_not_its_stand_in),
        TEST(who_waits_for_too_long_is_told_so),
        TEST(a_full_queue_refuses_at_once),
        TEST(who_leaves_the_queue_costs_no_member_a_request),
        TEST(the_limit_holds_under_load),
        TEST(tcp_connections_wait_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
