/* A cluster of four nodes, records that they sign, and one of them that reads these in any
 * order: for tests of what does not count. Test files that include it are their own programs.
 */
#ifndef TESTS_UNIT_REPLICATION_VOID_EXAMPLE_H
#define TESTS_UNIT_REPLICATION_VOID_EXAMPLE_H

#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 4,
    RECORDS = 16,
    FACET = 10
};

/* Who writes: 0 makes the cluster. */
enum {
    FIRST,
    LOST, /* the one that is removed */
    NEAR,
    FAR
};

struct written {
    struct bytes bytes;
    uint64_t stream, seq;
};

struct example {
    struct sign_key *keys[NODES], *new_key;
    struct uuid ids[NODES];
    struct wire_writer genesis_bytes;
    struct genesis genesis;
    struct written records[RECORDS];
    size_t count;
    uint64_t hlc;
};

static const struct uuid thing = {{0x0b}}, other_thing = {{0x0c}}, none = {{0}};

/* ---- writing records -------------------------------------------------------------------- */

static const struct written *last_of(const struct example *example, uint64_t stream)
{
    const struct written *last = NULL;
    for (size_t i = 0; i < example->count; i++)
        if (example->records[i].stream == stream)
            last = &example->records[i];
    return last;
}

/* Record number of STREAM, made by NODE with KEY; it knew the first of each stream in KNEW, and
 * all of its own. The number in the example. */
static size_t write_with(struct example *example,
                         unsigned node,
                         const struct sign_key *key,
                         uint64_t stream,
                         const struct vv *knew,
                         const struct change_set *changes)
{
    const struct written *last = last_of(example, stream);
    uint8_t key_id[RECORD_KEY_ID_SIZE], hash[HASH_SIZE];
    struct written *out = &example->records[example->count];
    record_key_id(sign_key_public(key), key_id);
    if (last)
        record_hash(last->bytes, hash);
    const struct record_draft draft = {
        .stream = stream,
        .seq = last ? last->seq + 1 : 1,
        .hlc = example->hlc += 1 << 16,
        .wall_ms = 1800000000000,
        .previous_hash = last ? hash : NULL,
        .deps = knew,
        .node_id = example->ids[node],
        .key_id = key_id,
        .incarnation = 1,
        .kind = RECORD_ROSTER,
        .change_id = {{0xc0, (uint8_t)example->count}},
        .author = "ann",
        .via = "test",
        .changes = changes,
    };
    *out = (struct written){.stream = stream, .seq = draft.seq};
    assert_true(record_build(&draft, &example->genesis.cluster_id, key, &out->bytes));
    return example->count++;
}

/* Stream numbers are those of the nodes, from 1. */
static size_t write_changes(struct example *example,
                            unsigned node,
                            const struct vv *knew,
                            const struct change_set *changes)
{
    return write_with(example, node, example->keys[node], node + 1, knew, changes);
}

static size_t write_value(struct example *example,
                          unsigned node,
                          const struct vv *knew,
                          const struct uuid *object,
                          uint16_t facet,
                          uint8_t value)
{
    struct change_set changes = {0};
    change_set_add(&changes, object, &none, 5, facet, (struct bytes){&value, 1});
    size_t number = write_changes(example, node, knew, &changes);
    change_set_free(&changes);
    return number;
}

/* A record that says of node WHOM what STATUS and LISTED say. */
static size_t write_status(struct example *example,
                           unsigned node,
                           const struct vv *knew,
                           unsigned whom,
                           enum node_status status,
                           const struct vv *listed)
{
    struct change_set changes = {0};
    struct resource *resource = resource_new(RESOURCE_NODE);
    struct node *said = CONTAINER_OF(resource, struct node, resource);
    resource->id = example->ids[whom];
    said->status = status;
    for (size_t i = 0; i < listed->count; i++) {
        char text[64];
        int size = snprintf(text, sizeof(text), "%016llx=%llu",
                            (unsigned long long)listed->entries[i].stream,
                            (unsigned long long)listed->entries[i].seq);
        text_list_add(&said->cutoff, text, (size_t)size);
    }
    assert_true(change_set_add_facet(&changes, resource, FACET_NODE_STATUS));
    size_t number = write_changes(example, node, knew, &changes);
    change_set_free(&changes);
    resource_free(resource);
    return number;
}

static struct vv vector(uint64_t lost, uint64_t near, uint64_t far)
{
    struct vv out = {0};
    vv_raise(&out, FIRST + 1, 1);
    vv_raise(&out, LOST + 1, lost);
    vv_raise(&out, NEAR + 1, near);
    vv_raise(&out, FAR + 1, far);
    return out;
}

/* ---- reading them ----------------------------------------------------------------------- */

struct reader {
    struct store *store;
    struct core *core;
    uint64_t now_us;
};

static void step(struct reader *reader, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool committed = false;
    const struct core_now now = {reader->now_us += 1000, 1800000000000};
    core_step(reader->core, event, now, &actions);
    for (size_t i = 0; i < actions.count; i++)
        if (actions.items[i].kind == CORE_PERSIST) {
            assert_int_equal(store_commit(reader->store, &actions.items[i].batch), 0);
            committed = true;
        }
    core_actions_free(&actions);
    if (committed)
        step(reader, &(struct core_event){.kind = CORE_PERSISTED});
    else if (core_wants_stage(reader->core))
        step(reader, &(struct core_event){.kind = CORE_STAGE});
}

/* Node FIRST as it starts on what is in its store. */
static void load(const struct example *example, struct reader *reader)
{
    const struct core_settings settings = {.node_id = example->ids[FIRST],
                                           .key = example->keys[FIRST],
                                           .incarnation = 2,
                                           .random_seed = 5};
    struct error error;
    core_free(reader->core);
    reader->core = core_load(&settings, reader->store,
                             (struct core_now){reader->now_us, 1800000000000}, &error);
    assert_non_null(reader->core);
}

static void take(const struct example *example, struct reader *reader, size_t number)
{
    step(reader,
         &(struct core_event){.kind = CORE_RECORD, .body = example->records[number].bytes});
    step(reader, &(struct core_event){.kind = CORE_STAGE});
}

/* ORDER: a letter for each record, 'a' the first. */
static struct reader read_in_order(const struct example *example, const char *order)
{
    struct reader reader = {.store = store_mem_open(), .now_us = 1000000};
    struct store_batch batch = {0};
    store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
                    wire_written(&example->genesis_bytes));
    assert_int_equal(store_commit(reader.store, &batch), 0);
    store_batch_free(&batch);
    load(example, &reader);
    for (; *order; order++)
        take(example, &reader, (size_t)(*order - 'a'));
    return reader;
}

static void reader_free(struct reader *reader)
{
    core_free(reader->core);
    store_close(reader->store);
}

/* -1: there is none. */
static int value_of(const struct reader *reader, const struct uuid *id, uint16_t facet)
{
    const struct object *object = facet_object(core_facets(reader->core), id);
    const struct facet_entry *entry = object ? facet_winner(facet_of(object, facet)) : NULL;
    return entry ? entry->value[0] : -1;
}

static inline enum node_status status_at(const struct reader *reader, const struct uuid *id)
{
    return roster_find(core_roster(reader->core), id)->status;
}

/* Both orders give the same, also after a start on what is stored. */
static void assert_same(const struct example *example, const char *one, const char *other)
{
    struct reader readers[] = {read_in_order(example, one), read_in_order(example, other)};
    uint8_t hashes[2][HASH_SIZE];
    for (int starts = 0; starts < 2; starts++) {
        for (int i = 0; i < 2; i++) {
            facet_state_hash(core_facets(readers[i].core), hashes[i]);
        }
        assert_memory_equal(hashes[0], hashes[1], HASH_SIZE);
        assert_true(vv_equal(core_durable(readers[0].core), core_durable(readers[1].core)));
        for (int i = 0; i < 2; i++)
            load(example, &readers[i]);
    }
    reader_free(&readers[0]);
    reader_free(&readers[1]);
}

/* ---- the cluster ------------------------------------------------------------------------ */

static int set_up(void **state)
{
    struct example *example = calloc(1, sizeof(*example));
    struct change_set changes = {0};
    struct text_list addresses = {0};
    struct vv nothing = {0};
    uint8_t alive = 1;
    example->hlc = 1800000000000ull << 16;
    example->new_key = sign_key_generate();
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    for (unsigned i = 0; i < NODES; i++) {
        example->keys[i] = sign_key_generate();
        example->ids[i] = (struct uuid){{(uint8_t)(i + 1)}};
        const struct node_facts facts = {.id = example->ids[i],
                                         .name = "lb",
                                         .public_key = sign_key_public(example->keys[i]),
                                         .addresses = &addresses};
        assert_true(membership_plan_node(NULL, &facts, &changes));
    }
    change_set_add(&changes, &thing, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    change_set_add(&changes, &thing, &none, 5, FACET, (struct bytes){&alive, 1});
    assert_true(genesis_build(example->keys[FIRST], "t", 1, &example->ids[FIRST],
                              sign_key_public(example->keys[FIRST]), &example->genesis_bytes));
    assert_true(genesis_parse(wire_written(&example->genesis_bytes), &example->genesis));
    write_changes(example, FIRST, &nothing, &changes);
    change_set_free(&changes);
    text_list_free(&addresses);
    *state = example;
    return 0;
}

static int tear_down(void **state)
{
    struct example *example = *state;
    for (size_t i = 0; i < example->count; i++)
        free((void *)(uintptr_t)example->records[i].bytes.data);
    for (unsigned i = 0; i < NODES; i++)
        sign_key_free(example->keys[i]);
    sign_key_free(example->new_key);
    wire_writer_free(&example->genesis_bytes);
    free(example);
    return 0;
}

/* With what of each node's stream the author knew. */
static size_t value_by(struct example *example,
                       unsigned node,
                       uint64_t lost,
                       uint64_t near,
                       uint64_t far,
                       uint8_t value)
{
    struct vv knew = vector(lost, near, far);
    size_t number = write_value(example, node, &knew, &thing, FACET, value);
    vv_free(&knew);
    return number;
}

/* NODE, which has the first of FIRST and LOST of the lost one, removes that and lists LISTED.
 */
static size_t removal_by(struct example *example,
                         unsigned node,
                         uint64_t lost,
                         enum node_status status,
                         uint64_t listed)
{
    struct vv knew = vector(lost, 0, 0), list = {0};
    vv_raise(&list, LOST + 1, listed);
    size_t number = write_status(example, node, &knew, LOST, status, &list);
    vv_free(&knew);
    vv_free(&list);
    return number;
}

/* NEAR, which has LOST_SEQ of it, gives LOST the new key. */
static inline void write_new_key(struct example *example, uint64_t lost_seq)
{
    char hex[2 * SIGN_PUBLIC_KEY_SIZE + 1];
    struct change_set changes = {0};
    struct resource *resource = resource_new(RESOURCE_NODE);
    struct node *node = CONTAINER_OF(resource, struct node, resource);
    struct vv knew = vector(lost_seq, 0, 0);
    char text[64];
    resource->id = example->ids[LOST];
    bytes_to_hex((struct bytes){sign_key_public(example->new_key), SIGN_PUBLIC_KEY_SIZE}, hex);
    free(node->sign_key);
    node->sign_key = strdup(hex);
    int size = snprintf(text, sizeof(text), "%016x=%u", LOST + 1, (unsigned)lost_seq);
    text_list_add(&node->cutoff, text, (size_t)size);
    assert_true(change_set_add_facet(&changes, resource, FACET_NODE_KEY));
    assert_true(change_set_add_facet(&changes, resource, FACET_NODE_STATUS));
    write_changes(example, NEAR, &knew, &changes);
    change_set_free(&changes);
    resource_free(resource);
    vv_free(&knew);
}

/* A test, in a new example of its own. */
#define EXAMPLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
