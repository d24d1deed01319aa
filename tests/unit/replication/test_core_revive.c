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

/* It was not deleted, and others may have purged it with what it was below. */
static void what_leaves_a_deleted_owner_says_everything_anew(void **state)
{
    struct fixture *fixture = *state;
    struct change_set changes = {0};
    const uint8_t alive = 1;
    make(fixture, object, (struct uuid){0});
    make(fixture, child, object);
    set(fixture, object, FACET_LIFE, 0);
    change_set_add(&changes, &child, &(struct uuid){0}, 5, FACET_LIFE,
                   (struct bytes){&alive, 1});
    submit(fixture, &changes);
    const struct object *moved = facet_object(core_facets(fixture->core), &child);
    const struct dot dot = facet_of(moved, FACET_LIFE)->entries[0].dot;
    assert_true(facet_object_counts(core_facets(fixture->core), moved));
    for (size_t f = 0; f < moved->count; f++)
        assert_int_equal(moved->facets[f].entries[0].dot.seq, dot.seq);
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

/* ---- a revival by who lacked the deletion ------------------------------------------------ */

/* What the peer says of the object, knowing what DEPS tells of. */
static struct bytes peer_record(const struct fixture *fixture,
                                uint64_t seq,
                                const uint8_t *previous_hash,
                                const struct vv *deps,
                                uint8_t life)
{
    struct change_set changes = {0};
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    struct bytes whole;
    record_key_id(sign_key_public(fixture->peer_key), key_id);
    change_set_add(&changes, &object, &(struct uuid){0}, 5, FACET_LIFE,
                   (struct bytes){&life, 1});
    for (uint16_t facet = 10; life == 1 && facet < 12; facet++)
        change_set_add(&changes, &object, &(struct uuid){0}, 5, facet,
                       (struct bytes){&life, 1});
    const struct record_draft draft = {.stream = 77,
                                       .seq = seq,
                                       .hlc = fixture->wall_ms << 16 | seq,
                                       .wall_ms = fixture->wall_ms,
                                       .previous_hash = previous_hash,
                                       .deps = deps,
                                       .node_id = peer_id,
                                       .key_id = key_id,
                                       .incarnation = 1,
                                       .kind = RECORD_CONFIG,
                                       .change_id = {{0xee, (uint8_t)seq}},
                                       .changes = &changes};
    assert_true(record_build(&draft, &core_genesis(fixture->core)->cluster_id,
                             fixture->peer_key, &whole));
    change_set_free(&changes);
    return whole;
}

static void hear(struct fixture *fixture, struct bytes record)
{
    const uint64_t before = vv_get(core_durable(fixture->core), 77);
    step(fixture,
         &(struct core_event){
             .kind = CORE_FRAME, .node = peer_id, .frame_type = FRAME_RECORD, .body = record});
    step(fixture, &(struct core_event){.kind = CORE_STAGE});
    assert_int_equal(vv_get(core_durable(fixture->core), 77), before + 1);
}

static bool lives(const struct fixture *fixture)
{
    return facet_object_counts(core_facets(fixture->core),
                               facet_object(core_facets(fixture->core), &object));
}

static bool agree(struct fixture *a, struct fixture *b)
{
    uint8_t left[HASH_SIZE], right[HASH_SIZE];
    core_state_hash(a->core, left);
    core_state_hash(b->core, right);
    return vv_equal(core_durable(a->core), core_durable(b->core)) &&
           memcmp(left, right, HASH_SIZE) == 0;
}

struct table_copy {
    struct store_batch batch;
    enum store_table table;
};

static bool copy_row(void *context, struct bytes key, struct bytes value)
{
    struct table_copy *copy = context;
    store_batch_put(&copy->batch, copy->table, key, value);
    return true;
}

/* What OTHER gets: all that is on FIRST's disk, and a core of its own. */
static void start_alike(const struct fixture *first, struct fixture *other)
{
    *other = *first;
    other->core = NULL;
    other->store = store_mem_open();
    for (unsigned table = 0; table < STORE_TABLE_COUNT; table++) {
        struct table_copy copy = {.table = (enum store_table)table};
        store_walk(first->store, copy.table, (struct bytes){0}, copy_row, &copy);
        assert_int_equal(store_commit(other->store, &copy.batch), 0);
        store_batch_free(&copy.batch);
    }
    start(other);
}

/* The limit that docs/architecture.md names: the disk of the peer was copied, one of the two
 * told that it has the deletion, the other one revives the object without it. */
static void settle(struct fixture *purged, uint8_t last_word)
{
    struct fixture kept;
    struct vv knew = {0};
    uint8_t hash[HASH_SIZE];
    make(purged, object, (struct uuid){0});
    vv_copy(&knew, core_durable(purged->core));
    set(purged, object, FACET_LIFE, 0);
    start_alike(purged, &kept);
    pass_days(purged, keep_days + 1);
    kept.wall_ms = purged->wall_ms;
    assert_null(facet_object(core_facets(purged->core), &object));
    struct bytes revival = peer_record(purged, 1, NULL, &knew, 1);
    hear(purged, revival);
    hear(&kept, revival);
    assert_true(lives(purged) && !lives(&kept) && !agree(purged, &kept));
    record_hash(revival, hash);
    struct bytes word = peer_record(purged, 2, hash, core_durable(purged->core), last_word);
    hear(purged, word);
    hear(&kept, word);
    assert_true(lives(purged) == (last_word == 1) && agree(purged, &kept));
    free((void *)(uintptr_t)word.data);
    free((void *)(uintptr_t)revival.data);
    vv_free(&knew);
    core_free(kept.core);
    store_close(kept.store);
}

static void a_divided_object_is_settled_by_deleting_it(void **state)
{
    settle(*state, 0);
}

static void a_divided_object_is_settled_by_reviving_it(void **state)
{
    settle(*state, 1);
}

int main(void)
{
    crypto_start();
#define WITH_CORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CORE(who_revives_says_everything_anew),
        WITH_CORE(what_leaves_a_deleted_owner_says_everything_anew),
        WITH_CORE(thousands_come_back_at_once),
        WITH_CORE(twice_as_many_come_back_with_twice_the_work),
        WITH_CORE(what_the_change_says_itself_is_not_said_twice),
        WITH_CORE(a_divided_object_is_settled_by_deleting_it),
        WITH_CORE(a_divided_object_is_settled_by_reviving_it),
        WITH_CORE(nothing_is_revived_that_was_purged_before_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
