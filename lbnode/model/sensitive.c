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

static const struct secret_box_key *find_key(const struct sensitive_keys *keys,
                                             const struct uuid *id)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (uuid_equal(&keys->keys[i].id, id))
            return &keys->keys[i];
    }
    return NULL;
}

static const struct secret_box_key *key_of(const struct sensitive_keys *keys, struct bytes box)
{
    struct uuid id;
    return secret_box_key_id(box, &id) ? find_key(keys, &id) : NULL;
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

bool sensitive_has_keys(const struct resource *resource, const struct sensitive_keys *keys)
{
    const struct resource_class *class = resource_class_of(resource->type);
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (field->type == FIELD_SEALED && !field_is_unset(field, resource) &&
            !key_of(keys, sealed_value_bytes(field_sealed(field, resource))))
            return false;
    }
    return true;
}

/* ---- under a new key ----------------------------------------------------------------------
 */

/* The object of FACET with what its value says; NULL when nothing of it can be sealed. */
static struct resource *read_sealed_facet(const struct raw_facet *facet)
{
    const struct resource_class *class = resource_class_of((enum resource_type)facet->type);
    bool can_be = false;
    for (size_t i = 0; class && i < class->field_count; i++)
        can_be |=
            class->fields[i].type == FIELD_SEALED && class->fields[i].facet == facet->facet;
    struct resource *resource = can_be ? resource_new(class->type) : NULL;
    if (resource && resource_read_facet(resource, facet->facet, facet->value, NULL)) {
        resource->id = facet->object_id;
        resource->owner = facet->owner;
        return resource;
    }
    resource_free(resource);
    return NULL;
}

bool sensitive_is_sealed_with(const struct raw_facet *facet,
                              const struct sensitive_keys *keys,
                              const struct uuid *key_id)
{
    struct resource *resource = read_sealed_facet(facet);
    const struct resource_class *class = resource ? resource_class_of(resource->type) : NULL;
    bool found = false;
    for (size_t i = 0; class && i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        struct uuid id;
        size_t size;
        if (field->type != FIELD_SEALED || field->facet != facet->facet ||
            !secret_box_key_id(sealed_value_bytes(field_sealed(field, resource)), &id) ||
            !uuid_equal(&id, key_id))
            continue;
        uint8_t *plain = sensitive_open(resource, field, keys, &size, NULL);
        found |= plain != NULL;
        secret_free(plain);
    }
    resource_free(resource);
    return found;
}

static enum sensitive_reseal reseal_field(struct resource *resource,
                                          const struct field *field,
                                          const struct sensitive_keys *keys,
                                          const struct secret_box_key *target)
{
    struct bytes box = sealed_value_bytes(field_sealed(field, resource));
    const struct secret_box_key *key = key_of(keys, box);
    size_t size;
    if (!box.data || (key && key <= target)) /* the newest come first */
        return SENSITIVE_AS_IT_IS;
    uint8_t *plain = sensitive_open(resource, field, keys, &size, NULL);
    if (!plain)
        return SENSITIVE_UNREADABLE;
    bool sealed = seal(resource, field, target, (struct bytes){plain, size});
    secret_free(plain);
    return sealed ? SENSITIVE_RESEALED : SENSITIVE_FULL;
}

enum sensitive_reseal sensitive_reseal_facet(const struct raw_facet *facet,
                                             const struct sensitive_keys *keys,
                                             const struct uuid *key_id,
                                             struct change_set *out)
{
    const struct secret_box_key *target = find_key(keys, key_id);
    struct resource *resource = target ? read_sealed_facet(facet) : NULL;
    const struct resource_class *class = resource ? resource_class_of(resource->type) : NULL;
    enum sensitive_reseal result = SENSITIVE_AS_IT_IS;
    for (size_t i = 0; class && i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (field->type != FIELD_SEALED || field->facet != facet->facet)
            continue;
        enum sensitive_reseal one = reseal_field(resource, field, keys, target);
        result = one > result ? one : result;
    }
    if (result == SENSITIVE_RESEALED && !change_set_add_facet(out, resource, facet->facet))
        result = SENSITIVE_FULL;
    resource_free(resource);
    return result;
}
