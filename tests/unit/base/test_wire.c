#include "lbnode/base/wire.h"
#include "tests/support/test.h"

#include <string.h>

static bool accepts(const char *data, size_t size)
{
    struct wire_reader reader = wire_reader_of((struct bytes){(const uint8_t *)data, size});
    struct wire_field field;
    while (wire_next(&reader, &field))
        ;
    return wire_ended(&reader);
}
#define ACCEPTS(literal) accepts(literal, sizeof(literal) - 1)

static void what_was_written_reads_back(void **state)
{
    struct wire_writer writer = {0};
    wire_put_varint(&writer, 1, UINT64_MAX);
    wire_put_fixed64(&writer, 2, 0x0102030405060708u);
    size_t mark = wire_begin(&writer, 20);
    wire_put_text(&writer, 1, "inner");
    wire_end(&writer, mark);
    struct wire_reader reader = wire_reader_of(wire_written(&writer));
    struct wire_field field;
    assert_true(wire_next(&reader, &field));
    assert_true(field.number == 1 && field.type == WIRE_VARINT && field.integer == UINT64_MAX);
    assert_true(wire_next(&reader, &field));
    assert_true(field.number == 2 && field.integer == 0x0102030405060708u);
    assert_true(wire_next(&reader, &field));
    struct wire_reader inner = wire_reader_of(field.bytes);
    assert_false(wire_next(&reader, &field));
    assert_true(wire_ended(&reader));
    assert_true(wire_next(&inner, &field));
    assert_int_equal(field.bytes.size, 5);
    assert_memory_equal(field.bytes.data, "inner", 5);
    wire_writer_free(&writer);
}

static void a_long_nested_message_gets_a_long_length(void **state)
{
    static const uint8_t zeros[1000];
    struct wire_writer writer = {0};
    size_t mark = wire_begin(&writer, 3);
    wire_put_bytes(&writer, 1, (struct bytes){zeros, sizeof(zeros)});
    wire_end(&writer, mark);
    struct wire_reader reader = wire_reader_of(wire_written(&writer));
    struct wire_field field;
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.bytes.size, 1003);
    assert_true(wire_ended(&reader));
    wire_writer_free(&writer);
}

static void only_the_canonical_encoding_is_accepted(void **state)
{
    assert_true(ACCEPTS(""));
    assert_true(ACCEPTS("\x08\x01\x08\x02\x10\x00")); /* repeated, ascending */
    assert_false(ACCEPTS("\x10\x01\x08\x01"));        /* descending */
    assert_false(ACCEPTS("\x08\x81\x00"));            /* varint not minimal */
    assert_false(ACCEPTS("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")); /* 65 bits */
    assert_false(ACCEPTS("\x00\x01"));                                     /* field 0 */
    assert_false(ACCEPTS("\x0b"));                                         /* group */
    assert_false(ACCEPTS("\x0d\x01\x02\x03\x04"));                         /* fixed32 */
    assert_false(ACCEPTS("\x0a\x05"
                         "abc"));          /* longer than what is left */
    assert_false(ACCEPTS("\x09\x01\x02")); /* half a fixed64 */
    assert_false(ACCEPTS("\x08"));         /* no value */
}

static void a_writer_stops_at_its_limit(void **state)
{
    struct wire_writer writer = {.limit = 4};
    wire_put_varint(&writer, 1, 5);
    assert_false(writer.failed);
    wire_put_fixed64(&writer, 2, 5);
    assert_true(writer.failed);
    assert_int_equal(wire_written(&writer).size, 0);
    wire_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_reads_back),
        cmocka_unit_test(a_long_nested_message_gets_a_long_length),
        cmocka_unit_test(only_the_canonical_encoding_is_accepted),
        cmocka_unit_test(a_writer_stops_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
