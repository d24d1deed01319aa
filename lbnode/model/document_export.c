/* The configuration as a document for people: a tree, references by name, defaults left out.
 * Lists are sorted by name, so that the same configuration always reads the same. */
#include "lbnode/model/document_internal.h"

#include "lbnode/model/field_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exporter {
    const struct configuration *configuration;
    struct resource *defaults[RESOURCE_TYPE_LIMIT];
};

/* ---- names ----------------------------------------------------------------------------------
 */

/* Would a reader of the document find exactly this object under its name? */
static bool has_unique_name(const struct configuration *configuration,
                            const struct resource *resource)
{
    const struct object *at =
        configuration_named(configuration, resource->type, &resource->owner, resource->name);
    size_t matches = 0;
    if (*resource->name == '\0')
        return false;
    for (; at && matches < 2; at = at->next[INDEX_NAME])
        matches += strcmp(at->effective.resource->name, resource->name) == 0;
    return matches == 1;
}

/* Without a name, these are found by their address, port or pool. */
static bool is_found_by_claim(const struct resource *resource)
{
    return resource->type == RESOURCE_HEALTH_MONITOR ||
           (*resource->name == '\0' && resource->type != RESOURCE_POOL &&
            resource->type != RESOURCE_VRRP_GROUP && resource->type != RESOURCE_SECRET);
}

static void set_id(struct json_value *object, const char *key, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    json_value_set_text(object, key, text);
}

/* ---- attributes -----------------------------------------------------------------------------
 */

static void export_reference(const struct exporter *exporter,
                             const struct resource *resource,
                             const struct field *field,
                             const char *key,
                             struct json_value *object)
{
    const struct uuid *id = field_id(field, resource);
    const struct effective *target = configuration_find(exporter->configuration, id);
    if (!target)
        return; /* dangling: as good as not set */
    if (has_unique_name(exporter->configuration, target->resource))
        json_value_set_text(object, key, target->resource->name);
    else
        set_id(object, key, id);
}

/* Lists as plain texts, also where the API dresses the items up as objects. */
static struct json_value *export_value(const struct field *field,
                                       const struct resource *resource)
{
    if (field->type != FIELD_TEXT_LIST)
        return field_to_json(field, resource);
    const struct text_list *list = field_list(field, resource);
    struct json_value *array = json_value_array();
    for (size_t i = 0; i < list->count; i++)
        json_value_append(array, json_value_string(list->items[i]));
    return array;
}

static struct json_value *export_attributes(const struct exporter *exporter,
                                            const struct resource *resource)
{
    const struct resource_class *class = resource_class_of(resource->type);
    const struct resource *defaults = exporter->defaults[resource->type];
    struct json_value *object = json_value_object();
    char key[64];
    if (!has_unique_name(exporter->configuration, resource) && !is_found_by_claim(resource))
        set_id(object, "id", &resource->id);
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (field->flags & (FIELD_OWNER | FIELD_INTERNAL) || field->type == FIELD_SEALED ||
            (!(field->flags & FIELD_REQUIRED) &&
             document_field_equal(field, resource, defaults)))
            continue;
        if (document_reference_key(field, key, sizeof(key))) {
            export_reference(exporter, resource, field, key, object);
            continue;
        }
        struct json_value *value = export_value(field, resource);
        if (json_value_is_null(value))
            json_value_free(value);
        else
            json_value_set(object, field->name, value);
    }
    return object;
}

/* ---- the tree -------------------------------------------------------------------------------
 */

static int compare_ports(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* By name; without names by address and port; the id decides what is left. */
static int compare_resources(const void *a, const void *b)
{
    const struct resource *x = *(const struct resource *const *)a;
    const struct resource *y = *(const struct resource *const *)b;
    int order = strcmp(x->name, y->name);
    if (order == 0 && x->type == RESOURCE_MEMBER) {
        const struct member *m = (const struct member *)x, *n = (const struct member *)y;
        order = ip_address_compare(&m->address, &n->address);
        order = order ? order : compare_ports(m->protocol_port, n->protocol_port);
    } else if (order == 0 && x->type == RESOURCE_LISTENER) {
        order = compare_ports(((const struct listener *)x)->protocol_port,
                              ((const struct listener *)y)->protocol_port);
    } else if (order == 0 && x->type == RESOURCE_LOAD_BALANCER) {
        order = ip_address_compare(&((const struct load_balancer *)x)->vip_address,
                                   &((const struct load_balancer *)y)->vip_address);
    }
    return order ? order : uuid_compare(&x->id, &y->id);
}

/* The effective objects of TYPE below OWNER (NULL: all of the type), sorted; the caller frees.
 */
static const struct resource **sorted_objects(const struct exporter *exporter,
                                              const struct uuid *owner,
                                              enum resource_type type,
                                              size_t *out_count)
{
    const struct configuration *configuration = exporter->configuration;
    const struct effective *at;
    size_t total = 0, count = 0;
    while (owner ? configuration_child(configuration, owner, type, total)
                 : configuration_at(configuration, type, total))
        total++;
    const struct resource **objects = calloc(total + 1, sizeof(struct resource *));
    for (size_t i = 0; objects && i < total; i++) {
        at = owner ? configuration_child(configuration, owner, type, i)
                   : configuration_at(configuration, type, i);
        if (at->effective)
            objects[count++] = at->resource;
    }
    if (objects)
        qsort(objects, count, sizeof(struct resource *), compare_resources);
    *out_count = count;
    return objects;
}

typedef struct json_value *object_exporter(const struct exporter *exporter,
                                           const struct resource *resource);

/* Sets the list of TYPE in OBJECT, unless it is empty. */
static void export_list(const struct exporter *exporter,
                        const struct uuid *owner,
                        enum resource_type type,
                        object_exporter *export_one,
                        struct json_value *object)
{
    size_t count = 0;
    const struct resource **objects = sorted_objects(exporter, owner, type, &count);
    struct json_value *list = count > 0 ? json_value_array() : NULL;
    for (size_t i = 0; objects && i < count; i++)
        json_value_append(list, export_one(exporter, objects[i]));
    if (list)
        json_value_set(object, resource_class_of(type)->plural, list);
    free(objects);
}

static struct json_value *export_pool(const struct exporter *exporter,
                                      const struct resource *pool)
{
    struct json_value *object = export_attributes(exporter, pool);
    const struct health_monitor *monitor =
        configuration_monitor_of(exporter->configuration, &pool->id);
    export_list(exporter, &pool->id, RESOURCE_MEMBER, export_attributes, object);
    if (monitor)
        json_value_set(object, resource_class_of(RESOURCE_HEALTH_MONITOR)->noun,
                       export_attributes(exporter, &monitor->resource));
    return object;
}

static struct json_value *export_load_balancer(const struct exporter *exporter,
                                               const struct resource *load_balancer)
{
    struct json_value *object = export_attributes(exporter, load_balancer);
    export_list(exporter, &load_balancer->id, RESOURCE_LISTENER, export_attributes, object);
    export_list(exporter, &load_balancer->id, RESOURCE_POOL, export_pool, object);
    return object;
}

struct json_value *configuration_export(const struct configuration *configuration)
{
    struct exporter exporter = {.configuration = configuration};
    struct json_value *document = json_value_object();
    const struct resource_class *class;
    bool complete = document != NULL;
    for (size_t i = 0; (class = resource_class_at(i)); i++) {
        exporter.defaults[class->type] = resource_new(class->type);
        complete = complete && exporter.defaults[class->type];
    }
    if (complete) {
        export_list(&exporter, NULL, RESOURCE_LOAD_BALANCER, export_load_balancer, document);
        export_list(&exporter, NULL, RESOURCE_VRRP_GROUP, export_attributes, document);
        export_list(&exporter, NULL, RESOURCE_SECRET, export_attributes, document);
    } else {
        json_value_free(document);
        document = NULL;
    }
    for (size_t i = 0; (class = resource_class_at(i)); i++)
        resource_free(exporter.defaults[class->type]);
    return document;
}
