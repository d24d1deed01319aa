#include "lbnode/admin/resource_api.h"

#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_routes.h"
#include "lbnode/admin/list_query.h"
#include "lbnode/admin/resource_view.h"
#include "lbnode/admin/revision.h"
#include "lbnode/admin/secrets_api.h"
#include "lbnode/admin/vrid_choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding -------------------------------------------------------------------------------
 */

const struct effective *resource_api_find(const struct admin_request *request,
                                          enum resource_type type,
                                          const char *id_text,
                                          struct error *error)
{
    const struct resource_class *class = resource_class_of(type);
    struct uuid id;
    const struct effective *object =
        uuid_parse(id_text, &id) ? configuration_find(request->state->configuration, &id)
                                 : NULL;
    if (object && object->resource->type == type)
        return object;
    error_set(error, ERROR_NOT_FOUND, "%s %.64s not found.", class->title, id_text);
    return NULL;
}

/* The object that the path names; a member must be in the pool of the path. */
static const struct effective *find_target(const struct admin_request *request,
                                           struct error *error)
{
    enum resource_type type = request->route->type;
    if (type != RESOURCE_MEMBER)
        return resource_api_find(request, type, request->parameters[0], error);
    const struct effective *pool =
        resource_api_find(request, RESOURCE_POOL, request->parameters[0], error);
    const struct effective *member =
        pool ? resource_api_find(request, type, request->parameters[1], error) : NULL;
    if (member && !uuid_equal(&member->resource->owner, &pool->resource->id)) {
        error_set(error, ERROR_NOT_FOUND, "Member %.64s not found.", request->parameters[1]);
        return NULL;
    }
    return member;
}

/* ---- reading -------------------------------------------------------------------------------
 */

static bool view_has(const void *context, const char *name)
{
    return resource_view_has(*(const enum resource_type *)context, name);
}

struct item_list {
    struct json_value **items;
    size_t count, capacity;
};

static bool add_item(struct item_list *list, struct json_value *item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct json_value **items =
            realloc(list->items, capacity * sizeof(struct json_value *));
        if (!items) {
            json_value_free(item);
            return false;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return true;
}

static struct json_value *view_of(const struct admin_request *request,
                                  const struct effective *object)
{
    struct json_value *view = resource_view(request->state, object);
    if (object->resource->type == RESOURCE_SECRET)
        secrets_add_reference(request, view);
    return view;
}

static void collect(const struct admin_request *request,
                    const struct list_query *query,
                    const struct uuid *owner,
                    struct item_list *list)
{
    const struct configuration *configuration = request->state->configuration;
    enum resource_type type = request->route->type;
    const struct effective *object;
    for (size_t i = 0; (object = owner ? configuration_child(configuration, owner, type, i)
                                       : configuration_at(configuration, type, i));
         i++) {
        struct json_value *item = view_of(request, object);
        if (!list_query_matches(query, item))
            json_value_free(item);
        else if (!add_item(list, item))
            return;
    }
}

static void base_address(const struct admin_request *request, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "http://%s", request->host);
    for (size_t i = 0; i < request->url.segment_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "/%.64s", request->url.segments[i]);
}

void resource_list(struct admin_request *request)
{
    const struct resource_class *class = resource_class_of(request->route->type);
    const struct effective *owner = NULL;
    struct list_query query;
    struct item_list list = {0};
    struct error error = {0};
    char base[768];
    if (class->type == RESOURCE_MEMBER) {
        owner = resource_api_find(request, RESOURCE_POOL, request->parameters[0], &error);
        if (!owner) {
            admin_answer_error(request, &error);
            return;
        }
    }
    if (!list_query_read(&query, &request->url, view_has, &class->type, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    collect(request, &query, owner ? &owner->resource->id : NULL, &list);
    base_address(request, base, sizeof(base));
    struct json_value *answer =
        list_query_answer(&query, class->plural, base, list.items, list.count, &error);
    free(list.items);
    if (answer)
        admin_answer_json(request, 200, answer);
    else
        admin_answer_error(request, &error);
}

static void
answer_object(struct admin_request *request, int status, const struct effective *object)
{
    const struct resource_class *class = resource_class_of(object->resource->type);
    struct json_value *view = list_query_fields(&request->url, view_of(request, object));
    revision_tell(request, object);
    if (class->is_bare)
        admin_answer_json(request, status, view);
    else
        admin_answer_wrapped(request, status, class->noun, view);
}

void resource_show(struct admin_request *request)
{
    struct error error = {0};
    const struct effective *object = find_target(request, &error);
    if (object)
        answer_object(request, 200, object);
    else
        admin_answer_error(request, &error);
}

/* ---- answers after a change ----------------------------------------------------------------
 */

void resource_api_answer_object(struct admin_request *request)
{
    const struct admin_change *change = request->change;
    const struct effective *object =
        configuration_find(request->state->configuration, &change->object_id);
    if (object)
        answer_object(request, change->status, object);
    else
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE,
                           "The change was committed, but the object is not there: another "
                           "change may have deleted it. List the objects to see.");
}

void resource_api_answer_empty(struct admin_request *request)
{
    admin_answer_empty(request, request->change->status);
}

/* ---- creating ------------------------------------------------------------------------------
 */

static bool says_the_same(const struct json_value *value, const char *constant)
{
    char *printed = json_value_print(value, 0);
    bool same = printed && strcmp(printed, constant) == 0;
    free(printed);
    return same || json_value_is_null(value);
}

static struct json_value *plain_addresses(const struct json_value *vips)
{
    struct json_value *list = json_value_array();
    for (size_t i = 0; i < json_value_count(vips); i++) {
        const struct json_value *vip = json_value_at(vips, i);
        const struct json_value *address = json_value_get(vip, "ip_address");
        json_value_append(list, json_value_copy(address ? address : vip));
    }
    return list;
}

struct json_value *resource_api_normalise(const struct json_value *object)
{
    struct json_value *copy = json_value_object();
    for (void *at = json_value_first(object); at; at = json_value_next(object, at)) {
        const char *key = json_value_key(at);
        const struct json_value *value = json_value_of(at);
        const char *constant = resource_view_constant(key);
        if (constant && says_the_same(value, constant))
            continue;
        bool vips =
            strcmp(key, "additional_vips") == 0 && json_value_kind(value) == JSON_KIND_ARRAY;
        json_value_set(copy, key, vips ? plain_addresses(value) : json_value_copy(value));
    }
    return copy;
}

static const struct field *owner_field(const struct resource_class *class)
{
    for (size_t i = 0; i < class->field_count; i++) {
        if (class->fields[i].flags & FIELD_OWNER)
            return &class->fields[i];
    }
    return NULL;
}

/* The owner must be named and there. */
static bool check_owner(const struct admin_request *request,
                        const struct json_value *object,
                        const struct resource_class *class,
                        struct error *error)
{
    const struct field *field = owner_field(class);
    if (!field)
        return true;
    const struct json_value *value = json_value_get(object, field->name);
    struct uuid id;
    if (json_value_is_null(value))
        return error_invalid_field(error, field->name, "None", "Mandatory field missing.");
    const char *text = json_value_text(value);
    if (!text || !uuid_parse(text, &id))
        return error_invalid_field(error, field->name, text ? text : "",
                                   "Value should be UUID format");
    return resource_api_find(request, class->owner_type, text, error) != NULL;
}

struct resource *resource_api_build(const struct admin_request *request,
                                    enum resource_type type,
                                    struct json_value *object,
                                    struct error *error)
{
    const struct resource_class *class = resource_class_of(type);
    struct resource *resource = resource_from_json(class, object, error);
    bool good = resource && check_owner(request, object, class, error);
    json_value_free(object);
    if (resource && !uuid_is_zero(&request->change_id))
        resource->id = uuid_derived(&request->change_id, class->noun);
    if (good && (configuration_find(request->state->configuration, &resource->id) ||
                 configuration_check_create(request->state->configuration, resource, error)))
        return resource;
    resource_free(resource);
    return NULL;
}

bool resource_api_is_repeat(struct admin_request *request, const struct uuid *id)
{
    const struct effective *object = configuration_find(request->state->configuration, id);
    if (!object)
        return false;
    admin_request_header(request, "X-Lbnode-Note", "this change was already made");
    answer_object(request, 201, object);
    return true;
}

void resource_api_submit_create(struct admin_request *request,
                                struct resource *resource,
                                struct change_set *changes)
{
    struct uuid id = resource->id;
    if (resource_api_is_repeat(request, &id)) {
        change_set_free(changes);
    } else if (change_set_add_create(changes, resource)) {
        admin_change_submit(request, changes, &id, 201, resource_api_answer_object);
    } else {
        change_set_free(changes);
        admin_answer_fault(request, 413, ERROR_TOO_LARGE, "The object is too large.");
    }
    resource_free(resource);
}

static bool
pick_vrid(const struct admin_request *request, struct json_value *object, struct error *error)
{
    if (!json_value_is_null(json_value_get(object, "vrid")))
        return true;
    uint8_t vrid = vrid_choose(request->state, error);
    if (vrid != 0)
        json_value_set_number(object, "vrid", vrid);
    return vrid != 0;
}

/* The attributes that the client sent; bare ones may have a root tag as all others. */
static struct json_value *attributes_of(const struct admin_request *request,
                                        const struct resource_class *class,
                                        bool *out_is_base64,
                                        struct error *error)
{
    bool is_tagged = !json_value_is_null(json_value_get(request->body, class->noun));
    const struct json_value *root =
        class->is_bare && !is_tagged && json_value_kind(request->body) == JSON_KIND_OBJECT
            ? request->body
            : admin_request_root(request, class->noun, error);
    struct json_value *object = root ? resource_api_normalise(root) : NULL;
    *out_is_base64 = false;
    if (object && class->type == RESOURCE_SECRET &&
        !secrets_take_encoding(object, out_is_base64, error)) {
        json_value_free(object);
        return NULL;
    }
    return object;
}

void resource_create(struct admin_request *request)
{
    const struct resource_class *class = resource_class_of(request->route->type);
    struct error error = {0};
    struct change_set changes = {0};
    bool is_base64;
    struct json_value *object = attributes_of(request, class, &is_base64, &error);
    if (object && class->type == RESOURCE_MEMBER) {
        /* The path names the pool. */
        const char *pool_id = request->parameters[0];
        if (!resource_api_find(request, RESOURCE_POOL, pool_id, &error)) {
            json_value_free(object);
            object = NULL;
        } else {
            json_value_set_text(object, "pool_id", pool_id);
        }
    }
    if (object && class->type == RESOURCE_VRRP_GROUP && !pick_vrid(request, object, &error)) {
        json_value_free(object);
        object = NULL;
    }
    struct resource *resource =
        object ? resource_api_build(request, class->type, object, &error) : NULL;
    if (resource && class->type == RESOURCE_SECRET && admin_change_needs_cluster(request)) {
        resource_free(resource);
    } else if (resource && secrets_seal(request, resource, NULL, is_base64, &error)) {
        resource_api_submit_create(request, resource, &changes);
    } else {
        resource_free(resource);
        admin_answer_error(request, &error);
    }
}

/* ---- changing and deleting -----------------------------------------------------------------
 */

static const struct effective *find_target_to_change(const struct admin_request *request,
                                                     struct error *error)
{
    const struct effective *object = find_target(request, error);
    return object && revision_check(request, object, error) ? object : NULL;
}

static void submit_update(struct admin_request *request,
                          const struct effective *object,
                          const struct resource *after,
                          const struct json_value *wanted)
{
    struct change_set changes = {0};
    struct uuid id = after->id;
    /* Whoever sets the value that is in force means to close the conflict about it. */
    int changed = object->open_conflicts > 0
                      ? change_set_add_named(&changes, after, wanted)
                      : change_set_add_update(&changes, object->resource, after);
    if (changed > 0) {
        admin_change_submit(request, &changes, &id, 200, resource_api_answer_object);
        return;
    }
    change_set_free(&changes);
    if (changed < 0) {
        admin_answer_fault(request, 413, ERROR_TOO_LARGE, "The object is too large.");
        return;
    }
    admin_request_header(request, "X-Lbnode-Note", "nothing to change");
    answer_object(request, 200, object);
}

void resource_update(struct admin_request *request)
{
    const struct configuration *configuration = request->state->configuration;
    const struct resource_class *class = resource_class_of(request->route->type);
    struct error error = {0};
    const struct effective *object = find_target_to_change(request, &error);
    bool is_base64;
    struct json_value *wanted =
        object ? attributes_of(request, class, &is_base64, &error) : NULL;
    struct resource *after = wanted ? resource_copy(object->resource) : NULL;
    if (after && resource_update_from_json(after, wanted, &error) &&
        configuration_check_update(configuration, object->resource, after, &error) &&
        secrets_seal(request, after, object->resource, is_base64, &error)) {
        submit_update(request, object, after, wanted);
    } else {
        if (error.kind == ERROR_NONE)
            error_set(&error, ERROR_UNAVAILABLE, "out of memory");
        admin_answer_error(request, &error);
    }
    json_value_free(wanted);
    resource_free(after);
}

void resource_delete(struct admin_request *request)
{
    struct error error = {0};
    struct change_set changes = {0};
    const struct effective *object = find_target_to_change(request, &error);
    if (object &&
        configuration_plan_delete(request->state->configuration, object->resource,
                                  admin_request_flag(request, "cascade"), &changes, &error)) {
        struct uuid id = object->resource->id;
        admin_change_submit(request, &changes, &id, 204, resource_api_answer_empty);
        return;
    }
    change_set_free(&changes);
    admin_answer_error(request, &error);
}
