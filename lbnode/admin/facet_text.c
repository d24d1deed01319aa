#include "lbnode/admin/facet_text.h"

#include <stdio.h>
#include <string.h>

void facet_name(const struct resource_class *class, uint16_t facet, char out[FACET_NAME_SIZE])
{
    static const char *const names[] = {[FACET_LIFE] = "life",
                                        [FACET_META] = "meta",
                                        [FACET_ADMIN] = "admin",
                                        [FACET_CREATION] = "creation"};
    snprintf(out, FACET_NAME_SIZE, "facet %u", (unsigned)facet);
    if (facet < ARRAY_LENGTH(names)) {
        snprintf(out, FACET_NAME_SIZE, "%s", names[facet]);
        return;
    }
    for (size_t i = 0; class && i < class->field_count; i++) {
        if (class->fields[i].facet == facet) {
            snprintf(out, FACET_NAME_SIZE, "%s", class->fields[i].name);
            return;
        }
    }
}

bool facet_by_name(const struct resource_class *class, const char *name, uint16_t *out)
{
    char other[FACET_NAME_SIZE];
    facet_name(class, FACET_LIFE, other);
    *out = FACET_LIFE;
    if (strcmp(name, other) == 0)
        return true;
    for (size_t i = 0; class && i < class->field_count; i++) {
        facet_name(class, class->fields[i].facet, other);
        *out = class->fields[i].facet;
        if (strcmp(name, other) == 0 || strcmp(name, class->fields[i].name) == 0)
            return true;
    }
    return false;
}

void facet_attribute_names(const struct resource_class *class,
                           uint16_t facet,
                           char out[FACET_NAMES_SIZE])
{
    struct json_value *names = facet_attributes(class, facet);
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < json_value_count(names) && used < FACET_NAMES_SIZE; i++)
        used += (size_t)snprintf(out + used, FACET_NAMES_SIZE - used, "%s%s", i ? ", " : "",
                                 json_value_text(json_value_at(names, i)));
    if (used == 0)
        snprintf(out, FACET_NAMES_SIZE, "facet %u", (unsigned)facet);
    json_value_free(names);
}

struct json_value *facet_attributes(const struct resource_class *class, uint16_t facet)
{
    struct json_value *list = json_value_array();
    if (facet == FACET_LIFE)
        json_value_append(list, json_value_string("alive"));
    for (size_t i = 0; class && i < class->field_count; i++) {
        if (class->fields[i].facet == facet && !(class->fields[i].flags & FIELD_INTERNAL))
            json_value_append(list, json_value_string(class->fields[i].name));
    }
    return list;
}

struct json_value *
facet_values(const struct resource_class *class, uint16_t facet, struct bytes value)
{
    struct json_value *values = json_value_object();
    if (facet == FACET_LIFE) {
        json_value_set_bool(values, "alive", value.size > 0 && value.data[0] != 0);
        return values;
    }
    struct resource *scratch = class ? resource_new(class->type) : NULL;
    if (scratch && resource_read_facet(scratch, facet, value, NULL)) {
        for (size_t i = 0; i < class->field_count; i++) {
            const struct field *field = &class->fields[i];
            if (field->facet == facet && !(field->flags & FIELD_INTERNAL))
                json_value_set(values, field->name, field_to_json(field, scratch));
        }
    }
    resource_free(scratch);
    return values;
}
