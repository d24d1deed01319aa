/* Records that the root key signed: they count whatever the roster says, and nothing else
 * passes for one. */
#include "replication/core_root.h"
#include "tests/unit/replication/void_example.h"

enum {
    GUEST_STREAM = 70,
    ROOT_STREAM = 80
};

static const struct uuid guest = {{0x77}}, second_guest = {{0x78}};

/* NODE writes in the root's name from now on. The root key of the example is that of FIRST. */
static const struct sign_key *as_root(struct example *example, unsigned node)
{
    example->ids[node] = example->genesis.root_id;
    return example->keys[FIRST];
}

/* The root, which knew what KNEW says, admits the node ID with the example's new key. */
static size_t admit(struct example *example,
                    const struct sign_key *key,
                    uint64_t stream,
                    const struct uuid *id,
                    const struct vv *knew)
{
    struct change_set changes = {0};
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.9:7850", 14);
    const struct node_facts facts = {.id = *id,
                                     .name = "guest",
                                     .public_key = sign_key_public(example->new_key),
                                     .addresses = &addresses};
    assert_true(membership_plan_node(NULL, &facts, &changes));
    size_t number = write_with(example, FAR, key, stream, knew, &changes);
    change_set_free(&changes);
    text_list_free(&addresses);
    return number;
}

static void write_as_guest(struct example *example, const struct vv *knew, uint8_t value)
{
    struct change_set changes = {0};
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&value, 1});
    example->ids[FAR] = guest;
    write_with(example, FAR, example->new_key, GUEST_STREAM, knew, &changes);
    change_set_free(&changes);
}

static const struct roster_node *known(const struct reader *reader, const struct uuid *id)
{
    return roster_find(core_roster(reader->core), id);
}

static void who_the_root_admits_is_in_when_all_others_are_out(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0), list = {0};
    removal_by(example, NEAR, 0, NODE_REMOVED, 0);                 /* b */
    write_status(example, LOST, &knew, NEAR, NODE_REMOVED, &list); /* c */
    vv_raise(&knew, LOST + 1, 1);
    vv_raise(&knew, NEAR + 1, 1);
    admit(example, as_root(example, FAR), ROOT_STREAM, &guest, &knew); /* d */
    vv_raise(&knew, ROOT_STREAM, 1);
    write_as_guest(example, &knew, 9); /* e */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abcde");
    assert_int_equal(known(&reader, &guest)->status, NODE_ACTIVE);
    assert_int_equal(known(&reader, &example->ids[NEAR])->status, NODE_REMOVED);
    assert_int_equal(value_of(&reader, &thing, FACET), 9);
    reader_free(&reader);
    assert_same(example, "abcde", "acbde");
    assert_same(example, "abcde", "adebcde");
    assert_same(example, "abcde", "adcbe");
}

static void the_root_is_no_node_of_the_roster(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    const struct sign_key *root = as_root(example, FAR);
    admit(example, root, ROOT_STREAM, &example->genesis.root_id, &knew); /* b */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "ab");
    assert_null(known(&reader, &example->genesis.root_id));
    assert_int_equal(core_roster(reader.core)->count, NODES);
    reader_free(&reader);
}

/* Whoever says that he removes it. */
static void no_record_makes_one_of_the_root_void(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0), list = {0};
    admit(example, as_root(example, FAR), ROOT_STREAM, &guest, &knew); /* b */
    write_status(example, NEAR, &knew, FAR, NODE_REVOKED, &list);      /* c: of the root */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "acb");
    assert_int_equal(known(&reader, &guest)->status, NODE_ACTIVE);
    assert_int_equal(vv_get(core_durable(reader.core), ROOT_STREAM), 1);
    reader_free(&reader);
    assert_same(example, "abc", "acb");
}

static void assert_nothing_is_taken(struct example *example, const char *order)
{
    struct reader reader = read_in_order(example, order);
    assert_null(known(&reader, &guest));
    assert_int_equal(vv_get(core_vector(reader.core), ROOT_STREAM), 0);
    assert_null(core_stream(reader.core, ROOT_STREAM));
    reader_free(&reader);
}

static void a_record_in_the_roots_name_with_another_key_is_none(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    as_root(example, FAR);
    admit(example, example->keys[NEAR], ROOT_STREAM, &guest, &knew); /* b */
    vv_free(&knew);
    assert_nothing_is_taken(example, "ab");
}

static void a_record_that_the_root_did_not_sign_is_none(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    size_t number = admit(example, as_root(example, FAR), ROOT_STREAM, &guest, &knew); /* b */
    struct bytes whole = example->records[number].bytes;
    ((uint8_t *)(uintptr_t)whole.data)[whole.size - 1] ^= 1;
    vv_free(&knew);
    assert_nothing_is_taken(example, "ab");
}

/* The id of another cluster's root, and a record for another cluster by this one's. */
static void the_root_of_another_cluster_is_a_stranger(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    struct wire_writer bytes = {0};
    struct genesis other;
    assert_true(genesis_build(example->keys[NEAR], "t", 1, &example->ids[FIRST],
                              sign_key_public(example->keys[FIRST]), &bytes));
    assert_true(genesis_parse(wire_written(&bytes), &other));
    example->ids[FAR] = other.root_id;
    admit(example, example->keys[NEAR], ROOT_STREAM, &guest, &knew); /* b */
    const struct uuid cluster_id = example->genesis.cluster_id;
    example->genesis.cluster_id = other.cluster_id;
    admit(example, as_root(example, FAR), ROOT_STREAM + 1, &guest, &knew); /* c */
    example->genesis.cluster_id = cluster_id;
    vv_free(&knew);
    wire_writer_free(&bytes);
    struct reader reader = read_in_order(example, "ac");
    assert_null(known(&reader, &guest));
    assert_int_equal(vv_get(core_vector(reader.core), ROOT_STREAM + 1), 0);
    take(example, &reader, 1);
    assert_null(known(&reader, &guest));
    reader_free(&reader);
}

static void a_record_of_the_root_that_comes_again_changes_nothing(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    admit(example, as_root(example, FAR), ROOT_STREAM, &guest, &knew); /* b */
    vv_free(&knew);
    assert_same(example, "ab", "abbab");
}

static void a_stream_of_the_root_has_one_record(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    const struct sign_key *root = as_root(example, FAR);
    admit(example, root, ROOT_STREAM, &guest, &knew);        /* b */
    admit(example, root, ROOT_STREAM, &second_guest, &knew); /* c: its second */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    assert_non_null(known(&reader, &guest));
    assert_null(known(&reader, &second_guest));
    assert_int_equal(vv_get(core_vector(reader.core), ROOT_STREAM), 1);
    reader_free(&reader);
}

/* On two nodes, neither of which knew of the other's. */
static void recoveries_that_do_not_know_of_each_other_are_united(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    const struct sign_key *root = as_root(example, FAR);
    admit(example, root, ROOT_STREAM, &guest, &knew);            /* b */
    admit(example, root, ROOT_STREAM + 1, &second_guest, &knew); /* c */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    assert_int_equal(known(&reader, &guest)->status, NODE_ACTIVE);
    assert_int_equal(known(&reader, &second_guest)->status, NODE_ACTIVE);
    reader_free(&reader);
    assert_same(example, "abc", "acb");
}

/* As for everybody else: what all nodes have never becomes void. */
static void a_removal_by_the_root_that_lists_less_than_it_had_is_none(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(1, 0, 0), list = {0};
    struct change_set changes = {0};
    struct resource *resource = resource_new(RESOURCE_NODE);
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    resource->id = example->ids[LOST];
    CONTAINER_OF(resource, struct node, resource)->status = NODE_REMOVED;
    assert_true(change_set_add_facet(&changes, resource, FACET_NODE_STATUS));
    write_with(example, FAR, as_root(example, FAR), ROOT_STREAM, &knew, &changes); /* c */
    change_set_free(&changes);
    resource_free(resource);
    vv_free(&knew);
    vv_free(&list);
    struct reader reader = read_in_order(example, "abc");
    assert_int_equal(known(&reader, &example->ids[LOST])->status, NODE_ACTIVE);
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    reader_free(&reader);
}

static void only_the_root_key_of_this_cluster_signs_for_it(void **state)
{
    struct example *example = *state;
    struct reader reader = read_in_order(example, "a");
    struct error error = {0};
    assert_true(core_may_submit_as_root(reader.core, example->keys[FIRST], &error));
    assert_false(core_may_submit_as_root(reader.core, example->keys[NEAR], &error));
    assert_non_null(strstr(error.text, "another cluster"));
    reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_the_root_admits_is_in_when_all_others_are_out,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_root_is_no_node_of_the_roster, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_record_makes_one_of_the_root_void, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_record_in_the_roots_name_with_another_key_is_none,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_that_the_root_did_not_sign_is_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_root_of_another_cluster_is_a_stranger, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_record_of_the_root_that_comes_again_changes_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_of_the_root_has_one_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(recoveries_that_do_not_know_of_each_other_are_united,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_removal_by_the_root_that_lists_less_than_it_had_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_root_key_of_this_cluster_signs_for_it, set_up,
                                        tear_down),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
