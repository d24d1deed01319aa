/* The signed log, looked through: as it should be, and as somebody left it who had his hands
 * in. */
#include "replication/genesis.h"
#include "replication/node_key.h"
#include "replication/record.h"
#include "replication/store.h"
#include "tests/unit/admin/history_calls.h"

#include <stdlib.h>

static void an_audit_of_a_sound_log_is_good(void **state)
{
    char path[80];
    make_pool(path);
    store_fixture_restart(&node);
    describe(path, "one", NULL);
    struct api_answer answer = ask("GET", "/v1/audit", NULL, 200);
    const struct json_value *audit = json_value_get(answer.json, "audit");
    assert_true(json_value_truth(json_value_get(audit, "good")));
    assert_int_equal(json_value_number(json_value_get(audit, "missing")), 0);
    assert_int_equal(json_value_number(json_value_get(audit, "bad")), 0);
    assert_true(json_value_number(json_value_get(audit, "verified")) >= 4);
    assert_int_equal(json_value_count(json_value_get(audit, "streams")), 2);
    api_answer_free(&answer);
}

static bool copy_third_key(void *context, struct bytes key, struct bytes value)
{
    memcpy(context, key.data, key.size);
    return load_be64(key.data + 8) < 3;
}

static struct store *open_store(const char *state_dir)
{
    char path[100];
    struct error error = {0};
    snprintf(path, sizeof(path), "%s/config.mdb", state_dir);
    struct store *store = store_lmdb_open(path, 1 << 20, &error);
    assert_non_null(store);
    return store;
}

static void remove_third_change(const char *state_dir)
{
    struct store *store = open_store(state_dir);
    struct store_batch batch = {0};
    uint8_t key[16];
    assert_int_equal(store_walk(store, STORE_LOG, (struct bytes){0}, copy_third_key, key), 0);
    store_batch_remove(&batch, STORE_LOG, (struct bytes){key, sizeof(key)});
    assert_int_equal(store_commit(store, &batch), 0);
    store_batch_free(&batch);
    store_close(store);
}

static void an_audit_tells_that_a_change_is_missing(void **state)
{
    char path[80];
    make_pool(path);
    node.tamper = remove_third_change;
    store_fixture_restart(&node);
    node.tamper = NULL;
    struct api_answer answer = ask("GET", "/v1/audit", NULL, 200);
    const struct json_value *audit = json_value_get(answer.json, "audit");
    const struct json_value *stream = json_value_at(json_value_get(audit, "streams"), 0);
    assert_false(json_value_truth(json_value_get(audit, "good")));
    assert_int_equal(json_value_number(json_value_get(audit, "missing")), 1);
    assert_int_equal(json_value_number(json_value_get(stream, "first_missing")), 3);
    api_answer_free(&answer);
}

/* The third change of the node's own stream. */
static struct record read_third(struct store *store, struct wire_writer *bytes, uint8_t key[16])
{
    struct record record;
    assert_int_equal(store_walk(store, STORE_LOG, (struct bytes){0}, copy_third_key, key), 0);
    assert_int_equal(store_get(store, STORE_LOG, (struct bytes){key, 16}, bytes), 0);
    assert_true(record_parse(wire_written(bytes), &record));
    assert_int_equal(record.seq, 3);
    return record;
}

static void put_third(struct store *store, const uint8_t key[16], struct bytes record)
{
    struct store_batch batch = {0};
    store_batch_put(&batch, STORE_LOG, (struct bytes){key, 16}, record);
    assert_int_equal(store_commit(store, &batch), 0);
    store_batch_free(&batch);
}

/* Its last byte is one of the signature. */
static void forge_third_change(const char *state_dir)
{
    struct store *store = open_store(state_dir);
    struct wire_writer bytes = {0};
    uint8_t key[16];
    read_third(store, &bytes, key);
    bytes.data[bytes.size - 1] ^= 1;
    put_third(store, key, wire_written(&bytes));
    wire_writer_free(&bytes);
    store_close(store);
}

static struct genesis read_genesis(struct store *store)
{
    struct wire_writer bytes = {0};
    struct genesis genesis;
    const struct bytes key = {(const uint8_t *)"g", 1};
    assert_int_equal(store_get(store, STORE_META, key, &bytes), 0);
    assert_true(genesis_parse(wire_written(&bytes), &genesis));
    wire_writer_free(&bytes);
    return genesis;
}

static struct sign_key *open_key(const char *state_dir)
{
    char path[100];
    struct error error = {0};
    struct uuid node_id;
    snprintf(path, sizeof(path), "%s/node.key", state_dir);
    struct sign_key *key = node_key_open(path, &node_id, &error);
    assert_non_null(key);
    return key;
}

/* RECORD as somebody else would have made it, with a good signature. */
static struct bytes
sign_anew(const struct record *record, struct store *store, const char *state_dir)
{
    const struct genesis genesis = read_genesis(store);
    struct sign_key *key = open_key(state_dir);
    struct vv deps = {0};
    struct change_set changes = {0};
    struct dot dep;
    struct record_op op;
    struct bytes out;
    for (struct wire_reader at = record->deps; record_next_dep(&at, &dep);)
        vv_raise(&deps, dep.stream, dep.seq);
    for (struct wire_reader at = record->ops; record_next_op(&at, &op);)
        assert_true(
            change_set_add(&changes, &op.object_id, &op.owner, op.type, op.facet, op.value));
    const struct record_draft draft = {
        .stream = record->stream,
        .seq = record->seq,
        .hlc = record->hlc,
        .wall_ms = record->wall_ms,
        .previous_hash = record->previous_hash,
        .deps = &deps,
        .kind = record->kind,
        .change_id = record->change_id,
        .author = "somebody else",
        .via = "api",
        .changes = &changes,
    };
    assert_true(record_build(&draft, &genesis.cluster_id, key, &out));
    change_set_free(&changes);
    vv_free(&deps);
    sign_key_free(key);
    return out;
}

/* Whoever has the node's key can sign another past, but what follows names the hash of the one
 * that was. */
static void replace_third_change(const char *state_dir)
{
    struct store *store = open_store(state_dir);
    struct wire_writer bytes = {0};
    uint8_t key[16];
    struct record record = read_third(store, &bytes, key);
    struct bytes other = sign_anew(&record, store, state_dir);
    put_third(store, key, other);
    free((void *)(uintptr_t)other.data);
    wire_writer_free(&bytes);
    store_close(store);
}

static void assert_audit_names(void (*tamper)(const char *state_dir), int64_t bad_seq)
{
    char path[80];
    make_pool(path);
    describe(path, "one", NULL);
    node.tamper = tamper;
    store_fixture_restart(&node);
    node.tamper = NULL;
    struct api_answer answer = ask("GET", "/v1/audit", NULL, 200);
    const struct json_value *audit = json_value_get(answer.json, "audit");
    const struct json_value *stream = json_value_at(json_value_get(audit, "streams"), 0);
    assert_false(json_value_truth(json_value_get(audit, "good")));
    assert_int_equal(json_value_number(json_value_get(audit, "missing")), 0);
    assert_int_equal(json_value_number(json_value_get(stream, "first_bad")), bad_seq);
    api_answer_free(&answer);
}

static void an_audit_names_a_forged_signature(void **state)
{
    assert_audit_names(forge_third_change, 3);
}

static void an_audit_names_where_the_chain_is_broken(void **state)
{
    assert_audit_names(replace_third_change, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        RULE(an_audit_of_a_sound_log_is_good),
        RULE(an_audit_tells_that_a_change_is_missing),
        RULE(an_audit_names_a_forged_signature),
        RULE(an_audit_names_where_the_chain_is_broken),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
