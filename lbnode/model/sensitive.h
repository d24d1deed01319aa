/* Sensitive attributes (FIELD_SEALED): sealed with the newest data key as soon as they were
 * read, opened only to be compared with a new value, to be sealed anew, or for whoever may have
 * them (docs/protocol.md, section 10). */
#ifndef LBNODE_MODEL_SENSITIVE_H
#define LBNODE_MODEL_SENSITIVE_H

#include "lbnode/crypto/secret_box.h"
#include "lbnode/model/configuration.h"
#include "lbnode/model/field_table.h"

enum {
    SENSITIVE_KEYS_MAXIMUM = 8
};

/* The data keys that this node has, the newest first. */
struct sensitive_keys {
    struct secret_box_key keys[SENSITIVE_KEYS_MAXIMUM];
    size_t count;
};

/* Seals the plain values of RESOURCE, whose id is final. One that says what BEFORE (may be
 * NULL) has already becomes the same box, so that nothing changes. ERROR_UNAVAILABLE without
 * any key (KEYS may be NULL). */
bool sensitive_seal(struct resource *resource,
                    const struct resource *before,
                    const struct sensitive_keys *keys,
                    struct error *error);
/* The plain bytes of FIELD in memory of secret_allocate (free with secret_free). NULL with
 * ERROR: nothing there (NOT_FOUND), of a key that this node has not (REFUSED), or damaged. */
uint8_t *sensitive_open(const struct resource *resource,
                        const struct field *field,
                        const struct sensitive_keys *keys,
                        size_t *out_size,
                        struct error *error);
/* Adds to OUT the facets of all values that another key than the newest seals, sealed with the
 * newest. Values that no key of KEYS opens are left as they are and counted. False with ERROR
 * when OUT would be too large or memory ran out. */
bool sensitive_reseal_all(const struct configuration *configuration,
                          const struct sensitive_keys *keys,
                          struct change_set *out,
                          size_t *out_unreadable,
                          struct error *error);

#endif
