/* One node with one peer that only says what it has; days pass as a test likes. */
#ifndef TESTS_UNIT_REPLICATION_RETENTION_NODE_H
#define TESTS_UNIT_REPLICATION_RETENTION_NODE_H

#include "replication/core_internal.h"
#include "replication/record_set.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct uuid self = {{1}}, peer_id = {{2}}, object = {{0x0b}}, child = {{0x0c}};
static const uint64_t day_ms = 24ull * 3600 * 1000, keep_days = 90;

struct fixture {
    struct store *store;
    struct sign_key *key, *peer_key;
    struct core *core;
    uint64_t now_us, wall_ms, incarnation;
    struct retention retention;
    bool peer_follows; /* it has whatever this node has */
    unsigned events[EVENT_CODE_COUNT];
    uint8_t changes;
};

static inline struct core_now now_of(const struct fixture *fixture)
{
    return (struct core_now){fixture->now_us, fixture->wall_ms};
}

static inline void start(struct fixture *fixture)
{
    const struct core_settings settings = {.node_id = self,
                                           .key = fixture->key,
                                           .incarnation = ++fixture->incarnation,
                                           .random_seed = fixture->incarnation,
                                           .retention = fixture->retention};
    struct error error;
    core_free(fixture->core);
    fixture->core = core_load(&settings, fixture->store, now_of(fixture), &error);
    assert_non_null(fixture->core);
}

static inline void step(struct fixture *fixture, const struct core_event *event);

static inline void read_log(struct fixture *fixture, const struct core_action *action)
{
    struct log_slice slice;
    assert_int_equal(
        log_slice_read(fixture->store, action->first_row, action->row_count, &slice), 0);
    step(fixture, &(struct core_event){.kind = CORE_LOG_ROWS,
                                       .records = slice.records,
                                       .record_count = slice.count,
                                       .log_ended = slice.ended});
    log_slice_free(&slice);
}

static inline void step(struct fixture *fixture, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool committed = false;
    core_step(fixture->core, event, now_of(fixture), &actions);
    for (size_t i = 0; i < actions.count; i++) {
        struct core_action *action = &actions.items[i];
        if (action->kind == CORE_PERSIST) {
            assert_int_equal(store_commit(fixture->store, &action->batch), 0);
            committed = true;
        } else if (action->kind == CORE_READ_LOG) {
            read_log(fixture, action);
        } else if (action->kind == CORE_EVENT) {
            fixture->events[action->code]++;
        }
    }
    core_actions_free(&actions);
    if (committed)
        step(fixture, &(struct core_event){.kind = CORE_PERSISTED});
    else if (core_wants_stage(fixture->core))
        step(fixture, &(struct core_event){.kind = CORE_STAGE});
}

static inline void peer_says(struct fixture *fixture, const struct vv *has)
{
    struct wire_writer body = {0};
    vv_put(&body, 1, has);
    wire_put_varint(&body, 2, 0);
    step(fixture, &(struct core_event){.kind = CORE_FRAME,
                                       .node = peer_id,
                                       .frame_type = FRAME_VV,
                                       .body = wire_written(&body)});
    wire_writer_free(&body);
}

/* Long enough for a sweep or two. */
static inline void let_sweep(struct fixture *fixture)
{
    const uint64_t two_hours_us = 7200ull * 1000000, pace_us = 500000;
    for (uint64_t us = 0; us < two_hours_us; us += pace_us) {
        fixture->now_us += pace_us;
        if (fixture->peer_follows && us % 60000000 == 0)
            peer_says(fixture, core_durable(fixture->core));
        step(fixture, &(struct core_event){.kind = CORE_TICK});
        step(fixture, &(struct core_event){.kind = CORE_STAGE});
    }
}

static inline void pass_days(struct fixture *fixture, uint64_t days)
{
    fixture->wall_ms += days * day_ms;
    let_sweep(fixture);
}

static inline void submit(struct fixture *fixture, struct change_set *changes)
{
    fixture->now_us += 1000000;
    step(fixture, &(struct core_event){.kind = CORE_SUBMIT,
                                       .submit = {.changes = changes,
                                                  .change_id = {{0xc0, ++fixture->changes}},
                                                  .kind = RECORD_CONFIG}});
    for (int i = 0; i < 3; i++) { /* changes may be collected for a moment */
        fixture->now_us += 100000;
        step(fixture, &(struct core_event){.kind = CORE_TICK});
        step(fixture, &(struct core_event){.kind = CORE_STAGE});
    }
    change_set_free(changes);
}

static inline void set(struct fixture *fixture, struct uuid id, uint16_t facet, uint8_t value)
{
    struct change_set changes = {0};
    const struct uuid none = {0};
    change_set_add(&changes, &id, &none, 5, facet, (struct bytes){&value, 1});
    submit(fixture, &changes);
}

static inline void make(struct fixture *fixture, struct uuid id, struct uuid owner)
{
    struct change_set changes = {0};
    const uint8_t one = 1;
    change_set_add(&changes, &id, &owner, 5, FACET_LIFE, (struct bytes){&one, 1});
    change_set_add(&changes, &id, &owner, 5, 10, (struct bytes){&one, 1});
    change_set_add(&changes, &id, &owner, 5, 11, (struct bytes){&one, 1});
    submit(fixture, &changes);
}

static inline bool count_row(void *context, struct bytes key, struct bytes value)
{
    ++*(size_t *)context;
    return true;
}

static inline size_t rows(struct fixture *fixture, enum store_table table)
{
    size_t count = 0;
    store_walk(fixture->store, table, (struct bytes){0}, count_row, &count);
    return count;
}

static inline void
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

/* A cluster of two nodes, of which the first record (kept for ever) tells. */
static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct wire_writer bytes = {0};
    struct store_batch batch = {0};
    struct change_set changes = {0};
    fixture->now_us = 1000000;
    fixture->wall_ms = 1800000000000;
    fixture->retention.keep_ms = keep_days * day_ms;
    fixture->peer_follows = true;
    fixture->key = sign_key_generate();
    fixture->peer_key = sign_key_generate();
    fixture->store = store_mem_open();
    assert_true(
        genesis_build(fixture->key, "t", 1, &self, sign_key_public(fixture->key), &bytes));
    store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
                    wire_written(&bytes));
    assert_int_equal(store_commit(fixture->store, &batch), 0);
    store_batch_free(&batch);
    wire_writer_free(&bytes);
    start(fixture);
    add_node(&changes, &self, fixture->key);
    add_node(&changes, &peer_id, fixture->peer_key);
    submit(fixture, &changes);
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    core_free(fixture->core);
    store_close(fixture->store);
    sign_key_free(fixture->key);
    sign_key_free(fixture->peer_key);
    free(fixture);
    return 0;
}

#endif
