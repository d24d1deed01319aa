#include "lbnode/model/sensitive.h"

#include "lbnode/crypto/crypto.h"
#include "lbnode/model/field_value.h"

#include <stdlib.h>
#include <string.h>

static struct secret_box_place place_of(const struct resource *resource,
                                        const struct field *field)
{
    return (struct secret_box_place){resource->id, field->facet};
}

static const struct secret_box_key *key_of(const struct sensitive_keys *keys, struct bytes box)
{
    struct uuid id;
    if (!secret_box_key_id(box, &id))
        return NULL;
    for (size_t i = 0; i < keys->count; i++) {
        if (uuid_equal(&keys->keys[i].id, &id))
            return &keys->keys[i];
    }
    return NULL;
}

uint8_t *sensitive_open(const struct resource *resource,
                        const struct field *field,
                        const struct sensitive_keys *keys,
                        size_t *out_size,
                        struct error *error)
{
    struct bytes box = sealed_value_bytes(field_sealed(field, resource));
    struct secret_box_place place = place_of(resource, field);
    const struct secret_box_key *key = key_of(keys, box);
    if (!box.data) {
        error_set(error, ERROR_NOT_FOUND, "%s of '%.64s' is not set.", field->name,
                  resource->name);
        return NULL;
    }
    if (!key) {
        error_set(error, ERROR_REFUSED,
                  "%s of '%.64s' is sealed with a key that this node does not have; set it "
                  "anew.",
                  field->name, resource->name);
        return NULL;
    }
    *out_size = box.size - SECRET_BOX_OVERHEAD;
    uint8_t *plain = secret_allocate(*out_size ? *out_size : 1);
    if (secret_box_open(key, &place, box, plain))
        return plain;
    secret_free(plain);
    error_set(error, ERROR_REFUSED, "%s of '%.64s' is damaged; set it anew.", field->name,
              resource->name);
    return NULL;
}

static bool says_the_same(const struct resource *before,
                          const struct field *field,
                          const struct sensitive_keys *keys,
                          struct bytes plain)
{
    size_t size;
    uint8_t *known = before ? sensitive_open(before, field, keys, &size, NULL) : NULL;
    bool same =
        known && size == plain.size && constant_time_equal(known, plain.data, plain.size);
    secret_free(known);
    return same;
}

static bool seal(struct resource *resource,
                 const struct field *field,
                 const struct secret_box_key *key,
                 struct bytes plain)
{
    struct secret_box_place place = place_of(resource, field);
    struct field_value value = {.sealed = {.size = plain.size + SECRET_BOX_OVERHEAD}};
    value.sealed.data = malloc(value.sealed.size);
    if (!value.sealed.data)
        return false;
    secret_box_seal(key, &place, plain, value.sealed.data);
    field_value_store(field, resource, &value);
    return true;
}

bool sensitive_seal(struct resource *resource,
                    const struct resource *before,
                    const struct sensitive_keys *keys,
                    struct error *error)
{
    const struct resource_class *class = resource_class_of(resource->type);
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (field->type != FIELD_SEALED || !field_sealed(field, resource)->is_plain)
            continue;
        struct bytes plain = sealed_value_bytes(field_sealed(field, resource));
        if (!keys || keys->count == 0)
            return error_set(error, ERROR_UNAVAILABLE,
                             "this node has no data key yet to seal %s with; try again",
                             field->name);
        bool good = says_the_same(before, field, keys, plain)
                        ? field_copy(field, before, resource)
                        : seal(resource, field, &keys->keys[0], plain);
        if (!good)
            return error_set(error, ERROR_UNAVAILABLE, "out of memory");
    }
    return true;
}

/* ---- under a new key ----------------------------------------------------------------------
 */

enum reseal_result {
    RESEAL_NOT_NEEDED,
    RESEAL_DONE,
    RESEAL_UNREADABLE,
    RESEAL_NO_MEMORY
};

static enum reseal_result reseal_field(struct resource *resource,
                                       const struct field *field,
                                       const struct sensitive_keys *keys)
{
    struct bytes box = sealed_value_bytes(field_sealed(field, resource));
    size_t size;
    if (!box.data || key_of(keys, box) == &keys->keys[0])
        return RESEAL_NOT_NEEDED;
    uint8_t *plain = sensitive_open(resource, field, keys, &size, NULL);
    if (!plain)
        return RESEAL_UNREADABLE;
    bool sealed = seal(resource, field, &keys->keys[0], (struct bytes){plain, size});
    secret_free(plain);
    return sealed ? RESEAL_DONE : RESEAL_NO_MEMORY;
}

static bool
reseal_object(struct resource *resource, const struct sensitive_keys *keys, size_t *unreadable)
{
    const struct resource_class *class = resource_class_of(resource->type);
    for (size_t i = 0; i < class->field_count; i++) {
        if (class->fields[i].type != FIELD_SEALED)
            continue;
        enum reseal_result result = reseal_field(resource, &class->fields[i], keys);
        *unreadable += result == RESEAL_UNREADABLE;
        if (result == RESEAL_NO_MEMORY)
            return false;
    }
    return true;
}

static bool has_sealed_field(const struct resource_class *class)
{
    for (size_t i = 0; i < class->field_count; i++) {
        if (class->fields[i].type == FIELD_SEALED)
            return true;
    }
    return false;
}

bool sensitive_reseal_all(const struct configuration *configuration,
                          const struct sensitive_keys *keys,
                          struct change_set *out,
                          size_t *out_unreadable,
                          struct error *error)
{
    const struct resource_class *class;
    const struct effective *object;
    *out_unreadable = 0;
    if (keys->count == 0)
        return error_set(error, ERROR_UNAVAILABLE, "this node has no data key");
    for (size_t c = 0; (class = resource_class_at(c)); c++) {
        if (!has_sealed_field(class))
            continue;
        for (size_t i = 0; (object = configuration_at(configuration, class->type, i)); i++) {
            struct resource *after = resource_copy(object->resource);
            bool good = after && reseal_object(after, keys, out_unreadable) &&
                        change_set_add_update(out, object->resource, after) >= 0;
            resource_free(after);
            if (!good)
                return error_set(error, ERROR_UNAVAILABLE,
                                 "the sensitive values do not fit into one change");
        }
    }
    return true;
}
