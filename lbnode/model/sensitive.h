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
/* Is each value of RESOURCE sealed with one of KEYS? Does not open them. */
bool sensitive_has_keys(const struct resource *resource, const struct sensitive_keys *keys);

/* ---- under a new key: over the raw state, so that nothing is missed -------------------------
 */

/* Is a value of FACET sealed with the key KEY_ID of KEYS? One that does not open is not:
 * nothing would be lost with the key. */
bool sensitive_is_sealed_with(const struct raw_facet *facet,
                              const struct sensitive_keys *keys,
                              const struct uuid *key_id);

enum sensitive_reseal {
    SENSITIVE_AS_IT_IS,   /* nothing is sealed with a key older than that */
    SENSITIVE_RESEALED,   /* OUT has the facet, as it was but for its boxes */
    SENSITIVE_UNREADABLE, /* no key opens it, or it is malformed: left as it is */
    SENSITIVE_FULL        /* OUT would be too large, or memory ran out */
};

/* Seals what FACET has under a key older than KEY_ID, which is one of KEYS, with KEY_ID. */
enum sensitive_reseal sensitive_reseal_facet(const struct raw_facet *facet,
                                             const struct sensitive_keys *keys,
                                             const struct uuid *key_id,
                                             struct change_set *out);

#endif
