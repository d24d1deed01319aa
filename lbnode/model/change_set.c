#include "lbnode/model/change_set.h"

#include <stdlib.h>
#include <string.h>

static bool reserve_one(struct change_set *set)
{
    if (set->count < set->capacity)
        return true;
    size_t capacity = set->capacity ? set->capacity * 2 : 8;
    struct change_op *ops = realloc(set->ops, capacity * sizeof(*ops));
    if (!ops)
        return false;
    set->ops = ops;
    set->capacity = capacity;
    return true;
}

bool change_set_add(struct change_set *set,
                    const struct uuid *object_id,
                    const struct uuid *owner,
                    uint8_t type,
                    uint16_t facet,
                    struct bytes value)
{
    if (set->count >= CHANGE_SET_MAXIMUM_OPS || value.size > CHANGE_VALUE_MAXIMUM_SIZE ||
        !reserve_one(set))
        return false;
    uint8_t *copy = malloc(value.size ? value.size : 1);
    if (!copy)
        return false;
    if (value.size > 0)
        memcpy(copy, value.data, value.size);
    set->ops[set->count++] = (struct change_op){
        .object_id = *object_id,
        .owner = *owner,
        .type = type,
        .facet = facet,
        .value = copy,
        .value_size = value.size,
    };
    return true;
}

void change_set_free(struct change_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->ops[i].value);
    free(set->ops);
    memset(set, 0, sizeof(*set));
}
