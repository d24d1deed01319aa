#include "lbnode/base/text.h"
#include "lbnode/base/wire.h"
#include "lbnode/crypto/secret_box.h"
#include "lbnode/model/field_table.h"
#include "lbnode/model/field_value.h"

#include <stdlib.h>
#include <string.h>

enum {
    FACET_LIMIT = 64, /* facet numbers of the tables are below */
    FACET_FIELDS = 16 /* and no facet has more fields */
};

static bool is_encoded(const struct field *field, unsigned facet)
{
    return field->facet == facet && !(field->flags & FIELD_OWNER);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* An unset value is left out, unless leaving it out would read as a default that differs. */
static bool is_left_out(const struct field *field, const struct resource *resource)
{
    bool has_default = field->default_text && field->default_text[0];
    return field_is_unset(field, resource) && !has_default;
}

static void
write_field(struct wire_writer *out, const struct field *field, const struct resource *resource)
{
    const struct text_list *list;
    const struct ip_address *address;
    if (is_left_out(field, resource))
        return;
    switch (field->type) {
    case FIELD_BOOL: wire_put_varint(out, field->tag, field_truth(field, resource)); break;
    case FIELD_INTEGER:
    case FIELD_ENUM:
        wire_put_varint(out, field->tag, (uint64_t)field_number(field, resource));
        break;
    case FIELD_TEXT: wire_put_text(out, field->tag, field_text(field, resource)); break;
    case FIELD_ID:
        wire_put_bytes(out, field->tag, (struct bytes){field_id(field, resource)->bytes, 16});
        break;
    case FIELD_ADDRESS:
        address = field_address(field, resource);
        wire_put_bytes(out, field->tag,
                       (struct bytes){address->bytes, ip_address_size(address)});
        break;
    case FIELD_TEXT_LIST:
    case FIELD_TEXT_MAP:
        list = field_list(field, resource);
        for (size_t i = 0; i < list->count; i++)
            wire_put_text(out, field->tag, list->items[i]);
        break;
    case FIELD_SEALED:
        if (field_sealed(field, resource)->is_plain)
            out->failed = true; /* plain bytes go nowhere */
        else
            wire_put_bytes(out, field->tag, sealed_value_bytes(field_sealed(field, resource)));
        break;
    }
}

static void
write_facet(struct wire_writer *out, const struct resource *resource, unsigned facet)
{
    const struct resource_class *class = resource_class_of(resource->type);
    out->limit = CHANGE_VALUE_MAXIMUM_SIZE;
    out->size = 0;
    out->failed = false;
    for (size_t i = 0; i < class->field_count; i++) {
        if (is_encoded(&class->fields[i], facet))
            write_field(out, &class->fields[i], resource);
    }
}

static bool add_op(struct change_set *set,
                   const struct resource *resource,
                   unsigned facet,
                   struct bytes value)
{
    return change_set_add(set, &resource->id, &resource->owner, (uint8_t)resource->type,
                          (uint16_t)facet, value);
}

static bool add_life(struct change_set *set, const struct resource *resource, uint8_t alive)
{
    return add_op(set, resource, FACET_LIFE, (struct bytes){&alive, 1});
}

static bool class_has_facet(const struct resource_class *class, unsigned facet)
{
    for (size_t i = 0; i < class->field_count; i++) {
        if (is_encoded(&class->fields[i], facet))
            return true;
    }
    return false;
}

bool change_set_add_create(struct change_set *set, const struct resource *resource)
{
    const struct resource_class *class = resource_class_of(resource->type);
    struct wire_writer value = {0};
    bool good = add_life(set, resource, 1);
    for (unsigned facet = 1; facet < FACET_LIMIT && good; facet++) {
        if (!class_has_facet(class, facet))
            continue;
        write_facet(&value, resource, facet);
        good = !value.failed && add_op(set, resource, facet, wire_written(&value));
    }
    wire_writer_free(&value);
    return good;
}

int change_set_add_update(struct change_set *set,
                          const struct resource *before,
                          const struct resource *after)
{
    const struct resource_class *class = resource_class_of(after->type);
    struct wire_writer old = {0}, new = {0};
    int changed = 0;
    for (unsigned facet = 1; facet < FACET_LIMIT && changed >= 0; facet++) {
        if (!class_has_facet(class, facet))
            continue;
        write_facet(&old, before, facet);
        write_facet(&new, after, facet);
        if (!old.failed && !new.failed && bytes_equal(wire_written(&old), wire_written(&new)))
            continue;
        bool good = !new.failed &&add_op(set, after, facet, wire_written(&new));
        changed = good ? changed + 1 : -1;
    }
    wire_writer_free(&old);
    wire_writer_free(&new);
    return changed;
}

static bool facet_is_named(const struct resource_class *class,
                           unsigned facet,
                           const struct json_value *object)
{
    for (size_t i = 0; i < class->field_count; i++) {
        if (is_encoded(&class->fields[i], facet) &&
            json_value_get(object, class->fields[i].name))
            return true;
    }
    return false;
}

int change_set_add_named(struct change_set *set,
                         const struct resource *resource,
                         const struct json_value *object)
{
    const struct resource_class *class = resource_class_of(resource->type);
    struct wire_writer value = {0};
    int count = 0;
    for (unsigned facet = 1; facet < FACET_LIMIT && count >= 0; facet++) {
        if (!facet_is_named(class, facet, object))
            continue;
        write_facet(&value, resource, facet);
        bool good = !value.failed && add_op(set, resource, facet, wire_written(&value));
        count = good ? count + 1 : -1;
    }
    wire_writer_free(&value);
    return count;
}

bool change_set_add_facet(struct change_set *set,
                          const struct resource *resource,
                          uint16_t facet)
{
    struct wire_writer value = {0};
    write_facet(&value, resource, facet);
    bool good = !value.failed && add_op(set, resource, facet, wire_written(&value));
    wire_writer_free(&value);
    return good;
}

bool change_set_add_delete(struct change_set *set, const struct resource *resource)
{
    return add_life(set, resource, 0);
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool bad_value(const struct field *field, struct error *error)
{
    return error_set(error, ERROR_INVALID, "the record of attribute %s is malformed",
                     field->name);
}

static bool read_number(const struct field *field,
                        const struct wire_field *item,
                        struct field_value *out,
                        struct error *error)
{
    int64_t maximum = field->maximum;
    if (item->type != WIRE_VARINT)
        return bad_value(field, error);
    out->number = (int64_t)item->integer;
    if (field->type == FIELD_BOOL)
        maximum = 1;
    for (size_t i = 0; field->type == FIELD_ENUM && field->choices[i]; i++)
        maximum = (int64_t)i;
    out->truth = out->number == 1;
    if (out->number >= field->minimum && out->number <= maximum)
        return true;
    return error_set(error, ERROR_INVALID,
                     "attribute %s has the value %lld, which this version does not know",
                     field->name, (long long)out->number);
}

static bool read_address(struct bytes bytes, struct ip_address *out)
{
    *out = (struct ip_address){.family = bytes.size == 4 ? 4 : 6};
    if (bytes.size != 4 && bytes.size != 16)
        return false;
    memcpy(out->bytes, bytes.data, bytes.size);
    return true;
}

/* A terminated copy; NULL when the bytes are not clean text. */
static char *copy_text(struct bytes bytes)
{
    if (!text_is_clean_utf8((const char *)bytes.data, bytes.size))
        return NULL;
    return strndup((const char *)bytes.data, bytes.size);
}

static bool read_address_value(const struct field *field,
                               struct bytes bytes,
                               struct field_value *out,
                               struct error *error)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    if (!read_address(bytes, &out->address))
        return bad_value(field, error);
    ip_address_format(&out->address, text);
    return !field->check || field->check(field, text, error);
}

static bool read_text_value(const struct field *field,
                            struct bytes bytes,
                            struct field_value *out,
                            struct error *error)
{
    char *text = copy_text(bytes);
    if (!text)
        return bad_value(field, error);
    bool good;
    if (field->type == FIELD_TEXT) {
        good = field_parse_text(field, text, out, error);
    } else {
        size_t index = out->list.count;
        good = field_add_item(field, text, &out->list, error);
        if (good && strcmp(out->list.items[index], text) != 0)
            good = bad_value(field, error); /* not the canonical form */
    }
    free(text);
    return good;
}

static bool read_box(const struct field *field,
                     struct bytes bytes,
                     struct field_value *out,
                     struct error *error)
{
    struct uuid key_id;
    if (!secret_box_key_id(bytes, &key_id) ||
        bytes.size - SECRET_BOX_OVERHEAD > (size_t)field->maximum)
        return bad_value(field, error);
    return sealed_value_set(&out->sealed, bytes, false) ||
           error_set(error, ERROR_INTERNAL, "out of memory");
}

static bool read_value(const struct field *field,
                       const struct wire_field *item,
                       bool repeated,
                       struct field_value *out,
                       struct error *error)
{
    bool is_list = field->type == FIELD_TEXT_LIST || field->type == FIELD_TEXT_MAP;
    if (repeated && !is_list)
        return bad_value(field, error);
    switch (field->type) {
    case FIELD_BOOL:
    case FIELD_INTEGER:
    case FIELD_ENUM: return read_number(field, item, out, error);
    default: break;
    }
    if (item->type != WIRE_BYTES)
        return bad_value(field, error);
    if (field->type == FIELD_ADDRESS)
        return read_address_value(field, item->bytes, out, error);
    if (field->type == FIELD_SEALED)
        return read_box(field, item->bytes, out, error);
    if (field->type != FIELD_ID)
        return read_text_value(field, item->bytes, out, error);
    if (item->bytes.size != sizeof(out->id.bytes))
        return bad_value(field, error);
    memcpy(out->id.bytes, item->bytes.data, sizeof(out->id.bytes));
    return true;
}

/* Maps are in key order and name a key once. */
static bool
check_map(const struct field *field, const struct text_list *map, struct error *error)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *separator = strchr(map->items[i], '=');
        if (!separator || separator == map->items[i])
            return bad_value(field, error);
        size_t size = (size_t)(separator - map->items[i]) + 1;
        if (i > 0 && (strcmp(map->items[i - 1], map->items[i]) >= 0 ||
                      strncmp(map->items[i - 1], map->items[i], size) == 0))
            return bad_value(field, error);
    }
    return true;
}

/* The values of one facet, parsed before any of them is stored. */
struct facet_values {
    const struct field *fields[FACET_FIELDS];
    struct field_value values[FACET_FIELDS];
    bool present[FACET_FIELDS];
    size_t count;
};

static size_t find_tag(const struct facet_values *values, uint32_t tag)
{
    size_t i = 0;
    while (i < values->count && values->fields[i]->tag != tag)
        i++;
    return i;
}

static bool parse_facet(struct facet_values *values, struct bytes bytes, struct error *error)
{
    struct wire_reader reader = wire_reader_of(bytes);
    struct wire_field item;
    while (wire_next(&reader, &item)) {
        size_t i = find_tag(values, item.number);
        if (i == values->count)
            continue; /* a newer node's attribute */
        if (!read_value(values->fields[i], &item, values->present[i], &values->values[i],
                        error))
            return false;
        values->present[i] = true;
    }
    if (!wire_ended(&reader))
        return error_set(error, ERROR_INVALID, "the record of an attribute group is malformed");
    for (size_t i = 0; i < values->count; i++) {
        const struct field *field = values->fields[i];
        const struct text_list *list = &values->values[i].list;
        if ((field->flags & FIELD_REQUIRED) && !values->present[i])
            return error_set(error, ERROR_INVALID, "the record lacks attribute %s",
                             field->name);
        if (!field_check_list(field, list, error) ||
            (field->type == FIELD_TEXT_MAP && !check_map(field, list, error)))
            return false;
    }
    return true;
}

static bool store_facet(struct facet_values *values, struct resource *resource)
{
    bool good = true;
    for (size_t i = 0; i < values->count; i++) {
        if (values->present[i])
            field_value_store(values->fields[i], resource, &values->values[i]);
        else
            good &= field_set_default(values->fields[i], resource);
    }
    return good;
}

static bool check_life(struct bytes value, struct error *error)
{
    return (value.size == 1 && value.data[0] <= 1) ||
           error_set(error, ERROR_INVALID, "the record of an object's life is malformed");
}

bool resource_read_facet(struct resource *resource,
                         uint16_t facet,
                         struct bytes value,
                         struct error *error)
{
    const struct resource_class *class = resource_class_of(resource->type);
    struct facet_values values = {0};
    if (facet == FACET_LIFE)
        return check_life(value, error);
    if (value.size > CHANGE_VALUE_MAXIMUM_SIZE)
        return error_set(error, ERROR_INVALID, "the record of an attribute group is too long");
    for (size_t i = 0; i < class->field_count && values.count < FACET_FIELDS; i++) {
        if (is_encoded(&class->fields[i], facet))
            values.fields[values.count++] = &class->fields[i];
    }
    bool good = parse_facet(&values, value, error);
    if (good && !store_facet(&values, resource))
        good = error_set(error, ERROR_INTERNAL, "out of memory");
    for (size_t i = 0; i < values.count; i++)
        field_value_free(&values.values[i]);
    return good;
}
