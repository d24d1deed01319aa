#include "lbnode/model/sensitive.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[SECRET_BOX_KEY_SIZE] = "the only key of this fuzz target";
static const struct sensitive_keys keys = {{{{"its id"}, secret}}, 1};

/* The first byte is the type, the rest JSON text. A resource that is accepted must survive its
 * records. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    const struct resource_class *class =
        size > 0 ? resource_class_of((enum resource_type)data[0]) : NULL;
    if (!class)
        return 0;
    struct json_value *object = json_value_parse((const char *)data + 1, size - 1, &error);
    struct resource *resource = object ? resource_from_json(class, object, &error) : NULL;
    if (resource) {
        struct change_set set = {0};
        struct resource *again = resource_new(class->type);
        if (!sensitive_seal(resource, NULL, &keys, &error) ||
            !change_set_add_create(&set, resource))
            abort();
        for (size_t i = 0; i < set.count; i++) {
            struct bytes value = {set.ops[i].value, set.ops[i].value_size};
            if (!resource_read_facet(again, set.ops[i].facet, value, &error))
                abort();
        }
        json_value_free(resource_to_json(again));
        if (change_set_add_update(&set, resource, again) != 0)
            abort();
        change_set_free(&set);
        resource_free(again);
        resource_update_from_json(resource, object, &error);
    }
    resource_free(resource);
    json_value_free(object);
    return 0;
}
