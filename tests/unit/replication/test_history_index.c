#include "replication/history_index.h"
#include "tests/support/test.h"

#include "lbnode/base/random.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    OBJECTS = 7,
    RECORDS = 300
};

static const struct uuid cluster = {{0xc1}};

/* A record whose operations and clock SEED decides. */
static struct bytes make_record(struct random_sequence *random, uint64_t stream, uint64_t seq)
{
    static const uint8_t seed[SIGN_SEED_SIZE] = {1}, hash[HASH_SIZE] = {2};
    static const uint8_t key_id[RECORD_KEY_ID_SIZE] = {9};
    struct sign_key *key = sign_key_from_seed(seed);
    struct change_set changes = {0};
    struct vv deps = {0};
    struct bytes whole;
    size_t count = 1 + random_sequence_next(random) % 4;
    for (size_t i = 0; i < count; i++) {
        const struct uuid id = {{(uint8_t)(1 + random_sequence_next(random) % OBJECTS)}},
                          none = {0};
        change_set_add(&changes, &id, &none, 4,
                       (uint16_t)(10 + random_sequence_next(random) % 3),
                       (struct bytes){(const uint8_t *)"v", 1});
    }
    const struct record_draft draft = {
        .stream = stream,
        .seq = seq,
        .hlc = 1000 + random_sequence_next(random) % 50,
        .wall_ms = 1,
        .previous_hash = seq > 1 ? hash : NULL,
        .deps = &deps,
        .node_id = {{0x0d}},
        .key_id = key_id,
        .incarnation = 1,
        .kind = RECORD_CONFIG,
        .change_id = uuid_random(),
        .author = "ann",
        .changes = &changes,
    };
    assert_true(record_build(&draft, &cluster, key, &whole));
    change_set_free(&changes);
    sign_key_free(key);
    return whole;
}

static struct bytes records[RECORDS];

static void make_records(void)
{
    struct random_sequence random;
    random_sequence_init(&random, 7);
    for (size_t i = 0; i < RECORDS; i++)
        records[i] = make_record(&random, 1 + i % 3, 1 + i / 3);
}

static void free_records(void)
{
    for (size_t i = 0; i < RECORDS; i++)
        free((void *)(uintptr_t)records[i].data);
}

/* How many operations of all records write to the object. */
static size_t count_writes(const struct uuid *id)
{
    size_t count = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        struct record record;
        struct record_op op;
        assert_true(record_parse(records[i], &record));
        while (record_next_op(&record.ops, &op))
            count += uuid_equal(&op.object_id, id);
    }
    return count;
}

static void assert_ascending(const struct history_write *writes, size_t count)
{
    for (size_t i = 1; i < count; i++)
        assert_int_equal(history_write_compare(&writes[i - 1], &writes[i]), -1);
}

static void writes_are_in_order_whatever_order_they_came_in(void **state)
{
    struct history_index index = {0};
    make_records();
    for (size_t i = 0; i < RECORDS; i++) {
        struct record record;
        assert_true(record_parse(records[(i * 7) % RECORDS], &record));
        assert_true(history_index_add(&index, &record));
    }
    assert_int_equal(index.change_count, RECORDS);
    assert_ascending(index.changes, index.change_count);
    for (uint8_t i = 1; i <= OBJECTS; i++) {
        const struct uuid id = {{i}};
        const struct history_object *object = history_index_object(&index, &id);
        assert_non_null(object);
        assert_int_equal(object->count, count_writes(&id));
        assert_ascending(object->writes, object->count);
    }
    history_index_free(&index);
    free_records();
}

static void the_first_write_from_a_stamp_on_is_found(void **state)
{
    struct history_index index = {0};
    make_records();
    for (size_t i = 0; i < RECORDS; i++) {
        struct record record;
        assert_true(record_parse(records[i], &record));
        assert_true(history_index_add(&index, &record));
    }
    for (uint64_t hlc = 990; hlc < 1060; hlc++) {
        const struct history_write stamp = {.hlc = hlc, .dot = {2, 50}};
        size_t expected = 0;
        while (expected < index.change_count &&
               history_write_compare(&index.changes[expected], &stamp) < 0)
            expected++;
        assert_int_equal(history_index_find(index.changes, index.change_count, &stamp),
                         expected);
    }
    history_index_free(&index);
    free_records();
}

static struct bytes make_dependent(uint64_t stream, uint64_t seq, const struct vv *deps)
{
    static const uint8_t seed[SIGN_SEED_SIZE] = {1}, hash[HASH_SIZE] = {2};
    static const uint8_t key_id[RECORD_KEY_ID_SIZE] = {9};
    struct sign_key *key = sign_key_from_seed(seed);
    struct change_set changes = {0};
    const struct uuid id = {{1}}, none = {0};
    struct bytes whole;
    change_set_add(&changes, &id, &none, 4, 10, (struct bytes){(const uint8_t *)"v", 1});
    const struct record_draft draft = {
        .stream = stream,
        .seq = seq,
        .hlc = 1000 + seq,
        .wall_ms = 1,
        .previous_hash = seq > 1 ? hash : NULL,
        .deps = deps,
        .node_id = {{0x0d}},
        .key_id = key_id,
        .incarnation = 1,
        .kind = RECORD_CONFIG,
        .change_id = uuid_random(),
        .author = "ann",
        .changes = &changes,
    };
    assert_true(record_build(&draft, &cluster, key, &whole));
    change_set_free(&changes);
    sign_key_free(key);
    return whole;
}

/* Stream 2 has up to 3 of stream 1 from its second record on, and up to 7 from its fourth. */
static void it_tells_what_an_author_had(void **state)
{
    const uint64_t known[] = {0, 3, 0, 7, 0};
    struct history_index index = {0};
    for (uint64_t seq = 1; seq <= 5; seq++) {
        struct vv deps = {0};
        struct record record;
        if (known[seq - 1])
            vv_raise(&deps, 1, known[seq - 1]);
        struct bytes whole = make_dependent(2, seq, &deps);
        assert_true(record_parse(whole, &record));
        assert_true(history_index_add(&index, &record));
        vv_free(&deps);
        free((void *)(uintptr_t)whole.data);
    }
    assert_false(history_index_knew(&index, (struct dot){2, 1}, (struct dot){1, 1}));
    assert_true(history_index_knew(&index, (struct dot){2, 2}, (struct dot){1, 3}));
    assert_false(history_index_knew(&index, (struct dot){2, 3}, (struct dot){1, 4}));
    assert_true(history_index_knew(&index, (struct dot){2, 4}, (struct dot){1, 7}));
    assert_true(history_index_knew(&index, (struct dot){2, 5}, (struct dot){1, 4}));
    assert_false(history_index_knew(&index, (struct dot){2, 5}, (struct dot){1, 8}));
    assert_false(history_index_knew(&index, (struct dot){1, 9}, (struct dot){2, 1}));
    assert_true(history_index_knew(&index, (struct dot){2, 5}, (struct dot){2, 4}));
    assert_false(history_index_knew(&index, (struct dot){2, 4}, (struct dot){2, 4}));
    history_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_are_in_order_whatever_order_they_came_in),
        cmocka_unit_test(the_first_write_from_a_stamp_on_is_found),
        cmocka_unit_test(it_tells_what_an_author_had),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
