/* Records that do not count: nodes that heard of a removal before them and after them end with
 * the same state. Each example is a set of signed records, given to one node in several orders.
 */
#include "tests/unit/replication/void_example.h"

/* ---- the rules -------------------------------------------------------------------------- */

static void what_a_void_record_replaced_counts_again(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, LOST, 0, 0, 0, 3);           /* c */
    removal_by(example, NEAR, 1, NODE_REMOVED, 1); /* d */
    struct reader reader = read_in_order(example, "abc");
    assert_int_equal(value_of(&reader, &thing, FACET), 3);
    take(example, &reader, 3);
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 1);
    reader_free(&reader);
    assert_same(example, "abcd", "abdc");
}

static void a_void_deletion_is_none(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    write_value(example, LOST, &knew, &thing, FACET_LIFE, 0); /* b */
    removal_by(example, NEAR, 0, NODE_REMOVED, 0);            /* c */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    const struct object *object = facet_object(core_facets(reader.core), &thing);
    assert_true(facet_object_counts(core_facets(reader.core), object));
    reader_free(&reader);
    assert_same(example, "abc", "acb");
}

static void an_object_that_a_void_record_made_anew_is_the_earlier_one(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(0, 0, 0);
    uint8_t alive = 1, value = 7;
    change_set_add(&changes, &thing, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    changes.ops[0].anew = true;
    change_set_add(&changes, &other_thing, &thing, 5, FACET, (struct bytes){&value, 1});
    write_changes(example, LOST, &knew, &changes); /* b */
    removal_by(example, NEAR, 0, NODE_REVOKED, 0); /* c */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "ab");
    assert_int_equal(value_of(&reader, &thing, FACET), -1);
    take(example, &reader, 2);
    assert_int_equal(value_of(&reader, &thing, FACET), 1);
    assert_int_equal(value_of(&reader, &other_thing, FACET), -1);
    reader_free(&reader);
    assert_same(example, "abc", "acb");
}

static void of_plain_removals_the_greatest_limit_holds(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, LOST, 0, 0, 0, 3);           /* c */
    removal_by(example, NEAR, 1, NODE_REMOVED, 1); /* d */
    removal_by(example, FAR, 2, NODE_REMOVED, 2);  /* e */
    struct reader reader = read_in_order(example, "abcd");
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    take(example, &reader, 4);
    assert_int_equal(value_of(&reader, &thing, FACET), 3);
    reader_free(&reader);
    assert_same(example, "abcde", "abdcec");
}

static void the_least_limit_holds_when_one_says_compromised(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, LOST, 0, 0, 0, 3);           /* c */
    removal_by(example, NEAR, 1, NODE_REVOKED, 1); /* d */
    removal_by(example, FAR, 2, NODE_REMOVED, 2);  /* e */
    struct reader reader = read_in_order(example, "abced");
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    reader_free(&reader);
    assert_same(example, "abced", "abcde");
}

static void one_that_says_compromised_takes_all_that_is_beyond_any_limit(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);            /* b */
    value_by(example, LOST, 0, 0, 0, 3);            /* c */
    value_by(example, LOST, 0, 0, 0, 4);            /* d */
    removal_by(example, NEAR, 1, NODE_REMOVED, 1);  /* e */
    removal_by(example, FAR, 2, NODE_REVOKED, 2);   /* f */
    removal_by(example, FIRST, 3, NODE_REMOVED, 3); /* g */
    struct reader reader = read_in_order(example, "abcdefg");
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    reader_free(&reader);
    assert_same(example, "abcdefg", "abcdgef");
    assert_same(example, "abcdefg", "abcdfge");
}

/* The author knew a record that is void; its own stands, and replaces what it knew. */
static void who_builds_on_a_void_record_is_valid(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, LOST, 0, 0, 0, 3);           /* c */
    value_by(example, FAR, 2, 0, 0, 4);            /* d */
    removal_by(example, NEAR, 1, NODE_REMOVED, 1); /* e */
    struct reader reader = read_in_order(example, "abed");
    assert_int_equal(value_of(&reader, &thing, FACET), 4);
    reader_free(&reader);
    assert_same(example, "abed", "abcde");
}

/* First void, then not: it comes after the one that replaced it. */
static void a_record_that_comes_after_who_knew_it_is_replaced(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, LOST, 0, 0, 0, 3);           /* c */
    value_by(example, FAR, 2, 0, 0, 4);            /* d */
    removal_by(example, NEAR, 1, NODE_REMOVED, 1); /* e */
    removal_by(example, FAR, 2, NODE_REMOVED, 2);  /* f */
    struct reader reader = read_in_order(example, "abedfc");
    assert_int_equal(value_of(&reader, &thing, FACET), 4);
    assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 2);
    reader_free(&reader);
    assert_same(example, "abedfc", "abcdef");
}

/* As NEAR, which has what ONE has, at the end of a PULL by OTHER. */
static void
tell_void_streams(struct example *example, const struct reader *one, struct reader *other)
{
    struct wire_writer told = {0};
    core_put_void_streams(one->core, &told);
    step(other, &(struct core_event){.kind = CORE_FRAME,
                                     .node = example->ids[NEAR],
                                     .frame_type = FRAME_PULL_END,
                                     .body = wire_written(&told)});
    step(other, &(struct core_event){.kind = CORE_STAGE});
    wire_writer_free(&told);
}

/* Its author and all that had the void record are out; who met it before tells whose it was. */
static void who_builds_on_a_record_that_nobody_has_is_taken(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, FAR, 1, 0, 0, 3);            /* c */
    removal_by(example, NEAR, 0, NODE_REMOVED, 0); /* d */
    struct reader met = read_in_order(example, "adb");
    struct reader reader = read_in_order(example, "adc");
    assert_int_equal(value_of(&reader, &thing, FACET), 1);
    tell_void_streams(example, &met, &reader);
    assert_int_equal(value_of(&reader, &thing, FACET), 3);
    reader_free(&met);
    reader_free(&reader);
}

/* What FAR built on was void, then FAR lets its author in again; who takes that back knows what
 * FAR knew, and nobody has it. */
static void what_was_not_waited_for_is_not_waited_for_later(void **state)
{
    struct example *example = *state;
    struct vv far_knew = vector(1, 1, 0), near_knew = vector(1, 1, 1);
    struct vv nothing = {0}, listed = {0};
    vv_raise(&listed, FAR + 1, 1);
    value_by(example, LOST, 0, 0, 0, 2);                                 /* b */
    value_by(example, FAR, 1, 0, 0, 3);                                  /* c */
    removal_by(example, NEAR, 0, NODE_REVOKED, 0);                       /* d */
    write_status(example, FAR, &far_knew, LOST, NODE_ACTIVE, &nothing);  /* e */
    write_status(example, NEAR, &near_knew, FAR, NODE_REVOKED, &listed); /* f */
    struct reader reader = read_in_order(example, "adbce");
    assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_ACTIVE);
    take(example, &reader, 5);
    assert_int_equal(status_at(&reader, &example->ids[FAR]), NODE_REVOKED);
    assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_REVOKED);
    reader_free(&reader);
    assert_same(example, "adbcef", "adbcfe");
    assert_same(example, "adbcef", "abcdef");
    vv_free(&far_knew);
    vv_free(&near_knew);
    vv_free(&listed);
}

/* A stream that counts is none of these, whatever a peer says. */
/* Somebody says that the stream is that of a node that nobody knows. */
static void a_stream_that_was_believed_to_be_void_counts_when_it_is_proved(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(0, 0, 0);
    uint8_t value = 9;
    const struct uuid far = example->ids[FAR];
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&value, 1});
    example->ids[FAR] = (struct uuid){{0x77}};
    size_t said = write_with(example, FAR, example->new_key, LOST + 1, &knew, &changes); /* b */
    example->ids[FAR] = far;
    example->records[said].stream = 0;   /* what LOST writes is not after it */
    value_by(example, LOST, 0, 0, 0, 2); /* c */
    value_by(example, LOST, 0, 0, 0, 3); /* d */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abcd");
    assert_int_equal(value_of(&reader, &thing, FACET), 3);
    reader_free(&reader);
    assert_same(example, "abcd", "acd");
}

static void a_stream_that_counts_is_not_believed_to_be_void(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, FAR, 1, 0, 0, 3);            /* c */
    removal_by(example, NEAR, 0, NODE_REMOVED, 0); /* d */
    struct reader met = read_in_order(example, "adb");
    struct reader reader = read_in_order(example, "ac");
    tell_void_streams(example, &met, &reader);
    assert_int_equal(value_of(&reader, &thing, FACET), 1);
    assert_null(core_stream(reader.core, LOST + 1));
    reader_free(&met);
    reader_free(&reader);
}

/* That it is of a node that nobody admitted, say, and so nothing of it counts. */
static void a_lie_about_a_stream_keeps_nobody_from_asking_for_it(void **state)
{
    struct example *example = *state;
    const uint64_t stream = 60;
    const uint8_t stranger[16] = {0x99}, key_id[RECORD_KEY_ID_SIZE] = {1};
    struct wire_writer entry = {0}, lie = {0}, vector = {0};
    struct core_actions actions = {0};
    struct vv shown = {0};
    size_t asked = 0;
    struct reader reader = read_in_order(example, "a");
    wire_put_fixed64(&entry, 1, stream);
    wire_put_bytes(&entry, 2, (struct bytes){stranger, sizeof(stranger)});
    wire_put_bytes(&entry, 3, (struct bytes){key_id, sizeof(key_id)});
    wire_put_bytes(&lie, 3, wire_written(&entry));
    vv_raise(&shown, stream, 1);
    vv_put(&vector, 1, &shown);
    struct core_event event = {.kind = CORE_FRAME, .node = example->ids[NEAR]};
    event.frame_type = FRAME_PULL_END;
    event.body = wire_written(&lie);
    step(&reader, &event);
    assert_non_null(core_stream(reader.core, stream));
    event.frame_type = FRAME_VV;
    event.body = wire_written(&vector);
    core_step(reader.core, &event, (struct core_now){reader.now_us, 1800000000000}, &actions);
    for (size_t i = 0; i < actions.count; i++)
        asked +=
            actions.items[i].kind == CORE_SEND && actions.items[i].frame_type == FRAME_PULL;
    assert_int_equal(asked, 1);
    core_actions_free(&actions);
    vv_free(&shown);
    wire_writer_free(&entry);
    wire_writer_free(&lie);
    wire_writer_free(&vector);
    reader_free(&reader);
}

static void a_removal_that_lists_less_than_its_author_had_is_none(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    removal_by(example, NEAR, 1, NODE_REVOKED, 0); /* c */
    struct reader reader = read_in_order(example, "abc");
    const struct roster_node *lost = roster_find(core_roster(reader.core), &example->ids[LOST]);
    assert_int_equal(lost->status, NODE_ACTIVE);
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    reader_free(&reader);
}

/* All may have what it would take from the node, and have forgotten what that replaced. */
static void who_lets_a_node_stay_takes_nothing_from_it(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2);          /* b */
    value_by(example, LOST, 0, 0, 0, 3);          /* c */
    removal_by(example, NEAR, 2, NODE_ACTIVE, 1); /* d */
    struct reader reader = read_in_order(example, "abcd");
    assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_ACTIVE);
    assert_int_equal(value_of(&reader, &thing, FACET), 3);
    assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 2);
    reader_free(&reader);
}

static void nonsense_about_a_key_counts_nowhere(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(0, 0, 0);
    change_set_add(&changes, &example->ids[FAR], &none, RESOURCE_NODE, FACET_NODE_KEY,
                   (struct bytes){(const uint8_t *)"\x0a\x02zz", 4});
    write_changes(example, LOST, &knew, &changes); /* b */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "ab");
    assert_non_null(roster_find(core_roster(reader.core), &example->ids[FAR]));
    reader_free(&reader);
}

/* The thief's removal of an honest node goes with the rest of what it wrote. */
static void a_removal_by_one_that_is_revoked_is_void(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0), list = {0};
    write_status(example, LOST, &knew, FAR, NODE_REVOKED, &list); /* b */
    removal_by(example, NEAR, 0, NODE_REVOKED, 0);                /* c */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    assert_int_equal(roster_find(core_roster(reader.core), &example->ids[FAR])->status,
                     NODE_ACTIVE);
    reader_free(&reader);
    assert_same(example, "abc", "acb");
}

/* A node that nobody with a say admitted. */
static void who_was_admitted_by_a_void_record_is_out_with_what_it_wrote(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct text_list addresses = {0};
    struct vv knew = vector(0, 0, 0);
    struct uuid guest = {{0x77}};
    text_list_add(&addresses, "192.0.2.9:7850", 14);
    const struct node_facts facts = {.id = guest,
                                     .name = "guest",
                                     .public_key = sign_key_public(example->new_key),
                                     .addresses = &addresses};
    assert_true(membership_plan_node(NULL, &facts, &changes));
    write_changes(example, LOST, &knew, &changes); /* b */
    change_set_free(&changes);
    uint8_t value = 9;
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&value, 1});
    example->ids[FAR] = guest;
    vv_raise(&knew, LOST + 1, 1);
    write_with(example, FAR, example->new_key, 99, &knew, &changes); /* c */
    removal_by(example, NEAR, 0, NODE_REMOVED, 0);                   /* d */
    change_set_free(&changes);
    text_list_free(&addresses);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    assert_int_equal(value_of(&reader, &thing, FACET), 9);
    take(example, &reader, 3);
    assert_int_equal(value_of(&reader, &thing, FACET), 1);
    reader_free(&reader);
    assert_same(example, "abcd", "adbc");
}

/* ---- new keys --------------------------------------------------------------------------- */

static void what_the_old_key_signs_after_a_new_one_is_void(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    write_new_key(example, 1);           /* c */
    value_by(example, LOST, 0, 0, 0, 3); /* d: stolen */
    struct reader reader = read_in_order(example, "abcd");
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 1);
    reader_free(&reader);
    assert_same(example, "abcd", "abdc");
}

static void the_old_key_opens_no_stream_and_the_new_one_does(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct vv knew = vector(1, 1, 0);
    uint8_t old_value = 5, new_value = 6;
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    write_new_key(example, 1);           /* c */
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&old_value, 1});
    write_with(example, LOST, example->keys[LOST], 50, &knew, &changes); /* d */
    change_set_free(&changes);
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&new_value, 1});
    write_with(example, LOST, example->new_key, 51, &knew, &changes); /* e */
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abcde");
    assert_int_equal(value_of(&reader, &thing, FACET), 6);
    assert_int_equal(vv_get(core_durable(reader.core), 50), 0);
    assert_int_equal(vv_get(core_durable(reader.core), 51), 1);
    reader_free(&reader);
    assert_same(example, "abced", "abcde");
}

/* Its list of cut-offs says more than before, each stream once. */
static void a_node_with_a_new_key_can_be_removed(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    write_new_key(example, 1);           /* c */
    struct reader reader = read_in_order(example, "abc");
    step(&reader,
         &(struct core_event){.kind = CORE_REMOVE_NODE,
                              .node = example->ids[LOST],
                              .submit = {.change_id = {{0xdd}}, .kind = RECORD_ROSTER}});
    const struct roster_node *lost = roster_find(core_roster(reader.core), &example->ids[LOST]);
    assert_int_equal(lost->status, NODE_REMOVED);
    assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 1);
    reader_free(&reader);
}

/* What the old key signed beyond the list is void, and need not be listed. */
static void a_node_whose_old_key_was_stolen_can_be_removed(void **state)
{
    struct example *example = *state;
    value_by(example, LOST, 0, 0, 0, 2); /* b */
    write_new_key(example, 1);           /* c */
    value_by(example, LOST, 0, 0, 0, 3); /* d: stolen */
    struct reader reader = read_in_order(example, "abdc");
    step(&reader,
         &(struct core_event){.kind = CORE_REMOVE_NODE,
                              .node = example->ids[LOST],
                              .submit = {.change_id = {{0xdd}}, .kind = RECORD_ROSTER}});
    assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_REMOVED);
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    reader_free(&reader);
}

/* A node that wrote nothing yet gets a new key: its first record names it. */
static void the_first_record_of_a_node_may_name_a_new_key(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct resource *resource = resource_new(RESOURCE_NODE);
    struct vv knew = vector(0, 0, 0);
    resource->id = example->ids[LOST];
    assert_true(membership_set_key(CONTAINER_OF(resource, struct node, resource),
                                   sign_key_public(example->new_key)));
    assert_true(change_set_add_facet(&changes, resource, FACET_NODE_KEY));
    write_changes(example, LOST, &knew, &changes); /* b */
    resource_free(resource);
    change_set_free(&changes);
    vv_free(&knew);
    struct reader reader = read_in_order(example, "ab");
    assert_memory_equal(roster_find(core_roster(reader.core), &example->ids[LOST])->public_key,
                        sign_key_public(example->new_key), SIGN_PUBLIC_KEY_SIZE);
    assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 1);
    reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXAMPLE(what_a_void_record_replaced_counts_again),
        EXAMPLE(a_void_deletion_is_none),
        EXAMPLE(an_object_that_a_void_record_made_anew_is_the_earlier_one),
        EXAMPLE(of_plain_removals_the_greatest_limit_holds),
        EXAMPLE(the_least_limit_holds_when_one_says_compromised),
        EXAMPLE(one_that_says_compromised_takes_all_that_is_beyond_any_limit),
        EXAMPLE(who_builds_on_a_void_record_is_valid),
        EXAMPLE(a_record_that_comes_after_who_knew_it_is_replaced),
        EXAMPLE(who_builds_on_a_record_that_nobody_has_is_taken),
        EXAMPLE(what_was_not_waited_for_is_not_waited_for_later),
        EXAMPLE(a_stream_that_was_believed_to_be_void_counts_when_it_is_proved),
        EXAMPLE(a_stream_that_counts_is_not_believed_to_be_void),
        EXAMPLE(a_lie_about_a_stream_keeps_nobody_from_asking_for_it),
        EXAMPLE(a_removal_that_lists_less_than_its_author_had_is_none),
        EXAMPLE(who_lets_a_node_stay_takes_nothing_from_it),
        EXAMPLE(nonsense_about_a_key_counts_nowhere),
        EXAMPLE(a_removal_by_one_that_is_revoked_is_void),
        EXAMPLE(who_was_admitted_by_a_void_record_is_out_with_what_it_wrote),
        EXAMPLE(what_the_old_key_signs_after_a_new_one_is_void),
        EXAMPLE(the_old_key_opens_no_stream_and_the_new_one_does),
        EXAMPLE(a_node_with_a_new_key_can_be_removed),
        EXAMPLE(a_node_whose_old_key_was_stolen_can_be_removed),
        EXAMPLE(the_first_record_of_a_node_may_name_a_new_key),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
