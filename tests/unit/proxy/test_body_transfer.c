#include "proxy/body_transfer.h"

#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

struct moved {
    struct buffer_pool pool;
    struct buffer *in, *out;
    struct body_transfer body;
    enum body_result result;
};

static void start(struct moved *moved, enum http_framing framing, uint64_t length, bool chunked)
{
    memset(moved, 0, sizeof(*moved));
    moved->in = buffer_get(&moved->pool, BUFFER_SMALL);
    moved->out = buffer_get(&moved->pool, BUFFER_SMALL);
    body_transfer_init(&moved->body, framing, length, chunked);
}

static void finish(struct moved *moved)
{
    buffer_put(&moved->pool, &moved->in);
    buffer_put(&moved->pool, &moved->out);
    buffer_pool_clear(&moved->pool);
}

static void feed(struct moved *moved, const char *text)
{
    buffer_append(moved->in, text, strlen(text));
    moved->result = body_transfer_move(&moved->body, moved->in, moved->out);
}

static void assert_out(const struct moved *moved, const char *expected)
{
    assert_int_equal(buffer_size(moved->out), strlen(expected));
    assert_memory_equal(buffer_begin(moved->out), expected, strlen(expected));
}

static void a_length_ends_where_it_says(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_LENGTH, 5, false);
    feed(&moved, "hel");
    assert_int_equal(moved.result, BODY_MORE);
    feed(&moved, "loGET");
    assert_int_equal(moved.result, BODY_DONE);
    assert_out(&moved, "hello");
    assert_int_equal(buffer_size(moved.in), 3);
    finish(&moved);
}

static void chunks_are_framed_anew(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_CHUNKED, 0, true);
    feed(&moved, "0005;quirk=\"1\"\r\nhe");
    feed(&moved, "llo\r\n0\r\nTrailer: 1\r\n\r\nHTTP");
    assert_int_equal(moved.result, BODY_DONE);
    assert_out(&moved, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    assert_int_equal(buffer_size(moved.in), 4);
    finish(&moved);
}

static void chunks_are_opened_for_old_clients(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_CHUNKED, 0, false);
    feed(&moved, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_int_equal(moved.result, BODY_DONE);
    assert_out(&moved, "abcde");
    finish(&moved);
}

static void the_end_of_the_connection_becomes_a_last_chunk(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_UNTIL_CLOSE, 0, true);
    feed(&moved, "abc");
    assert_int_equal(moved.result, BODY_MORE);
    assert_int_equal(body_transfer_end(&moved.body, moved.out), BODY_DONE);
    assert_out(&moved, "3\r\nabc\r\n0\r\n\r\n");
    finish(&moved);
}

static void a_connection_that_ends_early_is_bad(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_LENGTH, 5, false);
    feed(&moved, "abc");
    assert_int_equal(body_transfer_end(&moved.body, moved.out), BODY_BAD);
    finish(&moved);
}

static void malformed_chunks_are_bad(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_CHUNKED, 0, true);
    feed(&moved, "zz\r\n");
    assert_int_equal(moved.result, BODY_BAD);
    finish(&moved);
}

static void a_full_buffer_is_never_overrun(void **state)
{
    struct moved moved;
    for (size_t room = 0; room < 200; room++) {
        start(&moved, HTTP_BODY_CHUNKED, 0, true);
        moved.out->end = moved.out->capacity - (uint32_t)room;
        feed(&moved, "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                     "\r\n1\r\nx\r\n1\r\ny\r\n0\r\n\r\n");
        assert_true(moved.out->end <= moved.out->capacity);
        assert_true(room >= BODY_LEAST_ROOM || buffer_room(moved.out) == room);
        finish(&moved);
    }
}

static void bytes_that_need_no_change_may_pass_unseen(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_LENGTH, 12, false);
    feed(&moved, "01234");
    assert_int_equal(body_transfer_passable(&moved.body), 7);
    assert_int_equal(body_transfer_pass(&moved.body, 3, moved.out), BODY_MORE);
    assert_int_equal(body_transfer_passable(&moved.body), 4);
    assert_int_equal(body_transfer_end(&moved.body, moved.out), BODY_BAD);
    assert_int_equal(body_transfer_pass(&moved.body, 4, moved.out), BODY_DONE);
    assert_int_equal(body_transfer_passable(&moved.body), 0);
    finish(&moved);
    start(&moved, HTTP_BODY_UNTIL_CLOSE, 0, false);
    assert_int_equal(body_transfer_pass(&moved.body, 1 << 20, moved.out), BODY_MORE);
    assert_true(body_transfer_passable(&moved.body) == SIZE_MAX);
    assert_int_equal(body_transfer_end(&moved.body, moved.out), BODY_DONE);
    finish(&moved);
}

static void chunks_of_bytes_that_passed_end_before_what_follows(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_CHUNKED, 0, true);
    feed(&moved, "1");
    assert_int_equal(body_transfer_passable(&moved.body), 0); /* a size may go on */
    feed(&moved, "2\r\n01");
    assert_int_equal(body_transfer_passable(&moved.body), 16);
    body_transfer_pass(&moved.body, 11, moved.out);
    assert_out(&moved, "2\r\n01\r\nb\r\n");
    assert_int_equal(body_transfer_passable(&moved.body), 5);
    body_transfer_pass(&moved.body, 5, moved.out);
    assert_int_equal(body_transfer_passable(&moved.body), 0);
    feed(&moved, "\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_int_equal(moved.result, BODY_DONE);
    assert_out(&moved, "2\r\n01\r\nb\r\n\r\n5\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    finish(&moved);
}

static void what_follows_bytes_that_passed_is_checked(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_CHUNKED, 0, false);
    feed(&moved, "5\r\n");
    body_transfer_pass(&moved.body, 5, moved.out);
    feed(&moved, "x\r\n");
    assert_int_equal(moved.result, BODY_BAD);
    finish(&moved);
}

static void an_open_chunk_ends_with_the_connection(void **state)
{
    struct moved moved;
    start(&moved, HTTP_BODY_UNTIL_CLOSE, 0, true);
    body_transfer_pass(&moved.body, 0x1a0, moved.out);
    assert_int_equal(body_transfer_end(&moved.body, moved.out), BODY_DONE);
    assert_out(&moved, "1a0\r\n\r\n0\r\n\r\n");
    finish(&moved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_ends_where_it_says),
        cmocka_unit_test(chunks_are_framed_anew),
        cmocka_unit_test(chunks_are_opened_for_old_clients),
        cmocka_unit_test(the_end_of_the_connection_becomes_a_last_chunk),
        cmocka_unit_test(a_connection_that_ends_early_is_bad),
        cmocka_unit_test(malformed_chunks_are_bad),
        cmocka_unit_test(a_full_buffer_is_never_overrun),
        cmocka_unit_test(bytes_that_need_no_change_may_pass_unseen),
        cmocka_unit_test(chunks_of_bytes_that_passed_end_before_what_follows),
        cmocka_unit_test(what_follows_bytes_that_passed_is_checked),
        cmocka_unit_test(an_open_chunk_ends_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
