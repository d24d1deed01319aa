/* Changes that undo themselves, on a real store in a temporary directory. */
#include "lbnode/admin/probation.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"
#include "tests/support/test.h"
#include "tests/unit/admin/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LBAAS "/v2.0/lbaas"

enum {
    DEADLINE_MS = 10000
};

static struct store_fixture node;
static struct probation *probation;
static unsigned undone, failed;

static void tell(void *context, enum event_code code, const char *text)
{
    undone += code == EVENT_CHANGE_UNDONE;
    failed += code == EVENT_UNDO_FAILED;
}

static void watch(void)
{
    probation = probation_start(node.api.loop, &node.api.state, tell, NULL);
}

static void wake(void *context)
{
    probation_wake(probation);
}

static int setup(void **state)
{
    undone = failed = 0;
    node.unconfirmed = wake;
    store_fixture_open(&node);
    struct api_answer answer =
        api_call(&node.api, "POST", LBAAS "/loadbalancers",
                 "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}");
    assert_int_equal(answer.status, 201);
    api_answer_free(&answer);
    watch();
    return 0;
}

static int teardown(void **state)
{
    probation_stop(probation);
    probation = NULL;
    store_fixture_close(&node);
    return 0;
}

static const struct resource *web(void)
{
    return configuration_at(node.api.state.configuration, RESOURCE_LOAD_BALANCER, 0)->resource;
}

static void assert_description(const char *expected)
{
    assert_string_equal(web()->description, expected);
}

static void note_submit(void *context, const struct submit_result *result)
{
    assert_int_equal(result->error.kind, ERROR_NONE);
    ++*(unsigned *)context;
}

static void note_done(void *context, const struct error *error)
{
    assert_int_equal(error->kind, ERROR_NONE);
    ++*(unsigned *)context;
}

static void nothing(struct loop_timer *timer)
{}

static void turn_until(const unsigned *count, unsigned wanted)
{
    struct loop_timer turn = {0};
    uint64_t end_ms = monotime_now_ms() + DEADLINE_MS;
    while (*count < wanted && monotime_now_ms() < end_ms) {
        loop_timer_start(node.api.loop, &turn, 5, nothing);
        loop_turn(node.api.loop, true);
    }
    loop_timer_stop(&turn);
    assert_int_equal(*count, wanted);
}

/* Gives the load balancer a description that goes again after UNDO_AFTER_MS, of which the wall
 * clock says that UNDO_IN_MS are left; 0: it stays. */
static struct uuid describe(const char *text, uint64_t undo_after_ms, uint64_t undo_in_ms)
{
    struct change_set changes = {0};
    struct resource *copy = resource_copy(web());
    struct json_value *named = json_value_object();
    unsigned answered = 0;
    const struct submit_options options = {
        .change_id = uuid_random(),
        .author = "root",
        .via = "test",
        .undo_at_ms = undo_after_ms ? walltime_now_ms() + undo_in_ms : 0,
        .undo_after_ms = undo_after_ms,
    };
    free(copy->description);
    copy->description = strdup(text);
    json_value_set_text(named, "description", text);
    assert_true(change_set_add_named(&changes, copy, named) > 0);
    replication_submit(node.api.state.replication, &changes, &options, note_submit, &answered);
    turn_until(&answered, 1);
    change_set_free(&changes);
    resource_free(copy);
    json_value_free(named);
    return options.change_id;
}

static void what_nobody_confirms_goes_when_its_time_is_over(void **state)
{
    uint64_t before_ms = monotime_now_ms();
    describe("risky", 300, 300);
    assert_description("risky");
    turn_until(&undone, 1);
    assert_true(monotime_now_ms() - before_ms >= 290);
    assert_description("");
}

static void of_several_each_goes_at_its_own_time(void **state)
{
    describe("late", 600000, 600000);
    describe("soon", 50, 50);
    turn_until(&undone, 1);
    assert_description("late");
}

/* Neither brings back what the other one, which nobody confirmed either, had said. */
static void of_two_that_changed_the_same_nothing_stays(void **state)
{
    describe("first", 300, 300);
    describe("second", 600, 600);
    turn_until(&undone, 2);
    assert_description("");
    describe("first", 600, 600);
    describe("second", 300, 300);
    turn_until(&undone, 4);
    assert_description("");
}

static void what_was_changed_since_for_good_stays(void **state)
{
    describe("risky", 300, 300);
    describe("good", 0, 0);
    turn_until(&undone, 1);
    assert_description("good");
}

static void apply(const char *document, int confirm_s)
{
    char body[400], confirm[32] = "";
    if (confirm_s)
        snprintf(confirm, sizeof(confirm), "\"confirm_s\":%d,", confirm_s);
    snprintf(body, sizeof(body), "{%s\"document\":%s}", confirm, document);
    struct api_answer answer = api_call(&node.api, "POST", "/v1/apply", body);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
}

static size_t count_balancers(void)
{
    size_t count = 0;
    while (configuration_at(node.api.state.configuration, RESOURCE_LOAD_BALANCER, count))
        count++;
    return count;
}

static void what_it_made_goes_unless_something_was_put_below_it_for_good(void **state)
{
    const char *made = "{\"loadbalancers\":[{\"name\":\"second\",\"vip_address\":"
                       "\"10.77.0.101\"}]}";
    const char *filled = "{\"loadbalancers\":[{\"name\":\"second\",\"vip_address\":"
                         "\"10.77.0.101\",\"pools\":[{\"name\":\"workers\",\"protocol\":"
                         "\"HTTP\",\"lb_algorithm\":\"ROUND_ROBIN\"}]}]}";
    apply(made, 1);
    apply(filled, 2);
    assert_int_equal(count_balancers(), 2);
    turn_until(&undone, 1); /* what is below it would not stay either */
    assert_int_equal(count_balancers(), 1);
    turn_until(&undone, 2);
    apply(made, 1);
    apply(filled, 0);
    turn_until(&undone, 3);
    assert_int_equal(count_balancers(), 2);
    assert_int_equal(failed, 0);
}

static void what_is_confirmed_stays(void **state)
{
    struct error error = {0};
    unsigned confirmed = 0;
    struct uuid id = describe("good", 300, 300);
    assert_true(
        replication_confirm(node.api.state.replication, &id, note_done, &confirmed, &error));
    turn_until(&confirmed, 1);
    assert_false(
        replication_confirm(node.api.state.replication, &id, note_done, &confirmed, &error));
    assert_int_equal(error.kind, ERROR_NOT_FOUND);
    describe("better", 400, 400); /* ends after the other would have */
    turn_until(&undone, 1);
    assert_description("good");
}

/* The disk is slow, say: time is over before the confirmation is on it. */
static void what_is_being_confirmed_is_not_undone(void **state)
{
    struct error error = {0};
    unsigned confirmed = 0;
    struct uuid id = describe("good", 600000, 600000);
    assert_true(
        replication_confirm(node.api.state.replication, &id, note_done, &confirmed, &error));
    probation_stop(probation);
    watch();
    turn_until(&confirmed, 1);
    assert_int_equal(undone, 0);
    assert_description("good");
}

static void restart(void)
{
    probation_stop(probation);
    probation = NULL;
    store_fixture_restart(&node);
    watch();
}

static void the_next_process_goes_on(void **state)
{
    describe("risky", 600, 600);
    restart();
    assert_description("risky");
    turn_until(&undone, 1);
    assert_description("");
}

/* In a process that runs, a wall clock that is set changes nothing: it counts by the monotonic
 * one. What the next process finds is the wall clock alone. */
static void a_wall_clock_that_went_back_gives_no_more_time_than_there_was(void **state)
{
    describe("risky", 200, 86400000);
    turn_until(&undone, 1);
    describe("risky again", 400, 86400000);
    restart();
    turn_until(&undone, 2);
    assert_description("");
}

static void a_wall_clock_that_went_forward_ends_it_with_the_next_process(void **state)
{
    describe("risky", 600000, 0);
    restart();
    turn_until(&undone, 1);
    assert_description("");
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        RULE(what_nobody_confirms_goes_when_its_time_is_over),
        RULE(of_several_each_goes_at_its_own_time),
        RULE(of_two_that_changed_the_same_nothing_stays),
        RULE(what_was_changed_since_for_good_stays),
        RULE(what_it_made_goes_unless_something_was_put_below_it_for_good),
        RULE(what_is_confirmed_stays),
        RULE(what_is_being_confirmed_is_not_undone),
        RULE(the_next_process_goes_on),
        RULE(a_wall_clock_that_went_back_gives_no_more_time_than_there_was),
        RULE(a_wall_clock_that_went_forward_ends_it_with_the_next_process),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
