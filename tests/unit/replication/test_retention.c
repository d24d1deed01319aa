/* What goes and what stays (replication.md 3.4), rule by rule. */
#include "tests/unit/replication/retention_node.h"

/* ---- records ---------------------------------------------------------------------------- */

static void a_replaced_value_goes_when_it_is_old(void **state)
{
    struct fixture *fixture = *state;
    make(fixture, object, (struct uuid){0});
    for (uint8_t value = 2; value < 10; value++)
        set(fixture, object, 10, value);
    assert_int_equal(rows(fixture, STORE_LOG), 10);
    pass_days(fixture, keep_days - 1);
    assert_int_equal(rows(fixture, STORE_LOG), 10);
    pass_days(fixture, 2);
    assert_int_equal(rows(fixture, STORE_LOG), 3);  /* roster, creation, last value */
    assert_int_equal(rows(fixture, STORE_DEAD), 1); /* the creation's first value */
    assert_false(core_can_answer(fixture->core, &(struct vv){0}));
    assert_true(core_can_answer(fixture->core, core_durable(fixture->core)));
}

static void without_a_limit_everything_stays(void **state)
{
    struct fixture *fixture = *state;
    fixture->retention.keep_ms = 0;
    start(fixture);
    make(fixture, object, (struct uuid){0});
    set(fixture, object, 10, 2);
    set(fixture, object, 10, 3);
    pass_days(fixture, 1000);
    assert_int_equal(rows(fixture, STORE_LOG), 4);
}

static void nothing_goes_that_a_node_lacks(void **state)
{
    struct fixture *fixture = *state;
    struct vv has = {0};
    make(fixture, object, (struct uuid){0});
    vv_copy(&has, core_durable(fixture->core));
    set(fixture, object, 10, 2);
    set(fixture, object, 10, 3);
    fixture->peer_follows = false;
    peer_says(fixture, &has);
    pass_days(fixture, 1000);
    assert_int_equal(rows(fixture, STORE_LOG), 4);
    assert_true(core_can_answer(fixture->core, &has));
    fixture->peer_follows = true;
    pass_days(fixture, 1);
    assert_int_equal(rows(fixture, STORE_LOG), 3);
    vv_free(&has);
}

static void a_record_stays_while_a_node_lacks_what_replaced_it(void **state)
{
    struct fixture *fixture = *state;
    struct vv has = {0};
    make(fixture, object, (struct uuid){0});
    set(fixture, object, 10, 2);
    set(fixture, object, 10, 3);
    vv_copy(&has, core_durable(fixture->core));
    set(fixture, object, 10, 4); /* the peer has 3, but not this one */
    fixture->peer_follows = false;
    peer_says(fixture, &has);
    pass_days(fixture, 1000);
    assert_int_equal(rows(fixture, STORE_LOG), 5);
    vv_free(&has);
}

/* The sweep has begun, all nodes have what was there then, and now a value is replaced. */
static void a_record_that_lost_its_value_during_a_sweep_waits(void **state)
{
    struct fixture *fixture = *state;
    make(fixture, object, (struct uuid){0});
    set(fixture, object, 10, 2);
    pass_days(fixture, keep_days + 1);
    assert_int_equal(rows(fixture, STORE_LOG), 3);
    for (int i = 0; i < 100000 && fixture->core->sweep.phase != SWEEP_READS; i++) {
        fixture->now_us += 50000;
        if (i % 1000 == 0)
            peer_says(fixture, core_durable(fixture->core));
        step(fixture, &(struct core_event){.kind = CORE_TICK});
    }
    assert_int_equal(fixture->core->sweep.phase, SWEEP_READS);
    fixture->peer_follows = false;
    set(fixture, object, 10, 3);
    pass_days(fixture, 1000);
    assert_int_equal(rows(fixture, STORE_LOG), 4);
    fixture->peer_follows = true;
    pass_days(fixture, 1);
    assert_int_equal(rows(fixture, STORE_LOG), 3);
}

static void a_node_that_forgot_is_believed(void **state)
{
    struct fixture *fixture = *state;
    struct vv had = {0};
    make(fixture, object, (struct uuid){0});
    vv_copy(&had, core_durable(fixture->core));
    set(fixture, object, 10, 2);
    set(fixture, object, 10, 3);
    peer_says(fixture, core_durable(fixture->core));
    fixture->peer_follows = false;
    peer_says(fixture, &had); /* its disk is an older one now */
    pass_days(fixture, 1000);
    assert_int_equal(rows(fixture, STORE_LOG), 4);
    vv_free(&had);
}

static void a_large_log_loses_younger_records(void **state)
{
    struct fixture *fixture = *state;
    fixture->retention.keep_bytes = 2000;
    start(fixture);
    make(fixture, object, (struct uuid){0});
    for (uint8_t value = 2; value < 40; value++)
        set(fixture, object, 10, value);
    pass_days(fixture, 1);
    assert_int_equal(rows(fixture, STORE_LOG), 3);
}

static void a_log_that_is_large_with_needed_records_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    fixture->retention.keep_bytes = 100;
    start(fixture);
    make(fixture, object, (struct uuid){0});
    pass_days(fixture, 1);
    assert_int_equal(rows(fixture, STORE_LOG), 2);
    assert_int_equal(fixture->core->sweep.pressure, 0); /* nothing is to be gained by haste */
}

/* ---- tombstones ------------------------------------------------------------------------- */

static void a_deleted_object_is_purged(void **state)
{
    struct fixture *fixture = *state;
    make(fixture, object, (struct uuid){0});
    set(fixture, object, FACET_LIFE, 0);
    set(fixture, child, 10, 1); /* so that the deletion is not the last record */
    pass_days(fixture, keep_days - 1);
    assert_non_null(facet_object(core_facets(fixture->core), &object));
    pass_days(fixture, 2);
    assert_null(facet_object(core_facets(fixture->core), &object));
    assert_int_equal(rows(fixture, STORE_LOG), 2);
    assert_int_equal(rows(fixture, STORE_DEAD), 1); /* of an edit that nothing is left of */
}

static void what_is_below_a_purged_object_goes_with_it(void **state)
{
    struct fixture *fixture = *state;
    make(fixture, object, (struct uuid){0});
    make(fixture, child, object);
    set(fixture, object, FACET_LIFE, 0);
    pass_days(fixture, keep_days + 1);
    assert_null(facet_object(core_facets(fixture->core), &object));
    assert_null(facet_object(core_facets(fixture->core), &child));
}

static void a_deletion_waits_for_what_a_peer_has_more(void **state)
{
    struct fixture *fixture = *state;
    struct vv has = {0};
    make(fixture, object, (struct uuid){0});
    set(fixture, object, FACET_LIFE, 0);
    vv_copy(&has, core_durable(fixture->core));
    vv_raise(&has, 4711, 1); /* perhaps an edit by somebody who did not know */
    fixture->peer_follows = false;
    peer_says(fixture, &has);
    pass_days(fixture, 1000);
    assert_non_null(facet_object(core_facets(fixture->core), &object));
    vv_free(&has);
}

/* ---- streams ---------------------------------------------------------------------------- */

static void a_stream_of_which_nothing_is_left_is_folded(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    set(fixture, object, FACET_LIFE, 1);
    uint64_t second = fixture->core->own_stream;
    start(fixture);
    set(fixture, object, FACET_LIFE, 1);
    pass_days(fixture, keep_days + 1);
    const struct stream *stream = core_stream(fixture->core, second);
    assert_true(stream->folded);
    assert_int_equal(stream->kept, 0);
    assert_int_equal(vv_get(core_durable(fixture->core), second), 1);
    start(fixture);
    assert_true(core_stream(fixture->core, second)->folded);
    set(fixture, object, FACET_LIFE, 1); /* a new stream need not tell of it */
    const struct stream *third = core_stream(fixture->core, fixture->core->own_stream);
    assert_int_equal(vv_get(&third->context, second), 0);
}

/* A stream of another process, of which nothing is left. */
static void fold_one(struct fixture *fixture)
{
    start(fixture);
    set(fixture, object, FACET_LIFE, 1);
    start(fixture);
    set(fixture, object, FACET_LIFE, 1);
    pass_days(fixture, keep_days + 1);
}

static void folded_streams_travel_as_a_digest(void **state)
{
    struct fixture *fixture = *state;
    struct wire_writer whole = {0}, brief = {0};
    struct vector_frame frame;
    fold_one(fixture);
    struct peer *peer = core_peer(fixture->core, &peer_id);
    peer->folded_known = false;
    core_put_vector(fixture->core, peer, false, &whole);
    assert_true(core_take_vector(fixture->core, peer, wire_written(&whole), &frame));
    assert_true(frame.is_complete);
    assert_true(vv_equal(&frame.vector, core_durable(fixture->core)));
    vv_free(&frame.vector);
    core_put_vector(fixture->core, peer, true,
                    &brief); /* now it has said that it has the same */
    assert_true(brief.size < whole.size);
    assert_true(core_take_vector(fixture->core, peer, wire_written(&brief), &frame));
    assert_true(frame.is_complete && frame.wants_reply);
    assert_true(vv_equal(&frame.vector, core_durable(fixture->core)));
    vv_free(&frame.vector);
    wire_writer_free(&whole);
    wire_writer_free(&brief);
}

static void an_unknown_digest_makes_no_claim(void **state)
{
    struct fixture *fixture = *state;
    struct wire_writer body = {0};
    fold_one(fixture);
    const struct peer *peer = core_peer(fixture->core, &peer_id);
    assert_true(vv_equal(&peer->reported, core_durable(fixture->core)));
    wire_put_fixed64(&body, 3, 4711);
    step(fixture, &(struct core_event){.kind = CORE_FRAME,
                                       .node = peer_id,
                                       .frame_type = FRAME_VV,
                                       .body = wire_written(&body)});
    assert_true(vv_equal(&peer->reported, core_durable(fixture->core)));
    wire_writer_free(&body);
}

static void the_last_record_of_an_open_stream_stays(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, object, 10, 1); /* of no object: nothing of it counts for long */
    pass_days(fixture, keep_days + 1);
    assert_null(facet_object(core_facets(fixture->core), &object));
    assert_int_equal(rows(fixture, STORE_LOG), 2);
}

/* ---- afterwards ------------------------------------------------------------------------- */

static void what_is_left_gives_the_same_state(void **state)
{
    struct fixture *fixture = *state;
    struct record_set set_of_records = {0};
    struct store *rebuilt = store_mem_open();
    const struct core_settings settings = {.node_id = self, .key = fixture->key};
    struct error error = {0};
    uint8_t before[HASH_SIZE], after[HASH_SIZE];
    size_t applied;
    make(fixture, object, (struct uuid){0});
    make(fixture, child, object);
    for (uint8_t value = 2; value < 10; value++)
        set(fixture, object, value % 2 ? 10 : 11, value);
    set(fixture, child, FACET_LIFE, 0);
    pass_days(fixture, keep_days + 1);
    assert_int_equal(record_set_read(&set_of_records, fixture->store), 0);
    assert_true(set_of_records.truncated);
    assert_true(record_set_is_complete(&set_of_records));
    record_set_sort(&set_of_records);
    struct core *core = record_set_replay(&set_of_records, &settings, rebuilt, now_of(fixture),
                                          &applied, &error);
    assert_non_null(core);
    assert_int_equal(applied, set_of_records.count);
    core_state_hash(fixture->core, before);
    core_state_hash(core, after);
    assert_memory_equal(before, after, HASH_SIZE);
    assert_true(vv_equal(core_durable(core), core_durable(fixture->core)));
    core_free(core);
    store_close(rebuilt);
    record_set_free(&set_of_records);
}

static void a_set_that_lacks_a_record_is_not_complete(void **state)
{
    struct fixture *fixture = *state;
    struct record_set set_of_records = {0};
    make(fixture, object, (struct uuid){0});
    set(fixture, object, 10, 2);
    set(fixture, object, 10, 3);
    pass_days(fixture, keep_days + 1);
    assert_int_equal(record_set_read(&set_of_records, fixture->store), 0);
    free((void *)(uintptr_t)set_of_records.items[--set_of_records.count].whole.data);
    assert_false(record_set_is_complete(&set_of_records));
    record_set_free(&set_of_records);
}

static void a_removed_node_keeps_nothing_from_going(void **state)
{
    struct fixture *fixture = *state;
    fixture->peer_follows = false;
    make(fixture, object, (struct uuid){0});
    set(fixture, object, 10, 2);
    set(fixture, object, 10, 3);
    pass_days(fixture, 1000);
    assert_int_equal(rows(fixture, STORE_LOG), 4);
    step(fixture,
         &(struct core_event){.kind = CORE_REMOVE_NODE,
                              .node = peer_id,
                              .submit = {.change_id = {{0xde}}, .kind = RECORD_ROSTER}});
    pass_days(fixture, keep_days + 1);
    assert_int_equal(rows(fixture, STORE_LOG), 4); /* roster, removal, creation, value */
    assert_false(core_can_answer(fixture->core, &(struct vv){0}));
}

/* One that never came after it was invited. */
static void a_node_that_was_never_seen_is_told_of(void **state)
{
    struct fixture *fixture = *state;
    fixture->peer_follows = false;
    for (int i = 0; i < 4; i++) { /* restarts do not make it seen */
        pass_days(fixture, 10);
        start(fixture);
    }
    let_sweep(fixture);
    assert_true(fixture->events[EVENT_RETENTION_BLOCKED] > 0);
}

static void a_node_that_is_away_for_a_month_is_told_of(void **state)
{
    struct fixture *fixture = *state;
    pass_days(fixture, 1);
    assert_int_equal(fixture->events[EVENT_RETENTION_BLOCKED], 0);
    fixture->peer_follows = false;
    pass_days(fixture, 29);
    assert_int_equal(fixture->events[EVENT_RETENTION_BLOCKED], 0);
    start(fixture); /* when it was heard is not forgotten */
    pass_days(fixture, 2);
    assert_int_equal(fixture->events[EVENT_RETENTION_BLOCKED], 1);
}

int main(void)
{
    crypto_start();
#define WITH_CORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CORE(a_replaced_value_goes_when_it_is_old),
        WITH_CORE(without_a_limit_everything_stays),
        WITH_CORE(nothing_goes_that_a_node_lacks),
        WITH_CORE(a_record_stays_while_a_node_lacks_what_replaced_it),
        WITH_CORE(a_record_that_lost_its_value_during_a_sweep_waits),
        WITH_CORE(a_node_that_forgot_is_believed),
        WITH_CORE(a_large_log_loses_younger_records),
        WITH_CORE(a_log_that_is_large_with_needed_records_is_left_alone),
        WITH_CORE(a_deleted_object_is_purged),
        WITH_CORE(what_is_below_a_purged_object_goes_with_it),
        WITH_CORE(a_deletion_waits_for_what_a_peer_has_more),
        WITH_CORE(a_stream_of_which_nothing_is_left_is_folded),
        WITH_CORE(folded_streams_travel_as_a_digest),
        WITH_CORE(an_unknown_digest_makes_no_claim),
        WITH_CORE(the_last_record_of_an_open_stream_stays),
        WITH_CORE(what_is_left_gives_the_same_state),
        WITH_CORE(a_set_that_lacks_a_record_is_not_complete),
        WITH_CORE(a_removed_node_keeps_nothing_from_going),
        WITH_CORE(a_node_that_was_never_seen_is_told_of),
        WITH_CORE(a_node_that_is_away_for_a_month_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
