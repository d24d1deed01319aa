/* Two nodes in virtual time, over a line that can lose packets, with disks that can be slow:
 * when changes are committed, what is pushed, acknowledged and sent again. */
#include "replication/core_internal.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

enum {
    NODES = 2,
    LINE_US = 200,
    SWAP_US = 300 /* from applied to running */
};

enum due_kind {
    DUE_FRAME,
    DUE_COMMIT,
    DUE_RUNNING
};

struct due {
    uint64_t at_us, order, position;
    enum due_kind kind;
    unsigned node;
    uint32_t type;
    uint8_t *body;
    size_t size;
};

struct pair {
    struct store *stores[NODES];
    struct sign_key *keys[NODES];
    struct core *cores[NODES];
    struct store_batch committing[NODES];
    uint64_t commit_us[NODES]; /* how long a commit takes */
    uint64_t now_us, order;
    struct due *due;
    size_t count, capacity;
    unsigned lose[NODES][FRAME_JOIN_HELLO]; /* by sender: this many of a type are lost */
    unsigned sent[NODES][FRAME_JOIN_HELLO], commits[NODES], peer_rows[NODES];
    unsigned answers;
    uint64_t answered_us;
    uint8_t *record; /* the one that founded the cluster */
    size_t record_size;
};

static struct uuid id_of(unsigned node)
{
    return (struct uuid){{(uint8_t)(node + 1)}};
}

static void add_due(struct pair *pair, struct due due)
{
    pair->due = memory_grow(pair->due, pair->count, &pair->capacity, sizeof(*pair->due));
    due.order = ++pair->order;
    pair->due[pair->count++] = due;
}

static void transmit(struct pair *pair, unsigned from, const struct core_action *action)
{
    pair->sent[from][action->frame_type]++;
    if (pair->lose[from][action->frame_type] > 0) {
        pair->lose[from][action->frame_type]--;
        return;
    }
    add_due(pair, (struct due){.at_us = pair->now_us + LINE_US,
                               .kind = DUE_FRAME,
                               .node = 1 - from,
                               .type = action->frame_type,
                               .body = memory_copy(action->body, action->body_size),
                               .size = action->body_size});
}

static void note_rows(struct pair *pair, unsigned node, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        pair->peer_rows[node] += op->table == STORE_META && op->key[0] == (uint8_t)META_PEER;
        if (op->table == STORE_LOG && !pair->record) {
            pair->record_size = op->value_size;
            pair->record = memory_copy(op->value, op->value_size);
        }
    }
}

static void perform(struct pair *pair, unsigned node, struct core_action *action)
{
    switch (action->kind) {
    case CORE_PERSIST:
        note_rows(pair, node, &action->batch);
        pair->committing[node] = action->batch;
        action->batch = (struct store_batch){0};
        add_due(pair, (struct due){.at_us = pair->now_us + pair->commit_us[node],
                                   .kind = DUE_COMMIT,
                                   .node = node});
        break;
    case CORE_SEND: transmit(pair, node, action); break;
    case CORE_APPLIED:
        add_due(pair, (struct due){.at_us = pair->now_us + SWAP_US,
                                   .kind = DUE_RUNNING,
                                   .node = node,
                                   .position = action->position});
        break;
    case CORE_ANSWER:
        pair->answers++;
        pair->answered_us = pair->now_us;
        break;
    default: break;
    }
}

static void step_once(struct pair *pair, unsigned node, const struct core_event *event)
{
    struct core_actions actions = {0};
    const struct core_now now = {pair->now_us, 1800000000000 + pair->now_us / 1000};
    core_step(pair->cores[node], event, now, &actions);
    for (size_t i = 0; i < actions.count; i++)
        perform(pair, node, &actions.items[i]);
    core_actions_free(&actions);
}

static void settle(struct pair *pair, unsigned node, bool stage)
{
    if (stage || core_wants_stage(pair->cores[node]))
        step_once(pair, node, &(struct core_event){.kind = CORE_STAGE});
}

static void step(struct pair *pair, unsigned node, const struct core_event *event)
{
    step_once(pair, node, event);
    settle(pair, node, event->kind == CORE_TICK);
}

static struct core_event event_of(struct pair *pair, const struct due *due)
{
    unsigned node = due->node;
    if (due->kind == DUE_RUNNING)
        return (struct core_event){.kind = CORE_RUNNING, .position = due->position};
    if (due->kind == DUE_FRAME)
        return (struct core_event){.kind = CORE_FRAME,
                                   .node = id_of(1 - node),
                                   .frame_type = due->type,
                                   .body = {due->body, due->size}};
    pair->commits[node]++;
    assert_int_equal(store_commit(pair->stores[node], &pair->committing[node]), 0);
    store_batch_free(&pair->committing[node]);
    return (struct core_event){.kind = CORE_PERSISTED};
}

/* The earliest of what is due until END, or NULL. */
static struct due *earliest(const struct pair *pair, uint64_t end_us)
{
    struct due *first = NULL;
    for (size_t i = 0; i < pair->count; i++) {
        struct due *due = &pair->due[i];
        if (due->at_us <= end_us && (!first || due->at_us < first->at_us ||
                                     (due->at_us == first->at_us && due->order < first->order)))
            first = due;
    }
    return first;
}

/* All that is due now at NODE, as in one datagram. */
static void happen(struct pair *pair, unsigned node)
{
    struct due *first;
    while ((first = earliest(pair, pair->now_us)) && first->node == node) {
        struct due due = *first;
        *first = pair->due[--pair->count];
        struct core_event event = event_of(pair, &due);
        step_once(pair, node, &event);
        free(due.body);
    }
    settle(pair, node, false);
}

static void run(struct pair *pair, uint64_t duration_us)
{
    uint64_t end_us = pair->now_us + duration_us;
    while (pair->now_us < end_us) {
        struct due *first = earliest(pair, end_us);
        uint64_t next_us = first ? first->at_us : end_us;
        unsigned ticks = NODES;
        for (unsigned node = 0; node < NODES; node++)
            if (core_next_tick_us(pair->cores[node]) < next_us) {
                next_us = core_next_tick_us(pair->cores[node]);
                ticks = node;
            }
        pair->now_us = next_us > pair->now_us ? next_us : pair->now_us + 1;
        if (ticks < NODES) {
            step(pair, ticks, &(struct core_event){.kind = CORE_TICK});
        } else if (first) {
            happen(pair, first->node);
        }
    }
}

static void submit(struct pair *pair, const struct change_set *changes, enum record_kind kind)
{
    static uint8_t number;
    const struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes, .change_id = {{0xc0, ++number}}, .kind = kind}};
    step(pair, 0, &event);
}

static void write_value(struct pair *pair, uint8_t value)
{
    struct change_set changes = {0};
    const struct uuid object = {{0x0b}}, none = {0};
    change_set_add(&changes, &object, &none, 5, 10, (struct bytes){&value, 1});
    submit(pair, &changes, RECORD_CONFIG);
    change_set_free(&changes);
}

static uint64_t has(const struct pair *pair, unsigned node)
{
    return vv_get(core_durable(pair->cores[node]), pair->cores[0]->own_stream);
}

static void forget_counts(struct pair *pair)
{
    memset(pair->sent, 0, sizeof(pair->sent));
    memset(pair->commits, 0, sizeof(pair->commits));
    memset(pair->peer_rows, 0, sizeof(pair->peer_rows));
    pair->answers = 0;
}

static void found(struct pair *pair)
{
    struct text_list addresses = {0};
    struct change_set changes = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    for (unsigned node = 0; node < NODES; node++) {
        const struct node_facts facts = {.id = id_of(node),
                                         .name = node == 0 ? "lb1" : "lb2",
                                         .public_key = sign_key_public(pair->keys[node]),
                                         .addresses = &addresses};
        assert_true(membership_plan_node(NULL, &facts, &changes));
    }
    submit(pair, &changes, RECORD_ROSTER);
    run(pair, 1000);
    step(pair, 1,
         &(struct core_event){.kind = CORE_RECORD, .body = {pair->record, pair->record_size}});
    change_set_free(&changes);
    text_list_free(&addresses);
}

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    struct wire_writer bytes = {0};
    struct genesis genesis;
    struct error error;
    const struct uuid first = id_of(0);
    pair->now_us = 1000000;
    for (unsigned node = 0; node < NODES; node++) {
        pair->keys[node] = sign_key_generate();
        pair->stores[node] = store_mem_open();
        pair->commit_us[node] = 400;
    }
    assert_true(
        genesis_build(pair->keys[0], "t", 1, &first, sign_key_public(pair->keys[0]), &bytes));
    assert_true(genesis_parse(wire_written(&bytes), &genesis));
    for (unsigned node = 0; node < NODES; node++) {
        const struct core_settings settings = {.node_id = id_of(node),
                                               .key = pair->keys[node],
                                               .incarnation = 1,
                                               .random_seed = 5};
        pair->cores[node] = core_load(&settings, pair->stores[node],
                                      (struct core_now){pair->now_us, 1}, &error);
        assert_non_null(pair->cores[node]);
        core_found(pair->cores[node], &genesis);
    }
    wire_writer_free(&bytes);
    found(pair);
    run(pair, 2 * SECOND);
    forget_counts(pair);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    for (unsigned node = 0; node < NODES; node++) {
        core_free(pair->cores[node]);
        store_batch_free(&pair->committing[node]);
        store_close(pair->stores[node]);
        sign_key_free(pair->keys[node]);
    }
    for (size_t i = 0; i < pair->count; i++)
        free(pair->due[i].body);
    free(pair->due);
    free(pair->record);
    free(pair);
    return 0;
}

/* ---- when changes are committed --------------------------------------------------------- */

static void a_change_that_comes_alone_is_committed_at_once(void **state)
{
    struct pair *pair = *state;
    for (uint8_t i = 0; i < 20; i++) { /* a client that writes one after the other */
        uint64_t before_us = pair->now_us;
        write_value(pair, i);
        while (pair->answers <= i)
            run(pair, 50);
        assert_in_range(pair->answered_us - before_us, 0, 2000);
    }
    assert_int_equal(pair->commits[0], 20);
    assert_int_equal(pair->sent[1][FRAME_ACK], 20); /* commit and swap are told together */
}

static void a_stream_of_changes_shares_commits_on_both_sides(void **state)
{
    struct pair *pair = *state;
    for (uint8_t i = 0; i < 200; i++) {
        write_value(pair, i);
        run(pair, 1000);
    }
    run(pair, 20 * MS);
    assert_int_equal(pair->answers, 200);
    assert_in_range(pair->commits[0], 200 / 8, 200 / 4);
    assert_in_range(pair->commits[1], 200 / 8, 200 / 4);
    assert_in_range(pair->sent[1][FRAME_ACK], 200 / 8, 200 / 4 + 8);
    assert_int_equal(pair->sent[0][FRAME_RECORD], 200);
}

static void no_change_waits_longer_than_5_ms_for_others(void **state)
{
    struct pair *pair = *state;
    for (uint8_t i = 0; i < 10; i++)
        write_value(pair, i);
    run(pair, 20 * MS);
    assert_int_equal(pair->answers, 10); /* so many may come at once */
    write_value(pair, 100);
    run(pair, 4900);
    assert_int_equal(has(pair, 0), 1 + 10);
    run(pair, 200 + pair->commit_us[0]);
    assert_int_equal(has(pair, 0), 1 + 11);
    write_value(pair, 101); /* nobody came: it is one after the other again */
    run(pair, pair->commit_us[0]);
    assert_int_equal(has(pair, 0), 1 + 11);
    run(pair, 20 * MS);
    write_value(pair, 102);
    run(pair, pair->commit_us[0]);
    assert_int_equal(has(pair, 0), 1 + 13);
}

/* Two clients that write as fast as they get answers must not wait for a third one. */
static void a_commit_starts_when_everybody_who_writes_waits_for_it(void **state)
{
    struct pair *pair = *state;
    uint64_t before_us = pair->now_us;
    for (unsigned i = 0; i < 100; i++) {
        while (i >= pair->answers + 2)
            run(pair, 50);
        write_value(pair, (uint8_t)i);
    }
    assert_in_range(pair->now_us - before_us, 0, 100 * 2000);
    assert_in_range(pair->commits[0], 0, 80);
}

static void sixty_four_changes_are_a_commit(void **state)
{
    struct pair *pair = *state;
    pair->commit_us[0] = 10000; /* all but the first come meanwhile */
    for (uint8_t i = 0; i < 1 + 2 * STAGE_SUBMITS; i++)
        write_value(pair, i);
    run(pair, 10000);
    assert_int_equal(has(pair, 0), 2);
    run(pair, 10000);
    assert_int_equal(has(pair, 0), 2 + STAGE_SUBMITS);
    run(pair, 10000);
    assert_int_equal(has(pair, 0), 2 + 2 * STAGE_SUBMITS);
}

/* ---- pushing and acknowledging ---------------------------------------------------------- */

static void a_lost_record_is_sent_again(void **state)
{
    struct pair *pair = *state;
    pair->lose[0][FRAME_RECORD] = 2;
    write_value(pair, 1);
    run(pair, 65 * MS);
    assert_int_equal(pair->sent[0][FRAME_RECORD], 3);
    assert_int_equal(has(pair, 1), 2);
    assert_int_equal(pair->answers, 1);
}

/* The disk of the other node is slow: it says what it has received, and that is enough. */
static void what_is_received_is_not_sent_again(void **state)
{
    struct pair *pair = *state;
    pair->commit_us[1] = 200 * MS;
    for (uint8_t i = 0; i < 3; i++) {
        write_value(pair, i);
        run(pair, 6 * MS);
    }
    run(pair, 450 * MS);
    assert_int_equal(has(pair, 1), 4);
    assert_int_equal(pair->sent[0][FRAME_RECORD], 3);
    assert_int_equal(pair->answers, 3);
}

static void only_what_is_missing_is_sent_again(void **state)
{
    struct pair *pair = *state;
    pair->commit_us[1] = 100 * MS;
    pair->lose[1][FRAME_PULL] = 10;
    write_value(pair, 0);
    run(pair, 6 * MS);
    pair->lose[0][FRAME_RECORD] = 1;
    for (uint8_t i = 1; i < 6; i++) {
        write_value(pair, i);
        run(pair, 6 * MS);
    }
    run(pair, 100 * MS);
    assert_int_equal(pair->sent[0][FRAME_RECORD], 6 + 1);
    run(pair, 400 * MS);
    assert_int_equal(has(pair, 1), 7);
}

static void a_lost_acknowledgement_is_asked_for(void **state)
{
    struct pair *pair = *state;
    pair->commit_us[1] = 20 * MS;
    write_value(pair, 1);
    run(pair, 8 * MS); /* received is known */
    assert_int_equal(pair->sent[1][FRAME_ACK], 1);
    pair->lose[1][FRAME_ACK] = 1; /* the one about the commit */
    pair->lose[1][FRAME_HEARTBEAT] = 10;
    run(pair, 70 * MS);
    assert_int_equal(pair->sent[0][FRAME_ACK], 1);
    assert_int_equal(pair->sent[0][FRAME_RECORD], 1);
    assert_int_equal(pair->answers, 1);
}

static void a_lost_acknowledgement_does_not_hold_the_next_change_up(void **state)
{
    struct pair *pair = *state;
    pair->lose[1][FRAME_ACK] = pair->lose[1][FRAME_HEARTBEAT] = 1000;
    write_value(pair, 1);
    run(pair, 180 * MS); /* the pauses between the copies of the first have become long */
    pair->lose[0][FRAME_RECORD] = 1;
    write_value(pair, 2);
    run(pair, 60 * MS);
    assert_int_equal(has(pair, 1), 3);
}

static void at_most_64_records_are_under_way(void **state)
{
    struct pair *pair = *state;
    pair->lose[1][FRAME_ACK] = 1000;
    for (unsigned i = 0; i < 100; i++)
        write_value(pair, (uint8_t)i);
    run(pair, 20 * MS);
    assert_int_equal(has(pair, 0), 101);
    assert_int_equal(pair->sent[0][FRAME_RECORD], RESEND_WINDOW);
    pair->lose[1][FRAME_ACK] = 0;
    run(pair, 100 * MS);
    assert_int_equal(has(pair, 1), 101);
    assert_int_equal(pair->sent[1][FRAME_PULL], 0);
}

static void an_acknowledgement_without_news_is_not_sent(void **state)
{
    struct pair *pair = *state;
    write_value(pair, 1);
    run(pair, 20 * MS);
    assert_int_equal(pair->sent[1][FRAME_ACK], 1);
    step(pair, 1, &(struct core_event){.kind = CORE_RUNNING, .position = 1000});
    run(pair, 20 * MS);
    assert_int_equal(pair->sent[1][FRAME_ACK], 1);
}

static void what_peers_have_is_saved_now_and_then(void **state)
{
    struct pair *pair = *state;
    for (unsigned i = 0; i < 200; i++) {
        write_value(pair, (uint8_t)i);
        run(pair, 200 * MS);
    }
    assert_in_range(pair->peer_rows[0], 1, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_change_that_comes_alone_is_committed_at_once),
        TEST(a_stream_of_changes_shares_commits_on_both_sides),
        TEST(no_change_waits_longer_than_5_ms_for_others),
        TEST(a_commit_starts_when_everybody_who_writes_waits_for_it),
        TEST(sixty_four_changes_are_a_commit),
        TEST(a_lost_record_is_sent_again),
        TEST(what_is_received_is_not_sent_again),
        TEST(only_what_is_missing_is_sent_again),
        TEST(a_lost_acknowledgement_is_asked_for),
        TEST(a_lost_acknowledgement_does_not_hold_the_next_change_up),
        TEST(at_most_64_records_are_under_way),
        TEST(an_acknowledgement_without_news_is_not_sent),
        TEST(what_peers_have_is_saved_now_and_then),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
