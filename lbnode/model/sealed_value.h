/* The value of a sensitive attribute in its resource: a box of lbnode/crypto/secret_box.h, or,
 * between the request that brings it and sensitive_seal, the plain bytes. Plain bytes are never
 * encoded, printed or compared, and every copy is wiped when it goes. */
#ifndef LBNODE_MODEL_SEALED_VALUE_H
#define LBNODE_MODEL_SEALED_VALUE_H

#include "lbnode/base/bytes.h"

struct sealed_value {
    uint8_t *data; /* owned; NULL: not set */
    size_t size;
    bool is_plain;
};

/* Copies DATA; what was there is freed. False when out of memory. */
bool sealed_value_set(struct sealed_value *value, struct bytes data, bool is_plain);
bool sealed_value_copy(const struct sealed_value *from, struct sealed_value *out);
/* Both not set, or the same box. */
bool sealed_value_equal(const struct sealed_value *a, const struct sealed_value *b);
struct bytes sealed_value_bytes(const struct sealed_value *value);
void sealed_value_free(struct sealed_value *value); /* wipes */

#endif
