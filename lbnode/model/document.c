/* A document is planned against a scratch copy of the configuration that takes every step, so
 * that each step is checked against what the earlier ones leave. Order: match what exists,
 * delete what is not named (when asked to), then groups, secrets, load balancers, and below
 * each its pools with members and monitor before the listeners that refer to them. */
#include "lbnode/model/document_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- walking --------------------------------------------------------------------------------
 */

/* The list KEY of OBJECT; false when it is something else. NULL in OUT: absent. */
static bool get_list(struct planner *planner,
                     const struct document_item *parent,
                     const struct json_value *object,
                     const char *key,
                     const struct json_value **out)
{
    const struct json_value *list = json_value_get(object, key);
    *out = json_value_is_null(list) ? NULL : list;
    if (!*out || json_value_kind(list) == JSON_KIND_ARRAY)
        return true;
    error_set(planner->error, ERROR_INVALID, "Invalid input: %s must be a list", key);
    return parent ? planner_refuse(planner, parent->path) : false;
}

typedef bool item_visitor(struct planner *planner, const struct document_item *item);

static bool visit_list(struct planner *planner,
                       const struct document_item *parent,
                       const struct json_value *object,
                       enum resource_type type,
                       const struct uuid *owner,
                       item_visitor *visit)
{
    const struct resource_class *class = resource_class_of(type);
    const struct json_value *list;
    struct document_item item;
    if (!get_list(planner, parent, object, class->plural, &list))
        return false;
    for (size_t i = 0; i < json_value_count(list); i++) {
        if (!document_item_open(planner, parent, class, owner, json_value_at(list, i), i,
                                &item) ||
            !visit(planner, &item))
            return false;
    }
    return true;
}

static bool visit_monitor(struct planner *planner,
                          const struct document_item *pool,
                          const struct uuid *owner,
                          item_visitor *visit)
{
    const struct resource_class *class = resource_class_of(RESOURCE_HEALTH_MONITOR);
    const struct json_value *value = json_value_get(pool->value, class->noun);
    struct document_item item;
    return json_value_is_null(value) ||
           (document_item_open(planner, pool, class, owner, value, 0, &item) &&
            visit(planner, &item));
}

/* ---- first walk: what the document names ----------------------------------------------------
 */

static const struct resource *
mark_named(struct planner *planner, const struct document_item *item, bool *out_failed)
{
    const struct resource *found = NULL;
    *out_failed = !document_item_match(planner, item, &found) ||
                  (found && !uuid_map_set(&planner->named, &found->id, planner));
    return *out_failed ? NULL : found;
}

static bool mark_leaf(struct planner *planner, const struct document_item *item)
{
    bool failed;
    mark_named(planner, item, &failed);
    return !failed;
}

static bool mark_pool(struct planner *planner, const struct document_item *item)
{
    bool failed;
    const struct resource *pool = mark_named(planner, item, &failed);
    if (!pool)
        return !failed;
    return visit_list(planner, item, item->value, RESOURCE_MEMBER, &pool->id, mark_leaf) &&
           visit_monitor(planner, item, &pool->id, mark_leaf);
}

static bool mark_load_balancer(struct planner *planner, const struct document_item *item)
{
    bool failed;
    const struct resource *found = mark_named(planner, item, &failed);
    if (!found)
        return !failed;
    return visit_list(planner, item, item->value, RESOURCE_POOL, &found->id, mark_pool) &&
           visit_list(planner, item, item->value, RESOURCE_LISTENER, &found->id, mark_leaf);
}

/* ---- deleting what is not named -------------------------------------------------------------
 */

static bool detach_scratch_listeners(struct planner *planner, const struct resource *pool)
{
    const struct effective *at;
    for (size_t i = 0;
         (at = configuration_child(planner->scratch, &pool->owner, RESOURCE_LISTENER, i));
         i++) {
        if (!uuid_equal(&((const struct listener *)at->resource)->default_pool_id, &pool->id))
            continue;
        struct resource *detached = resource_copy(at->resource);
        if (!detached)
            return planner_out_of_memory(planner);
        memset(&((struct listener *)detached)->default_pool_id, 0, sizeof(struct uuid));
        if (!configuration_scratch_put(planner->scratch, detached))
            return planner_out_of_memory(planner);
    }
    return true;
}

/* Removes from the scratch what the operations from FIRST on delete; children come first. */
static void remove_deleted(struct planner *planner, size_t first)
{
    const struct change_set *changes = planner->plan->changes;
    for (size_t i = first; i < changes->count; i++) {
        const struct change_op *op = &changes->ops[i];
        if (op->facet == FACET_LIFE && op->value_size == 1 && op->value[0] == 0)
            configuration_scratch_remove(planner->scratch, &op->object_id);
    }
}

static void object_path(const struct configuration *configuration,
                        const struct resource *resource,
                        char *out,
                        size_t out_size)
{
    char label[300], above[DOCUMENT_PATH_SIZE] = "";
    const struct effective *owner = configuration_find(configuration, &resource->owner);
    document_label(resource, label, sizeof(label));
    if (owner) /* at most two levels up */
        object_path(configuration, owner->resource, above, sizeof(above));
    snprintf(out, out_size, "%s%s%s %s", above, *above ? " / " : "",
             resource_class_of(resource->type)->noun, label);
}

static bool plan_removal(struct planner *planner, const struct resource *resource)
{
    char path[DOCUMENT_PATH_SIZE];
    size_t first = planner->plan->changes->count;
    object_path(planner->scratch, resource, path, sizeof(path));
    if (!configuration_plan_delete(planner->scratch, resource, true, planner->plan->changes,
                                   planner->error))
        return planner_refuse(planner, path);
    if (!planner_add_step(planner, DOCUMENT_DELETE, resource, path, NULL) ||
        (resource->type == RESOURCE_POOL && !detach_scratch_listeners(planner, resource)))
        return false;
    remove_deleted(planner, first);
    return true;
}

/* From the end, so that removal does not move what is still to come. */
static bool
prune_children(struct planner *planner, const struct uuid *owner, enum resource_type type)
{
    const struct effective *at;
    size_t count = 0;
    while (configuration_child(planner->scratch, owner, type, count))
        count++;
    while (count-- > 0) {
        at = configuration_child(planner->scratch, owner, type, count);
        if (at && !uuid_map_get(&planner->named, &at->resource->id) &&
            !plan_removal(planner, at->resource))
            return false;
    }
    return true;
}

static bool prune_load_balancer(struct planner *planner, const struct uuid *id)
{
    const struct effective *pool;
    if (!prune_children(planner, id, RESOURCE_LISTENER) ||
        !prune_children(planner, id, RESOURCE_POOL))
        return false;
    for (size_t i = 0; (pool = configuration_child(planner->scratch, id, RESOURCE_POOL, i));
         i++) {
        if (!prune_children(planner, &pool->resource->id, RESOURCE_MEMBER) ||
            !prune_children(planner, &pool->resource->id, RESOURCE_HEALTH_MONITOR))
            return false;
    }
    return true;
}

static bool prune_roots(struct planner *planner, enum resource_type type)
{
    size_t count = planner->scratch->by_type[type].count;
    while (count-- > 0) {
        const struct resource *resource =
            configuration_at(planner->scratch, type, count)->resource;
        bool named = uuid_map_get(&planner->named, &resource->id) ||
                     uuid_map_get(&planner->done, &resource->id);
        if (named && type == RESOURCE_LOAD_BALANCER &&
            !prune_load_balancer(planner, &resource->id))
            return false;
        bool spared = type == RESOURCE_VRRP_GROUP && strcmp(resource->name, "default") == 0;
        if (!named && !spared && !plan_removal(planner, resource))
            return false;
    }
    return true;
}

/* ---- second walk: creating and updating -----------------------------------------------------
 */

static bool plan_leaf(struct planner *planner, const struct document_item *item)
{
    struct uuid id;
    return document_item_plan(planner, item, &id);
}

static bool plan_pool(struct planner *planner, const struct document_item *item)
{
    struct uuid id;
    return document_item_plan(planner, item, &id) &&
           visit_list(planner, item, item->value, RESOURCE_MEMBER, &id, plan_leaf) &&
           visit_monitor(planner, item, &id, plan_leaf);
}

static bool plan_load_balancer(struct planner *planner, const struct document_item *item)
{
    struct uuid id;
    return document_item_plan(planner, item, &id) &&
           visit_list(planner, item, item->value, RESOURCE_POOL, &id, plan_pool) &&
           visit_list(planner, item, item->value, RESOURCE_LISTENER, &id, plan_leaf);
}

static bool is_top_key(const char *key)
{
    static const enum resource_type types[] = {RESOURCE_LOAD_BALANCER, RESOURCE_VRRP_GROUP,
                                               RESOURCE_SECRET};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        if (strcmp(key, resource_class_of(types[i])->plural) == 0)
            return true;
    }
    return false;
}

static bool check_top(struct planner *planner, const struct json_value *document)
{
    if (json_value_kind(document) != JSON_KIND_OBJECT)
        return error_set(planner->error, ERROR_INVALID,
                         "Invalid input: a document must be a mapping with loadbalancers, "
                         "vrrp_groups and secrets");
    for (void *at = json_value_first(document); at; at = json_value_next(document, at)) {
        const char *key = json_value_key(at);
        if (!is_top_key(key))
            return error_set(planner->error, ERROR_INVALID,
                             "Unknown attribute for argument document: %.64s; known are "
                             "loadbalancers, vrrp_groups and secrets",
                             key);
    }
    return true;
}

/* A list that the document lacks altogether is not pruned. */
static bool prunes(const struct planner *planner,
                   const struct json_value *document,
                   enum resource_type type)
{
    return planner->prune &&
           !json_value_is_null(json_value_get(document, resource_class_of(type)->plural));
}

static bool plan_all(struct planner *planner, const struct json_value *document)
{
    if (!check_top(planner, document) ||
        !visit_list(planner, NULL, document, RESOURCE_VRRP_GROUP, NULL, mark_leaf) ||
        !visit_list(planner, NULL, document, RESOURCE_SECRET, NULL, mark_leaf) ||
        !visit_list(planner, NULL, document, RESOURCE_LOAD_BALANCER, NULL, mark_load_balancer))
        return false;
    if (prunes(planner, document, RESOURCE_LOAD_BALANCER) &&
        !prune_roots(planner, RESOURCE_LOAD_BALANCER))
        return false;
    if (!visit_list(planner, NULL, document, RESOURCE_VRRP_GROUP, NULL, plan_leaf) ||
        !visit_list(planner, NULL, document, RESOURCE_SECRET, NULL, plan_leaf) ||
        !visit_list(planner, NULL, document, RESOURCE_LOAD_BALANCER, NULL, plan_load_balancer))
        return false;
    return (!prunes(planner, document, RESOURCE_VRRP_GROUP) ||
            prune_roots(planner, RESOURCE_VRRP_GROUP)) &&
           (!prunes(planner, document, RESOURCE_SECRET) ||
            prune_roots(planner, RESOURCE_SECRET));
}

bool configuration_plan_document(const struct configuration *configuration,
                                 const struct json_value *document,
                                 bool prune,
                                 const struct sensitive_keys *keys,
                                 struct document_plan *out_plan,
                                 struct error *error)
{
    struct planner planner = {.plan = out_plan, .error = error, .keys = keys, .prune = prune};
    memset(out_plan, 0, sizeof(*out_plan));
    out_plan->changes = calloc(1, sizeof(*out_plan->changes));
    planner.scratch = configuration_scratch(configuration);
    bool planned = false;
    if (out_plan->changes && planner.scratch)
        planned = plan_all(&planner, document);
    else
        planner_out_of_memory(&planner);
    configuration_free(planner.scratch);
    uuid_map_free(&planner.named);
    uuid_map_free(&planner.done);
    if (!planned)
        document_plan_free(out_plan);
    return planned;
}

void document_plan_free(struct document_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->step_count; i++) {
        free(plan->steps[i].path);
        free(plan->steps[i].detail);
    }
    free(plan->steps);
    if (plan->changes)
        change_set_free(plan->changes);
    free(plan->changes);
    memset(plan, 0, sizeof(*plan));
}
