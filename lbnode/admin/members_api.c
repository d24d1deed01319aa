/* Batch update of a pool's members: PUT /pools/{id}/members makes them those of the body,
 * matched by address and port, in one change. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/resource_api.h"

#include <stdlib.h>

enum {
    MAXIMUM_MEMBERS = 8192 /* in one body */
};

struct wanted {
    struct json_value *item; /* normalised */
    struct ip_address address;
    int64_t port;
    bool has_key; /* address and port could be read; else the creation will say why not */
};

struct batch {
    const struct admin_request *request;
    const struct effective *pool;
    struct wanted wanted[MAXIMUM_MEMBERS];
    size_t count;
    struct change_set changes;
};

/* Members are the same when address and port are. */
static void read_key(struct wanted *wanted)
{
    const struct field *field = field_find(resource_class_of(RESOURCE_MEMBER), "protocol_port");
    const char *text = json_value_get_text(wanted->item, "address");
    struct resource *scratch = resource_new(RESOURCE_MEMBER);
    wanted->has_key =
        scratch && text && ip_address_parse(text, &wanted->address) &&
        field_from_json(field, scratch, json_value_get(wanted->item, "protocol_port"), NULL);
    if (wanted->has_key)
        wanted->port = ((const struct member *)scratch)->protocol_port;
    resource_free(scratch);
}

static bool is_key(const struct wanted *wanted, const struct ip_address *address, int64_t port)
{
    return wanted->has_key && wanted->port == port &&
           ip_address_equal(&wanted->address, address);
}

static const struct effective *existing_member(const struct batch *batch,
                                               const struct wanted *wanted)
{
    const struct effective *child;
    for (size_t i = 0;
         (child = configuration_child(batch->request->state->configuration,
                                      &batch->pool->resource->id, RESOURCE_MEMBER, i));
         i++) {
        const struct member *member = (const struct member *)child->resource;
        if (is_key(wanted, &member->address, member->protocol_port))
            return child;
    }
    return NULL;
}

static bool is_wanted(const struct batch *batch, const struct effective *object)
{
    const struct member *member = (const struct member *)object->resource;
    for (size_t i = 0; i < batch->count; i++) {
        if (is_key(&batch->wanted[i], &member->address, member->protocol_port))
            return true;
    }
    return false;
}

/* An update may repeat what was set at creation, as long as it says the same. */
static bool plan_update(struct batch *batch,
                        const struct effective *member,
                        const struct json_value *item,
                        struct error *error)
{
    const struct resource_class *class = resource_class_of(RESOURCE_MEMBER);
    struct json_value *changes = json_value_object();
    struct resource *after = resource_copy(member->resource);
    for (void *at = json_value_first(item); at; at = json_value_next(item, at)) {
        const struct field *field = field_find(class, json_value_key(at));
        if (!field || !(field->flags & FIELD_CREATE_ONLY))
            json_value_set(changes, json_value_key(at), json_value_copy(json_value_of(at)));
    }
    bool good = after && resource_update_from_json(after, changes, error) &&
                configuration_check_update(batch->request->state->configuration,
                                           member->resource, after, error) &&
                change_set_add_update(&batch->changes, member->resource, after) >= 0;
    json_value_free(changes);
    resource_free(after);
    return good;
}

static bool plan_create(struct batch *batch, const struct json_value *item, struct error *error)
{
    char pool_id[UUID_TEXT_SIZE];
    struct json_value *object = json_value_copy(item);
    uuid_format(&batch->pool->resource->id, pool_id);
    json_value_set_text(object, "pool_id", pool_id);
    struct resource *member =
        resource_from_json(resource_class_of(RESOURCE_MEMBER), object, error);
    bool good =
        member &&
        configuration_check_create(batch->request->state->configuration, member, error) &&
        change_set_add_create(&batch->changes, member);
    json_value_free(object);
    resource_free(member);
    return good;
}

static bool plan_deletes(struct batch *batch, struct error *error)
{
    const struct configuration *configuration = batch->request->state->configuration;
    const struct effective *child;
    for (size_t i = 0; (child = configuration_child(configuration, &batch->pool->resource->id,
                                                    RESOURCE_MEMBER, i));
         i++) {
        if (!is_wanted(batch, child) &&
            !configuration_plan_delete(configuration, child->resource, false, &batch->changes,
                                       error))
            return false;
    }
    return true;
}

static bool refuse_twice(const struct batch *batch, struct error *error)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < batch->count; i++) {
        const struct wanted *wanted = &batch->wanted[i];
        for (size_t j = 0; wanted->has_key && j < i; j++) {
            if (!is_key(&batch->wanted[j], &wanted->address, wanted->port))
                continue;
            ip_address_format(&wanted->address, address);
            return error_set(error, ERROR_INVALID,
                             "Validation failure: the member with address %s and "
                             "protocol_port %lld stands twice in the body.",
                             address, (long long)wanted->port);
        }
    }
    return true;
}

static bool read_items(struct batch *batch, struct error *error)
{
    const struct json_value *list = json_value_get(batch->request->body, "members");
    if (json_value_kind(list) != JSON_KIND_ARRAY)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: the body must be {\"members\": [{...}, ...]}");
    if (json_value_count(list) > MAXIMUM_MEMBERS)
        return error_set(error, ERROR_TOO_LARGE, "More than %d members in one body.",
                         MAXIMUM_MEMBERS);
    for (size_t i = 0; i < json_value_count(list); i++) {
        struct wanted *wanted = &batch->wanted[batch->count++];
        wanted->item = resource_api_normalise(json_value_at(list, i));
        read_key(wanted);
    }
    return refuse_twice(batch, error);
}

static bool plan(struct batch *batch, struct error *error)
{
    if (!read_items(batch, error))
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct wanted *wanted = &batch->wanted[i];
        const struct effective *member = existing_member(batch, wanted);
        if (member ? !plan_update(batch, member, wanted->item, error)
                   : !plan_create(batch, wanted->item, error))
            return error->kind != ERROR_NONE
                       ? false
                       : error_set(error, ERROR_TOO_LARGE, "The change is too large.");
    }
    return admin_request_flag(batch->request, "additive_only") || plan_deletes(batch, error);
}

static void run_batch(struct admin_request *request, struct batch *batch)
{
    struct error error = {0};
    batch->request = request;
    batch->pool = resource_api_find(request, RESOURCE_POOL, request->parameters[0], &error);
    if (!batch->pool || !plan(batch, &error))
        admin_answer_error(request, &error);
    else if (batch->changes.count == 0)
        admin_answer_empty(request, 202);
    else
        admin_change_submit(request, &batch->changes, &batch->pool->resource->id, 202,
                            resource_api_answer_empty);
}

void members_replace(struct admin_request *request)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    if (!batch) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    run_batch(request, batch);
    for (size_t i = 0; i < batch->count; i++)
        json_value_free(batch->wanted[i].item);
    change_set_free(&batch->changes);
    free(batch);
}
