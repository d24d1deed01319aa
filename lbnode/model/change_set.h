/* An atomic configuration change: operations on facets of objects (replication.md 3 and 5.2).
 * Built by admin from the field table, signed and stored by replication, which does not look
 * into values. */
#ifndef LBNODE_MODEL_CHANGE_SET_H
#define LBNODE_MODEL_CHANGE_SET_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/uuid.h"

#include <stdbool.h>

/* Facets that every type has; type-specific ones start at 10 (a column of the field table). */
enum facet {
    FACET_LIFE = 0, /* value: one byte, 1 alive, 0 deleted */
    FACET_META = 1,
    FACET_ADMIN =
        2, /* value: field 1 varint admin_state_up; the most restrictive concurrent wins */
    FACET_CREATION = 3,
};

struct change_op {
    struct uuid object_id;
    struct uuid owner; /* zero for roots; the same in every op of one object */
    uint8_t type;      /* enum resource_type */
    uint16_t facet;
    bool anew;      /* set by replication: nothing of an earlier object with this id counts */
    uint8_t *value; /* owned by the change set */
    size_t value_size;
};

enum {
    CHANGE_SET_MAXIMUM_OPS = 65536,
    CHANGE_VALUE_MAXIMUM_SIZE = 64 << 10
};

struct change_set {
    struct change_op *ops;
    size_t count, capacity;
};

/* Copies VALUE. False when a bound or memory is exceeded; the set is unchanged then. */
bool change_set_add(struct change_set *set,
                    const struct uuid *object_id,
                    const struct uuid *owner,
                    uint8_t type,
                    uint16_t facet,
                    struct bytes value);
void change_set_free(struct change_set *set);

#endif
