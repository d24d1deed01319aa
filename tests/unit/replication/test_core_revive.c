/* Deleted objects that come back, while others may have purged them. What a revival costs is
 * counted in looks at objects and ids: the linker leads those calls here, and on. */
#include "tests/unit/replication/retention_node.h"

static uint64_t looks;

bool __real_uuid_equal(const struct uuid *a, const struct uuid *b);
void *__real_uuid_map_get(const struct uuid_map *map, const struct uuid *key);
void *__real_uuid_map_next(const struct uuid_map *map, size_t *position);
bool __wrap_uuid_equal(const struct uuid *a, const struct uuid *b);
void *__wrap_uuid_map_get(const struct uuid_map *map, const struct uuid *key);
void *__wrap_uuid_map_next(const struct uuid_map *map, size_t *position);

bool __wrap_uuid_equal(const struct uuid *a, const struct uuid *b)
{
    looks++;
    return __real_uuid_equal(a, b);
}

void *__wrap_uuid_map_get(const struct uuid_map *map, const struct uuid *key)
{
    looks++;
    return __real_uuid_map_get(map, key);
}

void *__wrap_uuid_map_next(const struct uuid_map *map, size_t *position)
{
    looks++;
    return __real_uuid_map_next(map, position);
}

static void who_revives_says_everything_anew(void **state)
{
    struct fixture *fixture = *state;
    make(fixture, object, (struct uuid){0});
    make(fixture, child, object);
    set(fixture, object, FACET_LIFE, 0);
    set(fixture, object, FACET_LIFE, 1);
    const struct object *revived = facet_object(core_facets(fixture->core), &object);
    const struct object *below = facet_object(core_facets(fixture->core), &child);
    struct dot dot = facet_of(revived, FACET_LIFE)->entries[0].dot;
    for (size_t f = 0; f < revived->count; f++)
        assert_int_equal(revived->facets[f].entries[0].dot.seq, dot.seq);
    for (size_t f = 0; f < below->count; f++)
        assert_int_equal(below->facets[f].entries[0].dot.seq, dot.seq);
    assert_int_equal(facet_of(revived, 11)->entries[0].value[0], 1);
}

/* Ticks alone: what was submitted waits. Whatever the core asks for is forgotten. */
static void sweep_before_staging(struct fixture *fixture)
{
    for (int i = 0; i < 2 * 7200 && facet_object(core_facets(fixture->core), &object); i++) {
        struct core_actions actions = {0};
        fixture->now_us += 500000;
        core_step(fixture->core, &(struct core_event){.kind = CORE_TICK}, now_of(fixture),
                  &actions);
        core_actions_free(&actions);
    }
}

/* Others may have all of it still: it would live with its parts there, and without them here.
 */
static void nothing_is_revived_that_was_purged_before_its_turn(void **state)
{
    struct fixture *fixture = *state;
    struct change_set changes = {0};
    struct core_actions actions = {0};
    const struct uuid none = {0};
    const uint8_t one = 1;
    make(fixture, object, none);
    set(fixture, object, FACET_LIFE, 0);
    fixture->wall_ms += (keep_days + 1) * day_ms;
    peer_says(fixture, core_durable(fixture->core));
    change_set_add(&changes, &object, &none, 5, FACET_LIFE, (struct bytes){&one, 1});
    core_step(fixture->core,
              &(struct core_event){
                  .kind = CORE_SUBMIT,
                  .submit = {.changes = &changes, .change_id = {{1}}, .kind = RECORD_CONFIG}},
              now_of(fixture), &actions);
    change_set_free(&changes);
    assert_int_equal(actions.count, 0);
    sweep_before_staging(fixture);
    assert_null(facet_object(core_facets(fixture->core), &object));
    core_step(fixture->core, &(struct core_event){.kind = CORE_STAGE}, now_of(fixture),
              &actions);
    assert_null(facet_object(core_facets(fixture->core), &object));
    assert_int_equal(actions.items[0].kind, CORE_ANSWER);
    assert_int_equal(actions.items[0].answer.error.kind, ERROR_CONFLICT);
    core_actions_free(&actions);
}

static struct uuid member(unsigned number)
{
    return (struct uuid){{0x88, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* Life of the object and of COUNT members. */
static void set_lives(struct fixture *fixture, unsigned count, uint8_t value)
{
    struct change_set changes = {0};
    const struct bytes life = {&value, 1};
    change_set_add(&changes, &object, &(struct uuid){0}, 5, FACET_LIFE, life);
    for (unsigned i = 0; i < count; i++) {
        const struct uuid id = member(i);
        change_set_add(&changes, &id, &object, 6, FACET_LIFE, life);
        for (uint16_t facet = 10; value == 1 && facet < 13; facet++)
            change_set_add(&changes, &id, &object, 6, facet, life);
    }
    submit(fixture, &changes);
}

static void thousands_come_back_at_once(void **state)
{
    struct fixture *fixture = *state;
    const unsigned count = 5000;
    set_lives(fixture, count, 1);
    set_lives(fixture, count, 0);
    set_lives(fixture, count, 1);
    const struct uuid last = member(count - 1);
    assert_true(facet_object_counts(core_facets(fixture->core),
                                    facet_object(core_facets(fixture->core), &last)));
}

/* Looks that COUNT members take to come back, after they were made and deleted. */
static uint64_t looks_of_revival(struct fixture *fixture, unsigned count)
{
    set_lives(fixture, count, 1);
    set_lives(fixture, count, 0);
    const uint64_t before = looks;
    set_lives(fixture, count, 1);
    return looks - before;
}

/* The loop waits for it, and heartbeats with it. */
static void twice_as_many_come_back_with_twice_the_work(void **state)
{
    struct fixture *fixture = *state;
    const unsigned count = 500;
    const uint64_t once = looks_of_revival(fixture, count);
    const uint64_t twice = looks_of_revival(fixture, 2 * count);
    print_message("%.1f looks a member, then %.1f\n", (double)once / count,
                  (double)twice / (2 * count));
    assert_true(once > count);
    assert_true(twice < 3 * once);
}

static void what_the_change_says_itself_is_not_said_twice(void **state)
{
    struct fixture *fixture = *state;
    const uint16_t facets[] = {FACET_LIFE, 11, 100, 101};
    struct change_set changes = {0};
    const uint8_t one = 1, nine = 9;
    make(fixture, object, (struct uuid){0});
    set(fixture, object, 100, 1);
    set(fixture, object, 101, 1);
    set(fixture, object, FACET_LIFE, 0);
    change_set_add(&changes, &object, &(struct uuid){0}, 5, FACET_LIFE,
                   (struct bytes){&one, 1});
    change_set_add(&changes, &object, &(struct uuid){0}, 5, 11, (struct bytes){&nine, 1});
    change_set_add(&changes, &object, &(struct uuid){0}, 5, 100, (struct bytes){&nine, 1});
    submit(fixture, &changes);
    const struct object *revived = facet_object(core_facets(fixture->core), &object);
    const struct dot dot = facet_of(revived, FACET_LIFE)->entries[0].dot;
    for (size_t i = 0; i < ARRAY_LENGTH(facets); i++) {
        const struct facet_entry *entry = &facet_of(revived, facets[i])->entries[0];
        assert_int_equal(entry->dot.seq, dot.seq);
        assert_int_equal(entry->value[0], i == 1 || i == 2 ? nine : one);
    }
}

int main(void)
{
    crypto_start();
#define WITH_CORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CORE(who_revives_says_everything_anew),
        WITH_CORE(thousands_come_back_at_once),
        WITH_CORE(twice_as_many_come_back_with_twice_the_work),
        WITH_CORE(what_the_change_says_itself_is_not_said_twice),
        WITH_CORE(nothing_is_revived_that_was_purged_before_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
