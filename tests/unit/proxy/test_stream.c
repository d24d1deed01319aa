/* A stream over a TCP connection on loopback: when it is told of input, and bytes in order. */
#include "proxy/stream.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct stream stream;
static struct buffer_pool buffers;
static int peer;
static unsigned events;

static void on_event(struct stream *self)
{
    events++;
}

static int setup(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&address, size), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listener);
    loop = loop_new();
    assert_int_equal(stream_open(loop, &stream, fd, on_event), 0);
    events = 0;
    return 0;
}

static int teardown(void **state)
{
    stream_close(&stream);
    close(peer);
    buffer_pool_clear(&buffers);
    loop_free(loop);
    return 0;
}

static void send_byte(void)
{
    assert_int_equal(send(peer, "x", 1, MSG_NOSIGNAL), 1);
}

/* What happened so far has been told. */
static void settle(void)
{
    unsigned before;
    do {
        before = events;
        loop_turn(loop, false);
    } while (events != before);
}

static void wait_for_event(void)
{
    unsigned before = events;
    uint64_t deadline_ms = monotime_now_ms() + 10000;
    while (events == before) {
        loop_turn(loop, false);
        if (monotime_now_ms() > deadline_ms)
            fail_msg("no event");
    }
}

/* Input comes, is told of, and nobody reads it, until the kernel keeps it to itself. */
static unsigned make_hushed(void)
{
    unsigned sent = 0;
    while (!stream.hushed) {
        assert_true(sent++ < 100);
        send_byte();
        wait_for_event();
    }
    return sent;
}

static void input_that_nobody_reads_is_told_of_a_few_times_only(void **state)
{
    unsigned sent = make_hushed();
    assert_int_equal(sent, STREAM_UNREAD_NEWS + 1); /* the first was news */
    settle();
    unsigned before = events;
    for (int i = 0; i < 20; i++)
        send_byte();
    settle();
    assert_int_equal(events, before);
    assert_true(stream.readable);
}

static void what_comes_after_all_was_read_is_told_again(void **state)
{
    unsigned expected = make_hushed() + 1;
    send_byte();
    struct buffer *buffer = buffer_get(&buffers, BUFFER_SMALL);
    uint64_t deadline_ms = monotime_now_ms() + 10000;
    while (buffer_size(buffer) < expected && monotime_now_ms() < deadline_ms) {
        stream.readable = true; /* the last byte may still be under way */
        stream_read(&stream, buffer);
    }
    stream_read(&stream, buffer);
    assert_int_equal(buffer_size(buffer), expected);
    assert_false(stream.readable);
    assert_false(stream.hushed);
    settle();
    send_byte();
    wait_for_event();
    assert_true(stream.readable);
    buffer_put(&buffers, &buffer);
}

static void a_pipe_that_found_all_lets_news_through_again(void **state)
{
    struct pipe_pool pipes = {0};
    struct pipe *pipe = pipe_get(&pipes);
    size_t expected = make_hushed();
    assert_int_equal(stream_fill_pipe(&stream, pipe, PIPE_SIZE), expected);
    assert_true(stream.hushed); /* there may be more */
    assert_int_equal(stream_fill_pipe(&stream, pipe, PIPE_SIZE), 0);
    assert_false(stream.hushed);
    assert_false(stream.ended);
    send_byte();
    wait_for_event();
    assert_true(stream.readable);
    pipe_put(&pipes, &pipe);
    pipe_pool_clear(&pipes);
}

static void what_came_while_it_was_hushed_is_told_when_it_is_not(void **state)
{
    make_hushed();
    settle();
    send_byte();
    assert_false(stream_is_quiet(&stream));
    assert_true(stream.hushed);
    struct buffer *buffer = buffer_get(&buffers, BUFFER_SMALL);
    stream_read(&stream, buffer);
    assert_true(stream.readable); /* there may be more */
    assert_true(stream_is_quiet(&stream));
    assert_false(stream.hushed);
    buffer_put(&buffers, &buffer);
}

static void the_end_is_told_to_who_is_hushed(void **state)
{
    make_hushed();
    settle();
    shutdown(peer, SHUT_WR);
    wait_for_event();
    assert_true(stream.closing);
}

static void a_reset_is_told_to_who_is_hushed(void **state)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    make_hushed();
    settle();
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(peer);
    peer = -1;
    wait_for_event();
    struct buffer *buffer = buffer_get(&buffers, BUFFER_SMALL);
    while (stream_read(&stream, buffer) > 0)
        continue;
    assert_true(stream.ended);
    buffer_put(&buffers, &buffer);
}

/* The kernel's buffer is what it was: many hushed streams cost no more than others. */
static void being_hushed_takes_no_more_memory(void **state)
{
    int before = 0, after = 0;
    socklen_t size = sizeof(before);
    getsockopt(stream.fd, SOL_SOCKET, SO_RCVBUF, &before, &size);
    make_hushed();
    getsockopt(stream.fd, SOL_SOCKET, SO_RCVBUF, &after, &size);
    assert_true(after <= before);
}

static void a_write_with_more_behind_keeps_the_order(void **state)
{
    struct pipe_pool pipes = {0};
    struct pipe *pipe = pipe_get(&pipes);
    struct buffer *buffer = buffer_get(&buffers, BUFFER_SMALL);
    char received[8] = "";
    assert_int_equal(write(pipe->write_fd, "tail", 4), 4);
    pipe->size = 4;
    buffer_append(buffer, "head", 4);
    stream.writable = true;
    assert_int_equal(stream_write(&stream, buffer, true), 4);
    assert_int_equal(stream_drain_pipe(&stream, pipe), 4);
    assert_int_equal(recv(peer, received, sizeof(received), MSG_WAITALL), 8);
    assert_memory_equal(received, "headtail", 8);
    buffer_put(&buffers, &buffer);
    pipe_put(&pipes, &pipe);
    pipe_pool_clear(&pipes);
}

/* Writes until the kernel takes no more. */
static void fill(void)
{
    struct buffer *buffer = buffer_get(&buffers, BUFFER_LARGE);
    for (stream.writable = true; stream.writable;) {
        buffer->start = 0;
        buffer->end = buffer->capacity;
        stream_write(&stream, buffer, false);
    }
    buffer_put(&buffers, &buffer);
}

static void await_taken(bool is_taken, uint64_t within_ms)
{
    uint64_t deadline_ms = monotime_now_ms() + 10000;
    static char data[65536];
    while (stream_is_taken_from(&stream, within_ms) != is_taken) {
        if (is_taken)
            recv(peer, data, sizeof(data), MSG_DONTWAIT);
        if (monotime_now_ms() > deadline_ms)
            fail_msg("it stays %s", is_taken ? "silent" : "busy");
    }
}

static void who_reads_on_is_told_from_who_does_not(void **state)
{
    fill();
    await_taken(false, 100);
    await_taken(true, 100);
    await_taken(false, 100);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(input_that_nobody_reads_is_told_of_a_few_times_only),
        STREAM_TEST(what_comes_after_all_was_read_is_told_again),
        STREAM_TEST(a_pipe_that_found_all_lets_news_through_again),
        STREAM_TEST(what_came_while_it_was_hushed_is_told_when_it_is_not),
        STREAM_TEST(the_end_is_told_to_who_is_hushed),
        STREAM_TEST(a_reset_is_told_to_who_is_hushed),
        STREAM_TEST(being_hushed_takes_no_more_memory),
        STREAM_TEST(a_write_with_more_behind_keeps_the_order),
        STREAM_TEST(who_reads_on_is_told_from_who_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
