#include "tests/unit/replication/key_world.h"

#include "tests/support/test.h"

#include <string.h>

static const uint64_t day_ms = 86400 * 1000ull;

static size_t count_grants(const struct key_world *world, size_t node)
{
    const struct uuid id = key_world_id(node);
    size_t count = 0;
    for (size_t i = 0; i < world->grants.count; i++)
        count += uuid_equal(&world->grants.grants[i].node_id, &id);
    return count;
}

/* All that are up open the same keys of the purpose; returns how many. */
static size_t assert_same_keys(struct key_world *world, enum key_purpose purpose)
{
    size_t first = 0, count = 0;
    const struct keyring_key *keys = NULL;
    for (size_t i = 0; i < KEY_WORLD_NODES; i++) {
        if (world->is_down[i] || world->roster->nodes[i].status != NODE_ACTIVE)
            continue;
        key_world_update(world, i);
        const struct keyring_key *own = keyring_keys(world->rings[i], purpose, &count);
        if (keys) {
            assert_int_equal(count, first);
            for (size_t k = 0; k < count; k++)
                assert_memory_equal(own[k].secret, keys[k].secret, KEY_SIZE);
        }
        keys = own;
        first = count;
    }
    return count;
}

static void rotate(struct key_world *world, size_t by, enum key_purpose purpose)
{
    const struct key_view view = key_world_view(world, by);
    struct change_set changes = {0};
    key_world_update(world, by);
    assert_true(keyring_plan_new(world->rings[by], purpose, world->roster,
                                 key_plan_created_ms(&view, purpose), &changes));
    key_world_apply(world, by, &changes);
}

/* ---- tests ------------------------------------------------------------------------------ */

/* How many are to act before the node. */
static unsigned rank_of(struct key_world *world, size_t index)
{
    const struct key_view view = key_world_view(world, index);
    struct key_step step;
    key_plan_next(&view, KEY_DATA, &step);
    assert_int_equal(step.kind, KEY_STEP_CREATE);
    return step.rank;
}

static void a_cluster_without_keys_gets_its_first_ones(void **state)
{
    struct key_world *world = *state;
    assert_int_equal(rank_of(world, 0), 0);
    assert_int_equal(rank_of(world, 1), 1);
    assert_int_equal(rank_of(world, 2), 2);
    assert_int_equal(key_world_settle(world), 1); /* of each purpose at once */
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
    assert_int_equal(assert_same_keys(world, KEY_DATA), 1);
    assert_int_equal(world->grants.count, 6);
}

static void the_first_node_that_answers_makes_them(void **state)
{
    struct key_world *world = *state;
    world->is_down[0] = true;
    key_world_settle(world);
    world->is_down[0] = false;
    world->durable[0] = world->seq;
    for (size_t i = 0; i < world->grants.count; i++)
        assert_int_equal(world->grants.grants[i].author.bytes[0], 2);
    assert_int_equal(key_world_settle(world), 0);
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
}

/* In a cluster that is upgraded node by node. */
static void nobody_waits_for_a_node_of_an_earlier_version(void **state)
{
    struct key_world *world = *state;
    key_world_set_protocol(world, 1, 2);
    key_world_set_protocol(world, 2, 2);
    assert_int_equal(rank_of(world, 1), 0);
    assert_int_equal(rank_of(world, 2), 1);
    key_world_settle(world);
    assert_int_equal(count_grants(world, 0), 2); /* it has them for the day when it can */
}

static void two_that_make_them_at_once_do_no_harm(void **state)
{
    struct key_world *world = *state;
    rotate(world, 0, KEY_CLUSTER_SECRET);
    rotate(world, 1, KEY_CLUSTER_SECRET); /* it had not seen the other's */
    assert_int_equal(key_world_living(world, KEY_CLUSTER_SECRET).count, 2);
    key_world_settle(world);
    assert_int_equal(key_world_living(world, KEY_CLUSTER_SECRET).count, 1);
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
}

static void a_new_key_is_used_when_all_have_it_and_the_old_one_goes(void **state)
{
    struct key_world *world = *state;
    key_world_settle(world);
    const struct living_keys before = key_world_living(world, KEY_CLUSTER_SECRET);
    world->is_down[2] = true;
    rotate(world, 0, KEY_CLUSTER_SECRET);
    key_world_settle(world);
    struct living_keys living = key_world_living(world, KEY_CLUSTER_SECRET);
    assert_int_equal(living.count, 2);
    assert_false(living.keys[0].everywhere);
    assert_string_equal(living.keys[0].lacks->name, "lb3");
    const struct living_key *used = living_keys_in_use(&living);
    assert_true(uuid_equal(&used->id, &before.keys[0].id));
    world->is_down[2] = false; /* and it takes what it missed */
    world->durable[2] = world->seq;
    key_world_settle(world);
    living = key_world_living(world, KEY_CLUSTER_SECRET);
    assert_int_equal(living.count, 1);
    assert_false(uuid_equal(&living.keys[0].id, &before.keys[0].id));
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
}

static void no_more_than_three_are_made_and_the_refusal_tells_who_is_missing(void **state)
{
    struct key_world *world = *state;
    struct error error = {0};
    key_world_settle(world);
    world->is_down[1] = true;
    rotate(world, 0, KEY_CLUSTER_SECRET);
    rotate(world, 0, KEY_CLUSTER_SECRET);
    const struct key_view view = key_world_view(world, 0);
    assert_false(key_plan_may_rotate(&view, KEY_CLUSTER_SECRET, &error));
    assert_int_equal(error.kind, ERROR_CONFLICT);
    assert_non_null(strstr(error.text, "node lb2 does not have the last one yet"));
    assert_true(key_plan_may_rotate(&view, KEY_DATA, &error));
    world->now_ms += 1000 * day_ms;
    key_world_settle(world);
    assert_int_equal(key_world_living(world, KEY_CLUSTER_SECRET).count, 3);
    world->is_down[1] = false;
    world->durable[1] = world->seq;
    key_world_settle(world);
    assert_int_equal(key_world_living(world, KEY_CLUSTER_SECRET).count, 1);
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
}

static void each_90_days_there_is_a_new_one(void **state)
{
    struct key_world *world = *state;
    key_world_settle(world);
    const struct living_keys before = key_world_living(world, KEY_CLUSTER_SECRET);
    world->now_ms += 89 * day_ms;
    assert_int_equal(key_world_settle(world), 0);
    world->now_ms += day_ms;
    assert_int_equal(key_world_settle(world), 2); /* made, and the old one deleted, of each */
    const struct living_keys after = key_world_living(world, KEY_CLUSTER_SECRET);
    assert_int_equal(after.count, 1);
    assert_false(uuid_equal(&after.keys[0].id, &before.keys[0].id));
    assert_int_equal(key_world_settle(world), 0);
}

static void who_is_removed_takes_the_secret_of_the_cluster_along(void **state)
{
    struct key_world *world = *state;
    key_world_settle(world);
    const struct living_keys secrets = key_world_living(world, KEY_CLUSTER_SECRET),
                             data = key_world_living(world, KEY_DATA);
    world->now_ms += 1000;
    key_world_make_node(world, 2, NODE_REMOVED);
    assert_non_null(key_world_living(world, KEY_CLUSTER_SECRET).keys[0].stained);
    key_world_settle(world);
    struct living_keys living = key_world_living(world, KEY_CLUSTER_SECRET);
    assert_int_equal(living.count, 1);
    assert_false(uuid_equal(&living.keys[0].id, &secrets.keys[0].id));
    living = key_world_living(world, KEY_DATA);
    assert_int_equal(living.count, 1);
    assert_true(uuid_equal(&living.keys[0].id, &data.keys[0].id));
    assert_int_equal(count_grants(world, 2), 0);
    key_world_update(world, 2);
    size_t count;
    keyring_keys(world->rings[2], KEY_CLUSTER_SECRET, &count);
    assert_int_equal(count, 0);
}

static void who_is_revoked_takes_the_data_key_along(void **state)
{
    struct key_world *world = *state;
    key_world_settle(world);
    const struct living_keys data = key_world_living(world, KEY_DATA);
    world->sealed_with = data.keys[0].id;
    world->now_ms += 1000;
    key_world_make_node(world, 2, NODE_REVOKED);
    key_world_settle(world);
    const struct living_keys living = key_world_living(world, KEY_DATA);
    assert_int_equal(living.count, 1);
    assert_false(uuid_equal(&living.keys[0].id, &data.keys[0].id));
    assert_true(uuid_equal(&world->sealed_with, &living.keys[0].id)); /* sealed anew first */
    assert_int_equal(count_grants(world, 2), 0);
}

/* First removed, then found out to be somebody else's. */
static void a_later_revocation_counts_as_well(void **state)
{
    struct key_world *world = *state;
    key_world_settle(world);
    const struct living_keys data = key_world_living(world, KEY_DATA);
    key_world_make_node(world, 2, NODE_REMOVED);
    key_world_settle(world);
    assert_int_equal(count_grants(world, 2), 0);
    world->now_ms += 1000;
    key_world_make_node(world, 2, NODE_REVOKED);
    key_world_settle(world);
    const struct living_keys living = key_world_living(world, KEY_DATA);
    assert_false(uuid_equal(&living.keys[0].id, &data.keys[0].id));
}

/* Made by somebody who did not know of the removal, so the removed node has it. */
static void a_key_that_a_removed_node_was_given_is_replaced(void **state)
{
    struct key_world *world = *state;
    key_world_settle(world);
    rotate(world, 1, KEY_CLUSTER_SECRET);
    const struct living_keys before = key_world_living(world, KEY_CLUSTER_SECRET);
    world->now_ms = 999000; /* and its clock was ahead */
    key_world_make_node(world, 2, NODE_REMOVED);
    world->now_ms = 1100000;
    assert_true(before.keys[0].created_ms > 999000);
    key_world_settle(world);
    const struct living_keys after = key_world_living(world, KEY_CLUSTER_SECRET);
    assert_int_equal(after.count, 1);
    assert_true(after.keys[0].created_ms > before.keys[0].created_ms);
    assert_null(after.keys[0].stained);
    assert_int_equal(count_grants(world, 2), 0);
}

/* Node 2, before it is found out, fills the state with grants that nobody can open. */
static void who_is_revoked_cannot_block_the_next_key(void **state)
{
    struct key_world *world = *state;
    const struct uuid first = key_world_id(0);
    struct change_set changes = {0};
    key_world_settle(world);
    const struct living_keys before = key_world_living(world, KEY_CLUSTER_SECRET);
    for (uint8_t i = 0; i < 3 * KEYS_LISTED; i++) {
        const uint8_t secret[KEY_SIZE] = {i};
        const struct grant_wish wish = {
            .created_ms = world->now_ms + 900,
            .secret = secret,
            .node_id = &first,
            .public_key = sign_key_public(world->keys[0]),
            .granter = sign_key_public(world->keys[2]),
        };
        assert_true(grant_plan(&wish, &changes));
        struct change_op *said = &changes.ops[changes.count - 1];
        said->value[2] ^= 1; /* the name is not that of the key in the box */
    }
    key_world_apply(world, 2, &changes);
    key_world_make_node(world, 2, NODE_REVOKED);
    key_world_settle(world);
    const struct living_keys after = key_world_living(world, KEY_CLUSTER_SECRET);
    assert_int_equal(after.count, 1);
    assert_false(uuid_equal(&after.keys[0].id, &before.keys[0].id));
    assert_null(after.keys[0].stained);
    assert_int_equal(world->grants.count, 4);
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
}

/* A key that says it is newer than any that will ever be made. */
static void a_key_from_the_future_does_not_outlive_its_maker(void **state)
{
    struct key_world *world = *state;
    struct change_set changes = {0};
    key_world_settle(world);
    assert_true(keyring_plan_new(world->rings[2], KEY_DATA, world->roster,
                                 GRANT_CREATED_MAXIMUM_MS, &changes));
    key_world_apply(world, 2, &changes);
    key_world_settle(world);
    const struct living_keys before = key_world_living(world, KEY_DATA);
    assert_int_equal(before.count, 1);
    assert_true(before.keys[0].created_ms == GRANT_CREATED_MAXIMUM_MS);
    world->sealed_with = before.keys[0].id;
    key_world_make_node(world, 2, NODE_REVOKED);
    key_world_settle(world);
    for (int i = 0; i < 2; i++) {
        const struct living_keys after = key_world_living(world, KEY_DATA);
        assert_int_equal(after.count, 1);
        assert_true(after.keys[0].created_ms <= world->now_ms);
        assert_true(uuid_equal(&world->sealed_with, &after.keys[0].id));
        rotate(world, 0, KEY_DATA);
        key_world_settle(world);
    }
}

static void a_node_without_a_key_that_the_others_have_is_given_it(void **state)
{
    struct key_world *world = *state;
    world->roster->nodes[2].status = NODE_REMOVED;
    rotate(world, 0, KEY_CLUSTER_SECRET); /* on a side of a cut that did not know it */
    assert_int_equal(world->roster->nodes[2].status, NODE_ACTIVE);
    assert_int_equal(count_grants(world, 2), 0);
    assert_false(key_world_living(world, KEY_CLUSTER_SECRET).keys[0].everywhere);
    key_world_settle(world);
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
    assert_true(key_world_living(world, KEY_CLUSTER_SECRET).keys[0].everywhere);
}

/* What it could open with its old key alone is worth nothing to it. */
static void a_node_with_a_new_key_is_granted_anew(void **state)
{
    struct key_world *world = *state;
    key_world_settle(world);
    sign_key_free(world->keys[1]);
    keyring_free(world->rings[1]);
    world->keys[1] = NULL;
    key_world_make_node(world, 1, NODE_ACTIVE);
    key_world_settle(world);
    assert_int_equal(count_grants(world, 1), 2);
    assert_int_equal(assert_same_keys(world, KEY_CLUSTER_SECRET), 1);
    assert_int_equal(assert_same_keys(world, KEY_DATA), 1);
}

/* The record that admits a node grants the keys: whoever speaks as that node has them. */
static void a_node_that_was_admitted_just_now_holds_nothing_up(void **state)
{
    struct key_world *world = *state;
    struct change_set changes = {0};
    key_world_settle(world);
    key_world_make_node(world, 2, NODE_REMOVED);
    key_world_settle(world);
    world->is_down[2] = true; /* it has not been heard yet */
    world->durable[2] = 0;
    key_world_update(world, 0);
    const struct uuid id = key_world_id(2);
    assert_true(keyring_plan_grants(world->rings[0], &world->table, &id,
                                    sign_key_public(world->keys[2]), &changes));
    key_world_apply(world, 0, &changes);
    world->seq--; /* the same record */
    key_world_make_node(world, 2, NODE_ACTIVE);
    assert_true(key_world_living(world, KEY_CLUSTER_SECRET).keys[0].everywhere);
}

#define WORLD_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, key_world_set_up, key_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_cluster_without_keys_gets_its_first_ones),
        WORLD_TEST(the_first_node_that_answers_makes_them),
        WORLD_TEST(nobody_waits_for_a_node_of_an_earlier_version),
        WORLD_TEST(two_that_make_them_at_once_do_no_harm),
        WORLD_TEST(a_new_key_is_used_when_all_have_it_and_the_old_one_goes),
        WORLD_TEST(no_more_than_three_are_made_and_the_refusal_tells_who_is_missing),
        WORLD_TEST(each_90_days_there_is_a_new_one),
        WORLD_TEST(who_is_removed_takes_the_secret_of_the_cluster_along),
        WORLD_TEST(who_is_revoked_takes_the_data_key_along),
        WORLD_TEST(a_later_revocation_counts_as_well),
        WORLD_TEST(a_key_that_a_removed_node_was_given_is_replaced),
        WORLD_TEST(who_is_revoked_cannot_block_the_next_key),
        WORLD_TEST(a_key_from_the_future_does_not_outlive_its_maker),
        WORLD_TEST(a_node_without_a_key_that_the_others_have_is_given_it),
        WORLD_TEST(a_node_with_a_new_key_is_granted_anew),
        WORLD_TEST(a_node_that_was_admitted_just_now_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
