/* Operations under the id of a node that claim to be of another type: whoever has the key of a
 * node can sign them, and they concern no node. */
#include "tests/unit/replication/void_example.h"

static const uint8_t out_of_it[] = {0x08, NODE_REVOKED}; /* a status without cut-offs */
static const uint8_t alive = 1, deleted = 0;

/* By the thief LOST, which knows what NEAR and FAR wrote: that of type 5. */
static size_t
disguise(struct example *example, const struct uuid *id, uint16_t facet, struct bytes value)
{
    struct change_set changes = {0};
    const bool they_wrote = last_of(example, FAR + 1) != NULL;
    struct vv knew = vector(0, they_wrote, they_wrote);
    change_set_add(&changes, id, &none, 5, facet, value);
    changes.ops[0].anew = facet == FACET_LIFE && value.data[0];
    size_t number = write_changes(example, LOST, &knew, &changes);
    change_set_free(&changes);
    vv_free(&knew);
    return number;
}

static void assert_far_is_there(const struct example *example, const char *order)
{
    struct reader reader = read_in_order(example, order);
    for (int starts = 0; starts < 2; starts++) {
        const struct roster_node *far =
            roster_find(core_roster(reader.core), &example->ids[FAR]);
        assert_non_null(far);
        assert_int_equal(far->status, NODE_ACTIVE);
        assert_int_equal(far->endpoint_count, 1);
        assert_memory_equal(far->public_key, sign_key_public(example->keys[FAR]),
                            SIGN_PUBLIC_KEY_SIZE);
        assert_int_equal(value_of(&reader, &thing, FACET), 2);
        load(example, &reader);
    }
    reader_free(&reader);
}

static void a_removal_of_another_type_removes_nobody(void **state)
{
    struct example *example = *state;
    value_by(example, NEAR, 0, 0, 0, 3); /* b */
    value_by(example, FAR, 0, 1, 0, 2);  /* c */
    disguise(example, &example->ids[FAR], FACET_NODE_STATUS,
             (struct bytes){out_of_it, sizeof(out_of_it)}); /* d */
    assert_far_is_there(example, "abcd");
    assert_same(example, "abcd", "abcd");
}

static void nothing_of_another_type_makes_a_node_unreadable(void **state)
{
    struct example *example = *state;
    const uint8_t nonsense[] = {0xff};
    const uint16_t facets[] = {FACET_META, FACET_ADMIN,       FACET_NODE_KEY, 11,
                               15,         FACET_NODE_STATUS, FACET_LIFE};
    value_by(example, NEAR, 0, 0, 0, 3); /* b */
    value_by(example, FAR, 0, 1, 0, 2);  /* c */
    for (size_t i = 0; i < ARRAY_LENGTH(facets); i++)
        disguise(example, &example->ids[FAR], facets[i],
                 (struct bytes){nonsense, sizeof(nonsense)});                       /* d to j */
    disguise(example, &example->ids[FAR], FACET_LIFE, (struct bytes){&deleted, 1}); /* k */
    disguise(example, &example->ids[FAR], FACET_LIFE, (struct bytes){&alive, 1});   /* l */
    assert_far_is_there(example, "abcdefghijkl");
    assert_same(example, "abcdefghijkl", "abdcefghijkl");
}

/* NEAR removed LOST, which was not told yet and lets itself in again. */
static void a_removal_is_replaced_by_nothing_of_another_type(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(0, 1, 0);
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    removal_by(example, NEAR, 1, NODE_REMOVED, 1); /* c */
    change_set_add(&changes, &example->ids[LOST], &none, 5, FACET_NODE_STATUS,
                   (struct bytes){0});
    write_changes(example, FAR, &knew, &changes); /* d */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abcd");
    for (int starts = 0; starts < 2; starts++) {
        assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_REMOVED);
        load(example, &reader);
    }
    reader_free(&reader);
    assert_same(example, "abcd", "acdb");
}

/* In one record the node's own type says it, wherever that stands. */
static void what_a_record_says_of_a_node_is_not_taken_back_in_disguise(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(1, 0, 0);
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    for (int i = 0; i < 2; i++) {
        const uint8_t removed[] = {0x08, NODE_REVOKED, 0x12, 18,  '0', '0', '0', '0',
                                   '0',  '0',          '0',  '0', '0', '0', '0', '0',
                                   '0',  '0',          '0',  '2', '=', '1'};
        change_set_add(&changes, &example->ids[LOST], &none, i == 0 ? 5 : RESOURCE_NODE,
                       FACET_NODE_STATUS, (struct bytes){removed, sizeof(removed)});
    }
    change_set_add(&changes, &example->ids[LOST], &none, 5, FACET_NODE_STATUS,
                   (struct bytes){0});
    write_changes(example, NEAR, &knew, &changes); /* c */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    for (int starts = 0; starts < 2; starts++) {
        assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_REVOKED);
        assert_int_equal(value_of(&reader, &thing, FACET), 2);
        load(example, &reader);
    }
    reader_free(&reader);
}

/* The thief knew the id before anybody else used it. */
static void who_is_admitted_under_an_id_that_was_in_use_is_a_node(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct text_list addresses = {0};
    struct vv knew = vector(0, 0, 0);
    struct uuid guest = {{0x77}};
    disguise(example, &guest, FACET_LIFE, (struct bytes){&alive, 1}); /* b */
    disguise(example, &guest, FACET_NODE_STATUS,
             (struct bytes){out_of_it, sizeof(out_of_it)}); /* c */
    text_list_add(&addresses, "192.0.2.9:7850", 14);
    const struct node_facts facts = {.id = guest,
                                     .name = "guest",
                                     .public_key = sign_key_public(example->new_key),
                                     .addresses = &addresses};
    assert_true(membership_plan_node(NULL, &facts, &changes));
    write_changes(example, NEAR, &knew, &changes); /* d */
    change_set_free(&changes);
    text_list_free(&addresses);
    vv_free(&knew);
    for (const char *const *order = (const char *const[]){"abcd", "adbc", "abdc", NULL}; *order;
         order++) {
        struct reader reader = read_in_order(example, *order);
        assert_non_null(roster_find(core_roster(reader.core), &guest));
        assert_int_equal(status_at(&reader, &guest), NODE_ACTIVE);
        reader_free(&reader);
    }
    assert_same(example, "abcd", "adbc");
    assert_same(example, "abdc", "adbc");
}

/* Who purged it and who did not yet show the same. */
static void what_was_there_under_the_id_of_a_node_is_no_part_of_the_state(void **state)
{
    struct example *example = *state;
    uint8_t with[HASH_SIZE], without[HASH_SIZE];
    disguise(example, &example->ids[FAR], FACET, (struct bytes){&alive, 1});        /* b */
    disguise(example, &example->ids[FAR], FACET_LIFE, (struct bytes){&deleted, 1}); /* c */
    struct reader reader = read_in_order(example, "a");
    facet_state_hash(core_facets(reader.core), without);
    take(example, &reader, 1);
    take(example, &reader, 2);
    facet_state_hash(core_facets(reader.core), with);
    assert_memory_equal(with, without, HASH_SIZE);
    reader_free(&reader);
}

/* Who purged a deleted grant and who did not yet show the same of what is made anew there. */
static void a_deleted_grant_hides_nothing_that_is_made_under_its_id(void **state)
{
    struct example *example = *state;
    const struct uuid id = {{0x66}};
    struct vv knew = vector(2, 0, 0);
    const uint8_t lives[] = {1, 0};
    uint8_t hashes[2][HASH_SIZE];
    for (size_t i = 0; i < ARRAY_LENGTH(lives); i++) {
        struct change_set grant = {0};
        struct vv nothing = vector(0, 0, 0);
        change_set_add(&grant, &id, &example->ids[FAR], RESOURCE_KEY_GRANT, FACET_LIFE,
                       (struct bytes){&lives[i], 1});
        write_changes(example, LOST, &nothing, &grant); /* b, c */
        change_set_free(&grant);
        vv_free(&nothing);
    }
    struct change_set made = {0};
    change_set_add(&made, &id, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    change_set_add(&made, &id, &none, 5, FACET, (struct bytes){&alive, 1});
    write_changes(example, NEAR, &knew, &made); /* d */
    change_set_free(&made);
    vv_free(&knew);
    for (int purges = 0; purges < 2; purges++) {
        struct reader reader = read_in_order(example, "abc");
        struct store_batch batch = {0};
        if (purges)
            facet_purge(&reader.core->facets, &id, &batch);
        store_batch_free(&batch);
        take(example, &reader, 3);
        const struct object *object = facet_object(core_facets(reader.core), &id);
        assert_true(facet_object_counts(core_facets(reader.core), object));
        const struct facet_entry *seen = facet_seen(object, facet_of(object, FACET));
        assert_int_equal(seen ? seen->value[0] : -1, 1);
        facet_kept_hash(&reader.core->facets, hashes[purges]);
        reader_free(&reader);
    }
    assert_memory_equal(hashes[0], hashes[1], HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXAMPLE(a_removal_of_another_type_removes_nobody),
        EXAMPLE(nothing_of_another_type_makes_a_node_unreadable),
        EXAMPLE(a_removal_is_replaced_by_nothing_of_another_type),
        EXAMPLE(what_a_record_says_of_a_node_is_not_taken_back_in_disguise),
        EXAMPLE(who_is_admitted_under_an_id_that_was_in_use_is_a_node),
        EXAMPLE(what_was_there_under_the_id_of_a_node_is_no_part_of_the_state),
        EXAMPLE(a_deleted_grant_hides_nothing_that_is_made_under_its_id),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
