/* The recovery code makes a node that was removed the first one of its cluster again, whenever
 * the power fails meanwhile. */
#include "replication/database.h"
#include "replication/keyring.h"
#include "replication/node_key.h"
#include "replication/recovery.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"
#include "tests/unit/replication/store_node.h"

#include "lbnode/model/field_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct uuid thing = {{0x0b}}, none = {{0}}, friend_id = {{0x77}};

static void submit_set(struct store_node *node, const struct change_set *changes)
{
    struct submit_options options = {.author = "ann", .via = "cli"};
    replication_submit(node->replication, changes, &options, store_node_on_submitted, node);
    store_node_wait(node);
    assert_string_equal(node->result.error.text, "");
}

static int value_on(const struct store_node *node)
{
    const struct object *object = facet_object(core_facets(node->replication->core), &thing);
    const struct facet_entry *entry = object ? facet_winner(facet_of(object, 10)) : NULL;
    return entry ? entry->value[0] : -1;
}

static void write_value(struct store_node *node, uint8_t value)
{
    struct change_set changes = {0};
    uint8_t alive = 1;
    if (value_on(node) < 0)
        change_set_add(&changes, &thing, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    change_set_add(&changes, &thing, &none, 5, 10, (struct bytes){&value, 1});
    submit_set(node, &changes);
    change_set_free(&changes);
}

/* Another node of the cluster, which does not exist. */
static void add_friend(struct store_node *node)
{
    struct change_set changes = {0};
    struct text_list addresses = {0};
    struct sign_key *key = sign_key_generate();
    text_list_add(&addresses, "127.0.0.2:7850", 14);
    const struct node_facts facts = {.id = friend_id,
                                     .name = "lb2",
                                     .public_key = sign_key_public(key),
                                     .addresses = &addresses};
    assert_true(membership_plan_node(NULL, &facts, &changes));
    submit_set(node, &changes);
    change_set_free(&changes);
    text_list_free(&addresses);
    sign_key_free(key);
}

static struct uuid id_of(const struct store_node *node)
{
    return *replication_node_id(node->replication);
}

static enum node_status status_of(const struct store_node *node, const struct uuid *id)
{
    return roster_find(core_roster(node->replication->core), id)->status;
}

/* A node that wrote something, was told that it was removed, and is stopped. */
static int set_up(void **state)
{
    struct store_node *node = store_node_new();
    write_value(node, 7);
    removal_note(node->replication);
    store_node_close(node);
    *state = node;
    return 0;
}

static int tear_down(void **state)
{
    store_node_free(*state);
    return 0;
}

static void expect_refused(const struct store_node *node, bool force, const char *words)
{
    struct error error = {0};
    struct recovery *recovery = recovery_open(node->directory, force, &error);
    assert_null(recovery);
    if (!strstr(error.text, words))
        fail_msg("'%s' does not say '%s'", error.text, words);
}

static struct recovery_report recover(const struct store_node *node, bool force)
{
    struct error error = {0};
    struct recovery_report report = {0};
    struct recovery *recovery = recovery_open(node->directory, force, &error);
    struct sign_key *root = recovery ? recovery_read_code(recovery, node->code, &error) : NULL;
    if (!root || !recovery_make(recovery, root, &report, &error))
        fail_msg("%s", error.text);
    sign_key_free(root);
    recovery_close(recovery);
    return report;
}

static void run(const struct store_node *node, const char *command)
{
    char line[400];
    snprintf(line, sizeof(line), "cd %s && %s", node->directory, command);
    assert_int_equal(system(line), 0);
}

static void a_removed_node_goes_on_as_a_new_one_with_what_it_had(void **state)
{
    struct store_node *node = *state;
    store_node_open(node);
    const struct uuid before = id_of(node);
    assert_true(replication_was_removed(node->replication));
    store_node_close(node);
    struct recovery_report report = recover(node, false);
    assert_string_equal(report.node_name, "lb1");
    assert_string_equal(report.cluster_name, "test");
    assert_int_equal(report.removed, 1);
    assert_true(report.has_keys);
    store_node_open(node);
    const struct uuid after = id_of(node);
    assert_false(uuid_equal(&before, &after));
    assert_false(replication_was_removed(node->replication));
    assert_int_equal(status_of(node, &before), NODE_REMOVED);
    assert_int_equal(status_of(node, &after), NODE_ACTIVE);
    assert_int_equal(value_on(node), 7);
    write_value(node, 8);
    assert_int_equal(value_on(node), 8);
}

static void what_the_old_key_opened_the_new_one_opens(void **state)
{
    struct store_node *node = *state;
    struct uuid names[2];
    size_t count;
    for (int i = 0; i < 2; i++) {
        store_node_open(node);
        const struct keyring_key *keys =
            keyring_keys(node->replication->keyring, KEY_DATA, &count);
        assert_true(count > 0);
        names[i] = keys[count - 1].id;
        store_node_close(node);
        if (i == 0)
            recover(node, false);
    }
    assert_memory_equal(&names[0], &names[1], sizeof(names[0]));
}

static void the_store_verifies_afterwards_and_can_be_derived_anew(void **state)
{
    struct store_node *node = *state;
    struct database_report report = {0}, again = {0};
    struct error error = {0};
    recover(node, false);
    assert_true(database_verify(node->directory, &report, &error));
    assert_string_equal(report.first_bad, "");
    assert_int_equal(report.applied, report.records);
    assert_true(database_rebuild(node->directory, &again, &error));
    assert_string_equal(again.state_hash, report.state_hash);
}

static void a_wrong_code_changes_nothing(void **state)
{
    struct store_node *node = *state, *other = store_node_new();
    struct error error = {0};
    char code[RECOVERY_CODE_SIZE];
    struct recovery *recovery = recovery_open(node->directory, false, &error);
    assert_non_null(recovery);
    snprintf(code, sizeof(code), "%s", node->code);
    code[0] = code[0] == 'A' ? 'B' : 'A';
    assert_null(recovery_read_code(recovery, code, &error));
    assert_non_null(strstr(error.text, "not a complete recovery code"));
    assert_null(recovery_read_code(recovery, "", &error));
    assert_null(recovery_read_code(recovery, other->code, &error));
    assert_non_null(strstr(error.text, "of another cluster"));
    recovery_close(recovery);
    store_node_free(other);
    run(node, "test ! -e node.key.new");
    store_node_open(node);
    assert_true(replication_was_removed(node->replication));
}

static void a_node_that_was_not_removed_needs_no_recovery(void **state)
{
    struct store_node *node = *state;
    recover(node, false);
    expect_refused(node, false, "was not removed");
    expect_refused(node, true, "was not removed");
}

static void a_node_in_no_cluster_has_nothing_to_recover(void **state)
{
    struct store_node *node = *state;
    struct error error = {0};
    run(node, "rm -r *");
    assert_null(recovery_open(node->directory, true, &error));
    assert_int_equal(error.kind, ERROR_NOT_FOUND);
    store_node_open(node);
    store_node_close(node);
    expect_refused(node, true, "in no cluster");
}

static void who_knows_other_members_has_to_insist(void **state)
{
    struct store_node *node = *state;
    run(node, "rm -r *");
    store_node_open(node);
    assert_true(replication_init(node->replication, "test", node->code, store_node_on_done,
                                 node, NULL));
    store_node_wait(node);
    add_friend(node);
    removal_note(node->replication);
    store_node_close(node);
    expect_refused(node, false, "lb2 is still a member");
    assert_int_equal(recover(node, true).removed, 2);
    store_node_open(node);
    assert_int_equal(status_of(node, &friend_id), NODE_REMOVED);
}

/* ---- the power fails -------------------------------------------------------------------- */

static void before_the_record_it_is_the_old_node_and_can_be_recovered(void **state)
{
    struct store_node *node = *state;
    struct sign_key *key = sign_key_generate();
    const struct uuid id = uuid_random();
    struct error error = {0};
    char path[128];
    store_node_open(node);
    const struct uuid before = id_of(node);
    store_node_close(node);
    snprintf(path, sizeof(path), "%s/node.key", node->directory);
    assert_true(node_key_write_next(path, &id, key, &error));
    sign_key_free(key);
    store_node_open(node);
    const struct uuid still = id_of(node);
    assert_true(uuid_equal(&before, &still));
    assert_true(replication_was_removed(node->replication));
    store_node_close(node);
    recover(node, false);
    store_node_open(node);
    assert_false(replication_was_removed(node->replication));
}

/* The state of the disk between the record and the renaming. */
static void undo_the_renaming(struct store_node *node)
{
    run(node, "cp -p node.key old");
    recover(node, false);
    run(node, "mv node.key node.key.new && mv old node.key");
}

static void after_the_record_it_is_the_new_node_at_the_next_start(void **state)
{
    struct store_node *node = *state;
    undo_the_renaming(node);
    store_node_open(node);
    assert_false(replication_was_removed(node->replication));
    write_value(node, 9);
    run(node, "test ! -e node.key.new");
    store_node_close(node);
    store_node_open(node);
    assert_int_equal(value_on(node), 9);
}

static void after_the_record_another_recovery_finds_nothing_to_do(void **state)
{
    struct store_node *node = *state;
    undo_the_renaming(node);
    expect_refused(node, false, "was not removed");
    run(node, "test ! -e node.key.new");
    store_node_open(node);
    assert_false(replication_was_removed(node->replication));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_removed_node_goes_on_as_a_new_one_with_what_it_had,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_old_key_opened_the_new_one_opens, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_store_verifies_afterwards_and_can_be_derived_anew,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_code_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_node_that_was_not_removed_needs_no_recovery, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_node_in_no_cluster_has_nothing_to_recover, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_knows_other_members_has_to_insist, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            before_the_record_it_is_the_old_node_and_can_be_recovered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_the_record_it_is_the_new_node_at_the_next_start,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_the_record_another_recovery_finds_nothing_to_do,
                                        set_up, tear_down),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
