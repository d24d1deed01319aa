#include "replication/facet.h"
#include "tests/support/test.h"

#include <string.h>

static const struct uuid object_id = {{1}};

struct made {
    struct dot dot;
    uint64_t hlc;
    struct vv context;
};

static struct made record_of(uint64_t stream, uint64_t seq, uint64_t hlc)
{
    return (struct made){.dot = {stream, seq}, .hlc = hlc};
}

static enum facet_effect apply_owned(struct facet_table *table,
                                     const struct made *made,
                                     const struct uuid *id,
                                     const struct uuid *owner,
                                     uint16_t facet,
                                     struct bytes value)
{
    struct store_batch batch = {0};
    const struct record_op op = {
        .object_id = *id, .owner = *owner, .type = 5, .facet = facet, .value = value};
    const struct facet_stamp stamp = {
        .dot = made->dot, .hlc = made->hlc, .context = &made->context};
    enum facet_effect effect = facet_apply(table, &op, 0, &stamp, &batch);
    store_batch_free(&batch);
    return effect;
}

static enum facet_effect
apply(struct facet_table *table, const struct made *made, uint16_t facet, const char *value)
{
    const struct uuid none = {0};
    return apply_owned(table, made, &object_id, &none, facet,
                       (struct bytes){(const uint8_t *)value, strlen(value)});
}

static enum facet_effect
apply_life(struct facet_table *table, const struct made *made, uint8_t alive)
{
    const struct uuid none = {0};
    return apply_owned(table, made, &object_id, &none, FACET_LIFE, (struct bytes){&alive, 1});
}

static bool end_earlier(struct facet_table *table, const struct made *made)
{
    struct store_batch batch = {0};
    const struct facet_stamp stamp = {
        .dot = made->dot, .hlc = made->hlc, .context = &made->context};
    bool any = facet_end_earlier(table, &object_id, REALM_THINGS, &stamp, &batch);
    store_batch_free(&batch);
    return any;
}

static const struct facet_state *state_of(const struct facet_table *table, uint16_t facet)
{
    return facet_of(facet_object(table, &object_id), facet);
}

static void assert_value(const struct facet_table *table, const char *value)
{
    const struct facet_entry *winner = facet_winner(state_of(table, 10));
    assert_int_equal(winner->value_size, strlen(value));
    assert_memory_equal(winner->value, value, strlen(value));
}

static void a_write_replaces_what_its_author_had_seen(void **state)
{
    struct facet_table table = {0};
    struct made first = record_of(1, 1, 100), second = record_of(2, 1, 50);
    vv_raise(&second.context, 1, 1); /* a clock behind does not matter: it had seen it */
    apply(&table, &first, 10, "first");
    assert_int_equal(apply(&table, &second, 10, "second"), FACET_WRITTEN);
    assert_int_equal(state_of(&table, 10)->count, 1);
    assert_value(&table, "second");
    vv_free(&second.context);
    facet_table_free(&table);
}

static void concurrent_writes_stay_as_a_conflict_in_either_order(void **state)
{
    struct made early = record_of(1, 1, 100), late = record_of(2, 1, 200);
    uint8_t hashes[2][HASH_SIZE];
    for (int order = 0; order < 2; order++) {
        struct facet_table table = {0};
        assert_int_equal(apply(&table, order ? &late : &early, 10, order ? "late" : "early"),
                         FACET_WRITTEN);
        assert_int_equal(apply(&table, order ? &early : &late, 10, order ? "early" : "late"),
                         FACET_CONFLICT_OPENED);
        apply_life(&table, &early, 1);
        assert_int_equal(state_of(&table, 10)->count, 2);
        assert_value(&table, "late");
        facet_state_hash(&table, hashes[order]);
        facet_table_free(&table);
    }
    assert_memory_equal(hashes[0], hashes[1], HASH_SIZE);
}

static void a_later_write_closes_the_conflict(void **state)
{
    struct facet_table table = {0};
    struct made a = record_of(1, 1, 100), b = record_of(2, 1, 200), c = record_of(1, 2, 300);
    vv_raise(&c.context, 2, 1);
    apply(&table, &a, 10, "a");
    apply(&table, &b, 10, "b");
    assert_int_equal(apply(&table, &c, 10, "c"), FACET_CONFLICT_CLOSED);
    assert_int_equal(state_of(&table, 10)->count, 1);
    vv_free(&c.context);
    facet_table_free(&table);
}

static void different_facets_never_conflict(void **state)
{
    struct facet_table table = {0};
    struct made a = record_of(1, 1, 100), b = record_of(2, 1, 200);
    assert_int_equal(apply(&table, &a, 10, "a"), FACET_WRITTEN);
    assert_int_equal(apply(&table, &b, 11, "b"), FACET_WRITTEN);
    facet_table_free(&table);
}

static void the_last_operation_of_one_record_counts(void **state)
{
    struct facet_table table = {0};
    struct made a = record_of(1, 1, 100);
    apply(&table, &a, 10, "first");
    apply(&table, &a, 10, "last");
    assert_int_equal(state_of(&table, 10)->count, 1);
    assert_value(&table, "last");
    facet_table_free(&table);
}

/* The winner among concurrent values: all pairs, in both orders of arrival. */
static void the_choice_among_concurrent_values_follows_the_table(void **state)
{
    static const uint8_t up[] = {0x08, 1}, down[] = {0x08, 0}, alive[] = {1}, deleted[] = {0};
    static const struct {
        uint16_t facet;
        struct bytes early, late;
        bool late_wins;
    } rows[] = {
        {FACET_LIFE, {alive, 1}, {alive, 1}, true},
        {FACET_LIFE, {alive, 1}, {deleted, 1}, true},
        {FACET_LIFE, {deleted, 1}, {alive, 1}, false},
        {FACET_LIFE, {deleted, 1}, {deleted, 1}, true},
        {FACET_ADMIN, {up, 2}, {up, 2}, true},
        {FACET_ADMIN, {up, 2}, {down, 2}, true},
        {FACET_ADMIN, {down, 2}, {up, 2}, false},
        {FACET_ADMIN, {down, 2}, {NULL, 0}, false}, /* nothing said: up */
        {FACET_META, {up, 2}, {down, 2}, true},
        {10, {down, 2}, {up, 2}, true},
    };
    const struct made early = record_of(2, 1, 100), late = record_of(1, 1, 200);
    const struct uuid none = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int order = 0; order < 2; order++) {
            struct facet_table table = {0};
            apply_owned(&table, order ? &late : &early, &object_id, &none, rows[i].facet,
                        order ? rows[i].late : rows[i].early);
            apply_owned(&table, order ? &early : &late, &object_id, &none, rows[i].facet,
                        order ? rows[i].early : rows[i].late);
            const struct facet_entry *winner = facet_winner(state_of(&table, rows[i].facet));
            assert_int_equal(winner->dot.stream, rows[i].late_wins ? 1 : 2);
            facet_table_free(&table);
        }
    }
}

static void equal_clocks_are_decided_by_the_stream(void **state)
{
    struct facet_table table = {0};
    struct made low = record_of(1, 9, 100), high = record_of(2, 1, 100);
    apply(&table, &high, 10, "high");
    apply(&table, &low, 10, "low");
    assert_value(&table, "high");
    facet_table_free(&table);
}

static void what_is_deleted_or_orphaned_does_not_count_in_the_hash(void **state)
{
    static const struct uuid child = {{2}};
    static const uint8_t alive = 1;
    struct facet_table table = {0};
    struct made a = record_of(1, 1, 100), b = record_of(1, 2, 200);
    uint8_t hash[HASH_SIZE], zero[HASH_SIZE] = {0};
    apply_life(&table, &a, 1);
    apply_owned(&table, &a, &child, &object_id, FACET_LIFE, (struct bytes){&alive, 1});
    facet_state_hash(&table, hash);
    assert_memory_not_equal(hash, zero, HASH_SIZE);
    apply_life(&table, &b, 0);
    facet_state_hash(&table, hash);
    assert_memory_equal(hash, zero, HASH_SIZE);
    facet_table_free(&table);
}

static bool load_row(void *context, struct bytes key, struct bytes value)
{
    assert_true(facet_load(context, key, value));
    return true;
}

static void stored_entries_load_back_equal(void **state)
{
    struct facet_table table = {0}, loaded = {0};
    struct store *store = store_mem_open();
    const struct record_op op = {
        .object_id = object_id, .type = 5, .facet = FACET_LIFE, .value = {(void *)"\1", 1}};
    const struct vv nothing = {0};
    const struct facet_stamp stamp = {.dot = {7, 8},
                                      .hlc = 9,
                                      .wall_ms = 10,
                                      .author = {(void *)"ann", 3},
                                      .context = &nothing};
    struct store_batch batch = {0};
    uint8_t before[HASH_SIZE], after[HASH_SIZE];
    facet_apply(&table, &op, 3, &stamp, &batch);
    assert_int_equal(store_commit(store, &batch), 0);
    store_walk(store, STORE_FACET, (struct bytes){0}, load_row, &loaded);
    facet_state_hash(&table, before);
    facet_state_hash(&loaded, after);
    assert_memory_equal(before, after, HASH_SIZE);
    assert_string_equal(facet_winner(state_of(&loaded, FACET_LIFE))->author, "ann");
    store_batch_free(&batch);
    store_close(store);
    facet_table_free(&table);
    facet_table_free(&loaded);
}

static bool is_dead(struct store *store, struct dot dot, uint32_t op_index)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    struct wire_writer row = {0};
    facet_dead_key(dot, op_index, key);
    bool found = store_get(store, STORE_DEAD, (struct bytes){key, sizeof(key)}, &row) == 0;
    wire_writer_free(&row);
    return found;
}

static void every_operation_either_counts_or_is_dead(void **state)
{
    struct facet_table table = {0};
    struct store *store = store_mem_open();
    const struct record_op op = {
        .object_id = object_id, .type = 5, .facet = 10, .value = {(void *)"1", 1}};
    const struct vv nothing = {0};
    const struct dot first = {7, 1}, second = {7, 2};
    struct facet_stamp stamp = {.dot = first, .context = &nothing};
    struct store_batch batch = {0};
    facet_apply(&table, &op, 0, &stamp, &batch);
    facet_apply(&table, &op, 1, &stamp, &batch); /* the same record again */
    stamp.dot = second;
    facet_apply(&table, &op, 0, &stamp, &batch);
    assert_int_equal(store_commit(store, &batch), 0);
    assert_true(is_dead(store, first, 0) && is_dead(store, first, 1));
    assert_false(is_dead(store, second, 0));
    assert_true(facet_provides(&table, &op, 0, second));
    assert_false(facet_provides(&table, &op, 1, first));
    store_batch_free(&batch);
    facet_purge(&table, &object_id, &batch);
    assert_int_equal(store_commit(store, &batch), 0);
    assert_null(facet_object(&table, &object_id));
    assert_true(is_dead(store, second, 0));
    store_batch_free(&batch);
    store_close(store);
    facet_table_free(&table);
}

static void losses_are_followed_up_to_their_bound(void **state)
{
    struct facet_table table = {0};
    struct made first = record_of(1, 1, 1);
    apply(&table, &first, 10, "a");
    facet_follow_losses(&table);
    for (uint64_t seq = 2; seq < FACET_LOSSES + 2; seq++) {
        struct made next = record_of(1, seq, seq);
        apply(&table, &next, 10, "b");
    }
    assert_true(table.losses.followed);
    assert_int_equal(table.losses.count, FACET_LOSSES);
    assert_int_equal(table.losses.dots[0].seq, 1);
    struct made last = record_of(1, FACET_LOSSES + 2, FACET_LOSSES + 2);
    apply(&table, &last, 10, "c");
    assert_false(table.losses.followed);
    facet_table_free(&table);
}

static void changed_objects_are_listed_once_until_taken(void **state)
{
    struct facet_table table = {0};
    const struct uuid other = {{2}}, none = {0};
    struct made first = record_of(1, 1, 1), second = record_of(1, 2, 2);
    apply(&table, &first, 10, "a");
    assert_false(table.changes.followed); /* all is news */
    facet_changes_taken(&table);
    assert_true(table.changes.followed);
    apply(&table, &first, 11, "a");
    apply(&table, &second, 10, "b");
    apply_owned(&table, &second, &other, &none, 10, (struct bytes){(const uint8_t *)"c", 1});
    assert_int_equal(table.changes.count, 2);
    assert_true(uuid_equal(&table.changes.ids[0], &object_id));
    assert_true(uuid_equal(&table.changes.ids[1], &other));
    facet_changes_taken(&table);
    assert_int_equal(table.changes.count, 0);
    apply(&table, &second, 12, "d");
    assert_int_equal(table.changes.count, 1);
    facet_table_free(&table);
}

/* ---- made anew -------------------------------------------------------------------------- */

static const struct uuid child = {{2}}, cousin = {{3}};
static const struct bytes alive = {(const uint8_t *)"\1", 1};

/* An object, something below it, and something below another one. */
static void make_family(struct facet_table *table)
{
    struct made first = record_of(7, 1, 100);
    apply_life(table, &first, 1);
    apply(table, &first, 10, "old");
    apply_owned(table, &first, &child, &object_id, FACET_LIFE, alive);
    apply_owned(table, &first, &child, &object_id, 10, alive);
    apply_owned(table, &first, &cousin, &child, FACET_LIFE, alive);
}

static void make_anew(struct facet_table *table, const struct made *made)
{
    end_earlier(table, made);
    apply_life(table, made, 1);
}

static void what_is_made_anew_ends_what_its_author_knew(void **state)
{
    struct facet_table table = {0};
    struct made again = record_of(8, 1, 200);
    vv_raise(&again.context, 7, 1);
    make_family(&table);
    make_anew(&table, &again);
    assert_int_equal(facet_object(&table, &object_id)->count, 1);
    assert_null(facet_object(&table, &child));
    assert_non_null(facet_object(&table, &cousin));
    assert_false(facet_object_counts(&table, facet_object(&table, &cousin)));
    facet_table_free(&table);
    vv_free(&again.context);
}

static void what_is_made_for_the_first_time_ends_nothing(void **state)
{
    struct facet_table table = {0};
    struct made other = record_of(8, 1, 200);
    make_family(&table);
    assert_false(end_earlier(&table, &other));
    assert_true(facet_object_counts(&table, facet_object(&table, &child)));
    facet_table_free(&table);
}

static void what_came_at_the_same_time_stays_in_either_order(void **state)
{
    uint8_t hashes[2][HASH_SIZE];
    struct made again = record_of(8, 1, 200), meanwhile = record_of(9, 1, 150);
    vv_raise(&again.context, 7, 1);
    vv_raise(&meanwhile.context, 7, 1);
    for (int order = 0; order < 2; order++) {
        struct facet_table table = {0};
        make_family(&table);
        if (order == 0)
            make_anew(&table, &again);
        apply_owned(&table, &meanwhile, &child, &object_id, FACET_LIFE, alive);
        if (order == 1)
            make_anew(&table, &again);
        assert_int_equal(facet_object(&table, &child)->count, 1);
        assert_true(facet_object_counts(&table, facet_object(&table, &cousin)));
        facet_kept_hash(&table, hashes[order]);
        facet_table_free(&table);
    }
    assert_memory_equal(hashes[0], hashes[1], HASH_SIZE);
    vv_free(&again.context);
    vv_free(&meanwhile.context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_replaces_what_its_author_had_seen),
        cmocka_unit_test(concurrent_writes_stay_as_a_conflict_in_either_order),
        cmocka_unit_test(a_later_write_closes_the_conflict),
        cmocka_unit_test(different_facets_never_conflict),
        cmocka_unit_test(the_last_operation_of_one_record_counts),
        cmocka_unit_test(the_choice_among_concurrent_values_follows_the_table),
        cmocka_unit_test(equal_clocks_are_decided_by_the_stream),
        cmocka_unit_test(what_is_deleted_or_orphaned_does_not_count_in_the_hash),
        cmocka_unit_test(stored_entries_load_back_equal),
        cmocka_unit_test(every_operation_either_counts_or_is_dead),
        cmocka_unit_test(losses_are_followed_up_to_their_bound),
        cmocka_unit_test(changed_objects_are_listed_once_until_taken),
        cmocka_unit_test(what_is_made_anew_ends_what_its_author_knew),
        cmocka_unit_test(what_is_made_for_the_first_time_ends_nothing),
        cmocka_unit_test(what_came_at_the_same_time_stays_in_either_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
