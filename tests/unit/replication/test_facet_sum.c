#include "lbnode/base/random.h"
#include "replication/facet.h"
#include "tests/support/test.h"

#include <string.h>

enum {
    OBJECTS = 12,
    STREAMS = 3
};

static struct uuid object_at(size_t number)
{
    return (struct uuid){{(uint8_t)(number + 1)}};
}

static void write_facet(struct facet_table *table,
                        struct dot dot,
                        size_t object,
                        struct uuid owner,
                        uint16_t facet,
                        uint8_t value)
{
    static const struct vv saw_nothing = {0};
    struct store_batch batch = {0};
    const struct record_op op = {
        .object_id = object_at(object), .owner = owner, .facet = facet, .value = {&value, 1}};
    const struct facet_stamp stamp = {
        .dot = dot, .hlc = dot.seq * 16 + dot.stream, .context = &saw_nothing};
    facet_apply(table, &op, 0, &stamp, &batch);
    store_batch_free(&batch);
}

static void assert_kept_is_right(struct facet_table *table)
{
    uint8_t all[HASH_SIZE], kept[HASH_SIZE];
    facet_state_hash(table, all);
    facet_kept_hash(table, kept);
    assert_memory_equal(all, kept, HASH_SIZE);
}

/* Objects come, go, come back and move below each other, one write at a time. */
static void the_kept_hash_equals_that_of_all_objects(void **state)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct facet_table table = {0};
        struct random_sequence random;
        random_sequence_init(&random, seed);
        for (uint64_t seq = 1; seq <= 200; seq++) {
            struct dot dot = {1 + random_sequence_below(&random, STREAMS), seq};
            size_t object = random_sequence_below(&random, OBJECTS);
            uint64_t above = random_sequence_below(&random, object + 1);
            struct uuid owner = above > 0 ? object_at(above - 1) : (struct uuid){0};
            bool life = random_sequence_below(&random, 2) == 0;
            write_facet(&table, dot, object, owner, life ? FACET_LIFE : 10,
                        random_sequence_below(&random, 4) != 0);
            if (random_sequence_below(&random, 3) > 0)
                assert_kept_is_right(&table);
        }
        facet_table_free(&table);
    }
}

static void a_value_changes_the_sum_in_place(void **state)
{
    struct facet_table table = {0};
    const struct uuid none = {0};
    write_facet(&table, (struct dot){1, 1}, 0, none, FACET_LIFE, 1);
    assert_kept_is_right(&table);
    write_facet(&table, (struct dot){1, 2}, 0, none, 10, 7);
    write_facet(&table, (struct dot){1, 3}, 1, object_at(0), FACET_LIFE, 1);
    assert_true(table.sum.known);
    assert_kept_is_right(&table);
    facet_table_free(&table);
}

static void a_deleted_owner_takes_what_is_below_it(void **state)
{
    struct facet_table table = {0};
    const struct uuid none = {0};
    const uint8_t zero[HASH_SIZE] = {0};
    uint8_t hash[HASH_SIZE];
    write_facet(&table, (struct dot){1, 1}, 0, none, FACET_LIFE, 1);
    write_facet(&table, (struct dot){1, 2}, 1, object_at(0), FACET_LIFE, 1);
    facet_kept_hash(&table, hash);
    assert_memory_not_equal(hash, zero, HASH_SIZE);
    write_facet(&table, (struct dot){1, 3}, 0, none, FACET_LIFE, 0);
    facet_kept_hash(&table, hash);
    assert_memory_equal(hash, zero, HASH_SIZE);
    facet_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kept_hash_equals_that_of_all_objects),
        cmocka_unit_test(a_value_changes_the_sum_in_place),
        cmocka_unit_test(a_deleted_owner_takes_what_is_below_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
