#include "lbnode/model/configuration_internal.h"

#include "lbnode/model/field_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const reason_names[] = {
    [REASON_NONE] = "none",       [REASON_CONFLICT] = "conflict",
    [REASON_ORPHAN] = "orphan",   [REASON_DANGLING] = "dangling",
    [REASON_INVALID] = "invalid", [REASON_WITHHELD] = "withheld",
};

const char *ineffective_reason_name(enum ineffective_reason reason)
{
    return (size_t)reason < ARRAY_LENGTH(reason_names) ? reason_names[reason] : "unknown";
}

const char *resource_title(enum resource_type type)
{
    const struct resource_class *class = resource_class_of(type);
    return class ? class->title : "Resource";
}

/* ---- keys of the indexes -------------------------------------------------------------------
 */

static struct uuid name_key(enum resource_type type, const struct uuid *owner, const char *name)
{
    struct uuid space = *owner;
    space.bytes[0] ^= (uint8_t)type;
    return uuid_derived(&space, name);
}

static struct uuid address_key(const struct uuid *owner,
                               enum resource_type type,
                               const struct ip_address *address,
                               int64_t port)
{
    char text[IP_ADDRESS_TEXT_SIZE + 48], address_text[IP_ADDRESS_TEXT_SIZE];
    ip_address_format(address, address_text);
    snprintf(text, sizeof(text), "%d %s %lld", (int)type, address_text, (long long)port);
    return uuid_derived(owner, text);
}

/* False: objects of this type claim nothing. */
static bool claim_key(const struct resource *resource, struct uuid *out)
{
    static const struct ip_address no_address;
    switch (resource->type) {
    case RESOURCE_VRRP_GROUP:
        *out = address_key(&resource->owner, resource->type, &no_address,
                           ((const struct vrrp_group *)resource)->vrid);
        return true;
    case RESOURCE_LOAD_BALANCER: {
        const struct load_balancer *load_balancer = (const struct load_balancer *)resource;
        *out = address_key(&resource->owner, resource->type, &load_balancer->vip_address, 0);
        return load_balancer->vip_address.family != 0;
    }
    case RESOURCE_LISTENER: /* HTTP and TCP are one transport protocol */
        *out = address_key(&resource->owner, resource->type, &no_address,
                           ((const struct listener *)resource)->protocol_port);
        return true;
    case RESOURCE_MEMBER: {
        const struct member *member = (const struct member *)resource;
        *out = address_key(&resource->owner, resource->type, &member->address,
                           member->protocol_port);
        return true;
    }
    case RESOURCE_HEALTH_MONITOR:
        *out = address_key(&resource->owner, resource->type, &no_address, 0);
        return true;
    default: return false;
    }
}

/* False: the object stands in no chain of this index. */
static bool
index_key(const struct resource *resource, enum object_index index, struct uuid *out)
{
    switch (index) {
    case INDEX_NAME:
        *out = name_key(resource->type, &resource->owner, resource->name);
        return *resource->name != '\0';
    case INDEX_CLAIM: return claim_key(resource, out);
    case INDEX_WAITING: *out = resource->owner; return true;
    case INDEX_REFERENCE:
        if (resource->type == RESOURCE_LISTENER)
            *out = ((const struct listener *)resource)->default_pool_id;
        else if (resource->type == RESOURCE_LOAD_BALANCER)
            *out = ((const struct load_balancer *)resource)->vrrp_group_id;
        else
            return false;
        return !uuid_is_zero(out);
    }
    return false;
}

/* ---- lists and chains ----------------------------------------------------------------------
 */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int object_compare(const struct object *a, const struct object *b)
{
    const struct effective *x = &a->effective, *y = &b->effective;
    int order = compare_numbers(x->claim_hlc, y->claim_hlc);
    if (order == 0)
        order = compare_numbers(x->claim_stream, y->claim_stream);
    if (order == 0)
        order = compare_numbers(x->claim_seq, y->claim_seq);
    return order != 0 ? order : uuid_compare(&x->resource->id, &y->resource->id);
}

/* Where OBJECT stands or belongs. */
static size_t list_place(const struct object_list *list, const struct object *object)
{
    size_t low = 0, high = list->count;
    if (high > 0 && object_compare(list->items[high - 1], object) < 0)
        return high; /* new objects come last */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (object_compare(list->items[middle], object) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool object_list_insert(struct object_list *list, struct object *object)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        struct object **items = realloc(list->items, capacity * sizeof(struct object *));
        if (!items)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    size_t at = list_place(list, object);
    memmove(&list->items[at + 1], &list->items[at],
            (list->count++ - at) * sizeof(struct object *));
    list->items[at] = object;
    return true;
}

void object_list_remove(struct object_list *list, const struct object *object)
{
    size_t at = list_place(list, object);
    if (at == list->count || list->items[at] != object)
        return;
    memmove(&list->items[at], &list->items[at + 1],
            (--list->count - at) * sizeof(struct object *));
}

struct object_list *object_children(struct object *owner, enum resource_type type)
{
    const struct resource_class *class = resource_class_of(type);
    if (class->owner_type == RESOURCE_NONE ||
        class->owner_type != owner->effective.resource->type)
        return NULL;
    switch (type) {
    case RESOURCE_LISTENER:
    case RESOURCE_MEMBER: return &owner->children[0];
    case RESOURCE_POOL:
    case RESOURCE_HEALTH_MONITOR: return &owner->children[1];
    default: return NULL;
    }
}

/* Claims stay in order of age. The others have no order, and there may be thousands with one
 * key: the newest goes first. */
static bool chain_add(struct uuid_map *map,
                      const struct uuid *key,
                      enum object_index index,
                      struct object *object)
{
    struct object *first = uuid_map_get(map, key);
    if (!first || index != INDEX_CLAIM || object_compare(object, first) < 0) {
        object->next[index] = first;
        return uuid_map_set(map, key, object);
    }
    while (first->next[index] && object_compare(first->next[index], object) < 0)
        first = first->next[index];
    object->next[index] = first->next[index];
    first->next[index] = object;
    return true;
}

static void chain_remove(struct uuid_map *map,
                         const struct uuid *key,
                         enum object_index index,
                         struct object *object)
{
    struct object *first = uuid_map_get(map, key);
    if (first == object) {
        uuid_map_remove(map, key);
        if (object->next[index])
            uuid_map_set(map, key, object->next[index]); /* in the room just freed */
        return;
    }
    for (struct object *at = first; at; at = at->next[index]) {
        if (at->next[index] == object) {
            at->next[index] = object->next[index];
            return;
        }
    }
}

bool object_link(struct configuration *configuration,
                 struct object *object,
                 enum object_index index)
{
    struct uuid key;
    if (object->linked & 1u << index || !index_key(object->effective.resource, index, &key))
        return true;
    if (!chain_add(&configuration->indexes[index], &key, index, object))
        return false;
    object->linked |= 1u << index;
    return true;
}

void object_unlink(struct configuration *configuration,
                   struct object *object,
                   enum object_index index)
{
    struct uuid key;
    if (!(object->linked & 1u << index) || !index_key(object->effective.resource, index, &key))
        return;
    chain_remove(&configuration->indexes[index], &key, index, object);
    object->linked &= ~(1u << index);
}

/* ---- objects -------------------------------------------------------------------------------
 */

void object_free(struct object *object)
{
    if (!object)
        return;
    if (!object->borrows_resource)
        resource_free(object->effective.resource);
    free(object->effective.reason_text);
    free(object->own.text);
    for (int kind = 0; kind < OBJECT_CHILD_KINDS; kind++)
        free(object->children[kind].items);
    free(object);
}

struct configuration *configuration_new(void)
{
    return calloc(1, sizeof(struct configuration));
}

void configuration_free(struct configuration *configuration)
{
    if (!configuration)
        return;
    for (int type = 0; type < RESOURCE_TYPE_LIMIT; type++) {
        struct object_list *list = &configuration->by_type[type];
        for (size_t i = 0; i < list->count; i++)
            object_free(list->items[i]);
        free(list->items);
    }
    for (int index = 0; index < OBJECT_INDEXES; index++)
        uuid_map_free(&configuration->indexes[index]);
    uuid_map_free(&configuration->by_id);
    free(configuration);
}

/* ---- reading -------------------------------------------------------------------------------
 */

const struct object *configuration_claimants(const struct configuration *configuration,
                                             const struct resource *resource)
{
    struct uuid key;
    return claim_key(resource, &key) ? uuid_map_get(&configuration->indexes[INDEX_CLAIM], &key)
                                     : NULL;
}

const struct object *configuration_named(const struct configuration *configuration,
                                         enum resource_type type,
                                         const struct uuid *owner,
                                         const char *name)
{
    struct uuid key = name_key(type, owner, name);
    return uuid_map_get(&configuration->indexes[INDEX_NAME], &key);
}

struct object *configuration_linked(const struct configuration *configuration,
                                    enum object_index index,
                                    const struct uuid *id)
{
    return uuid_map_get(&configuration->indexes[index], id);
}

struct object *configuration_object(const struct configuration *configuration,
                                    const struct uuid *id)
{
    return uuid_map_get(&configuration->by_id, id);
}

const struct effective *configuration_find(const struct configuration *configuration,
                                           const struct uuid *id)
{
    const struct object *object = uuid_map_get(&configuration->by_id, id);
    return object ? &object->effective : NULL;
}

static const struct effective *list_at(const struct object_list *list, size_t index)
{
    return list && index < list->count ? &list->items[index]->effective : NULL;
}

const struct effective *configuration_at(const struct configuration *configuration,
                                         enum resource_type type,
                                         size_t index)
{
    return (unsigned)type < RESOURCE_TYPE_LIMIT ? list_at(&configuration->by_type[type], index)
                                                : NULL;
}

const struct effective *configuration_child(const struct configuration *configuration,
                                            const struct uuid *owner,
                                            enum resource_type type,
                                            size_t index)
{
    struct object *object = uuid_map_get(&configuration->by_id, owner);
    return object ? list_at(object_children(object, type), index) : NULL;
}

struct lookup {
    const struct effective *found;
    size_t matches;
};

static void consider(struct lookup *lookup, const struct effective *candidate, const char *name)
{
    if (strcmp(candidate->resource->name, name) == 0) {
        lookup->found = lookup->found ? lookup->found : candidate;
        lookup->matches++;
    }
}

const struct effective *configuration_lookup(const struct configuration *configuration,
                                             enum resource_type type,
                                             const struct uuid *owner,
                                             const char *name_or_id,
                                             struct error *error)
{
    struct uuid id;
    struct lookup lookup = {0};
    if (uuid_parse(name_or_id, &id)) {
        const struct effective *found = configuration_find(configuration, &id);
        if (found && found->resource->type == type &&
            (!owner || uuid_equal(&found->resource->owner, owner)))
            return found;
    }
    if (owner) {
        const struct object *at = configuration_named(configuration, type, owner, name_or_id);
        for (; at; at = at->next[INDEX_NAME])
            consider(&lookup, &at->effective, name_or_id);
    } else {
        const struct effective *candidate;
        for (size_t i = 0; (candidate = configuration_at(configuration, type, i)); i++)
            consider(&lookup, candidate, name_or_id);
    }
    if (lookup.matches == 1 && *name_or_id != '\0')
        return lookup.found;
    if (lookup.matches > 1 && *name_or_id != '\0')
        error_set(error, ERROR_CONFLICT, "%zu %ss are named %.120s; use the id.",
                  lookup.matches, resource_title(type), name_or_id);
    else
        error_set(error, ERROR_NOT_FOUND, "%s %.120s not found.", resource_title(type),
                  name_or_id);
    return NULL;
}

const struct vrrp_group *configuration_group_of(const struct configuration *configuration,
                                                const struct load_balancer *load_balancer)
{
    const struct uuid *id = &load_balancer->vrrp_group_id;
    static const struct uuid no_owner;
    if (!uuid_is_zero(id)) {
        const struct effective *found = configuration_find(configuration, id);
        return found && found->resource->type == RESOURCE_VRRP_GROUP
                   ? (const struct vrrp_group *)found->resource
                   : NULL;
    }
    const struct object *oldest = NULL;
    const struct object *at =
        configuration_named(configuration, RESOURCE_VRRP_GROUP, &no_owner, "default");
    for (; at; at = at->next[INDEX_NAME]) {
        if (strcmp(at->effective.resource->name, "default") == 0 && at->effective.effective &&
            (!oldest || object_compare(at, oldest) < 0))
            oldest = at;
    }
    return oldest ? (const struct vrrp_group *)oldest->effective.resource : NULL;
}

const struct health_monitor *configuration_monitor_of(const struct configuration *configuration,
                                                      const struct uuid *pool_id)
{
    const struct effective *candidate;
    for (size_t i = 0;
         (candidate = configuration_child(configuration, pool_id, RESOURCE_HEALTH_MONITOR, i));
         i++) {
        if (candidate->effective)
            return (const struct health_monitor *)candidate->resource;
    }
    return NULL;
}
