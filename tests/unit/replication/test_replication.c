#include "replication/replication.h"
#include "tests/support/test.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char directory[64];
    struct loop *loop;
    struct replication *replication;
    struct error done_error;
    struct submit_result result;
    bool done;
    uint64_t applied;
};

static void on_applied(void *context, uint64_t position)
{
    struct fixture *fixture = context;
    fixture->applied = position;
}

static void on_done(void *context, const struct error *error)
{
    struct fixture *fixture = context;
    fixture->done_error = *error;
    fixture->done = true;
}

static void on_submitted(void *context, const struct submit_result *result)
{
    struct fixture *fixture = context;
    fixture->result = *result;
    fixture->done = true;
}

static void open_node(struct fixture *fixture)
{
    struct replication_settings settings = {
        .state_dir = fixture->directory,
        .node_name = "lb1",
    };
    struct replication_handler handler = {.applied = on_applied, .context = fixture};
    struct error error = {0};
    ip_endpoint_parse("127.0.0.1:0", 0, &settings.listen);
    text_list_add(&settings.addresses, "127.0.0.1:7850", 14);
    fixture->replication = replication_open(fixture->loop, &settings, &handler, &error);
    if (!fixture->replication)
        fail_msg("%s", error.text);
    text_list_free(&settings.addresses);
}

static void wait_done(struct fixture *fixture)
{
    uint64_t deadline = monotime_now_ms() + 5000;
    while (!fixture->done && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    assert_true(fixture->done);
    fixture->done = false;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s",
             "/tmp/lbnode-replication-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->loop = loop_new();
    open_node(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    replication_close(fixture->replication);
    loop_free(fixture->loop);
    snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static void initialise(struct fixture *fixture)
{
    char code[RECOVERY_CODE_SIZE];
    struct error error = {0};
    assert_true(replication_init(fixture->replication, "test", code, on_done, fixture, &error));
    wait_done(fixture);
    assert_int_equal(fixture->done_error.kind, ERROR_NONE);
    assert_int_equal(strlen(code), 67);
}

static bool count_types(void *context, const struct raw_facet *facet)
{
    unsigned *counts = context;
    if (facet->facet == FACET_LIFE)
        counts[facet->type]++;
    return true;
}

static void submit_member_like(struct fixture *fixture,
                               const struct uuid *object,
                               const struct uuid *change_id,
                               uint8_t value)
{
    struct change_set changes = {0};
    struct uuid none = {0};
    struct submit_options options = {.change_id = *change_id, .author = "ann", .via = "cli"};
    assert_true(change_set_add(&changes, object, &none, 5, FACET_LIFE,
                               (struct bytes){(const uint8_t *)"\1", 1}));
    assert_true(change_set_add(&changes, object, &none, 5, 10, (struct bytes){&value, 1}));
    replication_submit(fixture->replication, &changes, &options, on_submitted, fixture);
    change_set_free(&changes);
    wait_done(fixture);
}

static void init_makes_the_node_and_the_default_group(void **state)
{
    struct fixture *fixture = *state;
    unsigned counts[256] = {0};
    assert_false(replication_is_initialised(fixture->replication));
    initialise(fixture);
    assert_true(replication_is_initialised(fixture->replication));
    replication_visit_facets(fixture->replication, count_types, counts);
    assert_int_equal(counts[RESOURCE_NODE], 1);
    assert_int_equal(counts[RESOURCE_VRRP_GROUP], 1);
    assert_int_equal(counts[RESOURCE_KEY_GRANT], 2);
    assert_int_equal(fixture->applied, 1);
}

static void a_second_init_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char code[RECOVERY_CODE_SIZE];
    struct error error = {0};
    initialise(fixture);
    assert_false(
        replication_init(fixture->replication, "again", code, on_done, fixture, &error));
    assert_int_equal(error.kind, ERROR_CONFLICT);
}

static void a_change_without_a_cluster_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct uuid object = uuid_random(), none = {0};
    submit_member_like(fixture, &object, &none, 1);
    assert_int_equal(fixture->result.error.kind, ERROR_REFUSED);
}

static bool find_value(void *context, const struct raw_facet *facet)
{
    if (facet->type == 5 && facet->facet == 10)
        *(int *)context = facet->value.data[0];
    return true;
}

static void a_committed_change_is_there_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct uuid object = uuid_random(), none = {0};
    uint8_t before[32], after[32];
    int value = 0;
    initialise(fixture);
    submit_member_like(fixture, &object, &none, 7);
    assert_int_equal(fixture->result.error.kind, ERROR_NONE);
    assert_string_equal(fixture->result.text, "committed on lb1");
    replication_state_hash(fixture->replication, before);
    replication_close(fixture->replication);
    open_node(fixture);
    assert_true(replication_is_initialised(fixture->replication));
    replication_visit_facets(fixture->replication, find_value, &value);
    assert_int_equal(value, 7);
    replication_state_hash(fixture->replication, after);
    assert_memory_equal(before, after, sizeof(before));
    submit_member_like(fixture, &object, &none, 8);
    replication_visit_facets(fixture->replication, find_value, &value);
    assert_int_equal(value, 8);
}

static void the_same_change_id_is_done_once(void **state)
{
    struct fixture *fixture = *state;
    struct uuid object = uuid_random(), change_id = uuid_random();
    initialise(fixture);
    submit_member_like(fixture, &object, &change_id, 7);
    uint64_t position = fixture->applied;
    submit_member_like(fixture, &object, &change_id, 7);
    assert_int_equal(fixture->result.error.kind, ERROR_NONE);
    assert_int_equal(fixture->applied, position);
}

static void require_replica_refuses_without_a_peer(void **state)
{
    struct fixture *fixture = *state;
    struct change_set changes = {0};
    struct uuid object = uuid_random(), none = {0};
    struct submit_options options = {.require_replica = true};
    initialise(fixture);
    change_set_add(&changes, &object, &none, 5, FACET_LIFE,
                   (struct bytes){(const uint8_t *)"\1", 1});
    replication_submit(fixture->replication, &changes, &options, on_submitted, fixture);
    change_set_free(&changes);
    wait_done(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_UNREPLICATED);
    assert_int_equal(fixture->applied, 1);
}

struct followed {
    struct uuid ids[64];
    size_t count;
};

static bool note_object(void *context, const struct raw_facet *facet)
{
    struct followed *followed = context;
    if (facet->facet == FACET_LIFE)
        followed->ids[followed->count++] = facet->object_id;
    return true;
}

static void a_reader_gets_everything_first_and_then_what_changed(void **state)
{
    struct fixture *fixture = *state;
    struct uuid object = uuid_random(), none = {0};
    struct followed all = {0}, news = {0};
    initialise(fixture);
    assert_true(replication_changed(fixture->replication).all);
    replication_visit_changed(fixture->replication, note_object, &all);
    assert_int_equal(all.count, 4); /* the node, its grants of two keys, and the group */
    submit_member_like(fixture, &object, &none, 7);
    struct changed_objects changed = replication_changed(fixture->replication);
    assert_false(changed.all);
    assert_int_equal(changed.count, 1);
    assert_true(uuid_equal(&changed.ids[0], &object));
    replication_visit_changed(fixture->replication, note_object, &news);
    assert_int_equal(news.count, 1);
    assert_true(uuid_equal(&news.ids[0], &object));
    assert_int_equal(replication_changed(fixture->replication).count, 0);
}

static void count_entries(void *context, const struct conflict_view *facet)
{
    assert_int_equal(facet->entry_count, 1);
    assert_string_equal(facet->entries[0].author, "ann");
    assert_true(facet->entries[0].is_active);
    (*(unsigned *)context)++;
}

static void the_entries_of_an_object_tell_who_wrote_them(void **state)
{
    struct fixture *fixture = *state;
    struct uuid object = uuid_random(), none = {0};
    unsigned facets = 0;
    initialise(fixture);
    submit_member_like(fixture, &object, &none, 7);
    replication_visit_entries(fixture->replication, &object, count_entries, &facets);
    assert_int_equal(facets, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(init_makes_the_node_and_the_default_group),
        TEST(a_second_init_is_refused),
        TEST(a_change_without_a_cluster_is_refused),
        TEST(a_committed_change_is_there_after_a_restart),
        TEST(the_same_change_id_is_done_once),
        TEST(require_replica_refuses_without_a_peer),
        TEST(a_reader_gets_everything_first_and_then_what_changed),
        TEST(the_entries_of_an_object_tell_who_wrote_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
