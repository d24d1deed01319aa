#include "lbnode/model/field_table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the type, the second the facet, the rest its value. A value that is
 * accepted must be written and read again without a difference. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    if (size < 2 || !resource_class_of((enum resource_type)data[0]))
        return 0;
    struct resource *resource = resource_new((enum resource_type)data[0]);
    struct resource *again = resource_new((enum resource_type)data[0]);
    struct bytes value = {data + 2, size - 2};
    if (resource && again && resource_read_facet(resource, data[1], value, &error)) {
        struct change_set set = {0};
        if (!change_set_add_create(&set, resource))
            abort();
        for (size_t i = 0; i < set.count; i++) {
            struct bytes written = {set.ops[i].value, set.ops[i].value_size};
            /* The others lack their mandatory attributes. */
            if (set.ops[i].facet == data[1] &&
                !resource_read_facet(again, set.ops[i].facet, written, &error))
                abort();
        }
        change_set_free(&set);
    }
    resource_free(resource);
    resource_free(again);
    return 0;
}
