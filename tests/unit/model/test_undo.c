/* Taking changes back, against an oracle that knows the value of each attribute after each
 * write and applies the rule as it is told to people. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/random.h"
#include "lbnode/model/undo.h"
#include "tests/unit/model/resources.h"

enum {
    WRITES = 8,
    WEIGHT = 10,
    SPARE = 11, /* backup and connection_limit are one facet */
};

static const struct uuid member_id = {{1}}, pool_id = {{2}};

/* The attributes that the histories of the test are about. */
struct values {
    int weight, connections;
    bool backup;
};

struct history {
    struct change_set ops; /* owns the bytes of the writes */
    struct undo_write writes[4 * WRITES];
    struct values after[4 * WRITES]; /* each write */
    size_t count;
    struct undo_value current[3];
};

static struct resource *member_of(const struct values *values)
{
    struct resource *resource = resource_new(RESOURCE_MEMBER);
    struct member *member = (struct member *)resource;
    resource->id = member_id;
    resource->owner = pool_id;
    member->weight = values->weight;
    member->backup = values->backup;
    member->connection_limit = values->connections;
    return resource;
}

static void add_write(struct history *history,
                      uint16_t facet,
                      const struct values *values,
                      bool undone,
                      bool foreign)
{
    struct resource *resource = member_of(values);
    assert_true(change_set_add_facet(&history->ops, resource, facet));
    const struct change_op *op = &history->ops.ops[history->ops.count - 1];
    history->writes[history->count] =
        (struct undo_write){facet, {op->value, op->value_size}, undone, foreign, false};
    history->after[history->count++] = *values;
    resource_free(resource);
}

static void add_life(struct history *history, uint8_t alive, bool undone, bool foreign)
{
    assert_true(change_set_add(&history->ops, &member_id, &pool_id, RESOURCE_MEMBER, FACET_LIFE,
                               (struct bytes){&alive, 1}));
    const struct change_op *op = &history->ops.ops[history->ops.count - 1];
    history->after[history->count] =
        history->count ? history->after[history->count - 1] : (struct values){0};
    history->writes[history->count++] =
        (struct undo_write){FACET_LIFE, {op->value, op->value_size}, undone, foreign, false};
}

/* The last write of each facet is in force. */
static struct undo_object object_of(struct history *history)
{
    static const uint16_t facets[] = {FACET_LIFE, WEIGHT, SPARE};
    struct undo_object object = {
        member_id,        pool_id, RESOURCE_MEMBER, history->writes, history->count,
        history->current, 0};
    for (size_t f = 0; f < ARRAY_LENGTH(facets); f++)
        for (size_t i = history->count; i-- > 0;)
            if (history->writes[i].facet == facets[f]) {
                history->current[object.current_count++] =
                    (struct undo_value){facets[f], history->writes[i].value};
                break;
            }
    return object;
}

static int attribute(const struct values *values, int which)
{
    return which == 0 ? values->weight : which == 1 ? values->connections : values->backup;
}

/* The rule: an attribute that an undone write changed gets the value that it had before the
 * first undone write of its facet, unless somebody else changed it from then on. */
static int expected(const struct history *history, int which, bool forced, bool *out_touched)
{
    uint16_t facet = which == 0 ? WEIGHT : SPARE;
    int before = 0, previous = 0, now = 0;
    bool began = false, mine = false;
    *out_touched = false;
    for (size_t i = 0; i < history->count; i++) {
        if (history->writes[i].facet != facet)
            continue;
        now = attribute(&history->after[i], which);
        if (history->writes[i].undone && !began) {
            began = true;
            before = previous;
        }
        if (began && now != previous) {
            mine |= history->writes[i].undone;
            *out_touched |= history->writes[i].foreign;
        }
        previous = now;
    }
    *out_touched = *out_touched && mine && before != now;
    return mine && (forced || !*out_touched) ? before : now;
}

static bool is_left(const struct undo_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->left_count; i++)
        if (plan->left[i].attribute && strcmp(plan->left[i].attribute, name) == 0)
            return true;
    return false;
}

static void check_history(struct history *history, bool forced, uint64_t seed)
{
    static const char *const names[] = {"weight", "connection_limit", "backup"};
    struct undo_plan plan = {0};
    const struct undo_object object = object_of(history);
    struct resource *result = resource_new(RESOURCE_MEMBER);
    assert_true(undo_add_object(&plan, &object, forced ? UNDO_FORCED : UNDO_UNTOUCHED));
    for (size_t i = 0; i < object.current_count; i++)
        if (object.current[i].facet != FACET_LIFE)
            assert_true(resource_read_facet(result, object.current[i].facet,
                                            object.current[i].value, NULL));
    for (size_t i = 0; i < plan.changes.count; i++) {
        const struct change_op *op = &plan.changes.ops[i];
        assert_true(resource_read_facet(result, op->facet,
                                        (struct bytes){op->value, op->value_size}, NULL));
    }
    const struct member *member = (const struct member *)result;
    const struct values got = {(int)member->weight, (int)member->connection_limit,
                               member->backup};
    for (int which = 0; which < 3; which++) {
        bool touched;
        int wanted = expected(history, which, forced, &touched);
        if (attribute(&got, which) != wanted ||
            is_left(&plan, names[which]) != (touched && !forced))
            fail_msg("seed %llu, %s: %d, not %d", (unsigned long long)seed, names[which],
                     attribute(&got, which), wanted);
    }
    assert_int_equal(plan.deleted_count, 0);
    undo_plan_free(&plan);
    resource_free(result);
}

static void make_history(struct history *history, uint64_t seed)
{
    struct random_sequence random;
    struct values values = {1, 10, false};
    random_sequence_init(&random, seed);
    add_life(history, 1, false, false);
    add_write(history, WEIGHT, &values, false, false);
    add_write(history, SPARE, &values, false, false);
    bool all_undone = random_sequence_below(&random, 2);
    size_t first = random_sequence_below(&random, WRITES);
    for (size_t i = 0; i < WRITES; i++) {
        bool about_weight = random_sequence_below(&random, 2);
        bool undone = all_undone ? i >= first : i == first;
        bool foreign = (all_undone || !undone) && random_sequence_below(&random, 3) == 0;
        if (about_weight)
            values.weight = 1 + (int)random_sequence_below(&random, 3);
        else if (random_sequence_below(&random, 2))
            values.connections = 10 + (int)random_sequence_below(&random, 2);
        else
            values.backup = random_sequence_below(&random, 2);
        add_write(history, about_weight ? WEIGHT : SPARE, &values, undone, foreign);
    }
}

static void attributes_go_back_as_the_rule_says_in_any_history(void **state)
{
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        struct history history = {0};
        make_history(&history, seed);
        check_history(&history, false, seed);
        check_history(&history, true, seed);
        change_set_free(&history.ops);
    }
}

/* ---- life ---------------------------------------------------------------------------------
 */

static void make_member(struct history *history, bool undone)
{
    const struct values values = {1, 10, false};
    add_life(history, 1, undone, false);
    add_write(history, WEIGHT, &values, undone, false);
    add_write(history, SPARE, &values, undone, false);
}

static struct undo_plan plan_of(struct history *history, enum undo_mode mode)
{
    struct undo_plan plan = {0};
    const struct undo_object object = object_of(history);
    assert_true(undo_add_object(&plan, &object, mode));
    return plan;
}

static void what_was_made_is_deleted(void **state)
{
    struct history history = {0};
    make_member(&history, true);
    struct undo_plan plan = plan_of(&history, UNDO_UNTOUCHED);
    assert_int_equal(plan.deleted_count, 1);
    assert_true(uuid_equal(&plan.deleted[0], &member_id));
    assert_int_equal(plan.changes.count, 0);
    undo_plan_free(&plan);
    change_set_free(&history.ops);
}

static void what_was_made_and_changed_by_somebody_else_stays(void **state)
{
    struct history history = {0};
    const struct values values = {5, 10, false};
    make_member(&history, true);
    add_write(&history, WEIGHT, &values, false, true);
    struct undo_plan plan = plan_of(&history, UNDO_UNTOUCHED);
    assert_int_equal(plan.deleted_count, 0);
    assert_int_equal(plan.left_count, 1);
    assert_int_equal(plan.left[0].obstacle, UNDO_CHANGED_LATER);
    assert_int_equal(plan.left[0].by, 3);
    undo_plan_free(&plan);
    plan = plan_of(&history, UNDO_FORCED);
    assert_int_equal(plan.deleted_count, 1);
    undo_plan_free(&plan);
    change_set_free(&history.ops);
}

static void what_was_deleted_lives_again_as_it_was(void **state)
{
    struct history history = {0};
    make_member(&history, false);
    add_life(&history, 0, true, false);
    struct undo_plan plan = plan_of(&history, UNDO_UNTOUCHED);
    assert_int_equal(plan.changes.count, 3); /* all of it is said anew */
    assert_int_equal(plan.changes.ops[0].facet, FACET_LIFE);
    assert_int_equal(plan.changes.ops[0].value[0], 1);
    assert_int_equal(plan.left_count, 0);
    undo_plan_free(&plan);
    change_set_free(&history.ops);
}

static void what_was_made_and_deleted_since_needs_nothing(void **state)
{
    struct history history = {0};
    make_member(&history, true);
    add_life(&history, 0, false, true);
    struct undo_plan plan = plan_of(&history, UNDO_UNTOUCHED);
    assert_int_equal(plan.changes.count + plan.deleted_count + plan.left_count, 0);
    undo_plan_free(&plan);
    change_set_free(&history.ops);
}

static void a_value_that_is_no_longer_kept_is_told_and_not_invented(void **state)
{
    struct history history = {0};
    const struct values values = {5, 10, false};
    add_life(&history, 1, false, false);
    add_write(&history, SPARE, &values, false, false);
    add_write(&history, WEIGHT, &values, true, false);
    struct undo_plan plan = plan_of(&history, UNDO_FORCED);
    assert_int_equal(plan.changes.count, 0);
    assert_int_equal(plan.left_count, 1);
    assert_int_equal(plan.left[0].obstacle, UNDO_GONE);
    assert_int_equal(plan.left[0].facet, WEIGHT);
    undo_plan_free(&plan);
    change_set_free(&history.ops);
}

static void a_value_of_which_the_successor_may_be_missing_counts_as_gone(void **state)
{
    struct history history = {0};
    const struct values values = {5, 10, false};
    make_member(&history, false);
    history.writes[1].unsure = true;
    add_write(&history, WEIGHT, &values, true, false);
    struct undo_plan plan = plan_of(&history, UNDO_FORCED);
    assert_int_equal(plan.changes.count, 0);
    assert_int_equal(plan.left[0].obstacle, UNDO_GONE);
    undo_plan_free(&plan);
    change_set_free(&history.ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_go_back_as_the_rule_says_in_any_history),
        cmocka_unit_test(what_was_made_is_deleted),
        cmocka_unit_test(what_was_made_and_changed_by_somebody_else_stays),
        cmocka_unit_test(what_was_deleted_lives_again_as_it_was),
        cmocka_unit_test(what_was_made_and_deleted_since_needs_nothing),
        cmocka_unit_test(a_value_that_is_no_longer_kept_is_told_and_not_invented),
        cmocka_unit_test(a_value_of_which_the_successor_may_be_missing_counts_as_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
