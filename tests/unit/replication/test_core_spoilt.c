/* Objects of nodes that somebody spoilt: whoever has the key of a node may write to them. */
#include "tests/unit/replication/void_example.h"

static void spoil(struct change_set *changes, const struct uuid *node_id)
{
    const uint8_t nonsense[] = {0xff};
    change_set_add(changes, node_id, &none, RESOURCE_NODE, FACET_ADMIN,
                   (struct bytes){nonsense, sizeof(nonsense)});
}

/* FAR, which knows of the new key, spoils the object of LOST. */
static void spoil_lost(struct example *example)
{
    struct change_set changes = {0};
    struct vv knew = vector(1, 1, 0);
    spoil(&changes, &example->ids[LOST]);
    write_changes(example, FAR, &knew, &changes);
    change_set_free(&changes);
    vv_free(&knew);
}

static void write_with_key(struct example *example,
                           const struct sign_key *key,
                           uint64_t stream,
                           uint8_t value)
{
    struct change_set changes = {0};
    struct vv knew = vector(1, 1, 0);
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&value, 1});
    write_with(example, LOST, key, stream, &knew, &changes);
    change_set_free(&changes);
    vv_free(&knew);
}

static void a_node_whose_object_is_spoilt_goes_on_with_its_new_key(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);              /* b */
    write_new_key(example, 1);                        /* c */
    spoil_lost(example);                              /* d */
    write_with_key(example, example->new_key, 51, 6); /* e */
    struct reader reader = read_in_order(example, "abcde");
    assert_non_null(roster_find(core_roster(reader.core), &example->ids[LOST]));
    assert_int_equal(value_of(&reader, &thing, FACET), 6);
    reader_free(&reader);
    assert_same(example, "abcde", "abced");
}

static void spoiling_an_object_gives_nothing_to_an_old_key(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);                 /* b */
    write_new_key(example, 1);                           /* c */
    spoil_lost(example);                                 /* d */
    write_with_key(example, example->keys[LOST], 50, 5); /* e */
    struct reader reader = read_in_order(example, "abcde");
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    assert_int_equal(vv_get(core_durable(reader.core), 50), 0);
    reader_free(&reader);
    assert_same(example, "abcde", "abced");
}

/* Whoever cannot read all of a node still knows who it is and whether it is out. */
static void who_spoils_the_objects_of_all_nodes_silences_nobody(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(1, 0, 0);
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    for (unsigned i = 0; i < NODES; i++)
        spoil(&changes, &example->ids[i]);
    write_changes(example, NEAR, &knew, &changes); /* c */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    for (int starts = 0; starts < 2; starts++) {
        assert_int_equal(core_roster(reader.core)->count, NODES);
        for (unsigned i = 0; i < NODES; i++) {
            assert_int_equal(status_at(&reader, &example->ids[i]), NODE_ACTIVE);
            assert_memory_equal(
                roster_find(core_roster(reader.core), &example->ids[i])->public_key,
                sign_key_public(example->keys[i]), SIGN_PUBLIC_KEY_SIZE);
        }
        assert_int_equal(value_of(&reader, &thing, FACET), 2);
        load(example, &reader);
    }
    reader_free(&reader);
    assert_same(example, "abc", "acb");
}

/* Nor what would take its object away, or put it below one that is not there. */
static void a_node_is_not_deleted(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(0, 0, 0);
    const uint8_t lives[] = {0, 1, 2};
    for (size_t i = 0; i < sizeof(lives); i++)
        change_set_add(&changes, &example->ids[FAR], lives[i] == 1 ? &other_thing : &none,
                       RESOURCE_NODE, FACET_LIFE, (struct bytes){&lives[i], 1});
    write_changes(example, LOST, &knew, &changes); /* b */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "ab");
    assert_non_null(roster_find(core_roster(reader.core), &example->ids[FAR]));
    load(example, &reader);
    assert_non_null(roster_find(core_roster(reader.core), &example->ids[FAR]));
    reader_free(&reader);
}

/* Its key is there, and the rest of the facet is not what it should be. */
static void a_key_in_a_malformed_value_counts_nowhere(void **state)
{
    struct example *example = *state;
    struct wire_writer value = {0};
    struct change_set changes = {0};
    struct vv knew = vector(0, 0, 0);
    char hex[2 * SIGN_PUBLIC_KEY_SIZE + 1];
    bytes_to_hex((struct bytes){sign_key_public(example->keys[FAR]), SIGN_PUBLIC_KEY_SIZE},
                 hex);
    wire_put_text(&value, 1, hex);
    wire_put_varint(&value, 2, 7);
    change_set_add(&changes, &example->ids[FAR], &none, RESOURCE_NODE, FACET_NODE_KEY,
                   wire_written(&value));
    write_changes(example, LOST, &knew, &changes); /* b */
    wire_writer_free(&value);
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "ab");
    assert_non_null(roster_find(core_roster(reader.core), &example->ids[FAR]));
    reader_free(&reader);
}

static void what_is_unreadable_of_a_node_is_told_once(void **state)
{
    struct example *example = *state;
    struct core_actions actions = {0};
    size_t told = 0;
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    write_new_key(example, 1);           /* c */
    spoil_lost(example);                 /* d */
    struct reader reader = read_in_order(example, "abc");
    struct core_event event = {.kind = CORE_RECORD, .body = example->records[3].bytes};
    const struct core_now now = {reader.now_us, 1800000000000};
    core_step(reader.core, &event, now, &actions);
    for (int i = 0; i < 2; i++) {
        event.kind = CORE_STAGE;
        core_step(reader.core, &event, now, &actions);
        core_refresh_roster(reader.core, &actions);
    }
    for (size_t i = 0; i < actions.count; i++)
        told +=
            actions.items[i].kind == CORE_EVENT && actions.items[i].code == EVENT_NODE_SPOILT;
    assert_int_equal(told, 1);
    core_actions_free(&actions);
    reader_free(&reader);
}

/* As many as fit are in, those that were let in first. */
static void many_strangers_push_no_node_out(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct text_list addresses = {0};
    struct vv knew = vector(0, 0, 0);
    text_list_add(&addresses, "192.0.2.9:7850", 14);
    for (uint16_t i = 0; i < ROSTER_MAXIMUM + 8; i++) {
        const struct node_facts facts = {.id = {{0, (uint8_t)(i >> 8), (uint8_t)i, 1}},
                                         .name = "stranger",
                                         .public_key = sign_key_public(example->new_key),
                                         .addresses = &addresses};
        assert_true(membership_plan_node(NULL, &facts, &changes));
    }
    write_changes(example, LOST, &knew, &changes); /* b */
    change_set_free(&changes);
    text_list_free(&addresses);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "ab");
    assert_int_equal(core_roster(reader.core)->count, ROSTER_ACTIVE_MAXIMUM);
    for (unsigned i = 0; i < NODES; i++)
        assert_non_null(roster_find(core_roster(reader.core), &example->ids[i]));
    removal_by(example, NEAR, 0, NODE_REMOVED, 0); /* c */
    take(example, &reader, 2);
    assert_int_equal(core_roster(reader.core)->count, NODES);
    reader_free(&reader);
    assert_same(example, "abc", "acb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXAMPLE(a_node_whose_object_is_spoilt_goes_on_with_its_new_key),
        EXAMPLE(spoiling_an_object_gives_nothing_to_an_old_key),
        EXAMPLE(who_spoils_the_objects_of_all_nodes_silences_nobody),
        EXAMPLE(a_node_is_not_deleted),
        EXAMPLE(a_key_in_a_malformed_value_counts_nowhere),
        EXAMPLE(what_is_unreadable_of_a_node_is_told_once),
        EXAMPLE(many_strangers_push_no_node_out),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
