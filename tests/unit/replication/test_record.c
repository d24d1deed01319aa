#include "replication/record.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct uuid cluster = {{0xc1}};

struct fixture {
    struct sign_key *key;
    struct change_set changes;
    struct vv deps;
    struct record_draft draft;
    struct bytes whole;
};

static int set_up(void **state)
{
    static const uint8_t seed[SIGN_SEED_SIZE] = {1, 2, 3};
    static const uint8_t key_id[RECORD_KEY_ID_SIZE] = {9};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct uuid object = {{0x0b}}, owner = {{0x0c}};
    fixture->key = sign_key_from_seed(seed);
    change_set_add(&fixture->changes, &object, &owner, 5, FACET_LIFE,
                   (struct bytes){(const uint8_t *)"\1", 1});
    change_set_add(&fixture->changes, &object, &owner, 5, 10,
                   (struct bytes){(const uint8_t *)"\x08\x05", 2});
    vv_raise(&fixture->deps, 0x22, 4);
    fixture->draft = (struct record_draft){
        .stream = 0x1122334455667788,
        .seq = 1,
        .hlc = 0x64,
        .wall_ms = 1800000000000,
        .deps = &fixture->deps,
        .node_id = {{0x0d}},
        .key_id = key_id,
        .incarnation = 77,
        .kind = RECORD_CONFIG,
        .change_id = {{0x0e}},
        .author = "ann",
        .via = "cli",
        .changes = &fixture->changes,
    };
    assert_true(record_build(&fixture->draft, &cluster, fixture->key, &fixture->whole));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    free((void *)(uintptr_t)fixture->whole.data);
    change_set_free(&fixture->changes);
    vv_free(&fixture->deps);
    sign_key_free(fixture->key);
    free(fixture);
    return 0;
}

/* The bytes are a promise to every node that ever stored a record. */
static void the_bytes_never_change(void **state)
{
    struct fixture *fixture = *state;
    static const char golden[] =
        "09887766554433221110012164000000000000002880a0f1c2b134320b09220000000000"
        "000010043a1e0a100d00000000000000000000000000000012080900000000000000184d"
        "40014a100e000000000000000000000000000000520a0a03616e6e1a03636c696001a201"
        "2b0a100b0000000000000000000000000000001005180022010132100c00000000000000"
        "0000000000000000a2012c0a100b0000000000000000000000000000001005180a220208"
        "0532100c000000000000000000000000000000";
    char hex[1024];
    bytes_to_hex((struct bytes){fixture->whole.data, fixture->whole.size - SIGNATURE_SIZE},
                 hex);
    assert_string_equal(hex, golden);
    uint8_t hash[HASH_SIZE];
    record_hash(fixture->whole, hash);
    bytes_to_hex((struct bytes){hash, 8}, hex);
    assert_string_equal(hex, "015998852b238a72");
}

static void a_record_reads_back(void **state)
{
    struct fixture *fixture = *state;
    struct record record;
    struct record_op op;
    struct dot dep;
    assert_true(record_parse(fixture->whole, &record));
    assert_true(record_verify(&record, &cluster, sign_key_public(fixture->key)));
    assert_true(record.stream == 0x1122334455667788 && record.seq == 1 && record.hlc == 0x64);
    assert_null(record.previous_hash);
    assert_true(record.incarnation == 77 && record.kind == RECORD_CONFIG);
    assert_memory_equal(record.author.data, "ann", 3);
    assert_true(record_next_dep(&record.deps, &dep));
    assert_true(dep.stream == 0x22 && dep.seq == 4);
    assert_false(record_next_dep(&record.deps, &dep));
    assert_int_equal(record.op_count, 2);
    assert_true(record_next_op(&record.ops, &op));
    assert_true(op.type == 5 && op.facet == FACET_LIFE && op.owner.bytes[0] == 0x0c);
    assert_true(record_next_op(&record.ops, &op));
    assert_true(op.facet == 10 && op.value.size == 2);
    assert_false(record_next_op(&record.ops, &op));
}

static void a_follower_names_its_predecessor(void **state)
{
    struct fixture *fixture = *state;
    struct bytes whole;
    struct record record;
    uint8_t hash[HASH_SIZE];
    record_hash(fixture->whole, hash);
    fixture->draft.seq = 2;
    fixture->draft.previous_hash = hash;
    assert_true(record_build(&fixture->draft, &cluster, fixture->key, &whole));
    assert_true(record_parse(whole, &record));
    assert_memory_equal(record.previous_hash, hash, HASH_SIZE);
    free((void *)(uintptr_t)whole.data);
}

static void a_signature_is_bound_to_cluster_key_and_every_byte(void **state)
{
    struct fixture *fixture = *state;
    static const struct uuid other_cluster = {{0xc2}};
    struct sign_key *other = sign_key_generate();
    struct record record;
    uint8_t *bytes = (uint8_t *)(uintptr_t)fixture->whole.data;
    assert_true(record_parse(fixture->whole, &record));
    assert_false(record_verify(&record, &other_cluster, sign_key_public(fixture->key)));
    assert_false(record_verify(&record, &cluster, sign_key_public(other)));
    for (size_t i = 0; i < fixture->whole.size; i++) {
        bytes[i] ^= 1;
        assert_false(record_parse(fixture->whole, &record) &&
                     record_verify(&record, &cluster, sign_key_public(fixture->key)));
        bytes[i] ^= 1;
    }
    sign_key_free(other);
}

static void a_cut_record_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct record record;
    for (size_t size = 0; size < fixture->whole.size; size++)
        assert_false(record_parse((struct bytes){fixture->whole.data, size}, &record) &&
                     record_verify(&record, &cluster, sign_key_public(fixture->key)));
}

static void a_change_larger_than_4_mib_is_no_record(void **state)
{
    struct fixture *fixture = *state;
    struct uuid object = {{1}}, none = {0};
    uint8_t *large = calloc(1, CHANGE_VALUE_MAXIMUM_SIZE);
    struct bytes whole;
    for (int i = 0; i < 65; i++)
        assert_true(change_set_add(&fixture->changes, &object, &none, 5, (uint16_t)(20 + i),
                                   (struct bytes){large, CHANGE_VALUE_MAXIMUM_SIZE}));
    assert_false(record_build(&fixture->draft, &cluster, fixture->key, &whole));
    free(large);
}

/* A minimal body in which one thing is wrong. */
static bool accepts_body(void (*spoil)(struct wire_writer *), uint32_t at)
{
    static const uint8_t zeros[SIGNATURE_SIZE], id[16] = {1};
    struct wire_writer writer = {0};
    struct record record;
    for (uint32_t number = 1; number <= 9; number++) {
        if (spoil && number == at) {
            spoil(&writer);
            continue;
        }
        if (number == 1 || number == 4)
            wire_put_fixed64(&writer, number, 5);
        else if (number == 3)
            wire_put_bytes(&writer, 3, (struct bytes){zeros, HASH_SIZE});
        else if (number == 2)
            wire_put_varint(&writer, 2, 2);
        else if (number == 5 || number == 8)
            wire_put_varint(&writer, number, 1);
        else if (number == 9)
            wire_put_bytes(&writer, 9, (struct bytes){id, 16});
    }
    wire_append(&writer, zeros, sizeof(zeros));
    bool accepted = record_parse(wire_written(&writer), &record);
    wire_writer_free(&writer);
    return accepted;
}

static void leave_out(struct wire_writer *writer)
{}

static void stream_zero(struct wire_writer *writer)
{
    wire_put_fixed64(writer, 1, 0);
}

static void first_with_predecessor(struct wire_writer *writer)
{
    wire_put_varint(writer, 2, 1);
}

static void short_hash(struct wire_writer *writer)
{
    wire_put_bytes(writer, 3, (struct bytes){(const uint8_t *)"short", 5});
}

static void kind_unknown(struct wire_writer *writer)
{
    wire_put_varint(writer, 8, 4);
}

static void wall_twice(struct wire_writer *writer)
{
    wire_put_varint(writer, 5, 1);
    wire_put_varint(writer, 5, 1);
}

static void dep_of_nothing(struct wire_writer *writer)
{
    wire_put_bytes(writer, 6, (struct bytes){0});
}

static void each_rule_of_the_form_is_checked(void **state)
{
    static const uint32_t mandatory[] = {1, 2, 3, 4, 5, 8, 9};
    assert_true(accepts_body(NULL, 0));
    for (size_t i = 0; i < ARRAY_LENGTH(mandatory); i++)
        assert_false(accepts_body(leave_out, mandatory[i]));
    assert_false(accepts_body(stream_zero, 1));
    assert_false(accepts_body(first_with_predecessor, 2));
    assert_false(accepts_body(short_hash, 3));
    assert_false(accepts_body(wall_twice, 5));
    assert_false(accepts_body(dep_of_nothing, 6));
    assert_false(accepts_body(kind_unknown, 8));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_bytes_never_change),
        TEST(a_record_reads_back),
        TEST(a_follower_names_its_predecessor),
        TEST(a_signature_is_bound_to_cluster_key_and_every_byte),
        TEST(a_cut_record_is_refused),
        TEST(a_change_larger_than_4_mib_is_no_record),
        cmocka_unit_test(each_rule_of_the_form_is_checked),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
