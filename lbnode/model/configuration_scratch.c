/* A copy of a configuration for trying changes on: it borrows the resources that it does not
 * change. Rules are not applied again; whoever changes it checks first. */
#include "lbnode/model/configuration_internal.h"

#include "lbnode/model/field_table.h"

#include <stdlib.h>

static const enum object_index kept_indexes[] = {INDEX_NAME, INDEX_CLAIM};

static bool link_all(struct configuration *scratch, struct object *object)
{
    enum ineffective_reason reason = object->effective.reason;
    bool may_claim = object->effective.effective || reason == REASON_CONFLICT;
    return object_link(scratch, object, INDEX_NAME) &&
           (!may_claim || object_link(scratch, object, INDEX_CLAIM));
}

static void unlink_all(struct configuration *scratch, struct object *object)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kept_indexes); i++)
        object_unlink(scratch, object, kept_indexes[i]);
}

static struct object_list *siblings_of(struct configuration *scratch,
                                       const struct resource *resource)
{
    struct object *owner = configuration_object(scratch, &resource->owner);
    return owner ? object_children(owner, resource->type) : NULL;
}

/* Takes OBJECT over, also on failure. */
static bool insert(struct configuration *scratch, struct object *object)
{
    struct resource *resource = object->effective.resource;
    if (!object_list_insert(&scratch->by_type[resource->type], object)) {
        object_free(object);
        return false;
    }
    struct object_list *siblings = siblings_of(scratch, resource);
    return (!siblings || object_list_insert(siblings, object)) &&
           uuid_map_set(&scratch->by_id, &resource->id, object) && link_all(scratch, object);
}

static struct object *borrow(const struct object *from)
{
    struct object *copy = calloc(1, sizeof(*copy));
    if (copy) {
        copy->effective = from->effective;
        copy->effective.reason_text = NULL;
        copy->borrows_resource = true;
    }
    return copy;
}

struct configuration *configuration_scratch(const struct configuration *configuration)
{
    struct configuration *scratch = configuration_new();
    const struct resource_class *class;
    for (size_t c = 0; scratch && (class = resource_class_at(c)); c++) {
        const struct object_list *list = &configuration->by_type[class->type];
        for (size_t i = 0; i < list->count; i++) {
            struct object *copy = borrow(list->items[i]);
            if (!copy || !insert(scratch, copy)) {
                configuration_free(scratch);
                return NULL;
            }
        }
    }
    return scratch;
}

bool configuration_scratch_put(struct configuration *scratch, struct resource *resource)
{
    struct object *object = configuration_object(scratch, &resource->id);
    if (!object) {
        object = calloc(1, sizeof(*object));
        if (!object) {
            resource_free(resource);
            return false;
        }
        object->effective = (struct effective){.resource = resource,
                                               .effective = true,
                                               .claim_hlc = UINT64_MAX,
                                               .claim_seq = scratch->scratch_created++};
        return insert(scratch, object);
    }
    unlink_all(scratch, object);
    if (!object->borrows_resource)
        resource_free(object->effective.resource);
    object->effective.resource = resource;
    object->borrows_resource = false;
    return link_all(scratch, object);
}

void configuration_scratch_remove(struct configuration *scratch, const struct uuid *id)
{
    struct object *object = configuration_object(scratch, id);
    if (!object)
        return;
    const struct resource *resource = object->effective.resource;
    struct object_list *siblings = siblings_of(scratch, resource);
    uuid_map_remove(&scratch->by_id, id);
    unlink_all(scratch, object);
    object_list_remove(&scratch->by_type[resource->type], object);
    if (siblings)
        object_list_remove(siblings, object);
    object_free(object);
}
