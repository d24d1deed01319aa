/* Accepting: who may come in, and what happens when there is no room. */
#include "proxy/listener.h"

#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/origin.h"
#include "tests/unit/proxy/visitor.h"
#include "tests/unit/proxy/world.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
    FEW_FILES = 60
};

static struct world world;
static struct origin origin;

static int setup_with(unsigned files)
{
    world_start_limited(&world, files); /* forks: before there are threads */
    origin_start(&origin, 'a', false);
    image_init(&world.image, 0, 1);
    world.image.members[0].endpoint = image_loopback(origin.port);
    world_apply(&world);
    return 0;
}

static int setup(void **state)
{
    return setup_with(0);
}

static int setup_with_few_files(void **state)
{
    return setup_with(FEW_FILES);
}

static int teardown(void **state)
{
    world_stop(&world);
    origin_stop(&origin);
    return 0;
}

static void clients_outside_the_allowed_prefixes_are_refused(void **state)
{
    world.image.header.cidrs.count = 1;
    world.image.cidr = (struct ip_prefix){{4, {10}}, 8};
    world.image.listeners[0].cidr_count = 1;
    world_apply(&world);
    assert_true(visitor_is_turned_away(&world.http));
}

static void beyond_the_connection_limit_clients_wait(void **state)
{
    struct visitor first, second;
    world.image.listeners[0].connection_limit = 1;
    world_apply(&world);
    visitor_connect(&first, &world.http);
    visitor_say(&first, GET("/who"));
    assert_int_equal(visitor_read(&first, "GET"), 200);
    visitor_connect(&second, &world.http);
    visitor_say(&second, GET("/who"));
    char byte;
    struct timeval soon = {0, 150000}, later = {10, 0};
    setsockopt(second.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    assert_int_equal(recv(second.fd, &byte, 1, MSG_PEEK), -1);
    visitor_leave(&first);
    setsockopt(second.fd, SOL_SOCKET, SO_RCVTIMEO, &later, sizeof(later));
    assert_int_equal(visitor_read(&second, "GET"), 200);
    visitor_leave(&second);
}

static void a_listener_that_is_gone_accepts_no_more(void **state)
{
    struct visitor visitor;
    struct message_listener_gone gone = MESSAGE_OF(LISTENER_GONE, struct message_listener_gone);
    gone.endpoint = world.http;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/who"));
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    world_send(&world, &gone.header, -1);
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&world.http, &address);
    uint64_t deadline_ms = monotime_now_ms() + WORLD_PATIENCE_MS;
    int rv = 0;
    while (rv == 0 && monotime_now_ms() < deadline_ms) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rv = connect(fd, (struct sockaddr *)&address, size);
        close(fd);
    }
    assert_int_equal(rv, -1);
    visitor_say(&visitor, GET("/who")); /* established connections go on */
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    visitor_leave(&visitor);
}

static void running_out_of_descriptors_is_survived(void **state)
{
    static struct visitor visitors[FEW_FILES];
    for (int i = 0; i < FEW_FILES; i++) {
        visitor_connect(&visitors[i], &world.http);
        visitor_say(&visitors[i], GET("/who"));
    }
    /* The first ones were served, and no more than there is room for. */
    assert_int_equal(visitor_read(&visitors[0], "GET"), 200);
    assert_true(world_listener_requests(&world) < FEW_FILES);
    for (int i = 0; i < FEW_FILES; i++)
        visitor_leave(&visitors[i]);
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/who"));
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    visitor_leave(&visitor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clients_outside_the_allowed_prefixes_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(beyond_the_connection_limit_clients_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_listener_that_is_gone_accepts_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(running_out_of_descriptors_is_survived,
                                        setup_with_few_files, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
