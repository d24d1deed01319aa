/* What of the traffic casts doubt on a member, and who hears of it. */
#include "lbnode/base/bytes.h"
#include "proxy/suspicion_ring.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <string.h>

enum {
    PATIENCE_MS = 100 /* of the listener, with a member that does not answer */
};

static struct world world;
static struct origin a, b;

/* The first member is the only one, and has a monitor. */
static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    world.image.members[1].enabled = 0;
    world.image.listeners[0].timeout_member_data_ms = PATIENCE_MS;
    world_monitor(&world);
    world_apply(&world);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

static uint64_t counted(enum suspicion_kind kind)
{
    return WORLD_SUM(&world, proxy.suspicions[kind]);
}

static uint64_t all_counted(void)
{
    uint64_t sum = 0;
    for (int kind = 0; kind < SUSPICION_KIND_COUNT; kind++)
        sum += counted((enum suspicion_kind)kind);
    return sum;
}

static void refuse_connections(void)
{
    world.image.members[0].endpoint = image_loopback(origin_closed_port());
    world_apply(&world);
}

/* Over fresh connections, TIMES. */
static void ask(const char *path, unsigned times, int status)
{
    char body[256];
    for (unsigned i = 0; i < times; i++)
        assert_int_equal(visitor_get(&world.http, path, body, sizeof(body)), status);
}

/* As often as it takes until one of the workers has met it in a row often enough. */
static unsigned enough_of(enum suspicion_kind kind)
{
    return WORLD_WORKERS * (suspicion_in_a_row(kind) - 1) + 1;
}

static void await_suspicion(enum suspicion_kind kind)
{
    world_wait(&world, &world.suspicions, 1);
    assert_int_equal(world.suspicion.kind, kind);
    assert_int_equal(world.suspicion.member_slot, world.image.members[0].slot);
    assert_int_equal(world.suspicion.incarnation, world.image.members[0].incarnation);
    assert_true(counted(kind) > 0);
    assert_true(WORLD_SUM(&world, members[0].suspicions) > 0);
}

/* What is told comes before the news that a later configuration runs. */
static void assert_nothing_is_told(void)
{
    world_apply(&world);
    assert_int_equal(world.suspicions, 0);
}

static void a_refused_connection_casts_doubt_on_the_member(void **state)
{
    refuse_connections();
    ask("/who", enough_of(SUSPICION_CONNECT), 503);
    await_suspicion(SUSPICION_CONNECT);
}

static void closing_without_an_answer_casts_doubt_on_the_member(void **state)
{
    ask("/mute", enough_of(SUSPICION_EMPTY), 502);
    await_suspicion(SUSPICION_EMPTY);
}

static void requests_that_cannot_be_repeated_count_too(void **state)
{
    for (unsigned i = 0; i < enough_of(SUSPICION_EMPTY); i++) {
        struct visitor visitor;
        visitor_connect(&visitor, &world.http);
        visitor_say(&visitor, "POST /mute HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nok");
        assert_int_equal(visitor_read(&visitor, "POST"), 502);
        visitor_leave(&visitor);
    }
    await_suspicion(SUSPICION_EMPTY);
}

static void silence_casts_doubt_on_the_member(void **state)
{
    ask("/never", enough_of(SUSPICION_TIMEOUT), 504);
    await_suspicion(SUSPICION_TIMEOUT);
}

static void errors_of_the_application_count_where_the_pool_says_so(void **state)
{
    ask("/error", enough_of(SUSPICION_STATUS), 500);
    assert_nothing_is_told();
    assert_int_equal(all_counted(), 0);
    world.image.pool.passive_check = SNAPSHOT_PASSIVE_FAILURES_AND_5XX;
    world_apply(&world);
    ask("/error", enough_of(SUSPICION_STATUS), 500);
    await_suspicion(SUSPICION_STATUS);
}

/* One client is served by one worker. */
static void an_answer_in_between_is_forgiven(void **state)
{
    static const char *const paths[] = {GET("/error"), GET("/error"), GET("/who"),
                                        GET("/error"), GET("/error"), GET("/who")};
    struct visitor visitor;
    world.image.pool.passive_check = SNAPSHOT_PASSIVE_FAILURES_AND_5XX;
    world_apply(&world);
    visitor_connect(&visitor, &world.http);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        visitor_say(&visitor, paths[i]);
        assert_true(visitor_read(&visitor, "GET") > 0);
    }
    visitor_leave(&visitor);
    assert_int_equal(all_counted(), 0);
}

static void a_member_is_suspected_at_most_once_a_second_by_all_workers_together(void **state)
{
    refuse_connections();
    uint64_t began_ms = monotime_now_ms();
    ask("/who", 8, 503);
    uint64_t seconds = (monotime_now_ms() - began_ms) / SUSPICION_INTERVAL_MS + 1;
    assert_in_range(counted(SUSPICION_CONNECT), 1, seconds);
    world_apply(&world);
    assert_in_range(world.suspicions, 1, seconds);
}

static void without_a_monitor_it_is_only_counted(void **state)
{
    world.image.monitor.enabled = 0;
    refuse_connections();
    ask("/who", 3, 503);
    assert_true(counted(SUSPICION_CONNECT) > 0);
    assert_nothing_is_told();
}

static void a_pool_may_do_without(void **state)
{
    world.image.pool.passive_check = SNAPSHOT_PASSIVE_OFF;
    refuse_connections();
    ask("/who", 3, 503);
    assert_int_equal(all_counted(), 0);
    assert_nothing_is_told();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refused_connection_casts_doubt_on_the_member),
        TEST(closing_without_an_answer_casts_doubt_on_the_member),
        TEST(requests_that_cannot_be_repeated_count_too),
        TEST(silence_casts_doubt_on_the_member),
        TEST(errors_of_the_application_count_where_the_pool_says_so),
        TEST(an_answer_in_between_is_forgiven),
        TEST(a_member_is_suspected_at_most_once_a_second_by_all_workers_together),
        TEST(without_a_monitor_it_is_only_counted),
        TEST(a_pool_may_do_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
