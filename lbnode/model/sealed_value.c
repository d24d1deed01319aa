#include "lbnode/model/sealed_value.h"

#include "lbnode/crypto/crypto.h"

#include <stdlib.h>
#include <string.h>

void sealed_value_free(struct sealed_value *value)
{
    if (value->data)
        secret_wipe(value->data, value->size);
    free(value->data);
    *value = (struct sealed_value){0};
}

bool sealed_value_set(struct sealed_value *value, struct bytes data, bool is_plain)
{
    uint8_t *copy = malloc(data.size ? data.size : 1);
    if (!copy)
        return false;
    if (data.size > 0)
        memcpy(copy, data.data, data.size);
    sealed_value_free(value);
    *value = (struct sealed_value){copy, data.size, is_plain};
    return true;
}

bool sealed_value_copy(const struct sealed_value *from, struct sealed_value *out)
{
    if (from->data)
        return sealed_value_set(out, sealed_value_bytes(from), from->is_plain);
    sealed_value_free(out);
    return true;
}

bool sealed_value_equal(const struct sealed_value *a, const struct sealed_value *b)
{
    if (a->is_plain || b->is_plain)
        return false;
    return !a->data == !b->data && bytes_equal(sealed_value_bytes(a), sealed_value_bytes(b));
}

struct bytes sealed_value_bytes(const struct sealed_value *value)
{
    return (struct bytes){value->data, value->size};
}
