/* Every wait has an end: what happens to the slow, the silent and the many. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FEW_FILES = 80
};

static struct world world;
static struct origin a, b;

static int begin(unsigned files)
{
    served_world_start(&world, &a, &b, false, files);
    return 0;
}

static int setup(void **state)
{
    return begin(0);
}

static int setup_with_few_files(void **state)
{
    return begin(FEW_FILES);
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

/* Sends PIECE each PERIOD_MS until there is an answer or an end; ms that it took. */
static uint64_t drip(struct visitor *visitor, const char *piece, int period_ms)
{
    uint64_t began_ms = monotime_now_ms();
    struct pollfd poll_fd = {.fd = visitor->fd, .events = POLLIN};
    while (poll(&poll_fd, 1, period_ms) == 0 && monotime_now_ms() < began_ms + 60000)
        visitor_say(visitor, piece);
    return monotime_now_ms() - began_ms;
}

static void a_head_in_drops_has_ten_seconds(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "GET / HTTP/1.1\r\n");
    assert_in_range(drip(&visitor, "A: b\r\n", 300), 9000, 14000);
    assert_int_equal(visitor_read(&visitor, "GET"), 408);
    visitor_leave(&visitor);
}

/* 30 bytes each 300 ms: never silent, and a tenth of what is asked for at least. */
static void a_body_in_drops_has_twenty_seconds(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9999\r\n\r\n");
    assert_in_range(drip(&visitor, "ten bytes.ten bytes.ten bytes.", 300), 19000, 26000);
    assert_int_equal(visitor_read(&visitor, "POST"), 408);
    visitor_leave(&visitor);
}

static void a_member_that_does_not_accept_is_left_after_the_connect_timeout(void **state)
{
    int fds[SERVED_WORLD_QUEUE];
    struct visitor visitor;
    served_world_fill_queue(fds, &world.image.members[0].endpoint);
    world.image.listeners[0].timeout_member_connect_ms = 100;
    world_apply(&world);
    for (int i = 0; i < 2; i++) { /* and then it is the turn of the first again */
        uint64_t began_ms = monotime_now_ms();
        visitor_connect(&visitor, &world.http);
        visitor_say(&visitor, GET("/who"));
        assert_int_equal(visitor_read(&visitor, "GET"), 200);
        assert_string_equal(text_string(&visitor.answer.body), "member b");
        assert_in_range(monotime_now_ms() - began_ms, 0, 3000);
        visitor_leave(&visitor);
    }
    assert_int_equal(WORLD_SUM(&world, members[0].connect_failures), 2);
    served_world_close_queue(fds);
}

static void wait_until_closed(struct origin *origin, uint64_t patience_ms)
{
    uint64_t deadline_ms = monotime_now_ms() + patience_ms;
    while (origin->open > 0 && monotime_now_ms() < deadline_ms)
        usleep(1000);
    assert_int_equal(origin->open, 0);
}

static void a_kept_connection_is_given_up_before_the_member_does(void **state)
{
    struct visitor visitor;
    world.image.members[1].enabled = 0;
    world_apply(&world);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/patient")); /* for 2 s, it says */
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_int_equal(a.open, 1);
    wait_until_closed(&a, 5000);
    visitor_leave(&visitor);
}

static void idle_clients_make_room_while_places_are_scarce(void **state)
{
    static struct visitor visitors[FEW_FILES];
    unsigned count = FEW_FILES / 4; /* all that the proxy takes */
    for (unsigned i = 0; i < count; i++) {
        visitor_connect(&visitors[i], &world.http);
        visitor_say(&visitors[i], GET("/who"));
    }
    struct visitor late;
    visitor_connect(&late, &world.http);
    visitor_say(&late, GET("/who"));
    uint64_t began_ms = monotime_now_ms();
    for (unsigned i = 0; i < 2 * count; i++) {
        struct visitor another;
        visitor_connect(&another, &world.http); /* fills the queue of either worker */
        visitor_leave(&another);
    }
    assert_int_equal(visitor_read(&late, "GET"), 200);
    assert_in_range(monotime_now_ms() - began_ms, 0, 12000); /* and not 60 s */
    for (unsigned i = 0; i < count; i++)
        visitor_leave(&visitors[i]);
    visitor_leave(&late);
}

static void one_address_cannot_take_all_places(void **state)
{
    struct visitor first, second;
    world.image.listeners[0].source_limit = 2;
    world_apply(&world);
    visitor_connect(&first, &world.http);
    visitor_say(&first, GET("/who"));
    visitor_connect(&second, &world.http);
    visitor_say(&second, GET("/who"));
    assert_int_equal(visitor_read(&first, "GET"), 200);
    assert_int_equal(visitor_read(&second, "GET"), 200);
    assert_true(visitor_is_turned_away(&world.http));
    assert_int_equal(WORLD_SUM(&world, listeners[0].refused), 1);
    visitor_leave(&first);
    WORLD_AWAIT(WORLD_SUM(&world, listeners[0].active_connections) <= 1);
    char body[16];
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
    visitor_leave(&second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_head_in_drops_has_ten_seconds),
        TEST(a_body_in_drops_has_twenty_seconds),
        TEST(a_member_that_does_not_accept_is_left_after_the_connect_timeout),
        TEST(a_kept_connection_is_given_up_before_the_member_does),
        cmocka_unit_test_setup_teardown(idle_clients_make_room_while_places_are_scarce,
                                        setup_with_few_files, teardown),
        TEST(one_address_cannot_take_all_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
