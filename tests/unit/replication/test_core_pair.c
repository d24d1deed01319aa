/* Two nodes that are all of a cluster, and take each other out without having heard of it. */
#include "tests/unit/replication/snapshot_pair.h"

static void take_out(struct fixture *fixture, int number, int whom, bool compromised)
{
    step(fixture, number,
         &(struct core_event){
             .kind = CORE_REMOVE_NODE,
             .node = fixture->nodes[whom].id,
             .compromised = compromised,
             .submit = {.change_id = {{0xc2, ++fixture->changes}}, .kind = RECORD_ROSTER}});
    step(fixture, number, &(struct core_event){.kind = CORE_STAGE});
}

/* Nothing of it reaches the other node. */
static void take_out_unheard(struct fixture *fixture, int number, int whom, bool compromised)
{
    struct core *other = fixture->nodes[whom].core;
    fixture->nodes[whom].core = NULL;
    take_out(fixture, number, whom, compromised);
    fixture->nodes[whom].core = other;
}

static enum node_status status_of(const struct fixture *fixture, int number, int whom)
{
    return roster_find(core_roster(fixture->nodes[number].core), &fixture->nodes[whom].id)
        ->status;
}

/* What the session that ends brings: OTHER says that the node was removed. */
static void notify(struct fixture *fixture, int number, int other)
{
    const struct uuid *id = &fixture->nodes[number].id;
    step(fixture, number,
         &(struct core_event){.kind = CORE_FRAME,
                              .node = fixture->nodes[other].id,
                              .frame_type = FRAME_ROSTER_NOTICE,
                              .body = {id->bytes, sizeof(id->bytes)}});
}

static void assert_alone(struct fixture *fixture, int number, int other)
{
    const struct core *core = fixture->nodes[number].core;
    size_t count;
    assert_false(core->removed);
    assert_int_equal(status_of(fixture, number, number), NODE_ACTIVE);
    assert_int_not_equal(status_of(fixture, number, other), NODE_ACTIVE);
    write_value(fixture, number, 1, (uint8_t)(40 + number));
    assert_int_equal(fixture->nodes[number].answer.error.kind, ERROR_NONE);
    assert_int_equal(value_of(fixture, number, 1, &count), 40 + number);
    assert_int_equal(count, 1);
}

static void assert_each_goes_on_alone(struct fixture *fixture, bool compromised)
{
    take_out(fixture, GIVER, SILENT, false);
    meet(fixture);
    assert_same_state(fixture);
    take_out_unheard(fixture, GIVER, TAKER, compromised);
    take_out_unheard(fixture, TAKER, GIVER, compromised);
    for (int i = 0; i < 3; i++) {
        meet(fixture);
        notify(fixture, GIVER, TAKER);
        notify(fixture, TAKER, GIVER);
        assert_alone(fixture, GIVER, TAKER);
        assert_alone(fixture, TAKER, GIVER);
    }
}

/* Each holds the other for removed, and so believes no notice of it. */
static void two_nodes_of_a_pair_that_remove_each_other_go_on_alone(void **state)
{
    assert_each_goes_on_alone(*state, false);
}

static void two_nodes_of_a_pair_that_revoke_each_other_go_on_alone(void **state)
{
    assert_each_goes_on_alone(*state, true);
}

static void who_is_removed_and_did_not_remove_is_told(void **state)
{
    struct fixture *fixture = *state;
    take_out(fixture, GIVER, SILENT, false);
    meet(fixture);
    take_out_unheard(fixture, GIVER, TAKER, false);
    meet(fixture);
    assert_true(fixture->nodes[TAKER].core->removed);
    assert_false(fixture->nodes[GIVER].core->removed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(two_nodes_of_a_pair_that_remove_each_other_go_on_alone),
        TEST(two_nodes_of_a_pair_that_revoke_each_other_go_on_alone),
        TEST(who_is_removed_and_did_not_remove_is_told),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
