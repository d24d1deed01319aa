#include "lbnode/model/resource.h"

#include "lbnode/model/field_value.h"

#include <stdlib.h>

struct resource *resource_new(enum resource_type type)
{
    const struct resource_class *class = resource_class_of(type);
    struct resource *resource = class ? calloc(1, class->size) : NULL;
    if (!resource)
        return NULL;
    resource->type = type;
    for (size_t i = 0; i < class->field_count; i++) {
        if (!field_set_default(&class->fields[i], resource)) {
            resource_free(resource);
            return NULL;
        }
    }
    return resource;
}

struct resource *resource_copy(const struct resource *resource)
{
    const struct resource_class *class = resource_class_of(resource->type);
    struct resource *copy = calloc(1, class->size);
    if (!copy)
        return NULL;
    copy->type = resource->type;
    copy->id = resource->id;
    copy->owner = resource->owner;
    copy->created_wall_ms = resource->created_wall_ms;
    copy->updated_wall_ms = resource->updated_wall_ms;
    for (size_t i = 0; i < class->field_count; i++) {
        if (!field_copy(&class->fields[i], resource, copy)) {
            resource_free(copy);
            return NULL;
        }
    }
    return copy;
}

void resource_free(struct resource *resource)
{
    if (!resource)
        return;
    const struct resource_class *class = resource_class_of(resource->type);
    for (size_t i = 0; i < class->field_count; i++)
        field_clear(&class->fields[i], resource);
    free(resource);
}

void resource_exchange(struct resource *a, struct resource *b)
{
    char *left = (char *)a, *right = (char *)b;
    size_t size = resource_class_of(a->type)->size;
    for (size_t i = 0; i < size; i++) {
        char kept = left[i];
        left[i] = right[i];
        right[i] = kept;
    }
}
