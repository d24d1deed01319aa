#include "replication/snapshot_frames.h"
#include "tests/support/test.h"

#include <string.h>

#define BYTES_OF(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

static const uint8_t hash[HASH_SIZE] = {1, 2, 3};

static bool parses(enum snapshot_kind kind, const struct wire_writer *body)
{
    struct snapshot_part part;
    return snapshot_part_parse(kind, wire_written(body), &part);
}

static void every_part_reads_as_it_was_written(void **state)
{
    const uint8_t dead[8] = {0, 0, 0, 1, 0, 0, 0, 9};
    const struct snapshot_part parts[] = {
        {.kind = SNAPSHOT_BEGIN,
         .transfer = 7,
         .schema = SNAPSHOT_SCHEMA,
         .streams = 3,
         .records = 40,
         .hlc = 99},
        {.kind = SNAPSHOT_STREAM, .transfer = 7, .stream = 5, .row = BYTES_OF("row")},
        {.kind = SNAPSHOT_RECORD,
         .transfer = 7,
         .record = BYTES_OF("record"),
         .dead = {dead, sizeof(dead)}},
        {.kind = SNAPSHOT_END, .transfer = 7, .records = 40},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        struct wire_writer body = {0};
        struct snapshot_part part;
        snapshot_part_put(&body, &parts[i]);
        assert_true(snapshot_part_parse(parts[i].kind, wire_written(&body), &part));
        assert_int_equal(part.transfer, 7);
        assert_int_equal(part.streams, parts[i].streams);
        assert_int_equal(part.records, parts[i].records);
        assert_int_equal(part.hlc, parts[i].hlc);
        assert_int_equal(part.stream, parts[i].stream);
        assert_true(bytes_equal(part.row, parts[i].row));
        assert_true(bytes_equal(part.record, parts[i].record));
        assert_true(bytes_equal(part.dead, parts[i].dead));
        wire_writer_free(&body);
    }
}

static void a_part_with_an_unknown_field_is_refused(void **state)
{
    struct wire_writer body = {0};
    wire_put_fixed64(&body, 1, 7);
    wire_put_bytes(&body, 3, (struct bytes){hash, sizeof(hash)});
    wire_put_varint(&body, 5, 1);
    assert_true(parses(SNAPSHOT_END, &body));
    wire_put_varint(&body, 6, 1);
    assert_false(parses(SNAPSHOT_END, &body));
    wire_writer_free(&body);
}

static void a_part_without_a_needed_field_is_refused(void **state)
{
    struct wire_writer body = {0};
    wire_put_fixed64(&body, 1, 7);
    assert_false(parses(SNAPSHOT_RECORD, &body));
    wire_put_bytes(&body, 2, BYTES_OF("record"));
    assert_true(parses(SNAPSHOT_RECORD, &body));
    assert_false(parses(SNAPSHOT_STREAM, &body));
    wire_writer_free(&body);
}

static void a_transfer_has_a_number(void **state)
{
    struct wire_writer body = {0};
    wire_put_fixed64(&body, 1, 0);
    wire_put_bytes(&body, 2, BYTES_OF("record"));
    assert_false(parses(SNAPSHOT_RECORD, &body));
    wire_writer_free(&body);
}

static void a_field_that_comes_twice_is_refused(void **state)
{
    struct wire_writer body = {0};
    wire_put_fixed64(&body, 1, 7);
    wire_put_bytes(&body, 2, BYTES_OF("record"));
    wire_put_bytes(&body, 2, BYTES_OF("record"));
    assert_false(parses(SNAPSHOT_RECORD, &body));
    wire_writer_free(&body);
}

static void dead_operations_ascend(void **state)
{
    const uint8_t good[] = {0, 0, 0, 1, 0, 0, 0, 2}, twice[] = {0, 0, 0, 1, 0, 0, 0, 1},
                  odd[] = {0, 0, 0, 1, 0};
    const struct {
        struct bytes list;
        bool valid;
    } cases[] = {{{good, sizeof(good)}, true},
                 {{twice, sizeof(twice)}, false},
                 {{odd, sizeof(odd)}, false},
                 {{good, 0}, false}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wire_writer body = {0};
        wire_put_fixed64(&body, 1, 7);
        wire_put_bytes(&body, 2, BYTES_OF("record"));
        wire_put_bytes(&body, 3, cases[i].list);
        assert_int_equal(parses(SNAPSHOT_RECORD, &body), cases[i].valid);
        wire_writer_free(&body);
    }
}

static void dead_operations_are_found_in_one_pass(void **state)
{
    const uint8_t dead[] = {0, 0, 0, 1, 0, 0, 0, 3};
    const struct snapshot_part part = {.dead = {dead, sizeof(dead)}};
    const bool expected[] = {false, true, false, true, false};
    size_t cursor = 0;
    for (uint32_t i = 0; i < ARRAY_LENGTH(expected); i++)
        assert_int_equal(snapshot_part_is_dead(&part, i, &cursor), expected[i]);
}

static void other_frames_are_no_parts(void **state)
{
    struct snapshot_part part;
    struct wire_writer body = {0};
    wire_put_fixed64(&body, 1, 7);
    wire_put_bytes(&body, 2, BYTES_OF("record"));
    assert_false(snapshot_part_parse(SNAPSHOT_BEGIN - 1, wire_written(&body), &part));
    assert_false(snapshot_part_parse(SNAPSHOT_END + 1, wire_written(&body), &part));
    wire_writer_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_reads_as_it_was_written),
        cmocka_unit_test(a_part_with_an_unknown_field_is_refused),
        cmocka_unit_test(a_part_without_a_needed_field_is_refused),
        cmocka_unit_test(a_transfer_has_a_number),
        cmocka_unit_test(a_field_that_comes_twice_is_refused),
        cmocka_unit_test(dead_operations_ascend),
        cmocka_unit_test(dead_operations_are_found_in_one_pass),
        cmocka_unit_test(other_frames_are_no_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
