/* The core under a peer's records, good and bad; lossy networks are tests/sim's. */
#include "replication/core_internal.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct uuid self = {{1}}, peer = {{2}}, stranger = {{3}};
static const uint64_t stream = 77;

struct fixture {
    struct store *store;
    struct sign_key *key, *peer_key;
    struct core *core;
    struct uuid cluster;
    uint64_t now_us, position;
    uint8_t last_hash[HASH_SIZE];
    unsigned events[EVENT_CODE_COUNT];
    unsigned sent[FRAME_JOIN_HELLO]; /* by type */
    uint64_t pace_us;                /* from one event to the next */
    bool slow_disk;                  /* no commit ever ends */
    struct submit_result answer;
    bool reload;
};

static struct core_now now_of(const struct fixture *fixture)
{
    return (struct core_now){fixture->now_us, 1800000000000 + fixture->now_us / 1000};
}

static void load(struct fixture *fixture)
{
    const struct core_settings settings = {
        .node_id = self, .key = fixture->key, .incarnation = 1, .random_seed = 5};
    struct error error;
    core_free(fixture->core);
    fixture->core = core_load(&settings, fixture->store, now_of(fixture), &error);
    assert_non_null(fixture->core);
}

static void step(struct fixture *fixture, const struct core_event *event)
{
    struct core_actions actions = {0};
    int committed = -1;
    fixture->now_us += fixture->pace_us;
    core_step(fixture->core, event, now_of(fixture), &actions);
    for (size_t i = 0; i < actions.count; i++) {
        struct core_action *action = &actions.items[i];
        if (action->kind == CORE_PERSIST)
            committed = -store_commit(fixture->store, &action->batch);
        else if (action->kind == CORE_EVENT)
            fixture->events[action->code]++;
        else if (action->kind == CORE_SEND)
            fixture->sent[action->frame_type]++;
        else if (action->kind == CORE_ANSWER)
            fixture->answer = action->answer;
        else if (action->kind == CORE_APPLIED)
            fixture->position = action->position;
        else if (action->kind == CORE_RELOAD)
            fixture->reload = true;
    }
    core_actions_free(&actions);
    if (committed >= 0 && fixture->slow_disk)
        return;
    if (committed >= 0)
        step(fixture, &(struct core_event){.kind = CORE_PERSISTED, .result = -committed});
    else if (core_wants_stage(fixture->core))
        step(fixture, &(struct core_event){.kind = CORE_STAGE});
}

static void submit(struct fixture *fixture, const struct change_set *changes, uint8_t change)
{
    step(fixture, &(struct core_event){.kind = CORE_SUBMIT,
                                       .submit = {.changes = changes,
                                                  .change_id = {{0xc0, change}},
                                                  .kind = RECORD_CONFIG}});
}

static void submit_value(struct fixture *fixture, uint8_t value)
{
    struct change_set changes = {0};
    const struct uuid object = {{0x0b}}, none = {0};
    change_set_add(&changes, &object, &none, 5, 10, (struct bytes){&value, 1});
    submit(fixture, &changes, value);
    change_set_free(&changes);
}

static void
add_node(struct change_set *changes, const struct uuid *id, const struct sign_key *key)
{
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    const struct node_facts facts = {.id = *id,
                                     .name = uuid_equal(id, &self) ? "lb1" : "lb2",
                                     .public_key = sign_key_public(key),
                                     .addresses = &addresses};
    assert_true(membership_plan_node(NULL, &facts, changes));
    text_list_free(&addresses);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct wire_writer bytes = {0};
    struct genesis genesis;
    struct store_batch batch = {0};
    struct change_set changes = {0};
    fixture->now_us = 1000000;
    fixture->pace_us = 1000;
    fixture->key = sign_key_generate();
    fixture->peer_key = sign_key_generate();
    fixture->store = store_mem_open();
    assert_true(
        genesis_build(fixture->key, "t", 1, &self, sign_key_public(fixture->key), &bytes));
    assert_true(genesis_parse(wire_written(&bytes), &genesis));
    store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
                    wire_written(&bytes));
    assert_int_equal(store_commit(fixture->store, &batch), 0);
    store_batch_free(&batch);
    wire_writer_free(&bytes);
    fixture->cluster = genesis.cluster_id;
    load(fixture);
    add_node(&changes, &self, fixture->key);
    add_node(&changes, &peer, fixture->peer_key);
    submit(fixture, &changes, 1);
    change_set_free(&changes);
    assert_int_equal(fixture->position, 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    core_free(fixture->core);
    store_close(fixture->store);
    sign_key_free(fixture->key);
    sign_key_free(fixture->peer_key);
    free(fixture);
    return 0;
}

/* A record of the peer. DEPS may be NULL. */
static struct bytes
peer_record(struct fixture *fixture, uint64_t seq, uint8_t value, const struct vv *deps)
{
    static const struct vv none = {0};
    const struct uuid object = {{0x0b}}, no_owner = {0};
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    struct change_set changes = {0};
    struct bytes whole;
    record_key_id(sign_key_public(fixture->peer_key), key_id);
    change_set_add(&changes, &object, &no_owner, 5, 10, (struct bytes){&value, 1});
    const struct record_draft draft = {
        .stream = stream,
        .seq = seq,
        .hlc = seq << 16,
        .previous_hash = fixture->last_hash,
        .deps = deps ? deps : &none,
        .node_id = peer,
        .key_id = key_id,
        .kind = RECORD_CONFIG,
        .change_id = {{value, (uint8_t)seq}},
        .changes = &changes,
    };
    assert_true(record_build(&draft, &fixture->cluster, fixture->peer_key, &whole));
    change_set_free(&changes);
    return whole;
}

static void chain(struct fixture *fixture, struct bytes record)
{
    record_hash(record, fixture->last_hash);
}

static void receive(struct fixture *fixture, struct bytes record)
{
    step(fixture,
         &(struct core_event){
             .kind = CORE_FRAME, .node = peer, .frame_type = FRAME_RECORD, .body = record});
}

static uint64_t applied(const struct fixture *fixture)
{
    return vv_get(core_vector(fixture->core), stream);
}

static void release(struct bytes record)
{
    free((void *)(uintptr_t)record.data);
}

static void records_are_applied_in_order_however_they_arrive(void **state)
{
    struct fixture *fixture = *state;
    struct bytes first = peer_record(fixture, 1, 1, NULL);
    chain(fixture, first);
    struct bytes second = peer_record(fixture, 2, 2, NULL);
    chain(fixture, second);
    struct bytes third = peer_record(fixture, 3, 3, NULL);
    receive(fixture, first);
    receive(fixture, third);
    assert_int_equal(applied(fixture), 1);
    receive(fixture, second);
    assert_int_equal(applied(fixture), 3);
    receive(fixture, second); /* again: nothing */
    assert_int_equal(fixture->position, 4);
    release(first);
    release(second);
    release(third);
}

/* The next ones arrive while the disk is still busy with the first: nothing is missing. */
static void only_a_gap_makes_a_receiver_ask(void **state)
{
    struct fixture *fixture = *state;
    fixture->slow_disk = true;
    for (uint64_t seq = 1; seq <= 5; seq++) {
        struct bytes record = peer_record(fixture, seq, 1, NULL);
        chain(fixture, record);
        if (seq != 4)
            receive(fixture, record);
        if (seq == 3)
            assert_int_equal(fixture->sent[FRAME_PULL], 0);
        release(record);
    }
    assert_int_equal(fixture->sent[FRAME_PULL], 1);
}

/* The next question must say that the records of this answer are there. */
static void the_end_of_an_answer_to_a_pull_is_waited_for_by_nobody(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t more[] = {0x08, 0x01};
    fixture->slow_disk = true;
    for (uint64_t seq = 1; seq <= 4; seq++) {
        struct bytes record = peer_record(fixture, seq, 1, NULL);
        chain(fixture, record);
        if (seq == 4) { /* three were under way at once: this one alone waits for others */
            step(fixture, &(struct core_event){.kind = CORE_PERSISTED});
            step(fixture, &(struct core_event){.kind = CORE_PERSISTED});
        }
        receive(fixture, record);
        release(record);
    }
    assert_int_equal(applied(fixture), 3);
    unsigned pulls = fixture->sent[FRAME_PULL];
    step(fixture, &(struct core_event){.kind = CORE_FRAME,
                                       .node = peer,
                                       .frame_type = FRAME_PULL_END,
                                       .body = {more, sizeof(more)}});
    assert_int_equal(applied(fixture), 4);
    assert_int_equal(fixture->sent[FRAME_PULL], pulls);
    step(fixture, &(struct core_event){.kind = CORE_PERSISTED});
    assert_int_equal(fixture->sent[FRAME_PULL], pulls + 1);
}

static void records_that_were_there_share_an_acknowledgement(void **state)
{
    struct fixture *fixture = *state;
    struct bytes record = peer_record(fixture, 1, 1, NULL);
    receive(fixture, record);
    unsigned before = fixture->sent[FRAME_ACK];
    fixture->now_us += 10000;
    fixture->pace_us = 10;
    for (int i = 0; i < 50; i++)
        receive(fixture, record);
    assert_int_equal(fixture->sent[FRAME_ACK], before + 1);
    fixture->now_us += 2000;
    step(fixture, &(struct core_event){.kind = CORE_TICK});
    assert_int_equal(fixture->sent[FRAME_ACK], before + 2);
    release(record);
}

static void a_steady_flow_of_changes_does_not_put_a_resend_off(void **state)
{
    struct fixture *fixture = *state;
    const unsigned changes = 20;
    step(fixture,
         &(struct core_event){.kind = CORE_FRAME, .node = peer, .frame_type = FRAME_HEALTH});
    for (unsigned i = 0; i < changes; i++) {
        submit_value(fixture, (uint8_t)(10 + i));
        step(fixture, &(struct core_event){.kind = CORE_TICK});
    }
    assert_true(fixture->sent[FRAME_RECORD] > changes);
}

/* An answer may also come as a vector; what is pushed after it needs an answer of its own. */
static void a_change_after_an_answer_by_vector_is_sent_again(void **state)
{
    struct fixture *fixture = *state;
    struct wire_writer body = {0};
    step(fixture,
         &(struct core_event){.kind = CORE_FRAME, .node = peer, .frame_type = FRAME_HEALTH});
    submit_value(fixture, 10);
    vv_put(&body, 1, core_durable(fixture->core));
    step(fixture, &(struct core_event){.kind = CORE_FRAME,
                                       .node = peer,
                                       .frame_type = FRAME_VV,
                                       .body = wire_written(&body)});
    submit_value(fixture, 11);
    assert_int_equal(fixture->sent[FRAME_RECORD], 2);
    for (int i = 0; i < 60; i++)
        step(fixture, &(struct core_event){.kind = CORE_TICK});
    assert_true(fixture->sent[FRAME_RECORD] > 2);
    wire_writer_free(&body);
}

static void a_record_waits_for_what_its_author_had_seen(void **state)
{
    struct fixture *fixture = *state;
    struct vv deps = {0};
    vv_raise(&deps, core_vector(fixture->core)->entries[0].stream, 2);
    struct bytes record = peer_record(fixture, 1, 1, &deps);
    receive(fixture, record);
    assert_int_equal(applied(fixture), 0);
    submit_value(fixture, 9); /* the dependency */
    receive(fixture, record);
    step(fixture, &(struct core_event){.kind = CORE_STAGE});
    assert_int_equal(applied(fixture), 1);
    vv_free(&deps);
    release(record);
}

static void a_record_with_a_wrong_predecessor_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct bytes first = peer_record(fixture, 1, 1, NULL);
    struct bytes second = peer_record(fixture, 2, 2, NULL); /* names a hash of zeros */
    receive(fixture, first);
    receive(fixture, second);
    assert_int_equal(applied(fixture), 1);
    release(first);
    release(second);
}

static void a_record_of_a_stranger_or_with_a_wrong_signature_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct bytes record = peer_record(fixture, 1, 1, NULL);
    ((uint8_t *)(uintptr_t)record.data)[record.size - 1] ^= 1;
    receive(fixture, record);
    assert_int_equal(applied(fixture), 0);
    release(record);
    sign_key_free(fixture->peer_key);
    fixture->peer_key = sign_key_generate(); /* not the key in the roster */
    record = peer_record(fixture, 1, 1, NULL);
    receive(fixture, record);
    assert_int_equal(applied(fixture), 0);
    release(record);
    step(fixture, &(struct core_event){
                      .kind = CORE_FRAME, .node = stranger, .frame_type = FRAME_RECORD});
}

static void of_two_records_with_one_number_the_first_stands(void **state)
{
    struct fixture *fixture = *state;
    struct bytes first = peer_record(fixture, 1, 1, NULL);
    struct bytes other = peer_record(fixture, 1, 2, NULL);
    uint8_t before[HASH_SIZE], after[HASH_SIZE];
    receive(fixture, first);
    core_state_hash(fixture->core, before);
    receive(fixture, other);
    receive(fixture, other);
    assert_int_equal(fixture->events[EVENT_EQUIVOCATION], 1);
    core_state_hash(fixture->core, after);
    assert_memory_equal(before, after, HASH_SIZE);
    load(fixture); /* the stream stays closed after a restart */
    chain(fixture, first);
    struct bytes next = peer_record(fixture, 2, 3, NULL);
    receive(fixture, next);
    assert_int_equal(applied(fixture), 1);
    release(first);
    release(other);
    release(next);
}

static void nothing_of_a_removed_node_counts_beyond_its_cutoff(void **state)
{
    struct fixture *fixture = *state;
    struct bytes first = peer_record(fixture, 1, 1, NULL);
    chain(fixture, first);
    struct bytes second = peer_record(fixture, 2, 2, NULL);
    receive(fixture, first);
    step(fixture,
         &(struct core_event){.kind = CORE_REMOVE_NODE,
                              .node = peer,
                              .submit = {.change_id = {{0xdd}}, .kind = RECORD_ROSTER}});
    assert_int_equal(fixture->answer.error.kind, ERROR_NONE);
    assert_int_equal(fixture->events[EVENT_NODE_REMOVED], 1);
    step(fixture, &(struct core_event){.kind = CORE_RECORD, .body = second});
    assert_int_equal(applied(fixture), 1);
    release(first);
    release(second);
}

/* It proves whose the stream is, so that nobody waits for a change of it, and does nothing
 * else. */
static void the_opening_of_a_void_stream_changes_nothing_but_is_known(void **state)
{
    struct fixture *fixture = *state;
    uint8_t before[HASH_SIZE], after[HASH_SIZE];
    struct bytes first = peer_record(fixture, 1, 1, NULL);
    step(fixture,
         &(struct core_event){.kind = CORE_REMOVE_NODE,
                              .node = peer,
                              .submit = {.change_id = {{0xdd}}, .kind = RECORD_ROSTER}});
    core_state_hash(fixture->core, before);
    for (int again = 0; again < 2; again++) {
        step(fixture, &(struct core_event){.kind = CORE_RECORD, .body = first});
        assert_non_null(core_stream(fixture->core, stream));
        load(fixture);
        core_state_hash(fixture->core, after);
        assert_memory_equal(before, after, HASH_SIZE);
        assert_int_equal(applied(fixture), 0);
        assert_int_equal(vv_get(core_durable(fixture->core), stream), 0);
        assert_non_null(core_stream(fixture->core, stream));
    }
    release(first);
}

static void a_failed_commit_is_told_and_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    uint8_t before[HASH_SIZE], after[HASH_SIZE];
    core_state_hash(fixture->core, before);
    store_mem_fail(fixture->store, ENOSPC);
    submit_value(fixture, 9);
    assert_int_equal(fixture->answer.error.kind, ERROR_REFUSED);
    assert_int_equal(fixture->events[EVENT_STORAGE_DEGRADED], 1);
    assert_true(fixture->reload);
    load(fixture);
    core_state_hash(fixture->core, after);
    assert_memory_equal(before, after, HASH_SIZE);
    store_mem_fail(fixture->store, 0);
    submit_value(fixture, 9);
    assert_int_equal(fixture->answer.error.kind, ERROR_NONE);
}

/* An active node with a full disk still does what its peers decide. */
static void while_the_store_fails_peers_are_followed_in_memory(void **state)
{
    struct fixture *fixture = *state;
    struct bytes record = peer_record(fixture, 1, 1, NULL);
    store_mem_fail(fixture->store, ENOSPC);
    submit_value(fixture, 9);
    load(fixture);
    core_set_storage_problem(fixture->core, "full", now_of(fixture));
    receive(fixture, record);
    assert_int_equal(applied(fixture), 1);
    assert_int_equal(fixture->position, 2);
    assert_int_equal(vv_get(core_durable(fixture->core), stream), 0);
    fixture->now_us += 6000000; /* a probe: still full */
    step(fixture, &(struct core_event){.kind = CORE_STAGE});
    assert_int_equal(applied(fixture), 1);
    assert_int_equal(vv_get(core_durable(fixture->core), stream), 0);
    store_mem_fail(fixture->store, 0);
    fixture->now_us += 6000000;
    step(fixture, &(struct core_event){.kind = CORE_STAGE});
    assert_int_equal(fixture->events[EVENT_STORAGE_RECOVERED], 1);
    assert_int_equal(vv_get(core_durable(fixture->core), stream), 1);
    load(fixture);
    assert_int_equal(applied(fixture), 1);
    release(record);
}

/* ACK or VV (the entries of both begin alike) about COUNT streams that nobody knows. */
static void
peer_claims(struct fixture *fixture, enum frame_type type, uint64_t first, unsigned count)
{
    struct wire_writer body = {0};
    for (unsigned i = 0; i < count; i++) {
        size_t mark = wire_begin(&body, 1);
        wire_put_fixed64(&body, 1, first + i);
        wire_put_varint(&body, 2, 1);
        if (type == FRAME_ACK)
            wire_put_varint(&body, 3, 1);
        wire_end(&body, mark);
    }
    step(fixture, &(struct core_event){.kind = CORE_FRAME,
                                       .node = peer,
                                       .frame_type = type,
                                       .body = wire_written(&body)});
    wire_writer_free(&body);
}

/* What it has of them is kept, and read again at the next start. */
static void streams_that_a_peer_invents_take_no_room(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch batch = {0};
    for (unsigned i = 1; i <= 3; i++) {
        peer_claims(fixture, FRAME_ACK, i * 100000, 30000);
        peer_claims(fixture, FRAME_VV, i * 1000000, 30000);
    }
    struct peer *known = core_peer(fixture->core, &peer);
    assert_true(known->durable.count <= VV_MAXIMUM_ENTRIES);
    assert_true(known->running.count <= VV_MAXIMUM_ENTRIES);
    known->durable_dirty = true;
    core_put_peers(fixture->core, &batch);
    assert_int_equal(store_commit(fixture->store, &batch), 0);
    store_batch_free(&batch);
    load(fixture);
}

/* Whoever keeps all history never folds one. */
static void thousands_of_streams_keep_nobody_from_writing(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch batch = {0};
    struct stream open = {.node_id = peer, .seq = 1, .truncated = 1};
    memcpy(open.public_key, sign_key_public(fixture->peer_key), SIGN_PUBLIC_KEY_SIZE);
    for (open.id = 1000; open.id < 1000 + 5000; open.id++)
        core_encode_stream(&open, &batch);
    assert_int_equal(store_commit(fixture->store, &batch), 0);
    store_batch_free(&batch);
    load(fixture);
    submit_value(fixture, 7);
    fixture->now_us += 100000;
    step(fixture, &(struct core_event){.kind = CORE_STAGE});
    assert_int_equal(fixture->answer.error.kind, ERROR_NONE);
    assert_int_equal(vv_get(core_durable(fixture->core), fixture->core->own_stream), 1);
}

static struct uuid request(uint32_t number)
{
    struct uuid id = {{0xee}};
    store_be32(id.bytes + 4, number);
    return id;
}

static void check_known_requests(const struct fixture *fixture, uint32_t first)
{
    assert_int_equal(fixture->core->changes.count, CHANGE_IDS);
    for (uint32_t i = first; i < first + CHANGE_IDS; i++) {
        const struct uuid id = request(i);
        assert_non_null(uuid_map_get(&fixture->core->changes, &id));
    }
}

static void a_request_is_known_again_however_many_came_before(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t above = 5000;
    for (uint32_t i = 0; i < CHANGE_IDS + above; i++) {
        const struct uuid id = request(i);
        core_change_note(fixture->core, &id, (struct dot){stream, i + 1});
    }
    check_known_requests(fixture, above);
}

static void the_newest_requests_are_known_after_a_start(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch batch = {0};
    const uint32_t count = CHANGE_IDS + 5000;
    for (uint32_t i = 0; i < count; i++) { /* the lower the id, the later it came */
        const struct uuid id = request(i);
        uint8_t value[24];
        store_be64(value, stream);
        store_be64(value + 8, i + 1);
        store_be64(value + 16, now_of(fixture).wall_ms + count - i);
        store_batch_put(&batch, STORE_CHANGE, (struct bytes){id.bytes, 16},
                        (struct bytes){value, sizeof(value)});
    }
    assert_int_equal(store_commit(fixture->store, &batch), 0);
    store_batch_free(&batch);
    load(fixture);
    check_known_requests(fixture, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_are_applied_in_order_however_they_arrive),
        TEST(only_a_gap_makes_a_receiver_ask),
        TEST(the_end_of_an_answer_to_a_pull_is_waited_for_by_nobody),
        TEST(records_that_were_there_share_an_acknowledgement),
        TEST(a_steady_flow_of_changes_does_not_put_a_resend_off),
        TEST(a_change_after_an_answer_by_vector_is_sent_again),
        TEST(a_record_waits_for_what_its_author_had_seen),
        TEST(a_record_with_a_wrong_predecessor_is_refused),
        TEST(a_record_of_a_stranger_or_with_a_wrong_signature_is_refused),
        TEST(of_two_records_with_one_number_the_first_stands),
        TEST(nothing_of_a_removed_node_counts_beyond_its_cutoff),
        TEST(the_opening_of_a_void_stream_changes_nothing_but_is_known),
        TEST(a_failed_commit_is_told_and_leaves_no_trace),
        TEST(while_the_store_fails_peers_are_followed_in_memory),
        TEST(streams_that_a_peer_invents_take_no_room),
        TEST(thousands_of_streams_keep_nobody_from_writing),
        TEST(the_newest_requests_are_known_after_a_start),
        TEST(a_request_is_known_again_however_many_came_before),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
