/* The secret keys of the cluster that this node can open, from the grants in the raw state. The
 * secrets stay in guarded memory. A key counts as long as a node that is active has a grant of
 * it; which one is used for what: docs/protocol.md 11. */
#ifndef REPLICATION_KEYRING_H
#define REPLICATION_KEYRING_H

#include "replication/key_grant.h"
#include "replication/roster.h"

enum {
    KEYRING_MAXIMUM = 3, /* as KEYS_LIVING_MAXIMUM */
    KEYRING_KEPT = 8     /* ... that can be opened after two sides of a cut made some each */
};

struct keyring_key {
    struct uuid id; /* hash of the secret */
    uint64_t created_ms;
    uint8_t secret[KEY_SIZE];
    bool everywhere; /* all active nodes have it durable */
};

struct keyring;

/* NODE_KEY opens the grants of this node; borrowed during the call. */
struct keyring *keyring_new(const struct sign_key *node_key);
void keyring_free(struct keyring *keyring); /* wipes; NULL-safe */
/* Reads the grants of NODE_ID. True: something changed. Takes a look at every object. */
bool keyring_update(struct keyring *keyring,
                    const struct facet_table *facets,
                    const struct uuid *node_id);
/* Newest first; at most KEYRING_MAXIMUM, the newest that is everywhere among them; valid until
 * the next update. Whoever has one of them may come with it. */
const struct keyring_key *
keyring_keys(const struct keyring *keyring, enum key_purpose purpose, size_t *count);
/* All of them, also those beyond the maximum: whatever was sealed with one can be opened. */
const struct keyring_key *
keyring_all(const struct keyring *keyring, enum key_purpose purpose, size_t *count);
/* The newest that is everywhere, for whatever this node begins; else the oldest, which has had
 * the most time to get there. NULL: there is no key. */
const struct keyring_key *keyring_in_use(const struct keyring *keyring,
                                         enum key_purpose purpose);
/* Also one that is beyond the maximum. NULL: there is none. */
const struct keyring_key *
keyring_find(const struct keyring *keyring, enum key_purpose purpose, const struct uuid *id);
/* What the active nodes told: do all of them have the key durable? True: that is news. */
bool keyring_set_everywhere(struct keyring *keyring,
                            enum key_purpose purpose,
                            const struct uuid *id,
                            bool everywhere);
/* Grants of every living key for the node with PUBLIC_KEY, added to OUT, unless FACETS has
 * them: for the record that admits it, or gives it a new key. False: a bound is exceeded, or
 * PUBLIC_KEY is none. */
bool keyring_plan_grants(const struct keyring *keyring,
                         const struct facet_table *facets,
                         const struct uuid *node_id,
                         const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                         struct change_set *out);
/* The same for the keys of PURPOSE alone. */
bool keyring_plan_purpose(const struct keyring *keyring,
                          enum key_purpose purpose,
                          const struct facet_table *facets,
                          const struct uuid *node_id,
                          const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                          struct change_set *out);
/* Adds grants of a fresh key for each active node of ROSTER. CREATED_MS: when, by the hybrid
 * clock, so that a key is newer than all its maker knew of. */
bool keyring_plan_new(const struct keyring *keyring,
                      enum key_purpose purpose,
                      const struct roster *roster,
                      uint64_t created_ms,
                      struct change_set *out);
/* How a handshake names a key: two bytes. Two keys that were made at once may share it. */
uint16_t keyring_version(const struct keyring_key *key);

#endif
