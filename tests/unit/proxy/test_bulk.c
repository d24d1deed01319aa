/* Long bodies through a whole proxy process: by buffers, by pipes, and where one becomes the
 * other. */
#include "lbnode/base/bytes.h"
#include "proxy/buffer.h"
#include "proxy/pipe_pool.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

static void ask(struct visitor *visitor, size_t size)
{
    char request[128];
    snprintf(request, sizeof(request), "GET /bytes/%zu HTTP/1.1\r\nHost: t\r\n\r\n", size);
    visitor_say(visitor, request);
}

static void assert_bytes(struct visitor *visitor, size_t size)
{
    assert_int_equal(visitor_read(visitor, "GET"), 200);
    assert_int_equal(visitor->answer.body.length, size);
    for (size_t i = 0; i < size; i++) {
        if (visitor->answer.body.data[i] != origin_byte(i))
            fail_msg("byte %zu of %zu differs", i, size);
    }
}

/* Each is followed by an answer over the same connection: nothing is missing, nothing too much.
 */
static void bodies_around_each_threshold_arrive_byte_for_byte(void **state)
{
    static const size_t thresholds[] = {
        PIPE_TRICKLE,
        BUFFER_SMALL_SIZE,
        BUFFER_SMALL_SIZE + PIPE_TRICKLE,
        PIPE_BULK,
        BUFFER_SMALL_SIZE + PIPE_BULK,
        PIPE_SIZE,
        PIPE_SIZE + PIPE_TRICKLE,
        PIPE_SIZE + BUFFER_SMALL_SIZE,
        PIPE_SIZE + PIPE_BULK,
        2 * PIPE_SIZE,
    };
    static const int steps[] = {-300, -110, -64, -39, -38, -1, 0, 1, 64, 300};
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    for (size_t i = 0; i < ARRAY_LENGTH(thresholds); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(steps); j++) {
            size_t size = thresholds[i] + (size_t)steps[j];
            ask(&visitor, size);
            ask(&visitor, 3);
            assert_bytes(&visitor, size);
            assert_bytes(&visitor, 3);
        }
    }
    visitor_leave(&visitor);
}

static void a_narrow_reader_gets_all_of_them_too(void **state)
{
    static const size_t sizes[] = {PIPE_BULK - 1, PIPE_BULK + BUFFER_SMALL_SIZE,
                                   PIPE_SIZE + PIPE_TRICKLE - 1, 3 * PIPE_SIZE + 1};
    int narrow = 65536;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct visitor visitor;
        visitor_connect(&visitor, &world.http);
        setsockopt(visitor.fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
        ask(&visitor, sizes[i]);
        ask(&visitor, 3);
        assert_bytes(&visitor, sizes[i]);
        assert_bytes(&visitor, 3);
        visitor_leave(&visitor);
    }
}

/* More than there are pipes at once; who gets none is served all the same. */
static void more_bodies_than_pipes_at_once_arrive(void **state)
{
    static struct visitor visitors[PIPES_PER_WORKER + 8];
    for (size_t i = 0; i < ARRAY_LENGTH(visitors); i++) {
        visitor_connect(&visitors[i], &world.http);
        ask(&visitors[i], ORIGIN_BIG_SIZE);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(visitors); i++) {
        assert_bytes(&visitors[i], ORIGIN_BIG_SIZE);
        visitor_leave(&visitors[i]);
    }
}

/* Each leaves a pipe with bytes in it. */
static void bodies_that_are_given_up_leave_nothing_behind(void **state)
{
    struct visitor visitor;
    for (int i = 0; i < 2 * PIPES_PER_WORKER; i++) {
        static char data[200000];
        visitor_connect(&visitor, &world.http);
        ask(&visitor, ORIGIN_BIG_SIZE);
        assert_true(recv(visitor.fd, data, sizeof(data), MSG_WAITALL) > 0);
        visitor_leave(&visitor);
    }
    visitor_connect(&visitor, &world.http);
    ask(&visitor, ORIGIN_BIG_SIZE);
    assert_bytes(&visitor, ORIGIN_BIG_SIZE);
    visitor_leave(&visitor);
}

static void a_member_that_dies_in_the_middle_cuts_the_body_off(void **state)
{
    struct visitor visitor;
    int narrow = 65536;
    for (int i = 0; i < 4; i++) {
        visitor_connect(&visitor, &world.http);
        if (i % 2)
            setsockopt(visitor.fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
        visitor_say(&visitor, "GET /big-cut HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_int_equal(visitor_read(&visitor, "GET"), -1);
        visitor_leave(&visitor);
    }
    visitor_connect(&visitor, &world.http);
    ask(&visitor, 3);
    assert_bytes(&visitor, 3);
    visitor_leave(&visitor);
}

static const char *const versions[] = {"1.0", "1.1"}; /* raw, and framed in chunks */
static const size_t open_sizes[] = {
    0,
    1,
    BUFFER_SMALL_SIZE - 256,
    BUFFER_SMALL_SIZE,
    PIPE_BULK,
    PIPE_SIZE + 1,
    3 * PIPE_SIZE + 77,
};

/* Asks for PATH and SIZE over a fresh connection, as a client of VERSION that reads a narrow
 * stream or not. */
static void ask_once(
    struct visitor *visitor, const char *path, size_t size, const char *version, bool is_narrow)
{
    char request[128];
    int narrow = 65536;
    visitor_connect(visitor, &world.http);
    if (is_narrow)
        setsockopt(visitor->fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
    snprintf(request, sizeof(request), "GET /%s/%zu HTTP/%s\r\nHost: t\r\n\r\n", path, size,
             version);
    visitor_say(visitor, request);
}

static void bodies_until_close_arrive_byte_for_byte(void **state)
{
    for (size_t i = 0; i < 4 * ARRAY_LENGTH(open_sizes); i++) {
        struct visitor visitor;
        size_t size = open_sizes[i / 4];
        ask_once(&visitor, "open-ended", size, versions[i / 2 % 2], i % 2 == 1);
        assert_bytes(&visitor, size);
        visitor_leave(&visitor);
    }
}

static void bodies_in_chunks_arrive_byte_for_byte(void **state)
{
    for (size_t i = 0; i < 4 * ARRAY_LENGTH(open_sizes); i++) {
        struct visitor visitor;
        size_t size = open_sizes[i / 4];
        ask_once(&visitor, "chunks", size, versions[i / 2 % 2], i % 2 == 1);
        if (i / 2 % 2 == 1) /* the connection goes on */
            ask(&visitor, 3);
        assert_bytes(&visitor, size);
        if (i / 2 % 2 == 1)
            assert_bytes(&visitor, 3);
        visitor_leave(&visitor);
    }
}

static void chunks_that_are_cut_off_or_malformed_are_never_whole(void **state)
{
    static const char *const requests[] = {GET("/chunks-cut"), GET("/chunks-bad")};
    for (size_t i = 0; i < 8; i++) {
        struct visitor visitor;
        int narrow = 65536;
        visitor_connect(&visitor, &world.http);
        if (i & 2)
            setsockopt(visitor.fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
        visitor_say(&visitor, requests[i & 1]);
        assert_int_equal(visitor_read(&visitor, "GET"), -1);
        visitor_leave(&visitor);
    }
}

static void begin_upload(struct visitor *visitor, size_t size)
{
    char request[128];
    snprintf(request, sizeof(request),
             "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", size);
    visitor_say(visitor, request);
}

/* Each comes back whole, and another request follows it at once. */
static void uploads_arrive_byte_for_byte(void **state)
{
    static const size_t sizes[] = {
        PIPE_BULK - 1,         PIPE_BULK, PIPE_BULK + BUFFER_SMALL_SIZE,
        2 * PIPE_BULK + 1,     PIPE_SIZE, PIPE_SIZE + PIPE_TRICKLE,
        5 * PIPE_SIZE + 12345,
    };
    static char body[6 << 20];
    struct visitor visitor;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = origin_byte(i);
    visitor_connect(&visitor, &world.http);
    for (size_t i = 0; i < 3 * ARRAY_LENGTH(sizes); i++) {
        size_t size = sizes[i / 3] + i % 3;
        begin_upload(&visitor, size);
        visitor_send(&visitor, body, size);
        ask(&visitor, 3);
        assert_bytes(&visitor, size);
        assert_bytes(&visitor, 3);
    }
    visitor_leave(&visitor);
    assert_int_equal(WORLD_SUM(&world, listeners[0].request_errors), 0);
}

/* By leaving, or by an end of sending only; the member never takes a part for the whole. */
static void uploads_that_are_given_up_leave_nothing_behind(void **state)
{
    static char part[1 << 20];
    struct visitor visitor;
    for (int i = 0; i < 2 * PIPES_PER_WORKER; i++) {
        visitor_connect(&visitor, &world.http);
        begin_upload(&visitor, ORIGIN_BIG_SIZE);
        visitor_send(&visitor, part, sizeof(part));
        if (i % 2) {
            shutdown(visitor.fd, SHUT_WR);
            assert_true(visitor_is_closed(&visitor));
        }
        visitor_leave(&visitor);
    }
    WORLD_AWAIT(a.open == 0 && b.open == 0);
    assert_int_equal(a.requests + b.requests, 0);
    visitor_connect(&visitor, &world.http);
    ask(&visitor, ORIGIN_BIG_SIZE);
    assert_bytes(&visitor, ORIGIN_BIG_SIZE);
    visitor_leave(&visitor);
}

static void who_takes_nothing_loses_its_connection(void **state)
{
    struct visitor visitor;
    world.image.listeners[0].timeout_client_data_ms = 300;
    world_apply(&world);
    visitor_connect(&visitor, &world.http);
    ask(&visitor, 64 << 20);
    WORLD_AWAIT(WORLD_SUM(&world, listeners[0].timeouts) == 1);
    assert_int_equal(visitor_read(&visitor, "GET"), -1);
    visitor_leave(&visitor);
}

#define BULK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BULK_TEST(bodies_around_each_threshold_arrive_byte_for_byte),
        BULK_TEST(a_narrow_reader_gets_all_of_them_too),
        BULK_TEST(more_bodies_than_pipes_at_once_arrive),
        BULK_TEST(bodies_that_are_given_up_leave_nothing_behind),
        BULK_TEST(a_member_that_dies_in_the_middle_cuts_the_body_off),
        BULK_TEST(bodies_until_close_arrive_byte_for_byte),
        BULK_TEST(bodies_in_chunks_arrive_byte_for_byte),
        BULK_TEST(chunks_that_are_cut_off_or_malformed_are_never_whole),
        BULK_TEST(uploads_arrive_byte_for_byte),
        BULK_TEST(uploads_that_are_given_up_leave_nothing_behind),
        BULK_TEST(who_takes_nothing_loses_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
