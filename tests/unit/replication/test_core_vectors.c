/* What was purged here may still be there elsewhere: a node that cleans up, and one that does
 * so later or never. Records and vectors are carried from one to the other when a test says so.
 */
#include "replication/core_internal.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include <stdlib.h>

enum {
    SELF,
    PEER,
    NODES
};

static const struct uuid object = {{0x0b}}, other = {{0x0c}}, none = {{0}};

struct side {
    struct uuid id;
    struct sign_key *key;
    struct store *store;
    struct core *core;
    uint64_t incarnation, keep_ms; /* keep_ms 0: it never cleans up */
};

struct fixture {
    struct side nodes[NODES];
    uint64_t now_us;
    uint8_t changes;
};

static struct core_now now_of(const struct fixture *fixture)
{
    return (struct core_now){fixture->now_us, 1800000000000 + fixture->now_us / 1000};
}

static void start(struct fixture *fixture, int number)
{
    struct side *node = &fixture->nodes[number];
    struct error error;
    ++node->incarnation;
    const struct core_settings settings = {.node_id = node->id,
                                           .key = node->key,
                                           .incarnation = node->incarnation,
                                           .random_seed =
                                               2 * node->incarnation + (uint64_t)number,
                                           .retention = {.keep_ms = node->keep_ms}};
    core_free(node->core);
    node->core = core_load(&settings, node->store, now_of(fixture), &error);
    assert_non_null(node->core);
}

static void step(struct fixture *fixture, int number, const struct core_event *event);

static void read_log(struct fixture *fixture, int number, const struct core_action *action)
{
    struct log_slice slice;
    assert_int_equal(log_slice_read(fixture->nodes[number].store, action->first_row,
                                    action->row_count, &slice),
                     0);
    step(fixture, number,
         &(struct core_event){.kind = CORE_LOG_ROWS,
                              .records = slice.records,
                              .record_count = slice.count,
                              .log_ended = slice.ended});
    log_slice_free(&slice);
}

static void step(struct fixture *fixture, int number, const struct core_event *event)
{
    struct side *node = &fixture->nodes[number];
    struct core_actions actions = {0};
    core_step(node->core, event, now_of(fixture), &actions);
    for (size_t i = 0; i < actions.count; i++) {
        struct core_action *action = &actions.items[i];
        if (action->kind == CORE_PERSIST) {
            assert_int_equal(store_commit(node->store, &action->batch), 0);
            step(fixture, number, &(struct core_event){.kind = CORE_PERSISTED});
        } else if (action->kind == CORE_READ_LOG) {
            read_log(fixture, number, action);
        }
    }
    core_actions_free(&actions);
    if (core_wants_stage(node->core))
        step(fixture, number, &(struct core_event){.kind = CORE_STAGE});
}

static void pass(struct fixture *fixture, uint64_t ms)
{
    fixture->now_us += 1000 * ms;
    for (int i = 0; i < NODES; i++) {
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
    pass(fixture, 10);
    change_set_free(changes);
}

static void set_life(struct fixture *fixture, struct uuid id, uint8_t alive)
{
    struct change_set changes = {0};
    change_set_add(&changes, &id, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    if (alive)
        change_set_add(&changes, &id, &none, 5, 10, (struct bytes){&alive, 1});
    submit(fixture, SELF, &changes);
}

/* ---- across ----------------------------------------------------------------------------- */

struct carrying {
    struct fixture *fixture;
};

static void take_record(void *context, struct bytes record)
{
    const struct carrying *carrying = context;
    step(carrying->fixture, PEER, &(struct core_event){.kind = CORE_RECORD, .body = record});
}

/* All that the peer lacks. */
static void carry_records(struct fixture *fixture)
{
    const struct side *self = &fixture->nodes[SELF], *peer = &fixture->nodes[PEER];
    struct carrying carrying = {fixture};
    struct wire_writer have = {0};
    bool more;
    vv_put(&have, 1, core_vector(peer->core));
    assert_int_equal(pull_answer(self->store, wire_written(&have), core_durable(self->core),
                                 take_record, &carrying, &more),
                     0);
    wire_writer_free(&have);
    pass(fixture, 10);
    assert_true(vv_equal(core_durable(self->core), core_durable(peer->core)));
}

static void tell_vector(struct fixture *fixture, int from, int to)
{
    const struct core *core = fixture->nodes[from].core;
    struct wire_writer body = {0};
    core_put_vector(core, core_peer(core, &fixture->nodes[to].id), false, &body);
    step(fixture, to,
         &(struct core_event){.kind = CORE_FRAME,
                              .node = fixture->nodes[from].id,
                              .frame_type = FRAME_VV,
                              .body = wire_written(&body)});
    wire_writer_free(&body);
}

static void tell_vectors(struct fixture *fixture)
{
    tell_vector(fixture, SELF, PEER);
    tell_vector(fixture, PEER, SELF);
}

/* Long enough for some sweeps. */
static void let_sweep(struct fixture *fixture)
{
    for (int i = 0; i < 600; i++) {
        tell_vectors(fixture);
        pass(fixture, 100);
    }
}

static void add_node(struct change_set *changes, const struct side *side, const char *name)
{
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    const struct node_facts facts = {.id = side->id,
                                     .name = name,
                                     .public_key = sign_key_public(side->key),
                                     .addresses = &addresses};
    assert_true(membership_plan_node(NULL, &facts, changes));
    text_list_free(&addresses);
}

static void found(struct fixture *fixture)
{
    const struct side *self = &fixture->nodes[SELF];
    struct wire_writer bytes = {0};
    struct change_set changes = {0};
    assert_true(
        genesis_build(self->key, "t", 1, &self->id, sign_key_public(self->key), &bytes));
    for (int i = 0; i < NODES; i++) {
        struct store_batch batch = {0};
        store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
                        wire_written(&bytes));
        assert_int_equal(store_commit(fixture->nodes[i].store, &batch), 0);
        store_batch_free(&batch);
        start(fixture, i);
    }
    wire_writer_free(&bytes);
    add_node(&changes, self, "lb1");
    add_node(&changes, &fixture->nodes[PEER], "lb2");
    submit(fixture, SELF, &changes);
    carry_records(fixture);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->now_us = 1000000;
    for (int i = 0; i < NODES; i++) {
        struct side *node = &fixture->nodes[i];
        node->id = (struct uuid){{(uint8_t)(i + 1)}};
        node->key = sign_key_generate();
        node->store = store_mem_open();
    }
    fixture->nodes[SELF].keep_ms = 10000;
    found(fixture);
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

/* ---- made again under the same id ------------------------------------------------------- */

/* An object is made and deleted, and the stream that tells of it is over. Returns that. */
static uint64_t make_and_delete(struct fixture *fixture)
{
    start(fixture, SELF);
    set_life(fixture, object, 1);
    set_life(fixture, object, 0);
    uint64_t stream = fixture->nodes[SELF].core->own_stream;
    start(fixture, SELF);
    set_life(fixture, other, 1);
    carry_records(fixture);
    let_sweep(fixture);
    assert_null(facet_object(core_facets(fixture->nodes[SELF].core), &object));
    assert_true(core_stream(fixture->nodes[SELF].core, stream)->folded);
    return stream;
}

static uint64_t named_by_own(const struct fixture *fixture, uint64_t stream)
{
    const struct core *core = fixture->nodes[SELF].core;
    return vv_get(&core_stream(core, core->own_stream)->context, stream);
}

static bool counts(const struct fixture *fixture, int number)
{
    const struct facet_table *facets = core_facets(fixture->nodes[number].core);
    const struct object *found = facet_object(facets, &object);
    return found && facet_object_counts(facets, found);
}

static void what_is_made_again_replaces_what_a_peer_did_not_purge(void **state)
{
    struct fixture *fixture = *state;
    uint8_t one[HASH_SIZE], two[HASH_SIZE];
    make_and_delete(fixture);
    assert_non_null(facet_object(core_facets(fixture->nodes[PEER].core), &object));
    start(fixture, SELF);
    set_life(fixture, object, 1);
    carry_records(fixture);
    assert_true(counts(fixture, SELF));
    assert_true(counts(fixture, PEER));
    core_state_hash(fixture->nodes[SELF].core, one);
    core_state_hash(fixture->nodes[PEER].core, two);
    assert_memory_equal(one, two, HASH_SIZE);
}

static void what_was_below_does_not_come_back_with_what_is_made_again(void **state)
{
    struct fixture *fixture = *state;
    struct change_set changes = {0};
    const struct uuid child = {{0x0d}};
    uint8_t one[HASH_SIZE], two[HASH_SIZE];
    start(fixture, SELF);
    set_life(fixture, object, 1);
    change_set_add(&changes, &child, &object, 6, FACET_LIFE,
                   (struct bytes){(const uint8_t *)"\1", 1});
    change_set_add(&changes, &object, &none, 5, 11, (struct bytes){(const uint8_t *)"x", 1});
    submit(fixture, SELF, &changes);
    set_life(fixture, object, 0);
    start(fixture, SELF);
    set_life(fixture, other, 1);
    carry_records(fixture);
    let_sweep(fixture);
    assert_null(facet_object(core_facets(fixture->nodes[SELF].core), &object));
    assert_null(facet_object(core_facets(fixture->nodes[SELF].core), &child));
    set_life(fixture, object, 1);
    carry_records(fixture);
    assert_true(counts(fixture, PEER));
    core_state_hash(fixture->nodes[SELF].core, one);
    core_state_hash(fixture->nodes[PEER].core, two);
    assert_memory_equal(one, two, HASH_SIZE);
}

/* The peer may have folded them as well, but has not said so to this process. */
static void only_who_makes_something_names_folded_streams(void **state)
{
    struct fixture *fixture = *state;
    uint64_t stream = make_and_delete(fixture);
    start(fixture, SELF);
    set_life(fixture, other, 0); /* of what is here, nobody has more */
    assert_int_equal(named_by_own(fixture, stream), 0);
    set_life(fixture, object, 1);
    assert_int_equal(named_by_own(fixture, stream), 2);
}

static void what_all_have_folded_is_not_named(void **state)
{
    struct fixture *fixture = *state;
    fixture->nodes[PEER].keep_ms = fixture->nodes[SELF].keep_ms;
    start(fixture, PEER);
    uint64_t stream = make_and_delete(fixture);
    assert_true(core_stream(fixture->nodes[PEER].core, stream)->folded);
    start(fixture, SELF);
    tell_vectors(fixture);
    set_life(fixture, object, 1);
    assert_int_equal(named_by_own(fixture, stream), 0);
}

int main(void)
{
    crypto_start();
#define WITH_CORES(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CORES(what_is_made_again_replaces_what_a_peer_did_not_purge),
        WITH_CORES(what_was_below_does_not_come_back_with_what_is_made_again),
        WITH_CORES(only_who_makes_something_names_folded_streams),
        WITH_CORES(what_all_have_folded_is_not_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
