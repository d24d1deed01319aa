/* Snapshots between two cores. Lossy networks are tests/sim's, sockets test_cluster's. */
#include "tests/unit/replication/snapshot_pair.h"

/* ---- tests ------------------------------------------------------------------------------ */

static void who_lacks_much_gets_a_snapshot(void **state)
{
    struct fixture *fixture = *state;
    fall_behind(fixture, SNAPSHOT_AFTER_RECORDS + 1);
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 1);
    assert_same_state(fixture);
    load(fixture, TAKER); /* the store has the same */
    assert_same_state(fixture);
}

static void a_change_while_it_is_sent_does_no_harm(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    create(fixture, GIVER, 1);
    fall_behind(fixture, SNAPSHOT_AFTER_RECORDS + 1);
    fixture->write_after = 2;
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_FAILED], 0);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 1);
    assert_int_equal(value_of(fixture, TAKER, 1, &count), 99);
    assert_same_state(fixture);
}

static void who_lacks_little_gets_records(void **state)
{
    struct fixture *fixture = *state;
    fall_behind(fixture, SNAPSHOT_AFTER_RECORDS);
    meet(fixture);
    assert_int_equal(fixture->nodes[GIVER].sent[SNAPSHOT_BEGIN], 0);
    assert_same_state(fixture);
}

static void own_later_changes_stay(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    write_value(fixture, TAKER, 2, 42);
    fixture->nodes[GIVER].events[EVENT_CONFIG_CHANGED] = 0;
    fall_behind(fixture, 10);
    struct core *giver = fixture->nodes[GIVER].core;
    fixture->nodes[GIVER].core = NULL;
    write_value(fixture, TAKER, 3, 43); /* nobody hears of it */
    fixture->nodes[GIVER].core = giver;
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 1);
    assert_int_equal(value_of(fixture, TAKER, 2, &count), 42);
    assert_int_equal(value_of(fixture, TAKER, 3, &count), 43);
    assert_int_equal(value_of(fixture, GIVER, 3, &count), 43);
    assert_same_state(fixture);
}

/* A change of the silent node, which knew all that the taker has; only that gets it. */
static void hear_silent(struct fixture *fixture)
{
    const struct side *silent = &fixture->nodes[SILENT];
    const struct uuid *cluster = &core_genesis(fixture->nodes[TAKER].core)->cluster_id;
    const struct uuid id = object_of(3), none = {0};
    struct change_set changes = {0};
    struct bytes record;
    struct record_draft draft = {
        .stream = 77,
        .seq = 1,
        .hlc = now_of(fixture).wall_ms << 16,
        .wall_ms = now_of(fixture).wall_ms,
        .deps = core_vector(fixture->nodes[TAKER].core),
        .node_id = silent->id,
        .kind = RECORD_CONFIG,
        .change_id = {{0xc1}},
        .changes = &changes,
    };
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    record_key_id(sign_key_public(silent->key), key_id);
    draft.key_id = key_id;
    change_set_add(&changes, &id, &none, 5, 10, (struct bytes){(const uint8_t *)"x", 1});
    assert_true(record_build(&draft, cluster, silent->key, &record));
    step(fixture, TAKER,
         &(struct core_event){.kind = CORE_RECORD, .node = silent->id, .body = record});
    step(fixture, TAKER, &(struct core_event){.kind = CORE_STAGE});
    free((void *)(uintptr_t)record.data);
    change_set_free(&changes);
}

static void remove_silent(struct fixture *fixture, int number)
{
    step(fixture, number,
         &(struct core_event){
             .kind = CORE_REMOVE_NODE,
             .node = fixture->nodes[SILENT].id,
             .submit = {.change_id = {{0xc2, (uint8_t)number}}, .kind = RECORD_ROSTER}});
    step(fixture, number, &(struct core_event){.kind = CORE_STAGE});
}

/* The giver never saw what the removed node wrote, so its state does not tell of that. */
static void own_changes_stay_that_build_on_void_ones(void **state)
{
    struct fixture *fixture = *state;
    struct core *giver = fixture->nodes[GIVER].core;
    size_t count;
    fixture->nodes[GIVER].core = NULL;
    for (int i = 0; i < 10; i++)
        pass(fixture, 500);
    hear_silent(fixture);
    write_value(fixture, TAKER, 2, 42);
    fixture->nodes[GIVER].core = giver;
    fall_behind(fixture, SNAPSHOT_AFTER_RECORDS + 1);
    struct core *taker = fixture->nodes[TAKER].core;
    fixture->nodes[TAKER].core = NULL;
    remove_silent(fixture, GIVER);
    fixture->nodes[TAKER].core = taker;
    fixture->lost_type = FRAME_RECORD;
    fixture->lost_count = 1000;
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 1);
    assert_int_equal(value_of(fixture, TAKER, 2, &count), 42);
    fixture->lost_count = 0;
    for (int i = 0; i < 300; i++)
        pass(fixture, 100);
    assert_int_equal(value_of(fixture, GIVER, 2, &count), 42);
    assert_same_state(fixture);
    load(fixture, TAKER); /* the store has the same */
    assert_same_state(fixture);
}

/* The giver's removal makes void what the taker's lists: that counts again when both are known.
 */
static void what_was_void_in_the_snapshot_replaces_what_it_knew(void **state)
{
    struct fixture *fixture = *state;
    struct core *giver = fixture->nodes[GIVER].core;
    size_t count;
    create(fixture, GIVER, 3);
    write_value(fixture, GIVER, 3, 7);
    meet(fixture);
    fixture->nodes[GIVER].core = NULL;
    for (int i = 0; i < 10; i++)
        pass(fixture, 500);
    hear_silent(fixture);
    remove_silent(fixture, TAKER);
    fixture->nodes[GIVER].core = giver;
    fall_behind(fixture, SNAPSHOT_AFTER_RECORDS + 1);
    struct core *taker = fixture->nodes[TAKER].core;
    fixture->nodes[TAKER].core = NULL;
    remove_silent(fixture, GIVER);
    fixture->nodes[TAKER].core = taker;
    fixture->lost_type = FRAME_RECORD;
    fixture->lost_count = 1000;
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 1);
    assert_int_equal(value_of(fixture, TAKER, 3, &count), 'x');
    assert_int_equal(count, 1);
    fixture->lost_count = 0;
    for (int i = 0; i < 300; i++)
        pass(fixture, 100);
    assert_same_state(fixture);
    load(fixture, TAKER); /* the store has the same */
    assert_same_state(fixture);
}

static void a_concurrent_change_makes_a_conflict_as_usual(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    fall_behind(fixture, 10);
    struct core *giver = fixture->nodes[GIVER].core;
    fixture->nodes[GIVER].core = NULL;
    write_value(fixture, TAKER, 1, 99);
    fixture->nodes[GIVER].core = giver;
    meet(fixture);
    value_of(fixture, TAKER, 1, &count);
    assert_int_equal(count, 2);
    assert_same_state(fixture);
}

static void a_change_after_the_switch_goes_on_in_the_same_stream(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    write_value(fixture, TAKER, 2, 1);
    uint64_t stream = fixture->nodes[TAKER].core->own_stream;
    fall_behind(fixture, 10);
    meet(fixture);
    write_value(fixture, TAKER, 2, 2);
    assert_int_equal(fixture->nodes[TAKER].core->own_stream, stream);
    meet(fixture);
    assert_int_equal(value_of(fixture, GIVER, 2, &count), 2);
    assert_int_equal(count, 1);
    assert_same_state(fixture);
}

static void a_damaged_snapshot_is_not_taken(void **state)
{
    static const int kinds[] = {SNAPSHOT_RECORD, SNAPSHOT_END};
    struct fixture *fixture = *state;
    struct vv before = {0};
    vv_copy(&before, core_vector(fixture->nodes[TAKER].core));
    fall_behind(fixture, 10);
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        fixture->damaged_kind = kinds[i];
        fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_FAILED] = 0;
        fixture->now_us += 40000000; /* it is asked again */
        meet(fixture);
        assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_FAILED], 1);
        assert_true(vv_equal(&before, core_vector(fixture->nodes[TAKER].core)));
    }
    fixture->damaged_kind = 0;
    fixture->now_us += 40000000;
    meet(fixture);
    assert_same_state(fixture);
    vv_free(&before);
}

static void a_snapshot_that_breaks_off_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct bootstrap_view view;
    fall_behind(fixture, 10);
    fixture->cut_after = 6;
    meet(fixture);
    assert_true(core_bootstrap(fixture->nodes[TAKER].core, &view));
    assert_string_equal(view.name, "lb1");
    assert_in_range(view.taken, 1, view.announced - 1);
    fixture->cut_after = 0;
    for (int i = 0; i < 60; i++)
        pass(fixture, 100);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_FAILED], 1);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 1);
    assert_false(core_bootstrap(fixture->nodes[TAKER].core, &view));
    assert_same_state(fixture);
}

static void a_third_node_with_the_same_changes_has_to_agree(void **state)
{
    struct fixture *fixture = *state;
    fall_behind(fixture, 10);
    struct peer *third = core_peer(fixture->nodes[TAKER].core, &fixture->nodes[SILENT].id);
    third->state = PEER_IS_ALIVE;
    third->last_heard_us = fixture->now_us;
    third->hash_digest = vv_digest(core_durable(fixture->nodes[GIVER].core));
    third->hash = 12345;
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 0);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_FAILED], 1);
}

static void a_full_disk_keeps_the_old_state(void **state)
{
    struct fixture *fixture = *state;
    uint8_t before[HASH_SIZE], after[HASH_SIZE];
    core_state_hash(fixture->nodes[TAKER].core, before);
    fall_behind(fixture, 10);
    store_mem_fail(fixture->nodes[TAKER].store, ENOSPC);
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_STORAGE_DEGRADED], 1);
    core_state_hash(fixture->nodes[TAKER].core, after);
    assert_memory_equal(before, after, HASH_SIZE);
    store_mem_fail(fixture->nodes[TAKER].store, 0);
    for (int i = 0; i < 100; i++)
        pass(fixture, 200);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_STORAGE_RECOVERED], 1);
    assert_same_state(fixture);
}

static void a_change_during_the_switch_waits_for_it(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    fall_behind(fixture, 10);
    fixture->slow_disk = true;
    meet(fixture);
    write_value(fixture, TAKER, 2, 42);
    assert_int_equal(value_of(fixture, TAKER, 2, &count), 0);
    fixture->slow_disk = false;
    step(fixture, TAKER, &(struct core_event){.kind = CORE_PERSISTED});
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_DONE], 1);
    assert_int_equal(value_of(fixture, TAKER, 2, &count), 42);
    meet(fixture);
    assert_int_equal(fixture->nodes[TAKER].answer.error.kind, ERROR_NONE);
    assert_same_state(fixture);
}

/* The first value of object 1 goes, as it would after a sweep. */
static void truncate(struct fixture *fixture, int number, uint64_t seq)
{
    struct side *node = &fixture->nodes[number];
    struct store_batch batch = {0};
    uint8_t key[FACET_DEAD_KEY_SIZE];
    struct stream *stream = node->core->streams[0];
    facet_dead_key((struct dot){stream->id, seq}, 0, key);
    store_batch_remove(&batch, STORE_DEAD, (struct bytes){key, sizeof(key)});
    store_batch_remove(&batch, STORE_LOG, (struct bytes){key, 16});
    assert_int_equal(store_commit(node->store, &batch), 0);
    store_batch_free(&batch);
    stream->truncated = seq;
    stream->kept--;
}

/* The store has the new log already, and lacks what memory promises. */
static void a_question_during_the_switch_gets_no_answer(void **state)
{
    struct fixture *fixture = *state;
    struct wire_writer body = {0};
    write_value(fixture, GIVER, 1, 1);
    write_value(fixture, GIVER, 1, 2);
    meet(fixture);
    const uint64_t stream = fixture->nodes[GIVER].core->own_stream;
    const struct vv have = {.entries = &(struct dot){stream, 1}, .count = 1};
    truncate(fixture, GIVER, 2);
    fall_behind(fixture, 10);
    fixture->slow_disk = true;
    meet(fixture);
    step(fixture, TAKER, &(struct core_event){.kind = CORE_PERSISTED}); /* what was before */
    vv_put(&body, 1, &have);
    assert_int_equal(fixture->nodes[TAKER].core->intake->state, INTAKE_COMMITTING);
    fixture->nodes[TAKER].sent[FRAME_PULL_END] = 0;
    deliver(fixture, GIVER, &fixture->nodes[TAKER].id, FRAME_PULL, wire_written(&body));
    assert_int_equal(fixture->nodes[TAKER].sent[FRAME_PULL_END], 0);
    wire_writer_free(&body);
    step(fixture, TAKER, &(struct core_event){.kind = CORE_PERSISTED});
    assert_same_state(fixture);
}

static void a_snapshot_that_nobody_asked_for_is_stopped(void **state)
{
    struct fixture *fixture = *state;
    fixture->now_us += 20000000;
    send_snapshot(fixture, GIVER, &fixture->nodes[TAKER].id);
    assert_in_range(fixture->nodes[TAKER].sent[FRAME_SNAPSHOT_STOP], 1, 1);
    assert_int_equal(fixture->nodes[TAKER].events[EVENT_BOOTSTRAP_STARTED], 0);
}

/* In small steps, as the core asks for them. */
static void pass_finely(struct fixture *fixture, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 5)
        pass(fixture, 5);
}

static void a_lost_question_costs_no_second(void **state)
{
    static const unsigned types[] = {FRAME_VV, FRAME_PULL};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        fall_behind(fixture, 3);
        fixture->lost_type = types[i];
        fixture->lost_count = 3;
        pass_finely(fixture, 700); /* a heartbeat, and 25, 50 and 100 ms */
        assert_int_equal(fixture->lost_count, 0);
        assert_same_state(fixture);
    }
}

static void a_node_that_does_not_answer_is_not_asked_for_ever(void **state)
{
    struct fixture *fixture = *state;
    fall_behind(fixture, 3);
    fixture->lost_type = FRAME_PULL;
    fixture->lost_count = 1000;
    fixture->nodes[TAKER].sent[FRAME_PULL] = 0;
    pass_finely(fixture, 1800);
    assert_in_range(fixture->nodes[TAKER].sent[FRAME_PULL], 5, 12);
}

static void a_repeated_question_is_answered_once(void **state)
{
    struct fixture *fixture = *state;
    struct wire_writer body = {0};
    vv_put(&body, 1, core_vector(fixture->nodes[TAKER].core));
    wire_put_fixed64(&body, 2, 77);
    fixture->nodes[GIVER].sent[FRAME_PULL_END] = 0;
    for (int i = 0; i < 3; i++)
        deliver(fixture, TAKER, &fixture->nodes[GIVER].id, FRAME_PULL, wire_written(&body));
    assert_int_equal(fixture->nodes[GIVER].sent[FRAME_PULL_END], 1);
    wire_writer_free(&body);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_lacks_much_gets_a_snapshot),
        TEST(a_change_while_it_is_sent_does_no_harm),
        TEST(who_lacks_little_gets_records),
        TEST(own_later_changes_stay),
        TEST(own_changes_stay_that_build_on_void_ones),
        TEST(what_was_void_in_the_snapshot_replaces_what_it_knew),
        TEST(a_concurrent_change_makes_a_conflict_as_usual),
        TEST(a_change_after_the_switch_goes_on_in_the_same_stream),
        TEST(a_damaged_snapshot_is_not_taken),
        TEST(a_snapshot_that_breaks_off_is_given_up),
        TEST(a_third_node_with_the_same_changes_has_to_agree),
        TEST(a_full_disk_keeps_the_old_state),
        TEST(a_change_during_the_switch_waits_for_it),
        TEST(a_question_during_the_switch_gets_no_answer),
        TEST(a_snapshot_that_nobody_asked_for_is_stopped),
        TEST(a_lost_question_costs_no_second),
        TEST(a_node_that_does_not_answer_is_not_asked_for_ever),
        TEST(a_repeated_question_is_answered_once),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
