#include "tests/unit/replication/key_world.h"

#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

/* Node BY makes a key at MADE_MS and grants it to all. */
static void
rotate(struct key_world *world, size_t by, enum key_purpose purpose, uint64_t made_ms)
{
    struct change_set changes = {0};
    assert_true(keyring_plan_new(world->rings[by], purpose, world->roster, made_ms, &changes));
    key_world_apply(world, 0, &changes);
}

static const struct keyring_key *
keys_of(struct key_world *world, size_t index, enum key_purpose purpose, size_t *count)
{
    return keyring_keys(world->rings[index], purpose, count);
}

static void all_active_nodes_open_a_new_key(void **state)
{
    struct key_world *world = *state;
    size_t count;
    rotate(world, 0, KEY_CLUSTER_SECRET, 1000);
    for (size_t i = 0; i < 3; i++)
        assert_true(key_world_update(world, i));
    const struct keyring_key *first = keys_of(world, 0, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 1);
    for (size_t i = 1; i < 3; i++) {
        const struct keyring_key *key = keys_of(world, i, KEY_CLUSTER_SECRET, &count);
        assert_int_equal(count, 1);
        assert_memory_equal(key->secret, first->secret, KEY_SIZE);
        assert_true(uuid_equal(&key->id, &first->id));
        assert_true(key->created_ms == 1000);
        keys_of(world, i, KEY_DATA, &count);
        assert_int_equal(count, 0);
    }
    assert_false(key_world_update(world, 0)); /* nothing is new */
}

static void a_removed_node_gets_no_new_key(void **state)
{
    struct key_world *world = *state;
    size_t count;
    world->roster->nodes[2].status = NODE_REMOVED;
    rotate(world, 0, KEY_CLUSTER_SECRET, 1000);
    assert_true(key_world_update(world, 1));
    assert_false(key_world_update(world, 2));
    keys_of(world, 2, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 0);
}

static void a_grant_of_another_node_is_not_opened(void **state)
{
    struct key_world *world = *state;
    const struct uuid first = key_world_id(0);
    size_t count;
    rotate(world, 0, KEY_CLUSTER_SECRET, 1000);
    /* Node 1 with its own key, looking for what node 0 was given. */
    assert_false(keyring_update(world->rings[1], &world->table, &first));
    keys_of(world, 1, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 0);
}

static void who_is_admitted_later_gets_every_living_key(void **state)
{
    struct key_world *world = *state;
    const struct uuid late = key_world_id(2);
    struct change_set changes = {0};
    size_t count;
    world->roster->nodes[2].status = NODE_REMOVED;
    rotate(world, 0, KEY_CLUSTER_SECRET, 1000);
    rotate(world, 0, KEY_CLUSTER_SECRET, 1001);
    rotate(world, 0, KEY_DATA, 1000);
    key_world_update(world, 0);
    const uint8_t *public_key = sign_key_public(world->keys[2]);
    assert_true(
        keyring_plan_grants(world->rings[0], &world->table, &late, public_key, &changes));
    key_world_apply(world, 0, &changes);
    assert_true(key_world_update(world, 2));
    keys_of(world, 2, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 2);
    keys_of(world, 2, KEY_DATA, &count);
    assert_int_equal(count, 1);
    /* Once more, and nothing is left to grant. */
    assert_true(
        keyring_plan_grants(world->rings[0], &world->table, &late, public_key, &changes));
    assert_int_equal(changes.count, 0);
}

/* The record that admits a node grants all before any of it is in the state. */
static void grants_are_planned_without_a_state(void **state)
{
    struct key_world *world = *state;
    const struct uuid late = key_world_id(2);
    struct change_set changes = {0};
    rotate(world, 0, KEY_CLUSTER_SECRET, 1000);
    key_world_update(world, 0);
    assert_true(keyring_plan_grants(world->rings[0], NULL, &late,
                                    sign_key_public(world->keys[2]), &changes));
    assert_int_equal(changes.count, 2); /* its life, and what it says */
    assert_true(uuid_equal(&changes.ops[0].owner, &late));
    assert_int_equal(changes.ops[0].type, RESOURCE_KEY_GRANT);
    change_set_free(&changes);
}

static void the_newest_comes_first_and_what_is_everywhere_is_used(void **state)
{
    struct key_world *world = *state;
    size_t count;
    for (uint64_t i = 0; i < 3; i++)
        rotate(world, i, KEY_CLUSTER_SECRET, 1000 + i);
    key_world_update(world, 0);
    const struct keyring_key *keys = keys_of(world, 0, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_true(keys[i].created_ms == 1002 - i);
    /* Nobody said anything yet: the oldest has had the most time. */
    assert_ptr_equal(keyring_in_use(world->rings[0], KEY_CLUSTER_SECRET), &keys[2]);
    assert_true(keyring_set_everywhere(world->rings[0], KEY_CLUSTER_SECRET, &keys[1].id, true));
    assert_false(
        keyring_set_everywhere(world->rings[0], KEY_CLUSTER_SECRET, &keys[1].id, true));
    assert_ptr_equal(keyring_in_use(world->rings[0], KEY_CLUSTER_SECRET), &keys[1]);
    key_world_update(world, 0); /* and it stays so */
    assert_true(keyring_in_use(world->rings[0], KEY_CLUSTER_SECRET)->created_ms == 1001);
}

static void of_many_the_one_in_use_is_among_those_that_are_named(void **state)
{
    struct key_world *world = *state;
    size_t count;
    struct uuid oldest;
    for (uint64_t i = 0; i < 6; i++) {
        rotate(world, 0, KEY_DATA, 1000 + i);
        key_world_update(world, 0);
        if (i == 0)
            oldest = keys_of(world, 0, KEY_DATA, &count)[0].id;
    }
    const struct keyring_key *keys = keys_of(world, 0, KEY_DATA, &count);
    assert_int_equal(count, KEYRING_MAXIMUM);
    assert_false(uuid_equal(&keys[2].id, &oldest));
    assert_non_null(keyring_find(world->rings[0], KEY_DATA, &oldest));
    keyring_set_everywhere(world->rings[0], KEY_DATA, &oldest, true);
    keys = keys_of(world, 0, KEY_DATA, &count);
    assert_true(uuid_equal(&keys[2].id, &oldest));
    assert_true(keys[0].created_ms == 1005 && keys[1].created_ms == 1004);
    assert_true(key_world_update(world, 0) == false);
}

static void more_than_are_kept_do_no_harm(void **state)
{
    struct key_world *world = *state;
    size_t count;
    for (uint64_t i = 0; i < 3 * KEYRING_KEPT; i++)
        rotate(world, 0, KEY_DATA, 1000 + i);
    key_world_update(world, 0);
    const struct keyring_key *keys = keys_of(world, 0, KEY_DATA, &count);
    assert_int_equal(count, KEYRING_MAXIMUM);
    assert_true(keys[0].created_ms == 1000 + 3 * KEYRING_KEPT - 1);
}

static void no_two_keys_of_one_maker_have_the_same_version(void **state)
{
    struct key_world *world = *state;
    size_t count;
    for (uint64_t i = 0; i < 3; i++) {
        rotate(world, 0, KEY_DATA, 1000 + i);
        key_world_update(world, 0);
    }
    const struct keyring_key *keys = keys_of(world, 0, KEY_DATA, &count);
    assert_int_not_equal(keyring_version(&keys[0]), keyring_version(&keys[1]));
    assert_int_not_equal(keyring_version(&keys[1]), keyring_version(&keys[2]));
    assert_int_equal(keyring_version(&keys[0]), keys[0].id.bytes[0] << 8 | keys[0].id.bytes[1]);
}

static void a_deleted_grant_is_a_key_less(void **state)
{
    struct key_world *world = *state;
    struct grant_list grants = {0};
    struct change_set changes = {0};
    size_t count;
    rotate(world, 0, KEY_CLUSTER_SECRET, 1000);
    key_world_update(world, 0);
    grant_list_read(&world->table, &grants);
    assert_int_equal(grants.count, 3);
    for (size_t i = 0; i < grants.count; i++)
        grant_plan_delete(&grants.grants[i], &changes);
    key_world_apply(world, 0, &changes);
    assert_true(key_world_update(world, 0));
    keys_of(world, 0, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 0);
    grant_list_free(&grants);
}

/* What a grant may not say, by what is put in its place. */
static void malformed_grants_are_ignored(void **state)
{
    struct key_world *world = *state;
    struct change_set changes = {0}, broken;
    size_t count;
    assert_true(
        keyring_plan_new(world->rings[0], KEY_CLUSTER_SECRET, world->roster, 1, &changes));
    assert_int_equal(changes.count, 6);
    for (size_t cut = 0; cut < changes.ops[1].value_size; cut++) {
        broken = (struct change_set){0};
        for (size_t i = 0; i < 2; i++) {
            const struct change_op *op = &changes.ops[i];
            change_set_add(&broken, &op->object_id, &op->owner, op->type, op->facet,
                           (struct bytes){op->value, i == 1 ? cut : op->value_size});
        }
        key_world_apply(world, 0, &broken);
        key_world_update(world, 0);
        keys_of(world, 0, KEY_CLUSTER_SECRET, &count);
        assert_int_equal(count, 0);
    }
    change_set_free(&changes);
}

/* The name is the key's hash: a box that holds another one is not believed. */
static void a_key_under_a_foreign_name_is_ignored(void **state)
{
    struct key_world *world = *state;
    struct change_set changes = {0};
    size_t count;
    assert_true(
        keyring_plan_new(world->rings[0], KEY_CLUSTER_SECRET, world->roster, 1, &changes));
    changes.ops[1].value[2] ^= 1; /* the first byte of field 1, the name */
    key_world_apply(world, 0, &changes);
    key_world_update(world, 0);
    keys_of(world, 0, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 0);
    key_world_update(world, 1);
    keys_of(world, 1, KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 1);
}

#define WORLD_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, key_world_set_up, key_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(all_active_nodes_open_a_new_key),
        WORLD_TEST(a_removed_node_gets_no_new_key),
        WORLD_TEST(a_grant_of_another_node_is_not_opened),
        WORLD_TEST(who_is_admitted_later_gets_every_living_key),
        WORLD_TEST(grants_are_planned_without_a_state),
        WORLD_TEST(the_newest_comes_first_and_what_is_everywhere_is_used),
        WORLD_TEST(of_many_the_one_in_use_is_among_those_that_are_named),
        WORLD_TEST(more_than_are_kept_do_no_harm),
        WORLD_TEST(no_two_keys_of_one_maker_have_the_same_version),
        WORLD_TEST(a_deleted_grant_is_a_key_less),
        WORLD_TEST(malformed_grants_are_ignored),
        WORLD_TEST(a_key_under_a_foreign_name_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
