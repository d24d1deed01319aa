/* The projection that follows changes must always equal one that is made from nothing. */
#include "lbnode/model/projection.h"

#include "lbnode/base/random.h"
#include "tests/unit/model/raw_state.h"

#include <time.h>

enum {
    HISTORIES = 2000,
    STEPS = 16,
    OBJECTS = 40,
    FACETS = 24 /* facet numbers of the tables are below */
};

struct raw_value {
    bool present;
    struct uuid owner;
    uint8_t type;
    uint8_t bytes[160];
    size_t size;
    uint64_t hlc, stream, seq;
    unsigned entry_count;
};

struct raw_object {
    struct uuid id;
    enum resource_type type;
    struct raw_value facets[FACETS];
    bool changed;
};

struct history {
    struct random_sequence random;
    struct raw_object objects[OBJECTS];
    uint64_t seq;
};

static uint64_t below(struct history *history, uint64_t bound)
{
    return random_sequence_below(&history->random, bound);
}

static bool one_in(struct history *history, uint64_t bound)
{
    return below(history, bound) == 0;
}

/* ---- random values from few, so that objects meet -------------------------------------------
 */

static struct uuid id_of(unsigned number)
{
    return (struct uuid){{0xa0, (uint8_t)number, (uint8_t)(number * 37)}};
}

static enum resource_type type_of(unsigned number)
{
    static const enum resource_type types[] = {
        RESOURCE_VRRP_GROUP,     RESOURCE_LOAD_BALANCER, RESOURCE_LISTENER,
        RESOURCE_POOL,           RESOURCE_MEMBER,        RESOURCE_LISTENER,
        RESOURCE_HEALTH_MONITOR, RESOURCE_MEMBER,        RESOURCE_POOL,
        RESOURCE_LOAD_BALANCER,  RESOURCE_NODE};
    return types[number % ARRAY_LENGTH(types)];
}

static struct uuid random_id(struct history *history, enum resource_type type)
{
    unsigned number = (unsigned)below(history, OBJECTS);
    while (type != RESOURCE_NONE && type_of(number) != type && !one_in(history, 40))
        number = (unsigned)below(history, OBJECTS);
    return id_of(number);
}

static struct ip_address random_address(struct history *history)
{
    struct ip_address address;
    char text[32];
    snprintf(text, sizeof(text), "10.0.0.%u", 1 + (unsigned)below(history, 4));
    assert_true(ip_address_parse(text, &address));
    return address;
}

static void fill_load_balancer(struct history *history, struct load_balancer *load_balancer)
{
    load_balancer->vip_address = random_address(history);
    if (one_in(history, 3)) {
        char text[IP_ADDRESS_TEXT_SIZE];
        struct ip_address other = random_address(history);
        ip_address_format(&other, text);
        assert_true(text_list_add(&load_balancer->additional_vips, text, strlen(text)));
    }
    if (one_in(history, 2))
        load_balancer->vrrp_group_id = random_id(history, RESOURCE_VRRP_GROUP);
}

static void fill_monitor(struct history *history, struct health_monitor *monitor)
{
    monitor->delay = 1 + (int64_t)below(history, 4);
    monitor->timeout = 1 + (int64_t)below(history, 5); /* at times longer than delay: P7 */
    monitor->max_retries = 3;
}

static void fill(struct history *history, struct resource *resource)
{
    static const char *const names[] = {"", "default", "a", "b"};
    free(resource->name);
    resource->name = strdup(names[below(history, ARRAY_LENGTH(names))]);
    resource->admin_state_up = !one_in(history, 4);
    switch (resource->type) {
    case RESOURCE_VRRP_GROUP:
        ((struct vrrp_group *)resource)->vrid = 1 + (int64_t)below(history, 3);
        break;
    case RESOURCE_LOAD_BALANCER:
        fill_load_balancer(history, (struct load_balancer *)resource);
        break;
    case RESOURCE_LISTENER:
        ((struct listener *)resource)->protocol = (int64_t)below(history, 2);
        ((struct listener *)resource)->protocol_port = 80 + (int64_t)below(history, 2);
        if (!one_in(history, 3))
            ((struct listener *)resource)->default_pool_id = random_id(history, RESOURCE_POOL);
        break;
    case RESOURCE_POOL: ((struct pool *)resource)->protocol = (int64_t)below(history, 2); break;
    case RESOURCE_MEMBER:
        ((struct member *)resource)->address = random_address(history);
        ((struct member *)resource)->protocol_port = 80;
        ((struct member *)resource)->weight = (int64_t)below(history, 300); /* at times P3 */
        break;
    case RESOURCE_HEALTH_MONITOR:
        fill_monitor(history, (struct health_monitor *)resource);
        break;
    default: break;
    }
}

/* ---- random changes -------------------------------------------------------------------------
 */

static void
write_value(struct history *history, struct raw_object *object, const struct change_op *op)
{
    struct raw_value *value = &object->facets[op->facet];
    assert_true(op->facet < FACETS && op->value_size <= sizeof(value->bytes));
    *value = (struct raw_value){
        .present = true,
        .owner = op->owner,
        .type = op->type,
        .size = op->value_size,
        .hlc = below(history, 30) << 16,
        .stream = 1 + below(history, 2),
        .seq = ++history->seq,
        .entry_count = one_in(history, 8) ? 2 : 1,
    };
    if (op->value_size > 0)
        memcpy(value->bytes, op->value, op->value_size);
    if (value->size > 0 && op->facet != FACET_LIFE && one_in(history, 20))
        value->bytes[below(history, value->size)] ^= (uint8_t)below(history, 256);
    object->changed = true;
}

static void write_object(struct history *history, struct raw_object *object)
{
    struct change_set changes = {0};
    enum resource_type type =
        one_in(history, 60) ? type_of((unsigned)below(history, 8)) : object->type;
    const struct resource_class *class = resource_class_of(type);
    struct resource *resource = resource_new(type);
    bool whole = !object->facets[FACET_LIFE].present || one_in(history, 6);
    fill(history, resource);
    resource->id = object->id;
    if (object->facets[FACET_LIFE].present && !one_in(history, 12))
        resource->owner = object->facets[FACET_LIFE].owner;
    else if (class->owner_type != RESOURCE_NONE)
        resource->owner = random_id(history, class->owner_type);
    assert_true(change_set_add_create(&changes, resource));
    for (size_t i = 0; i < changes.count; i++) {
        if (whole || one_in(history, 3))
            write_value(history, object, &changes.ops[i]);
    }
    if (!whole && one_in(history, 3) && object->facets[FACET_LIFE].present)
        object->facets[FACET_LIFE].bytes[0] ^= 1; /* dies or comes back */
    change_set_free(&changes);
    resource_free(resource);
    object->changed = true;
}

static bool give_object(const struct raw_object *object,
                        bool (*give)(void *target, const struct raw_facet *facet),
                        void *target)
{
    for (uint16_t f = 0; f < FACETS; f++) {
        const struct raw_value *value = &object->facets[f];
        if (!value->present)
            continue;
        struct raw_facet facet = {
            .object_id = object->id,
            .owner = value->owner,
            .type = value->type,
            .facet = f,
            .value = {value->bytes, value->size},
            .hlc = value->hlc,
            .stream = value->stream,
            .seq = value->seq,
            .entry_count = value->entry_count,
        };
        if (!give(target, &facet))
            return false;
    }
    return true;
}

static bool give_projection(void *target, const struct raw_facet *facet)
{
    return projection_add(target, facet);
}

static bool give_builder(void *target, const struct raw_facet *facet)
{
    return configuration_builder_add(target, facet);
}

static struct configuration *from_nothing(const struct history *history)
{
    struct configuration_builder *builder = configuration_builder_new();
    for (size_t i = 0; i < OBJECTS; i++)
        assert_true(give_object(&history->objects[i], give_builder, builder));
    struct configuration *configuration = configuration_builder_finish(builder);
    assert_non_null(configuration);
    return configuration;
}

static void change_some(struct history *history, struct projection *projection)
{
    size_t count = 1 + below(history, one_in(history, 4) ? 20 : 4);
    for (size_t i = 0; i < count; i++)
        write_object(history, &history->objects[below(history, OBJECTS)]);
    for (size_t i = 0; i < OBJECTS; i++) {
        struct raw_object *object = &history->objects[i];
        if (object->changed)
            assert_true(give_object(object, give_projection, projection));
        object->changed = false;
    }
    assert_true(projection_apply(projection));
}

/* ---- equality -------------------------------------------------------------------------------
 */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_object(const struct effective *a, const struct effective *b)
{
    struct change_set difference = {0};
    if (!uuid_equal(&a->resource->id, &b->resource->id) ||
        a->resource->type != b->resource->type ||
        !uuid_equal(&a->resource->owner, &b->resource->owner))
        return false;
    int changes = change_set_add_update(&difference, a->resource, b->resource);
    change_set_free(&difference);
    return changes == 0 && a->effective == b->effective && a->reason == b->reason &&
           same_text(a->reason_text, b->reason_text) && a->claim_hlc == b->claim_hlc &&
           a->claim_stream == b->claim_stream && a->claim_seq == b->claim_seq &&
           a->open_conflicts == b->open_conflicts && a->revision == b->revision &&
           a->resource->created_wall_ms == b->resource->created_wall_ms &&
           a->resource->updated_wall_ms == b->resource->updated_wall_ms;
}

static bool same_children(const struct configuration *a,
                          const struct configuration *b,
                          const struct uuid *owner)
{
    for (enum resource_type type = RESOURCE_LISTENER; type <= RESOURCE_HEALTH_MONITOR; type++) {
        const struct effective *x, *y;
        size_t i = 0;
        do {
            x = configuration_child(a, owner, type, i);
            y = configuration_child(b, owner, type, i++);
            if ((x != NULL) != (y != NULL) || (x && !same_object(x, y)))
                return false;
        } while (x);
    }
    return true;
}

static bool same_lookups(const struct configuration *a,
                         const struct configuration *b,
                         const struct effective *object)
{
    struct error first = {0}, second = {0};
    const struct resource *resource = object->resource;
    const struct effective *x =
        configuration_lookup(a, resource->type, &resource->owner, resource->name, &first);
    const struct effective *y =
        configuration_lookup(b, resource->type, &resource->owner, resource->name, &second);
    if ((x != NULL) != (y != NULL) || strcmp(first.text, second.text) != 0)
        return false;
    if (resource->type != RESOURCE_LOAD_BALANCER)
        return true;
    const struct vrrp_group *of_a, *of_b;
    of_a = configuration_group_of(a, (const struct load_balancer *)resource);
    of_b = configuration_group_of(b, (const struct load_balancer *)resource);
    return (of_a != NULL) == (of_b != NULL) &&
           (!of_a || uuid_equal(&of_a->resource.id, &of_b->resource.id));
}

static bool same_configuration(const struct configuration *a, const struct configuration *b)
{
    for (enum resource_type type = 0; type < RESOURCE_TYPE_LIMIT; type++) {
        const struct effective *x, *y;
        size_t i = 0;
        do {
            x = configuration_at(a, type, i);
            y = configuration_at(b, type, i++);
            if ((x != NULL) != (y != NULL))
                return false;
            if (x && (!same_object(x, y) || !same_children(a, b, &x->resource->id) ||
                      !same_lookups(a, b, x)))
                return false;
        } while (x);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        struct uuid id = id_of(i);
        if ((configuration_find(a, &id) != NULL) != (configuration_find(b, &id) != NULL))
            return false;
    }
    return true;
}

/* No claim has two effective owners (replication.md 17.1, I9): each pool has one monitor, and
 * each address one load balancer. */
static void assert_claims_are_unique(const struct configuration *configuration)
{
    const struct effective *at, *other;
    for (size_t i = 0; (at = configuration_at(configuration, RESOURCE_LOAD_BALANCER, i)); i++) {
        for (size_t j = 0;
             j < i && (other = configuration_at(configuration, RESOURCE_LOAD_BALANCER, j)); j++)
            assert_false(at->effective && other->effective &&
                         ip_address_equal(
                             &((const struct load_balancer *)at->resource)->vip_address,
                             &((const struct load_balancer *)other->resource)->vip_address));
    }
}

static void following_changes_equals_starting_from_nothing(void **context)
{
    size_t seen_reasons[REASON_WITHHELD + 1] = {0};
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        struct history *history = calloc(1, sizeof(*history));
        struct projection *projection = projection_new();
        random_sequence_init(&history->random, seed);
        for (unsigned i = 0; i < OBJECTS; i++) {
            history->objects[i].id = id_of(i);
            history->objects[i].type = type_of(i);
        }
        for (int step = 0; step < STEPS; step++) {
            change_some(history, projection);
            struct configuration *whole = from_nothing(history);
            const struct configuration *followed = projection_configuration(projection);
            if (!same_configuration(followed, whole))
                fail_msg("seed %llu, step %d", (unsigned long long)seed, step);
            assert_claims_are_unique(followed);
            for (unsigned i = 0; i < OBJECTS; i++) {
                const struct effective *at =
                    configuration_find(followed, &history->objects[i].id);
                if (at)
                    seen_reasons[at->reason]++;
            }
            configuration_free(whole);
        }
        projection_free(projection);
        free(history);
    }
    for (int reason = REASON_NONE; reason < REASON_WITHHELD; reason++)
        assert_true(seen_reasons[reason] > 1000); /* the histories are worth something */
}

/* ---- withholding ----------------------------------------------------------------------------
 */

static void give_all(struct projection *projection, const struct raw_state *state)
{
    for (size_t i = 0; i < state->ops.count; i++) {
        struct raw_facet facet = raw_state_facet(state, i);
        assert_true(projection_add(projection, &facet));
    }
    assert_true(projection_apply(projection));
}

static void a_withheld_object_is_known_by_name_and_not_effective(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct projection *projection = projection_new();
    assert_true(projection_withhold(projection, &ids.w1, WITHHOLD_RULES));
    give_all(projection, state);
    const struct configuration *c = projection_configuration(projection);
    const struct effective *w1 = configuration_find(c, &ids.w1);
    assert_false(w1->effective);
    assert_string_equal(ineffective_reason_name(w1->reason), "withheld");
    assert_string_equal(w1->resource->name, "w1");
    assert_true(configuration_find(c, &ids.w2)->effective);
    projection_release(projection, &ids.w1);
    give_all(projection, state);
    assert_true(configuration_find(c, &ids.w1)->effective);
    projection_free(projection);
    raw_state_free(state);
}

static void at_the_second_level_not_even_the_name_is_read(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct projection *projection = projection_new();
    assert_true(projection_withhold(projection, &ids.w1, WITHHOLD_VALUES));
    give_all(projection, state);
    const struct configuration *c = projection_configuration(projection);
    assert_string_equal(configuration_find(c, &ids.w1)->resource->name, "");
    projection_free(projection);
    raw_state_free(state);
}

static void changed_types_are_told_once(void **context)
{
    struct raw_state *state = raw_state_new();
    struct projection *projection = projection_new();
    raw_state_create(state, RESOURCE_VRRP_GROUP, NULL, "{'name': 'default', 'vrid': 51}");
    give_all(projection, state);
    assert_int_equal(projection_take_changed(projection), 1u << RESOURCE_VRRP_GROUP);
    assert_int_equal(projection_take_changed(projection), 0);
    projection_free(projection);
    raw_state_free(state);
}

/* ---- cost -----------------------------------------------------------------------------------
 */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add_members(struct raw_state *state, const struct uuid *pool, int count)
{
    for (int i = 0; i < count; i++) {
        char text[128];
        snprintf(text, sizeof(text),
                 "{'name': 'm%d', 'address': '10.1.%d.%d', "
                 "'protocol_port': 80}",
                 i, i / 250, 1 + i % 250);
        raw_state_create(state, RESOURCE_MEMBER, pool, text);
    }
}

static void the_cost_of_a_change_follows_the_change(void **context)
{
    enum {
        MEMBERS = 5000,
        CHANGES = 2000
    };
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct projection *projection = projection_new();
    add_members(state, &ids.workers, MEMBERS);
    double start = seconds();
    give_all(projection, state);
    double whole = seconds() - start;
    start = seconds();
    for (int change = 0; change < CHANGES; change++) {
        for (size_t i = 0; i < state->ops.count; i++) {
            size_t at = (size_t)(change * 31) % state->ops.count;
            const struct uuid *id = &state->ops.ops[at].object_id;
            if (i > 24)
                break;
            size_t near = at > 12 ? at - 12 + i : i;
            if (near >= state->ops.count || !uuid_equal(&state->ops.ops[near].object_id, id))
                continue;
            struct raw_facet facet = raw_state_facet(state, near);
            assert_true(projection_add(projection, &facet));
        }
        assert_true(projection_apply(projection));
    }
    double each = (seconds() - start) / CHANGES;
    print_message("# whole: %.1f ms for %d members; a change: %.1f us\n", whole * 1e3, MEMBERS,
                  each * 1e6);
    assert_true(each < whole / 20);
    projection_free(projection);
    raw_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(following_changes_equals_starting_from_nothing),
        cmocka_unit_test(a_withheld_object_is_known_by_name_and_not_effective),
        cmocka_unit_test(at_the_second_level_not_even_the_name_is_read),
        cmocka_unit_test(changed_types_are_told_once),
        cmocka_unit_test(the_cost_of_a_change_follows_the_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
