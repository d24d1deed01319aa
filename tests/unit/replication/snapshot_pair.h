/* Two cores, one of which lacks much of what the other has; frames go straight across. */
#ifndef TESTS_UNIT_REPLICATION_SNAPSHOT_PAIR_H
#define TESTS_UNIT_REPLICATION_SNAPSHOT_PAIR_H

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

static inline void step(struct fixture *fixture, int number, const struct core_event *event);
static inline void
write_value(struct fixture *fixture, int number, uint8_t object, uint8_t value);

static inline struct core_now now_of(const struct fixture *fixture)
{
    return (struct core_now){fixture->now_us, 1800000000000 + fixture->now_us / 1000};
}

static inline void deliver(
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

static inline void send_record(void *context, struct bytes record)
{
    const struct across *across = context;
    deliver(across->fixture, across->from, across->to, FRAME_RECORD, record);
}

static inline void
send_records(struct fixture *fixture, int from, const struct core_action *action)
{
    struct across across = {fixture, from, &action->peer};
    struct wire_writer end = {0};
    bool more;
    assert_int_equal(
        pull_answer(fixture->nodes[from].store, (struct bytes){action->body, action->body_size},
                    core_durable(fixture->nodes[from].core), send_record, &across, &more),
        0);
    if (!more)
        pull_answer(fixture->nodes[from].store, (struct bytes){action->body, action->body_size},
                    core_void_openings(fixture->nodes[from].core), send_record, &across, &more);
    pull_end(more, action->token, &end);
    if (!more)
        core_put_void_streams(fixture->nodes[from].core, &end);
    deliver(fixture, from, &action->peer, FRAME_PULL_END, wire_written(&end));
    wire_writer_free(&end);
}

static inline void send_snapshot(struct fixture *fixture, int from, const struct uuid *to)
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

static inline void give_back(void *context, struct bytes record)
{
    const struct across *across = context;
    step(across->fixture, across->from,
         &(struct core_event){.kind = CORE_KEPT, .body = record});
}

static inline void
collect(struct fixture *fixture, int number, const struct core_action *action)
{
    struct across across = {fixture, number, NULL};
    bool more;
    pull_answer(fixture->nodes[number].store, (struct bytes){action->body, action->body_size},
                core_durable(fixture->nodes[number].core), give_back, &across, &more);
    step(fixture, number, &(struct core_event){.kind = CORE_KEPT_END});
}

static inline void commit(struct fixture *fixture, int number, const struct store_batch *batch)
{
    struct core_event event = {.kind = CORE_PERSISTED};
    event.result = store_commit(fixture->nodes[number].store, batch);
    if (number != TAKER || !fixture->slow_disk)
        step(fixture, number, &event);
}

static inline void perform(struct fixture *fixture, int number, struct core_action *action)
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

static inline void step(struct fixture *fixture, int number, const struct core_event *event)
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

static inline void pass(struct fixture *fixture, uint64_t ms)
{
    fixture->now_us += 1000 * ms;
    for (int i = 0; i < SILENT; i++)
        if (fixture->nodes[i].core) {
            step(fixture, i, &(struct core_event){.kind = CORE_TICK});
            step(fixture, i, &(struct core_event){.kind = CORE_STAGE});
        }
}

static inline void submit(struct fixture *fixture, int number, struct change_set *changes)
{
    step(fixture, number,
         &(struct core_event){.kind = CORE_SUBMIT,
                              .submit = {.changes = changes,
                                         .change_id = {{0xc0, ++fixture->changes}},
                                         .kind = RECORD_CONFIG}});
    step(fixture, number, &(struct core_event){.kind = CORE_STAGE});
    change_set_free(changes);
}

static inline struct uuid object_of(uint8_t number)
{
    return (struct uuid){{0x0b, number}};
}

static inline void
write_value(struct fixture *fixture, int number, uint8_t object, uint8_t value)
{
    struct change_set changes = {0};
    const struct uuid id = object_of(object), none = {0};
    change_set_add(&changes, &id, &none, 5, 10, (struct bytes){&value, 1});
    submit(fixture, number, &changes);
}

static inline void create(struct fixture *fixture, int number, uint8_t object)
{
    struct change_set changes = {0};
    const struct uuid id = object_of(object), none = {0};
    const uint8_t alive = 1;
    change_set_add(&changes, &id, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    submit(fixture, number, &changes);
}

/* The value that counts, 0: none. COUNT: how many there are. */
static inline uint8_t
value_of(const struct fixture *fixture, int number, uint8_t object, size_t *count)
{
    const struct uuid id = object_of(object);
    const struct object *found = facet_object(core_facets(fixture->nodes[number].core), &id);
    const struct facet_state *state = found ? facet_of(found, 10) : NULL;
    *count = state ? state->count : 0;
    return state ? facet_winner(state)->value[0] : 0;
}

static inline void load(struct fixture *fixture, int number)
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

static inline void add_nodes(struct fixture *fixture, struct change_set *changes)
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

static inline void put_genesis(struct fixture *fixture, struct bytes genesis)
{
    for (int i = 0; i < SILENT; i++) {
        struct store_batch batch = {0};
        store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1}, genesis);
        assert_int_equal(store_commit(fixture->nodes[i].store, &batch), 0);
        store_batch_free(&batch);
        load(fixture, i);
    }
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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
static inline void fall_behind(struct fixture *fixture, uint8_t count)
{
    struct core *taker = fixture->nodes[TAKER].core;
    fixture->nodes[TAKER].core = NULL;
    for (int i = 0; i < 10; i++)
        pass(fixture, 500); /* nothing is pushed to who is away */
    for (uint8_t i = 1; i <= count; i++)
        write_value(fixture, GIVER, 1, i);
    fixture->nodes[TAKER].core = taker;
}

static inline void meet(struct fixture *fixture)
{
    for (int i = 0; i < 20; i++)
        pass(fixture, 100);
}

static inline void assert_same_state(const struct fixture *fixture)
{
    uint8_t one[HASH_SIZE], other[HASH_SIZE];
    struct core *giver = fixture->nodes[GIVER].core, *taker = fixture->nodes[TAKER].core;
    assert_true(vv_equal(core_durable(giver), core_durable(taker)));
    core_state_hash(giver, one);
    core_state_hash(taker, other);
    assert_memory_equal(one, other, HASH_SIZE);
}
#endif
