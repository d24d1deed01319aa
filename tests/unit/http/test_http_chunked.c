#include "lbnode/http/http_chunked.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

struct decoded {
    char body[65536];
    size_t size, used;
    enum http_chunk_result result;
};

static void start(struct http_chunked *chunked, struct decoded *out)
{
    http_chunked_init(chunked);
    out->size = out->used = 0;
    out->result = HTTP_CHUNK_NEED_MORE;
}

/* The next SIZE bytes of TEXT. */
static void
decode_piece(struct http_chunked *chunked, const char *text, size_t size, struct decoded *out)
{
    do {
        size_t used;
        struct bytes data;
        struct bytes input = {(const uint8_t *)text + out->used, size};
        out->result = http_chunked_decode(chunked, input, &used, &data);
        assert_true(used <= size && data.size <= used);
        memcpy(out->body + out->size, data.data, data.size);
        out->size += data.size;
        out->used += used;
        size -= used;
    } while (out->result == HTTP_CHUNK_DATA);
}

static void decode(const char *text, size_t size, size_t step, struct decoded *out)
{
    struct http_chunked chunked;
    start(&chunked, out);
    while (out->result == HTTP_CHUNK_NEED_MORE && out->used < size)
        decode_piece(&chunked, text, size - out->used < step ? size - out->used : step, out);
}

static const struct {
    const char *text, *body;
} good[] = {
    {"0\r\n\r\n", ""},
    {"000\r\n\r\n", ""},
    {"5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
    {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
    {"0000000000000001\r\nx\r\n0\r\n\r\n", "x"},
    {"1;a;b=c;d=\"e\\\"; f\"\r\nx\r\n0;last\r\n\r\n", "x"},
    {"1\r\nx\r\n0\r\nTrailer-One: 1\r\nTwo:\r\n\r\n", "x"},
};

static const char *const bad[] = {
    "\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "8000000000000000\r\n",
    "00000000000000001\r\nx\r\n0\r\n\r\n",
    "g\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5; a\r\nhello\r\n0\r\n\r\n",
    "5;a=\r\nhello\r\n0\r\n\r\n",
    "5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n",
    "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n",
    "5;a=\"\\\r\n\"\r\nhello\r\n0\r\n\r\n",
    "5;a=\"\\\x01\"\r\nhello\r\n0\r\n\r\n",
    "5;a=b\nhello\r\n0\r\n\r\n",
    "5;a=\"b\nhello\r\n0\r\n\r\n",
    "0\r\na: 1\r2\r\n\r\n",
    "0\r\nbad trailer\r\n\r\n",
    "0\r\n folded: 1\r\n\r\n",
    "0\r\na: 1\n\r\n",
    "0\r\na: \x01\r\n\r\n",
    "0\r\na : 1\r\n\r\n",
    "0\r\n: 1\r\n\r\n",
    "0\r\n\rx",
};

static void bodies_are_decoded_in_any_segmentation(void **state)
{
    static struct decoded decoded;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        char text[256];
        size_t size = (size_t)snprintf(text, sizeof(text), "%sGET", good[i].text);
        for (size_t step = 1; step <= size; step++) {
            decode(text, size, step, &decoded);
            assert_int_equal(decoded.result, HTTP_CHUNK_DONE);
            assert_int_equal(decoded.used, size - 3); /* what follows is not ours */
            assert_int_equal(decoded.size, strlen(good[i].body));
            assert_memory_equal(decoded.body, good[i].body, decoded.size);
        }
    }
}

static void malformed_chunks_are_refused_in_any_segmentation(void **state)
{
    static struct decoded decoded;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        for (size_t step = 1; step <= strlen(bad[i]); step++) {
            decode(bad[i], strlen(bad[i]), step, &decoded);
            assert_int_equal(decoded.result, HTTP_CHUNK_BAD);
        }
    }
}

static void assert_splits_make_no_difference(const char *text)
{
    static struct decoded whole, split;
    size_t size = strlen(text);
    decode(text, size, size, &whole);
    for (size_t second = 0; second <= size; second++) {
        for (size_t first = 0; first <= second; first++) {
            const size_t ends[] = {first, second, size};
            struct http_chunked chunked;
            start(&chunked, &split);
            for (size_t i = 0; i < 3 && split.result == HTTP_CHUNK_NEED_MORE; i++)
                decode_piece(&chunked, text, ends[i] - split.used, &split);
            assert_int_equal(split.result, whole.result);
            assert_int_equal(split.used, whole.used);
            assert_int_equal(split.size, whole.size);
            assert_memory_equal(split.body, whole.body, whole.size);
        }
    }
}

static void any_two_splits_give_the_same_body(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_splits_make_no_difference(good[i].text);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_splits_make_no_difference(bad[i]);
}

static void the_data_of_a_chunk_may_be_passed_over_but_nothing_else(void **state)
{
    struct http_chunked chunked;
    struct decoded out;
    start(&chunked, &out);
    assert_int_equal(http_chunked_data_left(&chunked), 0);
    decode_piece(&chunked, "a;x\r\n123", 8, &out);
    assert_int_equal(http_chunked_data_left(&chunked), 7);
    http_chunked_pass(&chunked, 6);
    assert_int_equal(http_chunked_data_left(&chunked), 1);
    http_chunked_pass(&chunked, 1);
    assert_int_equal(http_chunked_data_left(&chunked), 0);
    out.used = 0;
    decode_piece(&chunked, "\r\n0\r\n\r\n", 7, &out);
    assert_int_equal(out.result, HTTP_CHUNK_DONE);
    assert_int_equal(out.size, 3);
}

static enum http_chunk_result repeated(const char *before, const char *fill, int count)
{
    static struct decoded decoded;
    static char text[65536];
    size_t size = (size_t)snprintf(text, sizeof(text), "%s", before);
    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s", fill);
    decode(text, size, size, &decoded);
    return decoded.result;
}

static void extensions_and_trailers_are_bounded(void **state)
{
    assert_int_equal(repeated("1;", "a", 256), HTTP_CHUNK_NEED_MORE);
    assert_int_equal(repeated("1;", "a", 257), HTTP_CHUNK_BAD);
    assert_int_equal(repeated("", "1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n", 600),
                     HTTP_CHUNK_NEED_MORE);
    assert_int_equal(repeated("", "1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n", 700),
                     HTTP_CHUNK_BAD);
    assert_int_equal(repeated("0\r\n", "a: b\r\n", 32), HTTP_CHUNK_NEED_MORE);
    assert_int_equal(repeated("0\r\n", "a: b\r\n", 33), HTTP_CHUNK_BAD);
    assert_int_equal(repeated("0\r\na: ", "b", 8192 - 3), HTTP_CHUNK_NEED_MORE);
    assert_int_equal(repeated("0\r\na: ", "b", 8192 - 2), HTTP_CHUNK_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_decoded_in_any_segmentation),
        cmocka_unit_test(malformed_chunks_are_refused_in_any_segmentation),
        cmocka_unit_test(any_two_splits_give_the_same_body),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(the_data_of_a_chunk_may_be_passed_over_but_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
