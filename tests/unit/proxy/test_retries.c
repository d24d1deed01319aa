/* What becomes of a request whose member fails it. */
#include "lbnode/base/monotime.h"
#include "proxy/retry_budget.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;
static struct origin a, b;

static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

static uint64_t sum_of_connects(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < WORLD_WORKERS; i++) {
        struct worker_counters *worker = &world.context.counters->workers[i];
        sum += worker->members[0].connects + worker->members[1].connects;
    }
    return sum;
}

static void a_member_that_closes_without_an_answer_is_passed_over(void **state)
{
    char body[64];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(visitor_get(&world.http, "/mute", body, sizeof(body)), 200);
        assert_string_equal(body, "member b");
    }
    assert_true(a.requests > 0);
}

static void a_request_that_may_do_harm_twice_is_not_repeated(void **state)
{
    unsigned bad = 0, good = 0;
    for (int i = 0; i < 8; i++) {
        struct visitor visitor;
        visitor_connect(&visitor, &world.http);
        visitor_say(&visitor, "POST /mute HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nok");
        int status = visitor_read(&visitor, "POST");
        bad += status == 502;
        good += status == 200;
        visitor_leave(&visitor);
    }
    assert_int_equal(bad, a.requests);
    assert_int_equal(good, b.requests);
    assert_int_equal(bad + good, 8);
}

static void a_lone_member_without_an_answer_is_asked_once(void **state)
{
    char body[256];
    world.image.members[1].enabled = 0;
    world_apply(&world);
    assert_int_equal(visitor_get(&world.http, "/mute", body, sizeof(body)), 502);
    assert_int_equal(a.requests, 1);
}

static void a_suspect_is_left_alone_while_another_member_serves(void **state)
{
    char body[64];
    uint64_t began_ms = monotime_now_ms();
    for (int i = 0; i < 100; i++)
        assert_int_equal(visitor_get(&world.http, "/mute", body, sizeof(body)), 200);
    uint64_t seconds = (monotime_now_ms() - began_ms) / 1000 + 1;
    /* Five failures on each worker, and one trial of each for each second of the test. */
    assert_in_range(a.requests, 5, WORLD_WORKERS * (5 + seconds));
}

/* Each worker adds the reserve of ten; without the budget there would be three attempts for
 * each request. */
static void a_dead_pool_is_not_flooded_with_repetitions(void **state)
{
    enum {
        REQUESTS = 60
    };
    char body[256];
    for (int i = 0; i < 2; i++) {
        world.image.members[i].endpoint = image_loopback(origin_closed_port());
        world.image.members[i].incarnation++;
    }
    world_apply(&world);
    uint64_t began_ms = monotime_now_ms();
    for (int i = 0; i < REQUESTS; i++)
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 503);
    /* The reserve is there anew in each window (of two halves) that the test meets. */
    uint64_t windows = ((monotime_now_ms() - began_ms) / RETRY_BUDGET_HALF_MS + 3) / 2;
    assert_in_range(sum_of_connects(), REQUESTS,
                    REQUESTS * 12 / 10 + WORLD_WORKERS * RETRY_BUDGET_RESERVE * windows);
}

#define RETRY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void put(struct visitor *visitor, const char *path, size_t size)
{
    char head[128];
    char *body = malloc(size);
    memset(body, 'x', size);
    snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n",
             path, size);
    visitor_say(visitor, head);
    visitor_send(visitor, body, size);
    free(body);
}

/* Kept whole until there is an answer, though it is longer than a small buffer. */
static void a_body_of_up_to_64_kib_can_be_sent_again(void **state)
{
    struct visitor visitor;
    world.image.members[1].enabled = 0;
    world_apply(&world);
    char answer[64];
    for (int i = 0; i < 20; i++) /* until both workers keep a connection */
        assert_int_equal(visitor_get(&world.http, "/once", answer, sizeof(answer)), 200);
    unsigned before = a.requests;
    visitor_connect(&visitor, &world.http);
    put(&visitor, "/once", 60000);
    assert_int_equal(visitor_read(&visitor, "PUT"), 200);
    assert_int_equal(a.requests, before + 2); /* over the kept connection, and a fresh one */
    visitor_leave(&visitor);
}

static void a_longer_body_goes_over_a_fresh_connection_at_first(void **state)
{
    struct visitor visitor;
    world.image.members[1].enabled = 0;
    world_apply(&world);
    char answer[64];
    assert_int_equal(visitor_get(&world.http, "/once", answer, sizeof(answer)), 200);
    visitor_connect(&visitor, &world.http);
    put(&visitor, "/once", 70000);
    assert_int_equal(visitor_read(&visitor, "PUT"), 200);
    assert_int_equal(a.requests, 2);
    assert_int_equal(a.connections, 2);
    visitor_leave(&visitor);
}

/* Also when the first member that it was meant for refuses: a connection that another client's
 * request left, and that the member is about to close, is not for it. */
static void what_may_do_harm_twice_goes_over_a_fresh_connection_everywhere(void **state)
{
    char answer[64];
    world.image.members[0].enabled = 0;
    world_apply(&world);
    for (int i = 0; i < 20; i++) /* until both workers keep a connection to b */
        assert_int_equal(visitor_get(&world.http, "/once", answer, sizeof(answer)), 200);
    world.image.members[0].enabled = 1;
    world.image.members[0].endpoint = image_loopback(origin_closed_port());
    world.image.members[0].incarnation++;
    world_apply(&world);
    for (int i = 0; i < 8; i++) {
        struct visitor visitor;
        visitor_connect(&visitor, &world.http);
        visitor_say(&visitor, "POST /once HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nok");
        assert_int_equal(visitor_read(&visitor, "POST"), 200);
        visitor_leave(&visitor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RETRY_TEST(a_member_that_closes_without_an_answer_is_passed_over),
        RETRY_TEST(a_request_that_may_do_harm_twice_is_not_repeated),
        RETRY_TEST(a_lone_member_without_an_answer_is_asked_once),
        RETRY_TEST(a_suspect_is_left_alone_while_another_member_serves),
        RETRY_TEST(a_dead_pool_is_not_flooded_with_repetitions),
        RETRY_TEST(what_may_do_harm_twice_goes_over_a_fresh_connection_everywhere),
        cmocka_unit_test_setup_teardown(a_body_of_up_to_64_kib_can_be_sent_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_longer_body_goes_over_a_fresh_connection_at_first,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
