/* A replicated state in miniature: change sets in, configuration out. */
#ifndef TESTS_UNIT_MODEL_RAW_STATE_H
#define TESTS_UNIT_MODEL_RAW_STATE_H

#include "lbnode/model/configuration.h"
#include "lbnode/model/field_table.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct raw_state {
    struct change_set ops; /* in the order in which they were applied */
    uint64_t hlc[CHANGE_SET_MAXIMUM_OPS];
    uint64_t now; /* hlc of the last change */
};

static inline struct raw_state *raw_state_new(void)
{
    struct raw_state *state = calloc(1, sizeof(*state));
    assert_non_null(state);
    return state;
}

static inline void raw_state_free(struct raw_state *state)
{
    change_set_free(&state->ops);
    free(state);
}

/* Applies CHANGES as one change set, a second later than the one before. */
static inline void raw_state_apply(struct raw_state *state, const struct change_set *changes)
{
    state->now += (uint64_t)1000 << 16;
    for (size_t i = 0; i < changes->count; i++) {
        const struct change_op *op = &changes->ops[i];
        state->hlc[state->ops.count] = state->now;
        assert_true(change_set_add(&state->ops, &op->object_id, &op->owner, op->type, op->facet,
                                   (struct bytes){op->value, op->value_size}));
    }
}

static inline struct raw_facet raw_state_facet(const struct raw_state *state, size_t index)
{
    const struct change_op *op = &state->ops.ops[index];
    return (struct raw_facet){
        .object_id = op->object_id,
        .owner = op->owner,
        .type = op->type,
        .facet = op->facet,
        .value = {op->value, op->value_size},
        .hlc = state->hlc[index],
        .stream = 1,
        .seq = 1,
        .entry_count = 1,
    };
}

static inline struct configuration *raw_state_project(const struct raw_state *state)
{
    struct configuration_builder *builder = configuration_builder_new();
    for (size_t i = 0; i < state->ops.count; i++) {
        struct raw_facet facet = raw_state_facet(state, i);
        assert_true(configuration_builder_add(builder, &facet));
    }
    struct configuration *configuration = configuration_builder_finish(builder);
    assert_non_null(configuration);
    return configuration;
}

/* A resource of TYPE below OWNER (NULL for roots) from JSON text with 'single' quotes. */
static inline struct resource *
described(enum resource_type type, const struct uuid *owner, const char *text)
{
    struct error error = {0};
    char json[2048];
    snprintf(json, sizeof(json), "%s", text);
    for (char *at = json; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    struct json_value *object = json_value_parse(json, strlen(json), &error);
    struct resource *resource =
        object ? resource_from_json(resource_class_of(type), object, &error) : NULL;
    if (!resource)
        fail_msg("%s: %s", error.text, json);
    if (owner)
        resource->owner = *owner;
    json_value_free(object);
    return resource;
}

/* Creates it without any check, as a merge would. */
static inline struct uuid raw_state_create(struct raw_state *state,
                                           enum resource_type type,
                                           const struct uuid *owner,
                                           const char *text)
{
    struct change_set changes = {0};
    struct resource *resource = described(type, owner, text);
    struct uuid id = resource->id;
    assert_true(change_set_add_create(&changes, resource));
    raw_state_apply(state, &changes);
    change_set_free(&changes);
    resource_free(resource);
    return id;
}

static inline void raw_state_delete(struct raw_state *state, const struct uuid *id)
{
    struct change_set changes = {0};
    struct configuration *configuration = raw_state_project(state);
    const struct effective *object = configuration_find(configuration, id);
    assert_non_null(object);
    assert_true(change_set_add_delete(&changes, object->resource));
    raw_state_apply(state, &changes);
    change_set_free(&changes);
    configuration_free(configuration);
}

/* A load balancer "web" with listener "http", pool "workers", members w1 and w2, a monitor. */
struct example_ids {
    struct uuid group, web, http, workers, w1, w2, monitor;
};

static inline struct example_ids raw_state_example(struct raw_state *state)
{
    struct example_ids ids;
    char listener[256], pool[UUID_TEXT_SIZE];
    ids.group =
        raw_state_create(state, RESOURCE_VRRP_GROUP, NULL, "{'name': 'default', 'vrid': 51}");
    ids.web = raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                               "{'name': 'web', 'vip_address': '10.77.0.100'}");
    ids.workers = raw_state_create(
        state, RESOURCE_POOL, &ids.web,
        "{'name': 'workers', 'protocol': 'HTTP', 'lb_algorithm': 'ROUND_ROBIN'}");
    uuid_format(&ids.workers, pool);
    snprintf(listener, sizeof(listener),
             "{'name': 'http', 'protocol': 'HTTP', 'protocol_port': 80, 'default_pool_id': "
             "'%s'}",
             pool);
    ids.http = raw_state_create(state, RESOURCE_LISTENER, &ids.web, listener);
    ids.w1 = raw_state_create(state, RESOURCE_MEMBER, &ids.workers,
                              "{'name': 'w1', 'address': '10.77.0.21', 'protocol_port': 80}");
    ids.w2 = raw_state_create(state, RESOURCE_MEMBER, &ids.workers,
                              "{'name': 'w2', 'address': '10.77.0.22', 'protocol_port': 80}");
    ids.monitor = raw_state_create(
        state, RESOURCE_HEALTH_MONITOR, &ids.workers,
        "{'type': 'HTTP', 'delay': 5, 'timeout': 3, 'max_retries': 3, 'url_path': '/'}");
    return ids;
}

#endif
