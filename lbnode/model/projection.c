#include "lbnode/model/projection_internal.h"

#include "lbnode/model/field_table.h"

#include <stdlib.h>

struct projection *projection_new(void)
{
    struct projection *projection = calloc(1, sizeof(*projection));
    if (!projection)
        return NULL;
    projection->configuration = configuration_new();
    if (projection->configuration)
        return projection;
    free(projection);
    return NULL;
}

static void free_drafts(struct projection *projection)
{
    struct draft *draft;
    for (size_t i = 0; (draft = uuid_map_next(&projection->drafts, &i));)
        draft_free(draft);
    uuid_map_free(&projection->drafts);
    projection->draft_count = 0;
}

void projection_free(struct projection *projection)
{
    struct address_claim *claim;
    if (!projection)
        return;
    free_drafts(projection);
    for (size_t i = 0; (claim = uuid_map_next(&projection->addresses, &i));) {
        while (claim) {
            struct address_claim *next = claim->next;
            free(claim);
            claim = next;
        }
    }
    uuid_map_free(&projection->addresses);
    uuid_map_free(&projection->withheld);
    configuration_free(projection->configuration);
    free(projection->queue);
    free(projection);
}

const struct configuration *projection_configuration(const struct projection *projection)
{
    return projection->configuration;
}

uint32_t projection_take_changed(struct projection *projection)
{
    uint32_t changed = projection->changed_types;
    projection->changed_types = 0;
    return changed;
}

/* ---- withholding ---------------------------------------------------------------------------
 */

bool projection_withhold(struct projection *projection,
                         const struct uuid *id,
                         enum withhold_level level)
{
    return uuid_map_set(&projection->withheld, id, (void *)(uintptr_t)level);
}

void projection_release(struct projection *projection, const struct uuid *id)
{
    uuid_map_remove(&projection->withheld, id);
}

static enum withhold_level withhold_level(const struct projection *projection,
                                          const struct uuid *id)
{
    return (enum withhold_level)(uintptr_t)uuid_map_get(&projection->withheld, id);
}

/* ---- facets in ------------------------------------------------------------------------------
 */

static struct draft *draft_of(struct projection *projection, const struct raw_facet *facet)
{
    struct draft *first = uuid_map_get(&projection->drafts, &facet->object_id), *at = first;
    while (at && !draft_is_of(at, facet))
        at = at->next;
    if (at)
        return at;
    at = draft_new(facet, withhold_level(projection, &facet->object_id));
    if (!at)
        return NULL;
    if (!uuid_map_set(&projection->drafts, &facet->object_id, at)) {
        draft_free(at);
        return NULL;
    }
    at->next = first;
    projection->draft_count++;
    return at;
}

bool projection_add(struct projection *projection, const struct raw_facet *facet)
{
    const struct resource_class *class = resource_class_of((enum resource_type)facet->type);
    if (!class || class->is_internal)
        return true; /* no part of the configuration, or a newer version knows this type */
    struct draft *draft = draft_of(projection, facet);
    if (!draft) {
        projection->failed = true;
        return false;
    }
    draft_read(draft, facet);
    return true;
}

/* ---- objects come and go --------------------------------------------------------------------
 */

static void link(struct projection *projection, struct object *object, enum object_index index)
{
    if (!object_link(projection->configuration, object, index))
        projection->failed = true;
}

static void join_owner(struct projection *projection, struct object *object)
{
    const struct resource *resource = object->effective.resource;
    struct object *owner = configuration_object(projection->configuration, &resource->owner);
    struct object_list *siblings = owner ? object_children(owner, resource->type) : NULL;
    if (siblings) {
        if (!object_list_insert(siblings, object))
            projection->failed = true;
    } else if (resource_class_of(resource->type)->owner_type != RESOURCE_NONE) {
        link(projection, object, INDEX_WAITING);
    }
}

static void leave_owner(struct projection *projection, struct object *object)
{
    const struct resource *resource = object->effective.resource;
    struct object *owner = configuration_object(projection->configuration, &resource->owner);
    struct object_list *siblings = owner ? object_children(owner, resource->type) : NULL;
    object_unlink(projection->configuration, object, INDEX_WAITING);
    if (siblings)
        object_list_remove(siblings, object);
}

/* Objects that were there before their owner. */
static void adopt_waiting(struct projection *projection, struct object *owner)
{
    const struct uuid *id = &owner->effective.resource->id;
    struct configuration *configuration = projection->configuration;
    struct object *at = configuration_linked(configuration, INDEX_WAITING, id), *next;
    for (; at; at = next) {
        next = at->next[INDEX_WAITING];
        if (!object_children(owner, at->effective.resource->type))
            continue;
        object_unlink(configuration, at, INDEX_WAITING);
        join_owner(projection, at);
        projection_mark(projection, at);
    }
}

static void insert(struct projection *projection, struct object *object)
{
    const struct resource *resource = object->effective.resource;
    struct configuration *configuration = projection->configuration;
    if (!object_list_insert(&configuration->by_type[resource->type], object)) {
        object_free(object);
        projection->failed = true;
        return;
    }
    if (!uuid_map_set(&configuration->by_id, &resource->id, object))
        projection->failed = true;
    link(projection, object, INDEX_NAME);
    link(projection, object, INDEX_REFERENCE);
    join_owner(projection, object);
    adopt_waiting(projection, object);
    projection_mark_references(projection, &resource->id);
    projection_mark(projection, object);
}

static void release_children(struct projection *projection, struct object *object)
{
    for (int kind = 0; kind < OBJECT_CHILD_KINDS; kind++) {
        struct object_list *children = &object->children[kind];
        for (size_t i = 0; i < children->count; i++) {
            link(projection, children->items[i], INDEX_WAITING);
            projection_mark(projection, children->items[i]);
        }
        children->count = 0;
    }
}

static void drop(struct projection *projection, struct object *object)
{
    const struct resource *resource = object->effective.resource;
    struct configuration *configuration = projection->configuration;
    projection_release_claims(projection, object);
    release_children(projection, object);
    leave_owner(projection, object);
    object_unlink(configuration, object, INDEX_NAME);
    object_unlink(configuration, object, INDEX_REFERENCE);
    projection_mark_references(projection, &resource->id);
    object_list_remove(&configuration->by_type[resource->type], object);
    uuid_map_remove(&configuration->by_id, &resource->id);
    if (object->turn > 0)
        projection->queue[object->turn - 1] = NULL;
    projection->changed_types |= 1u << resource->type;
    object_free(object);
}

/* The same object with other values: its place among the others stays. AFTER gets the old ones.
 */
static void replace(struct projection *projection, struct object *object, struct object *after)
{
    struct configuration *configuration = projection->configuration;
    struct resource *before = object->effective.resource;
    struct object_verdict own = object->own;
    projection_release_claims(projection, object);
    object_unlink(configuration, object, INDEX_NAME);
    object_unlink(configuration, object, INDEX_REFERENCE);
    object->effective.resource = after->effective.resource;
    object->effective.open_conflicts = after->effective.open_conflicts;
    object->effective.revision = after->effective.revision;
    object->own = after->own;
    after->effective.resource = before;
    after->own = own;
    link(projection, object, INDEX_NAME);
    link(projection, object, INDEX_REFERENCE);
    projection_mark_references(projection, &before->id);
    projection_mark(projection, object);
}

/* ---- a batch of changes ---------------------------------------------------------------------
 */

static bool keeps_its_place(const struct object *object, const struct object *after)
{
    const struct resource *was = object->effective.resource, *is = after->effective.resource;
    return was->type == is->type && uuid_equal(&was->owner, &is->owner) &&
           object_compare(object, after) == 0;
}

/* NULL: nothing of that id is alive. */
static struct object *object_of(struct projection *projection, struct draft *first)
{
    struct draft *draft = draft_choose(first);
    struct object *object = draft ? calloc(1, sizeof(*object)) : NULL;
    if (draft && !object)
        projection->failed = true;
    if (object)
        draft_move(draft, object);
    return object;
}

/* Returns the object when it must still be inserted. */
static struct object *
take_over(struct projection *projection, const struct uuid *id, struct draft *first)
{
    struct object *before = configuration_object(projection->configuration, id);
    struct object *after = object_of(projection, first);
    if (before && after && keeps_its_place(before, after)) {
        replace(projection, before, after);
        object_free(after);
        return NULL;
    }
    if (before)
        drop(projection, before);
    return after;
}

static int compare_fresh(const void *a, const void *b)
{
    return object_compare(*(struct object *const *)a, *(struct object *const *)b);
}

bool projection_apply(struct projection *projection)
{
    struct object **fresh = calloc(projection->draft_count + 1, sizeof(struct object *));
    struct draft *first;
    size_t count = 0;
    projection->failed |= !fresh;
    for (size_t i = 0; fresh && (first = uuid_map_next(&projection->drafts, &i));) {
        struct uuid id = first->resource->id;
        struct object *object = take_over(projection, &id, first);
        if (object)
            fresh[count++] = object;
    }
    if (count > 1)
        qsort(fresh, count, sizeof(struct object *), compare_fresh);
    for (size_t i = 0; i < count; i++)
        insert(projection, fresh[i]);
    free(fresh);
    free_drafts(projection);
    projection_judge(projection);
    return !projection->failed;
}

/* ---- all at once ----------------------------------------------------------------------------
 */

struct configuration_builder {
    struct projection projection;
};

struct configuration_builder *configuration_builder_new(void)
{
    return (struct configuration_builder *)(void *)projection_new();
}

bool configuration_builder_add(struct configuration_builder *builder,
                               const struct raw_facet *facet)
{
    return projection_add(&builder->projection, facet);
}

struct configuration *configuration_builder_finish(struct configuration_builder *builder)
{
    struct configuration *configuration = NULL;
    if (projection_apply(&builder->projection)) {
        configuration = builder->projection.configuration;
        builder->projection.configuration = NULL;
    }
    projection_free(&builder->projection);
    return configuration;
}
