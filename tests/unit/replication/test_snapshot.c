/* Two cores, one of which lacks much of what the other has; frames go straight across. Lossy
 * networks are tests/sim's, sockets test_cluster's. */
#include "replication/core_internal.h"
#include "replication/replication_internal.h"
#include "replication/snapshot_read.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    GIVER,
    TAKER,
    SILENT, /* in the roster only */
    NODES,
    SNAPSHOT_AFTER_RECORDS = 5
};

struct side {
    struct uuid id;
    struct sign_key *key;
    struct store *store;
    struct core *core;
    unsigned events[EVENT_CODE_COUNT], sent[64];
    struct submit_result answer;
};

struct fixture {
    struct side nodes[NODES];
    uint64_t now_us;
    uint8_t changes;
    size_t cut_after;   /* parts of a snapshot; 0: none is lost */
    size_t write_after; /* the giver replaces a value after so many parts; 0: never */
    int damaged_kind;   /* of the part that arrives with another last byte; 0: none */
    unsigned lost_type, lost_count; /* so many frames of that type do not arrive */
    bool slow_disk;                 /* of the taker: no commit ends */
};

static void step(struct fixture *fixture, int number, const struct core_event *event);
static void write_value(struct fixture *fixture, int number, uint8_t object, uint8_t value);

static struct core_now now_of(const struct fixture *fixture)
{
    return (struct core_now){fixture->now_us, 1800000000000 + fixture->now_us / 1000};
}

static void deliver(
    struct fixture *fixture, int from, const struct uuid *to, uint32_t type, struct bytes body)
{
    fixture->nodes[from].sent[type % 64]++;
    if (type == fixture->lost_type && fixture->lost_count > 0) {
        fixture->lost_count--;
        return;
    }
    for (int i = 0; i < SILENT; i++)
        if (uuid_equal(&fixture->nodes[i].id, to) && fixture->nodes[i].core)
            step(fixture, i,
                 &(struct core_event){.kind = CORE_FRAME,
                                      .node = fixture->nodes[from].id,
                                      .frame_type = type,
                                      .body = body});
}

/* ---- what the driver does --------------------------------------------------------------- */

struct across {
    struct fixture *fixture;
    int from;
    const struct uuid *to;
};

static void send_record(void *context, struct bytes record)
{
    const struct across *across = context;
    deliver(across->fixture, across->from, across->to, FRAME_RECORD, record);
}

static void send_records(struct fixture *fixture, int from, const struct core_action *action)
{
    struct across across = {fixture, from, &action->peer};
    struct wire_writer end = {0};
    bool more;
    assert_int_equal(
        pull_answer(fixture->nodes[from].store, (struct bytes){action->body, action->body_size},
                    core_durable(fixture->nodes[from].core), send_record, &across, &more),
        0);
    pull_end(more, action->token, &end);
    deliver(fixture, from, &action->peer, FRAME_PULL_END, wire_written(&end));
    wire_writer_free(&end);
}

static void send_snapshot(struct fixture *fixture, int from, const struct uuid *to)
{
    struct side *node = &fixture->nodes[from];
    struct snapshot_reader *reader = snapshot_reader_new(node->core, node->store, 7);
    size_t parts = 0;
    int result = 1;
    assert_non_null(reader);
    while (result > 0 && (fixture->cut_after == 0 || parts < fixture->cut_after)) {
        struct wire_writer body = {0};
        uint32_t type;
        result = snapshot_reader_next(reader, &type, &body);
        if (result > 0 && fixture->damaged_kind == (int)type)
            body.data[body.size - 1] ^= 1;
        if (result > 0)
            deliver(fixture, from, to, type, wire_written(&body));
        wire_writer_free(&body);
        if (++parts == fixture->write_after)
            write_value(fixture, from, 1, 99);
    }
    assert_true(result >= 0);
    snapshot_reader_free(reader);
}

static void give_back(void *context, struct bytes record)
{
    const struct across *across = context;
    step(across->fixture, across->from,
         &(struct core_event){.kind = CORE_KEPT, .body = record});
}

static void collect(struct fixture *fixture, int number, const struct core_action *action)
{
    struct across across = {fixture, number, NULL};
    bool more;
    pull_answer(fixture->nodes[number].store, (struct bytes){action->body, action->body_size},
                core_durable(fixture->nodes[number].core), give_back, &across, &more);
    step(fixture, number, &(struct core_event){.kind = CORE_KEPT_END});
}

static void commit(struct fixture *fixture, int number, const struct store_batch *batch)
{
    struct core_event event = {.kind = CORE_PERSISTED};
    event.result = store_commit(fixture->nodes[number].store, batch);
    if (number != TAKER || !fixture->slow_disk)
        step(fixture, number, &event);
}

static void perform(struct fixture *fixture, int number, struct core_action *action)
{
    struct side *node = &fixture->nodes[number];
    switch (action->kind) {
    case CORE_PERSIST: commit(fixture, number, &action->batch); break;
    case CORE_SEND:
        deliver(fixture, number, &action->peer, action->frame_type,
                (struct bytes){action->body, action->body_size});
        break;
    case CORE_SEND_RECORDS: send_records(fixture, number, action); break;
    case CORE_SEND_SNAPSHOT: send_snapshot(fixture, number, &action->peer); break;
    case CORE_COLLECT: collect(fixture, number, action); break;
    case CORE_EVENT: node->events[action->code]++; break;
    case CORE_ANSWER: node->answer = action->answer; break;
    default: break;
    }
}

static void step(struct fixture *fixture, int number, const struct core_event *event)
{
    struct core_actions actions = {0};
    struct core *core = fixture->nodes[number].core;
    core_step(core, event, now_of(fixture), &actions);
    for (size_t i = 0; i < actions.count; i++)
        perform(fixture, number, &actions.items[i]);
    core_actions_free(&actions);
    if (core_wants_stage(core))
        step(fixture, number, &(struct core_event){.kind = CORE_STAGE});
}

/* ---- the two ---------------------------------------------------------------------------- */

static void pass(struct fixture *fixture, uint64_t ms)
{
    fixture->now_us += 1000 * ms;
    for (int i = 0; i < SILENT; i++)
        if (fixture->nodes[i].core) {
            step(fixture, i, &(struct core_event){.kind = CORE_TICK});
            step(fixture, i, &(struct core_event){.kind = CORE_STAGE});
        }
}

static void submit(struct fixture *fixture, int number, struct change_set *changes)
{
    step(fixture, number,
         &(struct core_event){.kind = CORE_SUBMIT,
                              .submit = {.changes = changes,
                                         .change_id = {{0xc0, ++fixture->changes}},
                                         .kind = RECORD_CONFIG}});
    step(fixture, number, &(struct core_event){.kind = CORE_STAGE});
    change_set_free(changes);
}

static struct uuid object_of(uint8_t number)
{
    return (struct uuid){{0x0b, number}};
}

static void write_value(struct fixture *fixture, int number, uint8_t object, uint8_t value)
{
    struct change_set changes = {0};
    const struct uuid id = object_of(object), none = {0};
    change_set_add(&changes, &id, &none, 5, 10, (struct bytes){&value, 1});
    submit(fixture, number, &changes);
}

static void create(struct fixture *fixture, int number, uint8_t object)
{
    struct change_set changes = {0};
    const struct uuid id = object_of(object), none = {0};
    const uint8_t alive = 1;
    change_set_add(&changes, &id, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    submit(fixture, number, &changes);
}

/* The value that counts, 0: none. COUNT: how many there are. */
static uint8_t
value_of(const struct fixture *fixture, int number, uint8_t object, size_t *count)
{
    const struct uuid id = object_of(object);
    const struct object *found = facet_object(core_facets(fixture->nodes[number].core), &id);
    const struct facet_state *state = found ? facet_of(found, 10) : NULL;
    *count = state ? state->count : 0;
    return state ? facet_winner(state)->value[0] : 0;
}

static void load(struct fixture *fixture, int number)
{
    struct side *node = &fixture->nodes[number];
    const struct core_settings settings = {
        .node_id = node->id,
        .key = node->key,
        .incarnation = 1,
        .random_seed = 5 + (uint64_t)number,
        .snapshot_after = SNAPSHOT_AFTER_RECORDS,
    };
    struct error error;
    core_free(node->core);
    node->core = core_load(&settings, node->store, now_of(fixture), &error);
    assert_non_null(node->core);
}

static void add_nodes(struct fixture *fixture, struct change_set *changes)
{
    static const char *const names[NODES] = {"lb1", "lb2", "lb3"};
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    for (int i = 0; i < NODES; i++) {
        const struct node_facts facts = {.id = fixture->nodes[i].id,
                                         .name = names[i],
                                         .public_key = sign_key_public(fixture->nodes[i].key),
                                         .addresses = &addresses};
        assert_true(membership_plan_node(NULL, &facts, changes));
    }
    text_list_free(&addresses);
}

static void put_genesis(struct fixture *fixture, struct bytes genesis)
{
    for (int i = 0; i < SILENT; i++) {
        struct store_batch batch = {0};
        store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1}, genesis);
        assert_int_equal(store_commit(fixture->nodes[i].store, &batch), 0);
        store_batch_free(&batch);
        load(fixture, i);
    }
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct wire_writer genesis = {0};
    struct change_set changes = {0};
    fixture->now_us = 1000000;
    for (int i = 0; i < NODES; i++) {
        fixture->nodes[i].id = (struct uuid){{(uint8_t)(i + 1)}};
        fixture->nodes[i].key = sign_key_generate();
        fixture->nodes[i].store = store_mem_open();
    }
    const struct side *giver = &fixture->nodes[GIVER];
    assert_true(
        genesis_build(giver->key, "t", 1, &giver->id, sign_key_public(giver->key), &genesis));
    put_genesis(fixture, wire_written(&genesis));
    wire_writer_free(&genesis);
    add_nodes(fixture, &changes);
    submit(fixture, GIVER, &changes);
    pass(fixture, 300);
    pass(fixture, 300);
    pass(fixture, 600);
    assert_true(vv_equal(core_vector(fixture->nodes[GIVER].core),
                         core_vector(fixture->nodes[TAKER].core)));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        core_free(fixture->nodes[i].core);
        store_close(fixture->nodes[i].store);
        sign_key_free(fixture->nodes[i].key);
    }
    free(fixture);
    return 0;
}

/* The giver makes COUNT changes of object 1 while the taker is down. */
static void fall_behind(struct fixture *fixture, uint8_t count)
{
    struct core *taker = fixture->nodes[TAKER].core;
    fixture->nodes[TAKER].core = NULL;
    for (int i = 0; i < 10; i++)
        pass(fixture, 500); /* nothing is pushed to who is away */
    for (uint8_t i = 1; i <= count; i++)
        write_value(fixture, GIVER, 1, i);
    fixture->nodes[TAKER].core = taker;
}

static void meet(struct fixture *fixture)
{
    for (int i = 0; i < 20; i++)
        pass(fixture, 100);
}

static void assert_same_state(const struct fixture *fixture)
{
    uint8_t one[HASH_SIZE], other[HASH_SIZE];
    struct core *giver = fixture->nodes[GIVER].core, *taker = fixture->nodes[TAKER].core;
    assert_true(vv_equal(core_durable(giver), core_durable(taker)));
    core_state_hash(giver, one);
    core_state_hash(taker, other);
    assert_memory_equal(one, other, HASH_SIZE);
}

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
        TEST(a_concurrent_change_makes_a_conflict_as_usual),
        TEST(a_change_after_the_switch_goes_on_in_the_same_stream),
        TEST(a_damaged_snapshot_is_not_taken),
        TEST(a_snapshot_that_breaks_off_is_given_up),
        TEST(a_third_node_with_the_same_changes_has_to_agree),
        TEST(a_full_disk_keeps_the_old_state),
        TEST(a_change_during_the_switch_waits_for_it),
        TEST(a_snapshot_that_nobody_asked_for_is_stopped),
        TEST(a_lost_question_costs_no_second),
        TEST(a_node_that_does_not_answer_is_not_asked_for_ever),
        TEST(a_repeated_question_is_answered_once),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
