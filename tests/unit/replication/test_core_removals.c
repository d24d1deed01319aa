/* Several removals at once: of the same node, and nodes that take each other out. */
#include "tests/unit/replication/void_example.h"

/* What one of two removals made void need not be listed, though the other one did. */
static void who_was_removed_and_revoked_can_be_let_in_again(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    struct resource *resource = resource_new(RESOURCE_NODE);
    value_by(example, LOST, 0, 0, 0, 2);           /* b */
    value_by(example, LOST, 0, 0, 0, 3);           /* c */
    removal_by(example, NEAR, 2, NODE_REMOVED, 2); /* d */
    removal_by(example, FAR, 1, NODE_REVOKED, 1);  /* e */
    struct reader reader = read_in_order(example, "abcde");
    resource->id = example->ids[LOST];
    assert_true(change_set_add_facet(&changes, resource, FACET_NODE_STATUS));
    step(&reader,
         &(struct core_event){
             .kind = CORE_SUBMIT,
             .submit = {.changes = &changes, .change_id = {{0xdd}}, .kind = RECORD_ROSTER}});
    assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_ACTIVE);
    assert_int_equal(value_of(&reader, &thing, FACET), 2);
    reader_free(&reader);
    resource_free(resource);
    change_set_free(&changes);
}

static struct core_now now_of(struct reader *reader)
{
    return (struct core_now){reader->now_us += 1000, 1800000000000};
}

/* Who speaks to a node that knows that it is out. */
static bool is_told_to_be_out(struct reader *reader, const struct uuid *id)
{
    const struct core_event heartbeat = {
        .kind = CORE_FRAME, .node = *id, .frame_type = FRAME_HEARTBEAT};
    struct core_actions actions = {0};
    bool told = false;
    core_step(reader->core, &heartbeat, now_of(reader), &actions);
    for (size_t i = 0; i < actions.count; i++)
        told |= actions.items[i].kind == CORE_SEND &&
                actions.items[i].frame_type == FRAME_ROSTER_NOTICE &&
                uuid_equal(&actions.items[i].peer, id);
    core_actions_free(&actions);
    return told;
}

/* On both sides of a cut, each without the other. */
static void two_nodes_that_remove_each_other_are_both_out(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0), list = {0};
    write_status(example, NEAR, &knew, FAR, NODE_REMOVED, &list); /* b */
    write_status(example, FAR, &knew, NEAR, NODE_REMOVED, &list); /* c */
    vv_free(&knew);
    for (const char *const *order = (const char *const[]){"abc", "acb", NULL}; *order;
         order++) {
        struct reader reader = read_in_order(example, *order);
        const struct roster *roster = core_roster(reader.core);
        assert_int_equal(roster_find(roster, &example->ids[NEAR])->status, NODE_REMOVED);
        assert_int_equal(roster_find(roster, &example->ids[FAR])->status, NODE_REMOVED);
        assert_true(is_told_to_be_out(&reader, &example->ids[NEAR]));
        assert_true(is_told_to_be_out(&reader, &example->ids[FAR]));
        assert_false(is_told_to_be_out(&reader, &example->ids[LOST]));
        reader_free(&reader);
    }
    assert_same(example, "abc", "acb");
}

/* If it counted in spite of its removal it would be void by what it says itself. */
static void who_was_removed_does_not_revoke_itself(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0), list = {0};
    value_by(example, LOST, 0, 0, 0, 2);                           /* b */
    removal_by(example, NEAR, 1, NODE_REMOVED, 1);                 /* c */
    write_status(example, LOST, &knew, LOST, NODE_REVOKED, &list); /* d */
    write_status(example, LOST, &knew, FAR, NODE_REMOVED, &list);  /* e */
    vv_free(&knew);
    for (const char *const *order = (const char *const[]){"abcde", "abdce", "abdec", NULL};
         *order; order++) {
        struct reader reader = read_in_order(example, *order);
        assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_REMOVED);
        assert_int_equal(status_at(&reader, &example->ids[FAR]), NODE_ACTIVE);
        assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 1);
        reader_free(&reader);
    }
    assert_same(example, "abcde", "abdce");
    assert_same(example, "abcde", "abdec");
}

/* The first record of STREAM, by NODE, which revokes WHOM and lists nothing. */
static void revoke(struct example *example,
                   unsigned node,
                   uint64_t stream,
                   const struct vv *knew,
                   unsigned whom)
{
    struct change_set changes = {0};
    struct resource *resource = resource_new(RESOURCE_NODE);
    resource->id = example->ids[whom];
    CONTAINER_OF(resource, struct node, resource)->status = NODE_REVOKED;
    assert_true(change_set_add_facet(&changes, resource, FACET_NODE_STATUS));
    write_with(example, node, example->keys[node], stream, knew, &changes);
    change_set_free(&changes);
    resource_free(resource);
}

static void two_nodes_that_revoke_each_other_are_both_out(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    uint8_t value = 9;
    struct change_set changes = {0};
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&value, 1});
    value_by(example, FAR, 0, 0, 0, 3);                                /* b: unknown to NEAR */
    revoke(example, NEAR, 60, &knew, FAR);                             /* c */
    revoke(example, FAR, 61, &knew, NEAR);                             /* d */
    write_with(example, FAR, example->keys[FAR], 61, &knew, &changes); /* e */
    change_set_free(&changes);
    vv_free(&knew);
    for (const char *const *order = (const char *const[]){"abcde", "abdec", "acdb", NULL};
         *order; order++) {
        struct reader reader = read_in_order(example, *order);
        assert_int_equal(status_at(&reader, &example->ids[NEAR]), NODE_REVOKED);
        assert_int_equal(status_at(&reader, &example->ids[FAR]), NODE_REVOKED);
        assert_int_equal(value_of(&reader, &thing, FACET), 1);
        assert_int_equal(vv_get(core_durable(reader.core), 61), 1);
        assert_true(is_told_to_be_out(&reader, &example->ids[NEAR]));
        assert_true(is_told_to_be_out(&reader, &example->ids[FAR]));
        reader_free(&reader);
    }
    assert_same(example, "abcde", "abdec");
    assert_same(example, "abcde", "adceb");
}

static void hear(const struct example *example,
                 struct reader *reader,
                 size_t number,
                 const struct uuid *from)
{
    step(reader, &(struct core_event){.kind = CORE_FRAME,
                                      .node = *from,
                                      .frame_type = FRAME_RECORD,
                                      .body = example->records[number].bytes});
    step(reader, &(struct core_event){.kind = CORE_STAGE});
}

/* Nothing is taken from a node that is out, its own removal of another one included: that comes
 * by a third node, which heard of it first, or not at all. */
static void of_two_nodes_that_are_heard_themselves_the_first_stays(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0), list = {0};
    const struct uuid *near = &example->ids[NEAR], *far = &example->ids[FAR];
    write_status(example, NEAR, &knew, FAR, NODE_REMOVED, &list); /* b */
    write_status(example, FAR, &knew, NEAR, NODE_REMOVED, &list); /* c */
    vv_free(&knew);
    revoke(example, NEAR, 60, &knew, FAR); /* d */
    revoke(example, FAR, 61, &knew, NEAR); /* e */
    for (size_t number = 1; number <= 3; number += 2) {
        struct reader reader = read_in_order(example, "a");
        hear(example, &reader, number, near);
        hear(example, &reader, number + 1, far);
        assert_int_equal(status_at(&reader, near), NODE_ACTIVE);
        assert_int_not_equal(status_at(&reader, far), NODE_ACTIVE);
        assert_true(is_told_to_be_out(&reader, far));
        hear(example, &reader, number + 1, &example->ids[LOST]);
        assert_int_not_equal(status_at(&reader, near), NODE_ACTIVE);
        assert_int_not_equal(status_at(&reader, far), NODE_ACTIVE);
        reader_free(&reader);
    }
}

/* Who knew that it was out had nothing to say any more. */
static void a_revocation_by_one_that_knew_of_its_own_is_void(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    revoke(example, NEAR, 60, &knew, FAR); /* b */
    vv_raise(&knew, 60, 1);
    revoke(example, FAR, 61, &knew, NEAR); /* c */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    assert_int_equal(status_at(&reader, &example->ids[NEAR]), NODE_ACTIVE);
    assert_int_equal(status_at(&reader, &example->ids[FAR]), NODE_REVOKED);
    reader_free(&reader);
}

/* So that nothing stands before it in its stream that may be void. */
static void a_node_revokes_another_in_a_new_stream(void **state)
{
    struct example *example = *state;
    struct change_set changes = {0};
    uint8_t value = 9;
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&value, 1});
    struct reader reader = read_in_order(example, "a");
    for (uint8_t i = 0; i < 2; i++)
        step(&reader, &(struct core_event){.kind = CORE_SUBMIT,
                                           .submit = {.changes = &changes,
                                                      .change_id = {{0xd0, i}},
                                                      .kind = RECORD_CONFIG}});
    change_set_free(&changes);
    step(&reader,
         &(struct core_event){.kind = CORE_REMOVE_NODE,
                              .node = example->ids[LOST],
                              .compromised = true,
                              .submit = {.change_id = {{0xdd}}, .kind = RECORD_ROSTER}});
    assert_int_equal(status_at(&reader, &example->ids[LOST]), NODE_REVOKED);
    const struct stream *own = core_stream(reader.core, reader.core->own_stream);
    assert_int_equal(own->seq, 1);
    assert_memory_equal(&own->revokes, &example->ids[LOST], sizeof(struct uuid));
    reader_free(&reader);
}

/* The thief LOST had revoked FAR; that is void since LOST was revoked itself, and on who heard
 * of that first it never was. What NEAR says of FAR, having known both, is judged alike. */
static void what_a_void_removal_listed_is_asked_of_nobody(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 1), list = {0}, nothing = {0};
    value_by(example, FAR, 0, 0, 0, 2); /* b */
    vv_raise(&list, FAR + 1, 1);
    write_status(example, LOST, &knew, FAR, NODE_REVOKED, &list); /* c */
    vv_free(&knew);
    knew = vector(0, 0, 0);
    write_status(example, FIRST, &knew, LOST, NODE_REVOKED, &nothing); /* d */
    vv_free(&knew);
    knew = vector(1, 0, 1);
    vv_raise(&knew, FIRST + 1, 2);
    write_status(example, NEAR, &knew, FAR, NODE_ACTIVE, &nothing); /* e */
    vv_free(&knew);
    vv_free(&list);
    assert_same(example, "abcde", "abdce");
}

/* All that are left say that they have on their disks what READER has. */
static void settle(struct reader *reader)
{
    for (size_t i = 0; i < reader->core->peer_count; i++)
        vv_copy(&reader->core->peers[i]->reported, core_durable(reader->core));
    core_settle_now(reader->core);
}

/* FAR cannot say what it has, and may revoke LOST before it hears that LOST revoked it. */
static void what_a_node_replaced_that_took_out_another_is_kept_for_a_while(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0);
    revoke(example, LOST, LOST + 1, &knew, FAR); /* b */
    value_by(example, LOST, 0, 0, 0, 9);         /* c */
    revoke(example, FAR, 61, &knew, LOST);       /* d */
    vv_free(&knew);
    struct reader reader = read_in_order(example, "abc");
    settle(&reader);
    assert_int_equal(value_of(&reader, &thing, FACET), 9);
    take(example, &reader, 3);
    assert_int_equal(value_of(&reader, &thing, FACET), 1);
    reader_free(&reader);
    reader = read_in_order(example, "abc");
    reader.now_us += 3600ull * 1000000;
    step(&reader, &(struct core_event){.kind = CORE_STAGE});
    settle(&reader);
    assert_int_equal(reader.core->facets.shadow_count, 0);
    reader_free(&reader);
}

/* READER cleans up, a day later. */
static void sweep(struct reader *reader)
{
    struct core *core = reader->core;
    struct core_actions actions = {0};
    settle(reader);
    core->retention.keep_ms = 1;
    core->now.wall_ms += 24ull * 3600 * 1000;
    core_sweep_init(core);
    for (int slice = 0; slice < 8; slice++) {
        reader->now_us += 2000000;
        core->now.mono_us = reader->now_us;
        core_sweep(core, &actions);
    }
    core_actions_free(&actions);
}

/* What NEAR deleted is void until NEAR itself removes LOST, having had more of it than FAR. */
static void what_ended_something_void_is_not_purged_for_a_while(void **state)
{
    struct example *example = *state;
    struct vv knew = vector(0, 0, 0), list = {0};
    write_value(example, LOST, &knew, &other_thing, FACET_LIFE, 1); /* b */
    vv_raise(&knew, LOST + 1, 1);
    vv_raise(&list, LOST + 1, 1);
    write_value(example, NEAR, &knew, &other_thing, FACET_LIFE, 0); /* c */
    removal_by(example, FAR, 0, NODE_REMOVED, 0);                   /* d */
    write_status(example, NEAR, &knew, LOST, NODE_REMOVED, &list);  /* e */
    struct reader reader = read_in_order(example, "adbc");
    assert_int_equal(value_of(&reader, &other_thing, FACET_LIFE), 0);
    sweep(&reader);
    take(example, &reader, 4);
    take(example, &reader, 1);
    assert_int_equal(vv_get(core_durable(reader.core), LOST + 1), 1);
    assert_int_equal(value_of(&reader, &other_thing, FACET_LIFE), 0);
    reader_free(&reader);
    reader = read_in_order(example, "adbc");
    reader.now_us += 3600ull * 1000000;
    step(&reader, &(struct core_event){.kind = CORE_STAGE});
    sweep(&reader);
    assert_null(facet_object(core_facets(reader.core), &other_thing));
    reader_free(&reader);
    vv_free(&knew);
    vv_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXAMPLE(what_a_void_removal_listed_is_asked_of_nobody),
        EXAMPLE(what_a_node_replaced_that_took_out_another_is_kept_for_a_while),
        EXAMPLE(what_ended_something_void_is_not_purged_for_a_while),
        EXAMPLE(who_was_removed_and_revoked_can_be_let_in_again),
        EXAMPLE(two_nodes_that_remove_each_other_are_both_out),
        EXAMPLE(who_was_removed_does_not_revoke_itself),
        EXAMPLE(two_nodes_that_revoke_each_other_are_both_out),
        EXAMPLE(of_two_nodes_that_are_heard_themselves_the_first_stays),
        EXAMPLE(a_revocation_by_one_that_knew_of_its_own_is_void),
        EXAMPLE(a_node_revokes_another_in_a_new_stream),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
